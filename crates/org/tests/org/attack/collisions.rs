//! Callers choose ids, so one id may stand for a record in several tables.

use crate::on_both_engines;

on_both_engines! {
    a_share_opens_the_record_of_its_table_only;
    a_user_and_a_team_cannot_have_one_id;
    a_link_to_the_same_id_in_another_table_is_another_link;
    a_team_does_not_come_back_with_the_shares_of_one_that_is_gone;
}

mod bodies {
    use custodia_access::RightsMask;
    use custodia_org::{Caller, Error, Precondition, RecordInput};
    use custodia_schema::{Guid, Value};

    use crate::world::World;

    const EVERYTHING: RightsMask = RightsMask(1 | 2 | 4 | 16 | 65_536 | 262_144 | 524_288);

    async fn unit(world: &World, name: &str) -> Guid {
        let parent = world.lookup("businessunit", world.seeded.unit);
        let columns = [("name", Value::Text(name.into())), ("parentbusinessunitid", parent)];
        world.create(&world.admin(), "businessunit", &columns).await
    }

    /// Two salespersons who see nothing of each other.
    async fn strangers(world: &World) -> (Caller, Caller) {
        let (east, west) = (unit(world, "East").await, unit(world, "West").await);
        (world.user("victim", east, &["Salesperson"]).await, world.user("attacker", west, &["Salesperson"]).await)
    }

    async fn create_as(
        world: &World,
        caller: &Caller,
        table: &str,
        id: Guid,
        columns: &[(&str, Value)],
    ) -> custodia_org::Result<()> {
        let input = RecordInput { id: Some(id), ..world.input(table, columns) };
        world.org.create(caller, input).await.map(|_| ())
    }

    async fn reads(world: &World, caller: &Caller, table: &str, id: Guid) -> bool {
        let schema = world.org.schema();
        let found = schema.table_named(table).unwrap();
        let key = found.column_by_id(found.primary_id).unwrap().name.clone();
        !world.select(caller, table, &[], &[(key.as_str(), Value::Guid(id))]).await.is_empty()
    }

    pub async fn a_share_opens_the_record_of_its_table_only(world: World) {
        let (victim, attacker) = strangers(&world).await;
        let deal = world.create(&victim, "opportunity", &[("name", Value::Text("Secret".into()))]).await;
        create_as(&world, &attacker, "account", deal, &[("name", Value::Text("Mine".into()))]).await.unwrap();
        let own = [("systemuserid", Value::Guid(attacker.user))];
        let unit = world.select(&world.admin(), "systemuser", &["businessunitid"], &own).await[0][0].guid().unwrap();
        let teams = world.select(&world.admin(), "team", &["teamid"], &[("businessunitid", Value::Guid(unit))]).await;
        let team = teams[0][0].guid().unwrap();
        world.org.grant_access(&attacker, world.reference("account", deal), team, EVERYTHING).await.unwrap();
        assert!(reads(&world, &attacker, "account", deal).await);
        assert!(!reads(&world, &attacker, "opportunity", deal).await);
        let change = world.input("opportunity", &[("name", Value::Text("Taken".into()))]);
        let target = world.reference("opportunity", deal);
        let changed = world.org.update(&attacker, target.clone(), change, Precondition::Exists).await;
        assert!(matches!(changed, Err(Error::Denied(_))), "{changed:?}");
        // Nor does one share stand in the way of the other, or go with the other's record.
        world.org.grant_access(&victim, target, attacker.user, RightsMask(1)).await.unwrap();
        world.org.delete(&attacker, world.reference("account", deal), Precondition::None).await.unwrap();
        assert!(reads(&world, &attacker, "opportunity", deal).await);
    }

    pub async fn a_user_and_a_team_cannot_have_one_id(world: World) {
        let admin = world.admin();
        let victim = world.user("victim", world.seeded.unit, &["Salesperson"]).await;
        let in_unit = ("businessunitid", world.lookup("businessunit", world.seeded.unit));
        let named = [("name", Value::Text("Impostors".into())), in_unit.clone()];
        let refused = create_as(&world, &admin, "team", victim.user, &named).await;
        assert!(matches!(refused, Err(Error::Duplicate { .. })), "{refused:?}");
        let team = world.create(&admin, "team", &named).await;
        let person = [("domainname", Value::Text("x@demo.example".into())), in_unit];
        let refused = create_as(&world, &admin, "systemuser", team, &person).await;
        assert!(matches!(refused, Err(Error::Duplicate { .. })), "{refused:?}");
    }

    pub async fn a_link_to_the_same_id_in_another_table_is_another_link(world: World) {
        let (victim, attacker) = strangers(&world).await;
        let person = world.create(&victim, "contact", &[("lastname", Value::Text("Private".into()))]).await;
        create_as(&world, &attacker, "account", person, &[("name", Value::Text("Mine".into()))]).await.unwrap();
        let of = |table: &str| ("parentcustomerid", world.lookup(table, person));
        let mine = world.create(&attacker, "contact", &[("lastname", Value::Text("Own".into())), of("account")]).await;
        let moved = world.input("contact", &[of("contact")]);
        let moved = world.org.update(&attacker, world.reference("contact", mine), moved, Precondition::Exists).await;
        assert!(matches!(moved, Err(Error::Denied(_))), "{moved:?}");
    }

    pub async fn a_team_does_not_come_back_with_the_shares_of_one_that_is_gone(world: World) {
        let admin = world.admin();
        let (victim, attacker) = strangers(&world).await;
        let in_unit = ("businessunitid", world.lookup("businessunit", world.seeded.unit));
        let named = |name: &str| [("name", Value::Text(name.into())), in_unit.clone()];
        let team = world.create(&admin, "team", &named("Old")).await;
        let deal = world.create(&victim, "opportunity", &[("name", Value::Text("Secret".into()))]).await;
        world.org.grant_access(&victim, world.reference("opportunity", deal), team, RightsMask(1)).await.unwrap();
        world.org.delete(&admin, world.reference("team", team), Precondition::None).await.unwrap();
        create_as(&world, &admin, "team", team, &named("New")).await.unwrap();
        world.link("team", team, "teammembership_association", "systemuser", attacker.user).await;
        assert!(!reads(&world, &attacker, "opportunity", deal).await);
    }
}
