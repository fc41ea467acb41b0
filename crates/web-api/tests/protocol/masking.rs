//! Masked columns: what shows, what finds, and who sees the clear text.

use crate::on_both_engines;

on_both_engines! {
    a_masked_column_shows_its_mask_and_finds_nothing;
    clear_text_takes_a_permission_and_the_option;
    rules_that_make_no_sense_are_refused;
}

mod bodies {
    use custodia_org::Caller;
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, World};

    const MAIL: &str = "ada@example.org";
    const MASKED: &str = "****example.org";

    /// A contact whose address is masked.
    struct Masking {
        world: World,
        contact: String,
        account: String,
        profile: String,
        permission: String,
        reader: Caller,
    }

    impl Masking {
        async fn of(world: World) -> Self {
            let table = world.org.schema().table_named("contact").unwrap().clone();
            let column = table.column("emailaddress1").unwrap().id;
            let account = world.post("accounts", r#"{"name":"Acme"}"#).await;
            let body = json!({
                "lastname": "Lovelace", "emailaddress1": MAIL,
                "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
            });
            let contact = world.post("contacts", &body.to_string()).await;
            world.org.secure_column(&world.admin(), table.id, column, true).await.unwrap();
            let rule = json!({ "name": "Mail", "regularexpression": "^[^@]*@", "maskedcharacter": "*" });
            let rule = world.post("maskingrules", &rule.to_string()).await;
            let masked = json!({
                "entityname": "contact", "attributelogicalname": "emailaddress1",
                "maskingruleid@odata.bind": format!("/maskingrules({rule})"),
            });
            world.post("attributemaskingrules", &masked.to_string()).await;
            let profile = world.post("fieldsecurityprofiles", r#"{"name":"Mail"}"#).await;
            let permission = json!({
                "entityname": "contact", "attributelogicalname": "emailaddress1", "canread": 4, "canupdate": 4,
                "fieldsecurityprofileid@odata.bind": format!("/fieldsecurityprofiles({profile})"),
            });
            let permission = world.post("fieldpermissions", &permission.to_string()).await;
            let reader = world.user("reader", &["System Customizer", "Vice President of Sales"]).await;
            let link = json!({ "@odata.id": format!("fieldsecurityprofiles({profile})") }).to_string();
            let path = format!("systemusers({})/systemuserprofiles_association/$ref", reader.user);
            world.ask("POST", &path, &[], &link).await.expect(204);
            Self { world, contact, account, profile, permission, reader }
        }

        async fn seen(&self, caller: &Caller, target: &str) -> Json {
            let headers = [("prefer", "odata.include-annotations=\"*\"")];
            self.world.send(caller, "GET", target, &headers, "").await.expect(200)
        }

        async fn unmasked(&self, value: i32) {
            let body = json!({ "canreadunmasked": value }).to_string();
            self.world.ask("PATCH", &format!("fieldpermissions({})", self.permission), &[], &body).await.expect(204);
        }

        fn one(&self, more: &str) -> String {
            format!("contacts({})?$select=emailaddress1{more}", self.contact)
        }
    }

    pub async fn a_masked_column_shows_its_mask_and_finds_nothing(world: World) {
        let masking = Masking::of(world).await;
        let admin = masking.world.admin();
        let nobody = masking.world.user("nobody", &["Vice President of Sales"]).await;
        for (caller, shown) in [(&masking.reader, json!(MASKED)), (&admin, json!(MASKED)), (&nobody, Json::Null)] {
            assert_eq!(masking.seen(caller, &masking.one("")).await["emailaddress1"], shown);
            let list = masking.seen(caller, "contacts?$select=emailaddress1&$orderby=emailaddress1,lastname").await;
            assert_eq!(list["value"][0]["emailaddress1"], shown);
            let within =
                format!("accounts({})?$expand=contact_customer_accounts($select=emailaddress1)", masking.account);
            assert_eq!(masking.seen(caller, &within).await["contact_customer_accounts"][0]["emailaddress1"], shown);
            let fetch = "contacts?fetchXml=%3Cfetch%3E%3Centity%20name='contact'%3E%3Cattribute%20name='emailaddress1'/%3E%3C/entity%3E%3C/fetch%3E";
            assert_eq!(masking.seen(caller, fetch).await["value"][0]["emailaddress1"], shown);
        }
        // Hidden to everything but its showing, and in what tells results apart.
        for target in [
            format!("contacts?$filter=emailaddress1 eq '{MAIL}'"),
            format!("contacts?$filter=emailaddress1 eq '{MASKED}'"),
            "contacts?$filter=contains(emailaddress1,'example')".to_owned(),
            "contacts?$filter=emailaddress1 ne null".to_owned(),
        ] {
            assert_eq!(masking.seen(&masking.reader, &target).await["value"], json!([]), "{target}");
        }
        let groups =
            masking.seen(&masking.reader, "contacts?$apply=groupby((emailaddress1),aggregate($count as n))").await;
        assert_eq!((&groups["value"][0]["emailaddress1"], &groups["value"][0]["n"]), (&Json::Null, &json!(1)));
        let told = |answer: &Answer| answer.text().contains("ada@");
        let distinct = "contacts?fetchXml=%3Cfetch%20distinct='true'%3E%3Centity%20name='contact'%3E%3Cattribute%20name='emailaddress1'/%3E%3C/entity%3E%3C/fetch%3E";
        let answer = masking.world.send(&masking.reader, "GET", distinct, &[], "").await;
        assert!(answer.status == 200 && !told(&answer), "{}", answer.text());
        // A prefilled record has no mask for a value.
        let prefill = format!(
            "InitializeFrom(EntityMoniker=@m,TargetEntityName='lead',TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate')?@m={{'@odata.id':'contacts({})'}}",
            masking.contact
        );
        let filled = masking.world.send(&masking.reader, "GET", &prefill, &[], "").await;
        assert!(filled.status == 200 && filled.json().get("emailaddress1").is_none(), "{}", filled.text());
        // Writing is the profile's matter.
        let body = r#"{"emailaddress1":"nomail"}"#;
        masking
            .world
            .send(&masking.reader, "PATCH", &format!("contacts({})", masking.contact), &[], body)
            .await
            .expect(204);
        // What does not look as the rule expects is masked whole.
        assert_eq!(masking.seen(&masking.reader, &masking.one("")).await["emailaddress1"], "******");
    }

    pub async fn clear_text_takes_a_permission_and_the_option(world: World) {
        let masking = Masking::of(world).await;
        let (reader, admin) = (&masking.reader, masking.world.admin());
        let one = masking.one("&UnMaskedData=true");
        let list = "contacts?$select=emailaddress1&UnMaskedData=true";
        let seen = async |caller: &Caller| {
            let list = masking.seen(caller, list).await["value"][0]["emailaddress1"].clone();
            [masking.seen(caller, &one).await["emailaddress1"].clone(), list]
        };
        assert_eq!(seen(reader).await, [MASKED, MASKED]);
        masking.unmasked(1).await;
        assert_eq!(seen(reader).await, [MAIL, MASKED]);
        masking.unmasked(3).await;
        assert_eq!(seen(reader).await, [MAIL, MAIL]);
        assert_eq!(seen(&admin).await, [MAIL, MAIL]);
        // The same question without the option, before and after: nothing clear is kept.
        assert_eq!(masking.seen(reader, &masking.one("")).await["emailaddress1"], MASKED);
        assert_eq!(masking.seen(reader, "contacts?$select=emailaddress1").await["value"][0]["emailaddress1"], MASKED);
        // In clear it can be asked for too.
        let filter = format!("contacts?$filter=emailaddress1 eq '{MAIL}'");
        assert_eq!(masking.seen(reader, &filter).await["value"], json!([]));
        assert_eq!(
            masking.seen(reader, &format!("{filter}&UnMaskedData=true")).await["value"][0]["emailaddress1"],
            MAIL
        );
        masking.unmasked(0).await;
        assert_eq!(seen(reader).await, [MASKED, MASKED]);
        // Without the profile there is nothing to unmask.
        let path = format!("systemusers({})/systemuserprofiles_association({})/$ref", reader.user, masking.profile);
        masking.world.ask("DELETE", &path, &[], "").await.expect(204);
        assert_eq!(seen(reader).await, [Json::Null, Json::Null]);
    }

    pub async fn rules_that_make_no_sense_are_refused(world: World) {
        let masking = Masking::of(world).await;
        let (world, admin) = (&masking.world, masking.world.admin());
        let long = "a".repeat(501);
        for (pattern, character) in
            [("(", "*"), ("a(?=b)", "*"), ("", "*"), (long.as_str(), "*"), ("a", ""), ("a", "**")]
        {
            let body =
                json!({ "name": "Rule", "regularexpression": pattern, "maskedcharacter": character }).to_string();
            assert_eq!(world.ask("POST", "maskingrules", &[], &body).await.status, 400, "{pattern} {character}");
        }
        let rule =
            world.get("maskingrules?$select=name").await["value"][0]["maskingruleid"].as_str().unwrap().to_owned();
        let masked = |table: &str, column: &str| {
            json!({
                "entityname": table, "attributelogicalname": column,
                "maskingruleid@odata.bind": format!("/maskingrules({rule})"),
            })
            .to_string()
        };
        for (table, column, status) in [
            ("contact", "telephone1", 400),
            ("contact", "creditlimit", 400),
            ("contact", "nothing", 400),
            ("nothing", "emailaddress1", 400),
            ("contact", "emailaddress1", 412),
        ] {
            let answer = world.ask("POST", "attributemaskingrules", &[], &masked(table, column)).await;
            assert_eq!(answer.status, status, "{table}.{column}: {}", answer.text());
        }
        // A rule that columns have stays; and who may not open columns changes nothing of it.
        let target = format!("maskingrules({rule})");
        assert!(world.ask("DELETE", &target, &[], "").await.status >= 400);
        let loose = r#"{"regularexpression":"x"}"#;
        assert_eq!(world.send(&masking.reader, "PATCH", &target, &[], loose).await.status, 403);
        assert_eq!(world.send(&masking.reader, "DELETE", &target, &[], "").await.status, 403);
        assert_eq!(masking.seen(&admin, &masking.one("")).await["emailaddress1"], MASKED);
    }
}
