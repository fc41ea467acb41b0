//! Collections: which rows, in which order, how many.

use crate::on_both_engines;

on_both_engines! {
    rows_are_filtered_ordered_and_counted;
    filters_know_links_paths_and_nulls;
    what_is_not_supported_says_so;
    rows_that_a_caller_may_not_read_are_absent;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    const NAMES: [&str; 5] = ["Adé", "adam", "Beta", "100% sure", "_under"];

    async fn accounts(world: &World) {
        for (position, name) in NAMES.iter().enumerate() {
            let city = ["Paris", "Rome"][position % 2];
            let employees = if position == 4 { "null".to_owned() } else { position.to_string() };
            let body = format!(
                "{{\"name\":\"{name}\",\"address1_city\":\"{city}\",\"numberofemployees\":{employees},\"revenue\":{}}}",
                position * 1000
            );
            world.post("accounts", &body).await;
        }
    }

    fn names(body: &Json) -> Vec<&str> {
        body["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
    }

    pub async fn rows_are_filtered_ordered_and_counted(world: World) {
        accounts(&world).await;
        let cases: [(&str, &[&str]); 16] = [
            ("$orderby=name", &["100% sure", "_under", "adam", "Adé", "Beta"]),
            (
                "$filter=contains(@p1,'e')&$orderby=@p2 desc,@p3&@p1=name&@p2=numberofemployees&@p3=name",
                &["100% sure", "Beta", "Adé", "_under"],
            ),
            ("$filter=@p1 ne @p3&$orderby=name&@p1=name", &["100% sure", "_under", "adam", "Adé", "Beta"]),
            ("$orderby=name desc&$top=2", &["Beta", "Adé"]),
            ("$orderby=numberofemployees,name", &["_under", "Adé", "adam", "Beta", "100% sure"]),
            ("$orderby=numberofemployees desc", &["100% sure", "Beta", "adam", "Adé", "_under"]),
            ("$filter=address1_city eq 'PARIS'&$orderby=name", &["_under", "Adé", "Beta"]),
            ("$filter=startswith(name,'ad')&$orderby=name", &["adam", "Adé"]),
            ("$filter=contains(name,'e')&$orderby=name", &["100% sure", "_under", "Adé", "Beta"]),
            ("$filter=endswith(name,'%27%27')", &[]),
            ("$filter=name+in+('beta','adam')&$orderby=name", &["adam", "Beta"]),
            ("$filter=numberofemployees ge 2 and (revenue lt 3000 or name eq 'x')", &["Beta"]),
            ("$filter=not (numberofemployees ge 2)&$orderby=name", &["_under", "adam", "Adé"]),
            ("$filter=numberofemployees ne 0&$orderby=name", &["100% sure", "_under", "adam", "Beta"]),
            ("$filter=numberofemployees eq null", &["_under"]),
            ("$filter=name eq @p&@p='adam'", &["adam"]),
        ];
        for (options, expected) in cases {
            let body = world.get(&format!("accounts?$select=name&{options}")).await;
            assert_eq!(names(&body), expected, "{options}");
        }

        let counted = world.get("accounts?$select=name&$count=true&$top=2&$filter=address1_city eq 'Paris'").await;
        assert_eq!((counted["@odata.count"].as_u64(), names(&counted).len()), (Some(3), 2));
        assert_eq!(counted["@odata.context"], format!("{ROOT}$metadata#accounts(name)"));
        let plain = world.ask("GET", "accounts", &[], "").await;
        assert_eq!(plain.json()["@odata.context"], format!("{ROOT}$metadata#accounts"));
        assert!(plain.json().get("@odata.count").is_none() && plain.json().get("@odata.nextLink").is_none());
        let count = world.ask("GET", "accounts/$count", &[], "").await;
        assert_eq!((count.text(), count.header("content-type")), ("5", Some("text/plain; charset=utf-8")));
        assert_eq!(world.ask("GET", "accounts/$count?$filter=address1_city eq 'Rome'", &[], "").await.text(), "2");
        let none = world.get("accounts?$select=name&$top=0&$count=true").await;
        assert_eq!((&none["value"], none["@odata.count"].as_u64()), (&json!([]), Some(5)));
        let without = world
            .ask("GET", "accounts?$select=name&$count=true", &[("accept", "application/json;odata.metadata=none")], "")
            .await;
        assert!(without.text().starts_with("{\"@odata.count\":5,\"value\":[{\"name\":"), "{}", without.text());
    }

    pub async fn filters_know_links_paths_and_nulls(world: World) {
        let parent = world.post("accounts", r#"{"name":"Parent"}"#).await;
        let body = format!("{{\"name\":\"Child\",\"parentaccountid@odata.bind\":\"/accounts({parent})\"}}");
        world.post("accounts", &body).await;
        let cases = [
            format!("_parentaccountid_value eq {parent}"),
            format!("_parentaccountid_value eq '{parent}'"),
            "parentaccountid/name eq 'parent'".to_owned(),
            format!("parentaccountid/accountid eq {parent}"),
            "parentaccountid ne null and name ne 'x'".replace("parentaccountid ne", "_parentaccountid_value ne"),
        ];
        for filter in cases {
            let body = world.get(&format!("accounts?$select=name&$filter={filter}")).await;
            assert_eq!(names(&body), ["Child"], "{filter}");
        }
        let ordered = world.get("accounts?$select=name&$orderby=parentaccountid/name desc").await;
        assert_eq!(names(&ordered), ["Child", "Parent"]);
    }

    pub async fn what_is_not_supported_says_so(world: World) {
        let cases = [
            ("accounts?$skip=2", 400, "0x80060888"),
            ("accounts?$search=x", 400, "0x80060888"),
            ("accounts?$filter=nothing eq 1", 400, "0x0"),
            ("accounts?$select=nothing", 400, "0x0"),
            ("accounts?$orderby=nothing", 400, "0x0"),
            ("accounts?$expand=nothing", 400, "0x0"),
            ("accounts?$filter=name eq", 400, "0x80060888"),
            ("accounts?$filter=numberofemployees eq 'x'", 400, "0x80060888"),
            ("accounts?$top=-1", 400, "0x80060888"),
            ("accounts?$top=1&$top=2", 400, "0x80060888"),
            ("accounts?$skiptoken=x", 400, "0x80060888"),
            ("accounts?$compute=x", 501, "0x80060888"),
            ("accounts?$expand=*", 501, "0x80060888"),
            ("accounts?$filter=numberofemployees add 1 eq 2", 400, "0x80060888"),
            ("accounts?$filter=tolower(name) eq 'x'", 400, "0x80060888"),
            ("accounts?$filter=year(createdon) eq 2024", 400, "0x80060888"),
            ("accounts(00000000-0000-0000-0000-000000000001)?$filter=name eq 'x'", 400, "0x80060888"),
        ];
        for (target, status, code) in cases {
            let answer = world.ask("GET", target, &[], "").await;
            assert_eq!(answer.status, status, "{target} {}", answer.text());
            answer.expect_error(status, code);
        }
        let message = world.ask("GET", "accounts?$filter=nothing eq 1", &[], "").await.expect_error(400, "0x0");
        assert_eq!(message, "Could not find a property named 'nothing' on type 'Microsoft.Dynamics.CRM.account'.");
        // A lookup's value has a name of its own.
        for option in [
            "$select=primarycontactid",
            "$orderby=primarycontactid",
            "$filter=primarycontactid eq 00000000-0000-0000-0000-000000000001",
        ] {
            let message = world.ask("GET", &format!("accounts?{option}"), &[], "").await.expect_error(400, "0x0");
            assert_eq!(
                message,
                "Could not find a property named 'primarycontactid' on type 'Microsoft.Dynamics.CRM.account'. The value of \
                 a lookup is called '_primarycontactid_value'.",
                "{option}"
            );
        }
        for (method, target) in [
            ("GET", "account"),
            ("GET", "account(00000000-0000-0000-0000-000000000001)"),
            ("POST", "Accounts"),
            ("GET", "acounts?$select=name"),
        ] {
            let message = world.ask(method, target, &[], "").await.expect_error(404, "0x8006088a");
            assert!(message.ends_with("'. Did you mean 'accounts'?"), "{method} {target} {message}");
        }
        let message = world.ask("GET", "nothing", &[], "").await.expect_error(404, "0x8006088a");
        assert_eq!(message, "Resource not found for the segment 'nothing'.");
        world.ask("GET", "accounts", &[("prefer", "odata.maxpagesize=x")], "").await.expect_error(400, "0x8006088b");
        world.ask("GET", "accounts", &[("odata-version", "3.0")], "").await.expect_error(400, "0x80060888");
        world.ask("GET", "accounts", &[("odata-version", "4.0"), ("odata-maxversion", "4.0")], "").await.expect(200);
    }

    pub async fn rows_that_a_caller_may_not_read_are_absent(world: World) {
        accounts(&world).await;
        let seller = world.user("sam", &["Salesperson"]).await;
        let nobody = world.user("nora", &[]).await;
        let own = world.send(&seller, "POST", "accounts", &[], r#"{"name":"Own"}"#).await.written_id();
        let seen =
            world.send(&seller, "GET", "accounts?$select=name&$filter=name eq 'own' or name eq 'beta'", &[], "").await;
        let seen = seen.expect(200);
        assert!(names(&seen).contains(&"Own"));
        world.send(&nobody, "GET", "accounts", &[], "").await.expect_error(403, "0x80042f09");
        world.send(&nobody, "GET", &format!("accounts({own})"), &[], "").await.expect_error(403, "0x80042f09");
        world.send(&seller, "GET", &format!("accounts({own})/name"), &[], "").await.expect(200);
    }
}
