//! Create, update, upsert, delete, and single properties.

use crate::on_both_engines;

on_both_engines! {
    a_new_record_is_answered_by_its_address_or_as_a_whole;
    updates_change_only_what_is_sent;
    conditions_are_kept;
    conditions_tell_nothing_to_who_may_not_write;
    what_is_null_says_as_much_as_leaving_it_out;
    upserts_make_or_change;
    alternate_keys_name_records;
    links_are_bound_in_every_form;
    bodies_that_do_not_fit_are_refused;
    single_properties_are_written_alone;
    records_are_deleted_once;
    states_change_by_update;
    types_follow_from_records_and_links;
    documents_tell_how_large_they_are;
    activities_tell_how_long_they_take_and_when_they_ended;
    time_zones_are_those_that_there_are;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    const SHOW: [(&str, &str); 1] = [("prefer", "return=representation")];

    pub async fn a_new_record_is_answered_by_its_address_or_as_a_whole(world: World) {
        let answer = world.ask("POST", "accounts", &[], r#"{"name":"A"}"#).await;
        assert_eq!(answer.status, 204);
        let id = answer.written_id();
        assert_eq!(answer.header("odata-entityid"), Some(format!("{ROOT}accounts({id})").as_str()));
        assert_eq!(answer.header("preference-applied"), None);

        let shown = world.ask("POST", "accounts?$select=name,revenue", &SHOW, r#"{"name":"B","revenue":0.1}"#).await;
        let body = shown.expect(201);
        assert_eq!(shown.header("preference-applied"), Some("return=representation"));
        assert_eq!(body["accountid"], shown.written_id().as_str());
        assert_eq!(body["@odata.context"], format!("{ROOT}$metadata#accounts(name,revenue)/$entity"));
        assert_eq!((body["name"].as_str(), body["revenue"].to_string().as_str()), (Some("B"), "0.1000"));
        assert!(body.get("fax").is_none());

        // A key of the client's own choice, once.
        let own = "11111111-2222-3333-4444-555555555555";
        let body =
            format!("{{\"name\":\"C\",\"accountid\":\"{own}\",\"@odata.type\":\"Microsoft.Dynamics.CRM.account\"}}");
        assert_eq!(world.post("accounts", &body).await, own);
        world.ask("POST", "accounts", &[], &body).await.expect_error(412, "0x80040237");

        // A wrong selection comes to light before anything is written.
        world.ask("POST", "accounts?$select=nothing", &SHOW, r#"{"name":"D"}"#).await.expect(400);
        for wrong in ["$foo=1", "$select=nothing", "$filter=name eq 'D'"] {
            world.ask("POST", &format!("accounts?{wrong}"), &[], r#"{"name":"D"}"#).await.expect(400);
            world.ask("PATCH", &format!("accounts({own})?{wrong}"), &[], r#"{"name":"D"}"#).await.expect(400);
        }
        assert_eq!(world.ask("GET", "accounts/$count?$filter=name eq 'D'", &[], "").await.text(), "0");
    }

    pub async fn updates_change_only_what_is_sent(world: World) {
        let id = world.post("accounts", r#"{"name":"A","fax":"1","numberofemployees":5}"#).await;
        let path = format!("accounts({id})");
        let before = world.get(&path).await;
        let answer = world.ask("PATCH", &path, &[], r#"{"fax":null,"numberofemployees":6}"#).await;
        assert_eq!((answer.status, answer.written_id()), (204, id.clone()));
        let after = world.get(&path).await;
        assert_eq!(
            (after["name"].as_str(), &after["fax"], after["numberofemployees"].as_i64()),
            (Some("A"), &Json::Null, Some(6))
        );
        assert!(after["versionnumber"].as_i64() > before["versionnumber"].as_i64());
        let shown = world.ask("PATCH", &format!("{path}?$select=name"), &SHOW, r#"{"name":"B"}"#).await;
        assert_eq!(shown.expect(200)["name"], "B");
        // What a client read may come back whole: annotations and what the platform keeps are passed over.
        let whole = world.ask("GET", &path, &[("prefer", "odata.include-annotations=\"*\"")], "").await.expect(200);
        let mut whole = whole.as_object().unwrap().clone();
        whole.retain(|name, value| !name.starts_with('_') || value.is_null() || name.contains('@'));
        whole.retain(|name, _| !name.starts_with('_') || name.contains('@'));
        world.ask("PATCH", &path, &[], &Json::Object(whole).to_string()).await.expect(204);
        let other = "00000000-0000-0000-0000-00000000dead";
        let body = format!("{{\"accountid\":\"{other}\"}}");
        world.ask("PATCH", &path, &[], &body).await.expect_error(400, "0x80048d19");
    }

    pub async fn conditions_are_kept(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({id})");
        let tag = world.get(&path).await["@odata.etag"].as_str().unwrap().to_owned();
        world.ask("PATCH", &path, &[("if-match", &tag)], r#"{"name":"B"}"#).await.expect(204);
        world.ask("PATCH", &path, &[("if-match", &tag)], r#"{"name":"C"}"#).await.expect_error(412, "0x80060882");
        world.ask("DELETE", &path, &[("if-match", &tag)], "").await.expect_error(412, "0x80060882");
        world
            .ask("PUT", &format!("{path}/name"), &[("if-match", &tag)], r#"{"value":"C"}"#)
            .await
            .expect_error(412, "0x80060882");
        assert_eq!(world.get(&path).await["name"], "B");
        world.ask("PATCH", &path, &[("if-none-match", "*")], r#"{"name":"C"}"#).await.expect_error(412, "0x80040237");
        let missing = "accounts(00000000-0000-0000-0000-00000000dead)";
        world.ask("PATCH", missing, &[("if-match", "*")], r#"{"name":"C"}"#).await.expect_error(404, "0x80040217");
        world.ask("DELETE", missing, &[("if-match", "*")], "").await.expect_error(404, "0x80040217");
        world.ask("PATCH", &path, &[("if-match", "nonsense")], r#"{"name":"C"}"#).await.expect_error(400, "0x80060888");
        let now = world.get(&path).await["@odata.etag"].as_str().unwrap().to_owned();
        // A condition that cannot be read, or is given twice, leaves nothing to be written without one.
        for header in
            [("if-match", "\u{e9}"), ("if-match", "W/\"\u{e9}\""), ("if-match", ""), ("if-none-match", "\u{e9}")]
        {
            for (method, body) in [("PATCH", r#"{"name":"C"}"#), ("DELETE", "")] {
                world.ask(method, &path, &[header], body).await.expect_error(400, "0x80060888");
            }
        }
        let twice = [("if-match", "*"), ("if-match", tag.as_str())];
        world.ask("DELETE", &path, &twice, "").await.expect_error(400, "0x80060888");
        for (name, value) in [("odata-version", "\u{e9}"), ("content-type", "\u{e9}"), ("prefer", "\u{e9}")] {
            assert_eq!(world.ask("PATCH", &path, &[(name, value)], r#"{"name":"C"}"#).await.status, 400, "{name}");
        }
        world.ask("DELETE", &path, &[("if-match", &now)], "").await.expect(204);
    }

    pub async fn conditions_tell_nothing_to_who_may_not_write(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({id})");
        let tag = world.get(&path).await["@odata.etag"].as_str().unwrap().to_owned();
        world.ask("PATCH", &path, &[], r#"{"name":"B"}"#).await.expect(204);
        // Somebody without any right on accounts, and somebody whose rights do not reach this one.
        let unit = format!("/businessunits({})", world.seeded.unit);
        world.post("roles", &json!({ "name": "Empty", "businessunitid@odata.bind": unit }).to_string()).await;
        let nobody = world.user("nobody", &[]).await;
        world.give_role(&nobody, "Empty").await;
        let other = world.user("other", &["Salesperson"]).await;
        for caller in [&nobody, &other] {
            let answer =
                async |method: &'static str, target: &str, headers: &[(&'static str, &str)], body: &'static str| {
                    let answer = world.send(caller, method, target, headers, body).await;
                    (answer.status, answer.text().to_owned())
                };
            for (method, target, body) in [
                ("PATCH", path.clone(), r#"{"name":"C"}"#),
                ("PUT", format!("{path}/name"), r#"{"value":"C"}"#),
                ("DELETE", path.clone(), ""),
            ] {
                let plain = answer(method, &target, &[], body).await;
                assert_eq!(plain.0, 403, "{method} {}", plain.1);
                for condition in [("if-match", tag.as_str()), ("if-match", "W/\"1\""), ("if-match", "*")] {
                    assert_eq!(answer(method, &target, &[condition], body).await, plain, "{method} {condition:?}");
                }
            }
            let plain = answer("PATCH", &path, &[], r#"{"name":"C"}"#).await;
            assert_eq!(answer("PATCH", &path, &[("if-none-match", "*")], r#"{"name":"C"}"#).await, plain);
        }
        assert_eq!(world.get(&path).await["name"], "B");
    }

    pub async fn what_is_null_says_as_much_as_leaving_it_out(world: World) {
        let id = world.post("accounts", r#"{"name":"A","@odata.type":null}"#).await;
        let path = format!("accounts({id})");
        world.ask("PATCH", &path, &[], r#"{"name":"B","@odata.type":null}"#).await.expect(204);
        let typed = world.ask("PATCH", &path, &[], r#"{"name":"C","@odata.type":7}"#).await;
        typed.expect_error(400, "0x80048d19");
        // An empty tag is no version that a reader has; a write it would leave without its condition.
        let read = world.ask("GET", &path, &[("if-none-match", "")], "").await.expect(200);
        assert_eq!(read["name"], "B");
        let written = world.ask("PATCH", &path, &[("if-none-match", "")], r#"{"name":"C"}"#).await;
        written.expect_error(400, "0x80060888");
    }

    pub async fn upserts_make_or_change(world: World) {
        let id = "11111111-2222-3333-4444-555555555555";
        let path = format!("accounts({id})");
        let made = world.ask("PATCH", &path, &[], r#"{"name":"A"}"#).await;
        assert_eq!((made.status, made.written_id().as_str()), (204, id));
        let changed = world.ask("PATCH", &path, &[], r#"{"name":"B"}"#).await;
        assert_eq!((changed.status, changed.written_id().as_str()), (204, id));
        assert_eq!(world.get(&path).await["name"], "B");
        // An id of zeros is what clients send where they have none.
        let none = "00000000-0000-0000-0000-000000000000";
        let body =
            format!(r#"{{"accountid":"{none}","name":"Z","Account_Tasks":[{{"activityid":"{none}","subject":"T"}}]}}"#);
        let drawn = world.ask("POST", "accounts", &[], &body).await.written_id();
        assert_ne!(drawn, none);
        assert_eq!(
            world.get("tasks?$select=_regardingobjectid_value").await["value"][0]["_regardingobjectid_value"],
            drawn
        );
        let refused = world.ask("PATCH", &format!("accounts({none})"), &[], r#"{"name":"Z"}"#).await;
        assert!(refused.expect_error(400, "0x80040203").contains("zeros"));
        let other = "accounts(11111111-2222-3333-4444-666666666666)";
        let created = world.ask(
            "PATCH",
            other,
            &[("prefer", "return=representation"), ("if-none-match", "*")],
            r#"{"name":"C"}"#,
        );
        assert_eq!(created.await.expect(201)["name"], "C");
        let updated = world.ask("PATCH", other, &SHOW, r#"{"name":"D"}"#).await;
        assert_eq!(updated.expect(200)["name"], "D");
    }

    pub async fn alternate_keys_name_records(world: World) {
        let body = r#"{"currencyname":"Euro","currencysymbol":"€","currencyprecision":2,"exchangerate":0.9}"#;
        let path = "transactioncurrencies(isocurrencycode='EUR')";
        let made = world.ask("PATCH", path, &SHOW, body).await;
        let made = made.expect(201);
        assert_eq!((made["isocurrencycode"].as_str(), made["exchangerate"].as_f64()), (Some("EUR"), Some(0.9)));
        let id = made["transactioncurrencyid"].as_str().unwrap();
        // The columns of the key are those of the address, whatever the body says.
        let named = body.replace('{', r#"{"isocurrencycode":"XT8","#);
        let made = world.ask("PATCH", "transactioncurrencies(isocurrencycode='XT9')", &SHOW, &named).await.expect(201);
        assert_eq!(made["isocurrencycode"], "XT9");
        let absent = "transactioncurrencies(isocurrencycode='XT8')";
        world.ask("GET", absent, &[], "").await.expect_error(404, "0x80060891");
        let changed = world.ask("PATCH", path, &[], r#"{"currencyname":"Euro 2"}"#).await;
        assert_eq!((changed.status, changed.written_id().as_str()), (204, id));
        world.ask("PATCH", path, &[("if-none-match", "*")], body).await.expect_error(412, "0x80040237");
        let double = r#"{"isocurrencycode":"EUR","currencyname":"X","currencysymbol":"X","currencyprecision":2,"exchangerate":1}"#;
        world.ask("POST", "transactioncurrencies", &[], double).await.expect_error(412, "0x80060892");
        let missing = "transactioncurrencies(isocurrencycode='XXX')";
        world.ask("PATCH", missing, &[("if-match", "*")], "{}").await.expect_error(404, "0x80060891");
        let bound = format!("{{\"name\":\"A\",\"transactioncurrencyid@odata.bind\":\"/{path}\",\"revenue\":90}}");
        let account = world.post("accounts", &bound).await;
        let annotated = world
            .ask("GET", &format!("accounts({account})"), &[("prefer", "odata.include-annotations=\"*\"")], "")
            .await
            .expect(200);
        assert_eq!(annotated["_transactioncurrencyid_value"], id);
        assert_eq!(annotated["revenue@OData.Community.Display.V1.FormattedValue"], "€90.00");
        assert_eq!(annotated["revenue_base@OData.Community.Display.V1.FormattedValue"], "$100.00");
        world.ask("DELETE", &format!("accounts({account})"), &[], "").await.expect(204);
        world.ask("DELETE", path, &[], "").await.expect(204);
        world.ask("DELETE", path, &[], "").await.expect_error(404, "0x80060891");
    }

    pub async fn links_are_bound_in_every_form(world: World) {
        let parent = world.post("accounts", r#"{"name":"P"}"#).await;
        let upper = parent.to_uppercase();
        let addresses = [
            format!("/accounts({parent})"),
            format!("accounts({parent})"),
            format!("{ROOT}accounts({parent})"),
            format!("{}accounts({parent})", ROOT.replace("v9.2", "v9.0")),
            format!("/api/data/v9.2/accounts({upper})"),
            format!("accounts(accountid={parent})"),
        ];
        for address in addresses {
            let body = format!("{{\"name\":\"C\",\"parentaccountid@odata.bind\":\"{address}\"}}");
            let child = world.post("accounts", &body).await;
            let found = world.get(&format!("accounts({child})?$select=_parentaccountid_value")).await;
            assert_eq!(found["_parentaccountid_value"], parent.as_str(), "{address}");
            for clear in [r#"{"parentaccountid@odata.bind":null}"#, r#"{"parentaccountid":null}"#] {
                let again = format!("{{\"parentaccountid\":{{\"@odata.id\":\"{address}\"}}}}");
                world.ask("PATCH", &format!("accounts({child})"), &[], &again).await.expect(204);
                world.ask("PATCH", &format!("accounts({child})"), &[], clear).await.expect(204);
                let found = world.get(&format!("accounts({child})?$select=_parentaccountid_value")).await;
                assert_eq!(found["_parentaccountid_value"], Json::Null);
            }
        }
        // A lookup to several tables: the link given counts, not the null for the other table.
        let link = format!("\"parentcustomerid_account@odata.bind\":\"/accounts({parent})\"");
        let null = "\"parentcustomerid_contact@odata.bind\":null";
        for body in [format!("{{{null},{link}}}"), format!("{{{link},{null}}}")] {
            let contact = world.post("contacts", &body).await;
            assert_eq!(world.get(&format!("contacts({contact})")).await["_parentcustomerid_value"], parent.as_str());
        }
        let two = format!("{{{link},\"parentcustomerid_contact@odata.bind\":\"/contacts({parent})\"}}");
        world.ask("POST", "contacts", &[], &two).await.expect_error(400, "0x80048d19");

        let refused: [(&str, u16, &str); 9] = [
            (r#"{"parentaccountid@odata.bind":"/contacts(00000000-0000-0000-0000-000000000001)"}"#, 400, "0x80048d19"),
            (r#"{"parentaccountid@odata.bind":"/nothings(00000000-0000-0000-0000-000000000001)"}"#, 404, "0x8006088a"),
            (
                r#"{"parentaccountid@odata.bind":"https://elsewhere.example/accounts(00000000-0000-0000-0000-000000000001)"}"#,
                400,
                "0x80060888",
            ),
            (r#"{"parentaccountid@odata.bind":"/accounts"}"#, 400, "0x80060888"),
            (r#"{"parentaccountid@odata.bind":5}"#, 400, "0x80048d19"),
            (r#"{"nothing@odata.bind":"/accounts(00000000-0000-0000-0000-000000000001)"}"#, 400, "0x80048d19"),
            (r#"{"ParentAccountId@odata.bind":"/accounts(00000000-0000-0000-0000-000000000001)"}"#, 400, "0x80048d19"),
            (r#"{"_parentaccountid_value":"00000000-0000-0000-0000-000000000001"}"#, 400, "0x80048d19"),
            (r#"{"parentaccountid@odata.bind":"$1"}"#, 400, "0x80060888"),
        ];
        for (body, status, code) in refused {
            let answer = world.ask("POST", "accounts", &[], body).await;
            assert_eq!(answer.status, status, "{body} {}", answer.text());
            answer.expect_error(status, code);
        }
        let nobody = r#"{"name":"C","parentaccountid@odata.bind":"/accounts(00000000-0000-0000-0000-00000000dead)"}"#;
        let answer = world.ask("POST", "accounts", &[], nobody).await;
        assert!(matches!(answer.status, 400 | 404), "{}", answer.text());
    }

    pub async fn bodies_that_do_not_fit_are_refused(world: World) {
        let cases = [
            ("", 400, "0x80048d19", "empty"),
            ("[]", 400, "0x80048d19", "object"),
            (r#"{"name":"A""#, 400, "0x80048d19", "line 1"),
            (r#"{"name":"A","name":"B"}"#, 400, "0x80048d19", "'name' is given twice"),
            (
                r#"{"nothing":1}"#,
                400,
                "0x80060888",
                "Invalid property 'nothing' was found in entity 'Microsoft.Dynamics.CRM.account'.",
            ),
            (r#"{"Name":"A"}"#, 400, "0x80060888", "Invalid property 'Name'"),
            (r#"{"name":5}"#, 400, "0x80048d19", "a text was expected"),
            (r#"{"numberofemployees":"5"}"#, 400, "0x80048d19", "a whole number was expected"),
            (r#"{"numberofemployees":-1}"#, 400, "0x80044330", "numberofemployees"),
            (r#"{"industrycode":4711}"#, 400, "0x8004431A", "industrycode"),
            (r#"{"lastonholdtime":"yesterday"}"#, 400, "0x80048d19", "2024-02-29T10:00:00Z"),
            (r##"{"@odata.type":"#Microsoft.Dynamics.CRM.contact"}"##, 400, "0x80048d19", "contact"),
            (r#"{"primarycontactid":{"no":"X"}}"#, 400, "0x80060888", "in 'primarycontactid'"),
            (r#"{"contact_customer_accounts":[{"lastname":5}]}"#, 400, "0x80048d19", "in 'contact_customer_accounts'"),
            (
                r#"{"primarycontactid":"x"}"#,
                400,
                "0x80048d19",
                r#"'primarycontactid' is a text; null or an object was expected; link with "primarycontactid@odata.bind": "/contacts(GUID)""#,
            ),
            (
                r#"{"_primarycontactid_value":"x"}"#,
                400,
                "0x80048d19",
                r#"cannot be written; link with "primarycontactid@odata.bind": "/contacts(GUID)""#,
            ),
            (
                r#"{"_createdby_value":"x"}"#,
                400,
                "0x80048d19",
                "'_createdby_value' cannot be written; the service alone sets it",
            ),
            (r#"{"createdby":"x"}"#, 400, "0x80048d19", "the service alone sets it"),
            (r#"{"ownerid":"x"}"#, 400, "0x80048d19", r#"link with "ownerid@odata.bind": "/systemusers(GUID)""#),
            (
                r#"{"primarycontactid@odata.bind":"contacts/01a206a2"}"#,
                400,
                "0x80060888",
                "expected an address like /contacts(GUID)",
            ),
            (
                r#"{"primarycontactid@odata.bind":"/contacts(01a206a2)"}"#,
                400,
                "0x80060888",
                "; expected an address like /contacts(GUID)",
            ),
            (
                r#"{"primarycontactid@odata.bind":"/contact(01a206a2-0000-4000-8000-000000000000)"}"#,
                404,
                "0x8006088a",
                "Resource not found for the segment 'contact'. Did you mean 'contacts'?",
            ),
        ];
        for (body, status, code, told) in cases {
            let answer = world.ask("POST", "accounts", &[], body).await;
            assert_eq!(answer.status, status, "{body} {}", answer.text());
            let message = answer.expect_error(status, code);
            assert!(message.contains(told), "{body} {message}");
        }
        let typed = r#"link with "customerid_account@odata.bind": "/accounts(GUID)" or "customerid_contact@odata.bind": "/contacts(GUID)"."#;
        for (body, code) in [
            (
                r#"{"title":"A","customerid@odata.bind":"/accounts(00000000-0000-0000-0000-000000000001)"}"#,
                "0x80048d19",
            ),
            (r#"{"title":"A","customerid":"00000000-0000-0000-0000-000000000001"}"#, "0x80060888"),
        ] {
            let message = world.ask("POST", "incidents", &[], body).await.expect_error(400, code);
            assert!(message.ends_with(typed), "{message}");
        }
        let body =
            r#"{"subject":"A","regardingobjectid@odata.bind":"/accounts(00000000-0000-0000-0000-000000000001)"}"#;
        let message = world.ask("POST", "tasks", &[], body).await.expect_error(400, "0x80048d19");
        assert!(message.contains("\"regardingobjectid_account_task@odata.bind\": \"/accounts(GUID)\""), "{message}");
        // A user sits in a unit; an application goes by its id where it has no other name.
        let lacks = world.ask("POST", "systemusers", &[], r#"{"domainname":"a@b.example"}"#).await;
        assert_eq!(
            lacks.expect_error(400, "0x80040203"),
            r#"systemuser.businessunitid: a value is required; link with "businessunitid@odata.bind": "/businessunits(GUID)""#
        );
        let unit = world.get("WhoAmI").await["BusinessUnitId"].as_str().unwrap().to_owned();
        let bind = format!("\"businessunitid@odata.bind\":\"/businessunits({unit})\"");
        let lacks = world.ask("POST", "systemusers", &[], &format!("{{{bind}}}")).await;
        assert_eq!(lacks.expect_error(400, "0x80040203"), "systemuser.domainname: a value is required");
        let application = "0a000000-0000-4000-8000-00000000000b";
        let body = format!("{{{bind},\"applicationid\":\"{application}\"}}");
        let user = world.post("systemusers", &body).await;
        assert_eq!(world.get(&format!("systemusers({user})")).await["domainname"], application);
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(161));
        world.ask("POST", "accounts", &[], &long).await.expect_error(400, "0x80044331");
        let form = [("content-type", "text/plain")];
        world.ask("POST", "accounts", &form, r#"{"name":"A"}"#).await.expect_error(415, "0x80048d19");
        let quoted = [("content-type", "application/json;IEEE754Compatible=true")];
        world.ask("POST", "accounts", &quoted, r#"{"name":"Q","revenue":"0.1"}"#).await.expect(204);
        assert_eq!(world.ask("GET", "accounts/$count", &[], "").await.text(), "1");
        // Empty collections within a record say nothing.
        world.post("accounts", r#"{"name":"A","contact_customer_accounts":[]}"#).await;
    }

    pub async fn single_properties_are_written_alone(world: World) {
        let id = world.post("accounts", r#"{"name":"A","fax":"1"}"#).await;
        let path = format!("accounts({id})");
        world.ask("PUT", &format!("{path}/name"), &[], r#"{"value":"B"}"#).await.expect(204);
        world.ask("DELETE", &format!("{path}/fax"), &[], "").await.expect(204);
        let found = world.get(&path).await;
        assert_eq!((found["name"].as_str(), &found["fax"]), (Some("B"), &Json::Null));
        world.ask("PUT", &format!("{path}/name"), &[], r#"{"value":5}"#).await.expect_error(400, "0x80048d19");
        world.ask("PUT", &format!("{path}/name"), &[], "{}").await.expect_error(400, "0x80048d19");
        world.ask("PUT", &format!("{path}/_ownerid_value"), &[], r#"{"value":null}"#).await.expect(400);
        let missing = "accounts(00000000-0000-0000-0000-00000000dead)/name";
        world.ask("PUT", missing, &[], r#"{"value":"B"}"#).await.expect_error(404, "0x80040217");
    }

    pub async fn records_are_deleted_once(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({id})");
        world.ask("DELETE", &path, &[], "").await.expect(204);
        world.ask("DELETE", &path, &[], "").await.expect_error(404, "0x80040217");
        world.ask("GET", &path, &[], "").await.expect_error(404, "0x80040217");
        let root = format!("businessunits({})", world.seeded.unit);
        let answer = world.ask("DELETE", &root, &[], "").await;
        assert!(matches!(answer.status, 400 | 405), "{}", answer.text());
    }

    pub async fn states_change_by_update(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({id})");
        world.ask("PATCH", &path, &[], r#"{"statecode":1}"#).await.expect(204);
        let found = world.get(&path).await;
        assert_eq!((found["statecode"].as_i64(), found["statuscode"].as_i64()), (Some(1), Some(2)));
        world.ask("PATCH", &path, &[], r#"{"statecode":0,"statuscode":2}"#).await.expect_error(400, "0x80048408");
        // Assigning is an update of the owner.
        let seller = world.user("sam", &["Salesperson"]).await;
        let body = format!("{{\"ownerid@odata.bind\":\"/systemusers({})\"}}", seller.user);
        world.ask("PATCH", &path, &[], &body).await.expect(204);
        assert_eq!(world.get(&path).await["_ownerid_value"], json!(seller.user));
    }

    /// Which kind of activity a record is, and which table a link leads to, is told beside them, whatever callers say.
    pub async fn types_follow_from_records_and_links(world: World) {
        for (set, name) in [("tasks", "task"), ("emails", "email"), ("phonecalls", "phonecall"), ("letters", "letter")]
        {
            let sent = r#"{"subject":"S","activitytypecode":"fax"}"#;
            let id = world.post(set, sent).await;
            assert_eq!(world.get(&format!("{set}({id})?$select=activitytypecode")).await["activitytypecode"], name);
            let pointer = world.get(&format!("activitypointers({id})?$select=activitytypecode")).await;
            assert_eq!(pointer["activitytypecode"], name);
            let counted = format!("{set}/$count?$filter=activitytypecode eq '{name}'");
            assert_eq!(world.ask("GET", &counted, &[], "").await.text(), "1");
            world
                .ask("PATCH", &format!("{set}({id})"), &[], r#"{"activitytypecode":"fax","subject":"T"}"#)
                .await
                .expect(204);
            assert_eq!(world.get(&format!("{set}({id})?$select=activitytypecode")).await["activitytypecode"], name);
        }

        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let contact = world.post("contacts", r#"{"lastname":"C"}"#).await;
        let task = world.post("tasks", r#"{"subject":"S"}"#).await;
        let queue = world.post("queues", r#"{"name":"Q"}"#).await;
        let cases = [
            ("annotations", "objectid_account", "objectid_contact", "objecttypecode"),
            ("customeraddresses", "parentid_account", "parentid_contact", "objecttypecode"),
        ];
        for (set, first, second, kind) in cases {
            let id = world.post(set, &format!(r#"{{"{first}@odata.bind":"/accounts({account})"}}"#)).await;
            let path = format!("{set}({id})");
            assert_eq!(world.get(&path).await[kind], "account", "{set}");
            let bound = format!(r#"{{"{second}@odata.bind":"/contacts({contact})"}}"#);
            world.ask("PATCH", &path, &[], &bound).await.expect(204);
            assert_eq!(world.get(&path).await[kind], "contact", "{set}");
            // Beside a link nothing else counts.
            world.ask("PATCH", &path, &[], &format!(r#"{{"{kind}":"lead"}}"#)).await.expect(204);
            assert_eq!(world.get(&path).await[kind], "contact", "{set}");
        }
        let note = world.post("annotations", &format!(r#"{{"objectid_task@odata.bind":"/tasks({task})"}}"#)).await;
        let path = format!("annotations({note})");
        assert_eq!(world.get(&path).await["objecttypecode"], "task");
        world.ask("DELETE", &format!("{path}/objectid_task/$ref"), &[], "").await.expect(204);
        assert!(world.get(&path).await["objecttypecode"].is_null());

        let item =
            format!(r#"{{"queueid@odata.bind":"/queues({queue})","objectid_task@odata.bind":"/tasks({task})"}}"#);
        let item = world.post("queueitems", &item).await;
        assert_eq!(world.get(&format!("queueitems({item})")).await["objecttypecode"], "task");

        let ends = format!(
            r#"{{"record1id_account@odata.bind":"/accounts({account})","record2id_contact@odata.bind":"/contacts({contact})"}}"#
        );
        let connection = world.post("connections", &ends).await;
        let connection = world.get(&format!("connections({connection})")).await;
        assert_eq!(connection["record1objecttypecode"], 1);
        assert_eq!(connection["record2objecttypecode"], 2);
    }

    /// What a note holds as base64 is told in bytes.
    pub async fn documents_tell_how_large_they_are(world: World) {
        let sent = r#"{"subject":"N","filename":"a.txt","documentbody":"YWJjZA=="}"#;
        let path = format!("annotations({})", world.post("annotations", sent).await);
        let note = world.get(&path).await;
        assert_eq!((note["isdocument"].as_bool(), note["filesize"].as_i64()), (Some(true), Some(4)));
        world.ask("PATCH", &path, &[], r#"{"documentbody":null}"#).await.expect(204);
        let note = world.get(&path).await;
        assert_eq!((note["isdocument"].as_bool(), note["filesize"].as_i64()), (Some(false), None));

        let plain = world.post("annotations", r#"{"subject":"N","notetext":"T"}"#).await;
        let plain = world.get(&format!("annotations({plain})")).await;
        assert_eq!((plain["isdocument"].as_bool(), plain["filesize"].as_i64()), (Some(false), None));
    }

    pub async fn activities_tell_how_long_they_take_and_when_they_ended(world: World) {
        let planned =
            r#"{"subject":"A","scheduledstart":"2026-03-01T10:00:00Z","scheduledend":"2026-03-01T11:00:00Z"}"#;
        let path = format!("appointments({})", world.post("appointments", planned).await);
        let change = async |body: &str| {
            world.ask("PATCH", &path, &[], body).await.expect(204);
            world.get(&path).await
        };
        assert_eq!(world.get(&path).await["scheduleddurationminutes"], 60);
        assert_eq!(change(r#"{"scheduledend":"2026-03-01T10:30:59Z"}"#).await["scheduleddurationminutes"], 30);
        assert!(change(r#"{"scheduledend":null}"#).await["scheduleddurationminutes"].is_null());
        assert!(change(r#"{"statecode":3,"statuscode":5}"#).await["actualend"].is_null(), "it is planned, not over");
        world.pass(60);
        let over = change(r#"{"statecode":1,"statuscode":3}"#).await;
        assert!(over["actualend"].is_string() && over["actualend"] == over["modifiedon"], "{over}");
        let pointer = world.get(&path.replace("appointments", "activitypointers")).await;
        assert_eq!(pointer["actualend"], over["actualend"]);
        world.pass(60);
        assert_eq!(change(r#"{"location":"L"}"#).await["actualend"], over["actualend"]);

        // What somebody says of the end holds.
        let task = format!("tasks({})", world.post("tasks", r#"{"subject":"T"}"#).await);
        let done = r#"{"statecode":2,"actualend":"2026-01-01T00:00:00Z"}"#;
        world.ask("PATCH", &task, &[], done).await.expect(204);
        assert_eq!(world.get(&task).await["actualend"], "2026-01-01T00:00:00Z");
    }

    pub async fn time_zones_are_those_that_there_are(world: World) {
        let settings = format!("usersettingscollection({})", world.seeded.administrator);
        world.ask("PATCH", &settings, &[], r#"{"timezonecode":9999}"#).await.expect_error(400, "0x80044330");
        world
            .ask("PUT", &format!("{settings}/timezonecode"), &[], r#"{"value":-1}"#)
            .await
            .expect_error(400, "0x80044330");
        world.ask("PATCH", &settings, &[], r#"{"timezonecode":35}"#).await.expect(204);
        assert_eq!(world.get(&settings).await["timezonecode"], 35);
    }
}
