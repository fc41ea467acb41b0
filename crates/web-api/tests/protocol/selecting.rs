//! `?sql=`: one selection in SQL.

use crate::on_both_engines;

on_both_engines! {
    selections_are_answered;
    selections_come_in_pages;
    only_readable_rows_are_selected;
}

mod bodies {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    fn target(set: &str, sql: &str) -> String {
        format!("{set}?sql={}", utf8_percent_encode(sql, NON_ALPHANUMERIC))
    }

    async fn rows(world: &World, sql: &str) -> Json {
        let mut body = world.get(&target("accounts", sql)).await;
        for row in body["value"].as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            row.retain(|name, _| name != "accountid" && !name.starts_with('@'));
        }
        body["value"].take()
    }

    async fn accounts(world: &World) -> String {
        let ann = world.post("contacts", r#"{"lastname":"Ann"}"#).await;
        for (name, city, employees, contact) in [
            ("a", "\"Paris\"", "1", Some(&ann)),
            ("b", "\"Paris\"", "2", Some(&ann)),
            ("c", "\"Rome\"", "4", None),
            ("d", "null", "null", None),
        ] {
            let contact =
                contact.map_or_else(String::new, |id| format!(",\"primarycontactid@odata.bind\":\"/contacts({id})\""));
            let body =
                format!("{{\"name\":\"{name}\",\"address1_city\":{city},\"numberofemployees\":{employees}{contact}}}");
            world.post("accounts", &body).await;
        }
        ann
    }

    pub async fn selections_are_answered(world: World) {
        let ann = accounts(&world).await;
        let cases = [
            ("SELECT name FROM account ORDER BY name", json!([{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"}])),
            ("SELECT TOP 2 name AS n FROM account ORDER BY name DESC", json!([{"n":"d"},{"n":"c"}])),
            ("SELECT name FROM account WHERE numberofemployees >= 2 ORDER BY name", json!([{"name":"b"},{"name":"c"}])),
            // What is missing differs from nothing.
            ("SELECT name FROM account WHERE address1_city <> 'paris'", json!([{"name":"c"}])),
            ("SELECT name FROM account WHERE numberofemployees NOT IN (1, 2)", json!([{"name":"c"}])),
            ("SELECT name FROM account WHERE numberofemployees IS NULL", json!([{"name":"d"}])),
            (
                "SELECT name FROM account WHERE name LIKE '[ab]' AND numberofemployees BETWEEN 2 AND 9",
                json!([{"name":"b"}]),
            ),
            (
                "SELECT name FROM account WHERE name = 'a' OR (name = 'b' AND numberofemployees = 9)",
                json!([{"name":"a"}]),
            ),
            ("SELECT name FROM account WHERE createdon >= '2026-01-02' AND name IN ('a')", json!([{"name":"a"}])),
            (
                "SELECT DISTINCT address1_city FROM account ORDER BY address1_city DESC",
                json!([{"address1_city":"Rome"},{"address1_city":"Paris"},{"address1_city":null}]),
            ),
            (
                "SELECT a.name, c.lastname FROM account a INNER JOIN contact c ON a.primarycontactid = c.contactid ORDER BY a.name DESC",
                json!([{"name":"b","c.lastname":"Ann"},{"name":"a","c.lastname":"Ann"}]),
            ),
            (
                "SELECT a.name, c.lastname AS person FROM account a LEFT JOIN contact c ON a.primarycontactid = c.contactid WHERE a.numberofemployees > 1 ORDER BY person, name",
                json!([{"name":"c","person":null},{"name":"b","person":"Ann"}]),
            ),
            (
                "SELECT COUNT(*) AS n, SUM(numberofemployees) AS s, AVG(numberofemployees) AS m FROM account",
                json!([{"n":4,"s":7,"m":2}]),
            ),
            (
                "SELECT address1_city, COUNT(*) AS n FROM account WHERE address1_city IS NOT NULL GROUP BY address1_city ORDER BY n DESC",
                json!([{"address1_city":"Paris","n":2},{"address1_city":"Rome","n":1}]),
            ),
            (
                "SELECT TOP 1 name, COUNT(*) AS n FROM account GROUP BY name ORDER BY name DESC",
                json!([{"name":"d","n":1}]),
            ),
            ("SELECT TOP 0 name FROM account", json!([])),
        ];
        for (sql, expected) in cases {
            assert_eq!(rows(&world, sql).await, expected, "{sql}");
        }
        let one = world.get(&target("accounts", "SELECT primarycontactid FROM account WHERE name = 'a'")).await;
        assert_eq!(one["value"][0]["_primarycontactid_value"], ann);
        assert!(one["value"][0]["accountid"].is_string());
        assert_eq!(one["@odata.context"], format!("{ROOT}$metadata#accounts(_primarycontactid_value,accountid)"));

        for (set, sql, code) in [
            ("contacts", "SELECT name FROM account", "0x80060888"),
            ("accounts", "SELECT nothing FROM account", "0x0"),
            ("accounts", "SELECT * FROM account", "0x80060888"),
            ("accounts", "DELETE FROM account", "0x80060888"),
            ("accounts", "SELECT name FROM account; DROP TABLE account", "0x80060888"),
            ("accounts", "SELECT name FROM account UNION SELECT name FROM account", "0x80060888"),
            ("accounts", "SELECT name FROM pg_class", "0x80060888"),
            ("accounts", "", "0x80060888"),
        ] {
            world.ask("GET", &target(set, sql), &[], "").await.expect_error(400, code);
        }
        let beside = format!("{}&$top=1", target("accounts", "SELECT name FROM account"));
        world.ask("GET", &beside, &[], "").await.expect_error(400, "0x80060888");
    }

    pub async fn selections_come_in_pages(mut world: World) {
        for number in 0..7 {
            world.post("accounts", &format!("{{\"name\":\"N{number}\"}}")).await;
        }
        let size = [("prefer", "odata.maxpagesize=3")];
        for (sql, pages, expected) in [
            ("SELECT name FROM account ORDER BY name", 3, 7),
            ("SELECT TOP 5 name FROM account ORDER BY name", 2, 5),
            ("SELECT TOP 3 name FROM account ORDER BY name", 1, 3),
            ("SELECT DISTINCT name FROM account", 3, 7),
            ("SELECT name FROM account GROUP BY name", 3, 7),
            ("SELECT TOP 4 name FROM account GROUP BY name", 2, 4),
        ] {
            let mut next = target("accounts", sql);
            let mut names = Vec::new();
            let mut seen = 0;
            loop {
                let body = world.ask("GET", &next, &size, "").await.expect(200);
                names.extend(
                    body["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()),
                );
                seen += 1;
                match body["@odata.nextLink"].as_str() {
                    Some(link) => next = link.strip_prefix(ROOT).unwrap().to_owned(),
                    None => break,
                }
            }
            let all: Vec<String> = (0..expected).map(|number| format!("N{number}")).collect();
            assert_eq!((seen, names), (pages, all), "{sql}");
        }
        let sql = target("accounts", "SELECT name FROM account");
        world.ask("GET", &format!("{sql}&$skiptoken=x"), &[], "").await.expect_error(400, "0x80060888");
        world.limits.skip_max = 3;
        let next = |page: &Json| page["@odata.nextLink"].as_str().unwrap().strip_prefix(ROOT).unwrap().to_owned();
        let second = next(&world.ask("GET", &sql, &size, "").await.expect(200));
        let third = next(&world.ask("GET", &second, &size, "").await.expect(200));
        let message = world.ask("GET", &third, &size, "").await.expect_error(400, "0x80060888");
        assert!(message.contains("skip_max"), "{message}");
    }

    pub async fn only_readable_rows_are_selected(world: World) {
        accounts(&world).await;
        let reader = world.user("rita", &["Basic User"]).await;
        for (sql, expected) in
            [("SELECT name FROM account", json!([])), ("SELECT COUNT(*) AS n FROM account", json!([{"n":0}]))]
        {
            let seen = world.send(&reader, "GET", &target("accounts", sql), &[], "").await.expect(200);
            assert_eq!(seen["value"], expected, "{sql}");
        }
        let joined = "SELECT u.fullname FROM systemuser u JOIN account a ON a.ownerid = u.systemuserid";
        let seen = world.send(&reader, "GET", &target("systemusers", joined), &[], "").await.expect(200);
        assert_eq!(seen["value"], json!([]));
        let nobody = world.user("nora", &[]).await;
        let refused = world.send(&nobody, "GET", &target("accounts", "SELECT name FROM account"), &[], "").await;
        refused.expect_error(403, "0x80042f09");
    }
}
