//! Access teams that a template gives a record.

use crate::on_both_engines;

on_both_engines! {
    a_record_team_is_made_once_and_goes_with_its_last_member;
    who_adds_holds_share_and_what_the_template_gives;
    a_record_team_is_not_touched_by_hand;
    a_record_team_goes_with_its_record_and_with_its_template;
    a_team_that_owns_records_keeps_its_template;
    templates_that_say_nothing_are_refused;
    a_team_of_the_same_id_is_not_taken_for_it;
    what_the_team_was_given_is_held_by_whoever_adds;
}

mod bodies {
    use custodia_access::{Authority, Permit};
    use custodia_org::{Caller, Error, RecordInput, RecordTeamMember};
    use custodia_schema::{Guid, Level, PrivilegeKind, Value};

    use crate::security::load::text;
    use crate::security::scene::{LACKS, OWNER_TEAM, Scene, code};
    use crate::world::World;

    use Level::{Basic, Global};

    const READ: u32 = 1;
    const WRITE: u32 = 2;

    struct Stage {
        scene: Scene,
        /// May share accounts and read and write them.
        owner: Caller,
        user: Caller,
        other: Caller,
        account: Guid,
        template: Guid,
    }

    async fn template(scene: &Scene, table: &str, mask: u32) -> Result<Guid, Error> {
        let code = i32::try_from(scene.world.table(table).0).unwrap();
        let values = [
            ("teamtemplatename", text("Deal team")),
            ("objecttypecode", Value::Integer(code)),
            ("defaultaccessrightsmask", Value::Integer(i32::try_from(mask).unwrap())),
        ];
        scene.try_create(&scene.admin, "teamtemplate", &values).await
    }

    async fn stage(world: World) -> Stage {
        let scene = Scene::of(world);
        let own = [
            ("prvReadAccount", Basic),
            ("prvWriteAccount", Basic),
            ("prvShareAccount", Basic),
            ("prvDeleteAccount", Basic),
            ("prvReadCustomization", Global),
        ];
        let role = scene.role("Own rows", scene.root, &own).await;
        let mut people = Vec::new();
        for name in ["owner", "user", "other"] {
            let user = scene.user(name, scene.root).await;
            scene.give(&user, role).await;
            people.push(user);
        }
        let [owner, user, other] = <[Caller; 3]>::try_from(people).unwrap();
        let account = scene.account(&owner, "A").await;
        let template = template(&scene, "account", READ | WRITE).await.unwrap();
        Stage { scene, owner, user, other, account, template }
    }

    impl Stage {
        fn member(&self, user: &Caller) -> RecordTeamMember {
            let record = self.scene.world.reference("account", self.account);
            RecordTeamMember { user: user.user, record, template: self.template }
        }

        async fn add(&self, by: &Caller, user: &Caller) -> Result<Guid, Error> {
            self.scene.org().add_to_record_team(by, self.member(user)).await
        }

        async fn remove(&self, by: &Caller, user: &Caller) -> Result<Guid, Error> {
            self.scene.org().remove_from_record_team(by, self.member(user)).await
        }

        async fn teams(&self) -> Vec<Vec<Value>> {
            let kept = [("systemmanaged", Value::Boolean(true))];
            self.scene.world.select(&self.scene.admin, "team", &["teamid", "teamtype"], &kept).await
        }

        async fn shares(&self) -> usize {
            let target = self.scene.world.reference("account", self.account);
            self.scene.org().shared_with(&self.scene.admin, target).await.unwrap().len()
        }
    }

    pub async fn a_record_team_is_made_once_and_goes_with_its_last_member(world: World) {
        let stage = stage(world).await;
        let (scene, account) = (&stage.scene, stage.account);
        assert!(!scene.sees(&stage.user, "account", account).await);
        let team = stage.add(&stage.owner, &stage.user).await.unwrap();
        assert_eq!(stage.teams().await, [[Value::Guid(team), Value::BigInt(1)]]);
        assert!(scene.sees(&stage.user, "account", account).await);
        scene.try_change(&stage.user, "account", account, &[("name", text("B"))]).await.unwrap();
        assert_eq!(code(scene.try_delete(&stage.user, "account", account).await), LACKS);
        assert!(!scene.sees(&stage.other, "account", account).await);
        assert_eq!(stage.add(&stage.owner, &stage.user).await.unwrap(), team, "once more changes nothing");
        assert_eq!(stage.add(&stage.owner, &stage.other).await.unwrap(), team);
        assert!(scene.sees(&stage.other, "account", account).await);
        assert_eq!((stage.teams().await.len(), stage.shares().await), (1, 1));

        stage.remove(&stage.owner, &stage.user).await.unwrap();
        assert!(!scene.sees(&stage.user, "account", account).await);
        assert!(scene.sees(&stage.other, "account", account).await);
        stage.remove(&stage.owner, &stage.user).await.unwrap();
        stage.remove(&stage.owner, &stage.other).await.unwrap();
        assert!(!scene.sees(&stage.other, "account", account).await);
        assert_eq!((stage.teams().await.len(), stage.shares().await), (0, 0));
        // And anew.
        assert_eq!(stage.add(&stage.owner, &stage.user).await.unwrap(), team);
        assert!(scene.sees(&stage.user, "account", account).await);
        assert!(!scene.sees(&stage.other, "account", account).await);
    }

    pub async fn who_adds_holds_share_and_what_the_template_gives(world: World) {
        let stage = stage(world).await;
        let (scene, account) = (&stage.scene, stage.account);
        assert_eq!(code(stage.add(&stage.user, &stage.user).await), LACKS, "not even readable");
        // Share and Read, without the Write that the template gives.
        scene.share("account", account, stage.user.user, READ | 262_144).await;
        assert_eq!(code(stage.add(&stage.user, &stage.other).await), LACKS);
        assert!(stage.teams().await.is_empty(), "nothing is left of what was refused");
        stage.add(&stage.owner, &stage.other).await.unwrap();
        assert_eq!(code(stage.add(&stage.user, &stage.user).await), LACKS, "nor where the team is there already");
        scene.share("account", account, stage.user.user, WRITE).await;
        stage.add(&stage.user, &stage.user).await.unwrap();
        scene
            .org()
            .revoke_access(&scene.admin, scene.world.reference("account", account), stage.user.user)
            .await
            .unwrap();
        assert_eq!(code(stage.remove(&stage.user, &stage.other).await), LACKS, "a member without Share");
        // The privilege still decides.
        let blind = scene.user("blind", scene.root).await;
        stage.add(&stage.owner, &blind).await.unwrap();
        assert!(!scene.sees(&blind, "account", account).await);
        let nobody = Caller::user(Guid::from_u128(77), Guid::from_u128(1));
        assert!(matches!(stage.add(&stage.owner, &nobody).await, Err(Error::NotFound { .. })));
    }

    pub async fn a_record_team_is_not_touched_by_hand(world: World) {
        let stage = stage(world).await;
        let (scene, account) = (&stage.scene, stage.account);
        let team = stage.add(&stage.owner, &stage.user).await.unwrap();
        let other = scene.account(&stage.owner, "Other").await;
        for record in [account, other] {
            let target = scene.world.reference("account", record);
            let granted =
                scene.org().grant_access(&scene.admin, target.clone(), team, custodia_access::RightsMask(READ));
            assert_eq!(code(granted.await), Some(0x8004_8339));
            let modified =
                scene.org().modify_access(&scene.admin, target.clone(), team, custodia_access::RightsMask(READ));
            assert_eq!(code(modified.await), Some(0x8004_8339));
            assert_eq!(code(scene.org().revoke_access(&scene.admin, target, team).await), Some(0x8004_8339));
        }
        assert!(scene.sees(&stage.user, "account", account).await);
        let link = custodia_org::LinkRequest {
            record: scene.world.reference("team", team),
            relationship: "teammembership_association".into(),
            other: scene.world.reference("systemuser", stage.other.user),
        };
        assert!(matches!(scene.org().associate(&scene.admin, link.clone()).await, Err(Error::Invalid(_))));
        let link = custodia_org::LinkRequest { other: scene.world.reference("systemuser", stage.user.user), ..link };
        assert!(matches!(scene.org().disassociate(&scene.admin, link).await, Err(Error::Invalid(_))));
        assert!(matches!(scene.try_delete(&scene.admin, "team", team).await, Err(Error::Invalid(_))));
        let renamed = scene.try_change(&scene.admin, "team", team, &[("name", text("Mine"))]).await;
        assert!(matches!(renamed, Err(Error::Invalid(_))));
        let owned = [("ownerid", scene.world.lookup("team", team))];
        assert_eq!(code(scene.try_change(&scene.admin, "account", account, &owned).await), Some(0x8004_8340));
    }

    pub async fn a_record_team_goes_with_its_record_and_with_its_template(world: World) {
        let stage = stage(world).await;
        let scene = &stage.scene;
        stage.add(&stage.owner, &stage.user).await.unwrap();
        // Inherited by a contact, which goes alone.
        let contact = scene.contact(&stage.owner_with_contacts().await, "C", stage.account).await;
        scene.try_delete(&scene.admin, "contact", contact).await.unwrap();
        assert_eq!(stage.teams().await.len(), 1);
        assert!(scene.sees(&stage.user, "account", stage.account).await);
        scene.try_delete(&scene.admin, "account", stage.account).await.unwrap();
        assert!(stage.teams().await.is_empty());
        let members = scene.world.select(&scene.admin, "teammembership", &["systemuserid"], &[]).await;
        let defaults = scene.world.select(&scene.admin, "team", &["teamid"], &[]).await;
        assert!(members.len() >= defaults.len(), "members of default teams only: {members:?}");

        let account = scene.account(&stage.owner, "B").await;
        let stage = Stage { account, ..stage };
        stage.add(&stage.owner, &stage.user).await.unwrap();
        assert!(stage.scene.sees(&stage.user, "account", account).await);
        stage.scene.try_delete(&stage.scene.admin, "teamtemplate", stage.template).await.unwrap();
        assert!(stage.teams().await.is_empty());
        assert!(!stage.scene.sees(&stage.user, "account", account).await);
        assert_eq!(stage.shares().await, 0);
    }

    pub async fn a_team_that_owns_records_keeps_its_template(world: World) {
        let stage = stage(world).await;
        let scene = &stage.scene;
        let owners = scene.team("Owners", scene.root, OWNER_TEAM).await;
        let role = scene.role("Team reads", scene.root, &[("prvReadAccount", Basic)]).await;
        scene.give_team(owners, role).await;
        // No caller says what a team was made from; a database of an older program may hold such a team.
        let made_from = scene.world.lookup("teamtemplate", stage.template);
        let older = scene.org().database().write(move |transaction| {
            let made_from = made_from.clone();
            Box::pin(async move {
                let teams = transaction.schema().table_named("team").unwrap().clone();
                let permit = Permit::platform(&Authority::platform("test"), &teams, PrivilegeKind::Write)?;
                let column = teams.column("teamtemplateid").unwrap().id;
                transaction.update(permit, &teams, owners, vec![(column, made_from)])?;
                Ok::<_, custodia_store::Error>(())
            })
        });
        older.await.unwrap();
        let account = scene.record_of_team("account", owners, &[("name", text("Of the team"))]).await;
        let refused = scene.try_delete(&scene.admin, "teamtemplate", stage.template).await;
        assert_eq!(code(refused), Some(0x8004_830e), "nobody would own the record");
        let there = scene.world.select(&scene.admin, "team", &["name"], &[("teamid", Value::Guid(owners))]).await;
        assert_eq!(there.len(), 1);
        scene.try_delete(&scene.admin, "account", account).await.unwrap();
        scene.try_delete(&scene.admin, "teamtemplate", stage.template).await.unwrap();
    }

    impl Stage {
        async fn owner_with_contacts(&self) -> Caller {
            let role = self.scene.role("Contacts", self.scene.root, &[("prvReadContact", Basic)]).await;
            self.scene.give(&self.owner, role).await;
            self.owner.clone()
        }
    }

    pub async fn templates_that_say_nothing_are_refused(world: World) {
        let stage = stage(world).await;
        let scene = &stage.scene;
        for mask in [0, 8, 1 << 30] {
            assert_eq!(code(template(scene, "account", mask).await), Some(0x8004_020d), "{mask}");
        }
        assert!(matches!(template(scene, "product", READ).await, Err(Error::Invalid(_))));
        let of_contacts = template(scene, "contact", READ).await.unwrap();
        let member = RecordTeamMember { template: of_contacts, ..stage.member(&stage.user) };
        let refused = scene.org().add_to_record_team(&stage.owner, member).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        let mask = [("defaultaccessrightsmask", Value::Integer(8))];
        assert_eq!(code(scene.try_change(&scene.admin, "teamtemplate", of_contacts, &mask).await), Some(0x8004_020d));
    }

    pub async fn a_team_of_the_same_id_is_not_taken_for_it(world: World) {
        let stage = stage(world).await;
        let scene = &stage.scene;
        let id = stage.add(&stage.owner, &stage.user).await.unwrap();
        stage.remove(&stage.owner, &stage.user).await.unwrap();
        // Somebody who knows how ids are made makes an ordinary team of it, which is given a role later.
        let unit = scene.world.lookup("businessunit", scene.root);
        let values = [("name", text("Deal desk")), ("teamtype", Value::Integer(0)), ("businessunitid", unit)];
        let input = RecordInput { id: Some(id), ..scene.world.input("team", &values) };
        scene.org().create(&scene.admin, input).await.unwrap();
        let refused = stage.add(&stage.owner, &stage.owner).await;
        assert!(matches!(refused, Err(Error::Duplicate { .. })), "{refused:?}");
        let members = [("teamid", Value::Guid(id))];
        assert!(scene.world.select(&scene.admin, "teammembership", &["systemuserid"], &members).await.is_empty());
    }

    pub async fn what_the_team_was_given_is_held_by_whoever_adds(world: World) {
        let stage = stage(world).await;
        let scene = &stage.scene;
        stage.add(&stage.owner, &stage.user).await.unwrap();
        // The template says less from now on; the team that is there keeps what it has.
        let less = [("defaultaccessrightsmask", Value::Integer(i32::try_from(READ).unwrap()))];
        scene.try_change(&scene.admin, "teamtemplate", stage.template, &less).await.unwrap();
        scene.share("account", stage.account, stage.other.user, READ | 262_144).await;
        let refused = stage.add(&stage.other, &stage.other).await;
        assert_eq!(code(refused.map(drop)), LACKS);
    }
}
