//! The audit over the protocol: its switches, the set `audits`, histories and what restores a value.

use crate::on_both_engines;

on_both_engines! {
    switches_are_set_by_descriptions;
    an_entry_names_its_record_as_a_lookup;
    descriptions_that_change_more_are_refused;
    audits_are_a_set_that_is_asked_like_others;
    nobody_writes_the_audit;
    histories_tell_what_became_of_a_record;
    every_kind_of_entry_has_its_detail;
    the_audit_is_told_to_those_who_may_know;
    hidden_columns_are_hidden_in_histories;
    a_value_is_restored_from_its_history;
    reads_are_told_where_a_switch_asks_for_it;
    switches_of_the_organization_are_told;
    an_id_given_again_opens_no_former_history;
    a_former_history_stays_closed_where_its_end_was_not_told;
    opening_a_column_takes_that_every_column_is_open;
    what_decides_rights_is_told_whatever_the_switches_say;
    how_long_entries_are_kept_is_set_by_whoever_may_delete_them;
    a_page_of_a_history_holds_so_many_bytes;
    linked_records_are_named_to_whoever_reads_them;
    a_history_is_erased_by_whoever_may;
    erasing_takes_each_privilege_and_what_the_same_request_told;
}

mod bodies {
    use custodia_org::{
        Caller, Change, HistoryPage, Input, Precondition, RecordInput, Reference, RoleChange, WorkLimits,
    };
    use custodia_schema::{Guid, Level, Value, privilege_id};
    use serde_json::{Value as Json, json};

    use crate::world::World;

    const TABLE: &str = "EntityDefinitions(LogicalName='account')";

    fn column(name: &str) -> String {
        format!("{TABLE}/Attributes(LogicalName='{name}')")
    }

    /// Sends a description back as clients do, with a change.
    async fn put(world: &World, path: &str, change: impl Fn(&mut Json)) {
        let mut description = world.get(path).await;
        change(&mut description);
        let sent = world.ask("PUT", path, &[("mscrm.mergelabels", "true")], &description.to_string()).await;
        assert_eq!(sent.status, 204, "{}", sent.text());
    }

    async fn audit_accounts(world: &World) {
        put(world, TABLE, |table| table["IsAuditEnabled"]["Value"] = json!(true)).await;
    }

    async fn change(world: &World, id: &str, body: &Json) {
        world.ask("PATCH", &format!("accounts({id})"), &[], &body.to_string()).await.expect(204);
    }

    async fn actions(world: &World, filter: &str) -> Vec<i64> {
        let found = world.get(&format!("audits?$select=action&$filter={filter}&$orderby=createdon,auditid")).await;
        found["value"].as_array().unwrap().iter().map(|entry| entry["action"].as_i64().unwrap()).collect()
    }

    fn history(id: &str, paging: &str) -> String {
        format!("RetrieveRecordChangeHistory(Target=@t,PagingInfo=@p)?@t={{'@odata.id':'accounts({id})'}}&@p={paging}")
    }

    /// A user whose only role has these privileges.
    async fn user(world: &World, name: &str, privileges: &[&str]) -> Caller {
        let caller = world.user(name, &[]).await;
        let unit = world.seeded.unit;
        let body = json!({"name": name, "businessunitid@odata.bind": format!("/businessunits({unit})")});
        let role = Guid::try_parse(&world.post("roles", &body.to_string()).await).unwrap();
        let given = privileges.iter().map(|name| {
            let named = world.org.schema().privilege_named(name).unwrap_or_else(|| panic!("{name}")).clone();
            (privilege_id(name), named.highest().unwrap_or(Level::Global))
        });
        world.org.change_role(&world.admin(), role, RoleChange::Add(given.collect())).await.unwrap();
        world.give_role(&caller, name).await;
        caller
    }

    const READER: [&str; 3] = ["prvReadAuditSummary", "prvReadRecordAuditHistory", "prvReadAccount"];

    pub async fn an_entry_names_its_record_as_a_lookup(world: World) {
        audit_accounts(&world).await;
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let annotations = [("prefer", "odata.include-annotations=\"*\"")];
        for options in [
            format!("$select=_objectid_value&$filter=_objectid_value eq {id}"),
            format!("$select=objectid&$filter=objectid eq {id}&$orderby=_objectid_value"),
        ] {
            let answer = world.ask("GET", &format!("audits?{options}"), &annotations, "").await.expect(200);
            let entry = &answer["value"][0];
            assert_eq!(entry["_objectid_value"], id.as_str(), "{answer}");
            assert_eq!(entry["_objectid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
            assert!(entry.get("objecttypecode").is_none() && entry.get("objectid").is_none(), "{entry}");
        }
        // By the other languages, too; not where rows are told apart by what they show.
        let fetch = |attributes: &str| {
            let fetch = format!(
                "<fetch {attributes}<filter><condition attribute='objectid' operator='eq' value='{id}'/></filter></entity></fetch>"
            );
            format!(
                "audits?fetchXml={}",
                percent_encoding::utf8_percent_encode(&fetch, percent_encoding::NON_ALPHANUMERIC)
            )
        };
        let typed = "@Microsoft.Dynamics.CRM.lookuplogicalname";
        for (target, name, expected) in [
            (fetch("><entity name='audit'><attribute name='objectid'/>"), "_objectid_value", json!("account")),
            (fetch("><entity name='audit'><attribute name='objectid' alias='of'/>"), "of", json!("account")),
            (fetch("distinct='true'><entity name='audit'><attribute name='objectid'/>"), "_objectid_value", Json::Null),
            (
                format!("audits?sql=SELECT objectid FROM audit WHERE objectid = '{id}'"),
                "_objectid_value",
                json!("account"),
            ),
        ] {
            let answer = world.ask("GET", &target, &annotations, "").await.expect(200);
            let entry = &answer["value"][0];
            assert_eq!(entry[name], id.as_str(), "{target} {answer}");
            assert_eq!(entry[format!("{name}{typed}")], expected, "{target} {answer}");
            assert!(entry.get("objecttypecode").is_none(), "{target} {entry}");
        }
        let plain = world.get(&format!("audits?$filter=_objectid_value eq {id}")).await;
        assert_eq!(plain["value"][0]["_objectid_value"], id.as_str());
        assert!(plain["value"][0].get("_objectid_value@Microsoft.Dynamics.CRM.lookuplogicalname").is_none());
    }

    pub async fn switches_are_set_by_descriptions(world: World) {
        assert_eq!(world.get(TABLE).await["IsAuditEnabled"]["Value"], json!(false));
        audit_accounts(&world).await;
        assert_eq!(world.get(TABLE).await["IsAuditEnabled"]["Value"], json!(true));
        let id = world.post("accounts", r#"{"name":"A","fax":"1"}"#).await;
        // A column by its cast, with what changes alone.
        let fax = format!("{}/Microsoft.Dynamics.CRM.StringAttributeMetadata", column("fax"));
        put(&world, &fax, |column| column["IsAuditEnabled"]["Value"] = json!(false)).await;
        change(&world, &id, &json!({"fax": "2"})).await;
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [1], "the fax is told of no more");
        put(&world, &column("fax"), |column| column["IsAuditEnabled"]["Value"] = json!(true)).await;
        change(&world, &id, &json!({"fax": "3"})).await;
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [1, 2]);
        put(&world, &column("fax"), |column| column["IsSecured"] = json!(true)).await;
        assert_eq!(world.get(&column("fax")).await["IsSecured"], json!(true));
        // A part of a description is enough.
        let part = r#"{"IsAuditEnabled":{"Value":false}}"#;
        world.ask("PATCH", TABLE, &[], part).await.expect(204);
        change(&world, &id, &json!({"name": "B"})).await;
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [1, 2]);
        // All of it is told, whatever the switches say.
        let told = "(action ge 102 and action le 113)";
        assert_eq!(actions(&world, told).await, [105, 109, 106, 103, 108]);
        // Clients send no body where an action needs no parameters.
        for (action, body) in
            [("PublishAllXml", "{}"), ("PublishAllXml", ""), ("PublishXml", r#"{"ParameterXml":"<importexportxml/>"}"#)]
        {
            world.ask("POST", action, &[], body).await.expect(204);
            let nobody = user(&world, &format!("{action}{}", body.len()), &["prvReadAccount"]).await;
            world.send(&nobody, "POST", action, &[], body).await.expect_error(403, "0x80040220");
        }
        let lacks = world.ask("POST", "PublishXml", &[], "").await.expect_error(400, "0x80048d19");
        assert_eq!(lacks, "the body lacks 'ParameterXml'");
    }

    pub async fn descriptions_that_change_more_are_refused(world: World) {
        let whole = world.get(TABLE).await;
        let mut renamed = whole.clone();
        renamed["DisplayName"]["UserLocalizedLabel"]["Label"] = json!("Customer");
        let mut other = whole.clone();
        other["IsAuditEnabled"]["CanBeChanged"] = json!(false);
        for (path, body) in [
            (TABLE.to_owned(), renamed),
            (TABLE.to_owned(), other),
            (TABLE.to_owned(), json!({"SchemaName": "Konto"})),
            (TABLE.to_owned(), json!({"Nothing": true})),
            (TABLE.to_owned(), json!({"IsAuditEnabled": true})),
            (TABLE.to_owned(), json!({"IsAuditEnabled": {"Value": "yes"}})),
            (column("fax"), json!({"MaxLength": 7, "IsSecured": true})),
            (column("fax"), json!({"IsSecured": 1})),
        ] {
            let message = world.ask("PUT", &path, &[], &body.to_string()).await.expect_error(400, "0x80040203");
            assert!(message.contains('\''), "{message}");
        }
        world.ask("PUT", TABLE, &[], "[]").await.expect_error(400, "0x80048d19");
        world.ask("PUT", "EntityDefinitions", &[], "{}").await.expect_error(501, "0x80060888");
        world.ask("PUT", "EntityDefinitions(LogicalName='no')", &[], "{}").await.expect_error(404, "0x80040217");
        // A column that cannot be secured.
        let refused = world.ask("PUT", &column("accountid"), &[], r#"{"IsSecured":true}"#).await;
        refused.expect_error(400, "0x8004f508");
        let nobody = user(&world, "nobody", &["prvReadAccount", "prvWriteAccount"]).await;
        let switched = world.send(&nobody, "PUT", TABLE, &[], r#"{"IsAuditEnabled":{"Value":true}}"#).await;
        switched.expect_error(403, "0x80040220");
        assert_eq!(world.get(TABLE).await, whole, "nothing changed");
        assert_eq!(actions(&world, "(action ge 102 and action le 113)").await, Vec::<i64>::new());
    }

    pub async fn audits_are_a_set_that_is_asked_like_others(world: World) {
        audit_accounts(&world).await;
        let one = world.post("accounts", r#"{"name":"One","fax":"1"}"#).await;
        let two = world.post("accounts", r#"{"name":"Two"}"#).await;
        for number in 0..3 {
            change(&world, &one, &json!({"fax": format!("{number}0")})).await;
        }
        world.ask("DELETE", &format!("accounts({two})"), &[], "").await.expect(204);
        let of_one = format!("objectid eq {one}");
        assert_eq!(actions(&world, &of_one).await, [1, 2, 2, 2]);
        assert_eq!(actions(&world, &format!("objectid eq {two}")).await, [1, 3]);
        assert_eq!(actions(&world, "operation eq 3 and objecttypecode eq 'account'").await, [3]);
        assert_eq!(actions(&world, "objecttypecode eq 'contact'").await, Vec::<i64>::new());
        let admin = world.seeded.administrator;
        let all = world
            .get(&format!(
                "audits?$filter={of_one}&$orderby=createdon desc,auditid desc&$count=true\
                 &$expand=userid($select=fullname)"
            ))
            .await;
        assert_eq!(all["@odata.count"], json!(4));
        let newest = &all["value"][0];
        assert_eq!(newest["_userid_value"], json!(admin.to_string()));
        assert_eq!(newest["userid"]["fullname"], json!("Ada Admin"));
        assert_eq!((&newest["operation"], &newest["objecttypecode"]), (&json!(2), &json!("account")));
        assert_eq!((&newest["_callinguserid_value"], &newest["useradditionalinfo"]), (&Json::Null, &json!("web-api")));
        assert_eq!(newest["createdon"], json!(crate::world::START));
        assert_eq!(newest["transactionid"], json!(world.admin().request.to_string()));
        let id = newest["auditid"].as_str().unwrap();
        let alone = world.get(&format!("audits({id})?$select=action,useradditionalinfo")).await;
        assert_eq!((&alone["auditid"], &alone["action"]), (&json!(id), &json!(2)));
        assert_eq!(world.get(&format!("audits/$count?$filter={of_one}")).await, json!(4));
        // Pages joined are the list.
        let (mut ids, mut next) = (Vec::new(), format!("audits?$select=action&$filter={of_one}"));
        let prefer = [("prefer", "odata.maxpagesize=3")];
        while !next.is_empty() {
            let page = world.ask("GET", &next, &prefer, "").await.expect(200);
            ids.extend(page["value"].as_array().unwrap().iter().map(|entry| entry["auditid"].clone()));
            let link = page["@odata.nextLink"].as_str().unwrap_or_default();
            next = link.trim_start_matches(crate::world::ROOT).to_owned();
        }
        assert_eq!(ids.len(), 4);
        assert_eq!(ids.last(), Some(&json!(id)), "in the order of their numbers");
        // Texts are found as everywhere.
        assert_eq!(actions(&world, &format!("{of_one} and contains(useradditionalinfo,'WEB')")).await.len(), 4);
        // FetchXML, with who it was.
        let fetch = format!(
            "<fetch><entity name='audit'><attribute name='action'/><order attribute='auditid'/><filter>\
             <condition attribute='objectid' operator='eq' value='{one}'/></filter>\
             <link-entity name='systemuser' from='systemuserid' to='userid' alias='who'><attribute name='fullname'/>\
             </link-entity></entity></fetch>"
        );
        let found = world.get(&format!("audits?fetchXml={}", fetch.replace(' ', "%20"))).await;
        assert_eq!(found["value"].as_array().unwrap().len(), 4);
        assert_eq!(found["value"][3]["who.fullname"], json!("Ada Admin"));
        let groups = world.get("audits?$apply=groupby((operation),aggregate($count as n))").await;
        assert!(groups["value"].as_array().unwrap().iter().any(|group| group["operation"] == 3 && group["n"] == 1));
    }

    pub async fn nobody_writes_the_audit(world: World) {
        audit_accounts(&world).await;
        world.post("accounts", r#"{"name":"A"}"#).await;
        let entries = world.get("audits?$orderby=auditid").await;
        let id = entries["value"][0]["auditid"].as_str().unwrap();
        for (method, path, body) in [
            ("POST", "audits".to_owned(), "{}"),
            ("PATCH", format!("audits({id})"), r#"{"useradditionalinfo":"x"}"#),
            ("PATCH", format!("audits({})", Guid::from_u128(5)), r#"{"useradditionalinfo":"x"}"#),
            ("DELETE", format!("audits({id})"), ""),
            ("PUT", format!("audits({id})/useradditionalinfo"), r#"{"value":"x"}"#),
        ] {
            let answer = world.ask(method, &path, &[], body).await;
            assert!((400..500).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
            assert!(!answer.json()["error"]["message"].as_str().unwrap().is_empty());
        }
        assert_eq!(world.get("audits?$orderby=auditid").await, entries);
    }

    pub async fn histories_tell_what_became_of_a_record(world: World) {
        audit_accounts(&world).await;
        let id = world.post("accounts", r#"{"name":"A","revenue":12.5,"creditonhold":false}"#).await;
        change(&world, &id, &json!({"name": "B", "revenue": 20, "creditonhold": true})).await;
        change(&world, &id, &json!({"name": "B"})).await;
        change(&world, &id, &json!({"fax": "1"})).await;
        let annotations = [("prefer", "odata.include-annotations=\"*\"")];
        let answer = world.ask("GET", &history(&id, r#"{"PageNumber":1,"Count":50}"#), &annotations, "").await;
        let answer = answer.expect(200);
        let told = &answer["AuditDetailCollection"];
        assert_eq!((&told["MoreRecords"], &told["TotalRecordCount"]), (&json!(false), &json!(-1)));
        let details = told["AuditDetails"].as_array().unwrap();
        assert_eq!(details.len(), 3, "{told:#}");
        let changed = &details[1];
        assert_eq!(changed["@odata.type"], json!("#Microsoft.Dynamics.CRM.AttributeAuditDetail"));
        assert_eq!(changed["AuditRecord"]["action"], json!(2));
        assert_eq!(changed["AuditRecord"]["action@OData.Community.Display.V1.FormattedValue"], json!("Update"));
        let (old, new) = (&changed["OldValue"], &changed["NewValue"]);
        assert_eq!(old["@odata.type"], json!("#Microsoft.Dynamics.CRM.account"));
        assert_eq!((&old["name"], &new["name"]), (&json!("A"), &json!("B")));
        assert_eq!((old["revenue"].as_f64(), new["revenue"].as_f64()), (Some(12.5), Some(20.0)));
        assert_eq!(new["revenue@OData.Community.Display.V1.FormattedValue"], json!("$20.00"));
        assert_eq!((&old["creditonhold"], &new["creditonhold"]), (&json!(false), &json!(true)));
        assert_eq!(new["creditonhold@OData.Community.Display.V1.FormattedValue"], json!("Yes"));
        assert_eq!((&details[2]["OldValue"]["name"], &details[2]["NewValue"]["name"]), (&Json::Null, &json!("A")));
        // What was empty is left out: of a record that was made, all that was before.
        assert_eq!(details[2]["OldValue"], json!({"@odata.type": "#Microsoft.Dynamics.CRM.account"}));
        assert!(details[2]["NewValue"].as_object().unwrap().values().all(|value| !value.is_null()), "{details:?}");
        let me = json!(world.seeded.administrator.to_string());
        assert_eq!(details[2]["NewValue"]["_ownerid_value"], me);
        assert_eq!(
            details[2]["NewValue"]["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
            json!("systemuser")
        );
        // In pages.
        let page = |number: i32| format!("{{\"PageNumber\":{number},\"Count\":2,\"ReturnTotalRecordCount\":true}}");
        for (number, entries, more) in [(1, 2, true), (2, 1, false), (3, 0, false)] {
            let told = &world.get(&history(&id, &page(number))).await["AuditDetailCollection"];
            assert_eq!(told["AuditDetails"].as_array().unwrap().len(), entries);
            assert_eq!((&told["MoreRecords"], &told["TotalRecordCount"]), (&json!(more), &json!(3)));
        }
        // Of one column.
        let of = |name: &str| {
            format!(
                "RetrieveAttributeChangeHistory(Target=@t,AttributeLogicalName='{name}')\
                 ?@t={{'@odata.id':'accounts({id})'}}"
            )
        };
        let entries = async |name: &str| {
            let told = world.get(&of(name)).await;
            told["AuditDetailCollection"]["AuditDetails"].as_array().unwrap().len()
        };
        assert_eq!((entries("name").await, entries("fax").await, entries("telephone3").await), (2, 1, 0));
        world.ask("GET", &of("nothing"), &[], "").await.expect_error(400, "0x80060888");
        for paging in ["5", r#"{"Count":0}"#, r#"{"PageNumber":"x"}"#] {
            assert_eq!(world.ask("GET", &history(&id, paging), &[], "").await.status, 400, "{paging}");
        }
        // What is gone is told of to those who read every row; what never was, is not there.
        world.ask("DELETE", &format!("accounts({id})"), &[], "").await.expect(204);
        let told = world.get(&history(&id, "{}")).await;
        assert_eq!(told["AuditDetailCollection"]["AuditDetails"][0]["OldValue"]["name"], json!("B"));
        let never = Guid::from_u128(77).to_string();
        world.ask("GET", &history(&never, "{}"), &[], "").await.expect_error(404, "0x80040217");
    }

    pub async fn every_kind_of_entry_has_its_detail(world: World) {
        audit_accounts(&world).await;
        put(&world, "EntityDefinitions(LogicalName='lead')", |table| {
            table["IsAuditEnabled"]["Value"] = json!(true);
        })
        .await;
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let lead = world.post("leads", r#"{"lastname":"L","subject":"S"}"#).await;
        let colleague = world.user("colleague", &["Salesperson"]).await;
        let share = |rights: &str| {
            json!({"Target": {"@odata.id": format!("accounts({id})")}, "PrincipalAccess": {"AccessMask": rights,
                "Principal": {"@odata.id": format!("systemusers({})", colleague.user)}}})
        };
        world.ask("POST", "GrantAccess", &[], &share("ReadAccess").to_string()).await.expect(204);
        world.ask("POST", "ModifyAccess", &[], &share("ReadAccess, WriteAccess").to_string()).await.expect(204);
        let reference = format!("{{\"@odata.id\":\"leads({lead})\"}}");
        let links = format!("accounts({id})/accountleads_association");
        world.ask("POST", &format!("{links}/$ref"), &[], &reference).await.expect(204);
        world.ask("DELETE", &format!("{links}({lead})/$ref"), &[], "").await.expect(204);
        let found = world.get("roles?$select=roleid&$filter=name eq 'Salesperson'").await;
        let role = found["value"][0]["roleid"].as_str().unwrap().to_owned();
        let privilege =
            json!({"Privileges": [{"PrivilegeId": privilege_id("prvReadAccount").to_string(), "Depth": "Basic"}]});
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &privilege.to_string()).await.expect(204);
        let team = json!({"name": "T", "businessunitid@odata.bind": format!("/businessunits({})", world.seeded.unit)});
        let team = world.post("teams", &team.to_string()).await;
        let members = json!({"Members": [{"@odata.type": "Microsoft.Dynamics.CRM.systemuser",
            "systemuserid": colleague.user.to_string()}]});
        let path = format!("teams({team})/Microsoft.Dynamics.CRM.AddMembersTeam");
        world.ask("POST", &path, &[], &members.to_string()).await.expect(204);

        let details = async |filter: String| -> Vec<Json> {
            let found = world.get(&format!("audits?$select=action&$filter={filter}&$orderby=auditid")).await;
            let mut details = Vec::new();
            for entry in found["value"].as_array().unwrap() {
                let id = entry["auditid"].as_str().unwrap();
                let told = world.get(&format!("audits({id})/Microsoft.Dynamics.CRM.RetrieveAuditDetails")).await;
                assert_eq!(told["AuditDetail"]["AuditRecord"]["auditid"], json!(id));
                details.push(told["AuditDetail"].clone());
            }
            details
        };
        let of_account = details(format!("objectid eq {id}")).await;
        let kinds: Vec<_> = of_account
            .iter()
            .map(|detail| {
                let kind = detail["@odata.type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
                (detail["AuditRecord"]["action"].as_i64().unwrap(), kind)
            })
            .collect();
        let expected = [
            (1, "AttributeAuditDetail"),
            (14, "ShareAuditDetail"),
            (48, "ShareAuditDetail"),
            (33, "RelationshipAuditDetail"),
            (34, "RelationshipAuditDetail"),
        ];
        assert_eq!(kinds, expected.map(|(action, kind)| (action, kind.to_owned())));
        let shared = &of_account[2];
        assert_eq!(shared["OldPrivileges"], json!("ReadAccess"));
        assert_eq!(shared["NewPrivileges"], json!("ReadAccess, WriteAccess"));
        assert_eq!(shared["Principal"]["systemuserid"], json!(colleague.user.to_string()));
        assert_eq!(of_account[3]["RelationshipName"], json!("accountleads_association"));
        assert_eq!(of_account[3]["TargetRecords"][0]["leadid"], json!(lead));
        // The other end is told of too.
        let of_lead = details(format!("objectid eq {lead} and action eq 33")).await;
        assert_eq!(of_lead[0]["TargetRecords"][0]["accountid"], json!(id));
        // Rights are told of although their tables' switches are off.
        let of_role = details(format!("objectid eq {role} and action eq 57")).await;
        assert_eq!(of_role[0]["@odata.type"], json!("#Microsoft.Dynamics.CRM.RolePrivilegeAuditDetail"));
        assert_eq!(of_role[0]["NewRolePrivileges"][0]["PrivilegeName"], json!("prvReadAccount"));
        assert_eq!(of_role[0]["NewRolePrivileges"][0]["Depth"], json!("Basic"));
        let given = details(format!("objectid eq {} and action eq 55", colleague.user)).await;
        assert_eq!(given[0]["TargetRecords"][0]["roleid"], json!(role));
        let joined = details(format!("objectid eq {team} and action eq 35")).await;
        assert_eq!(joined[0]["TargetRecords"][0]["systemuserid"], json!(colleague.user.to_string()));
        let nowhere = format!("audits({})/Microsoft.Dynamics.CRM.RetrieveAuditDetails", Guid::from_u128(9));
        world.ask("GET", &nowhere, &[], "").await.expect_error(404, "0x80040217");
    }

    pub async fn the_audit_is_told_to_those_who_may_know(world: World) {
        audit_accounts(&world).await;
        put(&world, "EntityDefinitions(LogicalName='contact')", |table| {
            table["IsAuditEnabled"]["Value"] = json!(true);
        })
        .await;
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let contact = world.post("contacts", r#"{"lastname":"C"}"#).await;
        let entry = async |of: &str| {
            let found = world.get(&format!("audits?$select=action&$filter=objectid eq {of}")).await;
            found["value"][0]["auditid"].as_str().unwrap().to_owned()
        };
        let (of_account, of_contact) = (entry(&account).await, entry(&contact).await);
        let details = |entry: &str| format!("audits({entry})/Microsoft.Dynamics.CRM.RetrieveAuditDetails");

        let outsider = user(&world, "outsider", &["prvReadAccount", "prvReadRecordAuditHistory"]).await;
        let summary = user(&world, "summary", &["prvReadAccount", "prvReadAuditSummary"]).await;
        let reader = user(&world, "reader", &READER).await;
        for path in ["audits", "audits?$count=true", "systemusers?$expand=lk_audit_userid"] {
            world.send(&outsider, "GET", path, &[], "").await.expect_error(403, "0x80040220");
        }
        for who in [&outsider, &summary] {
            for path in [history(&account, "{}"), details(&of_account)] {
                world.send(who, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
            }
        }
        // Nor whether there is such an entry.
        let never = details(&Guid::from_u128(77).to_string());
        for who in [&outsider, &summary] {
            world.send(who, "GET", &never, &[], "").await.expect_error(403, "0x80040220");
        }
        world.send(&reader, "GET", &never, &[], "").await.expect_error(404, "0x80040217");
        // Tables that the caller reads nothing of are not told of, in any place.
        for who in [&summary, &reader] {
            let seen = world.send(who, "GET", "audits?$select=objecttypecode", &[], "").await.expect(200);
            let seen = seen["value"].as_array().unwrap();
            assert!(seen.iter().any(|entry| entry["objecttypecode"] == "account"));
            assert!(seen.iter().all(|entry| entry["objecttypecode"] == "account"), "{seen:?}");
            let count = world.send(who, "GET", "audits/$count", &[], "").await;
            assert_eq!(count.text().trim_start_matches('\u{feff}'), seen.len().to_string());
            let one = world.send(who, "GET", &format!("audits({of_contact})"), &[], "").await;
            one.expect_error(403, "0x80040220");
        }
        world.send(&reader, "GET", &history(&account, "{}"), &[], "").await.expect(200);
        world.send(&reader, "GET", &details(&of_account), &[], "").await.expect(200);
        world.send(&reader, "GET", &details(&of_contact), &[], "").await.expect_error(403, "0x80040220");
        let of_contact = history(&contact, "{}").replace("accounts", "contacts");
        world.send(&reader, "GET", &of_contact, &[], "").await.expect_error(403, "0x80040220");
        // Who reads some rows of a table knows nothing of the others, nor of those that are gone.
        let some = user(&world, "some", &READER[..2]).await;
        let role = world.get("roles?$select=roleid&$filter=name eq 'some'").await;
        let role = Guid::try_parse(role["value"][0]["roleid"].as_str().unwrap()).unwrap();
        let basic = vec![(privilege_id("prvReadAccount"), Level::Basic)];
        world.org.change_role(&world.admin(), role, RoleChange::Add(basic)).await.unwrap();
        world.send(&some, "GET", &history(&account, "{}"), &[], "").await.expect_error(403, "0x80040220");
        world.ask("DELETE", &format!("accounts({account})"), &[], "").await.expect(204);
        assert_ne!(world.send(&some, "GET", &history(&account, "{}"), &[], "").await.status, 200);
        assert_ne!(world.send(&some, "GET", &details(&of_account), &[], "").await.status, 200);
        world.send(&reader, "GET", &history(&account, "{}"), &[], "").await.expect(200);
    }

    pub async fn hidden_columns_are_hidden_in_histories(world: World) {
        audit_accounts(&world).await;
        put(&world, &column("fax"), |column| column["IsSecured"] = json!(true)).await;
        let id = world.post("accounts", r#"{"name":"A","fax":"secret-1"}"#).await;
        change(&world, &id, &json!({"name": "B", "fax": "secret-2"})).await;
        let reader = user(&world, "reader", &[&READER[..], &["prvWriteAccount"]].concat()).await;
        let seen = world.send(&reader, "GET", &history(&id, "{}"), &[], "").await;
        assert!(!seen.text().contains("secret"), "{}", seen.text());
        let seen = seen.expect(200);
        let changed = &seen["AuditDetailCollection"]["AuditDetails"][0];
        for side in ["OldValue", "NewValue"] {
            assert!(!changed[side].as_object().unwrap().contains_key("fax"), "hidden looks as empty does: {changed}");
        }
        assert_eq!(changed["NewValue"]["name"], json!("B"));
        let entry = changed["AuditRecord"]["auditid"].as_str().unwrap();
        let path = format!("audits({entry})/Microsoft.Dynamics.CRM.RetrieveAuditDetails");
        let seen = world.send(&reader, "GET", &path, &[], "").await;
        assert!(seen.status == 200 && !seen.text().contains("secret"), "{}", seen.text());
        let set = world.send(&reader, "GET", "audits", &[], "").await;
        assert!(set.status == 200 && !set.text().contains("secret"), "{}", set.text());
        // Nor is it given back by those who may not see it.
        let path = format!("audits({entry})/Microsoft.Dynamics.CRM.custodia_RestoreFromAudit");
        let message = world.send(&reader, "POST", &path, &[], "{}").await.expect_error(400, "0x80040203");
        assert!(message.contains("fax") && !message.contains("secret"), "{message}");
        let mine = world.get(&history(&id, "{}")).await;
        assert_eq!(mine["AuditDetailCollection"]["AuditDetails"][0]["OldValue"]["fax"], json!("secret-1"));
    }

    pub async fn a_value_is_restored_from_its_history(world: World) {
        audit_accounts(&world).await;
        let parent = world.post("accounts", r#"{"name":"P"}"#).await;
        let body = json!({"name": "A", "fax": "1", "parentaccountid@odata.bind": format!("/accounts({parent})")});
        let id = world.post("accounts", &body.to_string()).await;
        change(&world, &id, &json!({"name": "B", "fax": null, "parentaccountid@odata.bind": null})).await;
        let newest = async || {
            let told = world.get(&history(&id, "{}")).await;
            told["AuditDetailCollection"]["AuditDetails"].as_array().unwrap().clone()
        };
        let entry = newest().await[0]["AuditRecord"]["auditid"].as_str().unwrap().to_owned();
        let path = format!("audits({entry})/Microsoft.Dynamics.CRM.custodia_RestoreFromAudit");
        let one = r#"{"AttributeLogicalNames":["fax"]}"#;
        let reader = user(&world, "reader", &READER).await;
        world.send(&reader, "POST", &path, &[], one).await.expect_error(403, "0x80040220");
        world.ask("POST", &path, &[], one).await.expect(204);
        let row = world.get(&format!("accounts({id})")).await;
        assert_eq!((&row["name"], &row["fax"]), (&json!("B"), &json!("1")));
        world.ask("POST", &path, &[], "").await.expect(204);
        let row = world.get(&format!("accounts({id})")).await;
        assert_eq!((&row["name"], &row["_parentaccountid_value"]), (&json!("A"), &json!(parent)));
        // It is told of like any other change.
        let told = newest().await;
        assert_eq!(told.len(), 4);
        assert_eq!((&told[0]["OldValue"]["name"], &told[0]["NewValue"]["name"]), (&json!("B"), &json!("A")));
        let created = told[3]["AuditRecord"]["auditid"].as_str().unwrap();
        for (entry, body) in [(created, "{}"), (&entry, r#"{"AttributeLogicalNames":["telephone1"]}"#)] {
            let path = format!("audits({entry})/Microsoft.Dynamics.CRM.custodia_RestoreFromAudit");
            world.ask("POST", &path, &[], body).await.expect_error(400, "0x80040203");
        }
        assert_eq!(newest().await.len(), 4);
    }

    pub async fn reads_are_told_where_a_switch_asks_for_it(world: World) {
        let id = world.post("accounts", r#"{"name":"A","fax":"1"}"#).await;
        world.post("accounts", r#"{"name":"B"}"#).await;
        let told = async || world.get("audits?$filter=action eq 15&$orderby=auditid").await["value"].clone();
        let organization = world.get("organizations?$select=organizationid").await;
        let organization = organization["value"][0]["organizationid"].as_str().unwrap().to_owned();
        let organization = format!("organizations({organization})");
        world.ask("PATCH", &organization, &[], r#"{"isreadauditenabled":true}"#).await.expect(204);
        world.get(&format!("accounts({id})")).await;
        assert_eq!(told().await, json!([]), "the table's switches are off");
        put(&world, TABLE, |table| table["IsRetrieveAuditEnabled"] = json!(true)).await;
        assert_eq!(world.get(TABLE).await["IsRetrieveAuditEnabled"], json!(true));
        world.get(&format!("accounts({id})?$select=name")).await;
        world.get(&format!("accounts({id})/fax")).await;
        world.get("accounts?$filter=fax eq '1'").await;
        world.get("accounts?$select=name").await;
        let entries = told().await;
        let of: Vec<_> = entries.as_array().unwrap().iter().map(|entry| entry["_objectid_value"].clone()).collect();
        assert_eq!(of, [json!(id), json!(id), json!(id)], "a list of one is that one; a list is none");
        assert_eq!((&entries[0]["operation"], &entries[0]["objecttypecode"]), (&json!(4), &json!("account")));
        put(&world, TABLE, |table| {
            table["IsRetrieveAuditEnabled"] = json!(false);
            table["IsRetrieveMultipleAuditEnabled"] = json!(true);
        })
        .await;
        world.get("accounts?$select=name&$filter=fax ne 'secret'").await;
        world.get("contacts?$expand=parentcustomerid_account($select=name)").await;
        world.get("accounts?$apply=aggregate($count as n)").await;
        let account = world.org.schema().table_named("account").unwrap().id;
        let entries = world.org.audit_entries(None, 3, None).await.unwrap();
        assert!(entries.iter().all(|entry| entry.entry.action == 15 && entry.entry.table == account));
        let words: Vec<_> = entries.iter().map(|entry| entry.entry.detail.clone().unwrap()).collect();
        assert!(words[2].contains("rows: columns accountid, name, versionnumber; tested fax"), "{words:?}");
        assert!(!words[2].contains("secret"), "{words:?}");
        assert!(words[0].starts_with("1 groups"), "{words:?}");
        // Off again.
        world.ask("PATCH", &organization, &[], r#"{"isreadauditenabled":false}"#).await.expect(204);
        let before = told().await;
        world.get("accounts").await;
        assert_eq!(told().await, before);
    }

    pub async fn switches_of_the_organization_are_told(world: World) {
        audit_accounts(&world).await;
        let found = world.get("organizations?$select=organizationid,isauditenabled").await;
        assert_eq!(found["value"][0]["isauditenabled"], json!(true));
        let organization = found["value"][0]["organizationid"].as_str().unwrap().to_owned();
        let set = async |body: Json| {
            let path = format!("organizations({organization})");
            world.ask("PATCH", &path, &[], &body.to_string()).await.expect(204);
        };
        set(json!({"isauditenabled": false})).await;
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, Vec::<i64>::new());
        set(json!({"isauditenabled": true, "isuseraccessauditenabled": true, "auditretentionperiodv2": 90})).await;
        set(json!({"isuseraccessauditenabled": false, "auditretentionperiodv2": 90})).await;
        change(&world, &id, &json!({"name": "B"})).await;
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [2]);
        let of_organization = format!("objectid eq {organization} and action ge 102");
        assert_eq!(actions(&world, &of_organization).await, [110, 107, 112, 104, 113]);
    }

    pub async fn an_id_given_again_opens_no_former_history(world: World) {
        audit_accounts(&world).await;
        let privileges = ["prvReadAuditSummary", "prvReadRecordAuditHistory", "prvCreateAccount"];
        let thief = user(&world, "thief", &privileges).await;
        let own =
            json!({"name": "Own rows", "businessunitid@odata.bind": format!("/businessunits({})", world.seeded.unit)});
        let own = Guid::try_parse(&world.post("roles", &own.to_string()).await).unwrap();
        let given = ["prvReadAccount", "prvWriteAccount"].map(|name| (privilege_id(name), Level::Basic));
        world.org.change_role(&world.admin(), own, RoleChange::Add(given.to_vec())).await.unwrap();
        world.give_role(&thief, "Own rows").await;

        let id = world.post("accounts", r#"{"name":"Secret deal"}"#).await;
        change(&world, &id, &json!({"name": "Secret deal, once more"})).await;
        world.ask("DELETE", &format!("accounts({id})"), &[], "").await.expect(204);
        let former = world.get(&format!("audits?$select=action&$filter=objectid eq {id} and action eq 3")).await;
        let former = former["value"][0]["auditid"].as_str().unwrap().to_owned();
        let again = json!({"accountid": id, "name": "Mine"});
        world.send(&thief, "POST", "accounts", &[], &again.to_string()).await.expect(204);
        world.send(&thief, "PATCH", &format!("accounts({id})"), &[], r#"{"name":"Mine, changed"}"#).await.expect(204);

        let page = r#"{"PageNumber":1,"Count":50,"ReturnTotalRecordCount":true}"#;
        let told = world.send(&thief, "GET", &history(&id, page), &[], "").await.expect(200);
        assert_eq!(told["AuditDetailCollection"]["TotalRecordCount"], json!(2), "{told}");
        assert!(!told.to_string().contains("Secret"), "{told}");
        let details = format!("audits({former})/Microsoft.Dynamics.CRM.RetrieveAuditDetails()");
        world.send(&thief, "GET", &details, &[], "").await.expect_error(404, "0x80040217");
        // Who reads every row knows both lives.
        let all = world.get(&history(&id, page)).await;
        assert_eq!(all["AuditDetailCollection"]["TotalRecordCount"], json!(5), "{all}");
        assert!(world.get(&details).await.to_string().contains("Secret"));
    }

    pub async fn a_former_history_stays_closed_where_its_end_was_not_told(world: World) {
        audit_accounts(&world).await;
        let privileges = ["prvReadAuditSummary", "prvReadRecordAuditHistory", "prvCreateAccount"];
        let dates_back = [&privileges[..], &["prvOverrideCreatedOnCreatedBy"]].concat();
        let thief = user(&world, "thief", &dates_back).await;
        let role = world.get("roles?$select=roleid&$filter=name eq 'thief'").await;
        let role = Guid::try_parse(role["value"][0]["roleid"].as_str().unwrap()).unwrap();
        let given = ["prvReadAccount", "prvWriteAccount"].map(|name| (privilege_id(name), Level::Basic));
        world.org.change_role(&world.admin(), role, RoleChange::Add(given.to_vec())).await.unwrap();
        let switch = async |on: bool| {
            put(&world, TABLE, |table| table["IsAuditEnabled"]["Value"] = json!(on)).await;
        };
        // The first was deleted without a word; of the second it is not told either that it was made, nor of the third, which
        // says that it was made before the former one.
        for (told_again, dated) in
            [(true, None), (false, None), (false, Some("2000-01-01")), (true, Some("2000-01-01"))]
        {
            switch(true).await;
            let id = world.post("accounts", r#"{"name":"Secret deal"}"#).await;
            let former = world.get(&format!("audits?$select=action&$filter=objectid eq {id}")).await;
            let former = former["value"][0]["auditid"].as_str().unwrap().to_owned();
            switch(false).await;
            world.ask("DELETE", &format!("accounts({id})"), &[], "").await.expect(204);
            switch(told_again).await;
            world.pass(if told_again { 0 } else { 5 });
            let mut again = json!({"accountid": id, "name": "Mine"});
            if let Some(dated) = dated {
                again["overriddencreatedon"] = json!(dated);
            }
            world.send(&thief, "POST", "accounts", &[], &again.to_string()).await.expect(204);
            switch(true).await;
            let changed = r#"{"name":"Mine, changed"}"#;
            world.send(&thief, "PATCH", &format!("accounts({id})"), &[], changed).await.expect(204);
            let told = world.send(&thief, "GET", &history(&id, "{}"), &[], "").await.expect(200);
            assert!(told.to_string().contains("Mine, changed") && !told.to_string().contains("Secret"), "{told}");
            let details = format!("audits({former})/Microsoft.Dynamics.CRM.RetrieveAuditDetails()");
            world.send(&thief, "GET", &details, &[], "").await.expect_error(404, "0x80040217");
            assert!(world.get(&details).await.to_string().contains("Secret"));
            let of_it = format!("objectid eq {id} and action eq 1");
            let made_told = if told_again || dated.is_some() { 2 } else { 1 };
            assert_eq!(actions(&world, &of_it).await.len(), made_told);
        }
        // Of a record that is dated back and has no former one, nothing is told where the switches say so.
        switch(false).await;
        let dated = world.post("accounts", r#"{"name":"Old","overriddencreatedon":"2000-01-01"}"#).await;
        assert_eq!(actions(&world, &format!("objectid eq {dated}")).await, Vec::<i64>::new());
        // Nor is any made in a time to come.
        let ahead = r#"{"name":"New","overriddencreatedon":"2999-01-01"}"#;
        world.ask("POST", "accounts", &[], ahead).await.expect_error(400, "0x80044330");
    }

    pub async fn opening_a_column_takes_that_every_column_is_open(world: World) {
        let customizer = user(&world, "customizer", &["prvPublishCustomization"]).await;
        put(&world, &column("fax"), |column| column["IsSecured"] = json!(true)).await;
        let open = r#"{"IsSecured":false}"#;
        world.send(&customizer, "PATCH", &column("fax"), &[], open).await.expect_error(403, "0x80040220");
        assert_eq!(world.get(&column("fax")).await["IsSecured"], json!(true));
        world.send(&customizer, "PATCH", &column("telephone2"), &[], r#"{"IsSecured":true}"#).await.expect(204);
        world.ask("PATCH", &column("fax"), &[], open).await.expect(204);
    }

    pub async fn what_decides_rights_is_told_whatever_the_switches_say(world: World) {
        let profile = world.post("fieldsecurityprofiles", r#"{"name":"P"}"#).await;
        put(&world, &column("fax"), |column| column["IsSecured"] = json!(true)).await;
        let says = json!({ "entityname": "account", "attributelogicalname": "fax", "canread": 4, "cancreate": 0,
            "canupdate": 0, "fieldsecurityprofileid@odata.bind": format!("/fieldsecurityprofiles({profile})") });
        let permission = world.post("fieldpermissions", &says.to_string()).await;
        world.ask("PATCH", &format!("fieldpermissions({permission})"), &[], r#"{"canupdate":4}"#).await.expect(204);
        assert_eq!(actions(&world, &format!("objectid eq {profile}")).await, [1]);
        assert_eq!(actions(&world, &format!("objectid eq {permission}")).await, [1, 2]);
    }

    pub async fn how_long_entries_are_kept_is_set_by_whoever_may_delete_them(world: World) {
        let path = format!("organizations({})", world.org.id());
        assert_eq!(world.org.audit_retention_days().await.unwrap(), None);
        for (days, kept) in [(90, Some(90)), (-1, None), (1, Some(1))] {
            let body = json!({ "auditretentionperiodv2": days }).to_string();
            world.ask("PATCH", &path, &[], &body).await.expect(204);
            assert_eq!(world.org.audit_retention_days().await.unwrap(), kept, "{days}");
        }
        let privileges = ["prvReadOrganization", "prvWriteOrganization"];
        let customizer = user(&world, "customizer", &privileges).await;
        let body = r#"{"auditretentionperiodv2":2}"#;
        world.send(&customizer, "PATCH", &path, &[], body).await.expect_error(403, "0x80040220");
        let body = r#"{"orgdborgsettings":"<OrgSettings/>"}"#;
        world.send(&customizer, "PATCH", &path, &[], body).await.expect_error(403, "0x80040220");
        assert_eq!(world.org.audit_retention_days().await.unwrap(), Some(1));
    }

    pub async fn a_page_of_a_history_holds_so_many_bytes(mut world: World) {
        audit_accounts(&world).await;
        put(&world, &column("description"), |column| column["IsSecured"] = json!(true)).await;
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        for number in 0..8 {
            let length = if number % 4 == 0 { 1_950 } else { 300 };
            let text = format!("{number}").repeat(length);
            change(&world, &id, &json!({"description": text, "fax": number.to_string()})).await;
        }
        let reader = user(&world, "reader", &READER).await;
        let ids = |told: &Json| -> Vec<String> {
            let details = told["AuditDetails"].as_array().unwrap();
            details.iter().map(|entry| entry["AuditRecord"]["auditid"].as_str().unwrap().to_owned()).collect()
        };
        let ask = async |world: &World, caller: &Caller, paging: Json| {
            let answer = world.send(caller, "GET", &history(&id, &paging.to_string()), &[], "").await;
            (answer.body.len(), answer.expect(200)["AuditDetailCollection"].clone())
        };
        let (_, whole) = ask(&world, &world.admin(), json!({})).await;
        assert_eq!((&whole["MoreRecords"], &whole["PagingCookie"]), (&json!(false), &json!("")));
        let whole = ids(&whole);
        assert_eq!(whole.len(), 9);

        let admin = world.admin();
        // Where a page has less room than an entry takes, it has that one.
        for (history_bytes, pages) in [(512, 9..=9), (4_096, 3..=6)] {
            world.limit(WorkLimits { history_bytes, ..WorkLimits::default() });
            // By the cookie, and by the number of the page, counted or not: joined they are the whole, and none is too large.
            let (mut by_cookie, mut by_number, mut cookie, mut number) = (Vec::new(), Vec::new(), String::new(), 0);
            loop {
                number += 1;
                let (bytes, page) = ask(&world, &admin, json!({"PageNumber": number, "PagingCookie": cookie})).await;
                assert!(!ids(&page).is_empty());
                assert!(ids(&page).len() == 1 || bytes < 3 * history_bytes, "{bytes}");
                let counted = json!({"PageNumber": number, "ReturnTotalRecordCount": true});
                let (_, same) = ask(&world, &admin, counted).await;
                assert_eq!(same["TotalRecordCount"], json!(9));
                let counted = json!({"PagingCookie": cookie, "ReturnTotalRecordCount": true});
                assert_eq!(ask(&world, &admin, counted).await.1, same);
                by_number.extend(ids(&same));
                by_cookie.extend(ids(&page));
                cookie = page["PagingCookie"].as_str().unwrap().to_owned();
                assert_eq!(page["MoreRecords"], json!(!cookie.is_empty()));
                if cookie.is_empty() {
                    break;
                }
            }
            assert!(pages.contains(&number), "{number} pages of {history_bytes} bytes");
            assert_eq!(by_cookie, whole);
            assert_eq!(by_number, whole);
        }
        // What is hidden takes no room.
        let (first, hidden) = (ask(&world, &admin, json!({})).await.1, ask(&world, &reader, json!({})).await.1);
        assert!(ids(&hidden).len() > 2 * ids(&first).len(), "{} and {}", ids(&hidden).len(), ids(&first).len());
        // However long a history is, the cookie leads on; to count, and to find a page by its number, has a bound.
        world.limit(WorkLimits { history_entries: 4, ..WorkLimits::default() });
        for paging in [json!({"ReturnTotalRecordCount": true}), json!({"PageNumber": 4, "Count": 2})] {
            let answer = world.ask("GET", &history(&id, &paging.to_string()), &[], "").await;
            let why = answer.expect_error(400, "0x80040203");
            assert!(why.contains("more than 4 entries") && why.contains("paging cookie"), "{why}");
        }
        let (mut by_cookie, mut cookie) = (Vec::new(), String::new());
        loop {
            let (_, page) = ask(&world, &admin, json!({"Count": 2, "PagingCookie": cookie})).await;
            by_cookie.extend(ids(&page));
            assert!(ids(&page).len() == 2 || by_cookie.len() == 9);
            cookie = page["PagingCookie"].as_str().unwrap().to_owned();
            if cookie.is_empty() {
                break;
            }
        }
        assert_eq!(by_cookie, whole);
        for cookie in [json!("x"), json!(5), json!(Guid::from_u128(5))] {
            let path = history(&id, &json!({ "PagingCookie": cookie }).to_string());
            assert_eq!(world.ask("GET", &path, &[], "").await.status, 400, "{cookie}");
        }
    }

    pub async fn linked_records_are_named_to_whoever_reads_them(world: World) {
        audit_accounts(&world).await;
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let reader = user(&world, "reader", &READER).await;
        let some = user(&world, "some", &[&READER[..], &["prvCreateLead", "prvAppendLead"]].concat()).await;
        let role = world.get("roles?$select=roleid&$filter=name eq 'some'").await;
        let role = Guid::try_parse(role["value"][0]["roleid"].as_str().unwrap()).unwrap();
        let basic = vec![(privilege_id("prvReadLead"), Level::Basic)];
        world.org.change_role(&world.admin(), role, RoleChange::Add(basic)).await.unwrap();
        let lead = async |caller: &Caller| {
            let body = r#"{"lastname":"L","subject":"S"}"#;
            let made = world.send(caller, "POST", "leads", &[], body).await;
            assert_eq!(made.status, 204, "{}", made.text());
            made.written_id()
        };
        let (own, other, gone) = (lead(&some).await, lead(&world.admin()).await, lead(&world.admin()).await);
        for lead in [&own, &other, &gone] {
            let reference = format!("{{\"@odata.id\":\"leads({lead})\"}}");
            world
                .ask("POST", &format!("accounts({id})/accountleads_association/$ref"), &[], &reference)
                .await
                .expect(204);
        }
        world.ask("DELETE", &format!("leads({gone})"), &[], "").await.expect(204);
        let links = format!("audits?$filter=objectid eq {id} and action eq 33&$orderby=auditid");
        let all = [&own, &other, &gone];
        for (caller, seen) in [(&world.admin(), &all[..]), (&some, &[&own][..]), (&reader, &[][..])] {
            let told = world.send(caller, "GET", &history(&id, "{}"), &[], "").await.expect(200);
            let table = world.org.schema().table_named("account").unwrap().id;
            let page = HistoryPage { number: 1, after: None, limit: 50, count: false, column: None };
            let whole =
                Box::pin(world.org.record_history(caller, table, Guid::try_parse(&id).unwrap(), page)).await.unwrap();
            let whole = format!("{whole:?}");
            for lead in all {
                assert_eq!(whole.contains(lead.as_str()), seen.contains(&lead), "{lead} for {}: {whole}", caller.user);
            }
            let set = world.send(caller, "GET", &links, &[], "").await.expect(200);
            let entries = set["value"].as_array().unwrap();
            assert_eq!(entries.len(), 3, "that it was linked is told");
            let mut texts = vec![told.to_string()];
            for entry in entries {
                let path = format!(
                    "audits({})/Microsoft.Dynamics.CRM.RetrieveAuditDetails",
                    entry["auditid"].as_str().unwrap()
                );
                let detail = world.send(caller, "GET", &path, &[], "").await.expect(200);
                assert_eq!(detail["AuditDetail"]["RelationshipName"], json!("accountleads_association"));
                texts.push(detail.to_string());
            }
            for lead in all {
                let named = texts.iter().filter(|text| text.contains(lead.as_str())).count();
                assert_eq!(named, if seen.contains(&lead) { 2 } else { 0 }, "{lead} for {}: {texts:?}", caller.user);
                assert!(!set.to_string().contains(lead.as_str()), "the set names the record alone: {set}");
            }
        }
    }

    pub async fn a_history_is_erased_by_whoever_may(mut world: World) {
        audit_accounts(&world).await;
        let id = world.post("accounts", r#"{"name":"secret-1"}"#).await;
        change(&world, &id, &json!({"name": "secret-2"})).await;
        let other = world.post("accounts", r#"{"name":"stays"}"#).await;
        let of = |id: &str| json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id}});
        let erase = async |world: &World, caller: &Caller, id: &str| {
            world.send(caller, "POST", "DeleteRecordChangeHistory", &[], &of(id).to_string()).await
        };
        let told = async |world: &World, id: &str| world.get(&history(id, "{}")).await.to_string();
        // It takes the privilege, and to read the history.
        let reader = user(&world, "reader", &READER).await;
        erase(&world, &reader, &id).await.expect_error(403, "0x80040220");
        let eraser = ["prvDeleteRecordChangeHistory", "prvReadAccount"];
        let blind = user(&world, "blind", &eraser).await;
        erase(&world, &blind, &id).await.expect_error(403, "0x80040220");
        let elsewhere = user(&world, "elsewhere", &[&READER[..2], &["prvDeleteRecordChangeHistory"]].concat()).await;
        let role = world.get("roles?$select=roleid&$filter=name eq 'elsewhere'").await;
        let role = Guid::try_parse(role["value"][0]["roleid"].as_str().unwrap()).unwrap();
        let basic = vec![(privilege_id("prvReadAccount"), Level::Basic)];
        world.org.change_role(&world.admin(), role, RoleChange::Add(basic)).await.unwrap();
        erase(&world, &elsewhere, &id).await.expect_error(403, "0x80040220");
        let never = Guid::from_u128(77).to_string();
        erase(&world, &elsewhere, &never).await.expect_error(404, "0x80040217");
        world.ask("POST", "DeleteRecordChangeHistory", &[], "{}").await.expect(400);
        world.ask("GET", "DeleteRecordChangeHistory()", &[], "").await.expect(404);
        assert!(told(&world, &id).await.contains("secret-1"), "nothing was erased");
        let most = [&READER[..], &["prvDeleteRecordChangeHistory"]].concat();
        let eraser = user(&world, "eraser", &most).await;
        let done = erase(&world, &eraser, &id).await.expect(200);
        assert_eq!(done["DeletedEntriesCount"], json!(2));
        let left = told(&world, &id).await;
        assert!(!left.contains("secret"), "{left}");
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [1, 2, 111], "that there were changes is told");
        let entry = world.get(&format!("audits?$filter=objectid eq {id} and action eq 111")).await;
        assert_eq!(entry["value"][0]["_userid_value"], json!(eraser.user.to_string()));
        assert!(told(&world, &other).await.contains("stays"));
        assert_eq!(erase(&world, &eraser, &id).await.expect(200)["DeletedEntriesCount"], json!(0));
        assert_eq!(actions(&world, &format!("objectid eq {id}")).await, [1, 2, 111], "nothing was done");
        // The values of an entry that was erased are not given back.
        let entry = world.get(&format!("audits?$filter=objectid eq {id} and action eq 2")).await;
        let entry = entry["value"][0]["auditid"].as_str().unwrap();
        let path = format!("audits({entry})/Microsoft.Dynamics.CRM.custodia_RestoreFromAudit");
        let why = world.ask("POST", &path, &[], "{}").await.expect_error(400, "0x80040203");
        assert!(why.contains("erased"), "{why}");
        assert_eq!(world.get(&format!("accounts({id})?$select=name")).await["name"], json!("secret-2"));
        // What is told of the table itself is no record's, though it stands under an id.
        let table = custodia_schema::description_id("EntityMetadata", "account").to_string();
        for of_table in [Guid::nil().to_string(), table] {
            erase(&world, &eraser, &of_table).await.expect_error(404, "0x80040217");
        }
        let organization = json!({"Target": {
            "@odata.type": "Microsoft.Dynamics.CRM.organization",
            "organizationid": world.org.id().to_string(),
        }});
        let path = "DeleteRecordChangeHistory";
        world.ask("POST", path, &[], &organization.to_string()).await.expect_error(404, "0x80040217");
        // Who was given which rights stays told as well.
        let person = json!({"Target": {
            "@odata.type": "Microsoft.Dynamics.CRM.systemuser",
            "systemuserid": world.seeded.administrator.to_string(),
        }});
        world.ask("POST", path, &[], &person.to_string()).await.expect_error(404, "0x80040217");
        // Who gives a record the id of one that is gone erases what is told of the new one, and not of that one.
        world.ask("DELETE", &format!("accounts({other})"), &[], "").await.expect(204);
        let own = vec![(privilege_id("prvCreateAccount"), Level::Basic)];
        world.org.change_role(&world.admin(), role, RoleChange::Add(own)).await.unwrap();
        let again = json!({"accountid": other, "name": "again"}).to_string();
        world.send(&elsewhere, "POST", "accounts", &[], &again).await.expect(204);
        assert_eq!(erase(&world, &elsewhere, &other).await.expect(200)["DeletedEntriesCount"], json!(1));
        let left = told(&world, &other).await;
        assert!(left.contains("stays") && !left.contains("again"), "{left}");
        // Of a record that is gone; and no more at once than one request changes.
        change(&world, &id, &json!({"name": "secret-3"})).await;
        world.ask("DELETE", &format!("accounts({id})"), &[], "").await.expect(204);
        for cascade_rows in [0, 1] {
            world.limit(WorkLimits { cascade_rows, ..WorkLimits::default() });
            erase(&world, &eraser, &id).await.expect(400);
            assert!(told(&world, &id).await.contains("secret-3"));
        }
        // As many as the limit are done, in parts.
        world.limit(WorkLimits { cascade_rows: 2, ..WorkLimits::default() });
        assert_eq!(erase(&world, &eraser, &id).await.expect(200)["DeletedEntriesCount"], json!(2));
        assert!(!told(&world, &id).await.contains("secret"));
        let report = world.org.verify_audit(custodia_store::Published::default(), &mut |_: &str| {}).await.unwrap();
        assert_eq!(report.fault, None);
    }

    pub async fn erasing_takes_each_privilege_and_what_the_same_request_told(world: World) {
        audit_accounts(&world).await;
        let id = world.post("accounts", r#"{"name":"secret-4"}"#).await;
        let body = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id}}).to_string();
        let eraser = ["prvDeleteRecordChangeHistory", "prvReadAccount"];
        // Each of the two privileges by itself is not enough.
        for one in [READER[0], READER[1]] {
            let half = user(&world, one, &[&eraser[..], &[one]].concat()).await;
            world.send(&half, "POST", "DeleteRecordChangeHistory", &[], &body).await.expect_error(403, "0x80040220");
        }
        // What the same request told before goes as well.
        let table = world.org.schema().table_named("account").unwrap().clone();
        let target = Reference::id(table.id, Guid::try_parse(&id).unwrap());
        let columns = vec![(table.column("name").unwrap().id, Input::Value(Value::Text("secret-5".to_owned())))];
        let input = RecordInput { table: table.id, id: None, columns };
        let update = Change::Update { target: target.clone(), input, when: Precondition::Exists };
        let both = Change::All(vec![update, Change::EraseHistory(target)]);
        Box::pin(world.org.change(&world.admin(), both)).await.unwrap();
        assert!(!world.get(&history(&id, "{}")).await.to_string().contains("secret"));
    }
}
