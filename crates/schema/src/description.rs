//! Ids of descriptions: of tables, columns, relationships and option sets, as clients know them.

use crate::{Column, Guid, Table};

/// The namespace of these ids. Fixed for ever: clients keep them.
const NAMESPACE: Guid = Guid::from_u128(0x2f0b_7a52_41c3_5d0e_9d43_c1a8_0b6e_75f4);

/// The id of the description of something: `what` it is (`EntityMetadata`) and its `name`, which is unique among its
/// like (`account`, `account.name`). The same in every organisation, and as long as the name is the same.
#[must_use]
pub fn description_id(what: &str, name: &str) -> Guid {
    Guid::new_v5(&NAMESPACE, format!("{what}:{name}").as_bytes())
}

/// The id of the description of a column, by which it is also shared (`attributeid`).
#[must_use]
pub fn column_description_id(table: &Table, column: &Column) -> Guid {
    description_id("AttributeMetadata", &format!("{}.{}", table.name, column.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_descriptions_are_fixed() {
        assert_eq!(description_id("EntityMetadata", "account").to_string(), "c62c984d-1dfc-5780-9ff7-dc6faf15fbe4");
        assert_ne!(description_id("EntityMetadata", "account"), description_id("AttributeMetadata", "account"));
    }
}
