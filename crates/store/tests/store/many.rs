//! Many organisations and few open databases: the bound holds whatever is asked, what is in use stays open, and nothing that
//! was acknowledged is lost when a database is closed and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use custodia_schema::Guid;
use custodia_store::{Error, Limits};

use crate::fixture::rows;
use crate::on_both_engines;
use crate::site::{Dice, Engine, Site, account, master_key, table, write};

on_both_engines! {
    the_least_recently_used_is_closed_for_one_more;
    what_is_in_use_stays_open_and_the_next_waits;
    many_organisations_asked_at_once_lose_nothing_and_keep_the_bound;
    idle_databases_are_closed;
    an_organisation_that_finds_no_room_is_not_left_half_made;
}

/// An installation that has so many databases open, on either engine.
async fn site(engine: Engine, open: usize) -> Site {
    let limits = Limits { open_databases_max: open, open_wait_ms: 60_000, rest_ms: 0, ..Limits::default() };
    Site::with(engine, &master_key(), None, limits).await
}

async fn made(site: &Site, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|number| format!("many-{number}")).collect();
    for name in &names {
        site.organization(name).await;
    }
    names
}

async fn accounts(site: &Site, name: &str) -> u64 {
    let content = site.store.database(name).await.unwrap().content().await.unwrap();
    content.tables().iter().filter(|table| table.table == "account").map(|table| table.rows).sum()
}

mod bodies {
    use super::*;

    pub async fn the_least_recently_used_is_closed_for_one_more(engine: Engine) {
        let site = site(engine, 3).await;
        let names = made(&site, 5).await;
        assert_eq!(site.store.open_databases(), 3);
        for name in &names {
            let database = site.store.database(name).await.unwrap();
            database.make_tables(&[table(&database, "account").id]).await.unwrap();
        }
        // From here on it is read: who answers a write holds the database a moment longer, and another one would go instead.
        site.clock.0.fetch_add(300_001, Ordering::Relaxed);
        site.close_idle_to(0);
        let ask = async |name: &str| {
            // Each question a moment after the one before.
            site.clock.0.fetch_add(1, Ordering::Relaxed);
            let before = site.store.databases_opened();
            let database = site.store.database(name).await.unwrap();
            rows(&database, "account", &[]).await;
            assert!(site.store.open_databases() <= 3);
            site.store.databases_opened() > before
        };
        for name in &names[..3] {
            ask(name).await;
        }
        // The three are open; the first is used again, so that the second is the one to go.
        assert!(!ask("many-0").await);
        assert!(ask("many-3").await);
        assert!(!ask("many-0").await && !ask("many-2").await && !ask("many-3").await);
        assert!(ask("many-1").await);
        // Now it was the first one's turn.
        assert!(!ask("many-2").await && ask("many-0").await);
    }

    pub async fn an_organisation_that_finds_no_room_is_not_left_half_made(engine: Engine) {
        let limits = Limits { open_databases_max: 1, open_wait_ms: 10, ..Limits::default() };
        let site = Site::with(engine, &master_key(), None, limits).await;
        let used = site.organization("first").await;
        assert!(matches!(site.store.create_organization("next", "Next").await, Err(Error::Unavailable { .. })));
        let names: Vec<_> = site.store.organizations().iter().map(|known| known.name.clone()).collect();
        assert_eq!(names, ["first"]);
        if engine == Engine::Sqlite {
            let files = std::fs::read_dir(site.path("organizations")).unwrap();
            let left = files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("next"));
            assert_eq!(left.count(), 0);
        }
        drop(used);
        site.organization("next").await;
    }

    pub async fn what_is_in_use_stays_open_and_the_next_waits(engine: Engine) {
        let site = site(engine, 1).await;
        made(&site, 2).await;
        let used = site.store.database("many-0").await.unwrap();
        let next = site.store.database("many-1");
        tokio::pin!(next);
        for _ in 0..20 {
            tokio::select! {
                biased;
                _ = &mut next => panic!("a database in use was closed"),
                written = write(&used, vec![account(&used, Dice::new(site.store.databases_opened()).guid(), "x")]) => {
                    // The same id again: only the first of them is stored.
                    let _ = written;
                }
            }
            assert_eq!(site.store.open_databases(), 1);
        }
        drop(used);
        drop(next.await.unwrap());
        assert_eq!((accounts(&site, "many-1").await, site.store.open_databases()), (0, 1));
        assert_eq!(accounts(&site, "many-0").await, 1);

        // Nobody waits for ever.
        let hasty = Limits { open_databases_max: 1, open_wait_ms: 2_000, ..Limits::default() };
        let site = Site::with(engine, &master_key(), None, hasty).await;
        made(&site, 2).await;
        let used = site.store.database("many-0").await.unwrap();
        let Err(error) = site.store.database("many-1").await else { panic!("it was opened") };
        assert!(matches!(&error, Error::Unavailable { context, .. } if context.contains("all 1 databases")), "{error}");
        // Nor is one told of an upgrade who waited before another one.
        let both = futures::join!(site.store.database_in_time("many-1"), site.store.database_in_time("many-1"));
        for refused in [both.0, both.1] {
            let error = refused.map(drop).unwrap_err();
            assert!(error.to_string().contains("all 1 databases"), "{error}");
        }
        drop(used);
        site.store.database("many-1").await.unwrap();
    }

    pub async fn many_organisations_asked_at_once_lose_nothing_and_keep_the_bound(engine: Engine) {
        const OPEN: usize = 3;
        const CLIENTS: usize = 8;
        // A database of a PostgreSQL cluster takes a fifth of a second to make.
        let count = if engine == Engine::Sqlite { 300 } else { 16 };
        let site = Arc::new(site(engine, OPEN).await);
        let names = Arc::new(made(&site, count).await);
        let most_open = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (site, names, most_open) = (Arc::clone(&site), Arc::clone(&names), Arc::clone(&most_open));
                tokio::spawn(async move {
                    let dice = Dice::new(client as u64);
                    let mut written = vec![0u64; names.len()];
                    for _ in 0..names.len() / 4 {
                        let at = dice.below(names.len());
                        site.clock.0.fetch_add(1, Ordering::Relaxed);
                        let database = site.store.database(&names[at]).await.unwrap();
                        write(&database, vec![account(&database, dice.guid(), "x")]).await.unwrap();
                        if client == 0 {
                            // Those that nobody asks at this moment rest.
                            site.store.checkpoint();
                        }
                        most_open.fetch_max(site.store.open_databases(), Ordering::Relaxed);
                        written[at] += 1;
                    }
                    written
                })
            })
            .collect();
        let mut expected = vec![0u64; count];
        for client in clients {
            let written = client.await.unwrap();
            expected.iter_mut().zip(written).for_each(|(all, one)| *all += one);
        }
        assert!(most_open.load(Ordering::Relaxed) <= OPEN, "{most_open:?} were open");
        assert!(site.store.databases_opened() > count as u64, "they were closed and opened again");
        for (name, expected) in names.iter().zip(expected) {
            assert_eq!(accounts(&site, name).await, expected, "{name}");
        }
        let totals = site.store.write_totals();
        assert!(totals.requests >= (CLIENTS * (count / 4)) as u64, "{totals:?}");
    }

    pub async fn idle_databases_are_closed(engine: Engine) {
        let site = site(engine, 10).await;
        made(&site, 3).await;
        let used = site.store.database("many-0").await.unwrap();
        site.clock.0.fetch_add(300_000, Ordering::Relaxed);
        site.store.close_idle();
        assert_eq!(site.store.open_databases(), 3, "not before their time");
        let database = site.store.database("many-1").await.unwrap();
        write(&database, vec![account(&database, Guid::from_u128(1), "x")]).await.unwrap();
        drop(database);
        site.clock.0.fetch_add(1, Ordering::Relaxed);
        // One that is held, one that was asked a moment ago; the third has gone.
        site.close_idle_to(2);
        drop(used);
        site.close_idle_to(1);
        assert_eq!(accounts(&site, "many-1").await, 1);
    }
}
