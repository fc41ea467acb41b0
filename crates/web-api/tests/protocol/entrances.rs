//! Every way in asks for what it declares: somebody with all of that, and nothing else, gets in, and nobody who lacks a single part
//! of it does.

use crate::on_both_engines;

on_both_engines! {
    every_way_in_asks_for_what_it_declares;
}

mod bodies {
    use custodia_org::{Caller, RoleChange};
    use custodia_schema::{Guid, Level, PrivilegeKind, privilege_id};
    use custodia_web_api::{Asks, Entrance, EntranceKind, Need, On, entrances};
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, World};

    /// A privilege that no way in asks for.
    const UNRELATED: &str = "prvReadSubject";
    /// A batch of one request.
    const BATCH: &str = "--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n\r\n--b--\r\n";

    /// A request that goes well for whoever has the rights.
    struct Sample {
        target: String,
        body: Json,
        /// The table of what the address names first.
        table: &'static str,
        /// The table of what it is linked with.
        other: &'static str,
        /// Privileges for what a declaration says in words.
        besides: &'static [&'static str],
    }

    impl Sample {
        fn get(target: impl Into<String>) -> Self {
            Self { target: target.into(), body: Json::Null, table: "account", other: "contact", besides: &[] }
        }

        fn post(target: impl Into<String>, body: Json) -> Self {
            Self { body, ..Self::get(target) }
        }

        fn of(self, table: &'static str, other: &'static str) -> Self {
            Self { table, other, ..self }
        }

        fn besides(self, besides: &'static [&'static str]) -> Self {
            Self { besides, ..self }
        }
    }

    /// Who is in the world, beside its administrator.
    struct People {
        /// Who asks. The role is the only one.
        caller: Caller,
        role: Guid,
        /// Somebody who may be given records.
        colleague: Guid,
    }

    impl People {
        async fn new(world: &World) -> Self {
            let caller = world.user("carl", &[]).await;
            let role = role(world, "Just so").await;
            let body = json!({ "@odata.id": format!("roles({role})") }).to_string();
            let path = format!("systemusers({})/systemuserroles_association/$ref", caller.user);
            world.ask("POST", &path, &[], &body).await.expect(204);
            let colleague = world.user("cora", &["Basic User"]).await.user;
            let accounts = world.org.schema().table_named("account").unwrap().id;
            world.org.audit_table(&world.admin(), accounts, true).await.unwrap();
            Self { caller, role, colleague }
        }

        /// Gives the caller these privileges, and takes all others.
        async fn hold(&self, world: &World, privileges: &[String]) {
            let all = privileges.iter().map(String::as_str).chain([UNRELATED]);
            let held = all.map(|name| (privilege_id(name), Level::Global)).collect();
            world.org.change_role(&world.admin(), self.role, RoleChange::Replace(held)).await.unwrap();
        }
    }

    async fn role(world: &World, name: &str) -> Guid {
        let unit = format!("/businessunits({})", world.seeded.unit);
        // Names of roles are there once in a unit.
        let name = format!("{name} {}", world.org.new_id());
        let body = json!({ "name": name, "businessunitid@odata.bind": unit });
        Guid::try_parse(&world.post("roles", &body.to_string()).await).unwrap()
    }

    /// The privileges that a declaration names for a sample.
    fn privileges(world: &World, needs: &[Need], sample: &Sample) -> Vec<String> {
        let schema = world.org.schema();
        let of = |table: &str, kind: PrivilegeKind| {
            let table = schema.table_named(table).unwrap();
            table.privilege(kind).unwrap_or_else(|| panic!("{} has no {kind:?}", table.name)).name.clone()
        };
        let named = needs.iter().filter_map(|need| match need {
            Need::Privilege(name) => Some((*name).to_owned()),
            Need::Right(kind, On::Record) => Some(of(sample.table, *kind)),
            Need::Right(kind, On::Other) => Some(of(sample.other, *kind)),
            Need::Right(kind, On::Table(table)) => Some(of(table, *kind)),
            Need::Said(_) => None,
        });
        let mut all: Vec<String> = named.chain(sample.besides.iter().map(|name| (*name).to_owned())).collect();
        all.sort();
        all.dedup();
        all
    }

    async fn ask(world: &World, people: &People, entrance: &Entrance, sample: &Sample) -> Answer {
        let (headers, body): (&[(&str, &str)], String) = match &sample.body {
            Json::Null => (&[], String::new()),
            Json::String(text) => (&[("content-type", "multipart/mixed;boundary=b")], text.clone()),
            body => (&[], body.to_string()),
        };
        world.send(&people.caller, entrance.method, &sample.target, headers, &body).await
    }

    /// Whether an answer says that a right is lacking.
    fn is_refused(answer: &Answer) -> bool {
        answer.status == 403 && answer.json()["error"]["code"] == "0x80040220"
    }

    pub async fn every_way_in_asks_for_what_it_declares(world: World) {
        let people = People::new(&world).await;
        let mut faults = Vec::new();
        for entrance in entrances() {
            let called = format!("{} {}", entrance.method, entrance.name);
            let needs = match entrance.asks {
                Asks::Nothing(_) => panic!("{called}: nobody comes here without a token"),
                Asks::Token(_) => &[],
                Asks::Rights(needs) | Asks::RightsUnlessOwn(needs) => needs,
            };
            let sample = sample(&world, &people, &entrance, people.colleague).await;
            let needed = privileges(&world, needs, &sample);
            people.hold(&world, &needed).await;
            let answer = ask(&world, &people, &entrance, &sample).await;
            // What is not there yet is so for everybody.
            if !matches!(answer.status, 200..=299 | 501) {
                faults.push(format!("{called} asks for more than {needed:?}: {} {}", answer.status, answer.text()));
                continue;
            }
            for lacking in &needed {
                let sample = self::sample(&world, &people, &entrance, people.colleague).await;
                let rest: Vec<String> = needed.iter().filter(|name| *name != lacking).cloned().collect();
                people.hold(&world, &rest).await;
                let answer = ask(&world, &people, &entrance, &sample).await;
                if !is_refused(&answer) {
                    faults.push(format!("{called} without {lacking}: {} {}", answer.status, answer.text()));
                }
            }
            if let Asks::RightsUnlessOwn(_) = entrance.asks {
                people.hold(&world, &[]).await;
                let own = self::sample(&world, &people, &entrance, people.caller.user).await;
                let answer = ask(&world, &people, &entrance, &own).await;
                if answer.status != 200 {
                    faults.push(format!("{called} of oneself: {} {}", answer.status, answer.text()));
                }
            }
        }
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }

    /// Records that a request is about, made anew.
    struct Records {
        account: String,
        /// The account's primary contact, which hangs on it.
        contact: String,
        /// One that hangs on nothing.
        free: String,
    }

    impl Records {
        async fn new(world: &World) -> Self {
            let account = world.post("accounts", r#"{"name":"A","fax":"1"}"#).await;
            let body = json!({
                "lastname": "C",
                "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
            });
            let contact = world.post("contacts", &body.to_string()).await;
            let body = json!({ "primarycontactid@odata.bind": format!("/contacts({contact})"), "fax": "2" });
            world.ask("PATCH", &format!("accounts({account})"), &[], &body.to_string()).await.expect(204);
            let free = world.post("contacts", r#"{"lastname":"F"}"#).await;
            Self { account, contact, free }
        }

        /// The account, as actions name it.
        fn reference(&self) -> Json {
            json!({ "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": self.account })
        }
    }

    fn user(id: Guid) -> Json {
        json!({ "@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": id })
    }

    /// A request of that kind; where it is about somebody, about that user.
    async fn sample(world: &World, people: &People, entrance: &Entrance, about: Guid) -> Sample {
        let records = Records::new(world).await;
        match entrance.kind {
            EntranceKind::Address => address(entrance, &records),
            EntranceKind::Function => function(world, entrance.name, &records, about).await,
            EntranceKind::Action => action(world, people, entrance.name, &records).await,
        }
    }

    fn address(entrance: &Entrance, records: &Records) -> Sample {
        let Records { account, contact, free } = records;
        let at = |rest: &str| format!("accounts({account}){rest}");
        let related = |rest: &str| at(&format!("/contact_customer_accounts{rest}"));
        let link = json!({ "@odata.id": format!("contacts({free})") });
        match (entrance.method, entrance.name) {
            ("GET", "(the service root)") => Sample::get(""),
            ("GET", "$metadata") => Sample::get("$metadata"),
            ("POST", "$batch") => Sample::post("$batch", json!(BATCH)),
            (method, name) if name.starts_with("EntityDefinitions") => {
                let one = "EntityDefinitions(LogicalName='account')";
                match method {
                    "GET" => Sample::get(format!("{one}?$select=LogicalName")),
                    "POST" => Sample::post("EntityDefinitions", json!({})),
                    "DELETE" => Sample::get(one),
                    _ => Sample::post(one, json!({ "IsAuditEnabled": { "Value": true } })),
                }
            }
            ("GET", "accounts") => Sample::get("accounts?$select=name"),
            ("POST", "accounts") => Sample::post("accounts", json!({ "name": "New" })),
            ("GET", "accounts/$count") => Sample::get("accounts/$count"),
            ("PATCH", "accounts(…)") => Sample::post(at(""), json!({ "name": "B" })),
            (_, "accounts(…)") => Sample::get(at("")),
            ("GET", "accounts(…)/name") => Sample::get(at("/name")),
            ("PUT", "accounts(…)/name") => Sample::post(at("/name"), json!({ "value": "B" })),
            ("DELETE", "accounts(…)/name") => Sample::get(at("/fax")),
            ("GET", "accounts(…)/name/$value") => Sample::get(at("/name/$value")),
            ("GET", "accounts(…)/primarycontactid") => Sample::get(at("/primarycontactid")),
            ("PUT", "accounts(…)/primarycontactid/$ref") => Sample::post(at("/primarycontactid/$ref"), link),
            (_, "accounts(…)/primarycontactid/$ref") => Sample::get(at("/primarycontactid/$ref")),
            ("POST", "accounts(…)/contact_customer_accounts") => {
                Sample::post(related(""), json!({ "lastname": "New" }))
            }
            ("GET", "accounts(…)/contact_customer_accounts") => Sample::get(related("")),
            ("GET", "accounts(…)/contact_customer_accounts/$count") => Sample::get(related("/$count")),
            ("POST", "accounts(…)/contact_customer_accounts/$ref") => Sample::post(related("/$ref"), link),
            ("GET", "accounts(…)/contact_customer_accounts/$ref") => Sample::get(related("/$ref")),
            ("DELETE", "accounts(…)/contact_customer_accounts/$ref") => {
                Sample::get(related(&format!("/$ref?$id=contacts({contact})")))
            }
            ("GET", "accounts(…)/contact_customer_accounts(…)") => Sample::get(related(&format!("({contact})"))),
            ("DELETE", "accounts(…)/contact_customer_accounts(…)/$ref") => {
                Sample::get(related(&format!("({contact})/$ref")))
            }
            (method, name) => panic!("say how to ask {method} {name}"),
        }
    }

    async fn function(world: &World, name: &str, records: &Records, about: Guid) -> Sample {
        let account = &records.account;
        let target = format!("@t={{'@odata.id':'accounts({account})'}}");
        let of_user = |call: &str| format!("systemusers({about})/Microsoft.Dynamics.CRM.{call}");
        match name {
            "InitializeFrom" => Sample::get(format!(
                "InitializeFrom(EntityMoniker=@t,TargetEntityName='contact',\
                 TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate')?{target}"
            )),
            "RetrieveAllEntities" => Sample::get("RetrieveAllEntities(EntityFilters=1,RetrieveAsIfPublished=false)"),
            "RetrieveEntity" => {
                Sample::get("RetrieveEntity(EntityFilters=1,LogicalName='account',RetrieveAsIfPublished=true)")
            }
            "RetrieveAttributeChangeHistory" => {
                Sample::get(format!("RetrieveAttributeChangeHistory(Target=@t,AttributeLogicalName='name')?{target}"))
            }
            "RetrieveRecordChangeHistory" => Sample::get(format!("RetrieveRecordChangeHistory(Target=@t)?{target}")),
            "RetrieveAuditDetails" => {
                let entry = entry(world, account).await;
                Sample::get(format!("audits({entry})/Microsoft.Dynamics.CRM.RetrieveAuditDetails"))
            }
            "RetrieveFilteredForms" => Sample::get(format!(
                "RetrieveFilteredForms(EntityLogicalName='account',FormType=2,SystemUserId={about})"
            )),
            "RetrieveMetadataChanges" => Sample::get("RetrieveMetadataChanges(Query=@q)?@q={}"),
            "RetrievePrincipalAccess" => {
                let path = of_user("RetrievePrincipalAccess(Target=@t)");
                Sample::get(format!("{path}?{target}")).of("systemuser", "account")
            }
            "RetrieveRolePrivilegesRole" => {
                let role = role(world, "Read").await;
                Sample::get(format!("RetrieveRolePrivilegesRole(RoleId={role})")).of("role", "role")
            }
            "RetrieveSharedPrincipalsAndAccess" => {
                Sample::get(format!("RetrieveSharedPrincipalsAndAccess(Target=@t)?{target}"))
            }
            "RetrieveTotalRecordCount" => Sample::get("RetrieveTotalRecordCount(EntityNames=['account'])"),
            "RetrieveUserPrivilegeByPrivilegeName" => {
                Sample::get(of_user("RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='prvReadAccount')"))
            }
            "RetrieveUserPrivileges" => Sample::get(of_user("RetrieveUserPrivileges()")),
            "custodia_ExplainAccess" => {
                Sample::get(of_user("custodia_ExplainAccess(Right='ReadAccess',EntityLogicalName='account')"))
            }
            "RetrieveAvailableLanguages"
            | "RetrieveCurrentOrganization"
            | "RetrieveProvisionedLanguages"
            | "RetrieveTimestamp"
            | "RetrieveVersion"
            | "WhoAmI"
            | "custodia_LintRoles"
            | "custodia_RetrieveUserInterface" => Sample::get(format!("{name}()")),
            other => panic!("say how to call the function {other}"),
        }
    }

    /// The newest entry of the audit about an account.
    async fn entry(world: &World, account: &str) -> String {
        let history = world
            .get(&format!("RetrieveRecordChangeHistory(Target=@t)?@t={{'@odata.id':'accounts({account})'}}"))
            .await;
        let newest = &history["AuditDetailCollection"]["AuditDetails"][0]["AuditRecord"]["auditid"];
        newest.as_str().unwrap().to_owned()
    }

    async fn action(world: &World, people: &People, name: &str, records: &Records) -> Sample {
        let colleague = people.colleague;
        let target = records.reference();
        let on_accounts = |targets: Json| {
            Sample::post(format!("accounts/Microsoft.Dynamics.CRM.{name}"), json!({ "Targets": targets }))
        };
        match name {
            "AddMembersTeam" | "RemoveMembersTeam" => {
                let unit = format!("/businessunits({})", world.seeded.unit);
                let body = json!({ "name": world.org.new_id(), "businessunitid@odata.bind": unit });
                let team = world.post("teams", &body.to_string()).await;
                if name == "RemoveMembersTeam" {
                    let member = json!({ "@odata.id": format!("systemusers({colleague})") }).to_string();
                    let path = format!("teams({team})/teammembership_association/$ref");
                    world.ask("POST", &path, &[], &member).await.expect(204);
                }
                let members = json!({ "Members": [user(colleague)] });
                Sample::post(format!("teams({team})/Microsoft.Dynamics.CRM.{name}"), members).of("team", "systemuser")
            }
            "AddPrivilegesRole" | "ReplacePrivilegesRole" | "RemovePrivilegeRole" => {
                let role = role(world, "Changed").await;
                let path = format!("roles({role})/Microsoft.Dynamics.CRM.{name}");
                let privilege = privilege_id("prvReadLead");
                if name == "RemovePrivilegeRole" {
                    let held = vec![(privilege, Level::Basic)];
                    world.org.change_role(&world.admin(), role, RoleChange::Add(held)).await.unwrap();
                    return Sample::post(path, json!({ "PrivilegeId": privilege })).of("role", "role");
                }
                let given = json!({ "Privileges": [{ "PrivilegeId": privilege, "Depth": "Basic" }] });
                Sample::post(path, given).of("role", "role").besides(&["prvReadLead"])
            }
            "AddUserToRecordTeam" | "RemoveUserFromRecordTeam" => {
                let code = world.org.schema().table_named("account").unwrap().id.0;
                let template = json!({ "teamtemplatename": world.org.new_id(), "objecttypecode": code, "defaultaccessrightsmask": 1 });
                let template = world.post("teamtemplates", &template.to_string()).await;
                let template =
                    json!({ "@odata.type": "Microsoft.Dynamics.CRM.teamtemplate", "teamtemplateid": template });
                let body = json!({ "Record": target, "TeamTemplate": template });
                let on = |name: &str| format!("systemusers({colleague})/Microsoft.Dynamics.CRM.{name}");
                if name == "RemoveUserFromRecordTeam" {
                    world.ask("POST", &on("AddUserToRecordTeam"), &[], &body.to_string()).await.expect(200);
                    return Sample::post(on(name), body);
                }
                Sample::post(on(name), body).besides(&["prvReadAccount"])
            }
            "Assign" => Sample::post(name, json!({ "Target": target, "Assignee": user(colleague) })),
            "BulkDelete" => {
                let condition = json!({
                    "AttributeName": "name",
                    "Operator": "Equal",
                    "Values": [{ "Value": "nothing", "Type": "System.String" }],
                });
                let query = json!({
                    "@odata.type": "Microsoft.Dynamics.CRM.QueryExpression",
                    "EntityName": "account",
                    "Criteria": { "FilterOperator": "And", "Conditions": [condition] },
                });
                Sample::post(name, json!({ "JobName": "J", "QuerySet": [query] }))
            }
            "CreateMultiple" => on_accounts(json!([{ "name": "N" }])),
            "UpdateMultiple" => on_accounts(json!([{ "accountid": records.account, "name": "N" }])),
            "DeleteMultiple" => on_accounts(json!([{ "accountid": records.account }])),
            "UpsertMultiple" => on_accounts(json!([{ "accountid": records.account, "name": "N" }, { "name": "New" }])),
            "GrantAccess" | "ModifyAccess" => {
                let principal = json!({ "AccessMask": "ReadAccess", "Principal": user(colleague) });
                let body = json!({ "Target": target, "PrincipalAccess": principal });
                Sample::post(name, body).besides(&["prvReadAccount"])
            }
            "RevokeAccess" => Sample::post(name, json!({ "Target": target, "Revokee": user(colleague) })),
            "Merge" => {
                let lesser = Records::new(world).await.reference();
                Sample::post(name, json!({ "Target": target, "Subordinate": lesser, "PerformParentingChecks": false }))
            }
            "DeleteRecordChangeHistory" => Sample::post(name, json!({ "Target": target })),
            "PublishAllXml" => Sample::post(name, json!({})),
            "PublishXml" => Sample::post(name, json!({ "ParameterXml": "<importexportxml/>" })),
            "custodia_RestoreFromAudit" => {
                let entry = entry(world, &records.account).await;
                let only = json!({ "AttributeLogicalNames": ["fax"] });
                Sample::post(format!("audits({entry})/Microsoft.Dynamics.CRM.{name}"), only)
            }
            other => panic!("say how to call the action {other}"),
        }
    }
}
