//! Methods that a resource does not know, and rights that a caller does not have.

use crate::on_both_engines;

on_both_engines! {
    wrong_methods_are_told_the_right_ones;
    refusals_are_complete;
    who_may_create_and_not_read_gets_the_address;
    columns_that_callers_do_not_set_are_not_set_alone;
    an_id_that_is_taken_is_named;
    addresses_of_another_organisation_are_refused;
    whole_queries_are_never_passed_over;
    more_columns_than_an_engine_takes_are_refused;
    more_rows_than_are_told_apart_are_refused;
}

mod bodies {
    use crate::world::World;

    pub async fn wrong_methods_are_told_the_right_ones(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let record = format!("accounts({id})");
        let property = format!("{record}/name");
        let single = format!("{record}/primarycontactid");
        let reference = format!("{single}/$ref");
        let collection = format!("{record}/contact_customer_accounts");
        let references = format!("{collection}/$ref");
        let cases = [
            ("DELETE", "accounts", "GET, POST"),
            ("HEAD", "accounts", "GET, POST"),
            ("PATCH", "accounts", "GET, POST"),
            ("BREW", "accounts", "GET, POST"),
            ("PUT", &record, "GET, PATCH, DELETE"),
            ("POST", &record, "GET, PATCH, DELETE"),
            ("PATCH", &property, "GET, PUT, DELETE"),
            ("POST", "accounts/$count", "GET"),
            ("POST", &single, "GET"),
            ("PATCH", &reference, "GET, PUT, DELETE"),
            ("DELETE", &collection, "GET, POST"),
            ("PUT", &references, "GET, POST, DELETE"),
            ("POST", "", "GET"),
        ];
        for (method, target, allow) in cases {
            let answer = world.ask(method, target, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {target} {}", answer.text());
            assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
            answer.expect_error(405, "0x80060888");
        }
    }

    pub async fn refusals_are_complete(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let reader = world.user("rita", &["Basic User"]).await;
        let path = format!("accounts({id})");
        for (method, target, body) in [
            ("GET", path.as_str(), ""),
            ("PATCH", &path, r#"{"name":"B"}"#),
            ("DELETE", &path, ""),
            ("GET", &format!("{path}/name"), ""),
            ("GET", &format!("{path}/contact_customer_accounts"), ""),
        ] {
            let answer = world.send(&reader, method, target, &[], body).await;
            assert_eq!(answer.status, 403, "{method} {target} {}", answer.text());
            let message = answer.expect_error(403, "0x80040220");
            assert!(message.contains(&reader.user.to_string()) && !message.contains("\"A\""), "{message}");
        }
        assert_eq!(world.get(&path).await["name"], "A");
    }

    pub async fn who_may_create_and_not_read_gets_the_address(world: World) {
        let body =
            format!("{{\"name\":\"Maker\",\"businessunitid@odata.bind\":\"/businessunits({})\"}}", world.seeded.unit);
        let role = world.post("roles", &body).await;
        let privilege = custodia_schema::privilege_id("prvCreateAccount");
        let body = format!("{{\"Privileges\":[{{\"PrivilegeId\":\"{privilege}\",\"Depth\":\"Basic\"}}]}}");
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &body).await.expect(204);

        let maker = world.user("mia", &["Maker"]).await;
        let show = [("prefer", "return=representation")];
        let shown = world.send(&maker, "POST", "accounts?$select=name", &show, r#"{"name":"Mine"}"#).await;
        assert_eq!((shown.status, shown.header("preference-applied")), (204, None), "{}", shown.text());
        let path = format!("accounts({})", shown.written_id());
        world.send(&maker, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
        assert_eq!(world.get(&path).await["name"], "Mine");
    }

    pub async fn columns_that_callers_do_not_set_are_not_set_alone(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let record = format!("accounts({id})");
        let before = world.get(&record).await;
        for (method, column, body) in [
            ("PUT", "createdon", r#"{"value":"2020-01-01T00:00:00Z"}"#),
            ("DELETE", "createdon", ""),
            ("DELETE", "accountid", ""),
            ("PUT", "versionnumber", r#"{"value":1}"#),
        ] {
            let answer = world.ask(method, &format!("{record}/{column}"), &[], body).await;
            let message = answer.expect_error(400, "0x80060888");
            assert_eq!(message, format!("the column '{column}' of 'account' is not set by callers"));
        }
        let reference = format!("{{\"@odata.id\":\"systemusers({})\"}}", world.seeded.administrator);
        let answer = world.ask("PUT", &format!("{record}/createdby/$ref"), &[], &reference).await;
        answer.expect_error(400, "0x80060888");
        assert_eq!(world.get(&record).await, before);
        // Among others they are passed over, so that a record that was read can be sent back.
        let body = r#"{"createdon":"2020-01-01T00:00:00Z","name":"B"}"#;
        world.ask("PATCH", &record, &[], body).await.expect(204);
        let after = world.get(&record).await;
        assert_eq!((&after["name"], &after["createdon"]), (&"B".into(), &before["createdon"]));
        // Not so lookups under the names that answers have for them: those are never set by that name.
        for lookup in ["_createdby_value", "_ownerid_value", "_primarycontactid_value"] {
            for value in [&before[lookup], &serde_json::Value::Null] {
                let body = serde_json::json!({ lookup: value, "name": "C" }).to_string();
                let message = world.ask("PATCH", &record, &[], &body).await.expect_error(400, "0x80048d19");
                assert!(message.contains(lookup), "{message}");
            }
        }
        assert_eq!(world.get(&record).await, after);
    }

    pub async fn an_id_that_is_taken_is_named(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let body = format!("{{\"accountid\":\"{id}\",\"name\":\"B\"}}");
        let message = world.ask("POST", "accounts", &[], &body).await.expect_error(412, "0x80040237");
        assert_eq!(message, format!("A record with id {id} exists already."));
    }

    pub async fn addresses_of_another_organisation_are_refused(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let there = format!("/elsewhere/api/data/v9.2/accounts({id})");
        let body = format!("{{\"lastname\":\"C\",\"parentcustomerid_account@odata.bind\":\"{there}\"}}");
        let message = world.ask("POST", "contacts", &[], &body).await.expect_error(400, "0x80060888");
        assert!(message.contains("outside this organisation"), "{message}");
        let here = there.replace("/elsewhere", "");
        let body = format!("{{\"lastname\":\"C\",\"parentcustomerid_account@odata.bind\":\"{here}\"}}");
        world.post("contacts", &body).await;
    }

    pub async fn whole_queries_are_never_passed_over(world: World) {
        let fetch = "fetchXml=<fetch><entity name='account'/></fetch>";
        let sql = "sql=SELECT name FROM account";
        let view = "savedQuery=00000000-0000-0000-0000-000000000001";
        for (options, message) in [
            (fetch.replace("fetchXml", "fetchxml"), "the option 'fetchxml' is written 'fetchXml'"),
            (sql.replace("sql", "SQL"), "the option 'SQL' is written 'sql'"),
            (view.to_lowercase(), "the option 'savedquery' is written 'savedQuery'"),
            (format!("{sql}&{fetch}"), "'fetchXml' cannot stand beside 'sql', which is a whole query"),
            (format!("{view}&{sql}"), "'sql' cannot stand beside 'savedQuery', which is a whole query"),
            (format!("{fetch}&{fetch}"), "'fetchXml' cannot stand beside 'fetchXml', which is a whole query"),
        ] {
            let target = format!("accounts?{options}");
            let answer = world.ask("GET", &target, &[], "").await;
            assert_eq!(answer.expect_error(400, "0x80060888"), message, "{options}");
        }
        // Options of other names are passed over, as the protocol has it.
        world.ask("GET", "accounts?tag=1", &[], "").await.expect(200);
    }

    pub async fn more_columns_than_an_engine_takes_are_refused(world: World) {
        let links: String = (0..15)
            .map(|at| {
                format!(
                    "<link-entity name='account' from='accountid' to='parentaccountid' alias='a{at}'><all-attributes/>\
                     </link-entity>"
                )
            })
            .collect();
        for of in ["<fetch>", "<fetch distinct='true'>"] {
            let target = format!("accounts?fetchXml={of}<entity name='account'>{links}</entity></fetch>");
            let message = world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
            assert!(message.contains("more than 1600 columns"), "{message}");
        }
    }

    pub async fn more_rows_than_are_told_apart_are_refused(world: World) {
        let accounts: Vec<String> = (0..720).map(|at| format!("{{\"name\":\"{at}\"}}")).collect();
        let body = format!("{{\"Targets\":[{}]}}", accounts.join(","));
        let path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
        world.ask("POST", path, &[], &body).await.expect(200);
        let ask = async |condition: &str| {
            let target = format!(
                "accounts?fetchXml=<fetch distinct='true' count='2'><entity name='account'><attribute name='name'/>\
                 <link-entity name='account' from='statecode' to='statecode' alias='a'><attribute name='name'/>\
                 {condition}</link-entity></entity></fetch>"
            );
            world.ask("GET", &target, &[], "").await
        };
        // 720 times 720 are more than half a million.
        let message = ask("").await.expect_error(400, "0x80060888");
        assert!(message.contains("more than 500000 records"), "{message}");
        let few = ask("<filter><condition attribute='name' operator='eq' value='7'/></filter>").await.expect(200);
        assert_eq!(few["value"].as_array().unwrap().len(), 2);
    }
}
