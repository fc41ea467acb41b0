//! Separation of duties: what a rule keeps apart, nobody gets together, whichever way and in whichever order it is given.

use crate::on_both_engines;

on_both_engines! {
    nobody_gets_what_a_rule_keeps_apart;
    privileges_are_kept_apart_too;
    rules_take_the_privilege_and_make_sense;
    a_refusal_tells_of_rules_and_of_others_to_those_who_may_read_the_rules;
    what_is_given_at_the_same_time_is_kept_apart_too;
}

mod bodies {
    use custodia_org::{Caller, Change, Duty, DutyRule, Error, LinkRequest, RoleChange, WorkLimits};
    use custodia_schema::{Guid, Level, Value, builtin_roles, privilege_id};

    use crate::security::scene::{LACKS, OWNER_TEAM, Scene, code, named};
    use crate::world::World;

    const SEPARATED: Option<u32> = Some(0x8005_f120);
    /// The action of an entry of the audit.
    const DUTY_RULE_CHANGED: i32 = 10_004;

    async fn rule(scene: &Scene, name: &str, first: Duty, second: Duty) {
        let rule = DutyRule { name: name.into(), first, second };
        scene.org().set_duty_rule(&scene.admin, rule).await.unwrap();
    }

    async fn link(scene: &Scene, table: &str, id: Guid, relationship: &str, other: &str, to: Guid) -> Option<u32> {
        let request = LinkRequest {
            record: scene.world.reference(table, id),
            relationship: relationship.into(),
            other: scene.world.reference(other, to),
        };
        code(scene.org().associate(&scene.admin, request).await)
    }

    /// The team of all users of a unit.
    async fn team_of(scene: &Scene, unit: Guid) -> Guid {
        let of_unit = [("businessunitid", Value::Guid(unit)), ("isdefault", Value::Boolean(true))];
        scene.world.select(&scene.admin, "team", &["teamid"], &of_unit).await[0][0].guid().unwrap()
    }

    async fn conflicts(scene: &Scene) -> Vec<(String, Guid)> {
        let found = scene.org().duty_conflicts(&scene.admin).await.unwrap();
        found.into_iter().map(|conflict| (conflict.rule, conflict.user.id)).collect()
    }

    pub async fn nobody_gets_what_a_rule_keeps_apart(world: World) {
        let scene = Scene::of(world);
        let reads = [("prvReadAccount", Level::Basic)];
        let pays = scene.role("Pays", scene.root, &reads).await;
        let approves = scene.role("Approves", scene.root, &reads).await;
        let other = scene.role("Other", scene.root, &reads).await;
        let east = scene.unit("East", scene.root).await;
        let before = scene.user("before", scene.root).await;
        scene.give(&before, pays).await;
        scene.give(&before, approves).await;
        assert_eq!(conflicts(&scene).await, []);
        rule(&scene, "Pays and approves", Duty::Role(pays), Duty::Role(scene.copy(approves, east).await)).await;
        // Who has both keeps them and is told of.
        assert_eq!(conflicts(&scene).await, [("Pays and approves".to_owned(), before.user)]);

        // And what they have may be edited.
        scene.change_role(pays, RoleChange::Add(named(&[("prvReadContact", Level::Basic)]))).await;

        let has = async |user: Guid, role: Guid| {
            link(&scene, "systemuser", user, "systemuserroles_association", "role", role).await
        };
        let holds =
            async |team: Guid, role: Guid| link(&scene, "team", team, "teamroles_association", "role", role).await;
        let joins = async |team: Guid, user: Guid| {
            link(&scene, "team", team, "teammembership_association", "systemuser", user).await
        };
        // Both directions, from either side of the link, and by the copies of another unit.
        for (first, second) in [(pays, approves), (approves, pays)] {
            for (name, unit) in [("root", scene.root), ("east", east)] {
                let user = scene.user(&format!("{name}{}", if first == pays { 1 } else { 2 }), unit).await;
                let [first, second] = [scene.copy(first, unit).await, scene.copy(second, unit).await];
                assert_eq!(has(user.user, first).await, None);
                assert_eq!(has(user.user, scene.copy(other, unit).await).await, None);
                assert_eq!(has(user.user, second).await, SEPARATED);
                let from_role =
                    link(&scene, "role", second, "systemuserroles_association", "systemuser", user.user).await;
                assert_eq!(from_role, SEPARATED);
                let request = scene.has_role(&user, first);
                scene.unlink(&request).await;
                assert_eq!(has(user.user, second).await, None, "one of them is free to give");
            }
        }
        // Both in one request: nothing of it is done.
        let both = scene.user("both", scene.root).await;
        let links = [pays, approves].map(|role| LinkRequest {
            record: scene.world.reference("systemuser", both.user),
            relationship: "systemuserroles_association".into(),
            other: scene.world.reference("role", role),
        });
        assert_eq!(code(scene.org().associate_all(&scene.admin, links.to_vec()).await), SEPARATED);
        assert_eq!(has(both.user, pays).await, None, "neither was given");
        // One named twice, and somebody behind: what was gathered for them is run before the rules are asked.
        let crew = scene.team("Crew", scene.root, OWNER_TEAM).await;
        let (una, vic) = (scene.user("una", scene.root).await, scene.user("vic", scene.root).await);
        let members = [una.user, una.user, vic.user].map(|user| LinkRequest {
            record: scene.world.reference("team", crew),
            relationship: "teammembership_association".into(),
            other: scene.world.reference("systemuser", user),
        });
        for _ in 0..2 {
            scene.org().associate_all(&scene.admin, members.to_vec()).await.unwrap();
            for member in &members {
                let again = scene.org().associate(&scene.admin, member.clone()).await;
                assert!(matches!(again, Err(Error::DuplicateKey { .. })), "{again:?}");
            }
        }
        scene.org().disassociate_all(&scene.admin, members.to_vec()).await.unwrap();
        for user in [una.user, vic.user] {
            assert_eq!(joins(crew, user).await, None, "no member any more");
        }
        // Through teams: who joins, and what the team gets.
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, pays).await;
        let approvers = scene.team("Approvers", scene.root, OWNER_TEAM).await;
        assert_eq!(holds(approvers, approves).await, None);
        assert_eq!(joins(approvers, sam.user).await, SEPARATED);
        let mixed = scene.team("Mixed", scene.root, OWNER_TEAM).await;
        assert_eq!(joins(mixed, sam.user).await, None);
        assert_eq!(holds(mixed, other).await, None);
        assert_eq!(holds(mixed, approves).await, SEPARATED);
        let mia = scene.user("mia", scene.root).await;
        assert_eq!(joins(approvers, mia.user).await, None);
        assert_eq!(has(mia.user, pays).await, SEPARATED, "held through a team, it counts");

        // The team of a unit takes everybody of the unit: one who comes there, and one who is made there.
        let of_east = team_of(&scene, east).await;
        let west = scene.unit("West", scene.root).await;
        let eve = scene.user("eve", west).await;
        let group = scene.team("Across", scene.root, OWNER_TEAM).await;
        assert_eq!(holds(group, pays).await, None);
        assert_eq!(joins(group, eve.user).await, None);
        // Users of the east have one of the two already.
        assert_eq!(holds(of_east, scene.copy(pays, east).await).await, SEPARATED);
        let of_west = team_of(&scene, west).await;
        let kim = scene.user("kim", scene.root).await;
        assert_eq!(joins(group, kim.user).await, None);
        assert_eq!(holds(of_west, scene.copy(approves, west).await).await, SEPARATED, "eve pays");
        scene
            .unlink(&crate::security::scene::Link {
                table: "team",
                id: group,
                relationship: "teammembership_association",
                other: "systemuser",
                to: eve.user,
            })
            .await;
        assert_eq!(holds(of_west, scene.copy(approves, west).await).await, None);
        let unit = [("businessunitid", scene.world.lookup("businessunit", west))];
        assert_eq!(code(scene.try_change(&scene.admin, "systemuser", kim.user, &unit).await), SEPARATED);
        let north = scene.unit("North", scene.root).await;
        let of_north = team_of(&scene, north).await;
        for role in [pays, approves] {
            assert_eq!(holds(of_north, scene.copy(role, north).await).await, None, "nobody is there");
        }
        let made = [
            ("domainname", Value::Text("new@demo.example".into())),
            ("firstname", Value::Text("New".into())),
            ("lastname", Value::Text("User".into())),
            ("businessunitid", scene.world.lookup("businessunit", north)),
        ];
        assert_eq!(code(scene.try_create(&scene.admin, "systemuser", &made).await), SEPARATED);
        // Nothing of what was refused came about.
        assert_eq!(conflicts(&scene).await, [("Pays and approves".to_owned(), before.user)]);
        // A role that a rule is about does not go, to come again as one that the rule does not know; others do.
        assert_eq!(code(scene.try_delete(&scene.admin, "role", approves).await), SEPARATED);
        assert_eq!(code(scene.try_delete(&scene.admin, "role", pays).await), SEPARATED);
        assert_eq!(code(scene.try_delete(&scene.admin, "role", other).await), None);
        // Without the rule, everything goes.
        assert!(scene.org().remove_duty_rule(&scene.admin, "Pays and approves").await.unwrap());
        assert!(!scene.org().remove_duty_rule(&scene.admin, "Pays and approves").await.unwrap());
        assert_eq!(joins(approvers, sam.user).await, None);
        assert_eq!(conflicts(&scene).await, []);
        assert_eq!(code(scene.try_delete(&scene.admin, "role", approves).await), None);
    }

    pub async fn privileges_are_kept_apart_too(world: World) {
        let scene = Scene::of(world);
        let [deletes, merges, reads] = [
            ("Deletes", ("prvDeleteAccount", Level::Basic)),
            ("Merges", ("prvMerge", Level::Global)),
            ("Reads", ("prvReadAccount", Level::Basic)),
        ];
        let deletes = scene.role(deletes.0, scene.root, &[deletes.1]).await;
        let merges = scene.role(merges.0, scene.root, &[merges.1]).await;
        let reads = scene.role(reads.0, scene.root, &[reads.1]).await;
        let duty = |name: &str| Duty::Privilege(name.to_owned());
        rule(&scene, "Deletes and merges", duty("prvdeleteaccount"), duty("prvMerge")).await;
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, deletes).await;
        scene.give(&sam, reads).await;
        let has = async |user: Guid, role: Guid| {
            link(&scene, "systemuser", user, "systemuserroles_association", "role", role).await
        };
        assert_eq!(has(sam.user, merges).await, SEPARATED);

        // A role is edited: what it gets counts for all who hold it, also through teams; what it loses does not.
        let changed =
            async |role: Guid, change: RoleChange| code(scene.org().change_role(&scene.admin, role, change).await);
        let merge = || named(&[("prvMerge", Level::Global)]);
        assert_eq!(changed(reads, RoleChange::Add(merge())).await, SEPARATED);
        assert_eq!(changed(deletes, RoleChange::Add(merge())).await, SEPARATED);
        assert_eq!(changed(deletes, RoleChange::Replace(merge())).await, None);
        assert_eq!(changed(deletes, RoleChange::Replace(named(&[("prvDeleteAccount", Level::Local)]))).await, None);
        let team = scene.team("Team", scene.root, OWNER_TEAM).await;
        let through = scene.role("Through the team", scene.root, &[("prvReadContact", Level::Basic)]).await;
        scene.give_team(team, through).await;
        scene.join(team, &sam).await;
        assert_eq!(changed(through, RoleChange::Add(merge())).await, SEPARATED);
        assert_eq!(changed(deletes, RoleChange::Remove(privilege_id("prvDeleteAccount"))).await, None);
        assert_eq!(changed(through, RoleChange::Add(merge())).await, None);
        assert_eq!(changed(deletes, RoleChange::Add(named(&[("prvDeleteAccount", Level::Basic)]))).await, SEPARATED);

        // Held by a copy of another unit, it counts as well.
        let east = scene.unit("East", scene.root).await;
        let eve = scene.user("eve", east).await;
        let far = scene.role("Far", scene.root, &[("prvReadContact", Level::Basic)]).await;
        scene.give(&eve, far).await;
        let merging = scene.role("Merging", scene.root, &[("prvMerge", Level::Global)]).await;
        scene.give(&eve, merging).await;
        assert_eq!(changed(far, RoleChange::Add(named(&[("prvDeleteAccount", Level::Basic)]))).await, SEPARATED);
        // So does what the same request gave before.
        let kim = scene.user("kim", scene.root).await;
        let plain = scene.role("Plain", scene.root, &[("prvReadContact", Level::Basic)]).await;
        scene.give(&kim, plain).await;
        let both = |role: Guid, gained: &str| {
            let given = LinkRequest {
                record: scene.world.reference("systemuser", kim.user),
                relationship: "systemuserroles_association".into(),
                other: scene.world.reference("role", role),
            };
            let gained = RoleChange::Add(named(&[(gained, Level::Basic)]));
            Change::All(vec![Change::Associate(given), Change::Role(plain, gained)])
        };
        let one_by_one = scene.org().change(&scene.admin, both(merging, "prvDeleteAccount")).await;
        assert_eq!(code(one_by_one), SEPARATED);
        // Who held both before the rule keeps them, also where one of the roles is edited.
        assert!(scene.org().remove_duty_rule(&scene.admin, "Deletes and merges").await.unwrap());
        assert_eq!(changed(far, RoleChange::Add(named(&[("prvDeleteAccount", Level::Basic)]))).await, None);
        rule(&scene, "Deletes and merges", duty("prvDeleteAccount"), duty("prvMerge")).await;
        assert_eq!(changed(far, RoleChange::Add(named(&[("prvReadLead", Level::Basic)]))).await, None);
        assert_eq!(conflicts(&scene).await, [("Deletes and merges".to_owned(), eve.user)]);
        scene.unlink(&scene.has_role(&eve, scene.copy(far, east).await)).await;

        // System Administrators have every privilege, and may have others' roles besides.
        let administrators = builtin_roles().iter().find(|role| role.is_administrator()).unwrap().root_id;
        assert_eq!(has(sam.user, administrators).await, None);
        assert_eq!(conflicts(&scene).await, []);
        // A rule of a role and a privilege.
        rule(&scene, "Deletes and merges", Duty::Role(administrators), duty("prvMerge")).await;
        assert_eq!(conflicts(&scene).await, [("Deletes and merges".to_owned(), sam.user)]);
        let mia = scene.user("mia", scene.root).await;
        assert_eq!(has(mia.user, merges).await, None);
        assert_eq!(has(mia.user, administrators).await, SEPARATED);
    }

    pub async fn rules_take_the_privilege_and_make_sense(world: World) {
        let scene = Scene::of(world);
        let role = scene.role("Role", scene.root, &[("prvReadAccount", Level::Basic)]).await;
        let copy = scene.copy(role, scene.unit("East", scene.root).await).await;
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, role).await;
        let sensible =
            || DutyRule { name: "R".into(), first: Duty::Role(role), second: Duty::Privilege("prvMerge".into()) };
        assert_eq!(code(scene.org().set_duty_rule(&sam, sensible()).await), LACKS);
        assert_eq!(code(scene.org().remove_duty_rule(&sam, "R").await), LACKS);
        assert_eq!(code(scene.org().duty_rules(&sam).await), LACKS);
        assert_eq!(code(scene.org().duty_conflicts(&sam).await), LACKS);
        for wrong in [
            DutyRule { name: " ".into(), ..sensible() },
            DutyRule { name: "x".repeat(101), ..sensible() },
            DutyRule { name: "Card 4111 1111 1111 1111".into(), ..sensible() },
            DutyRule { second: Duty::Role(copy), ..sensible() },
            DutyRule { second: Duty::Privilege("prvFly".into()), ..sensible() },
        ] {
            let refused = scene.org().set_duty_rule(&scene.admin, wrong).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        let unknown = DutyRule { second: Duty::Role(Guid::from_u128(77)), ..sensible() };
        assert!(matches!(scene.org().set_duty_rule(&scene.admin, unknown).await, Err(Error::NotFound { .. })));
        assert_eq!(scene.org().duty_rules(&scene.admin).await.unwrap(), []);
        scene.org().set_duty_rule(&scene.admin, sensible()).await.unwrap();
        for number in 1..100 {
            let more = DutyRule { name: format!("R{number}"), ..sensible() };
            scene.org().set_duty_rule(&scene.admin, more).await.unwrap();
        }
        let one_more = DutyRule { name: "S".into(), ..sensible() };
        assert!(matches!(scene.org().set_duty_rule(&scene.admin, one_more).await, Err(Error::Invalid(_))));
        // The audit tells of each change of a rule.
        let organization = scene.org().id();
        let told = async || {
            let of = (scene.world.table("organization"), organization);
            let entries = scene.org().audit_entries(None, 1_000, Some(of)).await.unwrap();
            let of_rules = entries.into_iter().filter(|record| record.entry.action == DUTY_RULE_CHANGED);
            of_rules.map(|record| (record.entry.user, record.entry.detail.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(told().await.len(), 100, "those that were refused are not told of");
        assert!(scene.org().remove_duty_rule(&scene.admin, "R99").await.unwrap());
        let (by, said) = told().await.swap_remove(0);
        assert_eq!((by, said.as_str()), (scene.admin.user, "separation of duties: 'R99' removed"));
        scene.org().set_duty_rule(&scene.admin, DutyRule { name: "R99".into(), ..sensible() }).await.unwrap();
        let (by, said) = told().await.swap_remove(0);
        assert_eq!(
            (by, said),
            (scene.admin.user, format!("separation of duties: 'R99' set: role {role} and privilege prvMerge"))
        );
        // One of a name that is there takes its place.
        scene.org().set_duty_rule(&scene.admin, sensible()).await.unwrap();
        assert_eq!(scene.org().duty_rules(&scene.admin).await.unwrap().len(), 100);

        // How many there may be, and how many users are looked at, is a limit each.
        let fewer = scene.world.within(WorkLimits { duty_rules: 99, looked_over_rows: 1, ..WorkLimits::default() });
        let one_more = DutyRule { name: "S".into(), ..sensible() };
        let refused = fewer.set_duty_rule(&scene.admin, one_more).await.unwrap_err().to_string();
        assert!(refused.contains("99") && refused.contains("limits.duty_rules"), "{refused}");
        let refused = fewer.duty_conflicts(&scene.admin).await.unwrap_err().to_string();
        assert!(refused.contains("limits.looked_over_rows"), "{refused}");
    }

    pub async fn a_refusal_tells_of_rules_and_of_others_to_those_who_may_read_the_rules(world: World) {
        let scene = Scene::of(world);
        let reads = [("prvReadAccount", Level::Basic)];
        let pays = scene.role("Pays", scene.root, &reads).await;
        let approves = scene.role("Approves", scene.root, &reads).await;
        rule(&scene, "Pays and approves", Duty::Role(pays), Duty::Role(approves)).await;
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, pays).await;
        let team = scene.team("Team", scene.root, OWNER_TEAM).await;
        scene.join(team, &sam).await;
        let other = scene.role("Other", scene.root, &reads).await;
        rule(&scene, "Merges and pays", Duty::Privilege("prvMerge".into()), Duty::Role(pays)).await;
        scene.give(&sam, other).await;

        // Somebody who gives and edits roles.
        let giving = [
            "prvReadUser",
            "prvAppendUser",
            "prvReadTeam",
            "prvAppendTeam",
            "prvReadRole",
            "prvAppendRole",
            "prvAssignRole",
            "prvWriteRole",
            "prvDeleteRole",
            "prvReadAccount",
            "prvMerge",
        ];
        let giving: Vec<_> = giving.into_iter().map(|name| (name, Level::Global)).collect();
        let giver = scene.user("giver", scene.root).await;
        scene.give(&giver, scene.role("Gives", scene.root, &giving).await).await;

        let words = [sam.user.to_string(), pays.to_string(), approves.to_string(), "approves".into(), "pays".into()];
        let attempts = async |caller: &Caller| -> Vec<String> {
            let give = |table: &str, id: Guid, relationship: &str| LinkRequest {
                record: scene.world.reference(table, id),
                relationship: relationship.into(),
                other: scene.world.reference("role", approves),
            };
            let to_user = give("systemuser", sam.user, "systemuserroles_association");
            let to_team = give("team", team, "teamroles_association");
            let merges = RoleChange::Add(named(&[("prvMerge", Level::Global)]));
            let refused = [
                scene.org().associate(caller, to_user).await.unwrap_err(),
                scene.org().associate(caller, to_team).await.unwrap_err(),
                scene.org().change_role(caller, other, merges).await.unwrap_err(),
                scene.try_delete(caller, "role", approves).await.unwrap_err(),
            ];
            refused
                .into_iter()
                .map(|error| {
                    let said = error.to_string();
                    assert_eq!(code::<()>(Err(error)), SEPARATED, "{said}");
                    said.to_lowercase()
                })
                .collect()
        };
        for said in attempts(&giver).await {
            assert!(said.contains("separates duties") && !words.iter().any(|word| said.contains(word)), "{said}");
        }
        for said in attempts(&scene.admin).await {
            assert!(said.contains("'pays and approves'") || said.contains("'merges and pays'"), "{said}");
        }
        // Whoever acts for another is told what both may read.
        let acting = Caller { acting_for: Some(giver.user), ..scene.admin.clone() };
        for said in attempts(&acting).await {
            assert!(!words.iter().any(|word| said.contains(word)), "{said}");
        }
    }

    pub async fn what_is_given_at_the_same_time_is_kept_apart_too(world: World) {
        let scene = Scene::of(world);
        let reads = [("prvReadAccount", Level::Basic)];
        let pays = scene.role("Pays", scene.root, &reads).await;
        let approves = scene.role("Approves", scene.root, &reads).await;
        let deletes = scene.role("Deletes", scene.root, &[("prvDeleteAccount", Level::Basic)]).await;
        rule(&scene, "Pays and approves", Duty::Role(pays), Duty::Role(approves)).await;
        let duty = |name: &str| Duty::Privilege(name.to_owned());
        rule(&scene, "Deletes and merges", duty("prvDeleteAccount"), duty("prvMerge")).await;
        for round in 0..8 {
            let user = scene.user(&format!("user{round}"), scene.root).await;
            let team = scene.team(&format!("Team {round}"), scene.root, OWNER_TEAM).await;
            let plain = scene.role(&format!("Plain {round}"), scene.root, &reads).await;
            scene.give(&user, plain).await;
            let has = |role: Guid| link(&scene, "systemuser", user.user, "systemuserroles_association", "role", role);
            let holds = |role: Guid| link(&scene, "team", team, "teamroles_association", "role", role);
            let joins = link(&scene, "team", team, "teammembership_association", "systemuser", user.user);
            let merges = RoleChange::Add(named(&[("prvMerge", Level::Global)]));
            let edited = async { code(scene.org().change_role(&scene.admin, plain, merges).await) };
            let (first, second, third, fourth, fifth) =
                tokio::join!(has(pays), holds(approves), joins, has(deletes), edited);
            let refused = [first, second, third].iter().filter(|code| **code == SEPARATED).count();
            assert_eq!(refused, 1, "round {round}: {first:?} {second:?} {third:?}");
            assert_eq!([fourth, fifth].iter().filter(|code| **code == SEPARATED).count(), 1, "round {round}");
        }
        assert_eq!(conflicts(&scene).await, []);
    }
}
