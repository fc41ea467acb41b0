//! Links by `$ref`.

use crate::on_both_engines;

on_both_engines! {
    single_links_are_set_and_cleared;
    links_of_collections_are_added_and_removed;
    links_whose_end_may_be_in_several_tables_are_added_moved_and_removed;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    pub async fn single_links_are_set_and_cleared(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let contact = world.post("contacts", r#"{"lastname":"C"}"#).await;
        let path = format!("accounts({account})/primarycontactid/$ref");
        let body = format!("{{\"@odata.id\":\"{ROOT}contacts({contact})\"}}");
        world.ask("PUT", &path, &[], &body).await.expect(204);
        assert_eq!(world.get(&path).await["@odata.id"], format!("{ROOT}contacts({contact})"));
        world.ask("DELETE", &path, &[], "").await.expect(204);
        assert_eq!(world.ask("GET", &path, &[], "").await.status, 204);
        world.ask("PUT", &path, &[], &format!("{{\"@odata.id\":\"contacts({contact})\"}}")).await.expect(204);
        assert_eq!(world.get(&format!("accounts({account})")).await["_primarycontactid_value"], contact.as_str());
        world
            .ask("PUT", &path, &[], &format!("{{\"@odata.id\":\"accounts({account})\"}}"))
            .await
            .expect_error(400, "0x80048d19");
        world.ask("PUT", &path, &[], "{}").await.expect_error(400, "0x80048d19");
        world.ask("POST", &path, &[], &body).await.expect(405);
    }

    pub async fn links_of_collections_are_added_and_removed(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let contact = world.post("contacts", r#"{"lastname":"C"}"#).await;
        // One to many: the link stands in the other record.
        let path = format!("accounts({account})/contact_customer_accounts");
        let body = format!("{{\"@odata.id\":\"{ROOT}contacts({contact})\"}}");
        world.ask("POST", &format!("{path}/$ref"), &[], &body).await.expect(204);
        assert_eq!(world.get(&format!("contacts({contact})")).await["_parentcustomerid_value"], account.as_str());
        world.ask("DELETE", &format!("{path}({contact})/$ref"), &[], "").await.expect(204);
        assert_eq!(world.get(&format!("contacts({contact})")).await["_parentcustomerid_value"], Json::Null);

        // Many to many: a second time is too many.
        let user = world.seeded.administrator;
        let team = world
            .post(
                "teams",
                &format!(
                    "{{\"name\":\"T\",\"teamtype\":0,\"businessunitid@odata.bind\":\"/businessunits({})\",\"administratorid@odata.bind\":\"/systemusers({user})\"}}",
                    world.seeded.unit
                ),
            )
            .await;
        let path = format!("teams({team})/teammembership_association");
        let body = format!("{{\"@odata.id\":\"/systemusers({user})\"}}");
        world.ask("POST", &format!("{path}/$ref"), &[], &body).await.expect(204);
        world.ask("POST", &format!("{path}/$ref"), &[], &body).await.expect_error(412, "0x80040237");
        let members = world.get(&format!("{path}?$select=fullname")).await;
        assert_eq!(members["value"].as_array().unwrap().len(), 1);
        assert_eq!(members["value"][0]["systemuserid"], json!(user));
        let expanded = world
            .get(&format!("teams({team})?$select=name&$expand=teammembership_association($select=fullname)"))
            .await;
        assert_eq!(expanded["teammembership_association"][0]["fullname"], "Ada Admin");
        let by_id = format!("{path}/$ref?$id={ROOT}systemusers({user})");
        world.ask("DELETE", &by_id, &[], "").await.expect(204);
        assert_eq!(world.get(&path).await["value"], json!([]));
        world.ask("POST", &format!("{path}/$ref"), &[], &body).await.expect(204);
        world.ask("DELETE", &format!("{path}/$ref?$id=systemusers({user})"), &[], "").await.expect(204);
        world.ask("DELETE", &format!("{path}/$ref"), &[], "").await.expect_error(400, "0x80060888");
        let wrong = format!("{{\"@odata.id\":\"/accounts({account})\"}}");
        world.ask("POST", &format!("{path}/$ref"), &[], &wrong).await.expect_error(400, "0x80048d19");
    }

    /// Members of lists and items of campaigns are held by lookups into several tables, not by bare ids.
    pub async fn links_whose_end_may_be_in_several_tables_are_added_moved_and_removed(world: World) {
        let list = world.post("lists", r#"{"listname":"L","createdfromcode":1}"#).await;
        let campaign = world.post("campaigns", r#"{"name":"C"}"#).await;
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        // A contact that has the id of the account: its links are its own.
        let contact = format!("{{\"contactid\":\"{account}\",\"lastname\":\"A\"}}");
        assert_eq!(world.post("contacts", &contact).await, account);
        let linked = async |path: &str, key: &str| {
            let page = world.get(path).await;
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row[key].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let members = format!("lists({list})/listaccount_association");
        let add = format!("{members}/$ref");
        let body = format!("{{\"@odata.id\":\"accounts({account})\"}}");
        world.ask("POST", &add, &[], &body).await.expect(204);
        world.ask("POST", &add, &[], &body).await.expect_error(412, "0x80040237");
        assert!(linked(&format!("lists({list})/listcontact_association"), "contactid").await.is_empty());
        let elsewhere = world.post("lists", r#"{"listname":"M","createdfromcode":2}"#).await;
        let other = format!("lists({elsewhere})/listcontact_association");
        world.ask("POST", &format!("{other}/$ref"), &[], &body.replace("accounts", "contacts")).await.expect(204);
        let items = format!("campaigns({campaign})/campaignlist_association");
        let body = format!("{{\"@odata.id\":\"lists({list})\"}}");
        world.ask("POST", &format!("{items}/$ref"), &[], &body).await.expect(204);
        assert_eq!(linked(&items, "listid").await, [list.as_str()]);
        assert_eq!(linked(&format!("accounts({account})/listaccount_association"), "listid").await, [list.as_str()]);

        // The account goes into another one: its place on the list goes along, the contact's stays.
        let greater = world.post("accounts", r#"{"name":"B"}"#).await;
        let record = |id: &str| json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id});
        let merge =
            json!({"Target": record(&greater), "Subordinate": record(&account), "PerformParentingChecks": false});
        world.ask("POST", "Merge", &[], &merge.to_string()).await.expect(204);
        assert_eq!(linked(&members, "accountid").await, [greater.as_str()]);
        assert_eq!(linked(&other, "contactid").await, [account.as_str()]);

        world.ask("DELETE", &format!("accounts({account})"), &[], "").await.expect(204);
        assert_eq!(linked(&other, "contactid").await, [account.as_str()]);
        world.ask("DELETE", &format!("accounts({greater})"), &[], "").await.expect(204);
        assert!(linked(&members, "accountid").await.is_empty());
        world.ask("DELETE", &format!("{items}({list})/$ref"), &[], "").await.expect(204);
        assert!(linked(&items, "listid").await.is_empty());

        // Deleting a list takes its members and its place in campaigns with it, and each once.
        world.ask("POST", &format!("{items}/$ref"), &[], &body).await.expect(204);
        let third = world.post("accounts", r#"{"name":"D"}"#).await;
        let body = format!("{{\"@odata.id\":\"accounts({third})\"}}");
        world.ask("POST", &add, &[], &body).await.expect(204);
        world.ask("DELETE", &format!("lists({list})"), &[], "").await.expect(204);
        assert!(linked(&items, "listid").await.is_empty());
        assert!(linked(&format!("accounts({third})/listaccount_association"), "listid").await.is_empty());

        // So does a campaign, at either end: its lists, and its place in campaigns that have it as an item.
        let kept = world.post("lists", r#"{"listname":"K","createdfromcode":1}"#).await;
        let greater = world.post("campaigns", r#"{"name":"Of campaigns"}"#).await;
        let campaigns = format!("campaigns({greater})/Referencingcampaigncampaign_association");
        let body = format!("{{\"@odata.id\":\"lists({kept})\"}}");
        world.ask("POST", &format!("{items}/$ref"), &[], &body).await.expect(204);
        let body = format!("{{\"@odata.id\":\"campaigns({campaign})\"}}");
        world.ask("POST", &format!("{campaigns}/$ref"), &[], &body).await.expect(204);
        assert_eq!(linked(&campaigns, "campaignid").await, [campaign.as_str()]);
        world.ask("DELETE", &format!("campaigns({campaign})"), &[], "").await.expect(204);
        assert!(linked(&campaigns, "campaignid").await.is_empty());
        assert!(linked(&format!("lists({kept})/campaignlist_association"), "campaignid").await.is_empty());
        // One of the same id later has none of it.
        let again = format!("{{\"campaignid\":\"{campaign}\",\"name\":\"Again\"}}");
        assert_eq!(world.post("campaigns", &again).await, campaign);
        assert!(linked(&items, "listid").await.is_empty());
        assert!(linked(&campaigns, "campaignid").await.is_empty());
    }
}
