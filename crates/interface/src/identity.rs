//! Ids of the forms, views and site maps that the program brings along.

use std::collections::HashSet;
use std::sync::OnceLock;

use custodia_schema::Guid;

use crate::standard::standard;

/// The namespace of these ids. Fixed for ever: organisations store them.
const NAMESPACE: Guid = Guid::from_u128(0x6d1e_0f3c_95a8_5b47_8c60_2f71_d4b9_38ea);

/// The id of a definition: `what` it is (`form`, `view`, `sitemap`), the table it is of and its `key`, which is unique among
/// its like. The same in every organisation and every version of the program.
#[must_use]
pub fn definition_id(what: &str, table: &str, key: &str) -> Guid {
    Guid::new_v5(&NAMESPACE, format!("{what}:{table}:{key}").as_bytes())
}

/// Whether a form, view or site map of that id is one that the program brings along.
#[must_use]
pub fn is_shipped(id: Guid) -> bool {
    static SHIPPED: OnceLock<HashSet<Guid>> = OnceLock::new();
    let shipped = SHIPPED.get_or_init(|| {
        let described = standard();
        let forms = described.forms.iter().map(|form| form.id);
        let views = described.views.iter().map(|view| view.id);
        forms.chain(views).chain([described.navigation_id]).collect()
    });
    shipped.contains(&id)
}
