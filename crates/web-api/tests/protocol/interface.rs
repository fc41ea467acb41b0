//! Forms, views and navigation over the wire.

use crate::on_both_engines;

on_both_engines! {
    forms_are_told_by_role;
    the_interface_is_told_as_far_as_it_may_be_seen;
    forms_are_records;
}

mod bodies {
    use serde_json::json;

    use crate::world::{ROOT, World};

    pub async fn forms_are_told_by_role(world: World) {
        let told = world.get("RetrieveFilteredForms(EntityLogicalName='account',FormType=2)").await;
        assert_eq!(
            told["@odata.context"],
            format!("{ROOT}$metadata#Microsoft.Dynamics.CRM.RetrieveFilteredFormsResponse")
        );
        let form = &told["SystemForms"][0];
        assert_eq!(form["name"], "Account");
        let id = form["formid"].as_str().unwrap();
        let stored = world.get(&format!("systemforms({id})?$select=name,type,formxml,objecttypecode")).await;
        assert_eq!((stored["type"].as_i64(), stored["objecttypecode"].as_str()), (Some(2), Some("account")));
        assert!(stored["formxml"].as_str().unwrap().starts_with("<form>"));
        let quick = world.get("RetrieveFilteredForms(EntityLogicalName='account',FormType=7)").await;
        assert_eq!(quick["SystemForms"].as_array().unwrap().len(), 1);
        let seller = world.user("sally", &["Salesperson"]).await;
        let of = |caller: &str| {
            format!("RetrieveFilteredForms(EntityLogicalName='account',FormType=2,SystemUserId={caller})")
        };
        assert_eq!(world.get(&of(&seller.user.to_string())).await["SystemForms"], told["SystemForms"]);
        for (path, said) in [
            ("RetrieveFilteredForms(FormType=2)", "EntityLogicalName"),
            ("RetrieveFilteredForms(EntityLogicalName='account')", "FormType"),
            ("RetrieveFilteredForms(EntityLogicalName='account',FormType=99)", "FormType"),
            ("RetrieveFilteredForms(EntityLogicalName='acount',FormType=2)", "there is no table 'acount'"),
            ("RetrieveFilteredForms(EntityLogicalName='account',FormType=2,SystemUserId=true)", "SystemUserId"),
        ] {
            let answer = world.ask("GET", path, &[], "").await;
            assert_eq!(answer.status, 400, "{path}");
            assert!(answer.text().contains(said), "{}", answer.text());
        }
    }

    pub async fn the_interface_is_told_as_far_as_it_may_be_seen(world: World) {
        let whole = world.get("custodia_RetrieveUserInterface()").await;
        let areas: Vec<_> =
            whole["Navigation"]["areas"].as_array().unwrap().iter().map(|area| &area["title"]).collect();
        assert_eq!(areas, ["Sales", "Service", "Marketing", "Settings"]);
        let agent = world.user("carl", &["Customer Service Representative"]).await;
        let told = world.send(&agent, "GET", "custodia_RetrieveUserInterface()", &[], "").await.expect(200);
        let text = told.to_string();
        assert!(text.contains("\"incident\"") && !text.contains("\"role\""), "{text}");
        let accounts =
            world.send(&agent, "GET", "custodia_RetrieveUserInterface(EntityLogicalName='account')", &[], "").await;
        let accounts = accounts.expect(200);
        assert_eq!(accounts["EntityLogicalName"], "account");
        let form = &accounts["MainForms"][0];
        assert_eq!(
            (form["type"].as_str(), form["everyone"].as_bool(), form["fallback"].as_bool()),
            (Some("main"), Some(true), Some(true))
        );
        let first = &form["tabs"][0]["columns"][0]["sections"][0]["rows"][0][0];
        assert_eq!(first["control"], json!({ "type": "field", "column": "name", "readOnly": false }));
        let kinds: Vec<_> =
            accounts["OtherForms"].as_array().unwrap().iter().map(|form| form["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["quickCreate", "card"]);
        let views = accounts["Views"].as_array().unwrap();
        let default = views.iter().find(|view| view["kind"] == "public" && view["default"] == true).unwrap();
        assert_eq!(default["name"], "Active Accounts");
        let fetch = default["fetchXml"].as_str().unwrap();
        let encoded = percent_encode(fetch);
        world.send(&agent, "GET", &format!("accounts?fetchXml={encoded}"), &[], "").await.expect(200);
        let stored = format!("accounts?savedQuery={}", default["id"].as_str().unwrap());
        world.ask("GET", &stored, &[], "").await.expect(200);
        world
            .ask("GET", "custodia_RetrieveUserInterface(EntityLogicalName='acount')", &[], "")
            .await
            .expect_error(400, "0x80060888");
        world.ask("GET", "custodia_RetrieveUserInterface(EntityLogicalName=5)", &[], "").await.expect(400);
    }

    fn percent_encode(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    pub async fn forms_are_records(world: World) {
        let form = "<form><tabs><tab name='t'><columns><column width='100%'><sections><section><rows><row><cell>\
                    <control datafieldname='name'/></cell></row></rows></section></sections></column></columns></tab></tabs>\
                    <DisplayConditions Order='1'><Everyone/></DisplayConditions></form>";
        let body = json!({ "name": "Short", "objecttypecode": "account", "type": 2, "formxml": form });
        let id = world.post("systemforms", &body.to_string()).await;
        let told = world.get("RetrieveFilteredForms(EntityLogicalName='account',FormType=2)").await;
        let names: Vec<_> = told["SystemForms"].as_array().unwrap().iter().map(|form| &form["name"]).collect();
        assert_eq!(names, ["Account", "Short"]);
        let path = format!("systemforms({id})");
        let broken = json!({ "formxml": form.replace("'name'/", "'nam'/") }).to_string();
        let said = world.ask("PATCH", &path, &[], &broken).await;
        assert_eq!(said.status, 400);
        assert!(said.text().contains("line 1, column") && said.text().contains("no column 'nam'"), "{}", said.text());
        world.ask("DELETE", &path, &[], "").await.expect(204);
        let shipped = told["SystemForms"][0]["formid"].as_str().unwrap();
        let refused = world.ask("DELETE", &format!("systemforms({shipped})"), &[], "").await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains("comes with the program"), "{}", refused.text());
    }
}
