//! Jobs over the protocol: `BulkDelete`, and the records by which clients follow what becomes of it.

use crate::on_both_engines;

on_both_engines! {
    a_bulk_delete_is_a_job_that_clients_follow;
    queries_are_taken_as_they_are_meant_or_not_at_all;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, ROOT, World};

    async fn ask(world: &World, body: &Json) -> Answer {
        world.ask("POST", "BulkDelete", &[], &body.to_string()).await
    }

    fn of(query: Json) -> Json {
        json!({"QuerySet": [query], "JobName": "Old ones"})
    }

    pub async fn a_bulk_delete_is_a_job_that_clients_follow(world: World) {
        let ids = [world.post("accounts", r#"{"name":"A"}"#).await, world.post("accounts", r#"{"name":"B"}"#).await];
        // As the official Python client sends it.
        let values: Vec<_> = ids.iter().map(|id| json!({"Value": id, "Type": "System.Guid"})).collect();
        let body = json!({
            "JobName": "Bulk delete account records @ 2026-01-02T03:04:05Z",
            "SendEmailNotification": false,
            "ToRecipients": [],
            "CCRecipients": [],
            "RecurrencePattern": "",
            "StartDateTime": "2026-01-02T03:04:05Z",
            "QuerySet": [{
                "@odata.type": "Microsoft.Dynamics.CRM.QueryExpression",
                "EntityName": "account",
                "ColumnSet": {"@odata.type": "Microsoft.Dynamics.CRM.ColumnSet", "AllColumns": false, "Columns": []},
                "Criteria": {
                    "@odata.type": "Microsoft.Dynamics.CRM.FilterExpression",
                    "FilterOperator": "And",
                    "Conditions": [{
                        "@odata.type": "Microsoft.Dynamics.CRM.ConditionExpression",
                        "AttributeName": "accountid",
                        "Operator": "In",
                        "Values": values,
                    }],
                },
            }],
        });
        let made = ask(&world, &body).await.expect(200);
        assert_eq!(made["@odata.context"], format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"));
        let job = made["JobId"].as_str().unwrap();
        let shown = world.get(&format!("asyncoperations({job})")).await;
        assert_eq!(
            (&shown["statecode"], &shown["statuscode"], &shown["operationtype"]),
            (&json!(0), &json!(0), &json!(13))
        );
        assert_eq!(shown["name"], body["JobName"]);
        // What the service keeps for itself is shown to nobody, and set by nobody.
        assert!(shown.get("workflowstate").is_none());
        let below = format!(
            "bulkdeleteoperations?$filter=_asyncoperationid_value eq {job}&$select=successcount,failurecount,statecode"
        );
        let operation = &world.get(&below).await["value"][0];
        assert_eq!(
            (&operation["successcount"], &operation["failurecount"], &operation["statecode"]),
            (&json!(0), &json!(0), &json!(0))
        );
        // Another user neither sees it nor cancels it.
        let sam = world.user("sam", &["Basic User"]).await;
        world.send(&sam, "GET", &format!("asyncoperations({job})"), &[], "").await.expect_error(403, "0x80040220");
        let cancel = json!({"statecode": 3, "statuscode": 32}).to_string();
        world
            .send(&sam, "PATCH", &format!("asyncoperations({job})"), &[], &cancel)
            .await
            .expect_error(403, "0x80040220");
        world.send(&sam, "POST", "BulkDelete", &[], &body.to_string()).await.expect_error(403, "0x80040220");
        let wrong = json!({"statecode": 3, "statuscode": 30}).to_string();
        let told = world.ask("PATCH", &format!("asyncoperations({job})"), &[], &wrong).await;
        assert!(told.expect_error(400, "0x80040203").contains("statuscode 32"));
        world.ask("DELETE", &format!("asyncoperations({job})"), &[], "").await.expect_error(400, "0x80040203");
        world.ask("PATCH", &format!("asyncoperations({job})"), &[], &cancel).await.expect(204);
        let shown = world.get(&format!("asyncoperations({job})?$select=statecode,statuscode,completedon")).await;
        assert_eq!((&shown["statecode"], &shown["statuscode"]), (&json!(3), &json!(32)));
        assert!(shown["completedon"].is_string());
        world.ask("DELETE", &format!("asyncoperations({job})"), &[], "").await.expect(204);
        // One that is gone is cancelled by nobody, and no other is made of it.
        let gone = format!("asyncoperations({job})");
        for headers in [&[][..], &[("if-none-match", "*")], &[("if-match", "*")]] {
            world.ask("PATCH", &gone, headers, &cancel).await.expect_error(404, "0x80040217");
        }
        world.ask("GET", &gone, &[], "").await.expect_error(404, "0x80040217");
        assert_eq!(world.get(&below).await["value"], json!([]));

        // Later, and within a change set.
        let mut later = body.clone();
        later["StartDateTime"] = json!("2027-01-01T00:00:00Z");
        let job = ask(&world, &later).await.expect(200)["JobId"].clone();
        let shown = world.get(&format!("asyncoperations({})", job.as_str().unwrap())).await;
        assert_eq!((&shown["statecode"], &shown["statuscode"]), (&json!(1), &json!(10)));
        assert_eq!(shown["postponeuntil"], "2027-01-01T00:00:00Z");
        // So many are taken and no more.
        for _ in 0..99 {
            ask(&world, &body).await.expect(200);
        }
        assert!(ask(&world, &body).await.expect_error(429, "0x80072326").contains("100 jobs"));
    }

    pub async fn queries_are_taken_as_they_are_meant_or_not_at_all(world: World) {
        let kept = async |query: Json| {
            let job = ask(&world, &of(query)).await.expect(200)["JobId"].as_str().unwrap().to_owned();
            let path =
                format!("bulkdeleteoperations?$filter=_asyncoperationid_value eq {job}&$select=orderedquerysetxml");
            world.get(&path).await["value"][0]["orderedquerysetxml"].as_str().unwrap().to_owned()
        };
        let all = kept(json!({"EntityName": "account"})).await;
        assert_eq!(all, "<fetch><entity name=\"account\"><no-attrs/></entity></fetch>");
        let nested = kept(json!({
            "EntityName": "account",
            "Distinct": true,
            "NoLock": true,
            "PageInfo": {"PageNumber": 1, "Count": 0},
            "Criteria": {
                "FilterOperator": "Or",
                "Conditions": [
                    {"AttributeName": "name", "Operator": "BeginsWith", "Values": ["A<"]},
                    {"AttributeName": "modifiedon", "Operator": "OlderThanXMonths", "Values": [{"Value": 6, "Type": "System.Int32"}]},
                ],
                "Filters": [{"FilterOperator": "And", "Conditions": [
                    {"AttributeName": "donotemail", "Operator": "Equal", "Values": [true]},
                    {"AttributeName": "address1_city", "Operator": "Equal", "CompareColumns": true, "Values": ["address2_city"]},
                    {"AttributeName": "ownerid", "Operator": "EqualUserId", "Values": []},
                ]}],
            },
            "LinkEntities": [{
                "LinkFromEntityName": "account", "LinkFromAttributeName": "primarycontactid",
                "LinkToEntityName": "contact", "LinkToAttributeName": "contactid",
                "JoinOperator": "Inner", "EntityAlias": "c",
                "LinkCriteria": {"FilterOperator": "And", "Conditions": [{"AttributeName": "lastname", "Operator": "Null"}]},
            }],
        }))
        .await;
        let expected = "<fetch><entity name=\"account\"><no-attrs/><filter type=\"or\">\
            <condition attribute=\"name\" operator=\"begins-with\" value=\"A&lt;\"/>\
            <condition attribute=\"modifiedon\" operator=\"olderthan-x-months\" value=\"6\"/>\
            <filter type=\"and\"><condition attribute=\"donotemail\" operator=\"eq\" value=\"1\"/>\
            <condition attribute=\"address1_city\" operator=\"eq\" valueof=\"address2_city\"/>\
            <condition attribute=\"ownerid\" operator=\"eq-userid\"/></filter></filter>\
            <link-entity name=\"contact\" from=\"contactid\" to=\"primarycontactid\" alias=\"c\" link-type=\"inner\"><no-attrs/>\
            <filter type=\"and\"><condition attribute=\"lastname\" operator=\"null\"/></filter></link-entity></entity></fetch>";
        assert_eq!(nested, expected);

        // A test that is not understood is no reason to delete without it.
        let condition = |condition: Json| json!({"EntityName": "account", "Criteria": {"FilterOperator": "And", "Conditions": [condition]}});
        for (query, status, code) in [
            (json!({}), 400, "0x80048d19"),
            (json!({"EntityName": "nothing"}), 400, "0x80041102"),
            (json!({"EntityName": "account", "TopCount": 5}), 501, "0x80060888"),
            (json!({"EntityName": "account", "PageInfo": {"PageNumber": 2, "Count": 10}}), 501, "0x80060888"),
            (json!({"EntityName": "account", "Criterion": {}}), 501, "0x80060888"),
            (
                json!({"EntityName": "account", "@odata.type": "Microsoft.Dynamics.CRM.FetchExpression"}),
                400,
                "0x80048d19",
            ),
            (json!({"EntityName": "account", "Criteria": {"FilterOperator": "Xor"}}), 400, "0x80048d19"),
            (condition(json!({"AttributeName": "nothing", "Operator": "Null"})), 400, "0x80041103"),
            (condition(json!({"AttributeName": "name", "Operator": "Mask", "Values": ["a"]})), 501, "0x80060888"),
            (condition(json!({"AttributeName": "name", "Operator": "Contains", "Values": ["a"]})), 501, "0x80060888"),
            (condition(json!({"AttributeName": "name", "Operator": "eq", "Values": ["a"]})), 400, "0x80048d19"),
            (condition(json!({"AttributeName": "name", "Operator": "equal", "Values": ["a"]})), 400, "0x80048d19"),
            (condition(json!({"AttributeName": "name", "Operator": "Equal", "Values": [null]})), 400, "0x80048d19"),
            (condition(json!({"AttributeName": "name", "Operator": "Equal", "Values": ["a", "b"]})), 400, "0x8004111A"),
            (condition(json!({"AttributeName": "name"})), 400, "0x80048d19"),
        ] {
            ask(&world, &of(query)).await.expect_error(status, code);
        }
        let equals = condition(json!({"AttributeName": "name", "Operator": "Equals", "Values": ["a"]}));
        let told = ask(&world, &of(equals)).await;
        let problem = "there is no operator 'Equals'; use names of the SDK such as Equal, Like, OnOrAfter";
        assert!(told.expect_error(400, "0x80048d19").ends_with(problem));
        for (body, status, code) in [
            (json!({}), 400, "0x80048d19"),
            (json!({"QuerySet": []}), 400, "0x80048d19"),
            (json!({"QuerySet": [{"EntityName": "account"}], "RecurrencePattern": "FREQ=DAILY;"}), 501, "0x80060888"),
            (json!({"QuerySet": [{"EntityName": "account"}], "SendEmailNotification": true}), 501, "0x80060888"),
            (json!({"QuerySet": [{"EntityName": "account"}], "StartDateTime": "soon"}), 400, "0x80048d19"),
            (json!({"QuerySet": [{"EntityName": "account"}], "JobName": "x".repeat(257)}), 400, "0x80044331"),
            (json!({"QuerySet": [{"EntityName": "account"}], "Jobname": "x"}), 400, "0x80048d19"),
            (json!({"QuerySet": vec![json!({"EntityName": "account"}); 51]}), 400, "0x80060888"),
        ] {
            ask(&world, &body).await.expect_error(status, code);
        }
        // A member of another type is wrong, and not as good as absent: other records would be deleted than meant.
        let equal = |member: &str, value: Json| {
            let mut equal = json!({"AttributeName": "name", "Operator": "Equal", "Values": ["a"]});
            equal[member] = value;
            of(condition(equal))
        };
        let page = |member: &str, value: Json| of(json!({"EntityName": "account", "PageInfo": {member: value}}));
        let with = |member: &str, value: Json| {
            let mut body = of(json!({"EntityName": "account"}));
            body[member] = value;
            body
        };
        let link = |member: &str, value: Json| {
            let mut link = json!({
                "LinkFromAttributeName": "primarycontactid",
                "LinkToEntityName": "contact", "LinkToAttributeName": "contactid",
            });
            link[member] = value;
            of(json!({"EntityName": "account", "LinkEntities": [link]}))
        };
        for (member, body) in [
            ("CompareColumns", equal("CompareColumns", json!("true"))),
            ("CompareColumns", equal("CompareColumns", json!(1))),
            ("EntityName", equal("EntityName", json!(5))),
            ("PageNumber", page("PageNumber", json!("2"))),
            ("PageNumber", page("PageNumber", json!(1.0))),
            ("PageNumber", page("PageNumber", json!(-1))),
            ("Count", page("Count", json!("1"))),
            ("PagingCookie", page("PagingCookie", json!(1))),
            ("ReturnTotalRecordCount", page("ReturnTotalRecordCount", json!("false"))),
            ("RunNow", with("RunNow", json!("true"))),
            ("RunNow", with("RunNow", json!(1))),
            ("SendEmailNotification", with("SendEmailNotification", json!("true"))),
            ("RecurrencePattern", with("RecurrencePattern", json!(1))),
            ("JobName", with("JobName", json!(1))),
            ("JoinOperator", link("JoinOperator", json!(1))),
            ("EntityAlias", link("EntityAlias", json!(1))),
        ] {
            let told = ask(&world, &body).await.expect_error(400, "0x80048d19");
            assert!(told.contains(&format!("'{member}' is ")), "{told}");
        }
        ask(&world, &page("PagingCookie", json!("<cookie/>"))).await.expect_error(501, "0x80060888");
        let mut deep = json!({"FilterOperator": "And", "Conditions": []});
        for _ in 0..100 {
            deep = json!({"FilterOperator": "And", "Filters": [deep]});
        }
        ask(&world, &of(json!({"EntityName": "account", "Criteria": deep}))).await.expect_error(400, "0x80060888");
        assert_eq!(world.get("asyncoperations?$select=name").await["value"].as_array().unwrap().len(), 2);
    }
}
