//! Actions on many records, and the functions that tell of records and the organisation.

use crate::on_both_engines;

on_both_engines! {
    many_records_are_made_at_once;
    many_records_are_changed_at_once;
    many_records_are_made_or_changed_at_once;
    many_records_are_deleted_at_once;
    bulk_actions_are_done_whole_or_not_at_all;
    an_id_of_zeros_names_no_record;
    two_ids_of_one_record_are_refused;
    what_stands_beside_an_address_names_the_same_record;
    a_record_is_given_away;
    shares_are_told;
    the_organisation_tells_what_it_is;
    records_of_tables_are_counted;
    a_new_record_is_prefilled;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    const GONE: &str = "00000000-0000-0000-0000-00000000dead";

    async fn act(world: &World, action: &str, targets: Json) -> crate::world::Answer {
        let path = format!("accounts/Microsoft.Dynamics.CRM.{action}");
        world.ask("POST", &path, &[], &json!({"Targets": targets}).to_string()).await
    }

    async fn names(world: &World) -> Vec<String> {
        let rows = world.get("accounts?$select=name&$orderby=name").await;
        rows["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn many_records_are_made_at_once(world: World) {
        let own = "11111111-2222-3333-4444-555555555555";
        let made = act(
            &world,
            "CreateMultiple",
            json!([
                {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"},
                {"@odata.type": "#Microsoft.Dynamics.CRM.account", "name": "B", "accountid": own},
                {"name": "C", "contact_customer_accounts": [{"lastname": "L"}], "parentaccountid@odata.bind": format!("/accounts({own})")},
            ]),
        )
        .await
        .expect(200);
        assert_eq!(made["@odata.context"], format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"));
        let ids = made["Ids"].as_array().unwrap();
        assert_eq!((ids.len(), &ids[1]), (3, &json!(own)));
        for (id, name) in ids.iter().zip(["A", "B", "C"]) {
            assert_eq!(world.get(&format!("accounts({})", id.as_str().unwrap())).await["name"], name);
        }
        let last = ids[2].as_str().unwrap();
        assert_eq!(world.get(&format!("accounts({last})")).await["_parentaccountid_value"], own);
        assert_eq!(
            world.ask("GET", &format!("accounts({last})/contact_customer_accounts/$count"), &[], "").await.text(),
            "1"
        );
        assert_eq!(act(&world, "CreateMultiple", json!([])).await.expect(200)["Ids"], json!([]));
    }

    pub async fn many_records_are_changed_at_once(world: World) {
        let (one, two) =
            (world.post("accounts", r#"{"name":"1"}"#).await, world.post("accounts", r#"{"name":"2"}"#).await);
        let answer = act(
            &world,
            "UpdateMultiple",
            json!([
                {"accountid": one, "name": "A", "@odata.type": "Microsoft.Dynamics.CRM.account"},
                {"@odata.id": format!("accounts({two})"), "name": "B"},
                {"accountid": one, "fax": "1"},
            ]),
        )
        .await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(names(&world).await, ["A", "B"]);
        assert_eq!(world.get(&format!("accounts({one})")).await["fax"], "1");
        // By the columns of an alternate key.
        let euro = r#"{"isocurrencycode":"EUR","currencyname":"Euro","currencysymbol":"€","currencyprecision":2,"exchangerate":0.9}"#;
        world.post("transactioncurrencies", euro).await;
        let path = "transactioncurrencies/Microsoft.Dynamics.CRM.UpdateMultiple";
        let body = r#"{"Targets":[{"isocurrencycode":"EUR","currencyname":"Euro 2"}]}"#;
        world.ask("POST", path, &[], body).await.expect(204);
        assert_eq!(world.get("transactioncurrencies(isocurrencycode='EUR')").await["currencyname"], "Euro 2");
    }

    pub async fn many_records_are_made_or_changed_at_once(world: World) {
        let there = world.post("accounts", r#"{"name":"1"}"#).await;
        let fresh = "11111111-2222-3333-4444-555555555555";
        let done = act(
            &world,
            "UpsertMultiple",
            json!([
                {"accountid": there, "name": "A"},
                {"@odata.id": format!("accounts({fresh})"), "name": "B"},
                {"accountid": "00000000-0000-0000-0000-000000000000", "name": "C"},
                {"accountid": fresh, "fax": "2"},
            ]),
        )
        .await
        .expect(200);
        let results = done["Results"].as_array().unwrap();
        let created: Vec<_> = results.iter().map(|result| result["RecordCreated"].clone()).collect();
        assert_eq!(created, [json!(false), json!(true), json!(true), json!(false)]);
        let ids: Vec<_> = results.iter().map(|result| result["Target"]["accountid"].as_str().unwrap()).collect();
        assert_eq!((ids[0], ids[1], ids[3]), (there.as_str(), fresh, fresh));
        assert_eq!(results[2]["Target"]["@odata.type"], "#Microsoft.Dynamics.CRM.account");
        assert_eq!(names(&world).await, ["A", "B", "C"]);
        let path = "transactioncurrencies/Microsoft.Dynamics.CRM.UpsertMultiple";
        let target = |name: &str, id: Json| {
            let mut target =
                json!({"currencyname": name, "currencysymbol": "€", "currencyprecision": 2, "exchangerate": 0.9});
            target.as_object_mut().unwrap().extend(id.as_object().unwrap().clone());
            json!({"Targets": [target]}).to_string()
        };
        let by_address = json!({"@odata.id": "transactioncurrencies(isocurrencycode='EUR')"});
        let first = world.ask("POST", path, &[], &target("Euro", by_address)).await.expect(200);
        let second =
            world.ask("POST", path, &[], &target("Euro 2", json!({"isocurrencycode": "EUR"}))).await.expect(200);
        let of = |answer: &Json| {
            (
                answer["Results"][0]["RecordCreated"].clone(),
                answer["Results"][0]["Target"]["transactioncurrencyid"].clone(),
            )
        };
        assert_eq!((of(&first).0, of(&second).0), (json!(true), json!(false)));
        assert_eq!(of(&first).1, of(&second).1);
    }

    pub async fn many_records_are_deleted_at_once(world: World) {
        let (one, two) =
            (world.post("accounts", r#"{"name":"1"}"#).await, world.post("accounts", r#"{"name":"2"}"#).await);
        world.post("accounts", r#"{"name":"3"}"#).await;
        let targets = json!([{"accountid": one}, {"@odata.id": format!("{ROOT}accounts({two})")}]);
        let answer = act(&world, "DeleteMultiple", targets).await;
        assert_eq!((answer.status, names(&world).await), (204, vec!["3".to_owned()]));
    }

    pub async fn an_id_of_zeros_names_no_record(world: World) {
        let body = r#"{"currencyname":"Euro","isocurrencycode":"EUR","currencysymbol":"E","currencyprecision":2,"exchangerate":0.9}"#;
        let euro = world.post("transactioncurrencies", body).await;
        let zeros = "00000000-0000-0000-0000-000000000000";
        let target = json!({"transactioncurrencyid": zeros, "isocurrencycode": "EUR", "currencyname": "Lost"});
        let number = world.org.database().head().await.unwrap().number;
        for action in ["UpdateMultiple", "DeleteMultiple"] {
            let path = format!("transactioncurrencies/Microsoft.Dynamics.CRM.{action}");
            let body = json!({"Targets": [target]}).to_string();
            let message = world.ask("POST", &path, &[], &body).await.expect_error(404, "0x80040217");
            assert!(message.starts_with("Targets[0]: ") && message.contains(zeros), "{message}");
        }
        assert_eq!(world.org.database().head().await.unwrap().number, number, "nothing was written");
        assert_eq!(world.get(&format!("transactioncurrencies({euro})")).await["currencyname"], "Euro");
        // Where a record may be made, zeros are what clients send who have no id yet.
        let path = "transactioncurrencies/Microsoft.Dynamics.CRM.UpsertMultiple";
        let body = json!({"Targets": [target]}).to_string();
        let upserted = world.ask("POST", path, &[], &body).await.expect(200);
        assert_eq!(upserted["Results"][0]["Target"]["transactioncurrencyid"], json!(euro));
    }

    /// An address counts, and a type or an id beside it says nothing else.
    pub async fn what_stands_beside_an_address_names_the_same_record(world: World) {
        let euro = r#"{"isocurrencycode":"EUR","currencyname":"Euro","currencysymbol":"€","currencyprecision":2,"exchangerate":0.9}"#;
        let euro = world.post("transactioncurrencies", euro).await;
        let dollar = r#"{"isocurrencycode":"XTS","currencyname":"Test","currencysymbol":"X","currencyprecision":2,"exchangerate":2}"#;
        let other_currency = world.post("transactioncurrencies", dollar).await;
        let [one, two, three] = ["1", "2", "3"].map(|name| json!({ "name": name }).to_string());
        let (one, two) = (world.post("accounts", &one).await, world.post("accounts", &two).await);
        let three = world.post("accounts", &three).await;
        let user = world.user("Uma", &["Salesperson"]).await.user.to_string();
        let contact = world.post("contacts", r#"{"lastname":"1"}"#).await;
        let other_contact = world.post("contacts", r#"{"lastname":"2"}"#).await;
        let task = world.post("tasks", r#"{"subject":"T"}"#).await;
        let (task, pointer) = (format!("tasks({task})"), format!("activitypointers({task})"));
        let address = format!("accounts({one})");
        let right = json!({ "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": one });
        let by_address =
            json!({ "@odata.id": address, "accountid": one, "@odata.type": "#Microsoft.Dynamics.CRM.account" });
        let crossed = [
            json!({ "@odata.id": address, "accountid": two }),
            json!({ "@odata.id": address, "@odata.type": "Microsoft.Dynamics.CRM.contact" }),
            json!({ "@odata.id": address, "@odata.type": "Microsoft.Dynamics.CRM.systemuser", "accountid": one }),
        ];
        let somebody = json!({ "@odata.id": format!("systemusers({user})") });
        let crossed_user =
            json!({ "@odata.id": format!("systemusers({user})"), "systemuserid": world.seeded.administrator });
        let owner = json!({ "@odata.id": format!("systemusers({user})"), "ownerid": world.seeded.administrator });
        let team = json!({ "@odata.id": format!("systemusers({user})"), "@odata.type": "Microsoft.Dynamics.CRM.team" });
        let access = |principal: &Json| json!({ "Principal": principal, "AccessMask": "ReadAccess" });
        let subordinate = json!({ "@odata.id": format!("accounts({three})") });
        let mut cases = Vec::new();
        for wrong in &crossed {
            for name in ["UpdateMultiple", "UpsertMultiple", "DeleteMultiple"] {
                let path = format!("accounts/Microsoft.Dynamics.CRM.{name}");
                cases.push((path, json!({ "Targets": [wrong] })));
            }
            for name in ["GrantAccess", "ModifyAccess"] {
                cases.push((name.to_owned(), json!({ "Target": wrong, "PrincipalAccess": access(&somebody) })));
            }
            cases.push(("RevokeAccess".to_owned(), json!({ "Target": wrong, "Revokee": somebody })));
            cases.push(("Merge".to_owned(), json!({ "Target": wrong, "Subordinate": subordinate })));
            cases.push(("Merge".to_owned(), json!({ "Target": subordinate, "Subordinate": wrong })));
            cases.push(("Assign".to_owned(), json!({ "Target": wrong, "Assignee": somebody })));
        }
        for wrong in [&crossed_user, &owner, &team] {
            for name in ["GrantAccess", "ModifyAccess"] {
                cases.push((name.to_owned(), json!({ "Target": right, "PrincipalAccess": access(wrong) })));
            }
            cases.push(("RevokeAccess".to_owned(), json!({ "Target": right, "Revokee": wrong })));
            cases.push(("Assign".to_owned(), json!({ "Target": right, "Assignee": wrong })));
        }
        // Beside an alternate key, any id might be another record's.
        for id in [&euro, &other_currency] {
            let target =
                json!({ "@odata.id": "transactioncurrencies(isocurrencycode='EUR')", "transactioncurrencyid": id });
            for name in ["UpdateMultiple", "UpsertMultiple", "DeleteMultiple"] {
                let path = format!("transactioncurrencies/Microsoft.Dynamics.CRM.{name}");
                cases.push((path, json!({ "Targets": [target] })));
            }
        }
        let before = world.org.database().head().await.unwrap().number;
        for (path, body) in cases {
            let answer = world.ask("POST", &path, &[], &body.to_string()).await;
            assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
            let by_key = body["Targets"][0]["@odata.id"].as_str().is_some_and(|address| address.contains('='));
            assert_eq!(answer.text().contains("beside an alternate key is not taken"), by_key, "{}", answer.text());
        }
        // Links, too.
        let links = [("PUT", "primarycontactid"), ("POST", "contact_customer_accounts")]
            .map(|(method, navigation)| (method, format!("accounts({three})/{navigation}/$ref")));
        let of_contact = |more: Json| {
            let mut body = json!({ "@odata.id": format!("contacts({contact})") });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body.to_string()
        };
        for (method, path) in &links {
            for wrong in [
                json!({ "contactid": other_contact }),
                json!({ "@odata.type": "#Microsoft.Dynamics.CRM.account" }),
                json!({ "@odata.type": "#Microsoft.Dynamics.CRM.account", "contactid": other_contact }),
            ] {
                world.ask(method, path, &[], &of_contact(wrong)).await.expect_error(400, "0x80048d19");
            }
        }
        assert_eq!(world.org.database().head().await.unwrap().number, before);
        // The same record twice is one record.
        for (method, path) in &links {
            let body = of_contact(json!({ "@odata.type": "#Microsoft.Dynamics.CRM.contact", "contactid": contact }));
            world.ask(method, path, &[], &body).await.expect(204);
        }
        let body = json!({ "Target": by_address, "PrincipalAccess": access(&somebody) }).to_string();
        world.ask("POST", "GrantAccess", &[], &body).await.expect(204);
        // A type that the record's extends, or that of an activity in the set of all, is also its own.
        for (address, kind, status) in [
            (&address, "crmbaseentity", 204),
            (&address, "principal", 400),
            (&address, "activitypointer", 400),
            (&pointer, "task", 204),
            (&pointer, "activitypointer", 204),
            (&pointer, "account", 400),
            (&task, "activitypointer", 204),
            (&task, "email", 400),
        ] {
            let target = json!({ "@odata.id": address, "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}") });
            let principal = json!({
                "@odata.id": format!("systemusers({user})"), "@odata.type": "#Microsoft.Dynamics.CRM.principal",
            });
            let body = json!({ "Target": target, "PrincipalAccess": access(&principal) }).to_string();
            let answer = world.ask("POST", "GrantAccess", &[], &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.text());
        }
    }

    /// Users and teams may give their id under two names: one of two that differ does not count more.
    pub async fn two_ids_of_one_record_are_refused(world: World) {
        let zeros = "00000000-0000-0000-0000-000000000000";
        let unit = format!("/businessunits({})", world.seeded.unit);
        let team = |name: &str| json!({"name": name, "businessunitid@odata.bind": unit});
        let one = world.post("teams", &team("One").to_string()).await;
        let other = world.post("teams", &team("Other").to_string()).await;
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let number = world.org.database().head().await.unwrap().number;
        for (id, owner) in [(&one, other.as_str()), (&other, &one), (&one, zeros), (&zeros.to_owned(), &one)] {
            // In both orders.
            for ids in
                [format!(r#""teamid":"{id}","ownerid":"{owner}""#), format!(r#""ownerid":"{owner}","teamid":"{id}""#)]
            {
                let action = |name: &str| {
                    let body = format!(r#"{{"Targets":[{{{ids},"name":"Lost"}}]}}"#);
                    (format!("teams/Microsoft.Dynamics.CRM.{name}Multiple"), "POST", body)
                };
                let shared = format!(
                    r#"{{"Target":{{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{account}"}},"PrincipalAccess":{{"Principal":{{"@odata.type":"Microsoft.Dynamics.CRM.team",{ids}}},"AccessMask":"ReadAccess"}}}}"#
                );
                let body = format!(r#"{{{ids},"name":"Lost"}}"#);
                for (path, method, body) in [
                    action("Create"),
                    action("Update"),
                    action("Upsert"),
                    action("Delete"),
                    ("teams".to_owned(), "POST", body.clone()),
                    (format!("teams({one})"), "PATCH", body),
                    ("GrantAccess".to_owned(), "POST", shared),
                ] {
                    let message = world.ask(method, &path, &[], &body).await.expect_error(400, "0x80048d19");
                    let problem = "the primary id is given two values, as 'teamid' and as 'ownerid'";
                    assert!(message.ends_with(problem), "{path} {body}: {message}");
                }
            }
        }
        for action in ["UpdateMultiple", "DeleteMultiple"] {
            let path = format!("teams/Microsoft.Dynamics.CRM.{action}");
            let body = json!({"Targets": [{"ownerid": zeros, "name": "Lost"}]}).to_string();
            world.ask("POST", &path, &[], &body).await.expect_error(404, "0x80040217");
        }
        assert_eq!(world.org.database().head().await.unwrap().number, number, "nothing was written");
        // Twice the same one, and the one name alone, name the record; null says as much as leaving it out.
        for ids in
            [json!({"teamid": one, "ownerid": one}), json!({"ownerid": one}), json!({"teamid": null, "ownerid": one})]
        {
            let mut target = json!({"description": ids.to_string()});
            target.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
            let body = json!({"Targets": [target]}).to_string();
            world.ask("POST", "teams/Microsoft.Dynamics.CRM.UpdateMultiple", &[], &body).await.expect(204);
            assert_eq!(world.get(&format!("teams({one})")).await["description"], ids.to_string());
        }
        let mut own = team("Own");
        own["ownerid"] = json!("11111111-2222-3333-4444-555555555555");
        assert_eq!(world.post("teams", &own.to_string()).await, own["ownerid"].as_str().unwrap());
    }

    pub async fn bulk_actions_are_done_whole_or_not_at_all(world: World) {
        let one = world.post("accounts", r#"{"name":"1"}"#).await;
        let number = world.org.database().head().await.unwrap().number;
        let cases = [
            ("CreateMultiple", json!([{"name": "A"}, {"name": "x".repeat(5_000)}]), 400, "0x80044331", "Targets[1]: "),
            ("CreateMultiple", json!([{"name": "A"}, {"no": "A"}]), 400, "0x80060888", "Targets[1]: "),
            ("CreateMultiple", json!([{"name": "A"}, {"accountid": one, "name": "B"}]), 412, "0x80040237", ""),
            (
                "CreateMultiple",
                json!([{"name": "A", "@odata.type": "Microsoft.Dynamics.CRM.contact"}]),
                400,
                "0x80048d19",
                "Targets[0]: ",
            ),
            (
                "UpdateMultiple",
                json!([{"accountid": one, "name": "A"}, {"accountid": GONE, "name": "B"}, {"accountid": one}]),
                404,
                "0x80040217",
                "Targets[1]: ",
            ),
            ("UpdateMultiple", json!([{"name": "A"}]), 400, "0x80048d19", "Targets[0]: which record?"),
            (
                "UpdateMultiple",
                json!([{"@odata.id": format!("contacts({one})"), "name": "A"}]),
                400,
                "0x80048d19",
                "Targets[0]: ",
            ),
            (
                "UpdateMultiple",
                json!([{"@odata.id": format!("accounts({one})"), "accountid": GONE}]),
                400,
                "0x80048d19",
                "Targets[0]: ",
            ),
            (
                "UpsertMultiple",
                json!([{"name": "A"}, {"accountid": one, "industrycode": 4711}, {"name": "B"}]),
                400,
                "0x8004431A",
                "Targets[1]: ",
            ),
            ("DeleteMultiple", json!([{"accountid": one}, {"accountid": one}]), 404, "0x80040217", "Targets[1]: "),
            ("CreateMultiple", json!([{"accountid": one, "name": "A"}]), 412, "0x80040237", "Targets[0]: "),
            (
                "CreateMultiple",
                json!([{"name": "A"}, {"accountid": one, "name": "B"}, {"name": "C"}]),
                412,
                "0x80040237",
                "Targets[1]: ",
            ),
            (
                "CreateMultiple",
                json!([{"accountid": GONE, "name": "A"}, {"accountid": GONE, "name": "B"}]),
                412,
                "0x80040237",
                "Targets[1]: ",
            ),
            ("DeleteMultiple", json!({"accountid": one}), 400, "0x80048d19", "a list of objects"),
        ];
        for (action, targets, status, code, told) in cases {
            let answer = act(&world, action, targets).await;
            let message = answer.expect_error(status, code);
            assert!(message.contains(told), "{action} {message}");
        }
        let many: Vec<_> = (0..5_001).map(|_| json!({"accountid": one})).collect();
        assert!(act(&world, "DeleteMultiple", json!(many)).await.expect_error(400, "0x80060888").contains("5000"));
        assert_eq!(names(&world).await, ["1"]);
        assert_eq!(world.org.database().head().await.unwrap().number, number, "nothing was logged");

        let reader = world.user("rita", &["Basic User"]).await;
        let body = json!({"Targets": [{"name": "Mine"}, {"accountid": one, "name": "Not mine"}]}).to_string();
        let path = "accounts/Microsoft.Dynamics.CRM.UpsertMultiple";
        let message = world.send(&reader, "POST", path, &[], &body).await.expect_error(403, "0x80040220");
        assert!(message.starts_with("Targets[1]: "), "{message}");
        assert_eq!(names(&world).await, ["1"]);
        world.ask("GET", path, &[], "").await.expect_error(404, "0x0");
        world.ask("POST", "CreateMultiple", &[], "{}").await.expect_error(404, "0x8006088a");
    }

    pub async fn a_record_is_given_away(world: World) {
        let id = world.post("accounts", r#"{"name":"1"}"#).await;
        let seller = world.user("sam", &["Salesperson"]).await;
        let body = |target: Json, assignee: Json| json!({"Target": target, "Assignee": assignee}).to_string();
        let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id});
        let assignee = json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": seller.user});
        let answer = world.ask("POST", "Assign", &[], &body(target.clone(), assignee.clone())).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(world.get(&format!("accounts({id})")).await["_ownerid_value"], json!(seller.user));
        let reader = world.user("rita", &["Basic User"]).await;
        let stolen = json!({"@odata.id": format!("systemusers({})", reader.user)});
        world.send(&reader, "POST", "Assign", &[], &body(target.clone(), stolen)).await.expect_error(403, "0x80040220");
        let contact = json!({"@odata.id": format!("contacts({GONE})")});
        world.ask("POST", "Assign", &[], &body(target, contact)).await.expect_error(400, "0x80048d19");
        let gone = json!({"@odata.id": format!("accounts({GONE})")});
        world.ask("POST", "Assign", &[], &body(gone, assignee)).await.expect_error(404, "0x80040217");
    }

    pub async fn shares_are_told(world: World) {
        let id = world.post("accounts", r#"{"name":"1"}"#).await;
        let seller = world.user("sam", &["Basic User"]).await;
        let team =
            format!("{{\"name\":\"T\",\"businessunitid@odata.bind\":\"/businessunits({})\"}}", world.seeded.unit);
        let team = world.post("teams", &team).await;
        let told = format!("RetrieveSharedPrincipalsAndAccess(Target=@t)?@t={{'@odata.id':'accounts({id})'}}");
        assert_eq!(world.get(&told).await["PrincipalAccesses"], json!([]));
        world.send(&seller, "GET", &told, &[], "").await.expect_error(403, "0x80040220");
        for (principal, mask) in [
            (format!("systemusers({})", seller.user), "ReadAccess, WriteAccess"),
            (format!("teams({team})"), "ReadAccess"),
        ] {
            let body = json!({
                "Target": {"@odata.id": format!("accounts({id})")},
                "PrincipalAccess": {"AccessMask": mask, "Principal": {"@odata.id": principal}},
            });
            world.ask("POST", "GrantAccess", &[], &body.to_string()).await.expect(204);
        }
        let answer = world.get(&told).await;
        assert_eq!(
            answer["@odata.context"],
            format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.RetrieveSharedPrincipalsAndAccessResponse")
        );
        let expected_user = json!({"AccessMask": "ReadAccess, WriteAccess", "Principal": {"@odata.type": "#Microsoft.Dynamics.CRM.systemuser", "systemuserid": seller.user, "ownerid": seller.user}});
        let expected_team = json!({"AccessMask": "ReadAccess", "Principal": {"@odata.type": "#Microsoft.Dynamics.CRM.team", "teamid": team, "ownerid": team}});
        let found = answer["PrincipalAccesses"].as_array().unwrap();
        assert!(found.len() == 2 && found.contains(&expected_user) && found.contains(&expected_team), "{answer}");
        // Who it is shared with may see it, too.
        world.send(&seller, "GET", &told, &[], "").await.expect(200);
        let gone = told.replace(&id, GONE);
        world.ask("GET", &gone, &[], "").await.expect_error(404, "0x80040217");
    }

    pub async fn the_organisation_tells_what_it_is(world: World) {
        let path = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')";
        let detail = world.get(path).await["Detail"].clone();
        assert_eq!(
            (&detail["OrganizationId"], &detail["FriendlyName"], &detail["UrlName"], &detail["State"]),
            (&json!(world.org.id()), &json!("Demo"), &json!("demo"), &json!("Enabled"))
        );
        assert_eq!(detail["Endpoints"]["Values"][1], ROOT);
        assert_eq!(
            detail["Endpoints"]["Keys"].as_array().unwrap().len(),
            detail["Endpoints"]["Count"].as_u64().unwrap() as usize
        );
        let nobody = world.user("nora", &[]).await;
        world.send(&nobody, "GET", path, &[], "").await.expect_error(403, "0x80042f09");
    }

    pub async fn records_of_tables_are_counted(world: World) {
        let seller = world.user("sam", &["Salesperson"]).await;
        let reader = world.user("rita", &["Basic User"]).await;
        for name in ["1", "2", "3"] {
            world.post("accounts", &json!({"name": name}).to_string()).await;
        }
        world.send(&reader, "POST", "accounts", &[], r#"{"name":"4"}"#).await.expect(204);
        let path = "RetrieveTotalRecordCount(EntityNames=['account',\"task\"])";
        let counted = world.get(path).await;
        assert_eq!(
            counted["@odata.context"],
            format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse")
        );
        let expected = |accounts: i64| json!({"Count": 2, "IsReadOnly": false, "Keys": ["account", "task"], "Values": [accounts, 0]});
        assert_eq!(counted["EntityRecordCountCollection"], expected(4));
        let aliased = world.get("RetrieveTotalRecordCount(EntityNames=@n)?@n=['account','task']").await;
        assert_eq!(aliased, counted);
        // Nobody learns how many there are beside those one may read.
        let own = world.send(&reader, "GET", path, &[], "").await.expect(200);
        assert_eq!(own["EntityRecordCountCollection"], expected(1));
        world.send(&seller, "GET", "RetrieveTotalRecordCount(EntityNames=['account'])", &[], "").await.expect(200);
        let nobody = world.user("nora", &[]).await;
        world.send(&nobody, "GET", path, &[], "").await.expect_error(403, "0x80042f09");
        for names in ["['nothing']", "[]", "'account'", "[account]"] {
            let path = format!("RetrieveTotalRecordCount(EntityNames={names})");
            world.ask("GET", &path, &[], "").await.expect_error(400, "0x80060888");
        }
    }

    pub async fn a_new_record_is_prefilled(world: World) {
        let account = r#"{"name":"A","telephone1":"1","address1_city":"Brno","revenue":5,"numberofemployees":3}"#;
        let id = world.post("accounts", account).await;
        let path = |target: &str| {
            format!(
                "InitializeFrom(EntityMoniker=@m,TargetEntityName='{target}',TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate')?@m={{'@odata.id':'accounts({id})'}}"
            )
        };
        let filled = world.get(&path("contact")).await;
        assert_eq!(filled["@odata.type"], "#Microsoft.Dynamics.CRM.contact");
        assert_eq!(filled["@odata.context"], format!("{ROOT}$metadata#contacts/$entity"));
        assert_eq!((&filled["telephone1"], &filled["address1_city"]), (&json!("1"), &json!("Brno")));
        assert_eq!(filled["parentcustomerid_account@odata.bind"], format!("/accounts({id})"));
        for own in ["contactid", "ownerid", "statecode", "createdon", "address1_addressid", "masterid", "fullname"] {
            assert!(filled.get(own).is_none(), "{own}");
        }
        // It can be sent as it is.
        let mut body = filled.clone();
        body["lastname"] = json!("L");
        let contact = world.post("contacts", &body.to_string()).await;
        let stored = world.get(&format!("contacts({contact})")).await;
        assert_eq!((&stored["address1_city"], &stored["_parentcustomerid_value"]), (&json!("Brno"), &json!(id)));
        assert_eq!(world.ask("GET", "contacts/$count", &[], "").await.text(), "1", "nothing was stored by asking");
        let below = world.get(&path("account")).await;
        assert_eq!(below["parentaccountid@odata.bind"], format!("/accounts({id})"));
        assert!(below.get("name").is_none());

        // The link to the source is left out on request.
        let with = |more: &str| path("contact").replace("'ValidForCreate')", &format!("'ValidForCreate',{more})"));
        let skipped = world.get(&with("SkipParentalRelationshipMapping=true")).await;
        assert_eq!((&skipped["telephone1"], skipped.get("parentcustomerid_account@odata.bind")), (&json!("1"), None));
        for nothing in ["SkipParentalRelationshipMapping=false", "SkipParentalRelationshipMapping=null"] {
            assert_eq!(world.get(&with(nothing)).await, filled);
        }
        world.ask("GET", &with("SkipParentalRelationshipMapping=1"), &[], "").await.expect_error(400, "0x80060888");

        world.ask("GET", &path("nothing"), &[], "").await.expect_error(400, "0x80060888");
        world.ask("GET", &path("businessunit"), &[], "").await.expect_error(400, "0x80060888");
        world
            .ask("GET", &path("contact").replace("ValidForCreate", "X"), &[], "")
            .await
            .expect_error(400, "0x80060888");
        world.ask("GET", &path("contact").replace(&id, GONE), &[], "").await.expect_error(404, "0x80040217");
        let reader = world.user("rita", &["Basic User"]).await;
        world.send(&reader, "GET", &path("contact"), &[], "").await.expect_error(403, "0x80040220");
    }
}
