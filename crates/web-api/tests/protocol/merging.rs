//! `Merge`: two records become one.

use crate::on_both_engines;

on_both_engines! {
    the_lesser_is_closed_and_its_children_move;
    every_mergeable_table_closes_the_lesser_its_own_way;
    merges_that_make_no_sense_are_refused;
    merging_needs_the_privilege_and_both_records;
}

mod bodies {
    use custodia_org::Caller;
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, World};

    async fn merge(world: &World, caller: &Caller, body: &Json) -> Answer {
        world.send(caller, "POST", "Merge", &[], &body.to_string()).await
    }

    fn pair(table: &str, target: &str, subordinate: &str) -> Json {
        let record =
            |id: &str| json!({"@odata.type": format!("Microsoft.Dynamics.CRM.{table}"), format!("{table}id"): id});
        json!({"Target": record(target), "Subordinate": record(subordinate), "PerformParentingChecks": false})
    }

    pub async fn the_lesser_is_closed_and_its_children_move(world: World) {
        let audited = world.org.schema().table_named("account").unwrap().id;
        world.org.audit_table(&world.admin(), audited, true).await.unwrap();
        let greater = world.post("accounts", r#"{"name":"Greater","fax":"1"}"#).await;
        let lesser = world.post("accounts", r#"{"name":"Lesser"}"#).await;
        let below = |set: &str| format!("accounts({lesser})/{set}");
        let contact = world.post(&below("contact_customer_accounts"), r#"{"lastname":"L"}"#).await;
        let task = world.post(&below("Account_Tasks"), r#"{"subject":"T"}"#).await;
        let child = world.post(&below("account_parent_account"), r#"{"name":"Child"}"#).await;
        let note = world.post(&below("Account_Annotation"), r#"{"subject":"N"}"#).await;
        let lead = world.post(&below("accountleads_association"), r#"{"lastname":"L","subject":"S"}"#).await;
        let both = world.post(&below("accountleads_association"), r#"{"lastname":"B","subject":"S"}"#).await;
        let reference = format!("{{\"@odata.id\":\"leads({both})\"}}");
        world
            .ask("POST", &format!("accounts({greater})/accountleads_association/$ref"), &[], &reference)
            .await
            .expect(204);
        // The greater hangs on the lesser: it must not become its own parent.
        let hang = format!("{{\"parentaccountid@odata.bind\":\"/accounts({lesser})\"}}");
        world.ask("PATCH", &format!("accounts({greater})"), &[], &hang).await.expect(204);

        let mut body = pair("account", &greater, &lesser);
        body["UpdateContent"] =
            json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "telephone1": "2", "fax": null});
        let answer = merge(&world, &world.admin(), &body).await;
        assert_eq!(answer.status, 204, "{}", answer.text());

        let row = world.get(&format!("accounts({greater})")).await;
        assert_eq!((&row["name"], &row["telephone1"], &row["fax"]), (&json!("Greater"), &json!("2"), &Json::Null));
        assert_eq!((&row["statecode"], &row["_parentaccountid_value"]), (&json!(0), &Json::Null));
        let row = world.get(&format!("accounts({lesser})")).await;
        assert_eq!(
            (&row["statecode"], &row["statuscode"], &row["merged"], &row["_masterid_value"]),
            (&json!(1), &json!(2), &json!(true), &json!(greater))
        );
        for (set, id, link) in [
            ("contacts", &contact, "_parentcustomerid_value"),
            ("tasks", &task, "_regardingobjectid_value"),
            ("activitypointers", &task, "_regardingobjectid_value"),
            ("accounts", &child, "_parentaccountid_value"),
            ("annotations", &note, "_objectid_value"),
        ] {
            assert_eq!(world.get(&format!("{set}({id})")).await[link], greater.as_str(), "{set}");
        }
        let leads = |of: &str| format!("accounts({of})/accountleads_association?$select=leadid&$orderby=lastname");
        let found = world.get(&leads(&greater)).await;
        let found: Vec<_> = found["value"].as_array().unwrap().iter().map(|row| row["leadid"].clone()).collect();
        assert_eq!(found, [json!(both), json!(lead)]);
        assert_eq!(world.get(&leads(&lesser)).await["value"], json!([]));
        let told = world.org.audit_entries(None, 100, None).await.unwrap();
        assert_eq!(told.iter().filter(|entry| entry.entry.action == 12).count(), 2);
    }

    pub async fn every_mergeable_table_closes_the_lesser_its_own_way(world: World) {
        let customer = world.post("accounts", r#"{"name":"A"}"#).await;
        let case = format!("{{\"title\":\"C\",\"customerid_account@odata.bind\":\"/accounts({customer})\"}}");
        for (table, set, body, state, status) in [
            ("contact", "contacts", r#"{"lastname":"L"}"#, 1, 2),
            ("lead", "leads", r#"{"lastname":"L","subject":"S"}"#, 2, 7),
            ("incident", "incidents", &case, 2, 2000),
        ] {
            let (greater, lesser) = (world.post(set, body).await, world.post(set, body).await);
            let answer = merge(&world, &world.admin(), &pair(table, &greater, &lesser)).await;
            assert_eq!(answer.status, 204, "{table} {}", answer.text());
            let row = world.get(&format!("{set}({lesser})")).await;
            assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(state), &json!(status)), "{table}");
            assert_eq!((&row["merged"], &row["_masterid_value"]), (&json!(true), &json!(greater)), "{table}");
        }
    }

    pub async fn merges_that_make_no_sense_are_refused(world: World) {
        let parents =
            [world.post("accounts", r#"{"name":"P"}"#).await, world.post("accounts", r#"{"name":"Q"}"#).await];
        let below = async |parent: &str| {
            let body = format!("{{\"name\":\"X\",\"parentaccountid@odata.bind\":\"/accounts({parent})\"}}");
            world.post("accounts", &body).await
        };
        let (one, two, three) = (below(&parents[0]).await, below(&parents[1]).await, below(&parents[0]).await);
        let admin = world.admin();
        let mut checked = pair("account", &one, &two);
        checked["PerformParentingChecks"] = json!(true);
        assert!(merge(&world, &admin, &checked).await.expect_error(400, "0x80040203").contains("parentaccountid"));
        let contact = world.post("contacts", r#"{"lastname":"L"}"#).await;
        let mut mixed = pair("account", &one, &two);
        mixed["Subordinate"] = json!({"@odata.id": format!("contacts({contact})")});
        let task = world.post("tasks", r#"{"subject":"T"}"#).await;
        let tasks = json!({"Target": {"@odata.id": format!("tasks({task})")}, "Subordinate": {"@odata.id": format!("tasks({task})")}});
        for body in [pair("account", &one, &one), mixed, tasks] {
            merge(&world, &admin, &body).await.expect_error(400, "0x80040203");
        }
        let gone = "00000000-0000-0000-0000-00000000dead";
        merge(&world, &admin, &pair("account", &one, gone)).await.expect_error(404, "0x80040217");
        let mut wrong = pair("account", &one, &three);
        wrong["UpdateContent"] = json!({"industrycode": 4711});
        merge(&world, &admin, &wrong).await.expect_error(400, "0x8004431A");
        wrong["UpdateContent"] = json!({"no": 1});
        merge(&world, &admin, &wrong).await.expect_error(400, "0x80060888");
        wrong["UpdateContent"] = Json::Null;
        wrong["PerformParentingChecks"] = json!("yes");
        merge(&world, &admin, &wrong).await.expect_error(400, "0x80048d19");
        assert_eq!(world.get(&format!("accounts({three})")).await["statecode"], 0);

        let mut same_parents = pair("account", &one, &three);
        same_parents["PerformParentingChecks"] = json!(true);
        assert_eq!(merge(&world, &admin, &same_parents).await.status, 204);
        // Neither again, nor into one that is closed.
        merge(&world, &admin, &same_parents).await.expect_error(400, "0x80040203");
        merge(&world, &admin, &pair("account", &three, &two)).await.expect_error(400, "0x80040203");
    }

    pub async fn merging_needs_the_privilege_and_both_records(world: World) {
        let (one, two) =
            (world.post("accounts", r#"{"name":"1"}"#).await, world.post("accounts", r#"{"name":"2"}"#).await);
        let body =
            format!("{{\"name\":\"Merger\",\"businessunitid@odata.bind\":\"/businessunits({})\"}}", world.seeded.unit);
        let role = world.post("roles", &body).await;
        let give = async |names: &[(&str, &str)]| {
            let given: Vec<_> = names
                .iter()
                .map(|(name, depth)| json!({"PrivilegeId": custodia_schema::privilege_id(name), "Depth": depth}))
                .collect();
            let path = format!("roles({role})/Microsoft.Dynamics.CRM.ReplacePrivilegesRole");
            world.ask("POST", &path, &[], &json!({"Privileges": given}).to_string()).await.expect(204);
        };
        let rights = |depth: &'static str| {
            [("prvReadAccount", "Global"), ("prvWriteAccount", depth), ("prvCreateAccount", "Basic")]
        };
        give(&rights("Global")).await;
        let merger = world.user("max", &["Merger"]).await;
        let message = merge(&world, &merger, &pair("account", &one, &two)).await.expect_error(403, "0x80040220");
        assert!(message.contains("prvMerge"), "{message}");
        give(&[&rights("Basic")[..], &[("prvMerge", "Global")]].concat()).await;
        let own = world.send(&merger, "POST", "accounts", &[], r#"{"name":"3"}"#).await.written_id();
        for body in [pair("account", &own, &one), pair("account", &one, &own)] {
            merge(&world, &merger, &body).await.expect_error(403, "0x80040220");
        }
        for id in [&one, &two, &own] {
            assert_eq!(world.get(&format!("accounts({id})")).await["statecode"], 0);
        }
        give(&[&rights("Global")[..], &[("prvMerge", "Global")]].concat()).await;
        assert_eq!(merge(&world, &merger, &pair("account", &one, &own)).await.status, 204);
    }
}
