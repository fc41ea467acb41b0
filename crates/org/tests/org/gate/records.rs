//! Create, read, update, upsert, delete.

use crate::on_both_engines;

on_both_engines! {
    a_record_comes_back_as_it_was_made;
    values_that_do_not_fit_are_refused_and_change_nothing;
    a_stale_version_is_refused;
}

mod bodies {
    use custodia_org::{Error, Fault, Precondition};
    use custodia_schema::{Decimal, Money, Value};

    use crate::world::{START, World};

    pub async fn a_record_comes_back_as_it_was_made(world: World) {
        let admin = world.admin();
        let id = world
            .create(
                &admin,
                "account",
                &[
                    ("name", Value::Text("Žluťoučký kůň".into())),
                    ("revenue", Value::Decimal(Decimal::new(12_345_678_901_234, 4))),
                    ("numberofemployees", Value::Integer(7)),
                    ("address1_line1", Value::Text("1 Main St".into())),
                    ("address1_city", Value::Text("Praha".into())),
                ],
            )
            .await;
        let rows = world
            .select(
                &admin,
                "account",
                &[
                    "name",
                    "revenue",
                    "revenue_base",
                    "exchangerate",
                    "numberofemployees",
                    "statecode",
                    "statuscode",
                    "createdon",
                    "ownerid",
                    "owningbusinessunit",
                    "createdby",
                    "address1_composite",
                    "creditonhold",
                ],
                &[("accountid", Value::Guid(id))],
            )
            .await;
        assert_eq!(
            rows,
            [[
                Value::Text("Žluťoučký kůň".into()),
                Value::Money(Money(12_345_678_901_234)),
                Value::Money(Money(12_345_678_901_234)),
                Value::Decimal(Decimal::ONE),
                Value::BigInt(7),
                Value::BigInt(0),
                Value::BigInt(1),
                Value::DateTime(START),
                Value::Guid(admin.user),
                Value::Guid(world.seeded.unit),
                Value::Guid(admin.user),
                Value::Text("1 Main St\r\nPraha".into()),
                Value::Boolean(false),
            ]]
        );
        let folded = world
            .select(&admin, "account", &["numberofemployees"], &[("name", Value::Text("zlutoucky KUN".into()))])
            .await;
        assert_eq!(folded.len(), 1, "texts compare without case and accents");
        world.org.delete(&admin, world.reference("account", id), Precondition::None).await.unwrap();
        assert!(world.select(&admin, "account", &["name"], &[]).await.is_empty());
    }

    pub async fn values_that_do_not_fit_are_refused_and_change_nothing(world: World) {
        let admin = world.admin();
        let cases = [
            ("name", Value::Text("x".repeat(161)), Fault::TooLong),
            ("numberofemployees", Value::Integer(-1), Fault::OutOfRange),
            ("industrycode", Value::Integer(999), Fault::NotAnOption),
            ("name", Value::Integer(1), Fault::Type),
            ("statuscode", Value::Integer(2), Fault::StateStatus),
        ];
        for (column, value, expected) in cases {
            let error = world.org.create(&admin, world.input("account", &[(column, value)])).await.unwrap_err();
            assert!(matches!(error, Error::Value { fault, .. } if fault == expected), "{column}: {error}");
        }
        assert!(world.select(&admin, "account", &["name"], &[]).await.is_empty());
    }

    pub async fn a_stale_version_is_refused(world: World) {
        let admin = world.admin();
        let made =
            world.org.create(&admin, world.input("account", &[("name", Value::Text("A".into()))])).await.unwrap();
        let target = world.reference("account", made.id);
        let change = |name: &str| world.input("account", &[("name", Value::Text(name.into()))]);
        let second =
            world.org.update(&admin, target.clone(), change("B"), Precondition::Version(made.version)).await.unwrap();
        assert!(second.version > made.version);
        let stale = world.org.update(&admin, target.clone(), change("C"), Precondition::Version(made.version)).await;
        assert!(matches!(stale, Err(Error::VersionMismatch)));
        let stale = world.org.delete(&admin, target, Precondition::Version(made.version)).await;
        assert!(matches!(stale, Err(Error::VersionMismatch)));
        assert_eq!(world.select(&admin, "account", &["name"], &[]).await, [[Value::Text("B".into())]]);
    }
}
