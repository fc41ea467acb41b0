//! Restores that are killed, refused, and overtaken by another node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use futures::FutureExt;

use super::*;
use crate::link::rows;
use crate::site::{Engine, Site, account, ring, write};
use crate::sql::control;

/// How often the server is asked for what it is about to notice.
const LOOKS_MAX: usize = 100_000;
/// Longer than anything that is tested takes: a test that hangs fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

async fn half_made(store: &Store, id: Guid) -> Arc<Organization> {
    let mut half = store.new_organization(id, "demo", "Demo", store.database_name("demo", store.new_id())).unwrap();
    half.state = OrganizationState::Creating;
    store.control().insert(&half).await.unwrap();
    store.make_database(&half, &half.database).await.unwrap();
    store.organization("demo").unwrap()
}

/// A restore that was killed leaves an organisation half made, with the id that the backup names.
async fn what_a_killed_restore_leaves_can_be_removed_and_restored(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();

    let elsewhere = Site::new(engine).await;
    let store = &elsewhere.store;
    let half = half_made(store, database.organization()).await;
    for replace in [false, true] {
        let refused = store.restore(&from, None, replace, &ring(), &mut |_: &str| {}).await.map(drop);
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("'custodia org delete demo --confirm demo' first"), "{told}");
    }
    let refused = store.create_organization("demo", "Demo").await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("was not made to its end"), "{refused}");

    store.delete_organization(&half).await.unwrap();
    let restored = store.restore(&from, None, false, &ring(), &mut |_: &str| {}).await.unwrap();
    assert_eq!(restored.id, database.organization());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_restore_leaves_can_be_removed_and_restored_on_sqlite() {
    what_a_killed_restore_leaves_can_be_removed_and_restored(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_restore_leaves_can_be_removed_and_restored_on_postgres() {
    what_a_killed_restore_leaves_can_be_removed_and_restored(Engine::Postgres).await;
}

/// One process has the files: what another one was making or removing, nobody goes on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizations_that_a_killed_process_was_at_go_when_the_installation_is_opened() {
    let site = Site::new(Engine::Sqlite).await;
    drop(site.organization("other").await);
    drop(site.organization("old").await);
    let half = half_made(&site.store, Guid::from_u128(7)).await;
    let old = site.store.organization("old").unwrap();
    site.store.control().set_state(&old, OrganizationState::Deleting).await.unwrap();
    let path = site.store.path_of(&half.database);
    std::fs::write(format!("{}-journal", path.display()), "left").unwrap();
    let again = Store::open(settings_of(&site)).await.unwrap();
    let left: Vec<_> = again.organizations().iter().map(|known| known.name.clone()).collect();
    assert_eq!(left, ["other"]);
    let of_half = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&half.database);
    let folder = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(folder.map(|entry| entry.unwrap()).filter(of_half).count(), 0);
    // Only the one that was in use is remembered as destroyed.
    assert_eq!(again.control().destroyed(half.id).await.unwrap(), None);
    assert_eq!(again.control().destroyed(old.id).await.unwrap().as_deref(), Some("old"));
}

fn settings_of(site: &Site) -> crate::store::Settings {
    let (folder, master) = (site.folder.path(), crate::site::master_key());
    crate::site::settings(folder, None, &master, None, crate::Limits::default(), &site.clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_copies_go_when_the_installation_is_opened() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    std::fs::write(site.store.path_of(".unfinished-1"), "left").unwrap();
    std::fs::write(site.store.path_of(".unfinished-1-wal"), "left").unwrap();
    std::fs::create_dir(site.store.path_of(".unfinished-2")).unwrap();
    std::fs::write(site.store.path_of(".unfinished-2/copy"), "left").unwrap();
    assert_eq!(site.leftovers().len(), 3);
    let again = Store::open(settings_of(&site)).await.unwrap();
    assert_eq!(site.leftovers(), Vec::<String>::new());
    assert_eq!(again.database("demo").await.unwrap().content().await.unwrap(), database.content().await.unwrap());
}

/// Two nodes: installations with one control database.
async fn nodes() -> [Site; 2] {
    let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let address = custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name());
    let node =
        async || Site::at(Some(address.clone()), &crate::site::master_key(), None, crate::Limits::default()).await;
    [node().await, node().await]
}

/// A backup of an organisation with a record that no node of the test has yet, and the folder that it is in.
async fn backup_from_elsewhere() -> (Site, PathBuf) {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    (site, from)
}

async fn restore(node: &Site, from: &Path, name: Option<&str>, replace: bool) -> Result<RestoreReport> {
    node.store.restore(from, name, replace, &ring(), &mut |_: &str| {}).await
}

async fn has_database(node: &Site, database: &str) -> bool {
    let settings = node.store.postgres_settings().unwrap().database(database);
    crate::postgres::PostgresConnection::connect_existing(&settings).await.unwrap().is_some()
}

/// Else the first questions about millions of rows are planned as if there were none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_leaves_postgres_knowing_how_many_rows_there_are() {
    let (_elsewhere, from) = backup_from_elsewhere().await;
    let [node, _] = nodes().await;
    restore(&node, &from, None, false).await.unwrap();
    let database = node.store.organization("demo").unwrap().database.clone();
    let settings = node.store.postgres_settings().unwrap().database(&database);
    let connection = PostgresConnection::connect(&settings).await.unwrap();
    let known = connection.text("SELECT reltuples FROM pg_class WHERE oid = 'account'::regclass").await.unwrap();
    assert_eq!(known.as_deref(), Some("1"), "-1: nobody looked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_another_node_was_faster_with_is_refused_and_harms_nothing() {
    let (_elsewhere, from) = backup_from_elsewhere().await;
    let [first, second] = nodes().await;
    let made = restore(&first, &from, None, false).await.unwrap();
    // What the second one knows is older.
    for name in [None, Some("other")] {
        let refused = restore(&second, &from, name, false).await;
        match name {
            None => assert!(matches!(refused, Err(Error::OrganizationName { .. })), "{refused:?}"),
            Some(_) => assert_ne!(refused.unwrap().id, made.id, "beside it, it is another organisation"),
        }
    }
    first.store.reload_organizations().await.unwrap();
    assert_eq!(first.store.database("demo").await.unwrap().content().await.unwrap().of_records(), made.content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_another_node_overtakes_is_refused_and_harms_nothing() {
    for name in [None, Some("other")] {
        let (_elsewhere, from) = backup_from_elsewhere().await;
        let [first, second] = nodes().await;
        let mut made = None;
        let refused = {
            let mut progress = |step: &str| {
                if step == "checking the backup" {
                    let restoring = restore(&first, &from, name, false);
                    let restored = off_the_worker(|| tokio::runtime::Handle::current().block_on(restoring));
                    made = Some(restored.unwrap());
                }
            };
            second.store.restore(&from, None, false, &ring(), &mut progress).await.unwrap_err()
        };
        assert!(matches!(refused, Error::OrganizationName { .. }), "{refused}");
        let made = made.unwrap();
        first.store.reload_organizations().await.unwrap();
        let restored = first.store.database(&made.organization).await.unwrap();
        assert_eq!(restored.content().await.unwrap().of_records(), made.content);
        write(&restored, vec![account(&restored, Guid::from_u128(2), "B")]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_replace_an_organisation_one_does() {
    let (_elsewhere, from) = backup_from_elsewhere().await;
    let [first, second] = nodes().await;
    restore(&first, &from, None, false).await.unwrap();
    let mut overtaken = String::new();
    let refused = {
        let mut progress = |step: &str| {
            if step == "opening the organisation" {
                let filled = second.store.organization("demo").unwrap();
                let restoring = restore(&first, &from, None, true);
                off_the_worker(|| tokio::runtime::Handle::current().block_on(restoring)).unwrap();
                overtaken.clone_from(&filled.database);
                drop(second.store.take_moved_audits());
            }
        };
        second.store.restore(&from, None, true, &ring(), &mut progress).await.unwrap_err()
    };
    assert_eq!(second.store.take_moved_audits(), [], "what it filled never was the organisation's");
    assert!(refused.to_string().contains("was restored into another database meanwhile"), "{refused}");
    let present = second.store.organization("demo").unwrap();
    assert_ne!(present.database, overtaken);
    assert_eq!(present.epoch, first.store.organization("demo").unwrap().epoch);
    for node in [&first, &second] {
        node.store.reload_organizations().await.unwrap();
        node.store.database("demo").await.unwrap().content().await.unwrap();
    }
    assert!(has_database(&first, &present.database).await && !has_database(&first, &overtaken).await);
    // What is destroyed is not replaced either.
    let stale = second.store.organization("demo").unwrap();
    first.store.delete_organization(&first.store.organization("demo").unwrap()).await.unwrap();
    let refused = second.store.control().replace(&stale, &stale).await.unwrap_err();
    assert!(matches!(refused, Error::NoOrganization(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_half_made_when_it_was_looked_at_is_not_destroyed_when_it_is_in_use() {
    let [first, second] = nodes().await;
    let (entry, database) = first.store.create_organization("demo", "Demo").await.unwrap();
    second.store.reload_organizations().await.unwrap();
    let half_made = second.store.organization("demo").unwrap();
    assert_eq!(half_made.state, OrganizationState::Creating);
    let told = second.store.create_organization("demo", "Demo").await.map(drop).unwrap_err().to_string();
    assert!(told.contains("'custodia org delete demo --confirm demo' first"), "{told}");

    write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
    first.store.activate(&entry).await.unwrap();
    let refused = second.store.delete_organization(&half_made).await.unwrap_err();
    assert!(matches!(&refused, Error::OrganizationState { state, .. } if state == "active"), "{refused}");
    assert_eq!(
        second.store.database("demo").await.unwrap().content().await.unwrap(),
        database.content().await.unwrap()
    );
    // Who made it and was not answered does not take it away either.
    first.store.forget(&entry).await;
    write(&database, vec![account(&database, Guid::from_u128(2), "B")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advice_to_remove_what_is_half_made_is_given_as_it_stands_now() {
    let [first, second] = nodes().await;
    let (entry, _database) = first.store.create_organization("demo", "Demo").await.unwrap();
    second.store.reload_organizations().await.unwrap();
    first.store.activate(&entry).await.unwrap();
    let told = second.store.create_organization("demo", "Demo").await.map(drop).unwrap_err().to_string();
    assert!(told.ends_with("an organisation of that name exists"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_while_it_is_made_never_comes_into_use() {
    let (_elsewhere, from) = backup_from_elsewhere().await;
    let [first, second] = nodes().await;
    let mut database = String::new();
    let refused = {
        let mut progress = |step: &str| {
            if step == "filling the new database" {
                let removing = async {
                    second.store.reload_organizations().await.unwrap();
                    let half_made = second.store.organization("demo").unwrap();
                    second.store.delete_organization(&half_made).await.unwrap();
                    database.clone_from(&half_made.database);
                };
                off_the_worker(|| tokio::runtime::Handle::current().block_on(removing));
            }
        };
        first.store.restore(&from, None, false, &ring(), &mut progress).await.unwrap_err()
    };
    assert!(matches!(refused, Error::NoOrganization(_)), "{refused}");
    assert!(!has_database(&first, &database).await, "nothing is left of it");
    // It was never in use: its backup may come yet.
    restore(&second, &from, None, false).await.unwrap();
}

/// A head that is published is kept for good: a restore leaves none that its organisation's audit never had.
async fn what_a_restore_fills_is_published_when_it_is_in_use(engine: Engine) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
    drop(database);
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    // The second time the new audit goes on behind numbers that the backup does not know.
    for _ in 0..2 {
        let mut progress = |step: &str| {
            if step == "opening the organisation" {
                drop(site.store.take_moved_audits());
            }
        };
        let report = site.store.restore(&from, None, true, &ring(), &mut progress).await.unwrap();
        assert_eq!(site.store.take_moved_audits(), []);
        let database = site.store.database("demo").await.unwrap();
        let audited = database.verify_audit(crate::Published::default(), &mut |_: &str| {}).await.unwrap();
        let expected = crate::MovedAudit { organization: report.id, epoch: audited.epoch, place: audited.last };
        assert_eq!(site.store.take_moved_audits(), [expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_fills_is_published_when_it_is_in_use_on_sqlite() {
    what_a_restore_fills_is_published_when_it_is_in_use(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_fills_is_published_when_it_is_in_use_on_postgres() {
    what_a_restore_fills_is_published_when_it_is_in_use(Engine::Postgres).await;
}

/// An organisation that is replaced stays in use: what it gives away until then is not given again.
async fn numbers_that_are_given_away_during_a_restore_are_not_given_again(engine: Engine) {
    let site = Site::new(engine).await;
    let old = site.organization("demo").await;
    write(&old, vec![account(&old, Guid::from_u128(1), "A")]).await.unwrap();
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    let (mut before, mut number) = (Head::default(), 1);
    let mut progress = |step: &str| {
        // The last one is told when another node may still be at the old database.
        if ["opening the organisation", "removing what was replaced"].contains(&step) {
            let writing = async {
                number += 1;
                write(&old, vec![account(&old, Guid::from_u128(number), "B")]).await.unwrap();
                before = give_out(&old).await;
            };
            off_the_worker(|| tokio::runtime::Handle::current().block_on(writing));
        }
    };
    site.store.restore(&from, None, true, &ring(), &mut progress).await.unwrap();
    assert_eq!(number, 3);
    let new = site.store.database("demo").await.unwrap();
    let after = new.head().await.unwrap();
    require_beyond(&after, &before);
    write(&new, vec![account(&new, Guid::from_u128(2), "C")]).await.unwrap();
    let audited = new.verify_audit(crate::Published::default(), &mut |_: &str| {}).await.unwrap();
    assert_eq!(audited.fault, None);
}

/// Gives out one of each number that records do not have; the head after that.
async fn give_out(database: &Database) -> Head {
    let entry = Arc::new(of_the_platform("test", 1, &()).unwrap());
    let written = database.write(move |transaction: &mut Transaction| {
        transaction.audit(&entry);
        transaction.metadata_changed();
        Box::pin(std::future::ready(Ok::<(), Error>(())))
    });
    written.await.unwrap();
    database.head().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_are_given_away_during_a_restore_are_not_given_again_on_sqlite() {
    numbers_that_are_given_away_during_a_restore_are_not_given_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_are_given_away_during_a_restore_are_not_given_again_on_postgres() {
    numbers_that_are_given_away_during_a_restore_are_not_given_again(Engine::Postgres).await;
}

/// An organisation that is replaced gives out tokens until then, of whichever second: they end with it.
async fn tokens_that_are_given_out_during_a_restore_end_with_it(engine: Engine) {
    let site = Site::new(engine).await;
    // Another organisation, which was restored more often; a day before.
    drop(site.organization("other").await);
    let other = site.path("other.backup");
    for _ in 0..8 {
        site.store.backup("other", &other, &mut |_: &str| {}).await.unwrap();
        site.store.restore(&other, None, true, &ring(), &mut |_: &str| {}).await.unwrap();
        std::fs::remove_file(&other).unwrap();
    }
    site.store.backup("other", &other, &mut |_: &str| {}).await.unwrap();
    site.clock.0.fetch_add(86_400_000, std::sync::atomic::Ordering::Relaxed);
    drop(site.organization("demo").await);
    let from = site.path("demo.backup");
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    // From the second time on, what is replaced gives out what is of ahead itself.
    for _ in 0..4 {
        let old = site.store.database("demo").await.unwrap();
        let mut given_out = 0;
        let mut progress = |step: &str| {
            // It is replaced by then, and another node has not let go of it yet.
            if step == "removing what was replaced" {
                site.clock.0.fetch_add(2_000, std::sync::atomic::Ordering::Relaxed);
                let issuing = async {
                    end_sessions_of(&old, USER).await;
                    given_out = token_of(&site, &old).await;
                };
                off_the_worker(|| tokio::runtime::Handle::current().block_on(issuing));
            }
        };
        site.store.restore(&from, None, true, &ring(), &mut progress).await.unwrap();
        let new = site.store.database("demo").await.unwrap();
        assert!(given_out > 0 && given_out < not_before(&new).await, "{given_out}");
        // What the new one gives out counts, until it ends too.
        let present = token_of(&site, &new).await;
        assert!(present >= not_before(&new).await);
        end_sessions_of(&new, USER).await;
        assert!(present < not_before(&new).await);
    }
    // What was lost cannot tell any more how far ahead: of a backup from before these restores, of one taken just now, and of another
    // organisation's, whose epochs say nothing of this one's.
    let soon = site.path("soon.backup");
    site.store.backup("demo", &soon, &mut |_: &str| {}).await.unwrap();
    for from in [from, soon, other] {
        let lost = site.store.database("demo").await.unwrap();
        end_sessions_of(&lost, USER).await;
        let given_out = token_of(&site, &lost).await;
        drop(lost);
        lose(&site).await;
        let report = site.store.restore(&from, Some("demo"), true, &ring(), &mut |_: &str| {}).await.unwrap();
        assert!(report.lost.is_some());
        let new = site.store.database("demo").await.unwrap();
        assert!(given_out < not_before(&new).await, "{given_out} {}", not_before(&new).await);
    }
}

/// Removes the organisation's database behind the store's back.
async fn lose(site: &Site) {
    site.clock.0.fetch_add(1_000_000, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    let organization = site.store.organization("demo").unwrap();
    site.store.drop_database(&organization.database).await.unwrap();
}

const USER: Guid = Guid::from_u128(0xA);

/// The second that a token says it is of which is given out to the user now.
async fn token_of(site: &Site, database: &Database) -> i64 {
    let now = site.clock.0.load(std::sync::atomic::Ordering::Relaxed) / 1_000;
    now.max(not_before(database).await)
}

/// From when on the user's tokens count.
async fn not_before(database: &Database) -> i64 {
    let of = [(USER, SESSIONS_ENDED), (EVERYBODY, SESSIONS_ENDED)];
    database.credentials_last_changed(&of).await.unwrap().map_or(0, |ended| ended + 1)
}

async fn end_sessions_of(database: &Database, user: Guid) {
    let written = database.write(move |transaction: &mut Transaction| {
        transaction.end_sessions(user);
        Box::pin(std::future::ready(Ok::<(), Error>(())))
    });
    written.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_given_out_during_a_restore_end_with_it_on_sqlite() {
    tokens_that_are_given_out_during_a_restore_end_with_it(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_given_out_during_a_restore_end_with_it_on_postgres() {
    tokens_that_are_given_out_during_a_restore_end_with_it(Engine::Postgres).await;
}

/// A way to lose an organisation's database.
type Loss = fn(&Path);

const LOSSES: [(&str, Loss); 4] = [
    ("removed", |path| std::fs::remove_file(path).unwrap()),
    ("cut", |path| std::fs::File::options().write(true).open(path).unwrap().set_len(5_000).unwrap()),
    ("emptied", |path| std::fs::write(path, b"").unwrap()),
    ("changed", |path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[16..8_000].fill(7);
        std::fs::write(path, bytes).unwrap();
    }),
];

/// None of the numbers is one that was given away.
fn require_beyond(after: &Head, before: &Head) {
    assert!(after.number > before.number && after.audit_number > before.audit_number, "{after:?} {before:?}");
    assert!(after.versions.metadata > before.versions.metadata, "{after:?} {before:?}");
    assert!(after.versions.security > before.versions.security, "{after:?} {before:?}");
}

/// Restores a backup in the place of a database that `lose` has lost, with numbers that were given away since the backup.
async fn a_lost_database_is_put_back(site: &Site, what: &str, lose: impl AsyncFnOnce(&Organization)) {
    let database = site.organization("demo").await;
    write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
    let from = site.path(&format!("{what}.backup"));
    site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
    // What is restored once and again leaves out numbers each time.
    drop(database);
    for _ in 0..3 {
        assert_eq!(restore(site, &from, None, true).await.unwrap().lost, None);
    }
    let database = site.store.database("demo").await.unwrap();
    for number in 2..5 {
        write(&database, vec![account(&database, Guid::from_u128(number), "B")]).await.unwrap();
    }
    give_out(&database).await;
    let (before, content) = (database.head().await.unwrap(), database.content().await.unwrap());
    assert_eq!(site.store.lost_database(&site.store.organization("demo").unwrap()).await, None);
    drop(database);
    site.clock.0.fetch_add(1_000_000, std::sync::atomic::Ordering::Relaxed);
    site.close_idle_to(0);
    let old = site.store.organization("demo").unwrap();
    lose(&old).await;
    assert!(site.store.lost_database(&old).await.is_some(), "{what}");

    let report = restore(site, &from, None, true).await.unwrap();
    let told = report.to_string();
    assert!(told.contains("could not be read (") && told.contains("4294967296 for each restore"), "{told}");
    let new = site.store.organization("demo").unwrap();
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 1));
    let database = site.store.database("demo").await.unwrap();
    assert_eq!(database.content().await.unwrap().of_records(), report.content);
    assert_ne!(database.content().await.unwrap(), content, "what came after the backup is lost");
    let after = database.head().await.unwrap();
    require_beyond(&after, &before);
    write(&database, vec![account(&database, Guid::from_u128(9), "C")]).await.unwrap();
    let audited = database.verify_audit(crate::Published::default(), &mut |_: &str| {}).await.unwrap();
    assert_eq!(audited.fault, None, "{what}");
    assert!(matches!(&audited.restores[..], [(told, _)] if told.lost), "{what}");
    // One that is there is not told of as lost.
    let again = restore(site, &from, None, true).await.unwrap();
    assert_eq!(again.lost, None);
    drop(database);
    site.store.delete_organization(&site.store.organization("demo").unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_put_back_on_sqlite() {
    let site = Site::new(Engine::Sqlite).await;
    for (what, lose) in LOSSES {
        let lost = async |old: &Organization| lose(&site.store.path_of(&old.database));
        a_lost_database_is_put_back(&site, what, lost).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_put_back_on_postgres() {
    let site = Site::new(Engine::Postgres).await;
    let lost = async |old: &Organization| site.store.drop_database(&old.database).await.unwrap();
    a_lost_database_is_put_back(&site, "dropped", lost).await;
}

/// The databases that were made for an organisation of that name.
async fn databases_of(site: &Site, name: &str) -> Vec<String> {
    let Some(settings) = site.store.postgres_settings() else {
        let folder = std::fs::read_dir(site.path("organizations")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        return names.filter(|file| file.starts_with(name) && file.ends_with(".db")).collect();
    };
    let connection = crate::postgres::PostgresConnection::connect(settings).await.unwrap();
    let like = format!("custodia\\_{}\\_%", name.replace('-', "\\_"));
    let listed = format!("SELECT coalesce(string_agg(datname, ','), '') FROM pg_database WHERE datname LIKE '{like}'");
    let listed = connection.text(&listed).await.unwrap().unwrap();
    listed.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The server notices a moment later that somebody went away.
async fn until_nobody_is_connected(site: &Site, database: &str) {
    let Some(settings) = site.store.postgres_settings() else { return };
    let connection = PostgresConnection::connect(settings).await.unwrap();
    let link = Link::Postgres(Arc::new(connection));
    for _ in 0..LOOKS_MAX {
        if rows(&link, &control::select_connected(database), |row| row.integer(0)).await.unwrap().is_empty() {
            return;
        }
    }
    panic!("somebody stays connected to {database}");
}

/// A database of PostgreSQL is removed in one statement, which waits for a checkpoint of the cluster that all tests share.
fn patient() -> crate::Limits {
    crate::Limits { statement_ms: 600_000, ..crate::Limits::default() }
}

/// What goes on after a restore was killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Start,
    Delete,
    Restore,
}

/// Killed at whichever step, it leaves no database that nobody knows.
async fn what_a_killed_replacement_leaves_is_removed(engine: Engine) {
    let address = (engine == Engine::Postgres).then(|| {
        let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
        custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name())
    });
    let limits = patient();
    let site = Site::at(address.clone(), &crate::site::master_key(), None, limits).await;
    for then in [Then::Start, Then::Delete, Then::Restore] {
        for step in ["filling the new database", "opening the organisation", "removing what was replaced"] {
            // Runs share a cluster.
            let name = format!("k{}-{}-{}", std::process::id(), then as u8, &step[..2]);
            let database = site.organization(&name).await;
            write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
            let content = database.content().await.unwrap().of_records();
            drop(database);
            let from = site.path(&format!("{name}.backup"));
            site.store.backup(&name, &from, &mut |_: &str| {}).await.unwrap();

            let mut killed = |told: &str| assert_ne!(told, step, "it is killed here");
            let restoring = restore_telling(&site, &from, &name, &mut killed);
            assert!(std::panic::AssertUnwindSafe(restoring).catch_unwind().await.is_err(), "{step}");
            site.store.forget_open(site.store.organization(&name).unwrap().id);
            for database in databases_of(&site, &name).await {
                until_nobody_is_connected(&site, &database).await;
            }
            let made = if step.starts_with("filling") { 1 } else { 2 };
            assert_eq!(databases_of(&site, &name).await.len(), made, "{step}");
            let mut expected = vec![site.store.organization(&name).unwrap().database.clone()];
            match then {
                Then::Start => match &address {
                    None => drop(Store::open(settings_of(&site)).await.unwrap()),
                    Some(_) => drop(Site::at(address.clone(), &crate::site::master_key(), None, limits).await),
                },
                Then::Delete => {
                    let organization = site.store.organization(&name).unwrap();
                    site.store.delete_organization(&organization).await.unwrap();
                    expected.clear();
                }
                Then::Restore => {
                    restore_telling(&site, &from, &name, &mut |_: &str| {}).await.unwrap();
                    expected = vec![site.store.organization(&name).unwrap().database.clone()];
                }
            }
            assert_eq!(databases_of(&site, &name).await, expected, "{step}");
            if then != Then::Delete {
                site.store.forget_open(site.store.organization(&name).unwrap().id);
                let database = site.store.database(&name).await.unwrap();
                assert_eq!(database.content().await.unwrap().of_records(), content);
            }
        }
    }
}

async fn restore_telling(
    site: &Site,
    from: &Path,
    name: &str,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<RestoreReport> {
    site.store.restore(from, Some(name), true, &ring(), progress).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_replacement_leaves_is_removed_on_sqlite() {
    what_a_killed_replacement_leaves_is_removed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_replacement_leaves_is_removed_on_postgres() {
    what_a_killed_replacement_leaves_is_removed(Engine::Postgres).await;
}

/// A node that starts, or is told to delete, removes nothing of what another one is making.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_restores_is_not_taken_for_what_was_left() {
    let (_elsewhere, from) = backup_from_elsewhere().await;
    let [first, second] = nodes().await;
    restore(&first, &from, None, false).await.unwrap();
    second.store.reload_organizations().await.unwrap();
    let before = second.store.organization("demo").unwrap();
    let mut progress = |step: &str| {
        if ["filling the new database", "opening the organisation", "removing what was replaced"].contains(&step) {
            off_the_worker(|| tokio::runtime::Handle::current().block_on(second.store.remove_spares(None)));
        }
    };
    first.store.restore(&from, None, true, &ring(), &mut progress).await.unwrap();
    let present = first.store.organization("demo").unwrap();
    assert_ne!(present.database, before.database);
    first.store.database("demo").await.unwrap().content().await.unwrap();
    assert!(has_database(&first, &present.database).await && !has_database(&first, &before.database).await);
}

/// Whoever is at a database that a restore left, or hangs, holds up neither a start nor each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_of_what_a_killed_restore_left_is_passed_over() {
    let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
    let address = custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name());
    let (master, usual) = (crate::site::master_key(), crate::Limits::default());
    let hasty = crate::Limits { statement_ms: 6_000, ..usual };
    let site = Site::at(Some(address.clone()), &master, None, usual).await;
    drop(site.organization("demo").await);
    let demo = site.store.organization("demo").unwrap();
    let spare = site.store.database_name("demo", site.store.new_id());
    site.store.control().note_spare(&spare, demo.id, site.store.now_ms()).await.unwrap();
    let connected = site.store.make_postgres_database(&spare).await.unwrap();
    let holder = PostgresConnection::connect(&site.store.postgres_settings().unwrap().unlimited()).await.unwrap();
    let holder = Link::Postgres(Arc::new(holder));
    // It is the server that says so, and not the end of a limit.
    let told = async || site.store.drop_spare(demo.id, &spare).await.unwrap_err().to_string();
    let start = async |limits| {
        let starting = Site::at(Some(address.clone()), &master, None, limits);
        tokio::time::timeout(PATIENCE, starting).await.expect("it starts")
    };

    holder.begin_plain().await.unwrap();
    rows(&holder, &control::select_database_locked(demo.id), |_| Some(())).await.unwrap();
    assert!(told().await.contains("could not obtain lock"), "{}", told().await);
    start(usual).await;
    holder.run(internal::COMMIT).await.unwrap();

    assert_eq!(told().await, "the database is not available: somebody is connected to it");
    start(usual).await;
    drop(connected);
    until_nobody_is_connected(&site, &spare).await;

    holder.begin_plain().await.unwrap();
    holder.run(&format!("COMMENT ON DATABASE \"{spare}\" IS 'held'")).await.unwrap();
    let hurried = start(hasty).await;
    let holding = hurried.store.postgres_settings().unwrap().outlasting_a_statement();
    let holding = PostgresConnection::connect(&holding).await.unwrap();
    let ends = holding.text("SHOW idle_in_transaction_session_timeout").await.unwrap();
    assert_eq!(ends.as_deref(), Some("16s"), "nor is an organisation locked for ever by who hangs");
    holder.run(internal::COMMIT).await.unwrap();

    assert!(has_database(&site, &spare).await);
    until_nobody_is_connected(&site, &spare).await;
    drop(Site::at(Some(address.clone()), &master, None, patient()).await);
    assert!(!has_database(&site, &spare).await);
    assert_eq!(site.store.control().spares().await.unwrap(), []);
    site.store.database("demo").await.unwrap().content().await.unwrap();
}

/// Many of them, or large ones, hold up a start for so long and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_killed_restores_left_is_removed_for_so_long_and_then_the_next_time() {
    let site = Site::new(Engine::Sqlite).await;
    let control = site.store.control();
    for name in ["a.db", "b.db"] {
        std::fs::write(site.store.path_of(name), "left").unwrap();
        control.note_spare(name, Guid::from_u128(7), site.store.now_ms()).await.unwrap();
    }
    let passes = i64::try_from(crate::Limits::default().statement_ms).unwrap() + 1;
    site.clock.1.store(passes, std::sync::atomic::Ordering::Relaxed);
    site.store.remove_spares(None).await;
    assert!(site.store.path_of("b.db").exists() && control.spares().await.unwrap().len() == 2);
    site.clock.1.store(0, std::sync::atomic::Ordering::Relaxed);
    site.store.remove_spares(None).await;
    assert!(!site.store.path_of("a.db").exists() && !site.store.path_of("b.db").exists());
    assert_eq!(control.spares().await.unwrap(), []);
}
