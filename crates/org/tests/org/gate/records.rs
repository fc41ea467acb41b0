//! Create, read, update, upsert, delete.

use crate::on_both_engines;

on_both_engines! {
    a_record_comes_back_as_it_was_made;
    values_that_do_not_fit_are_refused_and_change_nothing;
    a_stale_version_is_refused;
    an_id_of_zeros_is_no_id;
    accounts_form_no_loop;
}

mod bodies {
    use custodia_org::{Change, Changed, Error, Fault, MergeRequest, Precondition, RecordInput};
    use custodia_schema::{Decimal, Guid, Money, Value};

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

    pub async fn an_id_of_zeros_is_no_id(world: World) {
        let admin = world.admin();
        let zeros =
            || RecordInput { id: Some(Guid::nil()), ..world.input("account", &[("name", Value::Text("A".into()))]) };
        let made = world.org.create(&admin, zeros()).await.unwrap();
        assert!(!made.id.is_nil());
        let Changed::All(all) = world
            .org
            .change(&admin, Change::All(vec![Change::Create(zeros()), Change::Create(zeros())]))
            .await
            .unwrap()
        else {
            panic!("two were made")
        };
        assert_eq!(all.len(), 2);
        let target = world.reference("account", Guid::nil());
        let refused = world.org.upsert(&admin, target, zeros(), Precondition::None).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains("zeros")), "{refused:?}");
        assert_eq!(world.select(&admin, "account", &["name"], &[]).await.len(), 3);
    }

    pub async fn accounts_form_no_loop(world: World) {
        let admin = world.admin();
        let account = async |above: Option<Guid>| {
            let above = above.map(|above| ("parentaccountid", world.lookup("account", above)));
            let values = [("name", Value::Text("A".into()))].into_iter().chain(above).collect::<Vec<_>>();
            world.create(&admin, "account", &values).await
        };
        let put = async |id: Guid, above: Guid| {
            let input = world.input("account", &[("parentaccountid", world.lookup("account", above))]);
            world.org.update(&admin, world.reference("account", id), input, Precondition::None).await
        };
        let parent_of = async |id: Guid| {
            let rows = world.select(&admin, "account", &["parentaccountid"], &[("accountid", Value::Guid(id))]).await;
            rows[0][0].guid()
        };
        let top = account(None).await;
        let middle = account(Some(top)).await;
        let low = account(Some(middle)).await;
        for (id, above) in [(top, top), (top, middle), (top, low), (middle, low)] {
            let refused = put(id, above).await;
            assert!(matches!(refused, Err(Error::Refused { code: 0x8004_0507, .. })), "{refused:?}");
        }
        let own = Guid::from_u128(77);
        let input = world.input("account", &[("parentaccountid", world.lookup("account", own))]);
        assert!(world.org.create(&admin, RecordInput { id: Some(own), ..input }).await.is_err());
        // Two at one time, and two in one request.
        let (one, other) = (account(None).await, account(None).await);
        let (first, second) = futures::join!(put(one, other), put(other, one));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let (one, other) = (account(None).await, account(None).await);
        let change = |id: Guid, above: Guid| Change::Update {
            target: world.reference("account", id),
            input: world.input("account", &[("parentaccountid", world.lookup("account", above))]),
            when: Precondition::None,
        };
        assert!(world.org.change(&admin, Change::All(vec![change(one, other), change(other, one)])).await.is_err());
        assert_eq!((parent_of(one).await, parent_of(other).await), (None, None));

        // The one that stays of two that are merged may stand below a child of the other.
        let merge = MergeRequest {
            target: world.reference("account", low),
            subordinate: world.reference("account", top),
            content: None,
            checks_parents: false,
        };
        world.org.change(&admin, Change::Merge(merge)).await.unwrap();
        assert_eq!((parent_of(low).await, parent_of(middle).await), (Some(middle), None));
        put(middle, one).await.unwrap();
    }
}
