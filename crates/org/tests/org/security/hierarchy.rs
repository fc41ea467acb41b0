//! Managers and positions: what the chain opens, how it follows changes, and what may not be made of it.

use crate::on_both_engines;

on_both_engines! {
    a_chain_of_managers_follows_every_change;
    teams_and_shares_of_reports_are_reached_with_the_rights_shared;
    a_manager_elsewhere_is_refused_and_opens_nothing;
    nobody_is_above_themselves;
    positions_open_what_lies_below_in_any_unit;
    switching_asks_for_its_privilege_and_for_values_that_there_are;
    the_chain_is_the_same_however_it_came_about;
    a_deep_chain_is_not_put_below_another;
}

mod bodies {
    use custodia_org::{Caller, Error};
    use custodia_schema::{Guid, Level, Value};

    use crate::security::load::text;
    use crate::security::scene::{ACCESS_TEAM, LACKS, OWNER_TEAM, Scene, code};
    use crate::world::World;

    use Level::{Basic, Global};

    const READ: u32 = 1;
    const WRITE: u32 = 2;
    const READS_AND_WRITES: [(&str, Level); 2] = [("prvReadAccount", Basic), ("prvWriteAccount", Basic)];

    async fn people<const N: usize>(scene: &Scene, names: [&str; N]) -> [Caller; N] {
        let role = scene.role("Own rows", scene.root, &READS_AND_WRITES).await;
        let mut people = Vec::new();
        for name in names {
            let user = scene.user(name, scene.root).await;
            scene.give(&user, role).await;
            people.push(user);
        }
        people.try_into().unwrap()
    }

    pub async fn a_chain_of_managers_follows_every_change(world: World) {
        let scene = Scene::of(world);
        let [top, middle, low, other] = people(&scene, ["top", "middle", "low", "other"]).await;
        let account = scene.account(&low, "A").await;
        scene.under(&low, &middle).await;
        scene.switch_hierarchy(false, 3).await;
        // Who has reports of their own is put below somebody.
        assert!(!scene.sees(&top, "account", account).await);
        scene.under(&middle, &top).await;
        assert!(scene.sees(&top, "account", account).await);
        // And below somebody else.
        scene.under(&middle, &other).await;
        assert!(!scene.sees(&top, "account", account).await);
        assert!(scene.sees(&other, "account", account).await);
        assert!(scene.sees(&middle, "account", account).await);
        scene.change("systemuser", middle.user, &[("parentsystemuserid", Value::Null)]).await;
        assert!(!scene.sees(&other, "account", account).await);
        // A new user begins where they are put.
        let values = [
            ("lastname", text("New")),
            ("domainname", text("new@demo.example")),
            ("businessunitid", scene.world.lookup("businessunit", scene.root)),
            ("parentsystemuserid", scene.world.lookup("systemuser", low.user)),
        ];
        let new = scene.world.create(&scene.admin, "systemuser", &values).await;
        let new = Caller::user(new, Guid::from_u128(9));
        scene.give(&new, scene.role("Reads", scene.root, &[("prvReadAccount", Basic)]).await).await;
        let theirs = scene.account(&new, "B").await;
        assert!(scene.sees(&low, "account", theirs).await);
        assert!(scene.sees(&middle, "account", theirs).await);
        // Switched off, it opens nothing.
        let off = [("ishierarchicalsecuritymodelenabled", Value::Boolean(false))];
        scene.change("organization", scene.org().id(), &off).await;
        assert!(!scene.sees(&low, "account", theirs).await);
        scene.under(&middle, &top).await;
        scene.switch_hierarchy(false, 5).await;
        assert!(scene.sees(&top, "account", theirs).await, "what changed meanwhile is known");
    }

    pub async fn teams_and_shares_of_reports_are_reached_with_the_rights_shared(world: World) {
        let scene = Scene::of(world);
        let [manager, report, stranger] = people(&scene, ["manager", "report", "stranger"]).await;
        scene.under(&report, &manager).await;
        scene.switch_hierarchy(false, 3).await;
        let reader = scene.role("Team reads", scene.root, &[("prvReadAccount", Basic)]).await;
        let owners = scene.team("Owners", scene.root, OWNER_TEAM).await;
        scene.give_team(owners, reader).await;
        let of_team = scene.record_of_team("account", owners, &[("name", text("Of the team"))]).await;
        assert!(!scene.sees(&manager, "account", of_team).await);
        scene.join(owners, &report).await;
        assert!(scene.sees(&manager, "account", of_team).await);
        scene.try_change(&manager, "account", of_team, &[("name", text("By the manager"))]).await.unwrap();

        let shared = scene.account(&stranger, "Shared").await;
        let circle = scene.team("Circle", scene.root, ACCESS_TEAM).await;
        scene.join(circle, &report).await;
        scene.share("account", shared, circle, READ).await;
        assert!(scene.sees(&manager, "account", shared).await);
        let written = scene.try_change(&manager, "account", shared, &[("name", text("X"))]).await;
        assert_eq!(code(written), LACKS, "shared for reading");
        scene.share("account", shared, report.user, READ | WRITE).await;
        scene.try_change(&manager, "account", shared, &[("name", text("X"))]).await.unwrap();
        scene.org().revoke_access(&scene.admin, scene.world.reference("account", shared), report.user).await.unwrap();
        assert_eq!(code(scene.try_change(&manager, "account", shared, &[("name", text("Y"))]).await), LACKS);

        // What a report inherits from a parent record is not passed on.
        let contacts = scene.role("Contacts", scene.root, &[("prvReadContact", Basic)]).await;
        for user in [&manager, &report, &stranger] {
            scene.give(user, contacts).await;
        }
        let contact = scene.contact(&stranger, "C", scene.account(&report, "Parent").await).await;
        assert!(scene.sees(&report, "contact", contact).await);
        assert!(!scene.sees(&manager, "contact", contact).await);
    }

    pub async fn a_manager_elsewhere_is_refused_and_opens_nothing(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let west = scene.unit("West", scene.root).await;
        let role = scene.role("Own rows", scene.root, &READS_AND_WRITES).await;
        let [manager, report, head] =
            [scene.user("m", east).await, scene.user("r", east).await, scene.user("h", scene.root).await];
        for user in [&manager, &report, &head] {
            scene.give(user, role).await;
        }
        scene.switch_hierarchy(false, 3).await;
        let to = |user: &Caller| [("parentsystemuserid", scene.world.lookup("systemuser", user.user))];
        scene.under(&manager, &head).await;
        let down = scene.try_change(&scene.admin, "systemuser", head.user, &to(&report)).await;
        assert_eq!(code(down), Some(0x8004_1d07), "a manager below");
        let away = scene.user("a", west).await;
        let beside = scene.try_change(&scene.admin, "systemuser", away.user, &to(&manager)).await;
        assert_eq!(code(beside), Some(0x8004_1d07), "a manager beside");
        let values = [
            ("lastname", text("New")),
            ("domainname", text("new@demo.example")),
            ("businessunitid", scene.world.lookup("businessunit", west)),
            ("parentsystemuserid", scene.world.lookup("systemuser", manager.user)),
        ];
        assert_eq!(code(scene.try_create(&scene.admin, "systemuser", &values).await), Some(0x8004_1d07));

        scene.under(&report, &manager).await;
        let account = scene.account(&report, "A").await;
        assert!(scene.sees(&manager, "account", account).await);
        // The report moves out of the line: the link is there, and opens nothing.
        scene.change("systemuser", report.user, &[("businessunitid", scene.world.lookup("businessunit", west))]).await;
        assert!(!scene.sees(&manager, "account", account).await);
        assert!(scene.sees(&head, "account", account).await, "the root is above both");
        scene.switch("ManagersMustBeInSameOrParentBusinessUnitAsReports", false).await;
        assert!(scene.sees(&manager, "account", account).await);
        scene.under(&away, &manager).await;
    }

    pub async fn nobody_is_above_themselves(world: World) {
        let scene = Scene::of(world);
        let [one, two, three] = people(&scene, ["one", "two", "three"]).await;
        scene.under(&two, &one).await;
        scene.under(&three, &two).await;
        for above in [&one, &two, &three] {
            let manager = [("parentsystemuserid", scene.world.lookup("systemuser", above.user))];
            let refused = scene.try_change(&scene.admin, "systemuser", one.user, &manager).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        let position = async |name: &str, parent: Option<Guid>| {
            let mut values = vec![("name", text(name))];
            values.extend(parent.map(|parent| ("parentpositionid", scene.world.lookup("position", parent))));
            scene.world.create(&scene.admin, "position", &values).await
        };
        let upper = position("Upper", None).await;
        let lower = position("Lower", Some(upper)).await;
        for below in [upper, lower] {
            let parent = [("parentpositionid", scene.world.lookup("position", below))];
            let refused = scene.try_change(&scene.admin, "position", upper, &parent).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
    }

    pub async fn positions_open_what_lies_below_in_any_unit(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let role = scene.role("Own rows", scene.root, &READS_AND_WRITES).await;
        let mut positions: Vec<Guid> = Vec::new();
        let mut people: Vec<Caller> = Vec::new();
        for (name, unit) in [("head", east), ("manager", scene.root), ("clerk", scene.root)] {
            let user = scene.user(name, unit).await;
            scene.give(&user, role).await;
            let mut values = vec![("name", text(name))];
            let above = positions.last().map(|above| scene.world.lookup("position", *above));
            values.extend(above.map(|above| ("parentpositionid", above)));
            let position = scene.world.create(&scene.admin, "position", &values).await;
            scene.change("systemuser", user.user, &[("positionid", scene.world.lookup("position", position))]).await;
            positions.push(position);
            people.push(user);
        }
        let twin = scene.user("twin", scene.root).await;
        scene.give(&twin, role).await;
        scene.change("systemuser", twin.user, &[("positionid", scene.world.lookup("position", positions[1]))]).await;
        scene.switch_hierarchy(true, 2).await;
        let account = scene.account(&people[2], "A").await;
        for (user, writes) in [(&people[0], false), (&people[1], true), (&twin, true)] {
            assert!(scene.sees(user, "account", account).await);
            let written = scene.try_change(user, "account", account, &[("name", text("B"))]).await;
            assert_eq!(code(written), if writes { None } else { LACKS });
        }
        let of_manager = scene.account(&people[1], "Of the manager").await;
        assert!(!scene.sees(&twin, "account", of_manager).await, "one position is not above itself");
        assert!(!scene.sees(&people[2], "account", of_manager).await);
        // A position moves, with whoever holds it.
        scene.change("position", positions[1], &[("parentpositionid", Value::Null)]).await;
        assert!(!scene.sees(&people[0], "account", account).await);
        assert!(scene.sees(&people[1], "account", account).await);
        scene.change("systemuser", people[2].user, &[("positionid", Value::Null)]).await;
        assert!(!scene.sees(&people[1], "account", account).await);
        scene
            .change("systemuser", people[2].user, &[("positionid", scene.world.lookup("position", positions[2]))])
            .await;
        assert!(scene.sees(&people[1], "account", account).await);
        scene.try_delete(&scene.admin, "position", positions[1]).await.unwrap();
        assert!(!scene.sees(&people[1], "account", account).await);
    }

    pub async fn switching_asks_for_its_privilege_and_for_values_that_there_are(world: World) {
        let scene = Scene::of(world);
        let writer = [("prvReadOrganization", Global), ("prvWriteOrganization", Global)];
        let user = scene.user("writer", scene.root).await;
        scene.give(&user, scene.role("Writes the organisation", scene.root, &writer).await).await;
        let on = [("ishierarchicalsecuritymodelenabled", Value::Boolean(true))];
        let organization = scene.org().id();
        assert_eq!(code(scene.try_change(&user, "organization", organization, &on).await), LACKS);
        let more = scene.role("Switches", scene.root, &[("prvConfigureHierarchySecurity", Global)]).await;
        scene.give(&user, more).await;
        scene.try_change(&user, "organization", organization, &on).await.unwrap();
        for depth in [0, -1, 101] {
            let depth = [("maxdepthforhierarchicalsecuritymodel", Value::Integer(depth))];
            let refused = scene.try_change(&scene.admin, "organization", organization, &depth).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        for options in [
            "<OrgSettings>",
            "<Other/>",
            "<OrgSettings><EnableOwnershipAcrossBusinessUnits>maybe</EnableOwnershipAcrossBusinessUnits></OrgSettings>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><OrgSettings>&b;</OrgSettings>",
        ] {
            let options = [("orgdborgsettings", text(options))];
            let refused = scene.try_change(&scene.admin, "organization", organization, &options).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{options:?}");
        }
        // Choosing a manager or a position takes a privilege, also for a user who is being made.
        let users = [
            ("prvReadUser", Global),
            ("prvCreateUser", Global),
            ("prvWriteUser", Global),
            ("prvAppendUser", Global),
            ("prvAppendToUser", Global),
            ("prvAppendToBusinessUnit", Global),
            ("prvAppendBusinessUnit", Global),
        ];
        scene.give(&user, scene.role("Makes users", scene.root, &users).await).await;
        let values = [
            ("lastname", text("New")),
            ("domainname", text("new@demo.example")),
            ("businessunitid", scene.world.lookup("businessunit", scene.root)),
            ("parentsystemuserid", scene.world.lookup("systemuser", user.user)),
        ];
        assert_eq!(code(scene.try_create(&user, "systemuser", &values).await), LACKS);
        scene.try_create(&user, "systemuser", &values[..3]).await.unwrap();
    }

    /// What was kept step by step is what switching off and on again makes from the records.
    pub async fn the_chain_is_the_same_however_it_came_about(world: World) {
        let scene = Scene::of(world);
        let people = people(&scene, ["a", "b", "c", "d", "e", "f", "g"]).await;
        scene.switch_hierarchy(false, 3).await;
        let mut accounts = Vec::new();
        for user in &people {
            accounts.push(scene.account(user, "A").await);
        }
        let mut noise = 7_usize;
        for _ in 0..30 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (low, high) = ((noise >> 33) % people.len(), (noise >> 45) % people.len());
            let manager = [("parentsystemuserid", scene.world.lookup("systemuser", people[high].user))];
            let manager = if low == high { [("parentsystemuserid", Value::Null)] } else { manager };
            // A loop is refused, and changes nothing.
            let _refused = scene.try_change(&scene.admin, "systemuser", people[low].user, &manager).await;
        }
        let seen = async || {
            let mut seen = Vec::new();
            for user in &people {
                for account in &accounts {
                    seen.push(scene.sees(user, "account", *account).await);
                }
            }
            seen
        };
        let kept = seen().await;
        assert!(kept.iter().filter(|sees| **sees).count() > people.len(), "somebody manages somebody");
        let off = [("ishierarchicalsecuritymodelenabled", Value::Boolean(false))];
        scene.change("organization", scene.org().id(), &off).await;
        scene.switch_hierarchy(false, 3).await;
        assert_eq!(kept, seen().await);
    }

    pub async fn a_deep_chain_is_not_put_below_another(world: World) {
        let scene = Scene::of(world);
        let make = async |name: String, above: Option<Guid>| {
            let mut values = vec![("name", text(&name))];
            values.extend(above.map(|above| ("parentpositionid", scene.world.lookup("position", above))));
            scene.world.create(&scene.admin, "position", &values).await
        };
        let chain = async |name: &str, levels: usize| {
            let mut all: Vec<Guid> = Vec::new();
            for level in 0..levels {
                all.push(make(format!("{name} {level}"), all.last().copied()).await);
            }
            all
        };
        // As deep as it may be: a hundred above the lowest.
        let (upper, lower) = (chain("upper", 60).await, chain("lower", 41).await);
        let under = async |below: Guid, above: Guid| {
            let values = [("parentpositionid", scene.world.lookup("position", above))];
            scene.try_change(&scene.admin, "position", below, &values).await
        };
        under(lower[0], upper[59]).await.unwrap();
        // One more is refused from below and from above, and from in between.
        let one_below = scene.world.input(
            "position",
            &[("name", text("deepest")), ("parentpositionid", scene.world.lookup("position", lower[40]))],
        );
        let refused = scene.org().create(&scene.admin, one_below).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains("levels")), "{refused:?}");
        let top = make("top".to_owned(), None).await;
        let refused = under(upper[0], top).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains("levels")), "{refused:?}");
        let clear = [("parentpositionid", Value::Null)];
        scene.try_change(&scene.admin, "position", lower[0], &clear).await.unwrap();
        under(upper[0], top).await.unwrap();
        let refused = under(lower[0], upper[59]).await;
        assert!(matches!(&refused, Err(Error::Invalid(why)) if why.contains("levels")), "{refused:?}");
        under(lower[0], upper[58]).await.unwrap();
    }
}
