//! Links by `$ref`.

use crate::on_both_engines;

on_both_engines! {
    single_links_are_set_and_cleared;
    links_of_collections_are_added_and_removed;
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
}
