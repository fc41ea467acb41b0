//! Looking over who may do what: each rule finds what it is for, and stops finding it once that is put right.

use crate::on_both_engines;

on_both_engines! {
    roles_and_people_are_looked_over;
    columns_and_forms_are_looked_over;
    looking_over_takes_the_privilege;
}

mod bodies {
    use custodia_org::{Caller, Finding, LintBounds, Severity, WorkLimits};
    use custodia_schema::{Guid, Level, Value, builtin_roles};

    use crate::security::load::text;
    use crate::security::scene::{LACKS, OWNER_TEAM, Scene, code};
    use crate::world::World;

    /// All that the program finds.
    async fn lint(scene: &Scene, bounds: LintBounds) -> Vec<Finding> {
        scene.org().lint_roles(&scene.admin, bounds).await.unwrap()
    }

    /// What a rule says of a place.
    async fn said(scene: &Scene, rule: &str, place: &str) -> Option<String> {
        let found = lint(scene, LintBounds::default()).await;
        let mut of_rule = found.into_iter().filter(|finding| finding.code == rule && finding.place == place);
        let said = of_rule.next().map(|finding| finding.what);
        assert!(of_rule.next().is_none(), "{rule} says it once of {place}");
        said
    }

    /// Which rules say something of a place.
    async fn rules_of(scene: &Scene, place: &str) -> Vec<&'static str> {
        let found = lint(scene, LintBounds::default()).await;
        found.iter().filter(|finding| finding.place == place).map(|finding| finding.code).collect()
    }

    fn administrators() -> Guid {
        builtin_roles().iter().find(|role| role.is_administrator()).unwrap().root_id
    }

    pub async fn roles_and_people_are_looked_over(world: World) {
        let scene = Scene::of(world);
        let east = scene.unit("East", scene.root).await;
        let wide = [
            ("prvReadAccount", Level::Global),
            ("prvWriteAccount", Level::Global),
            ("prvReadContact", Level::Basic),
            ("prvReadUserQuery", Level::Basic),
            ("prvAssignRole", Level::Global),
            ("prvActOnBehalfOfAnotherUser", Level::Global),
        ];
        let wide = scene.role("Wide", scene.root, &wide).await;
        let narrow = [("prvReadAccount", Level::Basic), ("prvReadUserQuery", Level::Basic)];
        let narrow = scene.role("Narrow", scene.root, &narrow).await;

        // Nobody has it: that is all there is to say of it.
        assert_eq!(rules_of(&scene, "role Wide").await, ["role-unheld"]);
        let sam = scene.user("sam", scene.root).await;
        let eve = scene.user("eve", east).await;
        let held = scene.give(&sam, wide).await;
        scene.give(&eve, narrow).await;
        assert_eq!(
            rules_of(&scene, "role Wide").await,
            [
                "role-acts-for-others",
                "role-changes-everywhere",
                "role-gives-roles",
                "privilege-without-records",
                "role-reads-everywhere",
            ]
        );
        let says = async |rule: &str| said(&scene, rule, "role Wide").await.unwrap();
        // What a privilege cannot reach, it is not said to reach.
        assert!(says("role-reads-everywhere").await.ends_with(": account"));
        assert!(says("role-changes-everywhere").await.ends_with(": account"));
        assert!(says("privilege-without-records").await.ends_with(": account, contact, userquery"));
        assert!(says("role-gives-roles").await.contains("(prvAssignRole)"));
        assert!(says("role-acts-for-others").await.contains("sam Tester"));
        assert_eq!(rules_of(&scene, "role Narrow").await, ["privilege-without-records"]);

        // Records, at first of one unit alone.
        let of_sam = scene.account(&sam, "In the root").await;
        assert!(says("privilege-without-records").await.ends_with(": contact, userquery"));
        assert!(says("level-wider-than-records").await.ends_with(": account"));
        scene.account(&eve, "In the east").await;
        assert_eq!(said(&scene, "level-wider-than-records", "role Wide").await, None);
        assert_eq!(said(&scene, "level-wider-than-records", "role Narrow").await, None);
        scene.unlink(&held).await;
        assert_eq!(rules_of(&scene, "role Wide").await, ["role-unheld"]);

        // A team that gives its role to nobody.
        let team = scene.team("Empty", scene.root, OWNER_TEAM).await;
        assert_eq!(rules_of(&scene, "team Empty").await, [""; 0]);
        scene.give_team(team, wide).await;
        assert!(said(&scene, "team-without-members", "team Empty").await.unwrap().ends_with(": Wide"));
        assert_eq!(rules_of(&scene, "role Wide").await, [""; 0], "a team has it, and nobody uses it");
        scene.join(team, &sam).await;
        assert_eq!(rules_of(&scene, "team Empty").await, [""; 0]);
        // To act for others takes a role of one's own.
        assert_eq!(said(&scene, "role-acts-for-others", "role Wide").await, None);
        assert!(says("role-gives-roles").await.contains("sam Tester"));

        // Many roles.
        scene.give(&sam, narrow).await;
        assert_eq!(rules_of(&scene, "user sam Tester").await, [""; 0]);
        let found = lint(&scene, LintBounds { roles_of_user_max: 1, ..LintBounds::default() }).await;
        let many: Vec<&Finding> = found.iter().filter(|finding| finding.code == "user-many-roles").collect();
        assert_eq!(many.len(), 1, "{many:?}");
        assert_eq!((many[0].place.as_str(), many[0].what.as_str()), ("user sam Tester", "2 roles: Narrow, Wide"));
        assert_eq!(many[0].subject.as_ref().unwrap().id, sam.user);

        // Somebody who left.
        scene.share("account", of_sam, eve.user, 1).await;
        assert_eq!(rules_of(&scene, "user eve Tester").await, [""; 0]);
        scene.change("systemuser", eve.user, &[("isdisabled", Value::Boolean(true))]).await;
        let left = ["disabled-user-holds-roles", "disabled-user-owns", "disabled-user-shares"];
        assert_eq!(rules_of(&scene, "user eve Tester").await, left);
        let owns = said(&scene, "disabled-user-owns", "user eve Tester").await.unwrap();
        assert!(owns.ends_with("owns records of account"), "{owns}");

        // One administrator, and two.
        let alone = said(&scene, "administrator-alone", "organisation").await.unwrap();
        assert!(alone.ends_with(": Ada Admin"), "{alone}");
        scene.give(&sam, administrators()).await;
        assert_eq!(said(&scene, "administrator-alone", "organisation").await, None);
        assert_eq!(said(&scene, "administrators-many", "organisation").await, None);
        let found = lint(&scene, LintBounds { administrators_max: 1, ..LintBounds::default() }).await;
        let many = found.iter().find(|finding| finding.code == "administrators-many").unwrap();
        assert_eq!(many.what, "2 enabled users are System Administrators: Ada Admin, sam Tester");
        // What matters most comes first.
        assert!(found.is_sorted_by_key(|finding| finding.severity));
        assert_eq!(found[0].severity, Severity::Medium);
        assert!(found.iter().all(|finding| !finding.place.contains("System Administrator")), "{found:#?}");
    }

    pub async fn columns_and_forms_are_looked_over(world: World) {
        let scene = Scene::of(world);
        let rights = [("prvReadContact", Level::Local), ("prvCreateContact", Level::Basic)];
        let role = scene.role("Contacts", scene.root, &rights).await;
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, role).await;
        let place = "contact.birthdate";
        assert_eq!(rules_of(&scene, place).await, [""; 0], "nobody uses the table");
        scene.record("contact", &sam, &[("lastname", text("Baker"))]).await;
        let contact = scene.world.table("contact");
        let audit = async |on: bool| scene.org().audit_table(&scene.admin, contact, on).await.unwrap();
        audit(true).await;
        assert_eq!(rules_of(&scene, place).await, ["personal-column-open"]);
        assert_eq!(rules_of(&scene, "contact.jobtitle").await, [""; 0]);
        // Secured by the program, which nobody switches off, and written by nobody: there are no changes to audit.
        assert_eq!(rules_of(&scene, "account.opendeals").await, [""; 0]);
        audit(false).await;
        assert_eq!(rules_of(&scene, place).await, ["personal-column-open", "personal-column-unaudited"]);

        scene.secure("contact", "birthdate").await;
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers", "secured-column-unaudited"]);
        audit(true).await;
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers"]);
        let organization = scene.org().id();
        scene.change("organization", organization, &[("isauditenabled", Value::Boolean(false))]).await;
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers", "secured-column-unaudited"]);
        scene.change("organization", organization, &[("isauditenabled", Value::Boolean(true))]).await;

        // Somebody is shown a field that stays empty, until a profile opens it.
        let shown = async || {
            let found = lint(&scene, LintBounds::default()).await;
            found.into_iter().find(|finding| finding.code == "form-shows-secured-column")
        };
        let finding = shown().await.expect("the main form of contacts shows the birthday");
        assert!(finding.place.ends_with("of contact"), "{finding:?}");
        assert_eq!(finding.what, "shows birthdate to 1 users who cannot read it, with the roles Contacts");
        let changes = scene.profile("Changes birthdays", "contact", "birthdate", [false, false, true]).await;
        scene.give_profile(&sam, changes).await;
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers"], "who changes it does not read it");
        let reads = scene.profile("Reads birthdays", "contact", "birthdate", [true, false, false]).await;
        let team = scene.team("Readers", scene.root, OWNER_TEAM).await;
        scene.give_team_profile(team, reads).await.unwrap();
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers"]);
        let joined = scene.join(team, &sam).await;
        assert_eq!(rules_of(&scene, place).await, [""; 0]);
        assert_eq!(shown().await, None);
        // A reader who is disabled is none.
        scene.change("systemuser", sam.user, &[("isdisabled", Value::Boolean(true))]).await;
        assert_eq!(rules_of(&scene, place).await, ["column-without-readers"]);
        scene.change("systemuser", sam.user, &[("isdisabled", Value::Boolean(false))]).await;
        scene.unlink(&joined).await;
        assert!(shown().await.is_some());
    }

    pub async fn looking_over_takes_the_privilege(world: World) {
        let scene = Scene::of(world);
        let sam = scene.user("sam", scene.root).await;
        scene.give(&sam, scene.role("Reads roles", scene.root, &[("prvReadRole", Level::Global)]).await).await;
        let asked = async |caller: &Caller| code(scene.org().lint_roles(caller, LintBounds::default()).await);
        assert_eq!(asked(&sam).await, LACKS);
        scene
            .give(&sam, scene.role("Looks over", scene.root, &[("prvConfigureHierarchySecurity", Level::Global)]).await)
            .await;
        assert_eq!(asked(&sam).await, None);
        // Who acts for another has what both have.
        let acting = Caller { acting_for: Some(sam.user), ..scene.admin.clone() };
        assert_eq!(asked(&acting).await, None);
        let bo = scene.user("bo", scene.root).await;
        scene.give(&bo, scene.role("Reads accounts", scene.root, &[("prvReadAccount", Level::Basic)]).await).await;
        assert_eq!(asked(&Caller { acting_for: Some(bo.user), ..scene.admin.clone() }).await, LACKS);
        assert!(scene.org().lint_roles(&scene.world.platform(), LintBounds::default()).await.is_ok());
        // Beyond the limit nothing is looked over, rather than a part.
        let small = scene.world.within(WorkLimits { looked_over_rows: 2, ..WorkLimits::default() });
        let refused = small.lint_roles(&scene.admin, LintBounds::default()).await.unwrap_err().to_string();
        assert!(refused.contains("more than 2 records") && refused.contains("limits.looked_over_rows"), "{refused}");
    }
}
