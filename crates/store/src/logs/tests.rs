//! A page of the audit is the same however often its reading is begun anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::Ordering;

use super::*;
use crate::Error;
use crate::site::{Engine, Site};

const ENTRIES: u32 = 2_000;

fn entry(number: u32) -> AuditEntry {
    AuditEntry {
        transaction: Guid::from_u128(1),
        user: Guid::from_u128(2),
        calling_user: None,
        origin: "test".into(),
        table: TableId(1),
        row: Guid::from_u128(u128::from(number)),
        operation: AuditOperation::Update,
        action: 2,
        changes: Vec::new(),
        detail: Some("ten bytes.".into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_begun_anew_is_whole() {
    let site = Site::new(Engine::Sqlite).await;
    let database = site.organization("demo").await;
    database
        .write(|transaction: &mut Transaction| {
            Box::pin(async move {
                (1..=ENTRIES).for_each(|number| transaction.audit(&entry(number)));
                Ok::<(), Error>(())
            })
        })
        .await
        .unwrap();
    let filter = AuditFilter::newest(ENTRIES);
    for (bytes_max, held) in [(1_000, 50..=100), (usize::MAX, 2_000..=2_000)] {
        let expected = database.audit_page(&filter, bytes_max).await.unwrap();
        assert!(held.contains(&expected.records.len()), "{}", expected.records.len());
        // With each look at the clock as much time passes as a short read has.
        site.clock.1.store(10, Ordering::Relaxed);
        let page = database.audit_page(&filter, bytes_max).await.unwrap();
        site.clock.1.store(0, Ordering::Relaxed);
        assert_eq!((page.records, page.more), (expected.records, expected.more));
    }
}
