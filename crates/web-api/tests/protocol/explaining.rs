//! Asking why, beyond a user's right on a record: of teams, of privileges of no table, of acting for others, of giving a record
//! to somebody, and of roles that are supposed. And looking over who may do what.

use crate::on_both_engines;

on_both_engines! {
    teams_privileges_and_acting_are_explained;
    giving_a_record_away_is_explained;
    roles_may_be_supposed;
    roles_are_looked_over;
}

mod bodies {
    use custodia_org::Caller;
    use custodia_schema::{Guid, privilege_id};
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, World};

    /// A role of the root unit with these privileges.
    async fn role(world: &World, name: &str, privileges: &[(&str, &str)]) -> String {
        let unit = world.seeded.unit;
        let body = json!({ "name": name, "businessunitid@odata.bind": format!("/businessunits({unit})") });
        let role = world.post("roles", &body.to_string()).await;
        let given = |(name, depth): &(&str, &str)| json!({ "PrivilegeId": privilege_id(name), "Depth": depth });
        let given: Vec<Json> = privileges.iter().map(given).collect();
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &json!({ "Privileges": given }).to_string()).await.expect(204);
        role
    }

    async fn link(world: &World, path: &str, to: &str) {
        let body = json!({ "@odata.id": to }).to_string();
        world.ask("POST", &format!("{path}/$ref"), &[], &body).await.expect(204);
    }

    async fn give(world: &World, holder: &str, role: &str) {
        let navigation =
            if holder.starts_with("teams") { "teamroles_association" } else { "systemuserroles_association" };
        link(world, &format!("{holder}/{navigation}"), &format!("roles({role})")).await;
    }

    async fn team(world: &World, name: &str, kind: i32) -> String {
        let unit = format!("/businessunits({})", world.seeded.unit);
        let body = json!({ "name": name, "teamtype": kind, "businessunitid@odata.bind": unit });
        format!("teams({})", world.post("teams", &body.to_string()).await)
    }

    fn path_of(caller: &Caller) -> String {
        format!("systemusers({})", caller.user)
    }

    async fn why(world: &World, caller: &Caller, of: &str, rest: &str) -> Answer {
        let path = format!("{of}/Microsoft.Dynamics.CRM.custodia_ExplainAccess({rest}");
        Box::pin(world.send(caller, "GET", &path, &[], "")).await
    }

    fn roles_of(why: &Json) -> Vec<&str> {
        why["Grants"].as_array().unwrap().iter().map(|grant| grant["Role"]["Name"].as_str().unwrap()).collect()
    }

    fn said(why: &Json) -> String {
        why["Missing"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    pub async fn teams_privileges_and_acting_are_explained(world: World) {
        let admin = world.admin();
        let (sam, mia) = (world.user("sam", &[]).await, world.user("mia", &[]).await);
        let owners = team(&world, "Owners", 0).await;
        let basic = role(&world, "Basic", &[("prvReadAccount", "Basic"), ("prvMerge", "Global")]).await;
        let record = json!({ "name": "Of the team", "ownerid@odata.bind": format!("/{owners}") });

        // A team by itself.
        let any = "Right='Read',EntityLogicalName='account')";
        let none = why(&world, &admin, &owners, any).await.expect(200);
        assert_eq!((&none["Allowed"], &none["Grants"]), (&json!(false), &json!([])));
        give(&world, &owners, &basic).await;
        let account = world.post("accounts", &record.to_string()).await;
        let on = format!("Right='ReadAccess',Target=@t)?@t={{'@odata.id':'accounts({account})'}}");
        let held = why(&world, &admin, &owners, &on).await.expect(200);
        assert_eq!(held["Allowed"], true);
        assert_eq!(held["Grants"][0]["Reaches"], json!([{ "By": "Owner" }]), "{held}");
        let written = why(&world, &admin, &owners, &on.replace("Read", "Write")).await.expect(200);
        assert!(said(&written).contains("prvWriteAccount"), "{written}");
        let column = "Right='Read',EntityLogicalName='account',AttributeLogicalName='creditlimit')";
        why(&world, &admin, &owners, column).await.expect_error(400, "0x80040203");

        // A privilege of no table; the member has it from the team.
        let merge = "PrivilegeName='prvMerge')";
        let without = why(&world, &admin, &path_of(&sam), merge).await.expect(200);
        assert_eq!((&without["Allowed"], &without["PrivilegeName"]), (&json!(false), &json!("prvMerge")));
        link(&world, &format!("{owners}/teammembership_association"), &path_of(&sam)).await;
        let with = why(&world, &admin, &path_of(&sam), merge).await.expect(200);
        assert_eq!((&with["Allowed"], roles_of(&with)), (&json!(true), vec!["Basic"]));
        assert_eq!((&with["Grants"][0]["Team"]["Name"], &with["Grants"][0]["Depth"]), (&json!("Owners"), &Json::Null));
        assert_eq!((&with["Right"], &with["EntityLogicalName"]), (&Json::Null, &Json::Null));
        for wrong in ["PrivilegeName='prvFly')", "PrivilegeName='prvReadAccount')"] {
            why(&world, &admin, &path_of(&sam), wrong).await.expect_error(400, "0x80040203");
        }

        // Acting for somebody: with a role of one's own alone.
        let acting = role(&world, "Acting", &[("prvActOnBehalfOfAnotherUser", "Global")]).await;
        let for_mia = format!("ActingFor=@u)?@u={{'@odata.id':'{}'}}", path_of(&mia));
        give(&world, &owners, &acting).await;
        let by_team = why(&world, &admin, &path_of(&sam), &for_mia).await.expect(200);
        assert_eq!((&by_team["Allowed"], &by_team["Grants"]), (&json!(false), &json!([])));
        assert!(said(&by_team).contains("directly"), "{by_team}");
        give(&world, &path_of(&sam), &acting).await;
        let not_yet = why(&world, &admin, &path_of(&sam), &for_mia).await.expect(200);
        assert!(said(&not_yet).contains("no security role"), "the other has none: {not_yet}");
        assert_eq!(roles_of(&not_yet), ["Acting"]);
        give(&world, &path_of(&mia), &basic).await;
        let allowed = why(&world, &admin, &path_of(&sam), &for_mia).await.expect(200);
        assert_eq!((&allowed["Allowed"], &allowed["Missing"]), (&json!(true), &json!([])));
        let header = [("MSCRMCallerID", mia.user.to_string())];
        let header: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send(&sam, "GET", "WhoAmI", &header, "").await.expect(200);

        // Refusals: about others only for those who may read them and roles, also where nobody asked about them before.
        for of in [&path_of(&admin), &owners] {
            why(&world, &mia, of, any).await.expect_error(403, "0x80040220");
        }
        let for_sam = for_mia.replace(&mia.user.to_string(), &sam.user.to_string());
        why(&world, &mia, &path_of(&mia), &for_sam).await.expect_error(403, "0x80040220");
        why(&world, &admin, &owners, &for_mia).await.expect_error(400, "0x80040203");
        for wrong in
            ["Right='Read',PrivilegeName='prvMerge',EntityLogicalName='account')", "EntityLogicalName='account')"]
        {
            why(&world, &admin, &path_of(&sam), wrong).await.expect_error(400, "0x80060888");
        }
        let nobody = format!("teams({})", Guid::from_u128(77));
        why(&world, &admin, &nobody, any).await.expect_error(404, "0x80040217");
    }

    pub async fn giving_a_record_away_is_explained(world: World) {
        let admin = world.admin();
        let (sam, mia) = (world.user("sam", &[]).await, world.user("mia", &[]).await);
        let rights = [("prvReadAccount", "Basic"), ("prvCreateAccount", "Basic"), ("prvAssignAccount", "Basic")];
        let giving = role(&world, "Giving", &rights).await;
        give(&world, &path_of(&sam), &giving).await;
        let account = world.send(&sam, "POST", "accounts", &[], r#"{"name":"Of Sam"}"#).await.written_id();
        let access_team = team(&world, "Access", 1).await;
        let to = |right: &str, owner: &str| {
            format!(
                "Right='{right}',Target=@t,NewOwner=@o)?@t={{'@odata.id':'accounts({account})'}}&@o={{'@odata.id':'{owner}'}}"
            )
        };
        let told = async |owner: &str| why(&world, &admin, &path_of(&sam), &to("Assign", owner)).await.expect(200);
        // What the explanation says is what happens.
        let done = async |owner: &str| {
            let body = json!({ "ownerid@odata.bind": format!("/{owner}") }).to_string();
            world.send(&sam, "PATCH", &format!("accounts({account})"), &[], &body).await.status == 204
        };
        let first = told(&path_of(&mia)).await;
        assert!(said(&first).contains("prvWriteAccount") && said(&first).contains("cannot own"), "{first}");
        assert!(!done(&path_of(&mia)).await && first["Allowed"] == false);
        let writing = role(&world, "Writing", &[("prvWriteAccount", "Basic")]).await;
        give(&world, &path_of(&sam), &writing).await;
        let second = told(&path_of(&mia)).await;
        assert!(!said(&second).contains("prvWriteAccount") && said(&second).contains("cannot own"), "{second}");
        assert!(!done(&path_of(&mia)).await && second["Allowed"] == false);
        let of_team = told(&access_team).await;
        assert!(said(&of_team).contains("access team") && !done(&access_team).await, "{of_team}");
        give(&world, &path_of(&mia), &giving).await;
        let third = told(&path_of(&mia)).await;
        assert_eq!((&third["Allowed"], &third["Missing"]), (&json!(true), &json!([])), "{third}");
        assert!(done(&path_of(&mia)).await);
        let fourth = told(&path_of(&mia)).await;
        assert!(fourth["Allowed"] == false && said(&fourth).contains("owned by mia"), "it is Mia's now: {fourth}");
        why(&world, &admin, &path_of(&sam), &to("Write", &path_of(&mia))).await.expect_error(400, "0x80040203");
    }

    pub async fn roles_may_be_supposed(world: World) {
        let admin = world.admin();
        let sam = world.user("sam", &[]).await;
        let of_admin = world.post("accounts", r#"{"name":"Of the administrator"}"#).await;
        let reading = role(&world, "Reading", &[("prvReadAccount", "Global"), ("prvReadContact", "Basic")]).await;
        let narrow = role(&world, "Narrow", &[("prvReadAccount", "Basic"), ("prvWriteAccount", "Basic")]).await;
        give(&world, &path_of(&sam), &narrow).await;
        let question =
            |supposed: &str| format!("Right='Read',Target=@t,{supposed})?@t={{'@odata.id':'accounts({of_admin})'}}");
        let with = |name: &str, role: &str| question(&format!("{name}=@r")) + &format!("&@r=[\"{role}\"]");
        let told = why(&world, &admin, &path_of(&sam), &with("WithRoles", &reading)).await.expect(200);
        assert_eq!((&told["Allowed"], &told["Supposed"]["AllowedNow"]), (&json!(true), &json!(false)));
        let change = |name: &str, before: Option<&str>, after: Option<&str>| json!({ "PrivilegeName": name, "Before": before, "After": after });
        let gained =
            [change("prvReadAccount", Some("Basic"), Some("Global")), change("prvReadContact", None, Some("Basic"))];
        assert_eq!(told["Supposed"]["PrivilegeChanges"], json!(gained));
        // Nothing of it came about.
        let plain = format!("Right='Read',Target=@t)?@t={{'@odata.id':'accounts({of_admin})'}}");
        let now = why(&world, &admin, &path_of(&sam), &plain).await.expect(200);
        assert_eq!((&now["Allowed"], &now["Supposed"]), (&json!(false), &Json::Null));

        // What was supposed comes about with the role.
        give(&world, &path_of(&sam), &reading).await;
        world.send(&sam, "GET", &format!("accounts({of_admin})"), &[], "").await.expect(200);
        let lost = why(&world, &admin, &path_of(&sam), &with("WithoutRoles", &reading)).await.expect(200);
        assert_eq!((&lost["Allowed"], &lost["Supposed"]["AllowedNow"]), (&json!(false), &json!(true)));
        let changes = lost["Supposed"]["PrivilegeChanges"].as_array().unwrap();
        assert_eq!(changes[0], change("prvReadAccount", Some("Global"), Some("Basic")));
        assert_eq!(changes[1], change("prvReadContact", Some("Basic"), None));
        assert_eq!(changes.len(), 2);

        // As an administrator, every column is open; without the role, no more.
        let table = world.org.schema().table_named("account").unwrap().clone();
        world.org.secure_column(&admin, table.id, table.column("creditlimit").unwrap().id, true).await.unwrap();
        let administrators = custodia_schema::builtin_roles().iter().find(|role| role.is_administrator()).unwrap();
        let column = |name: &str| {
            format!(
                "Right='Read',EntityLogicalName='account',AttributeLogicalName='creditlimit',{name}=@r)?@r=[\"{}\"]",
                administrators.root_id
            )
        };
        let opened = why(&world, &admin, &path_of(&sam), &column("WithRoles")).await.expect(200);
        assert_eq!((&opened["Allowed"], &opened["Supposed"]["AllowedNow"]), (&json!(true), &json!(false)));
        let closed = why(&world, &admin, &path_of(&admin), &column("WithoutRoles")).await.expect(200);
        assert_eq!((&closed["Allowed"], &closed["Supposed"]["AllowedNow"]), (&json!(false), &json!(true)));

        // The audit tells that it was asked, once for each question.
        let filter = format!("audits?$filter=objectid eq {} and action eq 10005", sam.user);
        let told = world.get(&filter).await["value"].as_array().unwrap().len();
        assert_eq!(told, 3);

        // What cannot be supposed, and who may not.
        for wrong in [with("WithRoles", &reading), with("WithoutRoles", &administrators.root_id.to_string())] {
            why(&world, &admin, &path_of(&sam), &wrong).await.expect_error(400, "0x80040203");
        }
        let root = world.seeded.unit;
        let unit = json!({ "name": "East", "parentbusinessunitid@odata.bind": format!("/businessunits({root})") });
        let east = world.post("businessunits", &unit.to_string()).await;
        let far = json!({ "name": "Far", "businessunitid@odata.bind": format!("/businessunits({east})") });
        let far = world.post("roles", &far.to_string()).await;
        let answer = why(&world, &admin, &path_of(&sam), &with("WithRoles", &far)).await;
        assert!(answer.expect_error(400, "0x80040203").contains("of another business unit"));
        let many = vec![reading.as_str(); 51].join("\",\"");
        let answer = why(&world, &admin, &path_of(&sam), &with("WithRoles", &many)).await;
        assert!(answer.expect_error(400, "0x80040203").contains("at most 50"));
        let nobody = Guid::from_u128(78).to_string();
        why(&world, &admin, &path_of(&sam), &with("WithRoles", &nobody)).await.expect_error(404, "0x80040217");
        why(&world, &admin, &path_of(&sam), &question("WithRoles='x'")).await.expect_error(400, "0x80060888");
        let table = "Right='Read',EntityLogicalName='account',WithRoles=@r)";
        let mine = format!("{table}?@r=[\"{}\"]", administrators.root_id);
        why(&world, &sam, &path_of(&sam), &mine).await.expect_error(403, "0x80040220");
    }

    pub async fn roles_are_looked_over(world: World) {
        let answer = world.get("custodia_LintRoles()").await;
        let findings = answer["Findings"].as_array().unwrap();
        let alone = findings.iter().find(|finding| finding["Code"] == "administrator-alone").unwrap();
        assert_eq!((&alone["Severity"], &alone["Where"]), (&json!("medium"), &json!("organisation")));
        assert!(alone["Subject"].is_null() && alone["What"].is_string() && alone["Do"].is_string(), "{alone}");
        role(&world, "Of no use", &[("prvReadAccount", "Basic")]).await;
        let answer = world.get("custodia_LintRoles()").await;
        let findings = answer["Findings"].as_array().unwrap();
        let unheld = findings.iter().find(|finding| finding["Code"] == "role-unheld").unwrap();
        assert_eq!(unheld["Subject"]["Name"], "Of no use");
        let sam = world.user("sam", &["Sales Manager"]).await;
        world.send(&sam, "GET", "custodia_LintRoles()", &[], "").await.expect_error(403, "0x80040220");
    }
}
