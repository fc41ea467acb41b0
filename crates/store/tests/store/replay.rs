//! The change log tells everything: replayed into an empty database, on the same engine or the other, it gives the same
//! content.

use custodia_store::{ChangeKind, Database, Error};

use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, account, random_history, write};

on_both_engines! {
    a_replayed_log_gives_the_same_content_on_either_engine;
    a_log_with_a_hole_is_refused_and_changes_nothing;
    content_changes_with_every_value;
}

async fn replay(origin: &Database, into: &Database, chunk: usize) {
    let changes = origin.changes(0, u32::MAX).await.unwrap();
    for part in changes.chunks(chunk) {
        into.replay(part.to_vec()).await.unwrap();
    }
}

mod bodies {
    use custodia_schema::{Guid, Value};

    use super::*;
    use crate::site::{Step, table, values};

    pub async fn a_replayed_log_gives_the_same_content_on_either_engine(engine: Engine) {
        for round in 0..u64::from(custodia_testbed::effort()) {
            let dice = Dice::new(41 + round);
            let site = Site::new(engine).await;
            let origin = site.organization("origin").await;
            random_history(&origin, 150, &dice).await;
            let content = origin.content().await.unwrap();
            let derived = origin.derived_content().await.unwrap();
            assert!(content.tables().len() >= 10 && derived.rows() > 5, "{content:?} {derived:?}");
            for target in [Engine::Sqlite, Engine::Postgres] {
                let elsewhere = Site::new(target).await;
                let copy = elsewhere.organization("copy").await;
                replay(&origin, &copy, 1 + dice.below(200)).await;
                assert_eq!(copy.content().await.unwrap().difference(&content), None, "onto {target:?}");
                assert_eq!(copy.content().await.unwrap().hash(), content.hash());
                assert_eq!(copy.derived_content().await.unwrap().difference(&derived), None, "onto {target:?}");
                assert_eq!(
                    copy.changes(0, u32::MAX).await.unwrap(),
                    origin.changes(0, u32::MAX).await.unwrap(),
                    "the copy can be replayed in turn"
                );
                assert_eq!(copy.head().await.unwrap().number, origin.head().await.unwrap().number);
            }
        }
    }

    pub async fn a_log_with_a_hole_is_refused_and_changes_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        let origin = site.organization("origin").await;
        random_history(&origin, 40, &Dice::new(7)).await;
        let changes = origin.changes(0, u32::MAX).await.unwrap();
        let copy = site.organization("copy").await;
        let empty = copy.content().await.unwrap();
        for (what, kind) in [("the making of a table", ChangeKind::CreateTable), ("an insert", ChangeKind::Insert)] {
            // An insert whose row is changed or removed later.
            let missing = changes
                .iter()
                .position(|change| {
                    change.kind == kind
                        && (kind == ChangeKind::CreateTable
                            || changes.iter().any(|later| later.row == change.row && later.kind != ChangeKind::Insert))
                })
                .unwrap();
            let mut cut = changes.clone();
            cut.remove(missing);
            let error = copy.replay(cut).await.unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "{what}: {error}");
            assert_eq!(copy.content().await.unwrap(), empty, "{what}");
            assert_eq!(copy.head().await.unwrap().number, 0, "{what}");
        }
        copy.replay(changes.clone()).await.unwrap();
        let again = copy.replay(changes.last().cloned().into_iter().collect()).await.unwrap_err();
        assert!(matches!(again, Error::Query(_)), "{again}");
    }

    pub async fn content_changes_with_every_value(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let account_table = table(&database, "account");
        database.make_tables(&[account_table.id]).await.unwrap();
        let empty = database.content().await.unwrap();
        assert_eq!(empty.rows(), 0);
        let (one, two) = (Guid::from_u128(1), Guid::from_u128(2));
        write(&database, vec![account(&database, one, "A"), account(&database, two, "B")]).await.unwrap();
        let mut seen = vec![empty.hash(), database.content().await.unwrap().hash()];
        for change in [("name", Value::Text("a".into())), ("creditonhold", Value::Boolean(true)), ("name", Value::Null)]
        {
            let step = Step::Update(account_table.clone(), one, values(&account_table, &[change]));
            write(&database, vec![step]).await.unwrap();
            seen.push(database.content().await.unwrap().hash());
        }
        write(&database, vec![Step::Delete(account_table.clone(), two)]).await.unwrap();
        seen.push(database.content().await.unwrap().hash());
        let mut distinct = seen.clone();
        distinct.sort_by_key(ToString::to_string);
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len());
        write(&database, vec![Step::Delete(account_table, one)]).await.unwrap();
        assert_eq!(database.content().await.unwrap().hash(), empty.hash(), "a table without rows is none");
    }
}
