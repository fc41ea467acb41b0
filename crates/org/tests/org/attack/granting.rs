//! Nobody gives what they lack, by whatever way, and the organisation keeps an administrator.

use crate::on_both_engines;

on_both_engines! {
    roles_beyond_the_giver_are_not_given;
    a_role_is_given_as_far_as_the_giver_reaches;
    membership_of_a_team_with_more_is_not_given;
    column_profiles_are_given_by_those_to_whom_all_is_open;
    an_administrator_by_role_reads_secured_columns;
    privileges_added_to_a_role_do_not_reach_beyond_the_giver;
    what_the_model_asks_a_privilege_for_takes_it;
    the_last_administrator_stays;
    records_are_dated_back_by_those_who_may;
    columns_that_show_elsewhere_are_not_secured;
}

mod bodies {
    use custodia_access::Denied;
    use custodia_org::{Caller, Error, LinkRequest, Precondition, RoleChange};
    use custodia_schema::{Guid, Level, Value};

    use crate::world::World;

    use Level::{Basic, Deep, Global, Local};

    const ADMINISTRATOR: &str = "System Administrator";
    const PROFILE: Guid = Guid::from_u128(0x5723_29c1_a042_4e22_be47_367c_6374_ea45);

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    async fn unit(world: &World, name: &str, parent: Guid) -> Guid {
        let columns = [("name", text(name)), ("parentbusinessunitid", world.lookup("businessunit", parent))];
        world.create(&world.admin(), "businessunit", &columns).await
    }

    /// A role of the root unit with these privileges.
    async fn role(world: &World, name: &str, privileges: &[(&str, Level)]) {
        let admin = world.admin();
        let in_unit = world.lookup("businessunit", world.seeded.unit);
        let role = world.create(&admin, "role", &[("name", text(name)), ("businessunitid", in_unit)]).await;
        world.org.change_role(&admin, role, RoleChange::Add(named(world, privileges))).await.unwrap();
    }

    fn named(world: &World, privileges: &[(&str, Level)]) -> Vec<(Guid, Level)> {
        let schema = world.org.schema();
        privileges.iter().map(|(name, level)| (schema.privilege_named(name).expect(name).id, *level)).collect()
    }

    async fn give_as(world: &World, caller: &Caller, user: Guid, role: Guid) -> custodia_org::Result<()> {
        link_as(world, caller, ("systemuser", user), "systemuserroles_association", ("role", role)).await
    }

    async fn link_as(
        world: &World,
        caller: &Caller,
        record: (&str, Guid),
        relationship: &str,
        other: (&str, Guid),
    ) -> custodia_org::Result<()> {
        let request = LinkRequest {
            record: world.reference(record.0, record.1),
            relationship: relationship.into(),
            other: world.reference(other.0, other.1),
        };
        world.org.associate(caller, request).await
    }

    fn is_too_much(outcome: &custodia_org::Result<()>) -> bool {
        matches!(outcome, Err(Error::Denied(Denied::GivesMoreThanHeld { .. })))
    }

    async fn update_as(
        world: &World,
        caller: &Caller,
        (table, id): (&str, Guid),
        columns: &[(&str, Value)],
    ) -> custodia_org::Result<()> {
        let input = world.input(table, columns);
        world.org.update(caller, world.reference(table, id), input, Precondition::Exists).await.map(|_| ())
    }

    pub async fn roles_beyond_the_giver_are_not_given(world: World) {
        let root = world.seeded.unit;
        let writer = world.user("writer", root, &["Service Writer"]).await;
        let most = world.role(ADMINISTRATOR, root).await;
        assert!(is_too_much(&give_as(&world, &writer, writer.user, most).await));
        let from_role =
            link_as(&world, &writer, ("role", most), "systemuserroles_association", ("systemuser", writer.user));
        assert!(is_too_much(&from_role.await));
        let team = [("name", text("T")), ("businessunitid", world.lookup("businessunit", root))];
        let team = world.create(&writer, "team", &team).await;
        let to_team = link_as(&world, &writer, ("team", team), "teamroles_association", ("role", most));
        assert!(is_too_much(&to_team.await));
        // What the giver has too may be given, and taken.
        let same = world.role("Service Writer", root).await;
        let other = world.user("other", root, &[]).await;
        give_as(&world, &writer, other.user, same).await.unwrap();
        let seller = world.user("seller", root, &["Salesperson"]).await;
        let own = world.role("Salesperson", root).await;
        assert!(matches!(give_as(&world, &seller, other.user, own).await, Err(Error::Denied(_))), "no right to assign");
    }

    /// What it takes to give roles, but for the privileges given.
    const GIVING: [(&str, Level); 6] = [
        ("prvReadUser", Deep),
        ("prvAppendUser", Deep),
        ("prvReadRole", Deep),
        ("prvAppendRole", Deep),
        ("prvAssignRole", Deep),
        ("prvReadAccount", Deep),
    ];

    pub async fn a_role_is_given_as_far_as_the_giver_reaches(world: World) {
        let root = world.seeded.unit;
        let (east, west) = (unit(&world, "East", root).await, unit(&world, "West", root).await);
        let below = unit(&world, "Below East", east).await;
        role(&world, "Giver", &GIVING).await;
        let far = GIVING.map(|(name, _)| (name, Global)).into_iter().filter(|(name, _)| *name != "prvReadAccount");
        role(&world, "Global giver", &far.chain([("prvReadAccount", Local)]).collect::<Vec<_>>()).await;
        for (name, level) in [("Basic", Basic), ("Local", Local), ("Deep", Deep), ("Global", Global)] {
            role(&world, name, &[("prvReadAccount", level)]).await;
        }
        let deep = world.user("deep", east, &["Giver"]).await;
        let local = world.user("local", east, &["Global giver"]).await;
        let cases = [
            (&deep, east, [true, true, true, false]),
            (&deep, below, [true, true, true, false]),
            (&local, east, [true, true, false, false]),
            (&local, below, [true, false, false, false]),
            (&local, west, [true, false, false, false]),
        ];
        for (at, (giver, of, expected)) in cases.into_iter().enumerate() {
            let user = world.user(&format!("user{at}"), of, &[]).await;
            for (name, expected) in ["Basic", "Local", "Deep", "Global"].into_iter().zip(expected) {
                let given = give_as(&world, giver, user.user, world.role(name, of).await).await;
                assert_eq!(given.is_ok(), expected, "case {at}, {name}: {given:?}");
                assert!(given.is_ok() || is_too_much(&given), "case {at}, {name}: {given:?}");
            }
        }
    }

    pub async fn membership_of_a_team_with_more_is_not_given(world: World) {
        let root = world.seeded.unit;
        let writer = world.user("writer", root, &["Service Writer"]).await;
        let team = |name: &str| [("name", text(name)), ("businessunitid", world.lookup("businessunit", root))];
        let mighty = world.create(&world.admin(), "team", &team("Mighty")).await;
        world.link("team", mighty, "teamroles_association", "role", world.role(ADMINISTRATOR, root).await).await;
        let join = |team: Guid| {
            link_as(&world, &writer, ("team", team), "teammembership_association", ("systemuser", writer.user))
        };
        assert!(is_too_much(&join(mighty).await));
        let seeing = world.create(&world.admin(), "team", &team("Seeing")).await;
        world.link("team", seeing, "teamprofiles_association", "fieldsecurityprofile", PROFILE).await;
        assert!(matches!(join(seeing).await, Err(Error::Denied(Denied::OpensColumns { .. }))));
        let plain = world.create(&world.admin(), "team", &team("Plain")).await;
        join(plain).await.unwrap();
    }

    pub async fn column_profiles_are_given_by_those_to_whom_all_is_open(world: World) {
        let customizer = world.user("customizer", world.seeded.unit, &["System Customizer"]).await;
        let closed = |outcome: custodia_org::Result<()>| {
            assert!(matches!(outcome, Err(Error::Denied(Denied::OpensColumns { .. }))), "{outcome:?}");
        };
        let me = ("systemuser", customizer.user);
        let association = "systemuserprofiles_association";
        closed(link_as(&world, &customizer, me, association, ("fieldsecurityprofile", PROFILE)).await);
        let own = world.create(&customizer, "fieldsecurityprofile", &[("name", text("Own"))]).await;
        closed(link_as(&world, &customizer, me, association, ("fieldsecurityprofile", own)).await);
        let permission = |read: i32| {
            [
                ("fieldsecurityprofileid", world.lookup("fieldsecurityprofile", own)),
                ("entityname", text("account")),
                ("attributelogicalname", text("telephone1")),
                ("canread", Value::Integer(read)),
            ]
        };
        closed(world.org.create(&customizer, world.input("fieldpermission", &permission(4))).await.map(|_| ()));
        let made = world.create(&world.admin(), "fieldpermission", &permission(0)).await;
        closed(update_as(&world, &customizer, ("fieldpermission", made), &[("canread", Value::Integer(4))]).await);
        let gone = world.org.delete(&customizer, world.reference("fieldpermission", made), Precondition::None).await;
        closed(gone);
        for caller in [&customizer, &world.admin()] {
            let gone = world.reference("fieldsecurityprofile", PROFILE);
            assert!(matches!(world.org.delete(caller, gone, Precondition::None).await, Err(Error::Invalid(_))));
        }
    }

    pub async fn an_administrator_by_role_reads_secured_columns(world: World) {
        let second = world.user("second", world.seeded.unit, &[ADMINISTRATOR]).await;
        let other = world.user("other", world.seeded.unit, &["CEO-Business Manager"]).await;
        let account = [("name", text("A")), ("telephone1", text("555"))];
        world.create(&world.admin(), "account", &account).await;
        let schema = world.org.schema();
        let table = schema.table_named("account").unwrap();
        let phone = table.column("telephone1").unwrap().id;
        world.org.secure_column(&second, table.id, phone, true).await.unwrap();
        assert_eq!(world.select(&second, "account", &["telephone1"], &[]).await, [[text("555")]]);
        assert_eq!(world.select(&other, "account", &["telephone1"], &[]).await, [[Value::Null]]);
    }

    pub async fn privileges_added_to_a_role_do_not_reach_beyond_the_giver(world: World) {
        let root = world.seeded.unit;
        let east = unit(&world, "East", root).await;
        role(&world, "Editor", &[("prvReadRole", Global), ("prvWriteRole", Global), ("prvReadAccount", Deep)]).await;
        role(&world, "Edited", &[("prvReadContact", Basic)]).await;
        let editor = world.user("editor", east, &["Editor"]).await;
        let edited = world.role("Edited", root).await;
        for (level, expected) in [(Basic, true), (Local, false), (Deep, false), (Global, false)] {
            let change = RoleChange::Add(named(&world, &[("prvReadAccount", level)]));
            let changed = world.org.change_role(&editor, edited, change).await;
            assert_eq!(changed.is_ok(), expected, "{level:?}: {changed:?}");
        }
    }

    pub async fn what_the_model_asks_a_privilege_for_takes_it(world: World) {
        let root = world.seeded.unit;
        let east = unit(&world, "East", root).await;
        let writer = world.user("writer", root, &["Service Writer"]).await;
        let user = world.user("user", root, &["Salesperson"]).await.user;
        let team = [("name", text("T")), ("businessunitid", world.lookup("businessunit", root))];
        let team = world.create(&world.admin(), "team", &team).await;
        let to_east = || world.lookup("businessunit", east);
        let cases = [
            ("systemuser", user, "isdisabled", Value::Boolean(true), "prvEnableOrDisableUser"),
            ("systemuser", user, "businessunitid", to_east(), "prvReparentUser"),
            ("systemuser", user, "parentsystemuserid", world.lookup("systemuser", writer.user), "prvAssignManager"),
            ("team", team, "businessunitid", to_east(), "prvReparentTeam"),
            ("businessunit", east, "isdisabled", Value::Boolean(true), "prvEnableOrDisableBusinessUnit"),
        ];
        for (table, id, column, value, needed) in cases {
            let outcome = update_as(&world, &writer, (table, id), &[(column, value.clone())]).await;
            let expected = |error: &Error| matches!(error, Error::Denied(Denied::MissingPrivilege { privilege, .. }) if privilege == needed);
            assert!(outcome.as_ref().is_err_and(expected), "{table}.{column}: {outcome:?}");
            update_as(&world, &world.admin(), (table, id), &[(column, value)]).await.unwrap();
        }
        // Sending back what stands there already asks for nothing.
        update_as(&world, &writer, ("systemuser", user), &[("isdisabled", Value::Boolean(true))]).await.unwrap();
    }

    pub async fn the_last_administrator_stays(world: World) {
        let (root, admin) = (world.seeded.unit, world.admin());
        let east = unit(&world, "East", root).await;
        let moved = [("businessunitid", world.lookup("businessunit", east))];
        let refused = update_as(&world, &admin, ("systemuser", admin.user), &moved).await;
        assert!(matches!(refused, Err(Error::Refused { code: 0x8004_1d30, .. })), "{refused:?}");
        let held = [("systemuserid", Value::Guid(admin.user))];
        let held = world.select(&world.platform(), "systemuserroles", &["systemuserroleid"], &held).await;
        let link = world.reference("systemuserroles", held[0][0].guid().unwrap());
        let refused = world.org.delete(&admin, link.clone(), Precondition::None).await;
        assert!(matches!(refused, Err(Error::Refused { code: 0x8004_1d30, .. })), "{refused:?}");
        let second = world.user("second", root, &[ADMINISTRATOR]).await;
        world.org.delete(&second, link, Precondition::None).await.unwrap();
        let refused = update_as(&world, &second, ("systemuser", second.user), &moved).await;
        assert!(matches!(refused, Err(Error::Refused { code: 0x8004_1d30, .. })), "{refused:?}");
        let role = world.role(ADMINISTRATOR, root).await;
        let renamed = update_as(&world, &second, ("role", role), &[("name", text("x"))]).await;
        assert!(matches!(renamed, Err(Error::Invalid(_))), "{renamed:?}");
    }

    pub async fn records_are_dated_back_by_those_who_may(world: World) {
        let seller = world.user("seller", world.seeded.unit, &["Salesperson"]).await;
        let columns = [("name", text("Old")), ("overriddencreatedon", Value::DateTime(86_400))];
        let refused = world.org.create(&seller, world.input("account", &columns)).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingPrivilege { .. }))), "{refused:?}");
        world.create(&world.admin(), "account", &columns).await;
        let made = world.select(&world.admin(), "account", &["createdon"], &[]).await;
        assert_eq!(made, [[Value::DateTime(86_400)]]);
    }

    pub async fn columns_that_show_elsewhere_are_not_secured(world: World) {
        let schema = world.org.schema();
        for (table, column) in [("task", "description"), ("systemuser", "domainname")] {
            let table = schema.table_named(table).unwrap();
            let column = table.column(column).unwrap();
            assert!(column.securable, "{}.{}", table.name, column.name);
            let secured = world.org.secure_column(&world.admin(), table.id, column.id, true).await;
            assert!(matches!(secured, Err(Error::Refused { code: 0x8004_f508, .. })), "{secured:?}");
        }
    }
}
