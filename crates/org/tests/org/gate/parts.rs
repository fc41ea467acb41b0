//! What is a part of a record goes with it, and nothing that is not does.

use crate::on_both_engines;

on_both_engines! {
    a_unit_goes_with_its_default_team_and_its_copies_of_roles;
    a_unit_with_somebody_or_something_in_it_stays;
    a_role_goes_with_its_copies_and_from_whoever_holds_one;
    an_activity_goes_with_its_parties_and_from_the_list_of_all;
}

mod bodies {
    use custodia_org::{Caller, Error, Precondition};
    use custodia_schema::{Guid, Value};

    use crate::world::World;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    async fn unit(world: &World, name: &str) -> Guid {
        let parent = world.lookup("businessunit", world.seeded.unit);
        world.create(&world.admin(), "businessunit", &[("name", text(name)), ("parentbusinessunitid", parent)]).await
    }

    async fn delete(world: &World, table: &str, id: Guid) -> Result<(), Error> {
        world.org.delete(&world.admin(), world.reference(table, id), Precondition::None).await
    }

    async fn delete_unit(world: &World, unit: Guid) -> Result<(), Error> {
        let disabled = world.input("businessunit", &[("isdisabled", Value::Boolean(true))]);
        let target = world.reference("businessunit", unit);
        world.org.update(&world.admin(), target, disabled, Precondition::Exists).await.unwrap();
        delete(world, "businessunit", unit).await
    }

    async fn count(world: &World, table: &str, column: &str, id: Guid) -> usize {
        world.select(&world.platform(), table, &[column], &[(column, Value::Guid(id))]).await.len()
    }

    fn code(outcome: Result<(), Error>) -> Option<u32> {
        match outcome {
            Err(Error::Refused { code, .. }) => Some(code),
            _ => None,
        }
    }

    pub async fn a_unit_goes_with_its_default_team_and_its_copies_of_roles(world: World) {
        let east = unit(&world, "East").await;
        let roles = count(&world, "role", "businessunitid", world.seeded.unit).await;
        assert_eq!(count(&world, "role", "businessunitid", east).await, roles);
        assert_eq!(count(&world, "team", "businessunitid", east).await, 1);
        delete_unit(&world, east).await.unwrap();
        for table in ["role", "team", "businessunit"] {
            assert_eq!(count(&world, table, "businessunitid", east).await, 0, "{table}");
        }
        assert_eq!(count(&world, "role", "businessunitid", world.seeded.unit).await, roles);
    }

    pub async fn a_unit_with_somebody_or_something_in_it_stays(world: World) {
        let (east, west, south) = (unit(&world, "East").await, unit(&world, "West").await, unit(&world, "South").await);
        world.user("anna", east, &[]).await;
        assert_eq!(code(delete_unit(&world, east).await), Some(0x8004_1d62));
        let in_west = world.lookup("businessunit", west);
        world.create(&world.admin(), "team", &[("name", text("Experts")), ("businessunitid", in_west)]).await;
        assert!(matches!(delete_unit(&world, west).await, Err(Error::Restricted { .. })));
        let columns = [("businessunitid", Value::Guid(south))];
        let team = world.select(&world.platform(), "team", &["teamid"], &columns).await[0][0].guid().unwrap();
        world
            .create(&world.platform(), "account", &[("name", text("A")), ("ownerid", world.lookup("team", team))])
            .await;
        assert_eq!(code(delete_unit(&world, south).await), Some(0x8004_1d62));
        for unit in [east, west, south] {
            assert_eq!(count(&world, "team", "businessunitid", unit).await, if unit == west { 2 } else { 1 });
        }
    }

    pub async fn a_role_goes_with_its_copies_and_from_whoever_holds_one(world: World) {
        let east = unit(&world, "East").await;
        let root = world.lookup("businessunit", world.seeded.unit);
        let role = world.create(&world.admin(), "role", &[("name", text("Guest")), ("businessunitid", root)]).await;
        let anna = world.user("anna", east, &["Guest", "Basic User"]).await;
        assert_eq!(count(&world, "role", "parentrootroleid", role).await, 2);
        assert_eq!(count(&world, "systemuserroles", "systemuserid", anna.user).await, 2);
        delete(&world, "role", role).await.unwrap();
        assert_eq!(count(&world, "role", "parentrootroleid", role).await, 0);
        assert_eq!(count(&world, "systemuserroles", "systemuserid", anna.user).await, 1);
    }

    pub async fn an_activity_goes_with_its_parties_and_from_the_list_of_all(world: World) {
        let admin: Caller = world.admin();
        let account = world.create(&admin, "account", &[("name", text("A"))]).await;
        let regarding = world.lookup("account", account);
        let call = [("subject", text("Call")), ("regardingobjectid", regarding)];
        let call = world.create(&admin, "phonecall", &call).await;
        let other = world.create(&admin, "phonecall", &[("subject", text("Other"))]).await;
        for activity in [call, other] {
            let hangs = world.lookup("activitypointer", activity);
            let party = [("activityid", hangs), ("participationtypemask", Value::Integer(1))];
            world.create(&admin, "activityparty", &party).await;
        }
        delete(&world, "account", account).await.unwrap();
        for table in ["phonecall", "activitypointer", "activityparty"] {
            assert_eq!(count(&world, table, "activityid", call).await, 0, "{table}");
            assert_eq!(count(&world, table, "activityid", other).await, 1, "{table}");
        }
    }
}
