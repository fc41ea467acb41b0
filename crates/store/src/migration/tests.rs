//! Steps forward run once and in order or not at all, tables grow with the schema, and a newer database is left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use custodia_schema::{Guid, Value};

use super::*;
use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, Step, TABLES, account, random_history, table, values, write};
use crate::sql::content::Layout;
use crate::{Database, RowKey, Transaction};

on_both_engines! {
    steps_run_once_in_order_and_a_failing_one_leaves_no_trace;
    a_new_database_takes_the_same_steps;
    a_newer_database_is_refused_or_read_only_as_it_says;
    a_table_of_an_older_schema_grows_and_keeps_its_rows;
    copies_name_every_column_that_there_is;
    entries_of_the_audit_that_were_not_filed_are;
}

const TO_TWO: Migration = Migration {
    oldest_reader: 1,
    oldest_writer: 2,
    seals_audit: false,
    statements: |_| vec!["ALTER TABLE custodia_setting ADD COLUMN note text".to_owned()],
};

const STEPS: &[Migration] = &[
    TO_TWO,
    Migration {
        oldest_reader: 2,
        oldest_writer: 3,
        seals_audit: false,
        statements: |dialect| {
            let value = if dialect == Dialect::Sqlite { "x'01'" } else { "'\\x01'" };
            vec![format!("INSERT INTO custodia_setting (name, value, note) VALUES ('step', {value}, 'three')")]
        },
    },
];

const FAILING: &[Migration] = &[
    TO_TWO,
    Migration {
        oldest_reader: 1,
        oldest_writer: 1,
        seals_audit: false,
        statements: |_| {
            vec!["ALTER TABLE custodia_setting ADD COLUMN other text".to_owned(), "DROP TABLE no_such_table".to_owned()]
        },
    },
];

/// The connection that writes.
async fn link_of(database: &Database) -> Link {
    match database.sqlite_file() {
        Some(file) => Link::Sqlite(Arc::clone(file)),
        None => Link::Postgres(Arc::new(database.own_connection().await.unwrap())),
    }
}

async fn columns(link: &Link, table: &str) -> Vec<String> {
    let statement = content::select_columns(link.dialect(), table);
    crate::link::rows(link, &statement, |row| Some(row.text(0)?.to_owned())).await.unwrap()
}

/// Runs statements as another program would.
async fn run(link: &Link, statements: &[&str]) {
    for sql in statements {
        link.run(sql).await.unwrap();
    }
}

/// A new organisation that says to be as the first program made it; what later formats added is in nobody's way.
async fn of_the_first_format(site: &Site, name: &str) -> Link {
    let link = link_of(&site.organization(name).await).await;
    run(&link, &["UPDATE custodia_head SET format = 1, oldest_reader = 1, oldest_writer = 1"]).await;
    link
}

/// Closes the database and opens it again.
async fn open_again(site: &Site, name: &str) -> Result<Database> {
    site.store.suspend(&site.store.organization(name).unwrap()).await.unwrap();
    site.store.activate(&site.store.organization(name).unwrap()).await.unwrap();
    site.store.database(name).await
}

mod bodies {
    use super::*;

    pub async fn steps_run_once_in_order_and_a_failing_one_leaves_no_trace(engine: Engine) {
        let site = Site::new(engine).await;
        let link = of_the_first_format(&site, "demo").await;
        let first = Programs { format: 1, oldest_reader: 1, oldest_writer: 1 };
        assert_eq!(apply(&link, readable(&link).await.unwrap(), &[], site.store.services()).await.unwrap(), first);

        apply(&link, readable(&link).await.unwrap(), FAILING, site.store.services()).await.unwrap_err();
        let second = Programs { format: 2, oldest_reader: 1, oldest_writer: 2 };
        assert_eq!(readable(&link).await.unwrap(), second, "the step before the failing one holds");
        assert_eq!(columns(&link, "custodia_setting").await, ["name", "value", "note"]);

        // A program of format 3 that must be newer than this one to read it: as it would be found by this one.
        let third = apply(&link, readable(&link).await.unwrap(), &STEPS[..1], site.store.services()).await.unwrap();
        assert_eq!(third, second, "what was done is not done again");
        let last = Programs { format: 3, oldest_reader: 2, oldest_writer: 3 };
        assert_eq!(apply(&link, readable(&link).await.unwrap(), STEPS, site.store.services()).await.unwrap(), last);
        // Two nodes that come to a database at once take each step once between them.
        let one = of_the_first_format(&site, "both").await;
        let two = link_of(&site.store.database("both").await.unwrap()).await;
        let (one, two) = futures::join!(
            apply(&one, readable(&one).await.unwrap(), &STEPS[..1], site.store.services()),
            apply(&two, readable(&two).await.unwrap(), &STEPS[..1], site.store.services())
        );
        assert_eq!((one.unwrap(), two.unwrap()), (second, second));
        let notes = crate::sql::Statement {
            sql: "SELECT note FROM custodia_setting WHERE name = 'step'".into(),
            outputs: vec![crate::sql::Output::Text],
            ..Default::default()
        };
        let found = crate::link::rows(&link, &notes, |row| Some(row.text(0)?.to_owned())).await.unwrap();
        assert_eq!(found, ["three"]);
    }

    pub async fn a_new_database_takes_the_same_steps(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let programs = readable(&link_of(&database).await).await.unwrap();
        assert_eq!(programs.format, PROGRAM_VERSION);
        assert!(programs.oldest_writer <= PROGRAM_VERSION && programs.oldest_reader <= programs.oldest_writer);
        assert_eq!((format_after(&[]), format_after(STEPS)), (1, 3));
        // Every step that is shipped says who may still use what it makes.
        for (format, step) in (2_u32..).zip(MIGRATIONS) {
            assert!(step.oldest_reader <= step.oldest_writer && step.oldest_writer <= format, "step to {format}");
        }
    }

    pub async fn a_newer_database_is_refused_or_read_only_as_it_says(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
        let content = database.content().await.unwrap();
        run(&link_of(&database).await, &["UPDATE custodia_head SET oldest_writer = 7, format = 7"]).await;

        let old = open_again(&site, "demo").await.unwrap();
        assert_eq!(old.content().await.unwrap(), content, "it may be read");
        let refused = write(&old, vec![account(&old, Guid::from_u128(2), "B")]).await;
        assert!(matches!(refused, Err(Error::TooNew { needed: 7, present: PROGRAM_VERSION })), "{refused:?}");
        let table = table(&old, "contact").id;
        assert!(matches!(old.make_tables(&[table]).await, Err(Error::TooNew { .. })));
        assert_eq!(old.content().await.unwrap(), content);

        run(&link_of(&old).await, &["UPDATE custodia_head SET oldest_reader = 7"]).await;
        let refused = open_again(&site, "demo").await.map(drop);
        assert!(matches!(refused, Err(Error::TooNew { needed: 7, .. })), "{refused:?}");
        assert_eq!(
            refused.unwrap_err().to_string(),
            "this database needs storage format 7 or newer (this program writes 6); upgrade the program"
        );
    }

    pub async fn a_table_of_an_older_schema_grows_and_keeps_its_rows(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let accounts = table(&database, "account");
        let id = Guid::from_u128(1);
        write(&database, vec![account(&database, id, "A")]).await.unwrap();
        let link = link_of(&database).await;
        let whole = columns(&link, "account").await;
        let content_before = database.content().await.unwrap();
        let metadata = database.head().await.unwrap().versions.metadata;
        // As a program would have made it that knew neither fax numbers nor the index by account number.
        let index = crate::sql::create_table(link.dialect(), &database.schema(), &accounts)
            .into_iter()
            .skip(1)
            .find(|sql| sql.contains("\"accountnumber__f\""))
            .expect("account numbers are indexed");
        let name = index.split('"').nth(1).unwrap().to_owned();
        run(
            &link,
            &[
                "ALTER TABLE account DROP COLUMN fax",
                "ALTER TABLE account DROP COLUMN fax__f",
                &format!("DROP INDEX \"{name}\""),
                "UPDATE custodia_table SET definition = 1",
            ],
        )
        .await;
        assert_eq!(columns(&link, "account").await.len(), whole.len() - 2);
        drop((database, link));

        let grown = open_again(&site, "demo").await.unwrap();
        let link = link_of(&grown).await;
        let (mut now, mut then) = (columns(&link, "account").await, whole);
        now.sort();
        then.sort();
        assert_eq!(now, then);
        assert_eq!(grown.content().await.unwrap(), content_before);
        assert!(grown.head().await.unwrap().versions.metadata > metadata, "statements are compiled again");
        let refused = link.run(&index).await.unwrap_err();
        assert!(format!("{refused:?}").contains("already exists"), "the index is there: {refused:?}");
        let change = values(&accounts, &[("fax", Value::Text("555".into()))]);
        write(&grown, vec![Step::Update(accounts.clone(), id, change)]).await.unwrap();
        let fax = accounts.column("fax").unwrap().id;
        let row = grown
            .write(move |transaction: &mut Transaction| {
                let accounts = accounts.clone();
                Box::pin(async move { transaction.fetch(&accounts, &RowKey::Id(id), &[]).await })
            })
            .await;
        assert_eq!(row.unwrap().unwrap().get(fax), &Value::Text("555".into()));

        let metadata = grown.head().await.unwrap().versions.metadata;
        let again = open_again(&site, "demo").await.unwrap();
        assert_eq!(again.head().await.unwrap().versions.metadata, metadata, "nothing is left to do");
    }

    pub async fn copies_name_every_column_that_there_is(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        random_history(&database, 1, &Dice::new(1)).await;
        let link = link_of(&database).await;
        let records = TABLES.iter().map(|name| Layout::made(&table(&database, name)));
        for layout in Layout::internal().into_iter().chain(records) {
            let named: Vec<_> = layout.columns.iter().map(|column| column.name.clone()).collect();
            assert_eq!(columns(&link, &layout.name).await, named, "{}", layout.name);
        }
        let made: Vec<_> = newest(link.dialect())
            .iter()
            .filter_map(|sql| Some(sql.strip_prefix("CREATE TABLE ")?.split(' ').next()?.to_owned()))
            .filter(|name| !audit_filing::DERIVED.contains(&name.as_str()))
            .collect();
        let copied: Vec<_> = Layout::internal().into_iter().map(|layout| layout.name).collect();
        assert_eq!(made, copied, "every table of the store's own is copied that does not follow from another");
    }

    pub async fn entries_of_the_audit_that_were_not_filed_are(engine: Engine) {
        let site = Site::new(engine).await;
        let link = link_of(&site.organization("demo").await).await;
        if link.dialect() == Dialect::Postgres {
            run(&link, &["UPDATE custodia_head SET format = 5, oldest_writer = 5"]).await;
            assert_eq!(bring_forward(&link, site.store.services()).await.unwrap().format, PROGRAM_VERSION);
            // The index found them and goes on to.
            run(&link, &["DROP INDEX custodia_audit_row"]).await;
            return;
        }
        let many = audit_filing::CATCH_UP + audit_filing::FILED_TOGETHER + 5;
        let entries = format!(
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {many}) \
             INSERT INTO custodia_audit (number, created, transactionid, userid, origin, tableid, rowid_, operation, \
             action, payload) SELECT n, 1, zeroblob(16), zeroblob(16), '', 1, \
             CAST(printf('%016d', n % 7) AS BLOB), 2, 2, '' FROM series"
        );
        // As the program before left it.
        let older = [
            "DROP TABLE custodia_audit_filed",
            "DROP TABLE custodia_audit_filing",
            "CREATE INDEX custodia_audit_row ON custodia_audit (tableid, rowid_, number)",
            "DELETE FROM custodia_audit",
            &entries,
            &format!("UPDATE custodia_head SET format = 5, oldest_writer = 5, audit_number = {many}"),
        ];
        run(&link, &older).await;
        let filed = async || {
            let found = crate::link::rows(&link, &audit_filing::select_filed(), |row| row.integer(0)).await.unwrap();
            found[0]
        };
        assert_eq!(bring_forward(&link, site.store.services()).await.unwrap().format, PROGRAM_VERSION);
        assert_eq!(filed().await, many, "in two steps");
        // What is less than is filed together waits for the writer.
        let few = audit_filing::FILED_TOGETHER - 1;
        run(&link, &[&format!("UPDATE custodia_audit_filing SET through = {many} - {few}")]).await;
        bring_forward(&link, site.store.services()).await.unwrap();
        assert_eq!(filed().await, many - few);
        // A copied file: whatever is filed in it, all is filed anew.
        run(&link, &["DELETE FROM custodia_audit_filed WHERE number % 2 = 0"]).await;
        file_audit_anew(&link).await.unwrap();
        assert_eq!(filed().await, many);
        let of_row = crate::AuditFilter::of_row(u32::MAX, TableId(1), Guid::from_slice(b"0000000000000003").unwrap());
        let found = audit_log::select_audit(Dialect::Sqlite, &of_row);
        let found = crate::link::rows(&link, &found, |row| row.integer(0)).await.unwrap();
        assert!(found.iter().copied().eq((1..=many).rev().filter(|number| number % 7 == 3)));
    }
}
