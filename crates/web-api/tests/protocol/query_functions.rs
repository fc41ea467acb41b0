//! Query functions: each with the rows that it leaves.

use crate::on_both_engines;

on_both_engines! {
    functions_of_dates_leave_the_right_rows;
    functions_of_values_leave_the_right_rows;
    functions_of_people_and_trees_leave_the_right_rows;
    days_begin_where_the_user_is;
    the_last_of_all_days_is_found_to_its_end;
}

mod bodies {
    use serde_json::Value as Json;

    use crate::world::World;

    /// The clock of these worlds stands at 2026-01-02T03:04:05Z, a Friday. Each row is a letter and a moment.
    const TASKS: [(&str, &str); 12] = [
        ("a", "2026-01-02T01:00:00Z"),
        ("b", "2026-01-02T10:00:00Z"),
        ("c", "2026-01-01T12:00:00Z"),
        ("d", "2026-01-03T12:00:00Z"),
        ("e", "2025-12-27T12:00:00Z"),
        ("f", "2026-01-05T12:00:00Z"),
        ("g", "2025-11-15T12:00:00Z"),
        ("h", "2026-02-10T12:00:00Z"),
        ("i", "2024-06-01T12:00:00Z"),
        ("j", "2027-03-01T12:00:00Z"),
        ("k", "2026-05-05T12:00:00Z"),
        ("n", ""),
    ];

    /// A function of a date, what it takes, and the letters of the rows that it leaves.
    const DATES: [(&str, &str, &str); 55] = [
        ("Today", "", "ab"),
        ("Yesterday", "", "c"),
        ("Tomorrow", "", "d"),
        ("Last7Days", "", "ace"),
        ("Next7Days", "", "bdf"),
        ("LastWeek", "", "e"),
        ("ThisWeek", "", "abcd"),
        ("NextWeek", "", "f"),
        ("LastMonth", "", "e"),
        ("ThisMonth", "", "abcdf"),
        ("NextMonth", "", "h"),
        ("LastYear", "", "eg"),
        ("ThisYear", "", "abcdfhk"),
        ("NextYear", "", "j"),
        ("LastFiscalYear", "", "eg"),
        ("ThisFiscalYear", "", "abcdfhk"),
        ("NextFiscalYear", "", "j"),
        ("LastFiscalPeriod", "", "eg"),
        ("ThisFiscalPeriod", "", "abcdfh"),
        ("NextFiscalPeriod", "", "k"),
        ("On", "PropertyValue='2026-01-02'", "ab"),
        ("On", "PropertyValue=2026-01-02", "ab"),
        ("NotOn", "PropertyValue='2026-01-02'", "cdefghijkn"),
        ("OnOrBefore", "PropertyValue='2026-01-01'", "cegi"),
        ("OnOrAfter", "PropertyValue='2026-02-10'", "hjk"),
        ("LastXHours", "PropertyValue=3", "a"),
        ("LastXHours", "PropertyValue=2", "a"),
        ("LastXHours", "PropertyValue=1", ""),
        ("NextXHours", "PropertyValue=7", "b"),
        ("LastXDays", "PropertyValue=1", "ac"),
        ("NextXDays", "PropertyValue=1", "bd"),
        ("LastXWeeks", "PropertyValue=1", "ace"),
        ("NextXWeeks", "PropertyValue='1'", "bdf"),
        ("LastXMonths", "PropertyValue=2", "aceg"),
        ("NextXMonths", "PropertyValue=1", "bdf"),
        ("LastXYears", "PropertyValue=2", "acegi"),
        ("NextXYears", "PropertyValue=2", "bdfhjk"),
        ("LastXFiscalPeriods", "PropertyValue=1", "aceg"),
        ("NextXFiscalPeriods", "PropertyValue=1", "bdfhk"),
        ("LastXFiscalYears", "PropertyValue=1", "aceg"),
        ("NextXFiscalYears", "PropertyValue=1", "bdfhjk"),
        ("OlderThanXMinutes", "PropertyValue=60", "acegi"),
        ("OlderThanXHours", "PropertyValue=2", "cegi"),
        ("OlderThanXDays", "PropertyValue=1", "egi"),
        ("OlderThanXWeeks", "PropertyValue=1", "gi"),
        ("OlderThanXMonths", "PropertyValue=1", "gi"),
        ("OlderThanXYears", "PropertyValue=1", "i"),
        ("InFiscalYear", "PropertyValue=2025", "eg"),
        ("InFiscalPeriod", "PropertyValue=4", "eg"),
        ("InFiscalPeriod", "PropertyValue=2", "ik"),
        ("InFiscalPeriodAndYear", "PropertyValue1=1,PropertyValue2=2026", "abcdfh"),
        ("InOrBeforeFiscalPeriodAndYear", "PropertyValue1=4,PropertyValue2=2025", "egi"),
        ("InOrAfterFiscalPeriodAndYear", "PropertyValue1=2,PropertyValue2=2026", "jk"),
        ("Between", "PropertyValues=['2026-01-01T12:00:00Z','2026-01-02T10:00:00Z']", "abc"),
        ("NotBetween", "PropertyValues=[\"2024-01-01\",\"2026-04-01\"]", "jkn"),
    ];

    fn letters(body: &Json, column: &str) -> String {
        let mut letters: Vec<&str> =
            body["value"].as_array().unwrap().iter().map(|row| row[column].as_str().unwrap()).collect();
        letters.sort_unstable();
        letters.concat()
    }

    fn call(name: &str, property: &str, values: &str) -> String {
        let comma = if values.is_empty() { "" } else { "," };
        format!("Microsoft.Dynamics.CRM.{name}(PropertyName='{property}'{comma}{values})")
    }

    pub async fn functions_of_dates_leave_the_right_rows(world: World) {
        for (letter, moment) in TASKS {
            let end = if moment.is_empty() { "null".to_owned() } else { format!("\"{moment}\"") };
            world.post("tasks", &format!("{{\"subject\":\"{letter}\",\"scheduledend\":{end}}}")).await;
        }
        let everything: String = TASKS.iter().map(|(letter, _)| *letter).collect();
        for (name, values, expected) in DATES {
            let filter = call(name, "scheduledend", values);
            let body = world.get(&format!("tasks?$select=subject&$filter={filter}")).await;
            assert_eq!(letters(&body, "subject"), expected, "{filter}");
            // The complement leaves all the others.
            let body = world.get(&format!("tasks?$select=subject&$filter=not {filter}")).await;
            let others: String = everything.chars().filter(|letter| !expected.contains(*letter)).collect();
            assert_eq!(letters(&body, "subject"), others, "not {filter}");
        }
        for (filter, code) in [
            (call("Today", "subject", ""), "0x80060888"),
            (call("Today", "nothing", ""), "0x0"),
            (call("Nothing", "scheduledend", ""), "0x80060888"),
            (call("LastXDays", "scheduledend", ""), "0x80060888"),
            (call("LastXDays", "scheduledend", "PropertyValue=0"), "0x80060888"),
            (call("LastXDays", "scheduledend", "PropertyValue='x'"), "0x80060888"),
            (call("On", "scheduledend", "PropertyValue='soon'"), "0x80060888"),
        ] {
            let message = world.ask("GET", &format!("tasks?$filter={filter}"), &[], "").await.expect_error(400, code);
            assert!(!message.is_empty(), "{filter}");
        }
    }

    pub async fn functions_of_values_leave_the_right_rows(world: World) {
        for (name, employees, revenue) in
            [("a", "1", "10.5"), ("ab", "5", "20"), ("ba", "9", "30"), ("100%", "1033", "40"), ("é", "null", "null")]
        {
            let body = format!("{{\"name\":\"{name}\",\"numberofemployees\":{employees},\"revenue\":{revenue}}}");
            world.post("accounts", &body).await;
        }
        let cases: [(&str, &str, &str, &[&str]); 19] = [
            ("In", "name", "PropertyValues=['A','ba']", &["a", "ba"]),
            ("In", "numberofemployees", "PropertyValues=[\"1\",\"5\"]", &["a", "ab"]),
            ("In", "numberofemployees", "PropertyValues=@list", &["a", "ba"]),
            ("NotIn", "name", "PropertyValues=['a','ba']", &["100%", "ab", "é"]),
            ("NotIn", "numberofemployees", "PropertyValues=['1']", &["100%", "ab", "ba", "é"]),
            ("Between", "numberofemployees", "PropertyValues=['1','5']", &["a", "ab"]),
            ("NotBetween", "numberofemployees", "PropertyValues=[1,5]", &["100%", "ba", "é"]),
            ("Between", "revenue", "PropertyValues=['10.5','20']", &["a", "ab"]),
            ("Contains", "name", "PropertyValue='B'", &["ab", "ba"]),
            ("BeginsWith", "name", "PropertyValue='a'", &["a", "ab"]),
            ("DoesNotBeginWith", "name", "PropertyValue='a'", &["100%", "ba", "é"]),
            ("EndsWith", "name", "PropertyValue=@text", &["a", "ba"]),
            ("DoesNotEndWith", "name", "PropertyValue='a'", &["100%", "ab", "é"]),
            ("Like", "name", "PropertyValue='_a'", &["ba"]),
            ("Like", "name", "PropertyValue='%[%]'", &["100%"]),
            ("NotLike", "name", "PropertyValue='a%'", &["100%", "ba", "é"]),
            ("Like", "name", "PropertyValue='E'", &["é"]),
            ("EqualUserLanguage", "numberofemployees", "", &["100%"]),
            ("EqualUserLanguage", "@name", "", &["100%"]),
        ];
        for (name, property, values, expected) in cases {
            let filter = call(name, property, values).replace("'@name'", "@name");
            let target = format!(
                "accounts?$select=name&$orderby=name&$filter={filter}&@list=[1,9]&@text='a'&@name='numberofemployees'"
            );
            let body = world.get(&target.replace('%', "%25")).await;
            let mut found: Vec<&str> =
                body["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{filter}");
        }
    }

    pub async fn functions_of_people_and_trees_leave_the_right_rows(world: World) {
        let admin = world.seeded.administrator;
        let unit = world.seeded.unit;
        let manager = world.user("max", &["System Administrator"]).await;
        let report = world.user("rob", &["System Administrator"]).await;
        let body = format!("{{\"parentsystemuserid@odata.bind\":\"/systemusers({})\"}}", manager.user);
        world.ask("PATCH", &format!("systemusers({})", report.user), &[], &body).await.expect(204);
        let team =
            |name: &str| format!("{{\"name\":\"{name}\",\"businessunitid@odata.bind\":\"/businessunits({unit})\"}}");
        let red = world.post("teams", &team("Red")).await;
        let blue = world.post("teams", &team("Blue")).await;
        for (team, member) in [(&red, manager.user), (&blue, report.user)] {
            let body = format!(
                "{{\"Members\":[{{\"systemuserid\":\"{member}\",\"@odata.type\":\"Microsoft.Dynamics.CRM.systemuser\"}}]}}"
            );
            world
                .ask("POST", &format!("teams({team})/Microsoft.Dynamics.CRM.AddMembersTeam"), &[], &body)
                .await
                .expect(204);
        }
        // Contacts, each with a person or a team as what they are about to be found by.
        for (name, set, id) in [
            ("of Ada", "preferredsystemuserid", admin.to_string()),
            ("of Max", "preferredsystemuserid", manager.user.to_string()),
            ("of Rob", "preferredsystemuserid", report.user.to_string()),
        ] {
            let body = format!("{{\"lastname\":\"{name}\",\"{set}@odata.bind\":\"/systemusers({id})\"}}");
            world.post("contacts", &body).await;
        }
        world.post("contacts", r#"{"lastname":"of none"}"#).await;
        let people: [(&str, &[&str]); 4] = [
            ("EqualUserId", &["of Max"]),
            ("NotEqualUserId", &["of Ada", "of Rob", "of none"]),
            ("EqualUserOrUserHierarchy", &["of Max", "of Rob"]),
            ("EqualUserOrUserTeams", &["of Max"]),
        ];
        for (name, expected) in people {
            let filter = call(name, "preferredsystemuserid", "");
            let target = format!("contacts?$select=lastname&$orderby=lastname&$filter={filter}");
            let body = world.send(&manager, "GET", &target, &[], "").await.expect(200);
            let mut found: Vec<&str> =
                body["value"].as_array().unwrap().iter().map(|row| row["lastname"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{filter}");
        }
        let named = |body: &Json, column: &str| -> Vec<String> {
            let rows = body["value"].as_array().unwrap();
            let mut names: Vec<String> = rows.iter().map(|row| row[column].as_str().unwrap().to_owned()).collect();
            names.sort_unstable();
            names
        };
        for (name, property, expected) in
            [("EqualUserTeams", "teamid", &["Red"][..]), ("EqualUserOrUserTeams", "teamid", &["Red"])]
        {
            let filter = format!("{} and isdefault eq false", call(name, property, ""));
            let target = format!("teams?$select=name&$filter={filter}");
            let body = world.send(&manager, "GET", &target, &[], "").await.expect(200);
            assert_eq!(named(&body, "name"), expected, "{filter}");
        }
        for (name, expected) in [("EqualBusinessId", 1), ("NotEqualBusinessId", 0)] {
            let target = format!("businessunits?$select=name&$filter={}", call(name, "businessunitid", ""));
            assert_eq!(world.get(&target).await["value"].as_array().unwrap().len(), expected, "{name}");
        }

        let top = world.post("accounts", r#"{"name":"top"}"#).await;
        let child = |name: &str, of: &str| {
            format!("{{\"name\":\"{name}\",\"parentaccountid@odata.bind\":\"/accounts({of})\"}}")
        };
        let middle = world.post("accounts", &child("middle", &top)).await;
        world.post("accounts", &child("low", &middle)).await;
        world.post("accounts", r#"{"name":"alone"}"#).await;
        let trees: [(&str, &str, &str, &[&str]); 8] = [
            ("Under", "accountid", &middle, &["low"]),
            ("UnderOrEqual", "accountid", &middle, &["low", "middle"]),
            ("NotUnder", "accountid", &middle, &["alone", "middle", "top"]),
            ("Above", "accountid", &middle, &["top"]),
            ("AboveOrEqual", "accountid", &middle, &["middle", "top"]),
            ("Under", "accountid", &top, &["low", "middle"]),
            ("UnderOrEqual", "parentaccountid", &middle, &["low"]),
            ("Under", "parentaccountid", &top, &["low"]),
        ];
        for (name, property, of, expected) in trees {
            let filter = call(name, property, &format!("PropertyValue='{of}'"));
            let body = world.get(&format!("accounts?$select=name&$filter={filter}")).await;
            assert_eq!(named(&body, "name"), expected, "{filter}");
        }
    }

    pub async fn days_begin_where_the_user_is(world: World) {
        // 2026-01-01T22:04:05 in New York: five hours behind.
        let admin = world.seeded.administrator;
        world
            .ask("PATCH", &format!("usersettingscollection({admin})"), &[], r#"{"timezonecode":35}"#)
            .await
            .expect(204);
        for (letter, moment) in [
            ("a", "2026-01-01T04:59:59Z"),
            ("b", "2026-01-01T05:00:00Z"),
            ("c", "2026-01-02T04:59:59Z"),
            ("d", "2026-01-02T05:00:00Z"),
        ] {
            world.post("tasks", &format!("{{\"subject\":\"{letter}\",\"scheduledend\":\"{moment}\"}}")).await;
        }
        for (name, values, expected) in [
            ("Today", "", "bc"),
            ("Yesterday", "", "a"),
            ("Tomorrow", "", "d"),
            ("On", "PropertyValue='2026-01-01'", "bc"),
            ("OnOrBefore", "PropertyValue='2026-01-01'", "abc"),
            ("LastYear", "", "a"),
            ("InFiscalPeriod", "PropertyValue=4", "a"),
        ] {
            let filter = call(name, "scheduledend", values);
            let body = world.get(&format!("tasks?$select=subject&$filter={filter}")).await;
            assert_eq!(letters(&body, "subject"), expected, "{filter}");
        }
    }
    pub async fn the_last_of_all_days_is_found_to_its_end(world: World) {
        for (letter, moment) in [
            ("a", "9999-12-30T14:59:59Z"),
            ("b", "9999-12-30T15:00:00Z"),
            ("c", "9999-12-31T05:00:00Z"),
            ("d", "9999-12-31T20:00:00Z"),
            ("e", "9999-12-31T23:59:59Z"),
        ] {
            world.post("tasks", &format!("{{\"subject\":\"{letter}\",\"scheduledend\":\"{moment}\"}}")).await;
        }
        for (letter, day) in [("a", "9999-12-30"), ("b", "9999-12-31")] {
            world.post("contacts", &format!("{{\"lastname\":\"{letter}\",\"birthdate\":\"{day}\"}}")).await;
        }
        let found = async |set: &str, name: &str, filter: &str| {
            let body = world.get(&format!("{set}?$select={name}&$filter={filter}")).await;
            letters(&body, name)
        };
        let admin = world.seeded.administrator;
        let last = "PropertyValue='9999-12-31'";
        // UTC, Tokyo, New York.
        for (zone, on, before) in [(92, "cde", "ab"), (235, "bcde", "a"), (35, "cde", "ab")] {
            let settings = format!("usersettingscollection({admin})");
            world.ask("PATCH", &settings, &[], &format!("{{\"timezonecode\":{zone}}}")).await.expect(204);
            for (name, values, expected) in [
                ("On", last, on),
                ("NotOn", last, before),
                ("OnOrBefore", last, "abcde"),
                ("OnOrAfter", last, on),
                ("InFiscalYear", "PropertyValue=9999", "abcde"),
                ("NextXYears", "PropertyValue=8000", "abcde"),
            ] {
                assert_eq!(
                    found("tasks", "subject", &call(name, "scheduledend", values)).await,
                    expected,
                    "{zone} {name}"
                );
            }
            for (name, values, expected) in [
                ("On", last, "b"),
                ("NotOn", last, "a"),
                ("OnOrBefore", last, "ab"),
                ("OnOrAfter", last, "b"),
                ("InFiscalYear", "PropertyValue=9999", "ab"),
                ("NextXYears", "PropertyValue=8000", "ab"),
            ] {
                assert_eq!(
                    found("contacts", "lastname", &call(name, "birthdate", values)).await,
                    expected,
                    "{zone} {name}"
                );
            }
        }
        let xml = "%3Cfetch%3E%3Centity name='contact'%3E%3Cattribute name='lastname'/%3E%3Cfilter%3E\
                   %3Ccondition attribute='birthdate' operator='on' value='9999-12-31'/%3E%3C/filter%3E%3C/entity%3E%3C/fetch%3E";
        let body = world.get(&format!("contacts?fetchXml={}", xml.replace(' ', "%20"))).await;
        assert_eq!(letters(&body, "lastname"), "b");
    }
}
