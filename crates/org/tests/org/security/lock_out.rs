//! Nobody shuts an organisation out of itself: every way to lose the last System Administrator is refused and changes
//! nothing. And what is changed of roles, profiles and memberships is told by the audit.

use crate::on_both_engines;

on_both_engines! {
    the_last_administrator_is_kept_whichever_way_it_is_tried;
    an_administrator_by_team_or_disabled_does_not_count;
    the_copy_by_which_the_last_administrator_holds_the_role_is_kept;
    many_changes_at_once_leave_an_administrator;
    changes_of_rights_are_audited;
    a_stored_row_that_names_no_column_keeps_nobody_out;
}

mod bodies {
    use custodia_access::{Authority, Permit};
    use custodia_org::{Caller, Change, Error, LinkRequest, Precondition, RoleChange};
    use custodia_schema::{Guid, Level, PrivilegeKind, Value, builtin_roles};

    use crate::security::load::text;
    use crate::security::scene::{OWNER_TEAM, Scene, code, named};
    use crate::world::World;

    const LAST_DISABLED: Option<u32> = Some(0x8004_1d2f);
    const LAST_LOSES: Option<u32> = Some(0x8004_1d30);
    const ROLE_DELETED: Option<u32> = Some(0x8004_1d2e);

    fn administrators() -> Guid {
        builtin_roles().iter().find(|role| role.is_administrator()).unwrap().root_id
    }

    fn holds(scene: &Scene, user: Guid, role: Guid) -> LinkRequest {
        LinkRequest {
            record: scene.world.reference("systemuser", user),
            relationship: "systemuserroles_association".into(),
            other: scene.world.reference("role", role),
        }
    }

    /// The id of the link row between a user and a role.
    async fn link_row(scene: &Scene, user: Guid, role: Guid) -> Guid {
        let equal = [("systemuserid", Value::Guid(user)), ("roleid", Value::Guid(role))];
        let rows = scene.world.select(&scene.world.platform(), "systemuserroles", &["systemuserroleid"], &equal).await;
        rows[0][0].guid().unwrap()
    }

    async fn still_administers(scene: &Scene) {
        scene.unit("Made by an administrator", scene.root).await;
        let equal = [("name", text("Made by an administrator"))];
        let made = scene.world.select(&scene.admin, "businessunit", &["businessunitid"], &equal).await;
        let unit = made[0][0].guid().unwrap();
        scene.change("businessunit", unit, &[("isdisabled", Value::Boolean(true))]).await;
        scene.try_delete(&scene.admin, "businessunit", unit).await.unwrap();
    }

    pub async fn the_last_administrator_is_kept_whichever_way_it_is_tried(world: World) {
        let scene = Scene::of(world);
        let (admin, role) = (scene.admin.user, administrators());
        let east = scene.unit("East", scene.root).await;
        // Disabled: by an update, by an upsert, in a list of changes.
        let disabled = [("isdisabled", Value::Boolean(true))];
        assert_eq!(code(scene.try_change(&scene.admin, "systemuser", admin, &disabled).await), LAST_DISABLED);
        let (target, input) = (scene.world.reference("systemuser", admin), scene.world.input("systemuser", &disabled));
        let upserted = scene.org().upsert(&scene.admin, target.clone(), input.clone(), Precondition::None).await;
        assert_eq!(code(upserted), LAST_DISABLED);
        let change = Change::Update { target: target.clone(), input, when: Precondition::None };
        let changed = scene.org().change(&scene.admin, Change::All(vec![change])).await;
        assert!(matches!(&changed, Err(Error::Part { error, .. }) if matches!(**error, Error::Refused { .. })));
        // Deleted.
        assert!(scene.try_delete(&scene.admin, "systemuser", admin).await.is_err());
        // Moved.
        let moved = [("businessunitid", scene.world.lookup("businessunit", east))];
        assert_eq!(code(scene.try_change(&scene.admin, "systemuser", admin, &moved).await), LAST_LOSES);
        // The role taken: from either side, by the row of the link, several at once.
        let link = holds(&scene, admin, role);
        assert_eq!(code(scene.org().disassociate(&scene.admin, link.clone()).await), LAST_LOSES);
        let turned = LinkRequest {
            record: link.other.clone(),
            relationship: link.relationship.clone(),
            other: link.record.clone(),
        };
        assert_eq!(code(scene.org().disassociate(&scene.admin, turned).await), LAST_LOSES);
        assert_eq!(code(scene.org().disassociate_all(&scene.admin, vec![link]).await), LAST_LOSES);
        let row = link_row(&scene, admin, role).await;
        assert_eq!(code(scene.try_delete(&scene.admin, "systemuserroles", row).await), LAST_LOSES);
        // The role itself: deleted, emptied, renamed, its copies deleted.
        assert_eq!(code(scene.try_delete(&scene.admin, "role", role).await), ROLE_DELETED);
        let copy = scene.copy(role, east).await;
        for role in [role, copy] {
            assert!(scene.try_delete(&scene.admin, "role", role).await.is_err());
            for change in
                [RoleChange::Replace(Vec::new()), RoleChange::Remove(named(&[("prvReadUser", Level::Global)])[0].0)]
            {
                let changed = scene.org().change_role(&scene.admin, role, change).await;
                assert!(matches!(changed, Err(Error::Invalid(_))), "{changed:?}");
            }
            let renamed = scene.try_change(&scene.admin, "role", role, &[("name", text("Nobody"))]).await;
            assert!(matches!(renamed, Err(Error::Invalid(_))), "{renamed:?}");
        }
        // Its unit: disabled, deleted, moved.
        for change in
            [("isdisabled", Value::Boolean(true)), ("parentbusinessunitid", scene.world.lookup("businessunit", east))]
        {
            assert!(scene.try_change(&scene.admin, "businessunit", scene.root, &[change]).await.is_err());
        }
        assert!(scene.try_delete(&scene.admin, "businessunit", scene.root).await.is_err());
        // Merged away.
        let other = scene.user("other", scene.root).await;
        let merged = scene.org().change(
            &scene.admin,
            Change::Merge(custodia_org::MergeRequest {
                target: scene.world.reference("systemuser", other.user),
                subordinate: scene.world.reference("systemuser", admin),
                content: None,
                checks_parents: false,
            }),
        );
        assert!(matches!(merged.await, Err(Error::Invalid(_))));
        // The profile that opens every column is the role's, and cannot be deleted.
        assert!(
            scene
                .try_delete(&scene.admin, "fieldsecurityprofile", custodia_store::ADMINISTRATOR_PROFILE)
                .await
                .is_err()
        );
        still_administers(&scene).await;
        // With a second one, each of both can go, and then not the one left.
        let second = scene.user("second", scene.root).await;
        scene.link(scene.has_role(&second, role)).await;
        scene.try_change(&second, "systemuser", admin, &disabled).await.unwrap();
        assert_eq!(code(scene.try_change(&second, "systemuser", second.user, &disabled).await), LAST_DISABLED);
        let taken = scene.org().disassociate(&second, holds(&scene, second.user, role)).await;
        assert_eq!(code(taken), LAST_LOSES);
    }

    pub async fn a_stored_row_that_names_no_column_keeps_nobody_out(world: World) {
        let scene = Scene::of(world);
        scene.secure("account", "fax").await;
        let rule = [("name", text("All")), ("regularexpression", text(".*")), ("maskedcharacter", text("*"))];
        let rule = scene.world.create(&scene.admin, "maskingrule", &rule).await;
        let profile = scene.world.lookup("fieldsecurityprofile", custodia_store::ADMINISTRATOR_PROFILE);
        let rule = scene.world.lookup("maskingrule", rule);
        // No caller may store such rows; a database of an older program may hold them.
        let rows = [
            ("fieldpermission", vec![("fieldsecurityprofileid", profile.clone())]),
            ("fieldpermission", vec![("fieldsecurityprofileid", profile), ("entityname", text("account"))]),
            ("attributemaskingrule", vec![("maskingruleid", rule.clone())]),
            ("attributemaskingrule", vec![("maskingruleid", rule), ("attributelogicalname", text("fax"))]),
        ];
        for (at, (table, values)) in rows.into_iter().enumerate() {
            let older = scene.org().database().write(move |transaction| {
                let values = values.clone();
                Box::pin(async move {
                    let table = transaction.schema().table_named(table).unwrap().clone();
                    let permit = Permit::platform(&Authority::platform("test"), &table, PrivilegeKind::Create)?;
                    let named = values.into_iter().map(|(name, value)| (table.column(name).unwrap().id, value));
                    let mut named: Vec<_> = named.collect();
                    named.sort_by_key(|(column, _)| *column);
                    transaction.insert(permit, &table, Guid::from_u128(0xbad + at as u128), named)?;
                    Ok::<_, custodia_store::Error>(())
                })
            });
            older.await.unwrap();
            let facts = scene.org().database().user_facts(scene.admin.user).await.unwrap().unwrap();
            assert_eq!((facts.field_permissions.len(), facts.masked_columns.len()), (0, 0));
        }
        // And they can be mended as the message says, or deleted.
        let refused = scene.try_change(&scene.admin, "fieldpermission", Guid::from_u128(0xbad), &[]).await;
        assert!(matches!(refused, Err(Error::Value { ref column, .. }) if column == "entityname"), "{refused:?}");
        let naming = [("entityname", text("account")), ("attributelogicalname", text("fax"))];
        scene.change("fieldpermission", Guid::from_u128(0xbad), &naming).await;
        scene.try_delete(&scene.admin, "fieldpermission", Guid::from_u128(0xbae)).await.unwrap();
        still_administers(&scene).await;
    }

    pub async fn an_administrator_by_team_or_disabled_does_not_count(world: World) {
        let scene = Scene::of(world);
        let (admin, role) = (scene.admin.user, administrators());
        let team = scene.team("Administrators", scene.root, OWNER_TEAM).await;
        let given = scene.give_team(team, role).await;
        let member = scene.user("member", scene.root).await;
        scene.join(team, &member).await;
        let gone = scene.user("gone", scene.root).await;
        scene.link(scene.has_role(&gone, role)).await;
        scene.change("systemuser", gone.user, &[("isdisabled", Value::Boolean(true))]).await;
        let disabled = [("isdisabled", Value::Boolean(true))];
        assert_eq!(code(scene.try_change(&member, "systemuser", admin, &disabled).await), LAST_DISABLED);
        assert_eq!(code(scene.org().disassociate(&member, holds(&scene, admin, role)).await), LAST_LOSES);
        // Who is disabled already may lose it.
        scene.org().disassociate(&scene.admin, holds(&scene, gone.user, role)).await.unwrap();
        scene.unlink(&given).await;
        scene.try_delete(&scene.admin, "team", team).await.unwrap();
        still_administers(&scene).await;
    }

    pub async fn the_copy_by_which_the_last_administrator_holds_the_role_is_kept(world: World) {
        let scene = Scene::of(world);
        let (admin, role) = (scene.admin.user, administrators());
        let east = scene.unit("East", scene.root).await;
        scene.switch("EnableOwnershipAcrossBusinessUnits", true).await;
        let copy = scene.copy(role, east).await;
        scene.link(scene.has_role(&scene.admin, copy)).await;
        // Held twice, one may go.
        scene.org().disassociate(&scene.admin, holds(&scene, admin, role)).await.unwrap();
        assert_eq!(code(scene.org().disassociate(&scene.admin, holds(&scene, admin, copy)).await), LAST_LOSES);
        scene.change("businessunit", east, &[("isdisabled", Value::Boolean(true))]).await;
        assert_eq!(code(scene.try_delete(&scene.admin, "businessunit", east).await), LAST_LOSES);
        scene.link(scene.has_role(&scene.admin, role)).await;
        scene.try_delete(&scene.admin, "businessunit", east).await.unwrap();
        still_administers(&scene).await;
    }

    pub async fn many_changes_at_once_leave_an_administrator(world: World) {
        let scene = Scene::of(world);
        let role = administrators();
        let second = scene.user("second", scene.root).await;
        scene.link(scene.has_role(&second, role)).await;
        let disable = |user: Guid| Change::Update {
            target: scene.world.reference("systemuser", user),
            input: scene.world.input("systemuser", &[("isdisabled", Value::Boolean(true))]),
            when: Precondition::None,
        };
        // In one transaction, where the second sees what the first did.
        let both = Change::All(vec![disable(second.user), disable(scene.admin.user)]);
        assert!(scene.org().change(&scene.admin, both).await.is_err());
        // Each by the other at the same moment: one of them at most.
        let (one, other) = futures::join!(
            scene.org().change(&scene.admin, disable(second.user)),
            scene.org().change(&second, disable(scene.admin.user)),
        );
        assert!(one.is_err() || other.is_err(), "{one:?} {other:?}");
        let equal = [("isdisabled", Value::Boolean(false))];
        let enabled = scene.world.select(&scene.world.platform(), "systemuser", &["systemuserid"], &equal).await;
        assert!(!enabled.is_empty());
    }

    pub async fn changes_of_rights_are_audited(world: World) {
        let scene = Scene::of(world);
        let user = scene.user("user", scene.root).await;
        let role = scene.role("R", scene.root, &[("prvReadAccount", Level::Basic)]).await;
        let team = scene.team("T", scene.root, OWNER_TEAM).await;
        let profile = scene.profile("P", "account", "creditlimit", [true, false, false]).await;
        let count = async |table: &str, id: Guid| {
            let table = scene.world.table(table);
            scene.org().audit_entries(None, 100, Some((table, id))).await.unwrap().len()
        };
        let mut seen = (count("systemuser", user.user).await, count("role", role).await, count("team", team).await);
        let given = scene.give(&user, role).await;
        let mut now = count("systemuser", user.user).await;
        assert!(now > seen.0, "a role given");
        seen.0 = now;
        scene.unlink(&given).await;
        now = count("systemuser", user.user).await;
        assert!(now > seen.0, "a role taken");
        seen.0 = now;
        let held = scene.give_profile(&user, profile).await;
        now = count("systemuser", user.user).await;
        assert!(now > seen.0, "a profile given");
        seen.0 = now;
        scene.unlink(&held).await;
        assert!(count("systemuser", user.user).await > seen.0, "a profile taken");
        scene.change_role(role, RoleChange::Add(named(&[("prvWriteAccount", Level::Basic)]))).await;
        assert!(count("role", role).await > seen.1, "a privilege given");
        let joined = scene.join(team, &user).await;
        now = count("team", team).await;
        assert!(now > seen.2, "a member more");
        seen.2 = now;
        scene.unlink(&joined).await;
        now = count("team", team).await;
        assert!(now > seen.2, "a member less");
        seen.2 = now;
        scene.give_team(team, role).await;
        assert!(count("team", team).await > seen.2, "a role of a team");
        let manager: &Caller = &scene.admin;
        let before = count("systemuser", user.user).await;
        scene.under(&user, manager).await;
        assert!(count("systemuser", user.user).await > before, "a manager");
    }
}
