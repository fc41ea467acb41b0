//! Functions and actions, and acting for another user.

use crate::on_both_engines;

on_both_engines! {
    the_caller_learns_who_it_is;
    records_are_shared_and_rights_are_told;
    teams_take_members_and_roles_take_privileges;
    users_join_the_access_team_of_a_record;
    hierarchy_security_is_switched_over_the_protocol;
    operations_that_are_not_there_say_so;
    parameters_that_are_not_there_yet_say_so;
    another_user_is_named_by_headers;
}

mod bodies {
    use custodia_org::Caller;
    use custodia_schema::Guid;
    use custodia_web_api::acting_for;
    use http::HeaderMap;
    use serde_json::json;

    use crate::world::{ROOT, World};

    pub async fn the_caller_learns_who_it_is(world: World) {
        for path in ["WhoAmI", "WhoAmI()", "/WhoAmI()", "Microsoft.Dynamics.CRM.WhoAmI()"] {
            assert_eq!(
                world.get(path).await,
                json!({
                    "@odata.context": format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"),
                    "BusinessUnitId": world.seeded.unit,
                    "UserId": world.seeded.administrator,
                    "OrganizationId": world.org.id(),
                })
            );
        }
        let version = world.get("RetrieveVersion()").await;
        assert!(version["Version"].as_str().unwrap().starts_with("9.2."), "{version}");
        let service = world.get("").await;
        assert_eq!(service["@odata.context"], format!("{ROOT}$metadata"));
        let sets = service["value"].as_array().unwrap();
        assert!(sets.contains(&json!({"name": "accounts", "kind": "EntitySet", "url": "accounts"})));
    }

    pub async fn records_are_shared_and_rights_are_told(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let seller = world.user("sam", &["Basic User"]).await;
        let path = format!("accounts({account})");
        world.send(&seller, "GET", &path, &[], "").await.expect_error(403, "0x80040220");

        let grant = |mask: &str| {
            format!(
                "{{\"Target\":{{\"accountid\":\"{account}\",\"@odata.type\":\"Microsoft.Dynamics.CRM.account\"}},\
                 \"PrincipalAccess\":{{\"AccessMask\":\"{mask}\",\"Principal\":{{\"systemuserid\":\"{}\",\
                 \"@odata.type\":\"Microsoft.Dynamics.CRM.systemuser\"}}}}}}",
                seller.user
            )
        };
        let answer = world.ask("POST", "GrantAccess", &[], &grant("ReadAccess, WriteAccess")).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        world.send(&seller, "GET", &path, &[], "").await.expect(200);
        let rights = format!(
            "systemusers({})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)?@t={{'@odata.id':'accounts({account})'}}",
            seller.user
        );
        let told = world.get(&rights).await;
        assert_eq!(told["AccessRights"], "ReadAccess, WriteAccess");
        assert_eq!(
            told["@odata.context"],
            format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.RetrievePrincipalAccessResponse")
        );
        world.ask("POST", "ModifyAccess", &[], &grant("ReadAccess")).await.expect(204);
        assert_eq!(world.get(&rights).await["AccessRights"], "ReadAccess");
        let revoke = format!(
            "{{\"Target\":{{\"@odata.id\":\"accounts({account})\"}},\"Revokee\":{{\"@odata.id\":\"systemusers({})\"}}}}",
            seller.user
        );
        world.ask("POST", "RevokeAccess", &[], &revoke).await.expect(204);
        world.send(&seller, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
        assert_eq!(world.get(&rights).await["AccessRights"], "None");

        world.ask("POST", "GrantAccess", &[], &grant("FlyAccess")).await.expect_error(400, "0x8004020d");
        world.ask("POST", "GrantAccess", &[], "{}").await.expect_error(400, "0x80048d19");
        let owner = grant("ReadAccess").replace(&seller.user.to_string(), &world.seeded.administrator.to_string());
        world.ask("POST", "GrantAccess", &[], &owner).await.expect_error(400, "0x80040214");
        let record = grant("ReadAccess").replace("systemuser\"", "contact\"").replace("systemuserid", "contactid");
        world.ask("POST", "GrantAccess", &[], &record).await.expect_error(400, "0x80048d19");
        world.send(&seller, "POST", "GrantAccess", &[], &grant("ReadAccess")).await.expect_error(403, "0x80040220");
    }

    pub async fn teams_take_members_and_roles_take_privileges(world: World) {
        let unit = world.seeded.unit;
        let team = world
            .post("teams", &format!("{{\"name\":\"T\",\"businessunitid@odata.bind\":\"/businessunits({unit})\"}}"))
            .await;
        let seller = world.user("sam", &["Salesperson"]).await;
        let members = format!(
            "{{\"Members\":[{{\"@odata.type\":\"Microsoft.Dynamics.CRM.systemuser\",\"systemuserid\":\"{}\"}}]}}",
            seller.user
        );
        let in_team = format!("teams({team})/teammembership_association?$select=fullname");
        for (action, count) in [("AddMembersTeam", 1), ("RemoveMembersTeam", 0)] {
            let path = format!("teams({team})/Microsoft.Dynamics.CRM.{action}");
            world.ask("POST", &path, &[], &members).await.expect(204);
            assert_eq!(world.get(&in_team).await["value"].as_array().unwrap().len(), count, "{action}");
        }
        world.ask("POST", &format!("teams({team})/Microsoft.Dynamics.CRM.AddMembersTeam"), &[], "{}").await.expect(400);
        // Nobody joins a team; but there has to be one.
        let nobody = r#"{"Members":[]}"#;
        for action in ["AddMembersTeam", "RemoveMembersTeam"] {
            let path = |team: &str| format!("teams({team})/Microsoft.Dynamics.CRM.{action}");
            world.ask("POST", &path(&team), &[], nobody).await.expect(204);
            let absent = path("00000000-0000-0000-0000-000000000001");
            world.ask("POST", &absent, &[], nobody).await.expect_error(404, "0x80040217");
        }

        let role = world
            .post("roles", &format!("{{\"name\":\"R\",\"businessunitid@odata.bind\":\"/businessunits({unit})\"}}"))
            .await;
        let read = custodia_schema::privilege_id("prvReadAccount");
        let write = custodia_schema::privilege_id("prvWriteAccount");
        let given = |privilege: Guid, depth: &str| {
            format!("{{\"Privileges\":[{{\"PrivilegeId\":\"{privilege}\",\"Depth\":\"{depth}\"}}]}}")
        };
        let held = format!("RetrieveRolePrivilegesRole(RoleId={role})");
        let steps = [
            ("AddPrivilegesRole", given(read, "Basic"), vec![(read, "Basic")]),
            ("AddPrivilegesRole", given(write, "Global"), vec![(read, "Basic"), (write, "Global")]),
            ("RemovePrivilegeRole", format!("{{\"PrivilegeId\":\"{read}\"}}"), vec![(write, "Global")]),
            ("ReplacePrivilegesRole", given(read, "Deep"), vec![(read, "Deep")]),
        ];
        for (action, body, expected) in steps {
            let path = format!("roles({role})/Microsoft.Dynamics.CRM.{action}");
            let answer = world.ask("POST", &path, &[], &body).await;
            assert_eq!(answer.status, 204, "{action} {}", answer.text());
            let told = world.get(&held).await;
            assert_eq!(told["RolePrivileges"][0]["BusinessUnitId"], json!(unit), "{action}");
            let mut found: Vec<_> = told["RolePrivileges"]
                .as_array()
                .unwrap()
                .iter()
                .map(|held| {
                    (held["PrivilegeId"].as_str().unwrap().to_owned(), held["Depth"].as_str().unwrap().to_owned())
                })
                .collect();
            found.sort_by_key(|(id, _)| *id != read.to_string());
            let expected: Vec<_> = expected.iter().map(|(id, depth)| (id.to_string(), (*depth).to_owned())).collect();
            assert_eq!(found, expected, "{action}");
        }
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &given(read, "Everything")).await.expect(400);
    }

    pub async fn users_join_the_access_team_of_a_record(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let code = world.org.schema().table_named("account").unwrap().id.0;
        let template = world
            .post(
                "teamtemplates",
                &format!("{{\"teamtemplatename\":\"T\",\"objecttypecode\":{code},\"defaultaccessrightsmask\":1}}"),
            )
            .await;
        let seller = world.user("sam", &["Basic User"]).await;
        let path = format!("accounts({account})");
        world.send(&seller, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
        let body = format!(
            "{{\"Record\":{{\"accountid\":\"{account}\",\"@odata.type\":\"Microsoft.Dynamics.CRM.account\"}},\
             \"TeamTemplate\":{{\"teamtemplateid\":\"{template}\",\
             \"@odata.type\":\"Microsoft.Dynamics.CRM.teamtemplate\"}}}}"
        );
        let action = |name: &str| format!("systemusers({})/Microsoft.Dynamics.CRM.{name}", seller.user);
        let added = world.ask("POST", &action("AddUserToRecordTeam"), &[], &body).await;
        assert_eq!(added.status, 200, "{}", added.text());
        let team = added.json()["AccessTeamId"].as_str().unwrap().to_owned();
        assert!(world.get(&format!("teams({team})?$select=systemmanaged")).await["systemmanaged"].as_bool().unwrap());
        world.send(&seller, "GET", &path, &[], "").await.expect(200);
        let removed = world.ask("POST", &action("RemoveUserFromRecordTeam"), &[], &body).await;
        assert_eq!((removed.status, removed.json()["AccessTeamId"].as_str()), (200, Some(team.as_str())));
        world.send(&seller, "GET", &path, &[], "").await.expect_error(403, "0x80040220");

        for wrong in
            ["{}", &body.replace("\"teamtemplateid\"", "\"accountid\"").replace("CRM.teamtemplate", "CRM.account")]
        {
            world.ask("POST", &action("AddUserToRecordTeam"), &[], wrong).await.expect(400);
        }
        let on_account = format!("{path}/Microsoft.Dynamics.CRM.AddUserToRecordTeam");
        world.ask("POST", &on_account, &[], &body).await.expect(404);
        world.send(&seller, "POST", &action("AddUserToRecordTeam"), &[], &body).await.expect_error(403, "0x80040220");
    }

    pub async fn hierarchy_security_is_switched_over_the_protocol(world: World) {
        let (manager, seller) = (world.user("mia", &["Basic User"]).await, world.user("sam", &["Basic User"]).await);
        let answer =
            world.send(&seller, "POST", "accounts", &[("prefer", "return=representation")], r#"{"name":"A"}"#).await;
        let account = answer.json()["accountid"].as_str().unwrap().to_owned();
        let under = format!("{{\"parentsystemuserid@odata.bind\":\"systemusers({})\"}}", manager.user);
        world.ask("PATCH", &format!("systemusers({})", seller.user), &[], &under).await.expect(204);
        let path = format!("accounts({account})");
        world.send(&manager, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
        let organization = format!("organizations({})", world.org.id());
        let on = r#"{"ishierarchicalsecuritymodelenabled":true,"maxdepthforhierarchicalsecuritymodel":1}"#;
        world.send(&seller, "PATCH", &organization, &[], on).await.expect(403);
        world.ask("PATCH", &organization, &[], on).await.expect(204);
        world.send(&manager, "GET", &path, &[], "").await.expect(200);
        world.send(&manager, "PATCH", &path, &[], r#"{"name":"B"}"#).await.expect(204);
        world.send(&manager, "DELETE", &path, &[], "").await.expect_error(403, "0x80040220");
    }

    pub async fn operations_that_are_not_there_say_so(world: World) {
        let cases = [
            ("GET", "NoSuchThing()", 404, "0x8006088a"),
            ("POST", "NoSuchThing", 404, "0x8006088a"),
            ("POST", "WhoAmI", 404, "0x0"),
            ("GET", "GrantAccess", 404, "0x0"),
            (
                "GET",
                "accounts(00000000-0000-0000-0000-000000000001)/Microsoft.Dynamics.CRM.WhoAmI()",
                404,
                "0x8006088a",
            ),
            ("POST", "WinOpportunity", 501, "0x80060888"),
            ("GET", "RetrieveLicenseInfo()", 501, "0x80060888"),
            (
                "POST",
                "lists(00000000-0000-0000-0000-000000000001)/Microsoft.Dynamics.CRM.AddMemberList",
                501,
                "0x80060888",
            ),
            ("GET", "WhoAmI(x=1)", 400, "0x80060888"),
            ("GET", "RetrieveTotalRecordCount(EntityNames=['account'],Foo=1)", 400, "0x80060888"),
            ("GET", "RetrieveMetadataChanges(Foo='x')", 400, "0x80060888"),
            ("GET", "WinOpportunity", 404, "0x0"),
            ("GET", "CreateMultiple", 404, "0x0"),
            ("POST", "CreateMultiple", 404, "0x8006088a"),
        ];
        for (method, target, status, code) in cases {
            let body = if method == "POST" { "{}" } else { "" };
            let answer = world.ask(method, target, &[], body).await;
            assert_eq!(answer.status, status, "{method} {target} {}", answer.text());
            answer.expect_error(status, code);
        }
    }

    /// Parameters that are declared and change nothing yet are refused only where they would change something.
    pub async fn parameters_that_are_not_there_yet_say_so(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let prefilled = |more: &str| {
            format!(
                "InitializeFrom(EntityMoniker=@m,TargetEntityName='contact'{more})?@m={{'@odata.id':'accounts({account})'}}"
            )
        };
        // Of a table that does not exist: what is described is not what this is about.
        let none = r#"{"Criteria":{"Conditions":[{"PropertyName":"LogicalName","Value":"none"}]}}"#;
        let changes = |more: &str| format!("RetrieveMetadataChanges(Query=@q{more})?@q={none}");
        let id = world.seeded.unit;
        for (parameter, value, form) in [
            ("RetrieveConsumableRecord", "true", &prefilled as &dyn Fn(&str) -> String),
            ("AppModuleId", &id.to_string(), &changes),
            ("RetrieveAllSettings", "true", &changes),
        ] {
            let plain = world.get(&form("")).await;
            let zeros = "00000000-0000-0000-0000-000000000000";
            for nothing in ["null", if parameter == "AppModuleId" { zeros } else { "false" }] {
                assert_eq!(world.get(&form(&format!(",{parameter}={nothing}"))).await, plain, "{parameter}={nothing}");
            }
            let answer = world.ask("GET", &form(&format!(",{parameter}={value}")), &[], "").await;
            let message = answer.expect_error(501, "0x80060888");
            assert!(message.contains(&format!("the parameter '{parameter}' of the function")), "{message}");
            for wrong in
                ["'x'", "5", if parameter == "AppModuleId" { "false" } else { "00000000-0000-0000-0000-00000000000f" }]
            {
                let target = form(&format!(",{parameter}={wrong}"));
                world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
            }
            // By an alias, too.
            let target = format!("{}&@v={value}", form(&format!(",{parameter}=@v")));
            world.ask("GET", &target, &[], "").await.expect_error(501, "0x80060888");
            world.ask("GET", &form(",Foo=null"), &[], "").await.expect_error(400, "0x80060888");
        }
    }

    pub async fn another_user_is_named_by_headers(world: World) {
        let object = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
        let seller = world.user("sam", &["Salesperson"]).await;
        // Who may change the row of a user says which person of the directory it is; two users are never one person.
        let given = format!(r#"{{"azureactivedirectoryobjectid":"{object}"}}"#);
        let path = format!("systemusers({})", seller.user);
        let reader = world.user("rita", &["Basic User"]).await;
        world.send(&reader, "PATCH", &path, &[], &given).await.expect_error(403, "0x80040220");
        world.ask("PATCH", &path, &[], &given).await.expect(204);
        let administrator = format!("systemusers({})", world.seeded.administrator);
        world.ask("PATCH", &administrator, &[], &given).await.expect(412);
        let read = async |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
            acting_for(&world.org, &world.admin(), &headers).await
        };
        assert_eq!(read("mscrmcallerid", &seller.user.to_string()).await.unwrap(), Some(seller.user));
        assert_eq!(read("mscrmcallerid", &format!("{{{}}}", seller.user)).await.unwrap(), Some(seller.user));
        assert_eq!(read("mscrmcallerid", "").await.unwrap(), None);
        assert_eq!(read("accept", "*/*").await.unwrap(), None);
        assert_eq!(read("mscrmcallerid", "x").await.unwrap_err().status(), 400);
        assert_eq!(read("callerobjectid", &Guid::from_u128(8).to_string()).await.unwrap_err().status(), 403);
        let found = read("callerobjectid", object).await;
        assert_eq!(found.unwrap(), Some(seller.user));
        // What is not understood does not make it a request of the caller's own.
        for name in ["mscrmcallerid", "callerobjectid"] {
            assert_eq!(read(name, "\u{e9}").await.unwrap_err().status(), 400, "{name}");
        }
        let both = async |given: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(*name, value.parse().unwrap());
            }
            acting_for(&world.org, &world.admin(), &headers).await.map_err(|refused| refused.status().as_u16())
        };
        let (user, other) = (seller.user.to_string(), world.seeded.administrator.to_string());
        assert_eq!(both(&[("mscrmcallerid", &user), ("callerobjectid", object)]).await, Ok(Some(seller.user)));
        assert_eq!(both(&[("mscrmcallerid", &other), ("callerobjectid", object)]).await, Err(400));
        assert_eq!(both(&[("mscrmcallerid", &user), ("mscrmcallerid", &other)]).await, Err(400));
        assert_eq!(both(&[("mscrmcallerid", &user), ("mscrmcallerid", &user)]).await, Err(400));

        // Who may act for nobody else is answered alike, whomever the headers name: only themself they may name.
        let eve = world.user("eve", &["Salesperson"]).await;
        let (nobody, unknown) = (Guid::from_u128(7).to_string(), Guid::from_u128(8).to_string());
        let asked = async |caller: &Caller, given: &[(&'static str, &str)]| {
            let headers =
                given.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            let refused = acting_for(&world.org, caller, &HeaderMap::from_iter(headers)).await;
            refused.map_err(|refused| (refused.status().as_u16(), String::from_utf8(refused.body().to_vec()).unwrap()))
        };
        let refused = asked(&eve, &[("mscrmcallerid", &user)]).await.unwrap_err();
        assert!(refused.0 == 403 && refused.1.contains("prvActOnBehalfOfAnotherUser"), "{refused:?}");
        let own = eve.user.to_string();
        for given in [
            &[("mscrmcallerid", nobody.as_str())][..],
            &[("callerobjectid", object)],
            &[("callerobjectid", &unknown)],
            &[("mscrmcallerid", &user), ("callerobjectid", object)],
            &[("mscrmcallerid", &other), ("callerobjectid", object)],
            &[("mscrmcallerid", &own), ("callerobjectid", object)],
            &[("mscrmcallerid", &own), ("callerobjectid", &unknown)],
        ] {
            assert_eq!(asked(&eve, given).await, Err(refused.clone()), "{given:?}");
        }
        assert_eq!(asked(&eve, &[("mscrmcallerid", &own)]).await, Ok(Some(eve.user)));
        let own = seller.user.to_string();
        assert_eq!(asked(&seller, &[("mscrmcallerid", &own), ("callerobjectid", object)]).await, Ok(Some(seller.user)));
        // With the privilege they are told apart.
        assert_eq!(asked(&world.admin(), &[("callerobjectid", &unknown)]).await.unwrap_err().0, 403);
        let missing = Caller { acting_for: Some(Guid::from_u128(7)), ..world.admin() };
        world.send(&missing, "GET", "accounts", &[], "").await.expect_error(404, "0x80040217");

        let acting = Caller { acting_for: Some(seller.user), ..world.admin() };
        let who = world.send(&acting, "GET", "WhoAmI", &[], "").await.expect(200);
        assert_eq!(who["UserId"], json!(seller.user));
        let made = world.send(&acting, "POST", "accounts", &[], r#"{"name":"A"}"#).await.written_id();
        let row = world.get(&format!("accounts({made})")).await;
        assert_eq!(row["_createdby_value"], json!(seller.user));
        assert_eq!(row["_createdonbehalfby_value"], json!(world.seeded.administrator));
        let forbidden = Caller { acting_for: Some(world.seeded.administrator), ..seller };
        world.send(&forbidden, "GET", "accounts", &[], "").await.expect_error(403, "0x80040220");
    }
}
