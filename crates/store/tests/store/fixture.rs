//! Data of earlier versions stays readable: an organisation that the first version wrote opens, is whole and goes on.
//!
//! A fixture is never made again: it stands for what people have on their disks. A later format adds one beside it.

use std::path::{Path, PathBuf};

use custodia_query::{Field, Query};
use custodia_schema::{ColumnId, Decimal, Guid, Money, Table, Value};
use custodia_store::{Database, ReadPolicy};

use crate::on_both_engines;
use crate::site::{Engine, Site, Step, account, ring, table, values, write};

on_both_engines! {
    an_organisation_of_the_first_version_opens_and_goes_on;
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/organization-1.backup")
}

const KUN: Guid = Guid::from_u128(0x11);
const PLAIN: Guid = Guid::from_u128(0x12);
const GONE: Guid = Guid::from_u128(0x13);
const PERSON: Guid = Guid::from_u128(0x21);
const USER: Guid = Guid::from_u128(0x31);

/// What the fixture's accounts hold.
fn known(accounts: &Table) -> Vec<(ColumnId, Value)> {
    values(
        accounts,
        &[
            ("name", Value::Text("Žluťoučký kůň".into())),
            ("description", Value::Text("línea 1\nline 2 😀".into())),
            ("creditonhold", Value::Boolean(true)),
            ("revenue", Value::Money(Money(12_345_678_901_234))),
            ("exchangerate", Value::Decimal(Decimal::new(1_234_567_890_123, 10))),
            ("numberofemployees", Value::Integer(7)),
            ("lastonholdtime", Value::DateTime(1_767_323_045)),
            ("statecode", Value::Integer(0)),
        ],
    )
}

/// Makes the fixture. Only ever run for a new one, since the old ones are to stay as they were written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "makes a file of the repository"]
async fn make() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("fixture").await;
    let (accounts, contacts) = (table(&database, "account"), table(&database, "contact"));
    write(&database, vec![account(&database, KUN, "before"), account(&database, PLAIN, "Plain")]).await.unwrap();
    write(&database, vec![account(&database, GONE, "Gone")]).await.unwrap();
    write(&database, vec![Step::Update(accounts.clone(), KUN, known(&accounts))]).await.unwrap();
    write(&database, vec![Step::Delete(accounts.clone(), GONE)]).await.unwrap();
    let mut person = crate::site::random_row(&contacts, &crate::site::Dice::new(1));
    let named = values(
        &contacts,
        &[("lastname", Value::Text("Lovelace".into())), ("parentcustomerid", Value::Lookup(accounts.id, KUN))],
    );
    person.retain(|(column, _)| !named.iter().any(|(known, _)| known == column));
    person.extend(named);
    write(&database, vec![Step::Insert(contacts, PERSON, person)]).await.unwrap();
    let users = table(&database, "systemuser");
    let user = values(&users, &[("domainname", Value::Text("ada@fixture.example".into()))]);
    write(&database, vec![Step::Insert(users, USER, user)]).await.unwrap();
    database
        .write(|transaction| {
            Box::pin(async move {
                transaction.put_credential(USER, "password", "", b"kept form".to_vec());
                transaction.put_setting("fixture", vec![0, 1, 255]);
                Ok::<(), custodia_store::Error>(())
            })
        })
        .await
        .unwrap();
    let report = site.store.backup("fixture", &fixture(), &mut |_: &str| {}).await.unwrap();
    eprintln!("{report}");
}

/// Everybody may read everything.
struct Open;

impl ReadPolicy for Open {
    fn rows(
        &self,
        _: &Table,
        _: custodia_schema::PrivilegeKind,
    ) -> Result<custodia_access::RowAccess, custodia_access::Denied> {
        Ok(custodia_access::RowAccess::All)
    }

    fn reads_column(&self, _: &Table, _: ColumnId) -> bool {
        true
    }
}

/// The first hundred rows of a table: their ids, and columns of them.
pub async fn rows(database: &Database, name: &str, columns: &[&str]) -> Vec<Vec<Value>> {
    let table = table(database, name);
    let mut fields = vec![Field::Column(table.primary_id)];
    fields.extend(columns.iter().map(|name| Field::Column(table.column(name).unwrap().id)));
    let query = Query { fields, ..Query::of(&table, 100) };
    database.rows(&query, &Open).await.unwrap().0
}

mod bodies {
    use super::*;

    pub async fn an_organisation_of_the_first_version_opens_and_goes_on(engine: Engine) {
        let site = Site::new(engine).await;
        let report = site.store.restore(&fixture(), None, false, &ring(), &mut |_: &str| {}).await.unwrap();
        assert_eq!((report.organization.as_str(), report.content.rows()), ("fixture", 4));
        let database = site.store.database("fixture").await.unwrap();

        let found = rows(
            &database,
            "account",
            &["name", "description", "creditonhold", "revenue", "exchangerate", "numberofemployees", "lastonholdtime"],
        )
        .await;
        assert_eq!(
            found,
            [
                vec![
                    Value::Guid(KUN),
                    Value::Text("Žluťoučký kůň".into()),
                    Value::Text("línea 1\nline 2 😀".into()),
                    Value::Boolean(true),
                    Value::Money(Money(12_345_678_901_234)),
                    Value::Decimal("123.4567890123".parse().unwrap()),
                    Value::BigInt(7),
                    Value::DateTime(1_767_323_045),
                ],
                vec![
                    Value::Guid(PLAIN),
                    Value::Text("Plain".into()),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null
                ],
            ]
        );
        let people = rows(&database, "contact", &["lastname", "parentcustomerid"]).await;
        assert_eq!(people, [[Value::Guid(PERSON), Value::Text("Lovelace".into()), Value::Guid(KUN)]]);
        assert_eq!(database.setting("fixture").await.unwrap(), Some(vec![0, 1, 255]));
        assert_eq!(database.credentials(USER, "password").await.unwrap()[0].1, b"kept form");

        // Its log still tells how it came about.
        let elsewhere = site.organization("replayed").await;
        elsewhere.replay(database.changes(0, 100).await.unwrap()).await.unwrap();
        assert_eq!(elsewhere.content().await.unwrap(), report.content);

        let accounts = table(&database, "account");
        write(&database, vec![account(&database, GONE, "Back"), Step::Delete(accounts, PLAIN)]).await.unwrap();
        assert_eq!(rows(&database, "account", &["name"]).await.len(), 2);
        let contacts = table(&database, "contact");
        write(&database, vec![Step::Delete(contacts, PERSON)]).await.unwrap();
        assert_eq!(rows(&database, "contact", &[]).await, Vec::<Vec<Value>>::new());
    }
}
