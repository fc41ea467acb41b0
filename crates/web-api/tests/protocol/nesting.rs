//! Records within a record that is made, and records made below another.

use crate::on_both_engines;

on_both_engines! {
    a_record_is_made_with_those_around_it;
    existing_records_are_linked_with_a_new_one;
    what_has_an_address_is_linked_and_never_made;
    the_address_of_a_record_that_is_written_is_its_own;
    records_are_made_below_another;
    all_of_it_or_nothing_is_made;
    records_within_records_have_limits;
    who_may_not_make_a_part_makes_nothing;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::World;

    async fn count(world: &World, set: &str) -> String {
        world.ask("GET", &format!("{set}/$count"), &[], "").await.text().to_owned()
    }

    pub async fn a_record_is_made_with_those_around_it(world: World) {
        let body = json!({
            "name": "A",
            "primarycontactid": {
                "lastname": "Primary",
                "Contact_Tasks": [{"subject": "Call"}, {"subject": "Write", "description": "soon"}],
            },
            "contact_customer_accounts": [{"lastname": "One"}, {"lastname": "Two", "@odata.type": "Microsoft.Dynamics.CRM.contact"}],
            "accountleads_association": [{"lastname": "Lead", "subject": "S"}],
            "parentaccountid": {"name": "Parent", "parentaccountid": {"name": "Grandparent"}},
        });
        let show = [("prefer", "return=representation")];
        let target = "accounts?$select=name&$expand=primarycontactid($select=lastname),parentaccountid($select=name)";
        let made = world.ask("POST", target, &show, &body.to_string()).await;
        let shown = made.expect(201);
        assert_eq!(
            (&shown["name"], &shown["primarycontactid"]["lastname"], &shown["parentaccountid"]["name"]),
            (&json!("A"), &json!("Primary"), &json!("Parent"))
        );
        let id = made.written_id();
        assert_eq!(shown["accountid"], id.as_str());
        let contacts = world.get(&format!("accounts({id})/contact_customer_accounts?$orderby=lastname")).await;
        let names: Vec<_> = contacts["value"].as_array().unwrap().iter().map(|row| row["lastname"].clone()).collect();
        assert_eq!(names, [json!("One"), json!("Two")]);
        let leads = world.get(&format!("accounts({id})/accountleads_association")).await;
        assert_eq!(leads["value"][0]["lastname"], "Lead");
        let primary = shown["primarycontactid"]["contactid"].as_str().unwrap();
        let tasks = world.get(&format!("contacts({primary})/Contact_Tasks?$orderby=subject")).await;
        assert_eq!(tasks["value"][1]["description"], "soon");
        assert_eq!(tasks["value"].as_array().unwrap().len(), 2);
        let parent = shown["parentaccountid"]["accountid"].as_str().unwrap();
        let above = world.get(&format!("accounts({parent})/parentaccountid")).await;
        assert_eq!(above["name"], "Grandparent");
        // An owner may be of two types.
        let body = r#"{"name":"B","ownerid":{"name":"T"}}"#;
        assert!(world.ask("POST", "accounts", &[], body).await.expect_error(400, "0x80048d19").contains("@odata.type"));
    }

    pub async fn existing_records_are_linked_with_a_new_one(world: World) {
        let (one, two) =
            (world.post("contacts", r#"{"lastname":"1"}"#).await, world.post("contacts", r#"{"lastname":"2"}"#).await);
        let lead = world.post("leads", r#"{"lastname":"L","subject":"S"}"#).await;
        let body = json!({
            "name": "A",
            "primarycontactid": {"@odata.id": format!("contacts({one})")},
            "contact_customer_accounts@odata.bind": [format!("/contacts({one})"), format!("contacts({two})")],
            "accountleads_association": [{"@odata.id": format!("/leads({lead})")}],
        });
        let id = world.post("accounts", &body.to_string()).await;
        assert_eq!(world.get(&format!("accounts({id})")).await["_primarycontactid_value"], one.as_str());
        assert_eq!(count(&world, &format!("accounts({id})/contact_customer_accounts")).await, "2");
        assert_eq!(count(&world, &format!("accounts({id})/accountleads_association")).await, "1");
        for body in [
            json!({"name": "B", "contact_customer_accounts@odata.bind": format!("/contacts({one})")}),
            json!({"name": "B", "contact_customer_accounts@odata.bind": [format!("/leads({lead})")]}),
            json!({"name": "B", "contact_customer_accounts@odata.bind": [5]}),
        ] {
            world.ask("POST", "accounts", &[], &body.to_string()).await.expect_error(400, "0x80048d19");
        }
        let gone = "00000000-0000-0000-0000-00000000dead";
        let body = json!({"name": "B", "contact_customer_accounts@odata.bind": [format!("/contacts({gone})")]});
        world.ask("POST", "accounts", &[], &body.to_string()).await.expect_error(404, "0x80040217");
        assert_eq!(count(&world, "accounts").await, "1");
        // A record that is changed is changed alone.
        for body in [
            json!({"primarycontactid": {"lastname": "X"}}),
            json!({"contact_customer_accounts": [{"lastname": "X"}]}),
            json!({"contact_customer_accounts@odata.bind": [format!("/contacts({one})")]}),
        ] {
            let answer = world.ask("PATCH", &format!("accounts({id})"), &[], &body.to_string()).await;
            assert!(answer.expect_error(400, "0x80060888").contains("POST"));
        }
    }

    pub async fn what_has_an_address_is_linked_and_never_made(world: World) {
        let (one, two) =
            (world.post("contacts", r#"{"lastname":"1"}"#).await, world.post("contacts", r#"{"lastname":"2"}"#).await);
        let kind = "#Microsoft.Dynamics.CRM.contact";
        for (more, is_linked) in [
            (json!({ "@odata.type": kind }), true),
            (json!({ "@odata.etag": "W/\"1\"", "contactid": one }), true),
            (json!({ "_ownerid_value@OData.Community.Display.V1.FormattedValue": "U" }), true),
            (json!({ "@odata.type": "#Microsoft.Dynamics.CRM.account" }), false),
            (json!({ "contactid": two }), false),
            (json!({ "ownerid": one }), false),
            (json!({ "lastname": "3" }), false),
            (json!({ "parentcustomerid_account@odata.bind": null }), false),
            (json!({ "@odata.id": null }), false),
        ] {
            let mut object = json!({ "@odata.id": format!("contacts({one})") });
            object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            for (body, filter) in [
                (json!({ "name": "A", "primarycontactid": object }), "_primarycontactid_value eq"),
                (
                    json!({ "name": "A", "contact_customer_accounts": [object] }),
                    "contact_customer_accounts/any(c:c/contactid eq",
                ),
            ] {
                let answer = world.ask("POST", "accounts", &[], &body.to_string()).await;
                assert_eq!(answer.status, if is_linked { 204 } else { 400 }, "{body}: {}", answer.text());
                if is_linked {
                    let end = if filter.contains('(') { ")" } else { "" };
                    let id = answer.written_id();
                    let found =
                        format!("accounts?$filter=accountid eq {id} and {filter} {one}{end}").replace(' ', "%20");
                    assert_eq!(world.get(&found).await["value"].as_array().unwrap().len(), 1, "{body}");
                }
                assert_eq!(count(&world, "contacts").await, "2", "{body}");
            }
        }
        // Of a record that is changed, too.
        let account = format!("accounts({})", world.post("accounts", r#"{"name":"B"}"#).await);
        let body = json!({ "primarycontactid": { "@odata.id": format!("contacts({two})"), "contactid": two } });
        world.ask("PATCH", &account, &[], &body.to_string()).await.expect(204);
        assert_eq!(world.get(&account).await["_primarycontactid_value"], two.as_str());
    }

    pub async fn the_address_of_a_record_that_is_written_is_its_own(world: World) {
        let (one, two) =
            (world.post("accounts", r#"{"name":"1"}"#).await, world.post("accounts", r#"{"name":"2"}"#).await);
        let address = |id: &str| format!("accounts({id})");
        let new = json!({ "name": "3", "@odata.id": address(&one) });
        world.ask("POST", "accounts", &[], &new.to_string()).await.expect_error(400, "0x80048d19");
        let many =
            json!({ "Targets": [{ "@odata.type": "Microsoft.Dynamics.CRM.account", "@odata.id": address(&one) }] });
        let path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
        world.ask("POST", path, &[], &many.to_string()).await.expect_error(400, "0x80048d19");
        for (other, status) in [(address(&two), 400), (format!("contacts({one})"), 400), (address(&one), 204)] {
            let body = json!({ "name": "4", "@odata.id": other }).to_string();
            let answer = world.ask("PATCH", &address(&one), &[], &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.text());
        }
        assert_eq!(count(&world, "accounts").await, "2");
        assert_eq!(world.get(&address(&two)).await["name"], "2");
    }

    pub async fn records_are_made_below_another(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let contact = world.post(&format!("accounts({id})/contact_customer_accounts"), r#"{"lastname":"L"}"#).await;
        assert_eq!(world.get(&format!("contacts({contact})")).await["_parentcustomerid_value"], id.as_str());
        let show = [("prefer", "return=representation")];
        let path = format!("accounts({id})/accountleads_association?$select=lastname");
        let made = world.ask("POST", &path, &show, r#"{"lastname":"L","subject":"S"}"#).await;
        let body = made.expect(201);
        assert_eq!((&body["lastname"], made.written_id()), (&json!("L"), body["leadid"].as_str().unwrap().to_owned()));
        assert_eq!(count(&world, &format!("accounts({id})/accountleads_association")).await, "1");
        let task = world.post(&format!("accounts({id})/Account_Tasks"), r#"{"subject":"T"}"#).await;
        assert_eq!(world.get(&format!("tasks({task})")).await["_regardingobjectid_value"], id.as_str());

        let gone = "accounts(00000000-0000-0000-0000-00000000dead)/contact_customer_accounts";
        world.ask("POST", gone, &[], r#"{"lastname":"L"}"#).await.expect_error(404, "0x80040217");
        let gone = "accounts(00000000-0000-0000-0000-00000000dead)/accountleads_association";
        world.ask("POST", gone, &[], r#"{"lastname":"L","subject":"S"}"#).await.expect_error(404, "0x80040217");
        let twice = format!("{{\"lastname\":\"L\",\"parentcustomerid_account@odata.bind\":\"/accounts({id})\"}}");
        let path = format!("accounts({id})/contact_customer_accounts");
        world.ask("POST", &path, &[], &twice).await.expect_error(400, "0x80048d19");
        assert_eq!((count(&world, "contacts").await, count(&world, "leads").await), ("1".into(), "1".into()));
    }

    pub async fn all_of_it_or_nothing_is_made(world: World) {
        // Counting makes the tables, which the log tells of.
        assert_eq!((count(&world, "accounts").await, count(&world, "contacts").await), ("0".into(), "0".into()));
        let number = world.org.database().head().await.unwrap().number;
        let bad = [
            json!({"name": "A", "primarycontactid": {"lastname": "P"}, "contact_customer_accounts": [{"lastname": "1"}, {"lastname": "x".repeat(5_000)}]}),
            json!({"name": "x".repeat(5_000), "primarycontactid": {"lastname": "P"}}),
            json!({"name": "A", "contact_customer_accounts": [
                {"contactid": "11111111-2222-3333-4444-555555555555", "lastname": "1"},
                {"contactid": "11111111-2222-3333-4444-555555555555", "lastname": "2"}]}),
        ];
        for (body, (status, code)) in bad.iter().zip([(400, "0x80044331"), (400, "0x80044331"), (412, "0x80040237")]) {
            world.ask("POST", "accounts", &[], &body.to_string()).await.expect_error(status, code);
        }
        assert_eq!((count(&world, "accounts").await, count(&world, "contacts").await), ("0".into(), "0".into()));
        assert_eq!(world.org.database().head().await.unwrap().number, number);
    }

    pub async fn records_within_records_have_limits(world: World) {
        let deep = |depth: usize| {
            (0..depth).fold(json!({"name": "X"}), |inner, _| json!({"name": "X", "parentaccountid": inner}))
        };
        world.post("accounts", &deep(10).to_string()).await;
        let answer = world.ask("POST", "accounts", &[], &deep(11).to_string()).await;
        assert!(answer.expect_error(400, "0x80060888").contains("10 deep"));
        let many: Vec<Json> = (0..1_000).map(|n| json!({"lastname": n.to_string()})).collect();
        let body = json!({"name": "A", "contact_customer_accounts": many});
        let answer = world.ask("POST", "accounts", &[], &body.to_string()).await;
        assert!(answer.expect_error(400, "0x80060888").contains("at most 1000"));
        assert_eq!((count(&world, "accounts").await, count(&world, "contacts").await), ("11".into(), "0".into()));
    }

    pub async fn who_may_not_make_a_part_makes_nothing(world: World) {
        let body =
            format!("{{\"name\":\"Maker\",\"businessunitid@odata.bind\":\"/businessunits({})\"}}", world.seeded.unit);
        let role = world.post("roles", &body).await;
        let given: Vec<_> =
            ["prvCreateAccount", "prvReadAccount", "prvAppendToAccount", "prvReadContact", "prvAppendContact"]
                .iter()
                .map(|name| json!({"PrivilegeId": custodia_schema::privilege_id(name), "Depth": "Basic"}))
                .collect();
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &json!({"Privileges": given}).to_string()).await.expect(204);
        let maker = world.user("mia", &["Maker"]).await;
        let nested = r#"{"name":"A","contact_customer_accounts":[{"lastname":"L"}]}"#;
        let answer = world.send(&maker, "POST", "accounts", &[], nested).await;
        assert!(answer.expect_error(403, "0x80040220").contains("prvCreateContact"));
        assert_eq!(count(&world, "accounts").await, "0");
        let own = world.send(&maker, "POST", "accounts", &[], r#"{"name":"A"}"#).await.written_id();
        let path = format!("accounts({own})/contact_customer_accounts");
        world.send(&maker, "POST", &path, &[], r#"{"lastname":"L"}"#).await.expect_error(403, "0x80040220");
        assert_eq!(count(&world, "contacts").await, "0");
    }
}
