//! Expansions within each other: both kinds of navigation, references, levels, and the links to further pages.

use crate::on_both_engines;
use crate::world::{Engine, World};

on_both_engines! {
    expansions_stand_within_each_other;
    nested_collections_go_on_where_they_end;
    answers_read_so_many_collections_and_link_the_rest;
    parties_lead_to_their_activity_by_its_type;
}

/// Navigations that one request asks for.
const EXPANDED_AT_ONCE: usize = 15;

/// What `$metadata` declares, requests take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_navigation_that_is_declared_is_expanded() {
    let world = World::new(Engine::Sqlite).await;
    let metadata = world.ask("GET", "$metadata", &[], "").await;
    let document = roxmltree::Document::parse(metadata.text()).unwrap();
    let mut failed = Vec::new();
    let mut expanded = 0;
    for table in document.descendants().filter(|node| node.has_tag_name("EntityType")) {
        let schema = world.org.schema();
        let Some(table_of) = table.attribute("Name").and_then(|name| schema.table_named(name)) else { continue };
        if table_of.set_name.is_empty() {
            continue;
        }
        let navigations: Vec<_> = table
            .children()
            .filter(|node| node.has_tag_name("NavigationProperty"))
            .filter_map(|node| node.attribute("Name"))
            .collect();
        let id = &table_of.column_by_id(table_of.primary_id).unwrap().name;
        for some in navigations.chunks(EXPANDED_AT_ONCE) {
            let target = format!("{}?$top=1&$select={id}&$expand={}", table_of.set_name, some.join(","));
            let answer = world.ask("GET", &target, &[], "").await;
            expanded += some.len();
            if answer.status != 200 {
                failed.push(format!("{target}: {} {}", answer.status, answer.text()));
            }
        }
    }
    assert!(expanded > 2_000, "only {expanded} are declared");
    assert!(failed.is_empty(), "{failed:#?}");
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    /// Two accounts, one below the other; each with two contacts; the first is the primary contact of both.
    async fn tree(world: &World) -> (String, String, Vec<String>) {
        let top = world.post("accounts", r#"{"name":"Top"}"#).await;
        let below = world
            .post("accounts", &format!("{{\"name\":\"Below\",\"parentaccountid@odata.bind\":\"/accounts({top})\"}}"))
            .await;
        let mut contacts = Vec::new();
        for (name, account) in [("A", &top), ("B", &top), ("C", &below), ("D", &below)] {
            let body =
                format!("{{\"lastname\":\"{name}\",\"parentcustomerid_account@odata.bind\":\"/accounts({account})\"}}");
            contacts.push(world.post("contacts", &body).await);
        }
        for account in [&top, &below] {
            let primary = format!("{{\"primarycontactid@odata.bind\":\"/contacts({})\"}}", contacts[0]);
            world.ask("PATCH", &format!("accounts({account})"), &[], &primary).await.expect(204);
        }
        (top, below, contacts)
    }

    /// A record without entity tags and ids, which tests do not foresee.
    fn bare(body: &Json) -> Json {
        match body {
            Json::Array(items) => items.iter().map(bare).collect(),
            Json::Object(members) => members
                .iter()
                .filter(|(name, _)| {
                    !name.starts_with("@odata.etag")
                        && !matches!(name.as_str(), "accountid" | "contactid" | "@odata.context")
                })
                .map(|(name, value)| (name.clone(), bare(value)))
                .collect(),
            other => other.clone(),
        }
    }

    pub async fn expansions_stand_within_each_other(world: World) {
        let (top, below, contacts) = tree(&world).await;
        let cases = [
            (
                format!(
                    "accounts({below})?$select=name&$expand=parentaccountid($select=name;$expand=primarycontactid($select=lastname;$expand=parentcustomerid_account($select=name)))"
                ),
                json!({"name":"Below","parentaccountid":{"name":"Top","primarycontactid":{"lastname":"A","parentcustomerid_account":{"name":"Top"}}}}),
            ),
            // A single record that has no record within it, and one that is not there.
            (
                format!(
                    "accounts({top})?$select=name&$expand=parentaccountid($select=name;$expand=primarycontactid($select=lastname)),primarycontactid($select=lastname;$expand=parentcustomerid_contact($select=lastname))"
                ),
                json!({"name":"Top","parentaccountid":null,"primarycontactid":{"lastname":"A","parentcustomerid_contact":null}}),
            ),
            (
                format!(
                    "accounts({top})?$select=name&$expand=contact_customer_accounts($select=lastname;$orderby=lastname;$expand=account_primary_contact($select=name;$orderby=name desc;$expand=parentaccountid($select=name)))"
                ),
                json!({"name":"Top","contact_customer_accounts":[
                    {"lastname":"A","account_primary_contact":[{"name":"Top","parentaccountid":null},{"name":"Below","parentaccountid":{"name":"Top"}}]},
                    {"lastname":"B","account_primary_contact":[]}]}),
            ),
            // A collection within a single record, between other members.
            (
                format!(
                    "accounts({below})?$select=name&$expand=parentaccountid($select=name;$expand=contact_customer_accounts($select=lastname;$orderby=lastname),primarycontactid($select=lastname)),primarycontactid($select=lastname)"
                ),
                json!({"name":"Below","parentaccountid":{"name":"Top","contact_customer_accounts":[{"lastname":"A"},{"lastname":"B"}],"primarycontactid":{"lastname":"A"}},"primarycontactid":{"lastname":"A"}}),
            ),
            (
                format!(
                    "accounts({top})?$select=name&$expand=parentaccountid($select=name;$expand=contact_customer_accounts($select=lastname))"
                ),
                json!({"name":"Top","parentaccountid":null}),
            ),
            (
                format!("accounts({below})?$select=name&$expand=parentaccountid($select=name;$levels=2)"),
                json!({"name":"Below","parentaccountid":{"name":"Top","parentaccountid":null}}),
            ),
            (
                format!("accounts({top})?$select=name&$expand=account_parent_account($select=name;$levels=2)"),
                json!({"name":"Top","account_parent_account":[{"name":"Below","account_parent_account":[]}]}),
            ),
            (
                format!(
                    "accounts({top})?$select=name&$expand=primarycontactid/$ref,parentaccountid/$ref,contact_customer_accounts/$ref($filter=lastname eq 'b')"
                ),
                json!({"name":"Top","primarycontactid":{"@odata.id":format!("{ROOT}contacts({})", contacts[0])},"parentaccountid":null,"contact_customer_accounts":[{"@odata.id":format!("{ROOT}contacts({})", contacts[1])}]}),
            ),
        ];
        for (target, expected) in cases {
            assert_eq!(bare(&world.get(&target).await), expected, "{target}");
        }
        let list = world
            .get("accounts?$select=name&$orderby=name&$expand=contact_customer_accounts($select=lastname;$orderby=lastname;$expand=parentcustomerid_account($select=name))")
            .await;
        assert_eq!(
            list["@odata.context"],
            format!(
                "{ROOT}$metadata#accounts(name,contact_customer_accounts(lastname,parentcustomerid_account(name)))"
            )
        );
        assert_eq!(
            bare(&list["value"]),
            json!([
                {"name":"Below","contact_customer_accounts":[{"lastname":"C","parentcustomerid_account":{"name":"Below"}},{"lastname":"D","parentcustomerid_account":{"name":"Below"}}]},
                {"name":"Top","contact_customer_accounts":[{"lastname":"A","parentcustomerid_account":{"name":"Top"}},{"lastname":"B","parentcustomerid_account":{"name":"Top"}}]}
            ])
        );
        let owner = world.get(&format!("accounts({top})?$select=name&$expand=ownerid($select=fullname;$expand=businessunitid($select=businessunitid))")).await;
        assert_eq!(owner["ownerid"]["businessunitid"]["businessunitid"], world.seeded.unit.to_string());
        // Annotations of nested records.
        let annotated = world
            .ask(
                "GET",
                &format!("accounts({below})?$select=name&$expand=parentaccountid($select=name;$expand=primarycontactid($select=lastname,_parentcustomerid_value))"),
                &[("prefer", "odata.include-annotations=\"*\"")],
                "",
            )
            .await
            .expect(200);
        let nested = &annotated["parentaccountid"]["primarycontactid"];
        assert_eq!(nested["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"], "Top");
        assert_eq!(nested["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");

        for (expand, status, code) in [
            ("primarycontactid($expand=nothing)", 400, "0x0"),
            ("primarycontactid($levels=2)", 400, "0x80060888"),
            ("contact_customer_accounts($count=true)", 400, "0x80060888"),
            ("contact_customer_accounts/$count", 400, "0x80060888"),
            ("parentaccountid($levels=16)", 400, "0x80060888"),
            ("*", 501, "0x80060888"),
        ] {
            world.ask("GET", &format!("accounts?$expand={expand}"), &[], "").await.expect_error(status, code);
        }
    }

    pub async fn nested_collections_go_on_where_they_end(world: World) {
        let (top, below, contacts) = tree(&world).await;
        let size = [("prefer", "odata.maxpagesize=1")];
        let target = format!(
            "accounts({below})?$select=name&$expand=parentaccountid($select=name;$expand=contact_customer_accounts($select=lastname;$orderby=lastname;$expand=account_primary_contact($select=name;$orderby=name)))"
        );
        let body = world.ask("GET", &target, &size, "").await.expect(200);
        let parent = &body["parentaccountid"];
        assert_eq!(parent["contact_customer_accounts"][0]["lastname"], "A");
        let inner = &parent["contact_customer_accounts"][0];
        assert_eq!(inner["account_primary_contact"][0]["name"], "Below");
        let follow =
            |link: &Json| link.as_str().unwrap_or_else(|| panic!("{body}")).strip_prefix(ROOT).unwrap().to_owned();

        let link = follow(&inner["account_primary_contact@odata.nextLink"]);
        assert!(link.starts_with(&format!("contacts({})/account_primary_contact?", contacts[0])), "{link}");
        let next = world.ask("GET", &link, &size, "").await.expect(200);
        assert_eq!(next["value"][0]["name"], "Top");
        assert!(next.get("@odata.nextLink").is_none());

        let link = follow(&parent["contact_customer_accounts@odata.nextLink"]);
        assert!(link.starts_with(&format!("accounts({top})/contact_customer_accounts?")), "{link}");
        let next = world.ask("GET", &link, &size, "").await.expect(200);
        assert_eq!(bare(&next["value"]), json!([{"lastname":"B","account_primary_contact":[]}]));

        // Levels go on with as many as are left.
        let levels = format!(
            "accounts({below})/contact_customer_accounts?$select=lastname&$orderby=lastname&$expand=contact_customer_contacts($select=lastname;$levels=2)"
        );
        for name in ["E", "F"] {
            let body = format!(
                "{{\"lastname\":\"{name}\",\"parentcustomerid_contact@odata.bind\":\"/contacts({})\"}}",
                contacts[2]
            );
            let child = world.post("contacts", &body).await;
            let body = format!(
                "{{\"lastname\":\"{name}{name}\",\"parentcustomerid_contact@odata.bind\":\"/contacts({child})\"}}"
            );
            world.post("contacts", &body).await;
        }
        let body = world.ask("GET", &levels, &size, "").await.expect(200);
        let first = &body["value"][0];
        let link = first["contact_customer_contacts@odata.nextLink"].as_str().unwrap().strip_prefix(ROOT).unwrap();
        let next = world.ask("GET", link, &size, "").await.expect(200);
        let seen = [&first["contact_customer_contacts"][0], &next["value"][0]].map(|contact| {
            let child = contact["contact_customer_contacts"][0]["lastname"].as_str().unwrap();
            assert_eq!(child, contact["lastname"].as_str().unwrap().repeat(2));
            child.to_owned()
        });
        assert!(seen == ["EE", "FF"] || seen == ["FF", "EE"], "{seen:?}");

        // Addresses too.
        let references = world
            .ask(
                "GET",
                &format!("accounts({top})?$select=name&$expand=contact_customer_accounts/$ref($orderby=lastname)"),
                &size,
                "",
            )
            .await
            .expect(200);
        let link = references["contact_customer_accounts@odata.nextLink"].as_str().unwrap().strip_prefix(ROOT).unwrap();
        let next = world.ask("GET", link, &size, "").await.expect(200);
        assert_eq!(next["value"], json!([{"@odata.id": format!("{ROOT}contacts({})", contacts[1])}]));
    }

    pub async fn answers_read_so_many_collections_and_link_the_rest(mut world: World) {
        let (..) = tree(&world).await;
        world.limits.collections_max = 2;
        let body = world
            .get("accounts?$select=name&$orderby=name desc&$expand=contact_customer_accounts($select=lastname;$orderby=lastname;$expand=account_primary_contact($select=name;$orderby=name))")
            .await;
        let rows = body["value"].as_array().unwrap();
        assert_eq!(rows[0]["contact_customer_accounts"].as_array().unwrap().len(), 2);
        assert_eq!(rows[0]["contact_customer_accounts"][0]["account_primary_contact"].as_array().unwrap().len(), 2);
        // What was not read is shown as empty, with the link to all of it.
        let unread = [
            (&rows[0]["contact_customer_accounts"][1], "account_primary_contact", 0),
            (&rows[1], "contact_customer_accounts", 2),
        ];
        for (record, name, expected) in unread {
            assert_eq!(record[name], json!([]), "{body}");
            let link = record[format!("{name}@odata.nextLink")].as_str().unwrap().strip_prefix(ROOT).unwrap();
            assert_eq!(world.get(link).await["value"].as_array().unwrap().len(), expected, "{link}");
        }
    }

    /// A party points at the list of all activities; each type of activity is a way there as well.
    pub async fn parties_lead_to_their_activity_by_its_type(world: World) {
        let email = world.post("emails", r#"{"subject":"About boats"}"#).await;
        let task = world.post("tasks", r#"{"subject":"Mend"}"#).await;
        let bound = format!(r#"{{"participationtypemask":2,"activityid_email@odata.bind":"/emails({email})"}}"#);
        let party = world.post("activityparties", &bound).await;

        let shown = "$expand=activityid_email($select=subject),activityid_task($select=subject),activityid_activitypointer($select=subject)";
        let shown = world.get(&format!("activityparties({party})?$select=participationtypemask&{shown}")).await;
        assert_eq!(shown["activityid_email"]["subject"], "About boats");
        assert_eq!(shown["activityid_activitypointer"]["subject"], "About boats");
        assert!(shown["activityid_task"].is_null(), "{shown}");
        let asked =
            "activityparties?$filter=activityid_email/subject eq 'About boats'&$orderby=activityid_email/subject";
        assert_eq!(world.get(asked).await["value"][0]["activitypartyid"], party.as_str());
        let listed = world
            .get(&format!("emails({email})?$select=subject&$expand=email_activity_parties($select=activitypartyid)"))
            .await;
        assert_eq!(listed["email_activity_parties"][0]["activitypartyid"], party.as_str());

        // There is none of another type, however it is asked for.
        let bound = format!(r#"{{"participationtypemask":2,"activityid_task@odata.bind":"/tasks({task})"}}"#);
        let other = world.post("activityparties", &bound).await;
        for (at, own, activity, others) in [(&party, "email", &email, "task"), (&other, "task", &task, "email")] {
            let address = |kind: &str, more: &str| format!("activityparties({at})/activityid_{kind}{more}");
            assert_eq!(world.get(&address(own, "?$select=subject")).await["activityid"], activity.as_str());
            let reference = world.get(&address(own, "/$ref")).await;
            assert_eq!(reference["@odata.id"], format!("{ROOT}{own}s({activity})"));
            for more in ["", "/$ref", "?$select=subject"] {
                world.ask("GET", &address(others, more), &[], "").await.expect(204);
            }
            let found = async |filter: String| {
                let rows = world.get(&format!("activityparties?$select=activitypartyid&$filter={filter}")).await;
                let ids = |row: &Json| row["activitypartyid"].as_str().unwrap().to_owned();
                rows["value"].as_array().unwrap().iter().map(ids).collect::<Vec<_>>()
            };
            assert_eq!(found(format!("activityid_{own} ne null")).await, [at.as_str()]);
            assert_eq!(found(format!("activityid_{others} eq null")).await, [at.as_str()]);
            assert_eq!(found("activityid_activitypointer ne null".to_owned()).await.len(), 2);
        }

        // The record has to be of the type that it is named by.
        let wrong = format!(r#"{{"participationtypemask":2,"activityid_email@odata.bind":"/emails({task})"}}"#);
        world.ask("POST", "activityparties", &[], &wrong).await.expect(404);
    }
}
