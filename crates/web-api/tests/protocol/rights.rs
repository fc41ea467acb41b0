//! Being told what somebody may do: the rights of users and teams on a record, the privileges of users.

use crate::on_both_engines;

on_both_engines! {
    rights_of_a_team_are_its_own;
    privileges_of_a_user_are_told;
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
}
