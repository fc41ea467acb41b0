//! Being told what somebody may do: the rights of users and teams on a record, the privileges of users.

use crate::on_both_engines;

on_both_engines! {
    rights_of_a_team_are_its_own;
    privileges_of_a_user_are_told;
    why_a_user_may_is_explained;
}

mod bodies {
    use custodia_org::Caller;
    use custodia_schema::{Guid, privilege_id};
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, ROOT, World};

    const ACCOUNT_RIGHTS: [&str; 4] = ["prvReadAccount", "prvWriteAccount", "prvShareAccount", "prvDeleteAccount"];

    /// A role of the root unit with these privileges.
    async fn role(world: &World, name: &str, privileges: &[(&str, &str)]) -> String {
        let unit = world.seeded.unit;
        let body = json!({ "name": name, "businessunitid@odata.bind": format!("/businessunits({unit})") });
        let role = world.post("roles", &body.to_string()).await;
        let privileges: Vec<Json> = privileges
            .iter()
            .map(|(name, depth)| json!({ "PrivilegeId": privilege_id(name).to_string(), "Depth": depth }))
            .collect();
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &json!({ "Privileges": privileges }).to_string()).await.expect(204);
        role
    }

    /// A team of a unit: 0 is an owner team, 1 an access team.
    async fn team(world: &World, name: &str, unit: &str, kind: i32) -> String {
        let unit = format!("/businessunits({unit})");
        let body = json!({ "name": name, "teamtype": kind, "businessunitid@odata.bind": unit });
        world.post("teams", &body.to_string()).await
    }

    async fn give(world: &World, holder: &str, navigation: &str, role: &str) {
        let body = json!({ "@odata.id": format!("roles({role})") }).to_string();
        let answer = world.ask("POST", &format!("{holder}/{navigation}/$ref"), &[], &body).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    async fn told(world: &World, caller: &Caller, principal: &str, account: &str) -> Answer {
        let path = format!(
            "{principal}/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)?@t={{'@odata.id':'accounts({account})'}}"
        );
        world.send(caller, "GET", &path, &[], "").await
    }

    async fn grant(world: &World, account: &str, set: &str, id: &str, mask: &str) {
        let body = json!({
            "Target": { "@odata.id": format!("accounts({account})") },
            "PrincipalAccess": { "AccessMask": mask, "Principal": { "@odata.id": format!("{set}({id})") } },
        });
        let answer = world.ask("POST", "GrantAccess", &[], &body.to_string()).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    pub async fn rights_of_a_team_are_its_own(world: World) {
        let admin = world.admin();
        let root = world.seeded.unit.to_string();
        let body = json!({ "name": "East", "parentbusinessunitid@odata.bind": format!("/businessunits({root})") });
        let east = world.post("businessunits", &body.to_string()).await;
        let basic: Vec<_> = ACCOUNT_RIGHTS.iter().map(|name| (*name, "Basic")).collect();
        let basic = role(&world, "Basic on accounts", &basic).await;
        let owners = team(&world, "Owners", &root, 0).await;
        let empty = team(&world, "Without roles", &root, 0).await;
        let access = team(&world, "Access", &root, 1).await;
        let owners_path = format!("teams({owners})");
        let account = world.post("accounts", r#"{"name":"Of the administrator"}"#).await;
        let rights = async |principal: &str, account: &str| {
            let answer = told(&world, &admin, principal, account).await.expect(200);
            let context = format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.RetrievePrincipalAccessResponse");
            assert_eq!(answer["@odata.context"], context);
            answer["AccessRights"].as_str().unwrap().to_owned()
        };
        assert_eq!(rights(&owners_path, &account).await, "None");

        // A share alone gives nothing; with the privileges it does, and no more than it says.
        grant(&world, &account, "teams", &owners, "ReadAccess, WriteAccess, AssignAccess").await;
        assert_eq!(rights(&owners_path, &account).await, "None");
        give(&world, &owners_path, "teamroles_association", &basic).await;
        assert_eq!(rights(&owners_path, &account).await, "ReadAccess, WriteAccess");

        // What is shared with a member, and what a member holds, is not the team's.
        let member = world.user("mia", &["System Administrator"]).await;
        let path = format!("{owners_path}/teammembership_association/$ref");
        let to = json!({ "@odata.id": format!("systemusers({})", member.user) }).to_string();
        world.ask("POST", &path, &[], &to).await.expect(204);
        grant(&world, &account, "systemusers", &member.user.to_string(), "DeleteAccess").await;
        assert_eq!(rights(&owners_path, &account).await, "ReadAccess, WriteAccess");

        // What it owns.
        let owned = json!({ "name": "Of the team", "ownerid@odata.bind": format!("/{owners_path}") });
        let owned = world.post("accounts", &owned.to_string()).await;
        assert_eq!(rights(&owners_path, &owned).await, "ReadAccess, WriteAccess, DeleteAccess, ShareAccess");

        // What its roles reach from its unit.
        let local =
            role(&world, "Local on accounts", &[("prvReadAccount", "Local"), ("prvAssignAccount", "Local")]).await;
        let filter = format!("roles?$filter=_parentrootroleid_value eq {local} and _businessunitid_value eq {east}");
        let copy = world.get(&filter).await["value"][0]["roleid"].as_str().unwrap().to_owned();
        let eastern = team(&world, "Eastern", &east, 0).await;
        give(&world, &format!("teams({eastern})"), "teamroles_association", &copy).await;
        assert_eq!(rights(&format!("teams({eastern})"), &owned).await, "None");
        let in_east = json!({ "name": "In the east", "ownerid@odata.bind": format!("/teams({eastern})") });
        let in_east = world.post("accounts", &in_east.to_string()).await;
        assert_eq!(rights(&format!("teams({eastern})"), &in_east).await, "ReadAccess, AssignAccess");
        assert_eq!(rights(&owners_path, &in_east).await, "None");

        // Teams without roles have nothing by themselves, access teams among them: their members do.
        for other in [&empty, &access] {
            grant(&world, &owned, "teams", other, "ReadAccess").await;
            assert_eq!(rights(&format!("teams({other})"), &owned).await, "None");
        }

        // Refusals: who may read neither team nor record, a team or a record that is not there, a set of other things.
        let reader = world.user("rita", &["Basic User"]).await;
        told(&world, &reader, &owners_path, &owned).await.expect_error(403, "0x80040220");
        let blind = world.user("bo", &[]).await;
        told(&world, &blind, &owners_path, &owned).await.expect_error(403, "0x80042f09");
        let nobody = Guid::from_u128(77);
        told(&world, &admin, &format!("teams({nobody})"), &owned).await.expect_error(404, "0x80040217");
        told(&world, &admin, &owners_path, &nobody.to_string()).await.expect_error(404, "0x80040217");
        told(&world, &admin, &format!("systemusers({owners})"), &owned).await.expect_error(404, "0x80040217");
        told(&world, &admin, &format!("businessunits({root})"), &owned).await.expect_error(404, "0x8006088a");
    }

    pub async fn privileges_of_a_user_are_told(world: World) {
        let admin = world.admin();
        let root = world.seeded.unit.to_string();
        let sam = world.user("sam", &[]).await;
        let path = format!("systemusers({})", sam.user);
        let whole = format!("{path}/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        let one = |name: &str| {
            format!("{path}/Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='{name}')")
        };
        let held = |answer: &Json| -> Vec<(String, String, String)> {
            let text = |held: &Json, name: &str| held[name].as_str().unwrap().to_owned();
            let all = answer["RolePrivileges"].as_array().unwrap().iter();
            all.map(|held| {
                let name = text(held, "PrivilegeName");
                assert_eq!(held["PrivilegeId"], json!(privilege_id(&name)));
                (name, text(held, "Depth"), text(held, "BusinessUnitId"))
            })
            .collect()
        };
        assert_eq!(held(&world.get(&whole).await), []);
        let first = role(&world, "First", &[("prvReadAccount", "Basic"), ("prvReadUser", "Local")]).await;
        let second = role(&world, "Second", &[("prvReadAccount", "Deep"), ("prvMerge", "Global")]).await;
        give(&world, &path, "systemuserroles_association", &first).await;
        let expect = |all: &[(&str, &str)]| -> Vec<(String, String, String)> {
            all.iter().map(|(name, depth)| ((*name).to_owned(), (*depth).to_owned(), root.clone())).collect()
        };
        assert_eq!(held(&world.get(&whole).await), expect(&[("prvReadAccount", "Basic"), ("prvReadUser", "Local")]));

        // The highest level of all roles counts, those of teams included.
        let team = team(&world, "T", &root, 0).await;
        give(&world, &format!("teams({team})"), "teamroles_association", &second).await;
        let add = json!({ "@odata.id": format!("systemusers({})", sam.user) }).to_string();
        world.ask("POST", &format!("teams({team})/teammembership_association/$ref"), &[], &add).await.expect(204);
        let all = expect(&[("prvMerge", "Global"), ("prvReadAccount", "Deep"), ("prvReadUser", "Local")]);
        assert_eq!(held(&world.get(&whole).await), all);
        assert_eq!(held(&world.get(&one("prvReadAccount")).await), all[1..2]);
        assert_eq!(held(&world.get(&one("prvWriteAccount")).await), []);
        let name = "RetrieveUserPrivilegeByPrivilegeNameResponse";
        let context = format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.{name}");
        assert_eq!(world.get(&one("prvReadAccount")).await["@odata.context"], context);

        // One's own; those of others only for who may read users and roles.
        assert_eq!(held(&world.send(&sam, "GET", &whole, &[], "").await.expect(200)), all);
        let of_admin = whole.replace(&sam.user.to_string(), &admin.user.to_string());
        world.send(&sam, "GET", &of_admin, &[], "").await.expect_error(403, "0x80040220");
        let roles = role(&world, "Roles", &[("prvReadRole", "Global")]).await;
        give(&world, &path, "systemuserroles_association", &roles).await;
        world.send(&sam, "GET", &of_admin, &[], "").await.expect(200);

        world.ask("GET", &one("prvNothing"), &[], "").await.expect_error(400, "0x80060888");
        let nobody = whole.replace(&sam.user.to_string(), &Guid::from_u128(78).to_string());
        world.ask("GET", &nobody, &[], "").await.expect_error(404, "0x80040217");
        let path = format!("teams({team})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        world.ask("GET", &path, &[], "").await.expect_error(404, "0x8006088a");
        world.ask("GET", "RetrieveUserPrivileges()", &[], "").await.expect_error(404, "0x8006088a");
    }

    /// Why a user may do something to an account, as told to a caller.
    async fn why(world: &World, caller: &Caller, user: &Caller, right: &str, rest: &str) -> Answer {
        let path =
            format!("systemusers({})/Microsoft.Dynamics.CRM.custodia_ExplainAccess(Right='{right}',{rest}", user.user);
        Box::pin(world.send(caller, "GET", &path, &[], "")).await
    }

    fn of(account: &str) -> String {
        format!("Target=@t)?@t={{'@odata.id':'accounts({account})'}}")
    }

    pub async fn why_a_user_may_is_explained(world: World) {
        let admin = world.admin();
        let root = world.seeded.unit.to_string();
        let body = json!({ "name": "East", "parentbusinessunitid@odata.bind": format!("/businessunits({root})") });
        let east = world.post("businessunits", &body.to_string()).await;
        let rights: Vec<_> = ACCOUNT_RIGHTS.iter().map(|name| (*name, "Basic")).collect();
        let basic = role(&world, "Basic on accounts", &rights).await;
        let deep = role(&world, "Deep reading", &[("prvReadAccount", "Deep"), ("prvWriteAccount", "Local")]).await;
        let only_team = json!({ "name": "Of the team alone", "isinherited": 0,
            "businessunitid@odata.bind": format!("/businessunits({root})") });
        let only_team = world.post("roles", &only_team.to_string()).await;
        let given = json!({ "Privileges": [{ "PrivilegeId": privilege_id("prvDeleteAccount"), "Depth": "Basic" }] });
        let path = format!("roles({only_team})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &given.to_string()).await.expect(204);

        let owners = team(&world, "Owners", &root, 0).await;
        let eastern = team(&world, "Eastern", &east, 0).await;
        let sam = world.user("sam", &[]).await;
        let mia = world.user("mia", &[]).await;
        let bo = world.user("bo", &[]).await;
        let [sam_path, mia_path] = [&sam, &mia].map(|caller| format!("systemusers({})", caller.user));
        give(&world, &sam_path, "systemuserroles_association", &basic).await;
        give(&world, &mia_path, "systemuserroles_association", &deep).await;
        for team in [&owners, &eastern] {
            let filter = format!("roles?$filter=_parentrootroleid_value eq {basic} and _businessunitid_value eq ");
            let unit = if team == &owners { &root } else { &east };
            let copy = if team == &owners {
                basic.clone()
            } else {
                world.get(&format!("{filter}{unit}")).await["value"][0]["roleid"].as_str().unwrap().to_owned()
            };
            give(&world, &format!("teams({team})"), "teamroles_association", &copy).await;
        }
        give(&world, &format!("teams({owners})"), "teamroles_association", &only_team).await;
        let add = json!({ "@odata.id": mia_path }).to_string();
        world.ask("POST", &format!("teams({owners})/teammembership_association/$ref"), &[], &add).await.expect(204);

        let account = async |name: &str, owner: &str| {
            world
                .post("accounts", &json!({ "name": name, "ownerid@odata.bind": format!("/{owner}") }).to_string())
                .await
        };
        let of_sam = account("Of Sam", &sam_path).await;
        let of_team = account("Of the team", &format!("teams({owners})")).await;
        let in_east = account("In the east", &format!("teams({eastern})")).await;
        let of_admin = world.post("accounts", r#"{"name":"Of the administrator"}"#).await;
        grant(&world, &of_admin, "systemusers", &sam.user.to_string(), "ReadAccess").await;
        grant(&world, &of_admin, "teams", &owners, "ReadAccess, WriteAccess").await;

        // The verdict is that of the rights, for everybody, every record and every right, and follows from some role.
        let accounts = [&of_sam, &of_team, &in_east, &of_admin];
        for user in [&sam, &mia, &bo, &admin] {
            for account in accounts {
                let told = told(&world, &admin, &format!("systemusers({})", user.user), account).await.expect(200);
                let held: Vec<&str> = told["AccessRights"].as_str().unwrap().split(", ").collect();
                for right in ["Read", "Write", "Append", "AppendTo", "Delete", "Assign", "Share"] {
                    let right = format!("{right}Access");
                    let why = why(&world, &admin, user, &right, &of(account)).await.expect(200);
                    let allowed = held.contains(&right.as_str());
                    assert_eq!(why["Allowed"], allowed, "{right} of {} on {account}: {why}", user.user);
                    let grants = why["Grants"].as_array().unwrap();
                    let reaching = grants.iter().filter(|grant| grant["Reaches"] != json!([])).count();
                    assert_eq!(reaching > 0, allowed, "{why}");
                    assert_eq!(why["Missing"] == json!([]), allowed, "{why}");
                }
            }
        }

        // By whom and by which way.
        let reaches = async |user: &Caller, right: &str, account: &str| -> Vec<Json> {
            let why = why(&world, &admin, user, right, &of(account)).await.expect(200);
            let grants = why["Grants"].as_array().unwrap().clone();
            grants
                .into_iter()
                .filter(|grant| grant["Reaches"] != json!([]))
                .map(|grant| json!([grant["Role"]["Name"], grant["Team"]["Name"], grant["Depth"], grant["Reaches"]]))
                .collect()
        };
        assert_eq!(
            reaches(&sam, "Delete", &of_sam).await,
            [json!(["Basic on accounts", null, "Basic", [{ "By": "Owner" }]])]
        );
        let unit =
            json!({ "Id": root, "Name": world.get(&format!("businessunits({root})?$select=name")).await["name"] });
        let team_of = |name: &str, id: &str| json!({ "Id": id, "Name": name });
        let owned = json!({ "By": "OwnerTeam", "Team": team_of("Owners", &owners) });
        let mut found = reaches(&mia, "Delete", &of_team).await;
        found.sort_by_key(Json::to_string);
        assert_eq!(
            found,
            [
                json!(["Basic on accounts", "Owners", "Basic", [owned]]),
                json!(["Of the team alone", "Owners", "Basic", [owned]]),
            ]
        );
        let subtree = json!({ "By": "ParentChildBusinessUnits", "BusinessUnit": unit });
        assert_eq!(reaches(&mia, "Read", &in_east).await, [json!(["Deep reading", null, "Deep", [subtree]])]);
        let shared =
            json!({ "By": "Shared", "Shares": [{ "Principal": team_of("Owners", &owners), "Inherited": false }] });
        let local = json!({ "By": "BusinessUnit", "BusinessUnit": unit });
        assert_eq!(
            reaches(&mia, "Write", &of_admin).await,
            [
                json!(["Deep reading", null, "Local", [local, shared]]),
                json!(["Basic on accounts", "Owners", "Basic", [shared]]),
            ]
        );
        let everything = reaches(&admin, "Read", &in_east).await;
        assert_eq!(everything[0][3], json!([{ "By": "Everything" }]));

        // What is missing: the privilege, the reach, a role at all.
        let missing = async |user: &Caller, right: &str, rest: &str| {
            let why = why(&world, &admin, user, right, rest).await.expect(200);
            why["Missing"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(missing(&sam, "AssignAccess", &of(&of_sam)).await[0].contains("prvAssignAccount"));
        let far = missing(&sam, "WriteAccess", &of(&in_east)).await.concat();
        assert!(far.contains("owned by Eastern") && far.contains("unit East"), "{far}");
        assert!(far.contains("level Deep"), "{far}");
        assert!(missing(&bo, "ReadAccess", &of(&of_sam)).await[0].contains("no security role"));

        // Oneself may ask about what one cannot read, and is not told whose it is.
        let mine = why(&world, &sam, &sam, "ReadAccess", &of(&in_east)).await.expect(200);
        assert_eq!((&mine["Allowed"], mine.to_string().contains("Eastern")), (&json!(false), false), "{mine}");
        why(&world, &sam, &mia, "ReadAccess", &of(&in_east)).await.expect_error(403, "0x80040220");

        // A column: closed until a profile opens it.
        let column = "EntityLogicalName='account',AttributeLogicalName='creditlimit')";
        let open = why(&world, &admin, &sam, "ReadAccess", column).await.expect(200);
        assert_eq!(
            open["Column"],
            json!({ "Allowed": true, "IsSecured": false, "IsMasked": false, "Profiles": [], "SharedWith": [] })
        );
        let account_table = world.org.schema().table_named("account").unwrap().clone();
        let credit = account_table.column("creditlimit").unwrap().id;
        world.org.secure_column(&admin, account_table.id, credit, true).await.unwrap();
        let closed = why(&world, &admin, &sam, "ReadAccess", column).await.expect(200);
        assert_eq!((&closed["Allowed"], &closed["Column"]["IsSecured"]), (&json!(false), &json!(true)));
        assert!(closed["Missing"][0].as_str().unwrap().contains("creditlimit is secured"), "{closed}");
        let profile = world.post("fieldsecurityprofiles", r#"{"name":"Credit"}"#).await;
        let says = json!({ "entityname": "account", "attributelogicalname": "creditlimit", "canread": 4, "cancreate": 0,
            "canupdate": 0, "fieldsecurityprofileid@odata.bind": format!("/fieldsecurityprofiles({profile})") });
        world.post("fieldpermissions", &says.to_string()).await;
        let to = json!({ "@odata.id": format!("fieldsecurityprofiles({profile})") }).to_string();
        world.ask("POST", &format!("{sam_path}/systemuserprofiles_association/$ref"), &[], &to).await.expect(204);
        let opened = why(&world, &admin, &sam, "ReadAccess", column).await.expect(200);
        let profiles = json!([{ "Id": profile, "Name": "Credit" }]);
        assert_eq!(opened["Column"]["Profiles"], profiles);
        assert_eq!((&opened["Allowed"], &opened["Column"]["IsSecured"]), (&json!(true), &json!(true)));
        // The base amount shows what the secured amount holds.
        let base = "EntityLogicalName='account',AttributeLogicalName='creditlimit_base')";
        assert_eq!(why(&world, &admin, &sam, "ReadAccess", base).await.expect(200)["Column"]["Profiles"], profiles);
        let written = why(&world, &admin, &sam, "WriteAccess", column).await.expect(200);
        assert_eq!((&written["Allowed"], &written["Column"]["Profiles"]), (&json!(false), &json!([])));

        // Shared on one record, for changing: there and nowhere else.
        let description =
            custodia_schema::column_description_id(&account_table, account_table.column("creditlimit").unwrap());
        let share = json!({ "attributeid": description, "readaccess": true, "updateaccess": true,
            "objectid_account@odata.bind": format!("/accounts({of_sam})"),
            "principalid_systemuser@odata.bind": format!("/{sam_path}") });
        world.post("principalobjectattributeaccessset", &share.to_string()).await;
        let on = |account: &str| {
            format!("Target=@t,AttributeLogicalName='creditlimit')?@t={{'@odata.id':'accounts({account})'}}")
        };
        let shared = why(&world, &admin, &sam, "WriteAccess", &on(&of_sam)).await.expect(200);
        assert_eq!((&shared["Allowed"], &shared["Column"]["SharedWith"][0]["Id"]), (&json!(true), &json!(sam.user)));
        assert_eq!(why(&world, &admin, &sam, "WriteAccess", column).await.expect(200)["Allowed"], false);
        assert_eq!(
            why(&world, &admin, &mia, "ReadAccess", &on(&of_team)).await.expect(200)["Column"]["Allowed"],
            false
        );

        // Questions that make no sense.
        for (right, rest) in [
            ("FlyAccess", of(&of_sam)),
            ("CreateAccess", of(&of_sam)),
            ("DeleteAccess", column.to_owned()),
            ("ReadAccess", "EntityLogicalName='boat')".to_owned()),
            ("ReadAccess", "EntityLogicalName='account',AttributeLogicalName='boat')".to_owned()),
        ] {
            let answer = why(&world, &admin, &sam, right, &rest).await;
            assert_eq!(answer.status, 400, "{right} {rest}: {}", answer.text());
        }
        let nobody = "systemusers(00000000-0000-0000-0000-00000000004d)/Microsoft.Dynamics.CRM.custodia_ExplainAccess(\
                      Right='Read',EntityLogicalName='account')";
        world.ask("GET", nobody, &[], "").await.expect_error(404, "0x80040217");
    }
}
