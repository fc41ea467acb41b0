//! Methods that a resource does not know, and rights that a caller does not have.

use crate::on_both_engines;

on_both_engines! {
    wrong_methods_are_told_the_right_ones;
    refusals_are_complete;
    who_may_create_and_not_read_gets_the_address;
}

mod bodies {
    use crate::world::World;

    pub async fn wrong_methods_are_told_the_right_ones(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let record = format!("accounts({id})");
        let property = format!("{record}/name");
        let single = format!("{record}/primarycontactid");
        let reference = format!("{single}/$ref");
        let collection = format!("{record}/contact_customer_accounts");
        let references = format!("{collection}/$ref");
        let cases = [
            ("DELETE", "accounts", "GET, POST"),
            ("HEAD", "accounts", "GET, POST"),
            ("PATCH", "accounts", "GET, POST"),
            ("BREW", "accounts", "GET, POST"),
            ("PUT", &record, "GET, PATCH, DELETE"),
            ("POST", &record, "GET, PATCH, DELETE"),
            ("PATCH", &property, "GET, PUT, DELETE"),
            ("POST", "accounts/$count", "GET"),
            ("POST", &single, "GET"),
            ("PATCH", &reference, "GET, PUT, DELETE"),
            ("DELETE", &collection, "GET, POST"),
            ("PUT", &references, "GET, POST, DELETE"),
            ("POST", "", "GET"),
        ];
        for (method, target, allow) in cases {
            let answer = world.ask(method, target, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {target} {}", answer.text());
            assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
            answer.expect_error(405, "0x80060888");
        }
    }

    pub async fn refusals_are_complete(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        let reader = world.user("rita", &["Basic User"]).await;
        let path = format!("accounts({id})");
        for (method, target, body) in [
            ("GET", path.as_str(), ""),
            ("PATCH", &path, r#"{"name":"B"}"#),
            ("DELETE", &path, ""),
            ("GET", &format!("{path}/name"), ""),
            ("GET", &format!("{path}/contact_customer_accounts"), ""),
        ] {
            let answer = world.send(&reader, method, target, &[], body).await;
            assert_eq!(answer.status, 403, "{method} {target} {}", answer.text());
            let message = answer.expect_error(403, "0x80040220");
            assert!(message.contains(&reader.user.to_string()) && !message.contains("\"A\""), "{message}");
        }
        assert_eq!(world.get(&path).await["name"], "A");
    }

    pub async fn who_may_create_and_not_read_gets_the_address(world: World) {
        let body =
            format!("{{\"name\":\"Maker\",\"businessunitid@odata.bind\":\"/businessunits({})\"}}", world.seeded.unit);
        let role = world.post("roles", &body).await;
        let privilege = custodia_schema::privilege_id("prvCreateAccount");
        let body = format!("{{\"Privileges\":[{{\"PrivilegeId\":\"{privilege}\",\"Depth\":\"Basic\"}}]}}");
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &body).await.expect(204);

        let maker = world.user("mia", &["Maker"]).await;
        let show = [("prefer", "return=representation")];
        let shown = world.send(&maker, "POST", "accounts?$select=name", &show, r#"{"name":"Mine"}"#).await;
        assert_eq!((shown.status, shown.header("preference-applied")), (204, None), "{}", shown.text());
        let path = format!("accounts({})", shown.written_id());
        world.send(&maker, "GET", &path, &[], "").await.expect_error(403, "0x80040220");
        assert_eq!(world.get(&path).await["name"], "Mine");
    }
}
