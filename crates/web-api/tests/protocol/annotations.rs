//! Formatted values and what lookups say of their targets.

use crate::on_both_engines;

on_both_engines! {
    formatted_values_are_shown_where_asked;
    tables_are_called_as_people_know_them;
    dates_follow_the_users_settings;
    amounts_follow_their_currency_at_once;
    collections_say_more_where_asked;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::World;

    const ALL: [(&str, &str); 1] = [("prefer", "odata.include-annotations=\"*\"")];

    fn formatted<'b>(row: &'b Json, name: &str) -> &'b Json {
        &row[format!("{name}@OData.Community.Display.V1.FormattedValue")]
    }

    pub async fn formatted_values_are_shown_where_asked(world: World) {
        let contact = world.post("contacts", r#"{"firstname":"Ann","lastname":"Ames","birthdate":"1990-12-31"}"#).await;
        let account = world
            .post(
                "accounts",
                &format!(
                    "{{\"name\":\"A\",\"revenue\":1234567.5,\"numberofemployees\":1500,\"creditonhold\":true,\
                     \"industrycode\":7,\"primarycontactid@odata.bind\":\"/contacts({contact})\"}}"
                ),
            )
            .await;
        let body = format!("{{\"parentcustomerid_account@odata.bind\":\"/accounts({account})\"}}");
        world.ask("PATCH", &format!("contacts({contact})"), &[], &body).await.expect(204);

        let answer = world.ask("GET", &format!("accounts({account})"), &ALL, "").await;
        assert_eq!(answer.header("preference-applied"), Some("odata.include-annotations=\"*\""));
        let row = answer.expect(200);
        assert_eq!(formatted(&row, "revenue"), "$1,234,567.50");
        assert_eq!(formatted(&row, "revenue_base"), "$1,234,567.50");
        assert_eq!(formatted(&row, "numberofemployees"), "1,500");
        assert_eq!(formatted(&row, "creditonhold"), "Yes");
        assert_eq!(formatted(&row, "statecode"), "Active");
        assert_eq!(formatted(&row, "createdon"), "1/2/2026 3:04 AM");
        assert_eq!(formatted(&row, "_primarycontactid_value"), "Ann Ames");
        assert_eq!(formatted(&row, "_ownerid_value"), "Ada Admin");
        assert_eq!(formatted(&row, "_transactioncurrencyid_value"), "US Dollar");
        assert_eq!(formatted(&row, "_owningbusinessunit_value"), "Demo");
        assert!(formatted(&row, "industrycode").as_str().is_some_and(|label| !label.is_empty()));
        assert_eq!(formatted(&row, "name"), &Json::Null);
        assert_eq!(formatted(&row, "_parentaccountid_value"), &Json::Null);
        let lookup = |name: &str, term: &str| row[format!("{name}@Microsoft.Dynamics.CRM.{term}")].clone();
        assert_eq!(lookup("_primarycontactid_value", "lookuplogicalname"), "contact");
        assert_eq!(lookup("_primarycontactid_value", "associatednavigationproperty"), "primarycontactid");
        assert_eq!(lookup("_ownerid_value", "lookuplogicalname"), "systemuser");
        assert_eq!(lookup("_ownerid_value", "associatednavigationproperty"), "ownerid");

        let list = world.ask("GET", "contacts?$select=_parentcustomerid_value,birthdate", &ALL, "").await.expect(200);
        let row = &list["value"][0];
        assert_eq!(formatted(row, "_parentcustomerid_value"), "A");
        assert_eq!(row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
        assert_eq!(
            row["_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"],
            "parentcustomerid_account"
        );
        assert_eq!(
            (formatted(row, "birthdate").as_str(), row["birthdate"].as_str()),
            (Some("12/31/1990"), Some("1990-12-31"))
        );

        let expanded = format!(
            "contacts({contact})?$select=lastname&$expand=parentcustomerid_account($select=revenue,_primarycontactid_value)"
        );
        let expanded = world.ask("GET", &expanded, &ALL, "").await.expect(200);
        let inner = &expanded["parentcustomerid_account"];
        assert_eq!(formatted(inner, "revenue"), "$1,234,567.50");
        assert_eq!(formatted(inner, "_primarycontactid_value"), "Ann Ames");
        let collection = format!(
            "accounts({account})?$select=name&$expand=contact_customer_accounts($select=_parentcustomerid_value)"
        );
        let collection = world.ask("GET", &collection, &ALL, "").await.expect(200);
        assert_eq!(formatted(&collection["contact_customer_accounts"][0], "_parentcustomerid_value"), "A");

        // Only what is asked for; nothing by itself.
        let only = [("prefer", "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue\"")];
        let text = world.ask("GET", &format!("accounts({account})"), &only, "").await;
        assert!(text.text().contains("FormattedValue") && !text.text().contains("lookuplogicalname"));
        let text = world.ask("GET", &format!("accounts({account})"), &[], "").await;
        assert!(!text.text().contains("@OData") && !text.text().contains("@Microsoft"));
    }

    pub async fn tables_are_called_as_people_know_them(world: World) {
        let xml = "<fetch><entity name='contact'/></fetch>";
        let view = json!({"name": "All", "returnedtypecode": "contact", "fetchxml": xml, "querytype": 0});
        let view = world.post("userqueries", &view.to_string()).await;
        let row =
            world.ask("GET", &format!("userqueries({view})?$select=returnedtypecode"), &ALL, "").await.expect(200);
        assert_eq!(
            (&row["returnedtypecode"], formatted(&row, "returnedtypecode")),
            (&json!("contact"), &json!("Contact"))
        );
        let groups = "userqueries?$apply=groupby((returnedtypecode),aggregate($count as n))";
        let groups = world.ask("GET", groups, &ALL, "").await.expect(200);
        assert_eq!(formatted(&groups["value"][0], "returnedtypecode"), "Contact");
    }

    pub async fn dates_follow_the_users_settings(world: World) {
        let account = world.post("accounts", r#"{"name":"A","revenue":1234.5}"#).await;
        let user = world.seeded.administrator;
        let settings = format!("usersettingscollection({user})");
        let target = format!("accounts({account})?$select=createdon,revenue");
        let cases = [
            // 2026-01-02T03:04:05Z is the day before in New York.
            (r#"{"timezonecode":35}"#, "1/1/2026 10:04 PM", "$1,234.50"),
            (r#"{"timezonecode":110,"localeid":1031}"#, "02.01.2026 04:04", "1.234,50\u{a0}$"),
            (r#"{"timezonecode":92,"localeid":2057}"#, "02/01/2026 03:04", "$1,234.50"),
        ];
        for (change, date, amount) in cases {
            let answer = world.ask("PATCH", &settings, &[], change).await;
            assert_eq!(answer.status, 204, "{}", answer.text());
            let row = world.ask("GET", &target, &ALL, "").await.expect(200);
            assert_eq!(formatted(&row, "createdon"), date, "{change}");
            assert_eq!(formatted(&row, "revenue"), amount, "{change}");
            assert_eq!(row["createdon"], "2026-01-02T03:04:05Z");
        }
        // The last day there is has hours like any other.
        let task = world.post("tasks", r#"{"subject":"T","scheduledend":"9999-12-31T00:00:00Z"}"#).await;
        let target = format!("tasks({task})?$select=scheduledend");
        for (zone, date) in [(35, "30/12/9999 19:00"), (110, "31/12/9999 01:00"), (92, "31/12/9999 00:00")] {
            world.ask("PATCH", &settings, &[], &format!("{{\"timezonecode\":{zone}}}")).await.expect(204);
            let row = world.ask("GET", &target, &ALL, "").await.expect(200);
            assert_eq!(formatted(&row, "scheduledend"), date, "{zone}");
            assert_eq!(row["scheduledend"], "9999-12-31T00:00:00Z");
        }
    }

    pub async fn amounts_follow_their_currency_at_once(world: World) {
        let account = world.post("accounts", r#"{"name":"A","revenue":1234.5}"#).await;
        let target = format!("accounts({account})?$select=revenue");
        let before = world.ask("GET", &target, &ALL, "").await.expect(200);
        assert_eq!(formatted(&before, "revenue"), "$1,234.50");
        let change = r#"{"currencysymbol":"US$","currencyprecision":3}"#;
        world.ask("PATCH", "transactioncurrencies(isocurrencycode='USD')", &[], change).await.expect(204);
        let after = world.ask("GET", &target, &ALL, "").await.expect(200);
        assert_eq!(formatted(&after, "revenue"), "US$1,234.500");
    }

    pub async fn collections_say_more_where_asked(world: World) {
        world.post("accounts", r#"{"name":"A"}"#).await;
        let counted = world.ask("GET", "accounts?$select=name&$count=true", &ALL, "").await.expect(200);
        assert_eq!(counted["@Microsoft.Dynamics.CRM.totalrecordcount"], 1);
        assert_eq!(counted["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"], false);
        assert!(counted["@Microsoft.Dynamics.CRM.globalmetadataversion"].is_string());
        assert_eq!(counted["@odata.count"], 1);
        let uncounted = world.ask("GET", "accounts?$select=name", &ALL, "").await.expect(200);
        assert_eq!(uncounted["@Microsoft.Dynamics.CRM.totalrecordcount"], -1);
        let plain = world.ask("GET", "accounts?$select=name", &[], "").await;
        assert!(!plain.text().contains("@Microsoft"));
    }
}
