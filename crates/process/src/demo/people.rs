//! The people of a demonstration: their roles, and the passwords of those who sign in.

use std::collections::HashMap;

use custodia_org::{Caller, LinkRequest, Organization, Reference, Rows};
use custodia_query::Query;
use custodia_schema::{Guid, Table, Value, builtin_roles};

use super::{DemoUser, Error, PasswordSetter};

/// Who gets a password: sellers of each unit, a manager of one of them, the one who answers calls.
pub(super) const DEMO_SIGN_INS: &[&str] = &[
    "darcel.schlecht@demo.example",
    "cassey.cress@demo.example",
    "vicki.laflamme@demo.example",
    "melvin.marxen@demo.example",
    "casey.morgan@demo.example",
];

/// The same in the second organisation.
pub(super) const DEMO2_SIGN_INS: &[&str] = &["jordan.whitlock@demo2.example", "robin.castellano@demo2.example"];

/// People of a demonstration at most.
const PEOPLE_MAX: u32 = 1_000;
/// Copies of built-in roles at most: one for each of them in each unit.
const ROLES_MAX: u32 = 1_000;
/// Letters and digits of passwords: none that is taken for another one, or that a shell takes for something else. 32 of them, so
/// that five bits choose one.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// Characters of a password: 100 bits.
const PASSWORD_LENGTH: usize = 20;

struct Person {
    id: Guid,
    sign_in: String,
    title: String,
    unit: Guid,
}

/// Gives each person the built-in role that their title names, as it is in their unit.
pub(super) async fn give_roles(organization: &Organization, caller: &Caller) -> Result<(), Error> {
    let schema = organization.schema();
    let (users, roles) = (table(&schema, "systemuser")?, table(&schema, "role")?);
    let held = select(organization, caller, roles, &["name", "businessunitid"], ROLES_MAX).await?;
    let mut roles_of_units: HashMap<(String, Guid), Guid> = HashMap::new();
    for row in held {
        if let [Value::Guid(id), Value::Text(name), unit] = row.as_slice()
            && let Some(unit) = unit.guid()
        {
            roles_of_units.insert((name.clone(), unit), *id);
        }
    }
    for person in people(organization, caller).await? {
        if !builtin_roles().iter().any(|role| role.name == person.title) {
            continue;
        }
        let role = roles_of_units.get(&(person.title.clone(), person.unit));
        let role = role.ok_or_else(|| {
            Error::Missing(format!(
                "{} has the title `{}`, but their unit has no such role",
                person.sign_in, person.title
            ))
        })?;
        let request = LinkRequest {
            record: Reference::id(users.id, person.id),
            relationship: "systemuserroles_association".to_owned(),
            other: Reference::id(roles.id, *role),
        };
        match organization.associate(caller, request).await {
            Ok(()) | Err(custodia_org::Error::DuplicateKey { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Makes up passwords for the administrator and for these people.
pub(super) async fn give_passwords(
    organization: &Organization,
    caller: &Caller,
    sign_ins: &[&str],
    passwords: &dyn PasswordSetter,
) -> Result<Vec<DemoUser>, Error> {
    let people = people(organization, caller).await?;
    let administrator = people.iter().find(|person| person.id == caller.user);
    let mut chosen: Vec<(&Person, &str)> =
        administrator.map(|person| (person, "System Administrator")).into_iter().collect();
    for sign_in in sign_ins {
        let person = people.iter().find(|person| person.sign_in == *sign_in);
        let person = person.ok_or_else(|| Error::Missing(format!("there is no user {sign_in}")))?;
        chosen.push((person, person.title.as_str()));
    }
    let mut users = Vec::with_capacity(chosen.len());
    for (person, role) in chosen {
        let password = password(passwords);
        let set = passwords.set(person.id, &password).await;
        set.map_err(|source| Error::Password { user: person.sign_in.clone(), source })?;
        users.push(DemoUser { user: person.sign_in.clone(), password, role: role.to_owned() });
    }
    Ok(users)
}

/// A password that a person can type from a screen.
fn password(passwords: &dyn PasswordSetter) -> String {
    let mut noise = [0; PASSWORD_LENGTH];
    passwords.fill(&mut noise);
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).map_or('a', |letter| char::from(*letter));
    noise.iter().map(letter).collect()
}

async fn people(organization: &Organization, caller: &Caller) -> Result<Vec<Person>, Error> {
    let schema = organization.schema();
    let users = table(&schema, "systemuser")?;
    let rows = select(organization, caller, users, &["domainname", "jobtitle", "businessunitid"], PEOPLE_MAX).await?;
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let people = rows.iter().filter_map(|row| {
        Some(Person {
            id: row.first()?.guid()?,
            sign_in: text(row.get(1)),
            title: text(row.get(2)),
            unit: row.get(3)?.guid()?,
        })
    });
    Ok(people.collect())
}

fn table<'s>(schema: &'s custodia_schema::Schema, name: &str) -> Result<&'s Table, Error> {
    let table = schema.table_named(name).map(std::convert::AsRef::as_ref);
    table.ok_or_else(|| Error::Missing(format!("there is no table `{name}`")))
}

/// All rows of a table, their ids first.
async fn select(
    organization: &Organization,
    caller: &Caller,
    table: &Table,
    columns: &[&str],
    rows_max: u32,
) -> Result<Vec<Vec<Value>>, Error> {
    let columns = columns.iter().filter_map(|name| table.column(name)).map(|column| column.id);
    let query = Query::of(table, rows_max).showing(columns);
    let mut rows = Rows::default();
    organization.query(caller, &query, &mut rows).await?;
    if rows.rows.len() > rows_max as usize {
        return Err(Error::Missing(format!(
            "`{}` has more than {rows_max} rows: this is no demonstration",
            table.name
        )));
    }
    Ok(rows.rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use futures::future::BoxFuture;

    use super::*;

    struct Counting;

    impl PasswordSetter for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (at, byte) in buffer.iter_mut().enumerate() {
                *byte = u8::try_from(at).unwrap();
            }
        }

        fn set<'a>(&'a self, _: Guid, _: &'a str) -> BoxFuture<'a, Result<(), super::super::PasswordError>> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn a_password_uses_every_bit_it_is_given() {
        assert_eq!(password(&Counting), "abcdefghjkmnpqrstuvw");
        let distinct: std::collections::HashSet<_> = ALPHABET.iter().collect();
        assert_eq!(distinct.len(), ALPHABET.len());
        assert!(ALPHABET.iter().all(|letter| letter.is_ascii_alphanumeric() || *letter == b'_'));
    }
}
