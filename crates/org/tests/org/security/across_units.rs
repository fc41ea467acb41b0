//! Ownership as settings of the organisation have it: across business units, and shared back; and roles of units that move.

use crate::on_both_engines;

on_both_engines! {
    a_row_is_put_into_another_unit_only_where_it_is_switched_on;
    the_unit_of_a_row_changes_within_reach;
    roles_of_other_units_are_held_and_measured_from_there;
    who_moves_leaves_rows_where_they_are;
    a_unit_with_rows_of_others_is_not_deleted;
    copies_of_roles_follow_a_unit_that_moves;
    a_former_owner_keeps_a_share_where_the_organisation_wants_it;
}

mod bodies {
    use custodia_org::{Error, LinkRequest};
    use custodia_schema::{Guid, Level, Value};

    use crate::security::load::text;
    use crate::security::scene::{LACKS, Scene, code};
    use crate::world::World;

    use Level::{Basic, Deep, Local};

    const SWITCH: &str = "EnableOwnershipAcrossBusinessUnits";

    async fn unit_of(scene: &Scene, account: Guid) -> Guid {
        let key = [("accountid", Value::Guid(account))];
        let rows = scene.world.select(&scene.admin, "account", &["owningbusinessunit"], &key).await;
        rows[0][0].guid().unwrap()
    }

    pub async fn a_row_is_put_into_another_unit_only_where_it_is_switched_on(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let local = [("prvReadAccount", Local), ("prvCreateAccount", Local)];
        let role = scene.role("Local", scene.root, &local).await;
        let [user, eastern] = [scene.user("user", west).await, scene.user("eastern", east).await];
        scene.give(&user, role).await;
        scene.give(&eastern, role).await;
        let into = |unit| [("name", text("A")), ("owningbusinessunit", scene.world.lookup("businessunit", unit))];
        // As a column that callers do not set, it is passed over.
        let account = scene.try_create(&user, "account", &into(east)).await.unwrap();
        assert_eq!(unit_of(&scene, account).await, west);
        scene.switch(SWITCH, true).await;
        assert_eq!(code(scene.try_create(&user, "account", &into(east)).await), LACKS, "out of reach");
        let reaches = scene.role("Reaches the east", scene.root, &local).await;
        let copy = scene.copy(reaches, east).await;
        scene.link(scene.has_role(&user, copy)).await;
        let account = scene.try_create(&user, "account", &into(east)).await.unwrap();
        assert_eq!((unit_of(&scene, account).await, scene.owner_of("account", account).await), (east, user.user));
        assert!(scene.sees(&eastern, "account", account).await);
        // Nobody is there to hold a row in a unit that is disabled, or is none.
        scene.change("businessunit", east, &[("isdisabled", Value::Boolean(true))]).await;
        assert_eq!(code(scene.try_create(&user, "account", &into(east)).await), Some(0x8004_032d));
        let nowhere = scene.try_create(&user, "account", &into(Guid::from_u128(5))).await;
        assert!(matches!(nowhere, Err(Error::NotFound { .. })), "{nowhere:?}");
    }

    pub async fn the_unit_of_a_row_changes_within_reach(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let below = scene.unit("East1", east).await;
        let west = scene.unit("West", scene.root).await;
        let deep = [("prvReadAccount", Deep), ("prvWriteAccount", Deep), ("prvAssignAccount", Deep)];
        let user = scene.user("user", east).await;
        scene.give(&user, scene.role("Deep", scene.root, &deep).await).await;
        let account = scene.account(&user, "A").await;
        let to = |unit| [("owningbusinessunit", scene.world.lookup("businessunit", unit))];
        scene.try_change(&user, "account", account, &to(below)).await.unwrap();
        assert_eq!(unit_of(&scene, account).await, east, "passed over while it is off");
        scene.switch(SWITCH, true).await;
        scene.try_change(&user, "account", account, &to(below)).await.unwrap();
        assert_eq!(unit_of(&scene, account).await, below);
        assert_eq!(code(scene.try_change(&user, "account", account, &to(west)).await), LACKS, "beside");
        assert_eq!(code(scene.try_change(&user, "account", account, &to(scene.root)).await), LACKS, "above");
        let none = scene.try_change(&user, "account", account, &[("owningbusinessunit", Value::Null)]).await;
        assert!(matches!(none, Err(Error::Invalid(_))), "{none:?}");
        assert_eq!(unit_of(&scene, account).await, below);
        scene.try_change(&user, "account", account, &to(below)).await.unwrap();
        // Write alone does not move a row.
        let writer = scene.user("writer", scene.root).await;
        let writes = [("prvReadAccount", Deep), ("prvWriteAccount", Deep)];
        scene.give(&writer, scene.role("Writes", scene.root, &writes).await).await;
        scene.try_change(&writer, "account", account, &[("name", text("B"))]).await.unwrap();
        assert_eq!(code(scene.try_change(&writer, "account", account, &to(west)).await), LACKS);
        // A new owner takes the row along, unless its place is said as well.
        let other = scene.user("other", west).await;
        scene.give(&other, scene.role("Reads", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let owner = ("ownerid", scene.world.lookup("systemuser", other.user));
        let stays = ("owningbusinessunit", scene.world.lookup("businessunit", below));
        scene.change("account", account, &[owner.clone(), stays]).await;
        assert_eq!((unit_of(&scene, account).await, scene.owner_of("account", account).await), (below, other.user));
        scene.change("account", account, &[("ownerid", scene.world.lookup("systemuser", user.user))]).await;
        assert_eq!(unit_of(&scene, account).await, east);
    }

    pub async fn roles_of_other_units_are_held_and_measured_from_there(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let basic = scene.role("Basic", scene.root, &[("prvReadAccount", Basic)]).await;
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let [user, eastern, western] =
            [scene.user("user", west).await, scene.user("e", east).await, scene.user("w", west).await];
        for user in [&eastern, &western] {
            scene.give(user, basic).await;
        }
        let [in_east, in_west] = [scene.account(&eastern, "E").await, scene.account(&western, "W").await];
        let link = LinkRequest {
            record: scene.world.reference("systemuser", user.user),
            relationship: "systemuserroles_association".into(),
            other: scene.world.reference("role", scene.copy(local, east).await),
        };
        assert_eq!(code(scene.org().associate(&scene.admin, link.clone()).await), Some(0x8004_1d36));
        scene.switch(SWITCH, true).await;
        scene.org().associate(&scene.admin, link).await.unwrap();
        assert!(scene.sees(&user, "account", in_east).await);
        assert!(!scene.sees(&user, "account", in_west).await);
        // A team holds roles of its own unit only.
        let team = scene.team("Team", west, 0).await;
        let link = LinkRequest {
            record: scene.world.reference("team", team),
            relationship: "teamroles_association".into(),
            other: scene.world.reference("role", scene.copy(local, east).await),
        };
        assert_eq!(code(scene.org().associate(&scene.admin, link).await), Some(0x8004_1d36));
    }

    pub async fn who_moves_leaves_rows_where_they_are(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        scene.switch(SWITCH, true).await;
        let local = scene.role("Local", scene.root, &[("prvReadAccount", Local)]).await;
        let [mover, colleague] = [scene.user("mover", east).await, scene.user("colleague", east).await];
        scene.give(&mover, local).await;
        scene.give(&colleague, local).await;
        scene.link(scene.has_role(&mover, scene.copy(local, west).await)).await;
        let [own, other] = [scene.account(&mover, "A").await, scene.account(&colleague, "B").await];
        assert!(scene.sees(&mover, "account", other).await);
        scene.change("systemuser", mover.user, &[("businessunitid", scene.world.lookup("businessunit", west))]).await;
        assert_eq!(unit_of(&scene, own).await, east);
        assert!(scene.sees(&colleague, "account", own).await);
        // The role of the unit left is lost, the other one stays.
        assert!(!scene.sees(&mover, "account", other).await);
        assert!(scene.sees(&mover, "account", own).await);
    }

    pub async fn a_unit_with_rows_of_others_is_not_deleted(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        scene.switch(SWITCH, true).await;
        let into = [("name", text("A")), ("owningbusinessunit", scene.world.lookup("businessunit", east))];
        let account = scene.try_create(&scene.admin, "account", &into).await.unwrap();
        scene.change("businessunit", east, &[("isdisabled", Value::Boolean(true))]).await;
        assert_eq!(code(scene.try_delete(&scene.admin, "businessunit", east).await), Some(0x8004_1d62));
        let back = [("owningbusinessunit", scene.world.lookup("businessunit", scene.root))];
        scene.change("account", account, &back).await;
        scene.try_delete(&scene.admin, "businessunit", east).await.unwrap();
    }

    pub async fn copies_of_roles_follow_a_unit_that_moves(world: World) {
        let scene = Scene::of(world);
        let [east, west] = [scene.unit("East", scene.root).await, scene.unit("West", scene.root).await];
        let below = scene.unit("East1", east).await;
        let lowest = scene.unit("East11", below).await;
        let reads = [("prvReadAccount", Basic)];
        let everywhere = scene.role("Everywhere", scene.root, &reads).await;
        let of_east = scene.role("Of the east", east, &reads).await;
        let of_west = scene.role("Of the west", west, &reads).await;
        let own = scene.role("Own", below, &reads).await;
        let [loses, keeps] = [scene.user("loses", lowest).await, scene.user("keeps", lowest).await];
        scene.give(&loses, of_east).await;
        scene.give(&keeps, everywhere).await;
        let account = scene.account(&loses, "A").await;
        assert!(scene.sees(&loses, "account", account).await);
        scene
            .change("businessunit", below, &[("parentbusinessunitid", scene.world.lookup("businessunit", west))])
            .await;
        assert!(!scene.sees(&loses, "account", account).await);
        assert!(scene.is_refused(&loses, "account").await);
        assert!(!scene.is_refused(&keeps, "account").await);
        for unit in [below, lowest] {
            let equal = [("businessunitid", Value::Guid(unit))];
            let held = scene.world.select(&scene.admin, "role", &["parentrootroleid", "parentroleid"], &equal).await;
            let has = |root: Guid| held.iter().any(|row| row[0] == Value::Guid(root));
            assert!(has(everywhere) && has(of_west) && has(own), "{held:?}");
            assert!(!has(of_east));
            let parents = [("businessunitid", Value::Guid(if unit == below { west } else { below }))];
            let above = scene.world.select(&scene.admin, "role", &["roleid"], &parents).await;
            let copies = held.iter().filter(|row| row[1] != Value::Null);
            assert!(copies.clone().count() >= 2);
            for copy in copies {
                assert!(above.iter().any(|role| role[0] == copy[1]), "a copy follows the one above it");
            }
        }
        scene.give(&loses, of_west).await;
        assert!(scene.sees(&loses, "account", account).await);
    }

    pub async fn a_former_owner_keeps_a_share_where_the_organisation_wants_it(world: World) {
        let scene = Scene::of(world);
        let own = [("prvReadAccount", Basic), ("prvWriteAccount", Basic), ("prvDeleteAccount", Basic)];
        let role = scene.role("Own", scene.root, &own).await;
        let [from, to] = [scene.user("from", scene.root).await, scene.user("to", scene.root).await];
        scene.give(&from, role).await;
        scene.give(&to, role).await;
        let [lost, kept] = [scene.account(&from, "A").await, scene.account(&from, "B").await];
        let owner = [("ownerid", scene.world.lookup("systemuser", to.user))];
        scene.change("account", lost, &owner).await;
        assert!(!scene.sees(&from, "account", lost).await);
        let on = [("sharetopreviousowneronassign", Value::Boolean(true))];
        scene.change("organization", scene.org().id(), &on).await;
        scene.change("account", kept, &owner).await;
        assert!(scene.sees(&from, "account", kept).await);
        scene.try_change(&from, "account", kept, &[("name", text("C"))]).await.unwrap();
        assert_eq!(code(scene.try_delete(&from, "account", kept).await), LACKS);
        assert_eq!(scene.owner_of("account", kept).await, to.user);
        // Given back, it is not shared with its owner.
        scene.change("account", kept, &[("ownerid", scene.world.lookup("systemuser", from.user))]).await;
        let shares = scene.org().shared_with(&scene.admin, scene.world.reference("account", kept)).await.unwrap();
        let with: Vec<_> = shares.iter().map(|share| share.principal).collect();
        assert!(with.contains(&to.user));
    }
}
