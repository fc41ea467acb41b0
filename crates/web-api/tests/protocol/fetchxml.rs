//! FetchXML: each operator, link type and aggregate, pages and refusals. Cases are written from the language's description.

use crate::on_both_engines;

on_both_engines! {
    dates_are_those_of_the_callers_clock;
    conditions_are_joined;
    rows_are_linked;
    as_many_wide_tables_are_linked_as_may_be;
    answers_show_what_is_asked_for;
    every_collection_can_be_asked;
    rows_are_ordered_as_people_read_them;
    groups_are_aggregated;
    pages_joined_are_the_list;
    stored_views_are_run;
    stored_views_go_on_by_links;
    senseless_queries_are_refused;
    what_a_caller_may_not_read_is_not_there;
}

mod bodies {
    use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
    use serde_json::{Value as Json, json};

    use crate::catalogue::data::{Records, records, tasks};
    use crate::world::{Answer, ROOT, World};

    const ANNOTATIONS: (&str, &str) = ("prefer", "odata.include-annotations=\"*\"");

    fn target(set: &str, xml: &str) -> String {
        format!("{set}?fetchXml={}", utf8_percent_encode(xml, NON_ALPHANUMERIC))
    }

    async fn ask(world: &World, set: &str, xml: &str) -> Answer {
        world.ask("GET", &target(set, xml), &[], "").await
    }

    #[track_caller]
    fn rows(answer: &Answer) -> Vec<Json> {
        answer.expect(200)["value"].as_array().unwrap().clone()
    }

    /// A number with just these digits.
    fn number(digits: &str) -> Json {
        serde_json::from_str(digits).unwrap()
    }

    /// The values of each row under these names, joined: `-` where there is none.
    fn shown(rows: &[Json], names: &[&str]) -> Vec<String> {
        let text = |value: &Json| match value {
            Json::Null => "-".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        rows.iter().map(|row| names.iter().map(|name| text(&row[*name])).collect::<Vec<_>>().join(" ")).collect()
    }

    /// Letters of the tasks that a condition on the time they are due finds.
    async fn due(world: &World, operator: &str, values: &[&str]) -> String {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        let xml = format!(
            "<fetch><entity name='task'><attribute name='subject' alias='s'/><order attribute='subject'/>\
             <filter><condition attribute='scheduledend' operator='{operator}'>{values}</condition></filter>\
             </entity></fetch>"
        );
        shown(&rows(&ask(world, "tasks", &xml).await), &["s"]).concat()
    }

    pub async fn dates_are_those_of_the_callers_clock(world: World) {
        tasks(&world).await;
        // Five hours behind UTC it is still the evening of New Year's Day.
        let settings = format!("usersettingscollection({})", world.seeded.administrator);
        world.ask("PATCH", &settings, &[], "{\"timezonecode\":35}").await.expect(204);
        for (operator, values, expected) in [
            ("today", &[][..], "gh"),
            ("tomorrow", &[], "i"),
            ("yesterday", &[], "f"),
            ("on", &["2026-01-01"], "gh"),
            ("eq", &["2026-01-02T00:00:00"], "i"),
            ("this-month", &[], "ghijk"),
            ("in-fiscal-period", &["1"], "bghijkl"),
        ] {
            assert_eq!(due(&world, operator, values).await, expected, "{operator} {values:?}");
        }
    }

    /// Letters of the accounts that a filter finds.
    async fn accounts(world: &World, inner: &str) -> String {
        let xml = format!(
            "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>\
             <order attribute='accountnumber'/>{inner}</entity></fetch>"
        );
        shown(&rows(&ask(world, "accounts", &xml).await), &["n"]).concat()
    }

    pub async fn conditions_are_joined(world: World) {
        records(&world).await;
        let joined: [(&str, &str); 8] = [
            ("<filter/>", "ACEF"),
            ("<filter type='or'/>", "ACEF"),
            (
                "<filter type='or'><condition attribute='accountnumber' operator='eq' value='A'/>\
                 <filter><condition attribute='accountnumber' operator='eq' value='E'/>\
                 <condition attribute='numberofemployees' operator='gt' value='20'/></filter></filter>",
                "AE",
            ),
            (
                "<filter><condition attribute='accountnumber' operator='ne' value='A'/></filter>\
                 <filter><condition attribute='accountnumber' operator='ne' value='E'/></filter>",
                "CF",
            ),
            ("<filter><condition attribute='address1_city' operator='eq' valueof='fax'/></filter>", "A"),
            // Where one alone has no value they differ; where none has they do not.
            ("<filter><condition attribute='address1_city' operator='ne' valueof='fax'/></filter>", "CE"),
            ("<filter><condition attribute='address1_city' operator='gt' valueof='fax'/></filter>", "C"),
            (
                "<filter><condition attribute='name' operator='eq' valueof='p.name'/></filter>\
                 <link-entity name='account' from='accountid' to='accountid' alias='p'/>",
                "ACEF",
            ),
        ];
        for (inner, expected) in joined {
            assert_eq!(accounts(&world, inner).await, expected, "{inner}");
        }
    }

    pub async fn rows_are_linked(world: World) {
        records(&world).await;
        let ann = "<filter><condition attribute='lastname' operator='eq' value='Ann'/></filter>";
        let contacts = |kind: &str, inner: &str| {
            format!(
                "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='p' link-type='{kind}'>\
                 {inner}</link-entity>"
            )
        };
        let show = "<attribute name='lastname'/><order attribute='lastname'/>";
        let either = |test: &str| {
            format!("<filter type='or'><condition attribute='accountnumber' operator='eq' value='F'/>{test}</filter>")
        };
        // Of the branch below an outer link only as much is there as has all of its inner links.
        let nested = contacts(
            "outer",
            "<attribute name='lastname'/><link-entity name='account' from='primarycontactid' to='contactid' alias='q'>\
             <attribute name='name'/></link-entity>",
        );
        let cases: Vec<(&str, String, &[&str])> = vec![
            ("an inner link below an outer one", nested, &["A Cid", "C Ann", "E -", "F -"]),
            ("exists", contacts("exists", ""), &["A -", "C -"]),
            ("or any", either(&contacts("any", ann)), &["C -", "F -"]),
            (
                "a condition on a linked row",
                format!(
                    "{}<filter><condition entityname='p' attribute='lastname' operator='eq' value='Bob'/></filter>",
                    contacts("inner", show)
                ),
                &["C Bob"],
            ),
            (
                "two links",
                "<link-entity name='account' from='accountid' to='parentaccountid' alias='up'><link-entity name='account' \
                 from='accountid' to='parentaccountid' alias='p'><attribute name='accountnumber' alias='l'/></link-entity>\
                 </link-entity>"
                    .to_owned(),
                &["F -"],
            ),
            (
                "along a lookup",
                "<link-entity name='contact' from='contactid' to='primarycontactid' alias='p'>\
                 <attribute name='lastname'/></link-entity>"
                    .to_owned(),
                &["A Cid", "C Ann"],
            ),
        ];
        for (what, inner, expected) in cases {
            let xml = format!(
                "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>\
                 <order attribute='accountnumber'/>{inner}</entity></fetch>"
            );
            let found = ask(&world, "accounts", &xml).await;
            assert_eq!(shown(&rows(&found), &["n", "p.lastname"]), expected, "{what}");
        }
        // Many on both sides: through the table between.
        let members = "<fetch><entity name='systemuser'><attribute name='fullname' alias='u'/>\
             <link-entity name='systemuserroles' from='systemuserid' to='systemuserid' intersect='true'>\
             <link-entity name='role' from='roleid' to='roleid' alias='r'><attribute name='name' alias='role'/>\
             </link-entity></link-entity></entity></fetch>";
        let found = ask(&world, "systemusers", members).await;
        assert_eq!(shown(&rows(&found), &["u", "role"]), ["Ada Admin System Administrator"]);
    }

    /// An outer link with inner ones within it is one table to SQLite, of all their columns.
    pub async fn as_many_wide_tables_are_linked_as_may_be(world: World) {
        let Records { contoso, .. } = records(&world).await;
        let ends = [
            "<link-entity name='contact' from='contactid' to='primarycontactid'",
            "<link-entity name='account' from='accountid' to='parentcustomerid'",
        ];
        let begins: String = (0..15)
            .map(|at| format!("{} link-type='{}'>", ends[at % 2], if at == 0 { "outer" } else { "inner" }))
            .collect();
        let xml = format!(
            "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/><filter><condition \
             attribute='accountid' operator='eq' value='{contoso}'/></filter>{begins}{}</entity></fetch>",
            "</link-entity>".repeat(15)
        );
        let found = ask(&world, "accounts", &xml).await;
        assert_eq!(shown(&rows(&found), &["n"]), ["C"]);
    }

    pub async fn answers_show_what_is_asked_for(world: World) {
        let Records { contoso, .. } = records(&world).await;
        let only = "<filter><condition attribute='accountnumber' operator='eq' value='C'/></filter>";
        let contact = "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='p'>\
             <attribute name='lastname'/><attribute name='fax'/><attribute name='parentcustomerid'/>\
             <attribute name='birthdate' alias='born'/></link-entity>";
        let xml = format!(
            "<fetch><entity name='account'><attribute name='name'/><attribute name='primarycontactid'/>\
             <attribute name='address2_city'/><attribute name='revenue' alias='money'/>\
             <attribute name='accountid' alias='below' rowaggregate='CountChildren'/>{only}{contact}</entity></fetch>"
        );
        let answer = world.ask("GET", &target("accounts", &xml), &[ANNOTATIONS], "").await;
        let body = answer.expect(200);
        assert_eq!(answer.header("preference-applied"), Some("odata.include-annotations=\"*\""));
        assert_eq!(body["@Microsoft.Dynamics.CRM.morerecords"], json!(false));
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcount"], json!(-1));
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"], json!(false));
        assert_eq!(body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"], Json::Null);
        assert!(body["@odata.context"].as_str().unwrap().starts_with(&format!("{ROOT}$metadata#accounts(name,")));
        let row = &body["value"][0];
        assert_eq!(row["accountid"], json!(contoso));
        assert!(row["@odata.etag"].as_str().unwrap().starts_with("W/\""));
        assert_eq!((&row["name"], &row["money"], &row["below"]), (&json!("Contoso"), &number("1000.0000"), &json!(1)));
        assert_eq!(row["money@OData.Community.Display.V1.FormattedValue"], "$1,000.00");
        assert_eq!(row["_primarycontactid_value@OData.Community.Display.V1.FormattedValue"], "Ann");
        assert_eq!(row["_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "contact");
        // A column of the table asked is there without a value too; one of a linked table is not.
        assert!(row.as_object().unwrap().contains_key("address2_city") && row["address2_city"].is_null());
        assert!(!row.as_object().unwrap().contains_key("p.fax"));
        assert_eq!((&row["p.lastname"], &row["born"]), (&json!("Ann"), &json!("1980-02-29")));
        assert_eq!(row["p.parentcustomerid"], json!(contoso));
        assert_eq!(row["p.parentcustomerid@OData.Community.Display.V1.FormattedValue"], "Contoso");
        assert_eq!(row["p.parentcustomerid@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
        assert_eq!(row["born@OData.Community.Display.V1.FormattedValue"], "2/29/1980");

        // Everything, only the key, and a link without an alias.
        let all = format!("<fetch><entity name='account'>{only}</entity></fetch>");
        let row = rows(&ask(&world, "accounts", &all).await)[0].clone();
        assert_eq!((&row["name"], &row["_parentaccountid_value"]), (&json!("Contoso"), &Json::Null));
        assert!(row.as_object().unwrap().len() > 100);
        let none = format!("<fetch><entity name='account'><no-attrs/>{only}</entity></fetch>");
        let row = rows(&ask(&world, "accounts", &none).await)[0].clone();
        let names: Vec<&String> = row.as_object().unwrap().keys().filter(|name| !name.starts_with('@')).collect();
        assert_eq!(names, ["accountid"]);
        let unnamed = format!(
            "<fetch><entity name='account'><attribute name='name'/>{only}<link-entity name='contact' from='contactid' \
             to='primarycontactid'><all-attributes/></link-entity></entity></fetch>"
        );
        let row = rows(&ask(&world, "accounts", &unnamed).await)[0].clone();
        assert_eq!(row["contact1.lastname"], "Ann", "{row}");

        let counted = "<fetch count='1' returntotalrecordcount='true'><entity name='account'/></fetch>";
        let body = world.ask("GET", &target("accounts", counted), &[ANNOTATIONS], "").await.expect(200);
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcount"], json!(4));
        assert_eq!(body["@odata.count"], Json::Null);
        let top = "<fetch top='2'><entity name='account'><attribute name='accountnumber' alias='n'/>\
             <order attribute='name' descending='true'/></entity></fetch>";
        let body = world.ask("GET", &target("accounts", top), &[ANNOTATIONS], "").await.expect(200);
        assert_eq!(shown(body["value"].as_array().unwrap(), &["n"]), ["F", "E"]);
        assert_eq!(body["@Microsoft.Dynamics.CRM.morerecords"], json!(false), "no more than these were asked for");

        let distinct = "<fetch distinct='true'><entity name='account'><attribute name='address1_city'/>\
             <order attribute='address1_city'/></entity></fetch>";
        let found = rows(&ask(&world, "accounts", distinct).await);
        assert_eq!(
            found,
            [json!({"address1_city": null}), json!({"address1_city": "Paris"}), json!({"address1_city": "Rome"})]
        );
        let joined = "<fetch distinct='true'><entity name='account'><attribute name='accountnumber'/>\
             <link-entity name='contact' from='parentcustomerid' to='accountid'/></entity></fetch>";
        assert_eq!(shown(&rows(&ask(&world, "accounts", joined).await), &["accountnumber"]), ["A", "C"]);
        let archived = "<fetch datasource='retained'><entity name='account'/></fetch>";
        assert!(rows(&ask(&world, "accounts", archived).await).is_empty(), "nothing is archived");
    }

    pub async fn every_collection_can_be_asked(world: World) {
        let Records { contoso, .. } = records(&world).await;
        let xml =
            "<fetch><entity name='contact'><attribute name='lastname'/><order attribute='lastname'/></entity></fetch>";
        let below = format!("accounts({contoso})/contact_customer_accounts");
        assert_eq!(shown(&rows(&ask(&world, &below, xml).await), &["lastname"]), ["Ann", "Bob"]);
        let counted = "<fetch aggregate='true'><entity name='contact'><attribute name='lastname' alias='n' \
             aggregate='count'/></entity></fetch>";
        assert_eq!(shown(&rows(&ask(&world, &below, counted).await), &["n"]), ["2"]);
        let batch = format!(
            "--b\nContent-Type: application/http\n\nGET {ROOT}{} HTTP/1.1\n\n\n--b--\n",
            target("contacts", xml)
        );
        let headers = [("content-type", "multipart/mixed;boundary=b")];
        let answer = world.ask("POST", "$batch", &headers, &batch).await;
        assert!(answer.status == 200 && answer.text().contains("\"lastname\":\"Dan\""), "{}", answer.text());
    }

    pub async fn rows_are_ordered_as_people_read_them(world: World) {
        records(&world).await;
        let link = "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='p'>\
             <order attribute='lastname' descending='true'/></link-entity>";
        let cases: [(&str, &str, &str, &str); 7] = [
            ("text", "", "<order attribute='name'/>", "ACEF"),
            ("nulls first", "", "<order attribute='numberofemployees'/><order attribute='name'/>", "FACE"),
            (
                "nulls last",
                "",
                "<order attribute='numberofemployees' descending='true'/><order attribute='name' descending='true'/>",
                "ECAF",
            ),
            // Accounting is 1, Agriculture 2: by label they come in that order too, so descending is asked.
            (
                "labels",
                "",
                "<order attribute='industrycode' descending='true'/><order attribute='accountnumber'/>",
                "ECAF",
            ),
            ("names", "", "<order attribute='parentaccountid'/><order attribute='accountnumber'/>", "ACEF"),
            (
                "a linked column from the entity",
                "",
                "<order entityname='p' attribute='lastname'/><order attribute='accountnumber'/>",
                "EFCAx",
            ),
            (
                "values",
                " useraworderby='true'",
                "<order attribute='industrycode' descending='true'/><order attribute='accountnumber'/>",
                "ECAF",
            ),
        ];
        for (what, fetch, orders, expected) in cases {
            let (link, expected) = match expected.strip_suffix('x') {
                Some(expected) => (link.replace("<order attribute='lastname' descending='true'/>", ""), expected),
                None => (String::new(), expected),
            };
            let xml = format!(
                "<fetch{fetch}><entity name='account'><attribute name='accountnumber' alias='n'/>{orders}{link}</entity></fetch>"
            );
            assert_eq!(shown(&rows(&ask(&world, "accounts", &xml).await), &["n"]).concat(), expected, "{what}");
        }
        let below =
            format!("<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>{link}</entity></fetch>");
        let found = shown(&rows(&ask(&world, "accounts", &below).await), &["n"]).concat();
        assert!(found.starts_with("AC"), "{found}: of the root in its order first, then of the link");
        // No is before Yes by label and by value; Boolean columns of the standard tables have no other labels.
        let booleans = "<fetch><entity name='account'><attribute name='accountnumber' alias='n'/>\
             <order attribute='creditonhold' descending='true'/><order attribute='accountnumber'/></entity></fetch>";
        assert!(shown(&rows(&ask(&world, "accounts", booleans).await), &["n"]).concat().starts_with('C'));
    }

    pub async fn groups_are_aggregated(world: World) {
        records(&world).await;
        tasks(&world).await;
        let aggregate =
            |inner: &str| format!("<fetch aggregate='true'><entity name='account'>{inner}</entity></fetch>");
        let measures = "<attribute name='accountid' alias='rows' aggregate='count'/>\
             <attribute name='numberofemployees' alias='values' aggregate='countcolumn'/>\
             <attribute name='numberofemployees' alias='different' aggregate='countcolumn' distinct='true'/>\
             <attribute name='numberofemployees' alias='sum' aggregate='sum'/>\
             <attribute name='numberofemployees' alias='mean' aggregate='avg'/>\
             <attribute name='numberofemployees' alias='least' aggregate='min'/>\
             <attribute name='numberofemployees' alias='greatest' aggregate='max'/>\
             <attribute name='revenue' alias='money' aggregate='sum'/>\
             <attribute name='revenue' alias='middle' aggregate='avg'/>";
        let all = rows(&ask(&world, "accounts", &aggregate(measures)).await);
        assert_eq!(
            all,
            [json!({"rows": 4, "values": 3, "different": 2, "sum": 45, "mean": 15, "least": 10, "greatest": 25,
                "money": number("1500.0000"), "middle": number("750.0000")})]
        );
        let nobody = "<filter><condition attribute='name' operator='eq' value='nobody'/></filter>";
        let none = rows(&ask(&world, "accounts", &aggregate(&format!("{measures}{nobody}"))).await);
        assert_eq!(none, [json!({"rows": 0, "values": 0, "different": 0})]);
        let by_city = "<attribute name='address1_city' alias='city' groupby='true'/>\
             <attribute name='accountid' alias='rows' aggregate='count'/>";
        let none = rows(&ask(&world, "accounts", &aggregate(&format!("{by_city}{nobody}"))).await);
        assert!(none.is_empty());
        let cases: Vec<(&str, String, &[&str], &[&str])> = vec![
            ("text", format!("{by_city}<order alias='city'/>"), &["city", "rows"], &["- 1", "Paris 2", "Rome 1"]),
            (
                "by a measure",
                format!("{by_city}<order alias='rows' descending='true'/><order alias='city' descending='true'/>"),
                &["city", "rows"],
                &["Paris 2", "Rome 1", "- 1"],
            ),
            (
                "a linked column",
                "<attribute name='accountid' alias='rows' aggregate='count'/><link-entity name='contact' \
                 from='parentcustomerid' to='accountid'><attribute name='lastname' alias='who' groupby='true'/>\
                 </link-entity>"
                    .to_owned(),
                &["who", "rows"],
                &["Ann 1", "Bob 1", "Cid 1"],
            ),
        ];
        for (what, inner, names, expected) in cases {
            assert_eq!(shown(&rows(&ask(&world, "accounts", &aggregate(&inner)).await), names), expected, "{what}");
        }
        let paged =
            format!("<fetch aggregate='true' count='2' page='2'><entity name='account'>{by_city}</entity></fetch>");
        let body = world.ask("GET", &target("accounts", &paged), &[ANNOTATIONS], "").await.expect(200);
        assert_eq!(shown(body["value"].as_array().unwrap(), &["city"]), ["Rome"]);
        assert_eq!(body["@Microsoft.Dynamics.CRM.morerecords"], json!(false));
        let first = paged.replace("page='2'", "page='1'");
        let body = world.ask("GET", &target("accounts", &first), &[ANNOTATIONS], "").await.expect(200);
        assert_eq!(body["@Microsoft.Dynamics.CRM.morerecords"], json!(true));
        assert_eq!(body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"], Json::Null);

        let formatted = aggregate(
            "<attribute name='primarycontactid' alias='who' groupby='true'/><attribute name='industrycode' alias='trade' \
             groupby='true'/><attribute name='revenue' alias='money' aggregate='max'/><order alias='money' descending='true'/>",
        );
        let body = world.ask("GET", &target("accounts", &formatted), &[ANNOTATIONS], "").await.expect(200);
        let row = &body["value"][0];
        assert_eq!(row["who@OData.Community.Display.V1.FormattedValue"], "Ann", "{row}");
        assert_eq!(row["who@Microsoft.Dynamics.CRM.lookuplogicalname"], "contact");
        assert_eq!(row["trade@OData.Community.Display.V1.FormattedValue"], "Accounting");
        assert_eq!(row["money@OData.Community.Display.V1.FormattedValue"], "$1,000.00");

        let parts: [(&str, &[&str]); 7] = [
            ("day", &["- 1", "1 2", "2 2", "3 1", "8 1", "10 3", "15 1", "20 2", "27 1", "31 1"]),
            ("week", &["- 1", "1 4", "2 1", "7 1", "11 1", "20 1", "23 1", "24 1", "47 1", "51 1", "52 1", "53 1"]),
            ("month", &["- 1", "1 5", "2 1", "3 1", "5 1", "6 2", "11 1", "12 3"]),
            ("quarter", &["- 1", "1 7", "2 3", "4 4"]),
            ("year", &["- 1", "2024 1", "2025 5", "2026 7", "2027 1"]),
            ("fiscal-period", &["- 1", "1 7", "2 3", "4 4"]),
            ("fiscal-year", &["- 1", "2024 1", "2025 5", "2026 7", "2027 1"]),
        ];
        for (part, expected) in parts {
            let xml = format!(
                "<fetch aggregate='true'><entity name='task'><attribute name='scheduledend' alias='part' groupby='true' \
                 dategrouping='{part}'/><attribute name='activityid' alias='rows' aggregate='count'/></entity></fetch>"
            );
            let body = world.ask("GET", &target("tasks", &xml), &[ANNOTATIONS], "").await.expect(200);
            let found = body["value"].as_array().unwrap();
            assert_eq!(shown(found, &["part", "rows"]), expected, "{part}");
            let shown_as = &found[1]["part@OData.Community.Display.V1.FormattedValue"];
            match part {
                "fiscal-period" => assert_eq!(shown_as, "Quarter 1"),
                "fiscal-year" => assert_eq!(shown_as, "FY2024"),
                _ => assert_eq!(shown_as, &json!(found[1]["part"].to_string())),
            }
        }
        let too_many = "<fetch aggregate='true' aggregatelimit='3'><entity name='account'><attribute name='name' alias='n' \
             aggregate='count'/></entity></fetch>";
        let message = ask(&world, "accounts", too_many).await.expect_error(400, "0x8004E023");
        assert!(message.contains('3'), "{message}");
        let enough = too_many.replace("'3'", "'4'");
        assert_eq!(shown(&rows(&ask(&world, "accounts", &enough).await), &["n"]), ["4"]);
    }

    /// The inner cookie of a page.
    fn inner(body: &Json) -> Option<String> {
        let cookie = body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str()?;
        let twice = cookie.split("pagingcookie=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(
            cookie.starts_with("<cookie pagenumber=\"") && cookie.ends_with(" istracking=\"False\" />"),
            "{cookie}"
        );
        let once = percent_decode_str(twice).decode_utf8().unwrap().into_owned();
        let inner = percent_decode_str(&once).decode_utf8().unwrap().into_owned();
        assert!(inner.starts_with("<cookie page=\"") && inner.ends_with("</cookie>"), "{inner}");
        Some(inner)
    }

    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
    }

    pub async fn pages_joined_are_the_list(world: World) {
        for number in 0..7 {
            let city = ["A&B <c> \"d\"", "", "Ünion"][number % 3];
            let body = json!({"name": format!("N{number}"), "address1_city": city, "industrycode": number % 3 + 1});
            world.post("accounts", &body.to_string()).await;
        }
        let linked = "<link-entity name='systemuser' from='systemuserid' to='owninguser' alias='u'>\
             <attribute name='fullname'/></link-entity>";
        let cases: [(&str, &str, bool); 7] = [
            ("no order", "", true),
            ("by a column", "<order attribute='address1_city' descending='true'/>", true),
            ("by a label", "<order attribute='industrycode'/>", true),
            ("by a name", "<order attribute='ownerid'/>", true),
            ("linked", linked, true),
            ("by a linked column", "<order entityname='u' attribute='fullname'/>", false),
            ("distinct", "", false),
        ];
        for (what, inside, has_cookie) in cases {
            let inside = if what == "by a linked column" { format!("{inside}{linked}") } else { inside.to_owned() };
            let distinct = if what == "distinct" { " distinct='true'" } else { "" };
            let fetch = |paging: &str| {
                format!(
                    "<fetch{distinct}{paging}><entity name='account'><attribute name='name'/>{inside}</entity></fetch>"
                )
            };
            let whole = shown(&rows(&ask(&world, "accounts", &fetch("")).await), &["name"]);
            assert_eq!(whole.len(), 7, "{what}");
            // With the cookies as they come, and without any.
            for follows in [true, false] {
                let mut all = Vec::new();
                let mut cookie = String::new();
                for page in 1.. {
                    let xml = fetch(&format!(" count='3' page='{page}'{cookie}"));
                    let body = world.ask("GET", &target("accounts", &xml), &[ANNOTATIONS], "").await.expect(200);
                    all.extend(shown(body["value"].as_array().unwrap(), &["name"]));
                    let more = body["@Microsoft.Dynamics.CRM.morerecords"].as_bool().unwrap();
                    let next = inner(&body);
                    assert_eq!(next.is_some(), more && has_cookie, "{what}, page {page}: {body}");
                    if !more {
                        break;
                    }
                    if let Some(next) = next.filter(|_| follows) {
                        assert!(next.contains(&format!("page=\"{page}\"")) && next.contains("accountid"), "{next}");
                        cookie = format!(" paging-cookie='{}'", escaped(&next));
                    }
                }
                assert_eq!(all, whole, "{what}, following cookies: {follows}");
            }
        }
        // The size of a page may be preferred, where the query says nothing of it.
        let plain = "<fetch><entity name='account'><attribute name='name'/></entity></fetch>";
        let prefer = ("prefer", "odata.maxpagesize=2,odata.include-annotations=\"*\"");
        let answer = world.ask("GET", &target("accounts", plain), &[prefer], "").await;
        assert!(answer.header("preference-applied").unwrap().contains("odata.maxpagesize=2"));
        let body = answer.expect(200);
        assert_eq!(body["value"].as_array().unwrap().len(), 2);
        let cookie = inner(&body).unwrap();
        // Who states no size of pages is told of more also without asking for annotations; who states one pages by it.
        let cut =
            world.ask("GET", &target("accounts", plain), &[("prefer", "odata.maxpagesize=2")], "").await.expect(200);
        assert_eq!((inner(&cut), &cut["@Microsoft.Dynamics.CRM.morerecords"]), (Some(cookie.clone()), &json!(true)));
        let whole = ask(&world, "accounts", plain).await.expect(200);
        assert_eq!(whole["@Microsoft.Dynamics.CRM.morerecords"], Json::Null);
        let stated = ask(&world, "accounts", &plain.replace("<fetch", "<fetch count='2'")).await.expect(200);
        assert_eq!(stated["@Microsoft.Dynamics.CRM.morerecords"], Json::Null);
        // A cookie leads to the next page of its own query, for its own caller, and to nothing else.
        let paged = |table: &str, page: u32, cookie: &str| {
            format!(
                "<fetch count='2' page='{page}' paging-cookie='{}'><entity name='{table}'><attribute name='name'/></entity></fetch>",
                escaped(cookie)
            )
        };
        let second = rows(&ask(&world, "accounts", &paged("account", 2, &cookie)).await);
        let counted = paged("account", 2, "");
        assert_eq!(second, rows(&ask(&world, "accounts", &counted).await));
        let fourth = rows(&ask(&world, "accounts", &paged("account", 4, &cookie)).await);
        assert_eq!(fourth.len(), 1, "a page further on is found by counting");
        let moved = cookie.replace("last=\"{", "last=\"{0");
        ask(&world, "accounts", &paged("account", 2, &moved)).await.expect_error(400, "0x8004111A");
        // So is what is no cookie; one without a seal says which page it is of, in each form that clients send it in.
        for malformed in ["x", "<cookie page=\"1\"", "<page/>", "%zz", &cookie.replace("page=\"1\"", "page=\"x\"")] {
            ask(&world, "accounts", &paged("account", 2, malformed)).await.expect_error(400, "0x8004111A");
        }
        let unsealed = "<cookie page=\"1\"><accountid last=\"{00000000-0000-0000-0000-000000000001}\" /></cookie>";
        let once = utf8_percent_encode(unsealed, NON_ALPHANUMERIC).to_string();
        let twice = utf8_percent_encode(&once, NON_ALPHANUMERIC).to_string();
        let whole = format!("<cookie pagenumber=\"2\" pagingcookie=\"{twice}\" istracking=\"False\" />");
        for form in [unsealed, &once, &twice, &whole] {
            assert_eq!(rows(&ask(&world, "accounts", &paged("account", 2, form)).await), second, "{form}");
        }
        let other = paged("account", 2, &cookie).replace("<attribute name='name'/>", "<attribute name='fax'/>");
        ask(&world, "accounts", &other).await.expect_error(400, "0x8004111A");
        let stranger = world.user("stranger", &["System Administrator"]).await;
        let answer = world.send(&stranger, "GET", &target("accounts", &paged("account", 2, &cookie)), &[], "").await;
        answer.expect_error(400, "0x8004111A");
        let beyond = "<fetch count='5000' page='12'><entity name='account'/></fetch>";
        let message = ask(&world, "accounts", beyond).await.expect_error(400, "0x8004111A");
        assert!(message.contains("50000"), "{message}");
    }

    pub async fn stored_views_are_run(world: World) {
        records(&world).await;
        let xml = "<fetch><entity name='account'><attribute name='accountnumber'/><order attribute='accountnumber'/>\
             <filter><condition attribute='address1_city' operator='eq' value='Paris'/></filter></entity></fetch>";
        let body = json!({"name": "Paris", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
        let saved = world.post("savedqueries", &body.to_string()).await;
        let found = world.get(&format!("accounts?savedQuery={saved}")).await;
        assert_eq!(shown(found["value"].as_array().unwrap(), &["accountnumber"]), ["A", "C"]);
        let own = world.post("userqueries", &body.to_string()).await;
        let found = world.get(&format!("accounts?userQuery={own}")).await;
        assert_eq!(found["value"].as_array().unwrap().len(), 2);

        world.ask("GET", &format!("contacts?savedQuery={saved}"), &[], "").await.expect_error(400, "0x80060888");
        world.ask("GET", &format!("accounts?savedQuery={own}"), &[], "").await.expect_error(404, "0x80040217");
        world.ask("GET", "accounts?savedQuery=x", &[], "").await.expect_error(400, "0x80060888");
        let beside = format!("accounts?savedQuery={saved}&$select=name");
        world.ask("GET", &beside, &[], "").await.expect_error(501, "0x80060888");
        // Somebody else's view is not there.
        let seller = world.user("seller", &["Basic User"]).await;
        let answer = world.send(&seller, "GET", &format!("accounts?userQuery={own}"), &[], "").await;
        answer.expect_error(404, "0x80040217");
    }

    pub async fn stored_views_go_on_by_links(world: World) {
        for number in 0..7 {
            world
                .post("accounts", &json!({"name": format!("N{number}"), "industrycode": number + 1}).to_string())
                .await;
        }
        let linked = "<link-entity name='systemuser' from='systemuserid' to='owninguser' alias='u'>\
             <attribute name='fullname'/></link-entity><order entityname='u' attribute='fullname'/>";
        let rows = |more: &str| format!("<fetch{more}><entity name='account'><attribute name='name'/>");
        // By cookies, by counting, and groups; with the caller's size of pages and with the view's.
        let cases = [
            format!("{}<order attribute='name' descending='true'/></entity></fetch>", rows("")),
            format!("{}<order attribute='industrycode'/></entity></fetch>", rows("")),
            format!("{}{linked}</entity></fetch>", rows("")),
            format!("{}</entity></fetch>", rows(" distinct='true'")),
            format!("{}<order attribute='name'/></entity></fetch>", rows(" count='3'")),
            "<fetch aggregate='true'><entity name='account'><attribute name='name' alias='name' groupby='true'/>\
             <order alias='name'/></entity></fetch>"
                .to_owned(),
        ];
        let size = [("prefer", "odata.maxpagesize=3")];
        let rows_of = |body: &Json| body["value"].as_array().unwrap().len();
        for xml in cases {
            let body = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
            let view = world.post("userqueries", &body.to_string()).await;
            let mut link = format!("accounts?userQuery={view}");
            let mut all = Vec::new();
            for page in [3, 3, 1] {
                let body = world.ask("GET", &link, &size, "").await.expect(200);
                let names = shown(body["value"].as_array().unwrap(), &["name"]);
                assert_eq!(names.len(), page, "{xml}: {body}");
                all.extend(names);
                link = body["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
                assert_eq!(link.is_empty(), page == 1, "{xml}: {body}");
                link = link.trim_start_matches(ROOT).to_owned();
            }
            all.sort();
            assert_eq!(all, ["N0", "N1", "N2", "N3", "N4", "N5", "N6"], "{xml}");
        }
        // A link is of the view as it was, also where its pages are found by counting.
        let groups = |more: &str| {
            format!(
                "<fetch aggregate='true'{more}><entity name='account'><attribute name='name' alias='name' groupby='true'/>"
            )
        };
        for (xml, changed) in [
            (rows(""), rows("") + "<attribute name='fax'/>"),
            (rows("") + linked, rows("") + "<attribute name='fax'/>" + linked),
            (rows(" distinct='true'"), rows(" distinct='true'") + "<order attribute='name' descending='true'/>"),
            (rows(" distinct='true' count='3'"), rows(" distinct='true' count='2'")),
            (rows(" distinct='true'"), rows("")),
            (rows("") + "<order attribute='name'/>", rows(" distinct='true'") + "<order attribute='name'/>"),
            (groups(""), groups("") + "<order alias='name' descending='true'/>"),
            (groups(" count='3'"), groups(" count='2'")),
        ] {
            let [xml, changed] = [xml, changed].map(|xml| xml + "</entity></fetch>");
            let body = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
            let view = world.post("userqueries", &body.to_string()).await;
            let change = async |xml: &str| {
                let body = json!({"fetchxml": xml}).to_string();
                world.ask("PATCH", &format!("userqueries({view})"), &[], &body).await.expect(204);
            };
            let first = world.ask("GET", &format!("accounts?userQuery={view}"), &size, "").await.expect(200);
            let link = first["@odata.nextLink"].as_str().unwrap().trim_start_matches(ROOT).to_owned();
            change(&changed).await;
            let message = world.ask("GET", &link, &size, "").await.expect_error(400, "0x8004111A");
            assert!(message.contains("belongs to another query"), "{xml} {message}");
            change(&xml).await;
            assert_eq!(rows_of(&world.ask("GET", &link, &size, "").await.expect(200)), 3, "{xml}");
            // Nobody makes such a link.
            let made = link.split_once("$skiptoken=").unwrap().0.to_owned()
                + "$skiptoken="
                + &utf8_percent_encode("<cookie pagenumber=\"2\" istracking=\"False\" />", NON_ALPHANUMERIC)
                    .to_string();
            world.ask("GET", &made, &size, "").await.expect_error(400, "0x80060888");
        }
        // A view may begin with a later page.
        let xml = rows(" page='2' count='3'") + "</entity></fetch>";
        let body = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
        let view = world.post("userqueries", &body.to_string()).await;
        let second = world.get(&format!("accounts?userQuery={view}")).await;
        let link = second["@odata.nextLink"].as_str().unwrap().trim_start_matches(ROOT).to_owned();
        let third = world.get(&link).await;
        assert_eq!((rows_of(&second), rows_of(&third), third.get("@odata.nextLink")), (3, 1, None));

        let xml = rows("") + "</entity></fetch>";
        let body = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
        let view = world.post("userqueries", &body.to_string()).await;
        let first = world.ask("GET", &format!("accounts?userQuery={view}"), &size, "").await.expect(200);
        let link = first["@odata.nextLink"].as_str().unwrap().trim_start_matches(ROOT).to_owned();
        // A link is of its own view and caller; what is no place is refused.
        for wrong in ["x", "", "<cookie pagenumber=\"1\" />"] {
            let wrong = utf8_percent_encode(wrong, NON_ALPHANUMERIC);
            let target = format!("accounts?userQuery={view}&$skiptoken={wrong}");
            world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
        }
        let changed = json!({"fetchxml": rows("") + "<attribute name='fax'/></entity></fetch>"});
        world.ask("PATCH", &format!("userqueries({view})"), &[], &changed.to_string()).await.expect(204);
        world.ask("GET", &link, &size, "").await.expect_error(400, "0x8004111A");
    }

    pub async fn senseless_queries_are_refused(world: World) {
        let entity = |inner: &str| format!("<fetch><entity name='account'>{inner}</entity></fetch>");
        let grouped = |inner: &str| format!("<fetch aggregate='true'><entity name='account'>{inner}</entity></fetch>");
        let where_ = |condition: &str| entity(&format!("<filter>{condition}</filter>"));
        let contact = |more: &str, inner: &str| {
            entity(&format!(
                "<link-entity name='contact' from='parentcustomerid' to='accountid' {more}>{inner}</link-entity>"
            ))
        };
        let (malformed, table, column, senseless) = ("0x80040201", "0x80041102", "0x80041103", "0x8004111A");
        let many = |count: usize, text: &str| text.repeat(count);
        let cases: Vec<(String, &str, &[&str])> = vec![
            ("".into(), malformed, &[]),
            ("<fetch>".into(), malformed, &[]),
            ("<fetch/>".into(), malformed, &["entity"]),
            ("<query/>".into(), malformed, &["query", "fetch"]),
            ("<!DOCTYPE x><fetch/>".into(), malformed, &[]),
            ("<fetch><entity/></fetch>".into(), malformed, &["entity", "name"]),
            ("<fetch count='0'><entity name='account'/></fetch>".into(), malformed, &["count", "0"]),
            ("<fetch page='x'><entity name='account'/></fetch>".into(), malformed, &["page", "x"]),
            ("<fetch top='5001'><entity name='account'/></fetch>".into(), malformed, &["top", "5001"]),
            ("<fetch distinct='maybe'><entity name='account'/></fetch>".into(), malformed, &["distinct", "maybe"]),
            ("<fetch top='1' page='1'><entity name='account'/></fetch>".into(), senseless, &["top"]),
            ("<fetch top='1' count='1'><entity name='account'/></fetch>".into(), senseless, &["top"]),
            (entity("<column name='name'/>"), malformed, &["column", "entity"]),
            (entity("<attribute/>"), malformed, &["attribute", "name"]),
            (entity("<order/>"), malformed, &["order"]),
            (entity("<attribute name='nope'/>"), column, &["nope", "account"]),
            (entity("<order attribute='nope'/>"), column, &["nope", "account"]),
            (entity("<order alias='nope'/>"), senseless, &["nope"]),
            (entity("<attribute name='name' alias='1x'/>"), senseless, &["1x"]),
            // What takes the name of another column would leave that one out.
            (entity("<attribute name='revenue' alias='name'/><attribute name='name'/>"), senseless, &["'name'"]),
            (entity("<attribute name='name'/><attribute name='revenue' alias='name'/>"), senseless, &["'name'"]),
            (entity("<attribute name='name' alias='accountid'/>"), senseless, &["'accountid'"]),
            (entity("<attribute name='name' alias='a.b'/>"), senseless, &["a.b"]),
            (entity("<attribute name='name' alias='x'/><attribute name='fax' alias='x'/>"), senseless, &["'x'"]),
            (entity("<attribute name='name' groupby='true'/>"), senseless, &["name", "account", "aggregate"]),
            (entity("<attribute name='name' aggregate='median' alias='x'/>"), senseless, &["name", "median"]),
            (entity("<attribute name='name' alias='x' rowaggregate='CountChildren'/>"), senseless, &["rowaggregate"]),
            (where_("<condition attribute='nope' operator='null'/>"), column, &["nope", "account"]),
            (where_("<condition attribute='name' operator='nope'/>"), senseless, &["nope", "name", "account"]),
            (where_("<condition attribute='name' operator='eq'/>"), senseless, &["eq", "name", "account"]),
            (where_("<condition attribute='name' operator='null' value='x'/>"), senseless, &["null", "name"]),
            (where_("<condition attribute='name' operator='in'/>"), senseless, &["in", "name"]),
            (where_("<condition attribute='name' operator='eq' value='a'><value>b</value></condition>"), senseless, &["name"]),
            (where_("<condition attribute='name' operator='eq' value='a' valueof='fax'/>"), senseless, &["name"]),
            (where_("<condition attribute='name' operator='like' valueof='fax'/>"), senseless, &["like", "fax"]),
            (where_("<condition attribute='name' operator='eq' valueof='revenue'/>"), senseless, &["name", "revenue"]),
            (where_("<condition attribute='name' operator='eq' valueof='x.name'/>"), senseless, &["'x'"]),
            (where_("<condition attribute='statecode' operator='eq' value='Active'/>"), senseless, &["Active", "statecode"]),
            (where_("<condition attribute='createdon' operator='last-x-days' value='0'/>"), senseless, &["0", "createdon"]),
            (where_("<condition attribute='accountid' operator='under' value='x'/>"), senseless, &["under", "x"]),
            (where_("<condition entityname='x' attribute='name' operator='null'/>"), senseless, &["'x'"]),
            (entity("<filter type='xor'/>"), malformed, &["xor"]),
            (entity("<link-entity name='nope' from='a' to='b'/>"), table, &["nope"]),
            ("<fetch><entity name='nope'/></fetch>".into(), table, &["nope"]),
            ("<fetch><entity name='contact'/></fetch>".into(), "0x80060888", &["contact", "account"]),
            (entity("<link-entity name='contact' from='nope' to='accountid'/>"), column, &["nope", "contact"]),
            (entity("<link-entity name='contact' from='contactid'/>"), senseless, &["contact", "to"]),
            (entity("<link-entity name='contact'/>"), senseless, &["contact", "more than one"]),
            (entity("<link-entity name='contact' from='lastname' to='accountid'/>"), senseless, &["lastname", "accountid"]),
            (contact("link-type='sideways'", ""), senseless, &["sideways", "contact"]),
            (contact("link-type='any'", ""), senseless, &["any", "filter"]),
            (contact("alias='1'", ""), senseless, &["'1'"]),
            (contact("link-type='exists'", "<attribute name='lastname'/>"), senseless, &["exists", "contact"]),
            (contact("", "<filter><condition entityname='x' attribute='lastname' operator='null'/></filter>"), senseless, &["'x'"]),
            (
                entity("<filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='inner'/></filter>"),
                senseless,
                &["inner", "filter"],
            ),
            (grouped("<attribute name='name' aggregate='count'/>"), senseless, &["name", "alias"]),
            (grouped("<attribute name='name' alias='n'/>"), senseless, &["name", "account"]),
            (grouped("<all-attributes/>"), senseless, &["all-attributes"]),
            (grouped(""), senseless, &[]),
            (grouped("<attribute name='name' alias='n' aggregate='sum'/>"), senseless, &["name", "sum"]),
            (grouped("<attribute name='name' alias='n' aggregate='max'/>"), senseless, &["name", "max"]),
            (grouped("<attribute name='statecode' alias='n' aggregate='min'/>"), senseless, &["statecode", "min"]),
            (grouped("<attribute name='description' alias='n' groupby='true'/>"), senseless, &["description"]),
            (grouped("<attribute name='name' alias='n' groupby='true' dategrouping='year'/>"), senseless, &["name"]),
            (grouped("<attribute name='name' alias='n' groupby='true'/><order attribute='name'/>"), senseless, &["name", "alias"]),
            (grouped("<attribute name='name' alias='n' groupby='true'/><order alias='m'/>"), senseless, &["'m'"]),
            (
                "<fetch distinct='true'><entity name='account'><attribute name='name'/><order attribute='fax'/></entity></fetch>".into(),
                senseless,
                &["fax"],
            ),
            (where_(&many(501, "<condition attribute='name' operator='null'/>")), senseless, &["conditions_max"]),
            (
                entity(&many(16, "<link-entity name='contact' from='parentcustomerid' to='accountid'/>")),
                senseless,
                &["links_max"],
            ),
            (entity(&format!("{}{}", many(50, "<filter>"), many(50, "</filter>"))), senseless, &["fetchxml_depth_max"]),
        ];
        for (xml, code, words) in cases {
            let message = ask(&world, "accounts", &xml).await.expect_error(400, code);
            assert!(words.iter().all(|word| message.contains(word)), "{xml}: {message}");
        }
        let beside = format!("{}&$top=1", target("accounts", &entity("")));
        world.ask("GET", &beside, &[], "").await.expect_error(400, "0x80060888");
    }

    pub async fn what_a_caller_may_not_read_is_not_there(world: World) {
        records(&world).await;
        let seller = world.user("seller", &["Basic User"]).await;
        let own = world.send(&seller, "POST", "accounts", &[], "{\"name\":\"Own\",\"accountnumber\":\"O\"}").await;
        let own = own.written_id();
        let found = world.get("contacts?$filter=lastname eq 'Ann'").await;
        let ann = found["value"][0]["contactid"].as_str().unwrap();
        let body = json!({"primarycontactid@odata.bind": format!("/contacts({ann})")});
        world.ask("PATCH", &format!("accounts({own})"), &[], &body.to_string()).await.expect(204);
        let show = "<attribute name='accountnumber' alias='n'/><order attribute='accountnumber'/>";
        let count = "<fetch aggregate='true'><entity name='account'><attribute name='name' alias='n' aggregate='count'/>\
             </entity></fetch>";
        let link = |kind: &str| {
            format!("<link-entity name='contact' from='contactid' to='primarycontactid' link-type='{kind}' alias='p'/>")
        };
        let every = world.user("manager", &["System Administrator"]).await;
        for (xml, seen, by_all) in [
            (format!("<fetch><entity name='account'>{show}</entity></fetch>"), vec!["O"], 5),
            (count.to_owned(), vec!["1"], 1),
            (format!("<fetch><entity name='account'>{show}{}</entity></fetch>", link("inner")), vec![], 3),
            (format!("<fetch><entity name='account'>{show}{}</entity></fetch>", link("outer")), vec!["O"], 5),
            (format!("<fetch><entity name='account'>{show}{}</entity></fetch>", link("exists")), vec![], 3),
            (
                format!("<fetch><entity name='account'>{show}<filter>{}</filter></entity></fetch>", link("not any")),
                vec!["O"],
                2,
            ),
        ] {
            let found = rows(&world.send(&seller, "GET", &target("accounts", &xml), &[], "").await);
            assert_eq!(shown(&found, &["n"]), seen, "{xml}");
            let all = rows(&world.send(&every, "GET", &target("accounts", &xml), &[], "").await);
            assert_eq!(all.len(), by_all, "{xml}");
        }
    }
}
