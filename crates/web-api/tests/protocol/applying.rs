//! `$apply`: groups of rows and what their values come to.

use crate::on_both_engines;

on_both_engines! {
    groups_and_values;
    groups_come_in_pages;
    only_readable_rows_are_aggregated;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    async fn accounts(world: &World) -> (String, String) {
        let ann = world.post("contacts", r#"{"lastname":"Ann","creditlimit":100}"#).await;
        let bob = world.post("contacts", r#"{"lastname":"Bob"}"#).await;
        for (name, city, employees, revenue, contact) in [
            ("a", "Paris", "1", "10.5", &ann),
            ("b", "paris", "2", "20", &ann),
            ("c", "Rome", "4", "null", &bob),
            ("d", "", "null", "0.25", &bob),
        ] {
            let body = format!(
                "{{\"name\":\"{name}\",\"address1_city\":\"{city}\",\"numberofemployees\":{employees},\"revenue\":{revenue},\
                 \"primarycontactid@odata.bind\":\"/contacts({contact})\"}}"
            );
            world.post("accounts", &body).await;
        }
        (ann, bob)
    }

    /// What is applied to the accounts, with cities in one case: texts are grouped by fold, and a group shows one of them.
    async fn applied(world: &World, apply: &str) -> Json {
        let body = world.get(&format!("accounts?$apply={apply}")).await;
        let mut rows = body["value"].as_array().unwrap().clone();
        for row in &mut rows {
            // Amounts have four digits after the point.
            for value in row.as_object_mut().unwrap().values_mut() {
                let text = value.to_string();
                if value.is_number() && text.contains('.') {
                    let short = text.trim_end_matches('0').trim_end_matches('.');
                    *value = serde_json::from_str(short).unwrap();
                }
            }
            if let Some(city) = row.get("address1_city").and_then(Json::as_str).map(str::to_lowercase) {
                row["address1_city"] = city.into();
            }
        }
        Json::Array(rows)
    }

    pub async fn groups_and_values(world: World) {
        let (ann, bob) = accounts(&world).await;
        let cases = [
            ("aggregate($count as n)", json!([{"n":4}])),
            ("aggregate(numberofemployees with sum as total)", json!([{"total":7}])),
            // Averages of whole numbers are whole.
            (
                "aggregate(numberofemployees with average as mean,numberofemployees with min as least,numberofemployees with max as most)",
                json!([{"mean":2,"least":1,"most":4}]),
            ),
            (
                "aggregate(revenue with sum as total,revenue with average as mean)",
                json!([{"total":30.75,"mean":10.25}]),
            ),
            ("aggregate(revenue with min as least,revenue with max as most)", json!([{"least":0.25,"most":20}])),
            ("aggregate(address1_city with countdistinct as n)", json!([{"n":2}])),
            // Over no rows: a count of none, and no other value.
            ("filter(name eq 'nobody')/aggregate($count as n,revenue with sum as total)", json!([{"n":0}])),
            ("filter(name eq 'nobody')/groupby((address1_city),aggregate($count as n))", json!([])),
            ("groupby((address1_city))", json!([{},{"address1_city":"paris"},{"address1_city":"rome"}])),
            (
                "groupby((address1_city),aggregate($count as n,revenue with sum as total))",
                json!([{"n":1,"total":0.25},{"address1_city":"paris","n":2,"total":30.5},{"address1_city":"rome","n":1}]),
            ),
            (
                "groupby((address1_city),aggregate($count as n))&$orderby=address1_city desc&$top=2",
                json!([{"address1_city":"rome","n":1},{"address1_city":"paris","n":2}]),
            ),
            (
                "groupby((primarycontactid/lastname),aggregate(numberofemployees with sum as n))",
                json!([{"contact_lastname":"Ann","n":3},{"contact_lastname":"Bob","n":4}]),
            ),
            ("aggregate(primarycontactid/creditlimit with max as most)", json!([{"most":100}])),
            (
                "filter(numberofemployees ge 2 and primarycontactid/lastname eq @p)/groupby((name))&@p='bob'",
                json!([{"name":"c"}]),
            ),
            (
                "filter(not primarycontactid/account_primary_contact/any(a:a/name eq 'd'))/groupby((name),aggregate($count as n))",
                json!([{"name":"a","n":1},{"name":"b","n":1}]),
            ),
            ("groupby((name))&$top=0", json!([])),
        ];
        for (apply, expected) in cases {
            assert_eq!(applied(&world, apply).await, expected, "{apply}");
        }
        let mut by_contact = applied(&world, "groupby((_primarycontactid_value),aggregate($count as n))").await;
        by_contact.as_array_mut().unwrap().sort_by_key(|row| row["_primarycontactid_value"] != ann.as_str());
        assert_eq!(by_contact, json!([{"_primarycontactid_value":ann,"n":2},{"_primarycontactid_value":bob,"n":2}]));
        let annotated = world
            .ask(
                "GET",
                "accounts?$apply=groupby((statecode,_primarycontactid_value),aggregate(revenue with sum as total))",
                &[("prefer", "odata.include-annotations=\"*\"")],
                "",
            )
            .await
            .expect(200);
        assert_eq!(
            annotated["@odata.context"],
            format!("{ROOT}$metadata#accounts(statecode,_primarycontactid_value,total)")
        );
        let row = annotated["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["_primarycontactid_value"] == ann.as_str())
            .unwrap();
        let formatted = |name: &str| row[format!("{name}@OData.Community.Display.V1.FormattedValue")].clone();
        assert_eq!(formatted("statecode"), "Active");
        assert_eq!(formatted("_primarycontactid_value"), "Ann");
        assert_eq!(formatted("total"), "$30.50");
        // On the collection of one record.
        let target = format!("contacts({ann})/account_primary_contact?$apply=aggregate($count as n)");
        assert_eq!(world.get(&target).await["value"], json!([{"n":2}]));

        for (options, code) in [
            ("$apply=nothing", "0x80060888"),
            ("$apply=groupby((nothing))", "0x0"),
            ("$apply=groupby((createdon))", "0x80060888"),
            ("$apply=aggregate(name with sum as n)", "0x80060888"),
            ("$apply=groupby((name),aggregate($count as n))&$orderby=n", "0x80060888"),
            ("$apply=groupby((name))&$filter=name eq 'a'", "0x80060888"),
            ("$apply=groupby((name))&$count=true", "0x80060888"),
            ("$apply=groupby((name))&$skiptoken=x", "0x80060888"),
        ] {
            world.ask("GET", &format!("accounts?{options}"), &[], "").await.expect_error(400, code);
        }
        let count = world.ask("GET", "accounts/$count?$apply=groupby((name))", &[], "").await;
        count.expect_error(400, "0x80060888");
    }

    pub async fn groups_come_in_pages(mut world: World) {
        for number in 0..7 {
            world.post("accounts", &format!("{{\"name\":\"N{number}\"}}")).await;
        }
        let whole = world.get("accounts?$apply=groupby((name),aggregate($count as n))").await;
        assert!(whole.get("@odata.nextLink").is_none());
        let mut target = "accounts?$apply=groupby((name),aggregate($count as n))".to_owned();
        let mut rows = Vec::new();
        let mut pages = 0;
        loop {
            let page = world.ask("GET", &target, &[("prefer", "odata.maxpagesize=3")], "").await;
            assert_eq!(page.header("preference-applied"), Some("odata.maxpagesize=3"));
            let page = page.expect(200);
            rows.extend(page["value"].as_array().unwrap().clone());
            pages += 1;
            match page["@odata.nextLink"].as_str() {
                Some(link) => target = link.strip_prefix(ROOT).unwrap().to_owned(),
                None => break,
            }
        }
        assert_eq!((pages, &rows), (3, whole["value"].as_array().unwrap()));
        world.limits.aggregate_rows_max = 6;
        let refused = world.ask("GET", "accounts?$apply=groupby((name))", &[], "").await;
        refused.expect_error(400, "0x8004E023");
        let few = "accounts?$apply=filter(name ne 'n0')/aggregate($count as n)";
        assert_eq!(world.get(few).await["value"], json!([{"n":6}]));
    }

    pub async fn only_readable_rows_are_aggregated(world: World) {
        accounts(&world).await;
        let reader = world.user("rita", &["Basic User"]).await;
        let seen = world.send(&reader, "GET", "accounts?$apply=aggregate($count as n)", &[], "").await;
        assert_eq!(seen.expect(200)["value"], json!([{"n":0}]));
        let nobody = world.user("nora", &[]).await;
        world
            .send(&nobody, "GET", "accounts?$apply=aggregate($count as n)", &[], "")
            .await
            .expect_error(403, "0x80042f09");
    }
}
