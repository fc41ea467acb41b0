//! Full and failing disks: a request is told so and nothing of it is left, and when the disk is well again so is
//! everything else.

use std::num::NonZeroU64;

use custodia_org::{Error, Input, RecordInput, StoreError, Written};
use custodia_schema::{Guid, Value};
use custodia_sqlite::fault::{Failure, FaultLayer, FileKind, Injection, Lasting, Loss, Operation};

use crate::durability::site::{Place, Site};

async fn create(site: &Site, number: u128) -> Result<Written, Error> {
    let table = site.org.schema().table_named("account").unwrap().clone();
    let value = |name: &str, value: Value| (table.column(name).unwrap().id, Input::Value(value));
    let columns = vec![
        value("name", Value::Text(format!("Account {number}"))),
        value("numberofemployees", Value::Integer(1)),
        // More than a page, so that a write can fail in the middle.
        value("description", Value::Text("x".repeat(1900))),
    ];
    let input = RecordInput { table: table.id, id: Some(Guid::from_u128(number)), columns };
    site.org.create(&site.admin(), input).await
}

/// Accounts that are there and those that the change log tells of.
async fn numbers(site: &Site) -> (Vec<u128>, Vec<u128>) {
    let table = site.org.schema().table_named("account").unwrap().id;
    let mut there: Vec<_> = site.accounts().await.iter().map(|(id, _, _)| id.as_u128()).collect();
    let changes = site.changes().await;
    let logged = changes.iter().filter(|change| change.table == table && !change.row.is_nil());
    let mut logged: Vec<_> = logged.map(|change| change.row.as_u128()).collect();
    there.sort_unstable();
    logged.sort_unstable();
    (there, logged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_meets_a_failing_disk_leaves_nothing_and_the_next_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let layer = FaultLayer::register().unwrap();
    let mut place = Place { file_layer: Some(layer.name()), ..Place::files(&folder) };
    let site = Site::create(&mut place).await;
    let (mut expected, mut number) = (Vec::new(), 1);
    create(&site, number).await.unwrap();
    expected.push(number);
    let (mut told_full, mut told_failing, mut served) = (0, 0, 0);
    let failures = [Failure::DiskFull, Failure::InputOutput];
    for (operation, deepest) in [(Operation::Write, 12), (Operation::Flush, 2)] {
        for (failure, lasting) in failures
            .iter()
            .flat_map(|failure| [Lasting::Once, Lasting::UntilCleared].map(|lasting| (*failure, lasting)))
        {
            for nth in 1..=deepest {
                number += 1;
                let struck = layer.injected();
                layer.inject(Injection {
                    operation,
                    file: Some(FileKind::WriteAheadLog),
                    nth: NonZeroU64::new(nth).unwrap(),
                    failure,
                    lasting,
                });
                let outcome = create(&site, number).await;
                let has_struck = layer.injected() > struck;
                layer.clear_injections();
                let case = format!("{operation:?} {nth}: {failure:?} {lasting:?}: {outcome:?}");
                match outcome {
                    Ok(_) => {
                        // A batch is tried twice, so one failure need not reach anybody.
                        assert!(!has_struck || lasting == Lasting::Once, "{case}");
                        served += 1;
                        expected.push(number);
                    }
                    Err(error) => {
                        assert!(has_struck, "{case}");
                        match error {
                            Error::Store(StoreError::DiskFull) => told_full += 1,
                            Error::Store(StoreError::Unavailable { .. }) => told_failing += 1,
                            other => panic!("{case}: {other}"),
                        }
                    }
                }
                assert_eq!(numbers(&site).await, (expected.clone(), expected.clone()), "{case}");
                number += 1;
                create(&site, number).await.unwrap_or_else(|error| panic!("after {case}: {error}"));
                expected.push(number);
            }
        }
    }
    assert!(told_full > 5 && told_failing > 5 && served > 5, "{told_full} {told_failing} {served}");
    // A failed flush must not be mistaken for one: what was acknowledged after it is on the disk.
    layer.cut_power(Loss::Everything).unwrap();
    site.close();
    layer.restore_power().unwrap();
    let site = Site::open(&mut place).await;
    assert_eq!(numbers(&site).await, (expected.clone(), expected));
    site.prove_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_fails_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layer = FaultLayer::register().unwrap();
    let mut place = Place { file_layer: Some(layer.name()), ..Place::files(&folder) };
    let site = Site::create(&mut place).await;
    let mut expected = Vec::new();
    for (number, failure) in (1..).zip([Failure::DiskFull, Failure::InputOutput, Failure::DiskFull]) {
        let struck = layer.injected();
        layer.inject(Injection {
            operation: Operation::Write,
            file: Some(FileKind::Database),
            nth: NonZeroU64::new(2).unwrap(),
            failure,
            lasting: Lasting::UntilCleared,
        });
        create(&site, number).await.unwrap();
        site.store.checkpoint();
        assert!(layer.injected() > struck, "the checkpoint met the failure");
        layer.clear_injections();
        create(&site, number + 100).await.unwrap();
        expected.extend([number, number + 100]);
    }
    expected.sort_unstable();
    assert_eq!(numbers(&site).await, (expected.clone(), expected.clone()));
    site.store.checkpoint();
    layer.cut_power(Loss::Everything).unwrap();
    site.close();
    layer.restore_power().unwrap();
    let site = Site::open(&mut place).await;
    assert_eq!(numbers(&site).await, (expected.clone(), expected));
    site.prove_whole().await;
}
