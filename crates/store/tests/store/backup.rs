//! A backup is one whole, checked file as of one moment, or it is not there.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::Ordering;

use custodia_schema::Guid;
use custodia_store::{BackupReport, Database, Error};

use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, account, random_history, ring, write};

on_both_engines! {
    a_backup_holds_what_the_organisation_held;
    requests_go_on_while_a_backup_is_taken;
    a_backup_is_refused_where_a_file_or_no_folder_is;
    a_backup_is_made_where_nobody_else_puts_a_link;
    no_text_of_a_record_stands_in_a_backup;
}

pub async fn back_up(site: &Site, to: &Path) -> BackupReport {
    site.store.backup("demo", to, &mut |_: &str| {}).await.unwrap()
}

pub async fn number(database: &Database) -> i64 {
    database.head().await.unwrap().number
}

mod bodies {
    use super::*;

    pub async fn a_backup_holds_what_the_organisation_held(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        random_history(&database, 60, &Dice::new(3)).await;
        let content = database.content().await.unwrap();
        let mut said = Vec::new();
        let to = site.path("demo.backup");
        let report = site
            .store
            .backup("demo", &to, &mut |text: &str| {
                said.push(text.to_owned());
                site.clock.0.fetch_add(700, Ordering::Relaxed);
            })
            .await
            .unwrap();
        assert_eq!(report.milliseconds, 700 * said.len() as u64);
        assert_eq!(report.content, content);
        assert_eq!(report.number, number(&database).await);
        assert_eq!(report.bytes, to.metadata().unwrap().len());
        assert_eq!((report.organization.as_str(), &report.path), ("demo", &to));
        let text = report.to_string();
        assert!(
            text.contains(&content.hash().to_string()) && text.contains(&format!("{} rows", content.rows())),
            "{text}"
        );
        assert!(said.iter().any(|text| text.contains("checking")), "{said:?}");
        assert_eq!(site.leftovers(), Vec::<String>::new());
        assert_eq!(database.content().await.unwrap(), content, "taking it changes nothing");
    }

    pub async fn requests_go_on_while_a_backup_is_taken(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        random_history(&database, 60, &Dice::new(4)).await;
        let (before, content) = (number(&database).await, database.content().await.unwrap());
        let mut names = (0_u128..).map(|n| (Guid::from_u128(n), format!("while {n}")));
        let mut written = 0;
        // One write at each step of the backup: each is answered before the backup goes on.
        let mut progress = |_: &str| {
            let (id, name) = names.next().unwrap();
            let step = account(&database, id, &name);
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(write(&database, vec![step]))).unwrap();
            written += 1;
        };
        let to = site.path("demo.backup");
        let report = site.store.backup("demo", &to, &mut progress).await.unwrap();
        assert!(written >= 2, "{written}");
        assert_eq!(report.number, before, "nothing of what came later is in it");
        assert_eq!(report.content.difference(&content), None, "no row of it either");
        assert_eq!(number(&database).await, before + written);
        site.store.restore(&to, Some("copy"), false, &ring(), &mut |_: &str| {}).await.unwrap();
        let copy = site.store.database("copy").await.unwrap();
        assert_eq!(copy.content().await.unwrap().difference(&content), None);
        let changes = copy.changes(0, u32::MAX).await.unwrap();
        assert_eq!(changes.last().unwrap().number, before, "the log ends there too");
    }

    pub async fn a_backup_is_refused_where_a_file_or_no_folder_is(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
        let to = site.path("demo.backup");
        std::fs::write(&to, "precious").unwrap();
        let silent = &mut |_: &str| {};
        let error = site.store.backup("demo", &to, silent).await.unwrap_err();
        assert!(matches!(error, Error::File { .. }) && error.to_string().contains("never overwrites"), "{error}");
        assert_eq!(std::fs::read(&to).unwrap(), b"precious");
        let nowhere = site.path("no-folder/demo.backup");
        let error = site.store.backup("demo", &nowhere, silent).await.unwrap_err();
        assert!(matches!(error, Error::File { .. } | Error::Unavailable { .. }), "{error}");
        let error = site.store.backup("none", &site.path("none.backup"), silent).await.unwrap_err();
        assert!(matches!(error, Error::NoOrganization(_)), "{error}");
        let (_, half_made) = site.store.create_organization("half", "Half").await.unwrap();
        let error = site.store.backup("half", &site.path("half.backup"), silent).await.unwrap_err();
        assert!(matches!(error, Error::OrganizationState { .. }), "{error}");
        drop(half_made);
        assert_eq!(site.leftovers(), Vec::<String>::new());
    }

    pub async fn a_backup_is_made_where_nobody_else_puts_a_link(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
        let (to, victim) = (site.path("demo.backup"), site.path("victim"));
        let mut steps = 0;
        let mut progress = |_: &str| {
            let names = site.leftovers();
            assert_eq!(names.len(), 1, "{names:?}");
            let folder = site.path(&names[0]);
            let found = folder.symlink_metadata().unwrap();
            assert!(found.is_dir() && found.mode() & 0o777 == 0o700, "{found:?}");
            symlink(&victim, &folder).unwrap_err();
            steps += 1;
        };
        site.store.backup("demo", &to, &mut progress).await.unwrap();
        assert!(steps >= 2, "{steps}");
        let made = to.symlink_metadata().unwrap();
        assert!(made.is_file() && made.mode() & 0o777 == 0o600 && made.nlink() == 1, "{made:?}");
        assert!(!victim.exists() && site.leftovers().is_empty());

        // What takes the name while a backup is made is left alone, too.
        let taken = site.path("taken.backup");
        let mut progress = |step: &str| {
            if step == "checking the copy" {
                symlink(&victim, &taken).unwrap();
            }
        };
        let error = site.store.backup("demo", &taken, &mut progress).await.unwrap_err();
        assert!(error.to_string().contains("never overwrites"), "{error}");
        assert!(taken.is_symlink() && !victim.exists());
        assert_eq!(site.leftovers(), Vec::<String>::new());
    }

    pub async fn no_text_of_a_record_stands_in_a_backup(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let canary = "Canary of Borrowdale";
        write(&database, vec![account(&database, Guid::from_u128(1), canary)]).await.unwrap();
        let to = site.path("demo.backup");
        back_up(&site, &to).await;
        let bytes = std::fs::read(&to).unwrap();
        let found = |text: &str| bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
        assert!(!found(canary) && !found("Borrowdale"), "the database is encrypted");
        assert!(found("\"name\":\"demo\""), "whose it is can be read without a key");
        let mode = std::os::unix::fs::PermissionsExt::mode(&to.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
