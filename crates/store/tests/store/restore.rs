//! A backup comes back whole, on either engine, under its name or another, beside the original or in its place; one that
//! is not whole, or not for this installation, changes nothing.

use std::path::{Path, PathBuf};

use custodia_schema::{Guid, Value};
use custodia_store::{Error, Limits, RestoreReport, Result};

use crate::backup::{back_up, number};
use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, Step, account, master_key, random_history, ring, table, values, write};

on_both_engines! {
    a_backup_comes_back_on_either_engine_and_goes_on;
    a_copy_beside_its_original_is_another_organisation;
    restoring_in_place_throws_away_what_came_later;
    a_name_in_use_is_not_taken_and_none_is_not_replaced;
    a_damaged_backup_is_refused_wherever_the_damage_is;
    another_installations_backup_is_refused;
    a_deleted_organisation_does_not_come_back;
}

async fn restore(site: &Site, from: &Path, name: Option<&str>, replace: bool) -> Result<RestoreReport> {
    site.store.restore(from, name, replace, &ring(), &mut |_: &str| {}).await
}

/// An organisation with a past, and its backup.
async fn backed_up(engine: Engine) -> (Site, PathBuf) {
    let site = Site::new(engine).await;
    let database = site.organization("demo").await;
    random_history(&database, 50, &Dice::new(11)).await;
    let to = site.path("demo.backup");
    back_up(&site, &to).await;
    (site, to)
}

mod bodies {
    use super::*;

    pub async fn a_backup_comes_back_on_either_engine_and_goes_on(engine: Engine) {
        let (origin, from) = backed_up(engine).await;
        let original = origin.store.database("demo").await.unwrap();
        let content = original.content().await.unwrap();
        for target in [Engine::Sqlite, Engine::Postgres] {
            let site = Site::new(target).await;
            let report = restore(&site, &from, None, false).await.unwrap();
            assert_eq!((report.organization.as_str(), report.replaced), ("demo", false));
            assert_eq!(report.id, original.organization(), "without the original, the copy is the organisation");
            assert_eq!(report.content, content);
            assert_eq!(site.leftovers(), Vec::<String>::new());
            let copy = site.store.database("demo").await.unwrap();
            assert_eq!(copy.content().await.unwrap(), content, "{target:?}");
            assert_eq!(copy.derived_content().await.unwrap(), original.derived_content().await.unwrap());
            assert_eq!(copy.changes(0, u32::MAX).await.unwrap(), original.changes(0, u32::MAX).await.unwrap());
            let (old, new) = (original.head().await.unwrap(), copy.head().await.unwrap());
            // The audit tells of the restore. What the original gave away after the backup is not known here.
            assert_eq!(new.number - old.number, new.audit_number - (old.audit_number + 1));
            assert!(new.number > old.number + 1_000_000);
            assert!(new.versions.epoch > old.versions.epoch && new.versions.security > old.versions.security);
            assert!(new.versions.metadata > old.versions.metadata);
            // Indexes, uniqueness and further writes work as before.
            let step = account(&copy, Guid::from_u128(77), "After");
            write(&copy, vec![step.clone()]).await.unwrap();
            assert!(matches!(write(&copy, vec![step]).await, Err(Error::DuplicateId { .. })));
            assert_eq!(number(&copy).await, new.number + 1);
            // And a copy of the copy, taken on the other engine, is still the same.
            let again = site.path("again.backup");
            let second = back_up(&site, &again).await;
            assert_eq!(second.content, copy.content().await.unwrap());
        }
    }

    pub async fn a_copy_beside_its_original_is_another_organisation(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let organizations = table(&database, "organization");
        let id = database.organization();
        let row = values(&organizations, &[("name", Value::Text("Demo".into()))]);
        write(&database, vec![Step::Insert(organizations.clone(), id, row)]).await.unwrap();
        write(&database, vec![account(&database, Guid::from_u128(1), "A")]).await.unwrap();
        let from = site.path("demo.backup");
        back_up(&site, &from).await;

        let report = restore(&site, &from, Some("trial"), false).await.unwrap();
        let copy = site.store.database("trial").await.unwrap();
        assert_ne!(report.id, id);
        assert_eq!(copy.organization(), report.id);
        let changes = copy.changes(database.head().await.unwrap().number, 10).await.unwrap();
        assert!(
            changes.iter().any(|change| change.table == organizations.id && change.row == report.id),
            "{changes:?}"
        );
        // The two go their own ways.
        write(&copy, vec![account(&copy, Guid::from_u128(2), "B")]).await.unwrap();
        let entry = site.store.organization("demo").unwrap();
        site.store.delete_organization(&entry).await.unwrap();
        write(&copy, vec![account(&copy, Guid::from_u128(3), "C")]).await.unwrap();
    }

    pub async fn restoring_in_place_throws_away_what_came_later(engine: Engine) {
        let (site, from) = backed_up(engine).await;
        let old = site.store.database("demo").await.unwrap();
        let content = old.content().await.unwrap();
        let in_backup = number(&old).await;
        write(&old, vec![account(&old, Guid::from_u128(5), "Later")]).await.unwrap();
        let before = old.head().await.unwrap();
        let place = site.store.organization("demo").unwrap().database.clone();

        let report = restore(&site, &from, None, true).await.unwrap();
        assert!(report.replaced);
        assert_eq!((report.id, report.number), (old.organization(), in_backup));
        let entry = site.store.organization("demo").unwrap();
        assert_ne!(entry.database, place);
        assert!(!site.path(&format!("organizations/{place}")).exists(), "the old file is gone");
        let new = site.store.database("demo").await.unwrap();
        assert_eq!(new.content().await.unwrap(), content);
        let head = new.head().await.unwrap();
        assert!(head.number > before.number, "a number given once is not given again");
        assert!(head.versions.epoch > before.versions.epoch && entry.epoch == head.versions.epoch);
        assert!(head.versions.security > before.versions.security);
        // Who still has the old handle is told, and writes nothing into the void.
        assert!(old.is_retired() && !new.is_retired());
        let refused = write(&old, vec![account(&old, Guid::from_u128(6), "Void")]).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        write(&new, vec![account(&new, Guid::from_u128(5), "Later again")]).await.unwrap();
        // A backup from before can be restored again, although the key is another now.
        assert_eq!(restore(&site, &from, Some("demo"), true).await.unwrap().content, content);
    }

    pub async fn a_name_in_use_is_not_taken_and_none_is_not_replaced(engine: Engine) {
        let (site, from) = backed_up(engine).await;
        let content = site.store.database("demo").await.unwrap().content().await.unwrap();
        let error = restore(&site, &from, None, false).await.unwrap_err();
        assert!(matches!(error, Error::OrganizationName { .. }), "{error}");
        let error = restore(&site, &from, Some("other"), true).await.unwrap_err();
        assert!(matches!(error, Error::NoOrganization(_)), "{error}");
        let error = restore(&site, &from, Some("Not A Name"), false).await.unwrap_err();
        assert!(matches!(error, Error::OrganizationName { .. }), "{error}");
        assert_eq!(site.store.organizations().len(), 1);
        assert_eq!(site.store.database("demo").await.unwrap().content().await.unwrap(), content);
        assert_eq!(site.leftovers(), Vec::<String>::new());
    }

    pub async fn a_damaged_backup_is_refused_wherever_the_damage_is(engine: Engine) {
        let (origin, from) = backed_up(engine).await;
        let whole = std::fs::read(&from).unwrap();
        let site = Site::new(engine).await;
        let damaged = origin.path("damaged.backup");
        let mut refusals = Vec::new();
        let mut try_with = async |bytes: &[u8]| {
            std::fs::write(&damaged, bytes).unwrap();
            let error = restore(&site, &damaged, None, false).await.expect_err("damage goes unnoticed");
            let clear = matches!(error, Error::Backup { .. } | Error::Key(_) | Error::TooNew { .. });
            assert!(clear, "{error}");
            refusals.push(error.to_string());
        };
        // Cut short anywhere.
        for part in [0, 1, whole.len() / 2, whole.len() - 100, whole.len() - 1] {
            try_with(&whole[..part]).await;
        }
        let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
        try_with(&longer).await;
        // A byte changed anywhere: pages, description, proof, lengths, mark.
        let dice = Dice::new(99);
        let places = (0..8).map(|_| dice.below(whole.len())).chain((1..=120).map(|back| whole.len() - back * 7));
        for place in places {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << dice.below(8);
            try_with(&bytes).await;
        }
        assert!(refusals.iter().any(|text| text.contains("cut short")), "{refusals:?}");
        assert!(refusals.iter().any(|text| text.contains("damaged or changed")), "{refusals:?}");
        assert_eq!(site.store.organizations().len(), 0, "nothing was made");
        assert_eq!(site.leftovers(), Vec::<String>::new());
        restore(&site, &from, None, false).await.unwrap();
    }

    pub async fn another_installations_backup_is_refused(engine: Engine) {
        let (_origin, from) = backed_up(engine).await;
        let other = Site::with(engine, &"17".repeat(32), None, Limits::default()).await;
        let error = restore(&other, &from, None, false).await.unwrap_err();
        assert!(matches!(error, Error::Key(_)), "{error}");
        assert!(!error.to_string().contains(&master_key()) && error.to_string().contains("master key"), "{error}");
        assert_eq!(other.store.organizations().len(), 0);
        // A newer program's container says so in its end, at the fifth last group of four bytes.
        let mut bytes = std::fs::read(&from).unwrap();
        let at = bytes.len() - 20;
        bytes[at] = 9;
        let newer = other.path("newer.backup");
        std::fs::write(&newer, bytes).unwrap();
        let error = restore(&other, &newer, None, false).await.unwrap_err();
        assert!(matches!(error, Error::Backup { .. }) && error.to_string().contains("upgrade the program"), "{error}");
        let nothing = restore(&other, &other.path("none"), None, false).await.unwrap_err();
        assert!(matches!(nothing, Error::File { .. }), "{nothing}");
    }

    pub async fn a_deleted_organisation_does_not_come_back(engine: Engine) {
        let (site, from) = backed_up(engine).await;
        let entry = site.store.organization("demo").unwrap();
        site.store.delete_organization(&entry).await.unwrap();
        for name in [None, Some("other")] {
            let error = restore(&site, &from, name, false).await.unwrap_err();
            assert!(matches!(&error, Error::Destroyed { name } if name == "demo"), "{error}");
        }
        // A new organisation of the same name is another one, and the backup is not its either.
        site.organization("demo").await;
        let error = restore(&site, &from, None, true).await.unwrap_err();
        assert!(matches!(error, Error::Destroyed { .. }), "{error}");
    }
}
