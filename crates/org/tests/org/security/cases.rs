//! The cases of docs/security-model.md, 12, one test each, through the gate on both engines.

use crate::on_both_engines;

on_both_engines! {
    case_01_a_share_without_the_privilege_is_worth_nothing;
    case_02_rows_of_a_team_are_its_members_in_any_unit;
    case_02b_team_privileges_only_cover_the_teams_rows;
    case_03_a_teams_role_is_measured_from_the_teams_unit;
    case_04_local_ends_at_the_unit_and_deep_does_not_go_up;
    case_05_levels_add_up_for_each_privilege_alone;
    case_06_a_new_owner_needs_read;
    case_07_an_access_team_owns_nothing_and_passes_shares_on;
    case_08_an_owner_without_write_does_not_write;
    case_09_who_only_creates_does_not_read_back;
    case_10_a_lookup_needs_append_to_at_its_far_end;
    case_11_what_hangs_on_an_account_follows_its_owner;
    case_12_shares_run_down_to_children_and_back;
    case_13_a_delete_takes_children_along_unless_one_holds_it;
    case_14_a_hidden_column_is_null_in_filters;
    case_15_a_secured_column_stops_a_whole_create;
    case_16_a_profile_comes_through_owner_teams_only;
    case_17_a_profile_opens_no_rows;
    case_18_a_profile_taken_away_is_gone_with_the_next_request;
    case_19_a_manager_writes_and_the_managers_manager_reads;
    case_20_what_a_report_sees_by_depth_is_not_the_managers;
    case_21_rows_move_with_their_owner;
    case_22_a_disabled_user_keeps_rows_and_does_nothing;
    case_23_counts_count_readable_rows;
    case_23b_hidden_values_make_one_group;
    case_24_rows_of_the_organisation_are_all_or_nothing;
    case_25_a_list_is_an_error_only_at_the_gate;
    case_26_acting_for_another_needs_a_role_of_ones_own_and_both_rights;
    case_27_a_table_behind_the_gate_stops_the_whole_question;
    case_28_a_role_edited_at_the_top_is_edited_everywhere;
    case_29_a_label_shows_and_its_row_does_not;
    case_30_the_audit_tells_what_changed_and_is_asked_for;
}

mod bodies {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use custodia_access::RightsMask;
    use custodia_org::{Caller, Error, RoleChange, Rows};
    use custodia_query::{Aggregation, Comparison, Expand, Field, Filter, Group, GroupBy, Measure, Path, Step};
    use custodia_schema::{ColumnKind, Guid, Level, Money, Schema, Value, standard_files};

    use crate::security::load::text;
    use crate::security::scene::{ACCESS_TEAM, LACKS, OWNER_TEAM, Scene, code, named};
    use crate::world::World;

    use Level::{Basic, Deep, Global, Local};

    const READ: u32 = 1;

    pub async fn case_01_a_share_without_the_privilege_is_worth_nothing(world: World) {
        let scene = Scene::of(world);
        let owner = scene.user("owner", scene.root).await;
        let user = scene.user("user", scene.root).await;
        let account = scene.account_of_blind(&owner, "Shared").await;
        scene.give(&user, scene.role("Other", scene.root, &[("prvReadContact", Basic)]).await).await;
        scene.share("account", account, user.user, READ).await;
        let key = [("accountid", Value::Guid(account))];
        assert_eq!(code(scene.world.try_select(&user, "account", &[], &key).await), LACKS);
        assert!(scene.is_refused(&user, "account").await);
        scene.give(&user, scene.role("Reader", scene.root, &[("prvReadAccount", Basic)]).await).await;
        assert!(scene.sees(&user, "account", account).await);
    }

    pub async fn case_02_rows_of_a_team_are_its_members_in_any_unit(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let role = scene.role("Reader", scene.root, &[("prvReadAccount", Basic)]).await;
        let user = scene.user("user", west).await;
        scene.give(&user, role).await;
        let team = scene.team("Team", east, OWNER_TEAM).await;
        scene.give_team(team, role).await;
        let account = scene.record_of_team("account", team, &[("name", text("The team's"))]).await;
        assert!(!scene.sees(&user, "account", account).await);
        let member = scene.join(team, &user).await;
        assert!(scene.sees(&user, "account", account).await);
        scene.unlink(&member).await;
        assert!(!scene.sees(&user, "account", account).await);
    }

    pub async fn case_02b_team_privileges_only_cover_the_teams_rows(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        let team = scene.team("Team", scene.root, OWNER_TEAM).await;
        scene.join(team, &user).await;
        let reads = [("prvReadAccount", Basic), ("prvCreateAccount", Basic)];
        scene.give_team(team, scene.team_only_role("Team only", scene.root, &reads).await).await;
        let of_team = scene.record_of_team("account", team, &[("name", text("The team's"))]).await;
        let own = scene.account(&user, "Own").await;
        assert!(scene.sees(&user, "account", of_team).await);
        assert!(!scene.sees(&user, "account", own).await);
        assert_eq!(code(scene.try_create(&user, "account", &[("name", text("Mine"))]).await), LACKS);
        scene.give_team(team, scene.role("Members too", scene.root, &reads).await).await;
        assert!(scene.sees(&user, "account", own).await);
        assert_eq!(code(scene.try_create(&user, "account", &[("name", text("Mine"))]).await), None);
    }

    pub async fn case_03_a_teams_role_is_measured_from_the_teams_unit(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let local = scene.role("Local reader", scene.root, &[("prvReadAccount", Local)]).await;
        let basic = scene.role("Own", scene.root, &[("prvReadAccount", Basic), ("prvReadContact", Basic)]).await;
        let [in_east, in_west] = [scene.user("e", east).await, scene.user("w", west).await];
        scene.give(&in_east, basic).await;
        scene.give(&in_west, basic).await;
        let eastern = scene.account(&in_east, "East").await;
        let western = scene.account(&in_west, "West").await;
        let user = scene.user("user", west).await;
        let team = scene.team("Team", east, OWNER_TEAM).await;
        scene.give_team(team, local).await;
        scene.join(team, &user).await;
        assert!(scene.sees(&user, "account", eastern).await);
        assert!(!scene.sees(&user, "account", western).await);
    }

    pub async fn case_04_local_ends_at_the_unit_and_deep_does_not_go_up(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let below = scene.unit("East1", east).await;
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let deep = scene.role("Deep", scene.root, &[("prvReadAccount", Deep)]).await;
        let mut rows = Vec::new();
        for (name, unit) in [("top", scene.root), ("here", east), ("below", below)] {
            let owner = scene.user(name, unit).await;
            scene.give(&owner, local).await;
            rows.push(scene.account(&owner, name).await);
        }
        let user = scene.user("user", east).await;
        let held = scene.give(&user, local).await;
        let seen = async |user: &Caller| {
            let mut seen = Vec::new();
            for row in &rows {
                seen.push(scene.sees(user, "account", *row).await);
            }
            seen
        };
        assert_eq!(seen(&user).await, [false, true, false]);
        scene.unlink(&held).await;
        scene.give(&user, deep).await;
        assert_eq!(seen(&user).await, [false, true, true]);
    }

    pub async fn case_05_levels_add_up_for_each_privilege_alone(world: World) {
        let scene = Scene::of(world);
        let role = scene.role("Wide reader", scene.root, &[("prvReadAccount", Local)]).await;
        let own = scene.role("Own writer", scene.root, &[("prvReadAccount", Basic), ("prvWriteAccount", Basic)]).await;
        let colleague = scene.user("colleague", scene.root).await;
        scene.give(&colleague, own).await;
        let user = scene.user("user", scene.root).await;
        scene.give(&user, role).await;
        scene.give(&user, own).await;
        let [mine, other] = [scene.account(&user, "Mine").await, scene.account(&colleague, "Other").await];
        assert!(scene.sees(&user, "account", other).await);
        assert_eq!(code(scene.try_change(&user, "account", other, &[("name", text("x"))]).await), LACKS);
        assert_eq!(code(scene.try_change(&user, "account", mine, &[("name", text("x"))]).await), None);
    }

    pub async fn case_06_a_new_owner_needs_read(world: World) {
        let scene = Scene::of(world);
        let owner = scene.user("owner", scene.root).await;
        scene.give(&owner, scene.role("Reader", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let blind = scene.user("blind", scene.root).await;
        scene.give(&blind, scene.role("Blind", scene.root, &[("prvReadContact", Basic)]).await).await;
        let account = scene.account(&owner, "A").await;
        let to = [("ownerid", scene.world.lookup("systemuser", blind.user))];
        assert_eq!(code(scene.try_change(&scene.admin, "account", account, &to).await), Some(0x8004_0231));
        assert_eq!(scene.owner_of("account", account).await, owner.user);
    }

    pub async fn case_07_an_access_team_owns_nothing_and_passes_shares_on(world: World) {
        let scene = Scene::of(world);
        let owner = scene.user("owner", scene.root).await;
        let member = scene.user("member", scene.root).await;
        scene.give(&member, scene.role("Reader", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let team = scene.team("Access", scene.root, ACCESS_TEAM).await;
        scene.join(team, &member).await;
        let account = scene.account_of_blind(&owner, "A").await;
        let to = [("ownerid", scene.world.lookup("team", team))];
        assert_eq!(code(scene.try_change(&scene.admin, "account", account, &to).await), Some(0x8004_8340));
        assert_eq!(scene.owner_of("account", account).await, owner.user);
        assert!(!scene.sees(&member, "account", account).await);
        scene.share("account", account, team, READ).await;
        assert!(scene.sees(&member, "account", account).await);
    }

    pub async fn case_08_an_owner_without_write_does_not_write(world: World) {
        let scene = Scene::of(world);
        let owner = scene.user("owner", scene.root).await;
        scene.give(&owner, scene.role("Reader", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let account = scene.account(&owner, "A").await;
        assert!(scene.sees(&owner, "account", account).await);
        assert_eq!(code(scene.try_change(&owner, "account", account, &[("name", text("B"))]).await), LACKS);
        assert_eq!(code(scene.try_delete(&owner, "account", account).await), LACKS);
    }

    pub async fn case_09_who_only_creates_does_not_read_back(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        scene.give(&user, scene.role("Maker", scene.root, &[("prvCreateAccount", Basic)]).await).await;
        let account = scene.try_create(&user, "account", &[("name", text("A"))]).await.unwrap();
        assert_eq!(scene.owner_of("account", account).await, user.user);
        let key = [("accountid", Value::Guid(account))];
        assert_eq!(code(scene.world.try_select(&user, "account", &["name"], &key).await), LACKS);
    }

    pub async fn case_10_a_lookup_needs_append_to_at_its_far_end(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        let contacts = [
            ("prvReadContact", Basic),
            ("prvWriteContact", Basic),
            ("prvAppendContact", Basic),
            ("prvReadAccount", Basic),
        ];
        scene.give(&user, scene.role("Contacts", scene.root, &contacts).await).await;
        let account = scene.account(&user, "A").await;
        let contact = scene.record("contact", &user, &[("lastname", text("C"))]).await;
        let parent = [("parentcustomerid", scene.world.lookup("account", account))];
        assert_eq!(code(scene.try_change(&user, "contact", contact, &[("telephone1", text("1"))]).await), None);
        assert_eq!(code(scene.try_change(&user, "contact", contact, &parent).await), LACKS);
        scene.give(&user, scene.role("AppendTo", scene.root, &[("prvAppendToAccount", Basic)]).await).await;
        assert_eq!(code(scene.try_change(&user, "contact", contact, &parent).await), None);
    }

    pub async fn case_11_what_hangs_on_an_account_follows_its_owner(world: World) {
        let scene = Scene::of(world);
        let reads: Vec<(&str, Level)> = [
            "prvReadAccount",
            "prvReadContact",
            "prvReadOpportunity",
            "prvReadIncident",
            "prvReadActivity",
            "prvReadNote",
        ]
        .map(|name| (name, Basic))
        .to_vec();
        let role = scene.role("Reader", scene.root, &reads).await;
        let [first, other, new] = [
            scene.user("first", scene.root).await,
            scene.user("other", scene.root).await,
            scene.user("new", scene.root).await,
        ];
        for user in [&first, &other, &new] {
            scene.give(user, role).await;
        }
        let account = scene.account(&first, "A").await;
        let to = |column: &'static str| (column, scene.world.lookup("account", account));
        let contact = scene.contact(&other, "C", account).await;
        let customer = scene.record("opportunity", &other, &[("name", text("O")), to("customerid")]).await;
        let parent = scene.record("opportunity", &other, &[("name", text("P")), to("parentaccountid")]).await;
        let case = scene.record("incident", &other, &[("title", text("I")), to("customerid")]).await;
        let task = scene.record("task", &other, &[("subject", text("T")), to("regardingobjectid")]).await;
        let note = scene.record("annotation", &other, &[("subject", text("N")), to("objectid")]).await;
        scene.change("account", account, &[("ownerid", scene.world.lookup("systemuser", new.user))]).await;
        for (table, row) in [
            ("account", account),
            ("contact", contact),
            ("opportunity", customer),
            ("incident", case),
            ("annotation", note),
        ] {
            assert_eq!(scene.owner_of(table, row).await, new.user, "{table}");
        }
        let rows = scene.world.select(&scene.admin, "task", &["ownerid"], &[("activityid", Value::Guid(task))]).await;
        assert_eq!(rows, [[Value::Guid(new.user)]]);
        assert_eq!(scene.owner_of("opportunity", parent).await, other.user);
    }

    pub async fn case_12_shares_run_down_to_children_and_back(world: World) {
        let scene = Scene::of(world);
        let [owner, user] = [scene.user("owner", scene.root).await, scene.user("user", scene.root).await];
        let reads = [("prvReadAccount", Basic), ("prvReadContact", Basic)];
        let role = scene.role("Reader", scene.root, &reads).await;
        scene.give(&owner, role).await;
        scene.give(&user, role).await;
        let account = scene.account(&owner, "A").await;
        let [before, kept] =
            [scene.contact(&owner, "Before", account).await, scene.contact(&owner, "Kept", account).await];
        scene.share("account", account, user.user, READ).await;
        let after = scene.contact(&owner, "After", account).await;
        scene.share("contact", kept, user.user, READ).await;
        for row in [before, kept, after] {
            assert!(scene.sees(&user, "contact", row).await);
        }
        let target = scene.world.reference("account", account);
        scene.org().revoke_access(&scene.admin, target, user.user).await.unwrap();
        assert!(!scene.sees(&user, "account", account).await);
        assert!(!scene.sees(&user, "contact", before).await);
        assert!(!scene.sees(&user, "contact", after).await);
        assert!(scene.sees(&user, "contact", kept).await);
    }

    pub async fn case_13_a_delete_takes_children_along_unless_one_holds_it(world: World) {
        let scene = Scene::of(world);
        let owner = scene.admin.clone();
        let account = scene.account(&owner, "A").await;
        let to = |column: &'static str| (column, scene.world.lookup("account", account));
        let invoice = scene
            .record("invoice", &owner, &[("name", text("I")), ("invoicenumber", text("1")), to("customerid")])
            .await;
        let contact = scene.contact(&owner, "C", account).await;
        let quote =
            scene.record("quote", &owner, &[("name", text("Q")), ("quotenumber", text("1")), to("customerid")]).await;
        let below = scene.record("account", &owner, &[("name", text("Below")), to("parentaccountid")]).await;
        let task = scene.record("task", &owner, &[("subject", text("T")), to("regardingobjectid")]).await;
        let team = scene.team("Access", scene.root, ACCESS_TEAM).await;
        for (table, row) in [("account", account), ("contact", contact), ("task", task)] {
            scene.share(table, row, team, READ).await;
        }
        let held = scene.try_delete(&owner, "account", account).await;
        assert!(matches!(held, Err(Error::Restricted { by, .. }) if by == "invoice"));
        for (table, row) in [("account", account), ("contact", contact), ("quote", quote)] {
            assert!(scene.sees(&owner, table, row).await, "{table}");
        }
        scene.try_delete(&owner, "invoice", invoice).await.unwrap();
        scene.try_delete(&owner, "account", account).await.unwrap();
        for (table, row) in [("account", account), ("contact", contact), ("quote", quote), ("task", task)] {
            assert!(!scene.sees(&owner, table, row).await, "{table}");
        }
        let key = [("accountid", Value::Guid(below))];
        assert_eq!(scene.world.select(&owner, "account", &["parentaccountid"], &key).await, [[Value::Null]]);
    }

    /// Accounts with a credit limit, which is secured, and a user who may not see it.
    async fn with_credit_limits(scene: &Scene) -> (Caller, [Guid; 2]) {
        scene.secure("account", "creditlimit").await;
        let user = scene.user("user", scene.root).await;
        let all = ["prvReadAccount", "prvWriteAccount", "prvCreateAccount"].map(|name| (name, Basic));
        scene.give(&user, scene.role("Accounts", scene.root, &all).await).await;
        let mut rows = Vec::new();
        for limit in [50, 200] {
            let values = [("name", text(&format!("Limit {limit}"))), ("creditlimit", money(limit))];
            rows.push(scene.record("account", &user, &values).await);
        }
        (user, [rows[0], rows[1]])
    }

    fn money(units: i64) -> Value {
        Value::Money(Money(units * 10_000))
    }

    async fn accounts_where(scene: &Scene, user: &Caller, filter: Filter) -> BTreeSet<Guid> {
        let mut query = scene.world.query("account", &[], &[]);
        query.filter = filter;
        let mut sink = Rows::default();
        scene.org().query(user, &query, &mut sink).await.unwrap();
        sink.rows.iter().map(|row| row[0].guid().unwrap()).collect()
    }

    fn limit(scene: &Scene) -> Path {
        let schema = scene.org().schema();
        Path::own(schema.table_named("account").unwrap().column("creditlimit").unwrap().id)
    }

    pub async fn case_14_a_hidden_column_is_null_in_filters(world: World) {
        let scene = Scene::of(world);
        let (user, rows) = with_credit_limits(&scene).await;
        let more = Filter::Compare { path: limit(&scene), operator: Comparison::Greater, value: money(100) };
        assert!(accounts_where(&scene, &user, more.clone()).await.is_empty());
        assert_eq!(accounts_where(&scene, &user, Filter::IsNull(limit(&scene))).await, BTreeSet::from(rows));
        assert_eq!(accounts_where(&scene, &scene.admin, more).await, BTreeSet::from([rows[1]]));
        assert!(accounts_where(&scene, &scene.admin, Filter::IsNull(limit(&scene))).await.is_empty());
    }

    pub async fn case_15_a_secured_column_stops_a_whole_create(world: World) {
        let scene = Scene::of(world);
        let (user, rows) = with_credit_limits(&scene).await;
        for value in [money(1), Value::Null] {
            let values = [("name", text("New")), ("creditlimit", value)];
            assert_eq!(code(scene.try_create(&user, "account", &values).await), Some(0x8004_f502));
        }
        let change = [("name", text("Changed")), ("creditlimit", money(1))];
        assert_eq!(code(scene.try_change(&user, "account", rows[0], &change).await), Some(0x8004_f507));
        assert_eq!(accounts_where(&scene, &user, Filter::True).await, BTreeSet::from(rows));
        let names = scene.world.select(&user, "account", &["name"], &[("accountid", Value::Guid(rows[0]))]).await;
        assert_eq!(names, [[text("Limit 50")]]);
        // Update without Read: a blind write.
        let profile = scene.profile("Blind", "account", "creditlimit", [false, false, true]).await;
        scene.give_profile(&user, profile).await;
        assert_eq!(code(scene.try_change(&user, "account", rows[0], &change).await), None);
        let key = [("accountid", Value::Guid(rows[0]))];
        assert_eq!(scene.world.select(&user, "account", &["creditlimit"], &key).await, [[Value::Null]]);
        assert_eq!(scene.world.select(&scene.admin, "account", &["creditlimit"], &key).await, [[money(1)]]);
    }

    pub async fn case_16_a_profile_comes_through_owner_teams_only(world: World) {
        let scene = Scene::of(world);
        let (user, rows) = with_credit_limits(&scene).await;
        let profile = scene.profile("Readers", "account", "creditlimit", [true, false, false]).await;
        let access = scene.team("Access", scene.root, ACCESS_TEAM).await;
        assert_eq!(code(scene.give_team_profile(access, profile).await), Some(0x8004_8331));
        // A team without any role will do.
        let team = scene.team("Owners", scene.root, OWNER_TEAM).await;
        scene.give_team_profile(team, profile).await.unwrap();
        let key = [("accountid", Value::Guid(rows[0]))];
        assert_eq!(scene.world.select(&user, "account", &["creditlimit"], &key).await, [[Value::Null]]);
        scene.join(team, &user).await;
        assert_eq!(scene.world.select(&user, "account", &["creditlimit"], &key).await, [[money(50)]]);
    }

    pub async fn case_17_a_profile_opens_no_rows(world: World) {
        let scene = Scene::of(world);
        let (_, rows) = with_credit_limits(&scene).await;
        let stranger = scene.user("stranger", scene.root).await;
        scene.give(&stranger, scene.role("Own", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let profile = scene.profile("Readers", "account", "creditlimit", [true, true, true]).await;
        scene.give_profile(&stranger, profile).await;
        for row in rows {
            assert!(!scene.sees(&stranger, "account", row).await);
        }
    }

    pub async fn case_18_a_profile_taken_away_is_gone_with_the_next_request(world: World) {
        let scene = Scene::of(world);
        let (user, rows) = with_credit_limits(&scene).await;
        let profile = scene.profile("Readers", "account", "creditlimit", [true, false, false]).await;
        let key = [("accountid", Value::Guid(rows[1]))];
        for _ in 0..2 {
            let held = scene.give_profile(&user, profile).await;
            assert_eq!(scene.world.select(&user, "account", &["creditlimit"], &key).await, [[money(200)]]);
            scene.unlink(&held).await;
            assert_eq!(scene.world.select(&user, "account", &["creditlimit"], &key).await, [[Value::Null]]);
        }
    }

    pub async fn case_19_a_manager_writes_and_the_managers_manager_reads(world: World) {
        let scene = Scene::of(world);
        let all = ["Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo"];
        let names = all.map(|word| format!("prv{word}Account"));
        let basic: Vec<(&str, Level)> = names.iter().map(|name| (name.as_str(), Basic)).collect();
        let role = scene.role("Own rows", scene.root, &basic).await;
        let mut people = Vec::new();
        for name in ["head", "manager", "report"] {
            let user = scene.user(name, scene.root).await;
            scene.give(&user, role).await;
            if let Some(above) = people.last() {
                scene.under(&user, above).await;
            }
            people.push(user);
        }
        let [head, manager, report] = <[Caller; 3]>::try_from(people).unwrap();
        let account = scene.account(&report, "A").await;
        assert!(!scene.sees(&manager, "account", account).await, "off by default");
        scene.switch_hierarchy(false, 2).await;

        assert!(scene.sees(&manager, "account", account).await);
        scene.try_change(&manager, "account", account, &[("name", text("B"))]).await.unwrap();
        assert_eq!(code(scene.try_delete(&manager, "account", account).await), LACKS);
        let to = [("ownerid", scene.world.lookup("systemuser", manager.user))];
        assert_eq!(code(scene.try_change(&manager, "account", account, &to).await), LACKS);
        let target = scene.world.reference("account", account);
        let shared = scene.org().grant_access(&manager, target, head.user, RightsMask(READ)).await;
        assert_eq!(code(shared), LACKS);

        assert!(scene.sees(&head, "account", account).await);
        assert_eq!(code(scene.try_change(&head, "account", account, &[("name", text("C"))]).await), LACKS);
        scene.switch_hierarchy(false, 1).await;
        assert!(scene.sees(&manager, "account", account).await);
        assert!(!scene.sees(&head, "account", account).await);
        assert!(!scene.sees(&report, "account", scene.account(&manager, "Of the manager").await).await);
    }

    pub async fn case_20_what_a_report_sees_by_depth_is_not_the_managers(world: World) {
        let scene = Scene::of(world);
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let basic = scene.role("Basic", scene.root, &[("prvReadAccount", Basic)]).await;
        let [manager, report, colleague] = [
            scene.user("manager", scene.root).await,
            scene.user("report", scene.root).await,
            scene.user("colleague", scene.root).await,
        ];
        scene.give(&manager, basic).await;
        scene.give(&report, local).await;
        scene.give(&colleague, basic).await;
        scene.under(&report, &manager).await;
        scene.switch_hierarchy(false, 3).await;
        let account = scene.account(&colleague, "A").await;
        assert!(scene.sees(&report, "account", account).await);
        assert!(!scene.sees(&manager, "account", account).await);
        // Shared with the report, it is the manager's as well, with the rights shared.
        scene.share("account", account, report.user, READ).await;
        assert!(scene.sees(&manager, "account", account).await);
    }

    pub async fn case_21_rows_move_with_their_owner(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let [mover, left, found] =
            [scene.user("mover", east).await, scene.user("left", east).await, scene.user("found", west).await];
        for user in [&mover, &left, &found] {
            scene.give(user, local).await;
        }
        let account = scene.account(&mover, "A").await;
        assert!(scene.sees(&left, "account", account).await);
        assert!(!scene.sees(&found, "account", account).await);
        scene.change("systemuser", mover.user, &[("businessunitid", scene.world.lookup("businessunit", west))]).await;
        assert!(!scene.sees(&left, "account", account).await);
        assert!(scene.sees(&found, "account", account).await);
        // Classic: the roles of the unit left are lost.
        assert_eq!(code(scene.world.try_select(&mover, "account", &[], &[]).await), Some(0x8004_2f09));
    }

    pub async fn case_22_a_disabled_user_keeps_rows_and_does_nothing(world: World) {
        let scene = Scene::of(world);
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local), ("prvAssignAccount", Local)]).await;
        let [gone, colleague] = [scene.user("gone", scene.root).await, scene.user("colleague", scene.root).await];
        scene.give(&gone, local).await;
        scene.give(&colleague, local).await;
        let [account, other] = [scene.account(&gone, "A").await, scene.account(&colleague, "B").await];
        scene.change("systemuser", gone.user, &[("isdisabled", Value::Boolean(true))]).await;
        assert!(scene.is_refused(&gone, "account").await);
        assert!(scene.sees(&colleague, "account", account).await);
        assert_eq!(scene.owner_of("account", account).await, gone.user);
        let to = [("ownerid", scene.world.lookup("systemuser", gone.user))];
        assert_eq!(code(scene.try_change(&scene.admin, "account", other, &to).await), Some(0x8004_0225));
    }

    pub async fn case_23_counts_count_readable_rows(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        scene.give(&user, scene.role("Own", scene.root, &[("prvReadAccount", Basic)]).await).await;
        for name in ["A", "B", "C"] {
            scene.account(&scene.admin, name).await;
        }
        scene.account(&user, "Mine").await;
        let mut query = scene.world.query("account", &[], &[]);
        query.count = true;
        let answer = scene.org().query(&user, &query, &mut Rows::default()).await.unwrap();
        assert_eq!(answer.count, Some(1));
        let answer = scene.org().query(&scene.admin, &query, &mut Rows::default()).await.unwrap();
        assert_eq!(answer.count, Some(4));
    }

    pub async fn case_23b_hidden_values_make_one_group(world: World) {
        let scene = Scene::of(world);
        let (user, _) = with_credit_limits(&scene).await;
        scene.account(&scene.admin, "Not readable").await;
        let groups = async |caller: &Caller| {
            let aggregation = Aggregation {
                rows: scene.world.query("account", &[], &[]),
                groups: vec![Group { path: limit(&scene), by: GroupBy::Value }],
                measures: vec![Measure::Count, Measure::Sum(limit(&scene))],
                order: Vec::new(),
                skip: 0,
                page_size: 100,
                rows_max: 1_000,
            };
            let mut sink = Rows::default();
            scene.org().aggregate(caller, &aggregation, &mut sink).await.unwrap();
            sink.rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&user).await, [(Value::Null, Value::BigInt(2))]);
        assert_eq!(groups(&scene.admin).await.len(), 3);
    }

    pub async fn case_24_rows_of_the_organisation_are_all_or_nothing(world: World) {
        let scene = Scene::of(world);
        let number = ("productnumber", text("1"));
        let product = scene.world.create(&scene.admin, "product", &[("name", text("P")), number]).await;
        let [user, stranger] = [scene.user("user", scene.root).await, scene.user("stranger", scene.root).await];
        scene.give(&user, scene.role("Products", scene.root, &[("prvReadProduct", Global)]).await).await;
        scene.give(&stranger, scene.role("Other", scene.root, &[("prvReadAccount", Basic)]).await).await;
        assert!(scene.sees(&user, "product", product).await);
        assert!(scene.is_refused(&stranger, "product").await);
        let schema = scene.org().schema();
        let table = schema.table_named("product").unwrap();
        assert!(table.column("ownerid").is_none());
        let target = scene.world.reference("product", product);
        let shared = scene.org().grant_access(&scene.admin, target, user.user, RightsMask(READ)).await;
        assert_eq!(code(shared), LACKS);
    }

    pub async fn case_25_a_list_is_an_error_only_at_the_gate(world: World) {
        let scene = Scene::of(world);
        scene.account(&scene.admin, "A").await;
        let user = scene.user("user", scene.root).await;
        scene.give(&user, scene.role("Own", scene.root, &[("prvReadAccount", Basic)]).await).await;
        assert!(scene.world.select(&user, "account", &[], &[]).await.is_empty());
        assert_eq!(code(scene.world.try_select(&user, "contact", &[], &[]).await), LACKS);
    }

    /// The standard tables, with accounts audited.
    fn with_audited_accounts() -> Arc<Schema> {
        let files: Vec<(&str, String)> = standard_files()
            .iter()
            .map(|(name, text)| match *name {
                "account.toml" => (*name, text.replacen("\nset = ", "\naudited = true\nset = ", 1)),
                _ => (*name, (*text).to_owned()),
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let schema = custodia_schema::load(&files).unwrap();
        assert!(schema.table_named("account").unwrap().audited);
        Arc::new(schema)
    }

    pub async fn case_26_acting_for_another_needs_a_role_of_ones_own_and_both_rights(world: World) {
        let scene = Scene::of(World::with_schema(world.engine, with_audited_accounts()).await);
        let acting = ("prvActOnBehalfOfAnotherUser", Global);
        let delegate = scene.role("Acting", scene.root, &[acting, ("prvReadAccount", Local)]).await;
        let writer = scene.role("Writer", scene.root, &[("prvReadAccount", Local), ("prvWriteAccount", Local)]).await;
        let [caller, user] = [scene.user("caller", scene.root).await, scene.user("user", scene.root).await];
        scene.give(&user, writer).await;
        let account = scene.account(&user, "A").await;
        let both = Caller { acting_for: Some(user.user), ..caller.clone() };

        let team = scene.team("Delegates", scene.root, OWNER_TEAM).await;
        scene.give_team(team, delegate).await;
        scene.join(team, &caller).await;
        assert!(scene.sees(&caller, "account", account).await);
        assert_eq!(code(scene.world.try_select(&both, "account", &[], &[]).await), LACKS);
        assert_eq!(code(scene.try_change(&both, "account", account, &[("name", text("B"))]).await), LACKS);

        scene.give(&caller, delegate).await;
        assert!(scene.sees(&both, "account", account).await);
        // The caller has no Write.
        assert_eq!(code(scene.try_change(&both, "account", account, &[("name", text("B"))]).await), LACKS);
        scene.change_role(delegate, RoleChange::Add(named(&[("prvWriteAccount", Basic)]))).await;
        // Now the caller has, but not on this row.
        assert_eq!(code(scene.try_change(&both, "account", account, &[("name", text("B"))]).await), LACKS);
        scene.change_role(delegate, RoleChange::Add(named(&[("prvWriteAccount", Local)]))).await;
        scene.try_change(&both, "account", account, &[("name", text("B"))]).await.unwrap();

        let table = scene.world.table("account");
        let entries = scene.org().audit_entries(None, 10, Some((table, account))).await.unwrap();
        let last = &entries[0].entry;
        assert_eq!((last.user, last.calling_user), (user.user, Some(caller.user)));
        let shown = ["modifiedby", "modifiedonbehalfby"];
        let rows = scene.world.select(&scene.admin, "account", &shown, &[("accountid", Value::Guid(account))]).await;
        assert_eq!(rows, [[Value::Guid(user.user), Value::Guid(caller.user)]]);
    }

    pub async fn case_27_a_table_behind_the_gate_stops_the_whole_question(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        scene.give(&user, scene.role("Contacts", scene.root, &[("prvReadContact", Basic)]).await).await;
        let account = scene.account(&scene.admin, "A").await;
        let contact = scene.contact(&user, "C", account).await;
        let schema = scene.org().schema();
        let accounts = schema.table_named("account").unwrap();
        let contacts = schema.table_named("contact").unwrap();
        let lookup = contacts.column("parentcustomerid").unwrap().id;
        let mut query = scene.world.query("contact", &[], &[]);
        query.expand.push(Expand::One {
            name: "parentcustomerid_account".into(),
            step: Step { lookup, target: accounts.id },
            fields: vec![Field::Column(accounts.primary_id)],
            expand: Vec::new(),
        });
        let mut sink = Rows::default();
        assert_eq!(code(scene.org().query(&user, &query, &mut sink).await), LACKS);
        scene.give(&user, scene.role("Accounts", scene.root, &[("prvReadAccount", Basic)]).await).await;
        scene.org().query(&user, &query, &mut sink).await.unwrap();
        assert_eq!(sink.rows, [[Value::Guid(contact), Value::Null]]);
    }

    pub async fn case_28_a_role_edited_at_the_top_is_edited_everywhere(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let below = scene.unit("East1", east).await;
        let role = scene.role("Reader", scene.root, &[("prvReadContact", Basic)]).await;
        let mut people = Vec::new();
        for (name, unit) in [("a", scene.root), ("b", east), ("c", below)] {
            let user = scene.user(name, unit).await;
            scene.give(&user, role).await;
            people.push((scene.account_of_blind(&user, name).await, user));
        }
        for (account, user) in &people {
            assert!(!scene.sees(user, "account", *account).await);
        }
        scene.change_role(role, RoleChange::Add(named(&[("prvReadAccount", Basic)]))).await;
        for (account, user) in &people {
            assert!(scene.sees(user, "account", *account).await);
        }
        let copy = scene.copy(role, below).await;
        let edited = scene.org().change_role(&scene.admin, copy, RoleChange::Replace(Vec::new())).await;
        assert!(matches!(edited, Err(Error::Invalid(_))), "{edited:?}");
        scene.change_role(role, RoleChange::Remove(named(&[("prvReadAccount", Basic)])[0].0)).await;
        for (account, user) in &people {
            assert!(!scene.sees(user, "account", *account).await);
        }
    }

    pub async fn case_29_a_label_shows_and_its_row_does_not(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        let reads = [("prvReadContact", Basic), ("prvReadAccount", Basic)];
        scene.give(&user, scene.role("Reader", scene.root, &reads).await).await;
        let account = scene.account(&scene.admin, "Hidden account").await;
        scene.contact(&user, "C", account).await;
        let schema = scene.org().schema();
        let lookup = schema.table_named("contact").unwrap().column("parentcustomerid").unwrap().id;
        let mut query = scene.world.query("contact", &[], &[]);
        query.fields.push(Field::TargetName(lookup));
        let mut sink = Rows::default();
        scene.org().query(&user, &query, &mut sink).await.unwrap();
        assert_eq!(sink.rows[0][1], text("Hidden account"));
        assert!(!scene.sees(&user, "account", account).await);
        let table = schema.table_named("account").unwrap();
        let why = scene.org().explain_missing(&user, table, &custodia_store::RowKey::Id(account)).await;
        assert_eq!(code::<()>(Err(why)), LACKS);
    }

    pub async fn case_30_the_audit_tells_what_changed_and_is_asked_for(world: World) {
        let scene = Scene::of(World::with_schema(world.engine, with_audited_accounts()).await);
        let schema = scene.org().schema();
        let account = schema.table_named("account").unwrap();
        let told = account.column("telephone1").unwrap();
        let untold = account.columns().iter().find(|column| {
            matches!(column.kind, ColumnKind::Boolean { .. } | ColumnKind::Integer { .. } | ColumnKind::Text { .. })
                && !column.audited
                && column.updatable
        });
        let untold = untold.expect("a column that is not audited and can be changed");
        let other = |n: i32| match untold.kind {
            ColumnKind::Boolean { .. } => Value::Boolean(n % 2 == 1),
            ColumnKind::Integer { .. } => Value::Integer(n),
            _ => text(&n.to_string()),
        };
        let values = [("name", text("A")), ("telephone1", text("1")), (untold.name.as_str(), other(1))];
        let row = scene.record("account", &scene.admin, &values).await;
        let entries = async || scene.org().audit_entries(None, 50, Some((account.id, row))).await.unwrap();
        assert_eq!(entries().await.len(), 1, "its making");
        scene.change("account", row, &values).await;
        assert_eq!(entries().await.len(), 1, "nothing changed");
        scene.change("account", row, &[(&untold.name, other(2))]).await;
        assert_eq!(entries().await.len(), 1, "nothing audited changed");
        scene.change("account", row, &[("telephone1", text("2")), (&untold.name, other(3))]).await;
        let all = entries().await;
        assert_eq!(all.len(), 2);
        let changes: Vec<_> =
            all[0].entry.changes.iter().map(|change| (change.column, change.old.clone(), change.new.clone())).collect();
        assert_eq!(changes, [(told.id, text("1"), text("2"))]);
    }
}
