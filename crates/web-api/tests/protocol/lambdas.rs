//! Filters on collections: `any` and `all`, over rows that point at a record and rows linked to it.

use crate::on_both_engines;

on_both_engines! {
    collections_are_tested;
    only_readable_rows_count;
}

mod bodies {
    use serde_json::Value as Json;

    use crate::world::World;

    fn names<'b>(body: &'b Json, column: &str) -> Vec<&'b str> {
        let mut names: Vec<&str> =
            body["value"].as_array().unwrap().iter().map(|row| row[column].as_str().unwrap()).collect();
        names.sort_unstable();
        names
    }

    async fn contact(world: &World, last_name: &str, account: &str, credit: bool) -> String {
        let body = format!(
            "{{\"lastname\":\"{last_name}\",\"creditonhold\":{credit},\
             \"parentcustomerid_account@odata.bind\":\"/accounts({account})\"}}"
        );
        world.post("contacts", &body).await
    }

    pub async fn collections_are_tested(world: World) {
        let alpha = world.post("accounts", r#"{"name":"Alpha","numberofemployees":5}"#).await;
        let beta = world.post("accounts", r#"{"name":"Beta"}"#).await;
        world.post("accounts", r#"{"name":"Gamma"}"#).await;
        let ann = contact(&world, "Ann", &alpha, true).await;
        contact(&world, "Bob", &alpha, false).await;
        contact(&world, "Ann", &beta, true).await;
        let primary = format!("{{\"primarycontactid@odata.bind\":\"/contacts({ann})\"}}");
        world.ask("PATCH", &format!("accounts({beta})"), &[], &primary).await.expect(204);
        for (lead, account) in [("Lee", &alpha), ("Liz", &beta)] {
            let lead = world.post("leads", &format!("{{\"subject\":\"S\",\"lastname\":\"{lead}\"}}")).await;
            let body = format!("{{\"@odata.id\":\"leads({lead})\"}}");
            world
                .ask("POST", &format!("accounts({account})/accountleads_association/$ref"), &[], &body)
                .await
                .expect(204);
        }

        let accounts: [(&str, &[&str]); 21] = [
            ("contact_customer_accounts/any()", &["Alpha", "Beta"]),
            ("not contact_customer_accounts/any()", &["Gamma"]),
            ("contact_customer_accounts/any(o:o/lastname eq 'ann')", &["Alpha", "Beta"]),
            ("contact_customer_accounts/any(o:o/lastname eq 'bob')", &["Alpha"]),
            ("not contact_customer_accounts/any(o:o/lastname eq 'bob')", &["Beta", "Gamma"]),
            ("contact_customer_accounts/any(o:o/lastname eq 'ann' and o/creditonhold eq false)", &[]),
            ("contact_customer_accounts/any(o:o/lastname eq @p) and name ne 'beta'", &["Alpha"]),
            // True where there is none.
            ("contact_customer_accounts/all(o:o/creditonhold)", &["Beta", "Gamma"]),
            (
                "contact_customer_accounts/all(o:startswith(o/lastname,'a') or o/lastname eq 'bob')",
                &["Alpha", "Beta", "Gamma"],
            ),
            ("not contact_customer_accounts/all(o:o/creditonhold)", &["Alpha"]),
            // A test on nothing is false, and its complement is true.
            ("contact_customer_accounts/any(o:o/firstname eq 'x')", &[]),
            ("contact_customer_accounts/any(o:o/firstname ne 'x')", &["Alpha", "Beta"]),
            ("contact_customer_accounts/all(o:o/firstname ne 'x')", &["Alpha", "Beta", "Gamma"]),
            // From both sides of an N:N, and within each other.
            ("accountleads_association/any()", &["Alpha", "Beta"]),
            ("accountleads_association/any(l:l/lastname eq 'lee')", &["Alpha"]),
            ("accountleads_association/all(l:l/lastname eq 'lee')", &["Alpha", "Gamma"]),
            ("contact_customer_accounts/any(c:c/account_primary_contact/any(a:a/name eq 'beta'))", &["Alpha"]),
            ("contact_customer_accounts/any(c:c/account_primary_contact/any())", &["Alpha"]),
            // Over lookups, on both sides.
            ("primarycontactid/account_primary_contact/any(a:a/name eq 'beta')", &["Beta"]),
            ("contact_customer_accounts/any(c:c/parentcustomerid_account/numberofemployees ge 5)", &["Alpha"]),
            (
                "contact_customer_accounts/any(c:c/Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[\"bob\",'eve']))",
                &["Alpha"],
            ),
        ];
        for (filter, expected) in accounts {
            let body = world.get(&format!("accounts?$select=name&$filter={filter}&@p='ann'")).await;
            assert_eq!(names(&body, "name"), expected, "{filter}");
            let counted = world.ask("GET", &format!("accounts/$count?$filter={filter}&@p='ann'"), &[], "").await;
            assert_eq!(counted.text(), expected.len().to_string(), "{filter}");
        }
        let leads: [(&str, &[&str]); 3] = [
            ("accountleads_association/any(a:a/name eq 'beta')", &["Liz"]),
            ("accountleads_association/any(a:a/primarycontactid/lastname eq 'ann')", &["Liz"]),
            ("accountleads_association/any(a:a/contact_customer_accounts/any(c:c/lastname eq 'bob'))", &["Lee"]),
        ];
        for (filter, expected) in leads {
            let body = world.get(&format!("leads?$select=lastname&$filter={filter}")).await;
            assert_eq!(names(&body, "lastname"), expected, "{filter}");
        }
        // Within what is expanded, and on the collection of one record.
        let body = world
            .get(&format!(
                "accounts({alpha})?$select=name&$expand=contact_customer_accounts($select=lastname;$filter=account_primary_contact/any())"
            ))
            .await;
        assert_eq!(body["contact_customer_accounts"][0]["lastname"], "Ann");
        assert_eq!(body["contact_customer_accounts"].as_array().unwrap().len(), 1);
        let target = format!(
            "accounts({alpha})/contact_customer_accounts?$select=lastname&$filter=not account_primary_contact/any()"
        );
        assert_eq!(names(&world.get(&target).await, "lastname"), ["Bob"]);

        for (filter, code) in [
            ("contact_customer_accounts/any(o:o/nothing eq 1)", "0x0"),
            ("contact_customer_accounts/any(o:lastname eq 'x')", "0x80060888"),
            ("contact_customer_accounts/all()", "0x80060888"),
            ("contact_customer_accounts/$count gt 1", "0x80060888"),
        ] {
            world.ask("GET", &format!("accounts?$filter={filter}"), &[], "").await.expect_error(400, code);
        }
    }

    pub async fn only_readable_rows_count(world: World) {
        let account = world.post("accounts", r#"{"name":"Shared"}"#).await;
        let lead = world.post("leads", r#"{"subject":"S","lastname":"Hidden"}"#).await;
        let body = format!("{{\"@odata.id\":\"leads({lead})\"}}");
        world.ask("POST", &format!("accounts({account})/accountleads_association/$ref"), &[], &body).await.expect(204);
        let unit = world.seeded.unit;
        let body = format!("{{\"name\":\"Own Rows\",\"businessunitid@odata.bind\":\"/businessunits({unit})\"}}");
        let role = world.post("roles", &body).await;
        let basic = |name: &str| {
            let id = custodia_schema::privilege_id(name);
            format!("{{\"PrivilegeId\":\"{id}\",\"Depth\":\"Basic\"}}")
        };
        let body = format!("{{\"Privileges\":[{},{}]}}", basic("prvReadAccount"), basic("prvReadLead"));
        let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
        world.ask("POST", &path, &[], &body).await.expect(204);
        let seller = world.user("sam", &["Own Rows"]).await;
        world.send(&seller, "GET", &format!("leads({lead})"), &[], "").await.expect_error(403, "0x80040220");
        let share = format!(
            "{{\"Target\":{{\"accountid\":\"{account}\",\"@odata.type\":\"Microsoft.Dynamics.CRM.account\"}},\
             \"PrincipalAccess\":{{\"AccessMask\":\"ReadAccess\",\"Principal\":{{\"systemuserid\":\"{}\",\
             \"@odata.type\":\"Microsoft.Dynamics.CRM.systemuser\"}}}}}}",
            seller.user
        );
        world.ask("POST", "GrantAccess", &[], &share).await.expect(204);
        for (filter, expected) in [
            ("accountleads_association/any()", 0),
            ("not accountleads_association/any()", 1),
            ("accountleads_association/any(o:o/lastname ne 'x')", 0),
            ("accountleads_association/all(o:o/lastname eq 'x')", 1),
        ] {
            let target = format!("accounts?$select=name&$filter=accountid eq {account} and {filter}");
            let known = world.get(&target).await["value"].as_array().unwrap().len();
            assert_eq!(known, 1 - expected, "{filter}");
            let body = world.send(&seller, "GET", &target, &[], "").await.expect(200);
            assert_eq!(body["value"].as_array().unwrap().len(), expected, "{filter}");
        }
    }
}
