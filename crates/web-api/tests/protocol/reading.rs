//! Single records, properties, navigation and addresses.

use crate::on_both_engines;

on_both_engines! {
    a_record_is_shown_with_all_its_columns_or_those_selected;
    a_record_is_found_by_every_form_of_key;
    a_known_version_is_not_sent_again;
    single_properties_are_read_alone;
    navigation_leads_to_records_and_collections;
    addresses_of_records_are_read_alone;
    related_records_are_expanded;
    collections_are_expanded_and_continued;
    the_same_question_is_answered_for_each_caller_record_and_moment;
    users_and_teams_tell_their_id_as_owners;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, START, World};

    pub async fn a_record_is_shown_with_all_its_columns_or_those_selected(world: World) {
        let id = world
            .post(
                "accounts",
                r#"{"name":"Žluťoučký \"kůň\"\n","revenue":1234.5,"numberofemployees":7,"creditonhold":true,
                    "industrycode":7,"address1_latitude":48.5,"lastonholdtime":"2024-02-29T10:00:00.5Z"}"#,
            )
            .await;
        let answer = world.ask("GET", &format!("accounts({id})"), &[], "").await;
        let all = answer.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json; odata.metadata=minimal"));
        assert_eq!(answer.header("cache-control"), None, "the server alone says who keeps answers");
        assert_eq!(all["@odata.context"], format!("{ROOT}$metadata#accounts/$entity"));
        assert_eq!(all["name"], "Žluťoučký \"kůň\"\n");
        assert_eq!(all["numberofemployees"], 7);
        assert_eq!(all["creditonhold"], true);
        assert_eq!(all["industrycode"], 7);
        assert_eq!(all["address1_latitude"].to_string(), "48.5");
        assert_eq!(all["lastonholdtime"], "2024-02-29T10:00:00Z");
        assert_eq!(all["createdon"], START);
        assert_eq!(all["revenue"].to_string(), "1234.5000");
        assert_eq!(all["accountid"], id.as_str());
        assert_eq!(all["fax"], Json::Null);
        assert_eq!(all["_ownerid_value"], world.seeded.administrator.to_string());
        assert!(all.get("ownerid").is_none() && all.get("entityimage").is_none());
        assert!(!answer.text().contains("FormattedValue"));
        let version = all["versionnumber"].as_i64().unwrap();
        assert_eq!(all["@odata.etag"], format!("W/\"{version}\""));

        // The context, the entity tag, the columns in the order asked, the currency of an amount, the id.
        let some = world.ask("GET", &format!("accounts({id})?$select=revenue,fax,name"), &[], "").await;
        let currency = all["_transactioncurrencyid_value"].as_str().unwrap();
        assert_eq!(
            some.text(),
            format!(
                "{{\"@odata.context\":\"{ROOT}$metadata#accounts(revenue,fax,name)/$entity\",\
                 \"@odata.etag\":\"W/\\\"{version}\\\"\",\"revenue\":1234.5000,\"fax\":null,\
                 \"name\":\"Žluťoučký \\\"kůň\\\"\\n\",\"_transactioncurrencyid_value\":\"{currency}\",\
                 \"accountid\":\"{id}\"}}"
            )
        );
        // Without anything about itself, and with everything.
        let none = world
            .ask(
                "GET",
                &format!("accounts({id})?$select=name"),
                &[("accept", "application/json;odata.metadata=none")],
                "",
            )
            .await;
        assert_eq!(none.header("content-type"), Some("application/json; odata.metadata=none"));
        assert_eq!(none.expect(200).as_object().unwrap().keys().collect::<Vec<_>>(), ["accountid", "name"]);
        let full = world
            .ask(
                "GET",
                &format!("accounts({id})?$select=revenue"),
                &[("accept", "application/json; odata.metadata=full; IEEE754Compatible=true")],
                "",
            )
            .await
            .expect(200);
        assert_eq!(full["@odata.id"], format!("{ROOT}accounts({id})"));
        assert_eq!(full["@odata.type"], "#Microsoft.Dynamics.CRM.account");
        assert_eq!(full["@odata.editLink"], format!("accounts({id})"));
        assert_eq!(full["revenue"], "1234.5000");
    }

    pub async fn a_record_is_found_by_every_form_of_key(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let upper = id.to_uppercase();
        for key in [&id, &upper, &format!("{{{id}}}"), &format!("accountid={id}"), &"accountid=@p".to_owned()] {
            let found = world.get(&format!("accounts({key})?$select=name&@p={id}")).await;
            assert_eq!((found["name"].as_str(), found["accountid"].as_str()), (Some("A"), Some(id.as_str())), "{key}");
        }
        let currency = world.get("transactioncurrencies(isocurrencycode='usd')?$select=currencyname").await;
        assert_eq!(currency["currencyname"], "US Dollar");
        world.ask("GET", "transactioncurrencies(isocurrencycode='XYZ')", &[], "").await.expect_error(404, "0x80060891");
        let missing = "00000000-0000-0000-0000-00000000dead";
        let message = world.ask("GET", &format!("accounts({missing})"), &[], "").await.expect_error(404, "0x80040217");
        assert_eq!(message, format!("account With Id = {missing} Does Not Exist"));
        world.ask("GET", "accounts(nonsense)", &[], "").await.expect(400);
        world.ask("GET", "nothings", &[], "").await.expect_error(404, "0x8006088a");
    }

    pub async fn a_known_version_is_not_sent_again(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({id})?$select=name");
        let tag = world.get(&path).await["@odata.etag"].as_str().unwrap().to_owned();
        let answer = world.ask("GET", &path, &[("if-none-match", &tag)], "").await;
        assert_eq!(answer.status, 304);
        world.ask("GET", &path, &[("if-none-match", "null")], "").await.expect(200);
        world.ask("GET", &path, &[("if-none-match", "W/\"1\"")], "").await.expect(200);
        // Collections within the record may have changed although it has not.
        let expanding = format!("{path}&$expand=contact_customer_accounts($select=fullname)");
        world.ask("GET", &expanding, &[("if-none-match", &tag)], "").await.expect(200);
        world.ask("PATCH", &format!("accounts({id})"), &[], r#"{"name":"B"}"#).await.expect(204);
        assert_eq!(world.ask("GET", &path, &[("if-none-match", &tag)], "").await.expect(200)["name"], "B");
    }

    pub async fn single_properties_are_read_alone(world: World) {
        let id = world.post("accounts", r#"{"name":"A \"b\"","revenue":5,"numberofemployees":12}"#).await;
        let name = world.get(&format!("accounts({id})/name")).await;
        assert_eq!(name, json!({"@odata.context": format!("{ROOT}$metadata#accounts({id})/name"), "value": "A \"b\""}));
        assert_eq!(world.get(&format!("accounts({id})/numberofemployees")).await["value"], 12);
        let owner = world.get(&format!("accounts({id})/_ownerid_value")).await;
        assert_eq!(owner["value"], world.seeded.administrator.to_string());
        assert_eq!(world.ask("GET", &format!("accounts({id})/fax"), &[], "").await.status, 204);
        let raw = world.ask("GET", &format!("accounts({id})/name/$value"), &[], "").await;
        assert_eq!((raw.status, raw.text()), (200, "A \"b\""));
        assert!(raw.header("content-type").unwrap().starts_with("text/plain"));
        assert_eq!(world.ask("GET", &format!("accounts({id})/revenue/$value"), &[], "").await.text(), "5.0000");
        assert_eq!(world.ask("GET", &format!("accounts({id})/fax/$value"), &[], "").await.status, 204);
        world.ask("GET", &format!("accounts({id})/nonsense"), &[], "").await.expect_error(404, "0x8006088a");
        let competitor = world.post("competitors", r#"{"name":"C"}"#).await;
        world.ask("GET", &format!("competitors({competitor})/entityimage"), &[], "").await.expect(501);
        let missing = "00000000-0000-0000-0000-00000000dead";
        world.ask("GET", &format!("accounts({missing})/name"), &[], "").await.expect_error(404, "0x80040217");
    }

    /// An account with two contacts, one of them its primary one.
    async fn family(world: &World) -> (String, String, String) {
        let account = world.post("accounts", r#"{"name":"Contoso"}"#).await;
        let contact = |name: &'static str| {
            let body =
                format!("{{\"lastname\":\"{name}\",\"parentcustomerid_account@odata.bind\":\"/accounts({account})\"}}");
            async move { world.post("contacts", &body).await }
        };
        let (ann, bob) = (contact("Ann").await, contact("Bob").await);
        let body = format!("{{\"primarycontactid@odata.bind\":\"/contacts({ann})\"}}");
        world.ask("PATCH", &format!("accounts({account})"), &[], &body).await.expect(204);
        (account, ann, bob)
    }

    pub async fn navigation_leads_to_records_and_collections(world: World) {
        let (account, ann, bob) = family(&world).await;
        let primary = world.get(&format!("accounts({account})/primarycontactid?$select=lastname")).await;
        assert_eq!(primary["lastname"], "Ann");
        assert_eq!(primary["@odata.context"], format!("{ROOT}$metadata#contacts(lastname)/$entity"));
        // A lookup to several tables has a navigation for each; the owner has one for both.
        let parent = world.get(&format!("contacts({bob})/parentcustomerid_account?$select=name")).await;
        assert_eq!(parent["name"], "Contoso");
        assert_eq!(world.ask("GET", &format!("contacts({bob})/parentcustomerid_contact"), &[], "").await.status, 204);
        let owner = world.get(&format!("contacts({bob})/ownerid?$select=fullname")).await;
        assert_eq!(owner["systemuserid"], world.seeded.administrator.to_string());
        assert_eq!(world.ask("GET", &format!("accounts({account})/parentaccountid"), &[], "").await.status, 204);

        let path = format!("accounts({account})/contact_customer_accounts");
        let contacts = world.get(&format!("{path}?$select=lastname&$orderby=lastname desc&$count=true")).await;
        let names: Vec<_> = contacts["value"].as_array().unwrap().iter().map(|row| row["lastname"].clone()).collect();
        assert_eq!(names, ["Bob", "Ann"]);
        assert_eq!(contacts["@odata.count"], 2);
        assert_eq!(contacts["@odata.context"], format!("{ROOT}$metadata#contacts(lastname)"));
        let filtered = world.get(&format!("{path}?$filter=lastname eq 'ann'&$select=lastname")).await;
        assert_eq!(filtered["value"][0]["contactid"], ann.as_str());
        assert_eq!(world.ask("GET", &format!("{path}/$count"), &[], "").await.text(), "2");
        assert_eq!(world.get(&format!("{path}({ann})?$select=lastname")).await["lastname"], "Ann");
        let stranger = world.post("contacts", r#"{"lastname":"Carl"}"#).await;
        world.ask("GET", &format!("{path}({stranger})"), &[], "").await.expect_error(404, "0x80040217");
        let missing = "00000000-0000-0000-0000-00000000dead";
        world
            .ask("GET", &format!("accounts({missing})/contact_customer_accounts"), &[], "")
            .await
            .expect_error(404, "0x80040217");
    }

    pub async fn addresses_of_records_are_read_alone(world: World) {
        let (account, ann, bob) = family(&world).await;
        let one = world.get(&format!("accounts({account})/primarycontactid/$ref")).await;
        assert_eq!(
            one,
            json!({"@odata.context": format!("{ROOT}$metadata#$ref"), "@odata.id": format!("{ROOT}contacts({ann})")})
        );
        let all = world.get(&format!("accounts({account})/contact_customer_accounts/$ref?$orderby=lastname")).await;
        assert_eq!(
            all["value"],
            json!([{"@odata.id": format!("{ROOT}contacts({ann})")}, {"@odata.id": format!("{ROOT}contacts({bob})")}])
        );
        assert_eq!(world.ask("GET", &format!("accounts({account})/parentaccountid/$ref"), &[], "").await.status, 204);
    }

    pub async fn related_records_are_expanded(world: World) {
        let (account, ann, _) = family(&world).await;
        let body = world
            .get(&format!(
                "accounts({account})?$select=name&$expand=primarycontactid($select=lastname),parentaccountid,ownerid($select=ownerid)"
            ))
            .await;
        assert_eq!(body["primarycontactid"]["lastname"], "Ann");
        assert_eq!(body["primarycontactid"]["contactid"], ann.as_str());
        assert!(body["primarycontactid"]["@odata.etag"].as_str().unwrap().starts_with("W/\""));
        assert_eq!(body["parentaccountid"], Json::Null);
        let owner = json!({
            "@odata.etag": body["ownerid"]["@odata.etag"],
            "@odata.type": "#Microsoft.Dynamics.CRM.systemuser",
            "ownerid": world.seeded.administrator,
            "systemuserid": world.seeded.administrator,
        });
        assert_eq!(body["ownerid"], owner);
        assert_eq!(
            body["@odata.context"],
            format!("{ROOT}$metadata#accounts(name,primarycontactid(lastname),parentaccountid(),ownerid())/$entity")
                .replace(
                    "ownerid()",
                    body["@odata.context"]
                        .as_str()
                        .unwrap()
                        .rsplit_once("parentaccountid(),")
                        .unwrap()
                        .1
                        .trim_end_matches(")/$entity")
                )
        );
        let list = world.get("accounts?$select=name&$expand=primarycontactid($select=fullname)").await;
        assert_eq!(list["value"][0]["primarycontactid"]["contactid"], ann.as_str());
    }

    pub async fn collections_are_expanded_and_continued(world: World) {
        let (account, ..) = family(&world).await;
        let empty = world.post("accounts", r#"{"name":"Empty"}"#).await;
        let target = "accounts?$select=name&$orderby=name&$expand=contact_customer_accounts($select=lastname;$orderby=lastname),primarycontactid($select=lastname)";
        let list = world.get(target).await;
        let rows = list["value"].as_array().unwrap();
        assert_eq!(rows[0]["accountid"], account.as_str());
        let names: Vec<_> = rows[0]["contact_customer_accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["lastname"].clone())
            .collect();
        assert_eq!(names, ["Ann", "Bob"]);
        assert_eq!(rows[0]["primarycontactid"]["lastname"], "Ann");
        assert!(rows[0].get("contact_customer_accounts@odata.nextLink").is_none());
        assert_eq!(
            (rows[1]["accountid"].as_str(), &rows[1]["contact_customer_accounts"]),
            (Some(empty.as_str()), &json!([]))
        );

        // A page size holds for collections within records too; their own link goes on.
        let page = world.ask("GET", target, &[("prefer", "odata.maxpagesize=1")], "").await.expect(200);
        let row = &page["value"][0];
        assert_eq!(row["contact_customer_accounts"].as_array().unwrap().len(), 1);
        let link = row["contact_customer_accounts@odata.nextLink"].as_str().unwrap();
        let rest = world.get(link.strip_prefix(ROOT).unwrap()).await;
        assert_eq!(rest["value"].as_array().unwrap().len(), 1, "{rest}");
        assert_eq!(rest["value"][0]["lastname"], "Bob");
        assert!(rest["value"][0].get("firstname").is_none(), "the selection goes with the link");

        let top = world
            .get(&format!("accounts({account})?$expand=contact_customer_accounts($top=1;$filter=lastname ne 'ann')"))
            .await;
        assert_eq!(top["contact_customer_accounts"][0]["lastname"], "Bob");
    }

    /// What a question was compiled to is kept; nothing of it may outlive what it was compiled from.
    pub async fn the_same_question_is_answered_for_each_caller_record_and_moment(world: World) {
        let first = world.post("accounts", r#"{"name":"First","fax":"555-1"}"#).await;
        let second = world.post("accounts", r#"{"name":"Second","fax":"555-2"}"#).await;
        let (one, other) = (world.user("one", &["Basic User"]).await, world.user("other", &["Basic User"]).await);
        let question = |id: &str| format!("accounts({id})?$select=name,fax,createdon");
        let seen = async |caller: &custodia_org::Caller, id: &str| {
            let answer = world.send(caller, "GET", &question(id), &[], "").await;
            match answer.status {
                200 => format!("{} {}", answer.json()["name"].as_str().unwrap(), answer.json()["fax"]),
                status => status.to_string(),
            }
        };
        let admin = world.admin();
        // Nobody has shared an account before: what is compiled now looks for no shares.
        for _ in 0..2 {
            assert_eq!(seen(&admin, &first).await, "First \"555-1\"");
            assert_eq!(seen(&admin, &second).await, "Second \"555-2\"");
            assert_eq!(seen(&one, &first).await, "403");
        }
        let share = |verb: &str, extra: Json| {
            let mut body = json!({"Target": {"accountid": first, "@odata.type": "Microsoft.Dynamics.CRM.account"}});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            (verb.to_owned(), body.to_string())
        };
        let principal =
            json!({"systemuserid": one.user.to_string(), "@odata.type": "Microsoft.Dynamics.CRM.systemuser"});
        let grant =
            share("GrantAccess", json!({"PrincipalAccess": {"Principal": principal, "AccessMask": "ReadAccess"}}));
        let revoke = share("RevokeAccess", json!({"Revokee": principal}));
        for _ in 0..2 {
            world.ask("POST", &grant.0, &[], &grant.1).await.expect(204);
            assert_eq!(seen(&one, &first).await, "First \"555-1\"");
            assert_eq!((seen(&one, &second).await, seen(&other, &first).await), ("403".to_owned(), "403".to_owned()));
            world.ask("POST", &revoke.0, &[], &revoke.1).await.expect(204);
            assert_eq!(seen(&one, &first).await, "403");
        }
        world.ask("POST", &grant.0, &[], &grant.1).await.expect(204);

        let accounts = world.org.schema().table_named("account").unwrap().clone();
        let fax = accounts.column("fax").unwrap().id;
        for secured in [true, false, true] {
            world.org.secure_column(&admin, accounts.id, fax, secured).await.unwrap();
            let shown = if secured { "First null" } else { "First \"555-1\"" };
            assert_eq!(seen(&one, &first).await, shown);
            assert_eq!(seen(&admin, &first).await, "First \"555-1\"");
        }
        // The same words mean something else with another preference, and with another form of the answer.
        let annotated = ("prefer", "odata.include-annotations=\"*\"");
        let plain = world.ask("GET", &question(&second), &[], "").await.json();
        let with = world.ask("GET", &question(&second), &[annotated], "").await.json();
        let without = world
            .ask("GET", &question(&second), &[("accept", "application/json;odata.metadata=none")], "")
            .await
            .json();
        assert_ne!(plain, with);
        assert!(plain["@odata.context"].is_string() && without["@odata.context"].is_null());
        assert_eq!(world.ask("GET", &question(&second), &[], "").await.json(), plain);
        // A table that did not exist has rows now.
        let contact = format!("accounts({second})?$select=_primarycontactid_value");
        let named = async || world.ask("GET", &contact, &[annotated], "").await.expect(200);
        let name = "_primarycontactid_value@OData.Community.Display.V1.FormattedValue";
        assert_eq!(named().await[name], Json::Null);
        let person = world.post("contacts", r#"{"lastname":"Lovelace"}"#).await;
        let patch = json!({"primarycontactid@odata.bind": format!("/contacts({person})")}).to_string();
        world.ask("PATCH", &format!("accounts({second})"), &[], &patch).await.expect(204);
        assert_eq!(named().await[name], "Lovelace");
        // A role more.
        assert_eq!(seen(&other, &second).await, "403");
        world.give_role(&other, "System Administrator").await;
        assert_eq!(seen(&other, &second).await, "Second \"555-2\"");
        // What was deleted is gone.
        world.ask("DELETE", &format!("accounts({second})"), &[], "").await.expect(204);
        assert_eq!((seen(&admin, &second).await.as_str(), seen(&one, &second).await.as_str()), ("404", "404"));
    }

    /// `ownerid` of a user or a team is its own id, as of every principal.
    pub async fn users_and_teams_tell_their_id_as_owners(world: World) {
        for (set, key) in [("systemusers", "systemuserid"), ("teams", "teamid")] {
            let first = world.get(&format!("{set}?$top=1&$select={key}")).await["value"][0].clone();
            let id = first[key].as_str().unwrap().to_owned();
            assert_eq!(first["ownerid"], id.as_str(), "{first}");
            let asked = format!("{set}?$select=ownerid&$filter=ownerid eq {id}&$orderby=ownerid");
            let found = world.get(&asked).await;
            assert_eq!(found["value"].as_array().unwrap().len(), 1);
            assert_eq!(found["value"][0]["ownerid"], id.as_str());
            assert_eq!(world.get(&format!("{set}({id})")).await["ownerid"], id.as_str());
            assert_eq!(world.get(&format!("{set}({id})/ownerid")).await["value"], id.as_str());
            // Clients send back what they read.
            let path = format!("{set}({id})");
            let sent = if set == "teams" { "description" } else { "title" };
            let sent = format!(r#"{{"ownerid":"{id}","{sent}":"T"}}"#);
            world.ask("PATCH", &path, &[], &sent).await.expect(204);
        }
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let shown = format!("accounts({account})?$select=name&$expand=owninguser($select=ownerid)");
        let owner = &world.get(&shown).await["owninguser"];
        assert_eq!(owner["ownerid"], owner["systemuserid"]);
        assert!(owner["ownerid"].is_string());
        // It keeps the name that it was asked for by, in contexts and in groups.
        let id = world.seeded.administrator.to_string();
        let context = |what: &str| format!("{ROOT}$metadata#{what}");
        for (asked, told) in [
            ("systemusers?$select=ownerid".to_owned(), "systemusers(ownerid)".to_owned()),
            ("systemusers?$select=ownerid,systemuserid".to_owned(), "systemusers(systemuserid,ownerid)".to_owned()),
            (format!("systemusers({id})/ownerid"), format!("systemusers({id})/ownerid")),
            (format!("systemusers({id})/systemuserid"), format!("systemusers({id})/systemuserid")),
            (format!("systemusers({id})?$select=ownerid"), "systemusers(ownerid)/$entity".to_owned()),
            (
                format!("accounts({account})?$select=name&$expand=owninguser($select=ownerid)"),
                "accounts(name,owninguser(ownerid))/$entity".to_owned(),
            ),
        ] {
            assert_eq!(world.get(&asked).await["@odata.context"], context(&told), "{asked}");
        }
        for (asked, group) in [
            ("systemusers?$apply=filter(ownerid eq OWN)/groupby((ownerid))&$orderby=ownerid", json!({"ownerid": id})),
            (
                "systemusers?$apply=filter(ownerid eq OWN)/groupby((ownerid,systemuserid))",
                json!({"ownerid": id, "systemuserid": id}),
            ),
            ("accounts?$apply=groupby((owninguser/ownerid))", json!({"systemuser_ownerid": id})),
            ("accounts?$apply=groupby((owninguser/systemuserid))", json!({"systemuser_systemuserid": id})),
            ("accounts?$apply=groupby((ownerid/ownerid))", json!({"_ownerid_value": id})),
        ] {
            let found = world.get(&asked.replace("OWN", &id)).await;
            assert_eq!(found["value"], json!([group]), "{asked}");
        }
        // Other records have no such property.
        world.ask("GET", "businessunits?$select=ownerid", &[], "").await.expect(400);
    }
}
