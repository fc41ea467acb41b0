//! A change of rights governs the very next request: on the handle that made it, and on another node's over the same
//! database, which has answered before and remembers what it knew.

use crate::on_both_engines;

on_both_engines! {
    a_role_given_and_taken;
    a_role_edited;
    a_team_joined_and_left;
    a_role_of_a_team_given_and_taken;
    a_share_granted_and_revoked;
    a_share_to_a_team_granted_and_revoked;
    a_column_secured_and_opened_by_a_profile;
    a_user_disabled_and_enabled;
    a_user_moved;
    a_unit_moved;
    a_record_assigned;
    a_caller_behind_another_loses_the_right_to_act;
    rights_of_somebody_else_are_asked_for;
    a_table_made_by_the_other_node;
}

mod bodies {
    use custodia_access::RightsMask;
    use custodia_org::{Caller, Organization, Principal, RoleChange};
    use custodia_schema::{Guid, Level, Money, Value};

    use crate::security::load::text;
    use crate::security::scene::{ACCESS_TEAM, LACKS, Link, OWNER_TEAM, Scene, code, named};
    use crate::world::World;

    use Level::{Basic, Deep, Global, Local};

    /// Two nodes; changes are made on the first.
    struct Nodes {
        scene: Scene,
        other: Organization,
    }

    impl Nodes {
        async fn of(world: World) -> Self {
            let other = world.another_node().await;
            Self { scene: Scene::of(world), other }
        }

        /// What both nodes answer, each of them once: they have to agree.
        async fn see(&self, user: &Caller, table: &str, id: Guid) -> bool {
            let there = self.scene.sees_at(&self.other, user, table, id).await;
            assert_eq!(self.scene.sees(user, table, id).await, there, "the nodes differ");
            there
        }

        /// Whether both nodes let the user write.
        async fn let_write(&self, user: &Caller, account: Guid) -> bool {
            let change = [("name", text("Changed"))];
            let there = self.scene.try_change_at(&self.other, user, "account", account, &change).await;
            let here = self.scene.try_change(user, "account", account, &change).await;
            let (there, here) = (code(there).is_none(), code(here).is_none());
            assert_eq!(here, there, "the nodes differ");
            there
        }
    }

    const ACCOUNT: [(&str, Level); 2] = [("prvReadAccount", Basic), ("prvWriteAccount", Basic)];

    /// A user with a role on contacts, so that the gate is what changes, and an account of the user's.
    async fn user_with_account(scene: &Scene) -> (Caller, Guid) {
        let user = scene.user("user", scene.root).await;
        scene.give(&user, scene.role("Contacts", scene.root, &[("prvReadContact", Basic)]).await).await;
        let account = scene.account_of_blind(&user, "A").await;
        (user, account)
    }

    pub async fn a_role_given_and_taken(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        let role = scene.role("Accounts", scene.root, &ACCOUNT).await;
        assert!(!nodes.see(&user, "account", account).await);
        assert!(!nodes.let_write(&user, account).await);
        for _ in 0..2 {
            let held = scene.give(&user, role).await;
            assert!(nodes.see(&user, "account", account).await);
            assert!(nodes.let_write(&user, account).await);
            scene.unlink(&held).await;
            assert!(!nodes.see(&user, "account", account).await);
            assert!(!nodes.let_write(&user, account).await);
        }
        // Writes first, so that no read has looked before.
        let held = scene.give(&user, role).await;
        assert!(nodes.let_write(&user, account).await);
        scene.unlink(&held).await;
        assert!(!nodes.let_write(&user, account).await);
    }

    pub async fn a_role_edited(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        let role = scene.role("Accounts", scene.root, &[("prvReadActivity", Basic)]).await;
        scene.give(&user, role).await;
        assert!(!nodes.see(&user, "account", account).await);
        scene.change_role(role, RoleChange::Add(named(&ACCOUNT))).await;
        assert!(nodes.see(&user, "account", account).await);
        assert!(nodes.let_write(&user, account).await);
        scene.change_role(role, RoleChange::Remove(named(&ACCOUNT)[1].0)).await;
        assert!(!nodes.let_write(&user, account).await);
        assert!(nodes.see(&user, "account", account).await);
        scene.change_role(role, RoleChange::Replace(named(&[("prvReadActivity", Basic)]))).await;
        assert!(!nodes.see(&user, "account", account).await);
    }

    pub async fn a_team_joined_and_left(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, _) = user_with_account(scene).await;
        let role = scene.role("Accounts", scene.root, &ACCOUNT).await;
        scene.give(&user, role).await;
        let team = scene.team("Team", scene.root, OWNER_TEAM).await;
        scene.give_team(team, role).await;
        let account = scene.record_of_team("account", team, &[("name", text("The team's"))]).await;
        for _ in 0..2 {
            assert!(!nodes.see(&user, "account", account).await);
            assert!(!nodes.let_write(&user, account).await);
            let member = scene.join(team, &user).await;
            assert!(nodes.see(&user, "account", account).await);
            assert!(nodes.let_write(&user, account).await);
            scene.unlink(&member).await;
        }
        assert!(!nodes.see(&user, "account", account).await);
        assert!(!nodes.let_write(&user, account).await);
    }

    pub async fn a_role_of_a_team_given_and_taken(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        let role = scene.role("Accounts", scene.root, &ACCOUNT).await;
        let team = scene.team("Team", scene.root, OWNER_TEAM).await;
        scene.join(team, &user).await;
        for _ in 0..2 {
            assert!(!nodes.see(&user, "account", account).await);
            let held = scene.give_team(team, role).await;
            assert!(nodes.see(&user, "account", account).await);
            assert!(nodes.let_write(&user, account).await);
            scene.unlink(&held).await;
        }
        assert!(!nodes.see(&user, "account", account).await);
        assert!(!nodes.let_write(&user, account).await);
    }

    pub async fn a_share_granted_and_revoked(world: World) {
        let nodes = Nodes::of(world).await;
        let user = nodes.scene.user("user", nodes.scene.root).await;
        shared_and_not(&nodes, &user, user.user).await;
    }

    pub async fn a_share_to_a_team_granted_and_revoked(world: World) {
        let nodes = Nodes::of(world).await;
        let user = nodes.scene.user("user", nodes.scene.root).await;
        let team = nodes.scene.team("Access", nodes.scene.root, ACCESS_TEAM).await;
        nodes.scene.join(team, &user).await;
        shared_and_not(&nodes, &user, team).await;
    }

    async fn shared_and_not(nodes: &Nodes, user: &Caller, with: Guid) {
        let scene = &nodes.scene;
        scene.give(user, scene.role("Accounts", scene.root, &ACCOUNT).await).await;
        let account = scene.account(&scene.admin, "Shared").await;
        let target = || scene.world.reference("account", account);
        assert!(!nodes.see(user, "account", account).await);
        scene.share("account", account, with, 1).await;
        assert!(nodes.see(user, "account", account).await);
        assert!(!nodes.let_write(user, account).await);
        scene.share("account", account, with, 2).await;
        assert!(nodes.let_write(user, account).await);
        scene.org().modify_access(&scene.admin, target(), with, RightsMask(1)).await.unwrap();
        assert!(!nodes.let_write(user, account).await);
        assert!(nodes.see(user, "account", account).await);
        scene.org().revoke_access(&scene.admin, target(), with).await.unwrap();
        assert!(!nodes.see(user, "account", account).await);
    }

    pub async fn a_column_secured_and_opened_by_a_profile(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        scene.give(&user, scene.role("Accounts", scene.root, &ACCOUNT).await).await;
        let limit = |units: i64| Value::Money(Money(units * 10_000));
        scene.change("account", account, &[("creditlimit", limit(5))]).await;
        let read = async || {
            let mut values = Vec::new();
            for org in [&nodes.other, scene.org()] {
                let mut rows = custodia_org::Rows::default();
                let query = scene.world.query("account", &["creditlimit"], &[("accountid", Value::Guid(account))]);
                org.query(&user, &query, &mut rows).await.unwrap();
                values.push(rows.rows[0][1].clone());
            }
            assert_eq!(values[0], values[1], "the nodes differ");
            values.remove(0)
        };
        let write = async |org: &Organization| {
            code(scene.try_change_at(org, &user, "account", account, &[("creditlimit", limit(6))]).await)
        };
        assert_eq!(read().await, limit(5));
        assert_eq!(write(&nodes.other).await, None);
        scene.secure("account", "creditlimit").await;
        assert_eq!(write(&nodes.other).await, Some(0x8004_f507));
        assert_eq!(write(scene.org()).await, Some(0x8004_f507));
        assert_eq!(read().await, Value::Null);
        let profile = scene.profile("Open", "account", "creditlimit", [true, false, true]).await;
        let held = scene.give_profile(&user, profile).await;
        assert_eq!(read().await, limit(6));
        assert_eq!(write(&nodes.other).await, None);
        scene.unlink(&held).await;
        assert_eq!(read().await, Value::Null);
        assert_eq!(write(&nodes.other).await, Some(0x8004_f507));
        // Secured anew, and read first.
        scene.give_profile(&user, profile).await;
        assert_eq!(read().await, limit(6));
    }

    pub async fn a_user_disabled_and_enabled(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        scene.give(&user, scene.role("Accounts", scene.root, &ACCOUNT).await).await;
        for _ in 0..2 {
            assert!(nodes.see(&user, "account", account).await);
            assert!(nodes.let_write(&user, account).await);
            scene.change("systemuser", user.user, &[("isdisabled", Value::Boolean(true))]).await;
            assert!(!nodes.see(&user, "account", account).await);
            assert!(!nodes.let_write(&user, account).await);
            scene.change("systemuser", user.user, &[("isdisabled", Value::Boolean(false))]).await;
        }
        assert!(nodes.see(&user, "account", account).await);
    }

    pub async fn a_user_moved(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let east = scene.unit("East", scene.root).await;
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let user = scene.user("user", scene.root).await;
        scene.give(&user, local).await;
        let account = scene.account(&scene.admin, "A").await;
        assert!(nodes.see(&user, "account", account).await);
        scene.change("systemuser", user.user, &[("businessunitid", scene.world.lookup("businessunit", east))]).await;
        scene.give(&user, local).await;
        assert!(!nodes.see(&user, "account", account).await);
    }

    pub async fn a_unit_moved(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let moved = scene.unit("Moved", east).await;
        let deep = scene.role("Deep", scene.root, &[("prvReadAccount", Deep)]).await;
        let [user, owner] = [scene.user("user", west).await, scene.user("owner", moved).await];
        scene.give(&user, deep).await;
        scene.give(&owner, deep).await;
        let account = scene.account(&owner, "A").await;
        for (parent, sees) in [(west, true), (east, false), (west, true)] {
            let under = scene.world.lookup("businessunit", parent);
            scene.change("businessunit", moved, &[("parentbusinessunitid", under)]).await;
            assert_eq!(nodes.see(&user, "account", account).await, sees);
        }
    }

    pub async fn a_record_assigned(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let role = scene.role("Accounts", scene.root, &ACCOUNT).await;
        let [one, two] = [scene.user("one", scene.root).await, scene.user("two", scene.root).await];
        scene.give(&one, role).await;
        scene.give(&two, role).await;
        let account = scene.account(&one, "A").await;
        assert!(nodes.see(&one, "account", account).await);
        scene.change("account", account, &[("ownerid", scene.world.lookup("systemuser", two.user))]).await;
        assert!(!nodes.see(&one, "account", account).await);
        assert!(!nodes.let_write(&one, account).await);
        assert!(nodes.see(&two, "account", account).await);
    }

    pub async fn a_caller_behind_another_loses_the_right_to_act(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        let wide = [("prvReadAccount", Global), ("prvWriteAccount", Global)];
        let role = scene.role("Accounts", scene.root, &wide).await;
        scene.give(&user, role).await;
        let caller = scene.user("caller", scene.root).await;
        scene.give(&caller, role).await;
        let acting = scene.role("Acting", scene.root, &[("prvActOnBehalfOfAnotherUser", Global)]).await;
        let both = Caller { acting_for: Some(user.user), ..caller.clone() };
        for _ in 0..2 {
            assert!(!nodes.see(&both, "account", account).await);
            let held = scene.give(&caller, acting).await;
            assert!(nodes.see(&both, "account", account).await);
            assert!(nodes.let_write(&both, account).await);
            scene.unlink(&held).await;
        }
        assert!(!nodes.see(&both, "account", account).await);
        assert!(!nodes.let_write(&both, account).await);
    }

    pub async fn rights_of_somebody_else_are_asked_for(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        let (user, account) = user_with_account(scene).await;
        let role = scene.role("Accounts", scene.root, &ACCOUNT).await;
        let table = scene.world.table("account");
        let ask = async || {
            let mut rights = Vec::new();
            for org in [&nodes.other, scene.org()] {
                rights.push(
                    org.principal_access(&scene.admin, Principal::User(user.user), table, account).await.unwrap(),
                );
            }
            assert_eq!(rights[0], rights[1], "the nodes differ");
            rights[0]
        };
        for _ in 0..2 {
            assert_eq!(ask().await, RightsMask::NONE);
            let held: Link = scene.give(&user, role).await;
            assert_eq!(ask().await, RightsMask(3));
            scene.unlink(&held).await;
        }
        assert_eq!(ask().await, RightsMask::NONE);
        assert_eq!(code(nodes.other.principal_access(&user, Principal::User(user.user), table, account).await), LACKS);
    }

    pub async fn a_table_made_by_the_other_node(world: World) {
        let nodes = Nodes::of(world).await;
        let scene = &nodes.scene;
        // Tables are made on first use, here by the first node, and then used by the one that has not heard of them.
        let lead = scene.record("lead", &scene.admin, &[("lastname", text("L"))]).await;
        assert!(nodes.see(&scene.admin, "lead", lead).await);
        let campaign = scene.record("campaign", &scene.admin, &[("name", text("C"))]).await;
        scene.try_change_at(&nodes.other, &scene.admin, "campaign", campaign, &[("name", text("D"))]).await.unwrap();
        assert!(nodes.see(&scene.admin, "campaign", campaign).await);
    }
}
