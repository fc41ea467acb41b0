//! Column security on every path of the protocol: what shows values, what finds records by them, what refuses, and what
//! was shared of single records. `docs/security-model.md`, 8, lists the paths with these tests.

use crate::on_both_engines;

on_both_engines! {
    no_path_shows_a_hidden_value;
    no_path_finds_a_record_by_a_hidden_value;
    no_order_follows_a_hidden_value;
    names_behind_lookups_are_hidden_with_their_columns;
    no_path_follows_a_hidden_lookup;
    no_option_of_an_expanded_collection_or_a_group_tells_a_hidden_value;
    no_write_passes_or_tells_a_hidden_value;
    a_column_of_one_record_is_shared;
    who_shares_a_column_gives_no_more_than_their_own;
    shares_of_a_column_end_with_what_they_are_of;
    a_column_that_comes_secured_stays_so;
    a_permission_says_which_column_it_opens_to_whom;
}

mod bodies {
    use custodia_org::Caller;
    use custodia_schema::{column_description_id, privilege_id};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, World};

    /// A text and an amount that nothing else contains.
    const SECRET: &str = "qzx-4711";
    const AMOUNT: &str = "77003";

    /// An organisation with two accounts and a contact that have something to hide, and somebody who reads and writes all
    /// records but not the columns.
    struct Hiding {
        world: World,
        seller: Caller,
        /// `Alpha`, whose fax number is the secret, and `Beta`.
        accounts: [String; 2],
        contact: String,
    }

    impl Hiding {
        async fn of(world: World) -> Self {
            let body = json!({ "name": "Alpha", "fax": SECRET, "creditlimit": 77_003 });
            let alpha = world.post("accounts", &body.to_string()).await;
            let beta = world.post("accounts", r#"{"name":"Beta","fax":"a","creditlimit":5}"#).await;
            let parent = format!("/accounts({alpha})");
            let body =
                json!({ "lastname": "Gamma", "jobtitle": SECRET, "parentcustomerid_account@odata.bind": parent });
            let contact = world.post("contacts", &body.to_string()).await;
            let hiding = Self { seller: world.user("seller", &[]).await, world, accounts: [alpha, beta], contact };
            let mut held = vec!["prvMerge", "prvAppendToUser", "prvReadBusinessUnit"];
            let rows: Vec<String> = ["Account", "Contact", "Opportunity"]
                .iter()
                .flat_map(|table| {
                    ["Create", "Read", "Write", "Append", "AppendTo", "Share"].map(|kind| format!("prv{kind}{table}"))
                })
                .collect();
            held.extend(rows.iter().map(String::as_str));
            hiding.give(&hiding.seller, "Seller", &held).await;
            for (table, column) in [("account", "fax"), ("account", "creditlimit"), ("contact", "jobtitle")] {
                hiding.secure(table, column, true).await;
            }
            hiding
        }

        async fn secure(&self, table: &str, column: &str, secured: bool) {
            let schema = self.world.org.schema();
            let table = schema.table_named(table).unwrap();
            let column = table.column(column).unwrap().id;
            self.world.org.secure_column(&self.world.admin(), table.id, column, secured).await.unwrap();
        }

        /// Gives a user a new role of the root unit with these privileges, of all records.
        async fn give(&self, user: &Caller, name: &str, privileges: &[&str]) {
            let world = &self.world;
            let unit = format!("/businessunits({})", world.seeded.unit);
            let body = json!({ "name": name, "businessunitid@odata.bind": unit });
            let role = world.post("roles", &body.to_string()).await;
            let privileges: Vec<Json> = privileges
                .iter()
                .map(|name| json!({ "PrivilegeId": privilege_id(name).to_string(), "Depth": "Global" }))
                .collect();
            let path = format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole");
            world.ask("POST", &path, &[], &json!({ "Privileges": privileges }).to_string()).await.expect(204);
            world.give_role(user, name).await;
        }

        /// Opens columns to a user by a profile: canread, cancreate, canupdate.
        async fn open(&self, user: &Caller, table: &str, column: &str, [read, create, update]: [i32; 3]) {
            let world = &self.world;
            let profile = world.post("fieldsecurityprofiles", &json!({ "name": "P" }).to_string()).await;
            let body = json!({
                "entityname": table, "attributelogicalname": column, "canread": read, "cancreate": create, "canupdate": update,
                "fieldsecurityprofileid@odata.bind": format!("/fieldsecurityprofiles({profile})"),
            });
            world.post("fieldpermissions", &body.to_string()).await;
            let link = json!({ "@odata.id": format!("fieldsecurityprofiles({profile})") }).to_string();
            let path = format!("systemusers({})/systemuserprofiles_association/$ref", user.user);
            world.ask("POST", &path, &[], &link).await.expect(204);
        }

        /// What a share of a column of an account says.
        fn share(&self, account: &str, column: &str, with: (&str, &str), gives: (bool, bool)) -> Json {
            let schema = self.world.org.schema();
            let table = schema.table_named("account").unwrap();
            let attribute = column_description_id(table, table.column(column).unwrap());
            let (set, principal) = with;
            let bind = format!("principalid_{}@odata.bind", set.trim_end_matches('s'));
            json!({
                "attributeid": attribute.to_string(),
                "objectid_account@odata.bind": format!("/accounts({account})"),
                bind: format!("/{set}({principal})"),
                "readaccess": gives.0,
                "updateaccess": gives.1,
            })
        }

        async fn shares(&self, caller: &Caller, share: &Json) -> Answer {
            self.world.send(caller, "POST", SHARES, &[], &share.to_string()).await
        }

        async fn seen(&self, caller: &Caller, target: &str) -> Json {
            self.world.send(caller, "GET", target, &[], "").await.expect(200)
        }
    }

    pub async fn a_permission_says_which_column_it_opens_to_whom(world: World) {
        const REQUIRED: &str = "0x80040203";
        let administrators = format!("/fieldsecurityprofiles({})", custodia_store::ADMINISTRATOR_PROFILE);
        let profile = "fieldsecurityprofileid@odata.bind";
        let whole =
            json!({ "canread": 4, "entityname": "account", "attributelogicalname": "fax", profile: administrators });
        for missing in ["entityname", "attributelogicalname", profile] {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(missing);
            let refused = world.ask("POST", "fieldpermissions", &[], &body.to_string()).await;
            let refused = refused.expect_error(400, REQUIRED);
            assert!(refused.contains(missing.trim_end_matches("@odata.bind")), "{refused}");
        }
        for (name, wrong) in [("entityname", "nothing"), ("attributelogicalname", "nothing"), ("entityname", "")] {
            let mut body = whole.clone();
            body[name] = json!(wrong);
            assert_eq!(world.ask("POST", "fieldpermissions", &[], &body.to_string()).await.status, 400, "{body}");
        }
        let permission = format!("fieldpermissions({})", world.post("fieldpermissions", &whole.to_string()).await);
        for cleared in ["entityname", "attributelogicalname", "fieldsecurityprofileid"] {
            let body = json!({ cleared: null }).to_string();
            world.ask("PATCH", &permission, &[], &body).await.expect_error(400, REQUIRED);
            let path = match cleared {
                "fieldsecurityprofileid" => format!("{permission}/{cleared}/$ref"),
                property => format!("{permission}/{property}"),
            };
            world.ask("DELETE", &path, &[], "").await.expect_error(400, REQUIRED);
        }
        let moved = r#"{"attributelogicalname":"nothing"}"#;
        assert_eq!(world.ask("PATCH", &permission, &[], moved).await.status, 400);
        world.ask("PATCH", &permission, &[], r#"{"canread":0,"attributelogicalname":"telephone2"}"#).await.expect(204);
        world.get("WhoAmI").await;
        assert_eq!(world.get(&permission).await["attributelogicalname"], "telephone2");
    }

    const SHARES: &str = "principalobjectattributeaccessset";

    fn encoded(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    fn fetch(set: &str, xml: &str) -> String {
        format!("{set}?fetchXml={}", encoded(xml))
    }

    /// What shows values, in every language and form.
    pub async fn no_path_shows_a_hidden_value(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, _], contact) = (&hiding.accounts, &hiding.contact);
        let link = "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a'><attribute name='fax'/></link-entity>";
        let first = link.replace("alias='a'", "alias='a' link-type='matchfirstrowusingcrossapply'");
        let targets = [
            ("a column", format!("accounts({alpha})?$select=fax")),
            ("all columns", format!("accounts({alpha})")),
            ("one value", format!("accounts({alpha})/fax")),
            ("the bare value", format!("accounts({alpha})/fax/$value")),
            ("a list", "accounts?$select=fax,creditlimit".to_owned()),
            ("what is derived", format!("accounts({alpha})?$select=creditlimit_base")),
            ("$expand of a lookup", "contacts?$expand=parentcustomerid_account($select=fax)".to_owned()),
            ("$expand of a collection", "accounts?$expand=contact_customer_accounts($select=jobtitle)".to_owned()),
            ("over a lookup", format!("contacts({contact})/parentcustomerid_account?$select=fax")),
            ("a collection of a record", format!("accounts({alpha})/contact_customer_accounts?$select=jobtitle")),
            ("groups", format!("accounts?$apply={}", encoded("groupby((fax))"))),
            (
                "sums",
                format!("accounts?$apply={}", encoded("filter(name eq 'Alpha')/aggregate(creditlimit with sum as s)")),
            ),
            ("the greatest", format!("accounts?$apply={}", encoded("aggregate(creditlimit with max as s)"))),
            ("FetchXML", fetch("accounts", "<fetch><entity name='account'><attribute name='fax'/></entity></fetch>")),
            ("FetchXML, all", fetch("accounts", "<fetch><entity name='account'><all-attributes/></entity></fetch>")),
            ("FetchXML, a link", fetch("contacts", &format!("<fetch><entity name='contact'>{link}</entity></fetch>"))),
            (
                "FetchXML, the first",
                fetch("contacts", &format!("<fetch><entity name='contact'>{first}</entity></fetch>")),
            ),
            (
                "FetchXML, distinct",
                fetch(
                    "accounts",
                    "<fetch distinct='true'><entity name='account'><attribute name='fax'/></entity></fetch>",
                ),
            ),
            (
                "FetchXML, groups",
                fetch(
                    "accounts",
                    "<fetch aggregate='true'><entity name='account'><attribute name='fax' alias='f' groupby='true'/><attribute name='accountid' alias='n' aggregate='count'/></entity></fetch>",
                ),
            ),
            (
                "FetchXML, values",
                fetch(
                    "accounts",
                    "<fetch aggregate='true'><entity name='account'><attribute name='creditlimit' alias='m' aggregate='max'/></entity></fetch>",
                ),
            ),
            ("?sql=", format!("accounts?sql={}", encoded("SELECT name, fax FROM account"))),
            (
                "?sql=, a join",
                format!(
                    "contacts?sql={}",
                    encoded(
                        "SELECT c.contactid, a.fax AS f FROM contact c INNER JOIN account a ON c.parentcustomerid = a.accountid"
                    )
                ),
            ),
            (
                "a prefilled record",
                format!(
                    "InitializeFrom(EntityMoniker=@m,TargetEntityName='contact',TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate')?@m={{'@odata.id':'accounts({alpha})'}}"
                ),
            ),
        ];
        let annotated = ("prefer", "odata.include-annotations=\"*\"");
        let tracked = ("prefer", "odata.track-changes");
        let list = ("changes, the list", "accounts?$select=fax".to_owned());
        let asked = targets.iter().map(|target| (annotated, target)).chain([(tracked, &list)]);
        for (header, (path, target)) in asked {
            let shown = hiding.world.ask("GET", target, &[header], "").await;
            let tells =
                |answer: &Answer| answer.text().contains(SECRET) || answer.text().replace(',', "").contains(AMOUNT);
            assert!(shown.status == 200 && tells(&shown), "{path}: {} {}", shown.status, shown.text());
            let hidden = hiding.world.send(&hiding.seller, "GET", target, &[header], "").await;
            assert!(matches!(hidden.status, 200 | 204), "{path}: {}", hidden.text());
            assert!(!tells(&hidden), "{path}: {}", hidden.text());
            let part =
                format!("--b\r\nContent-Type: application/http\r\n\r\nGET {target} HTTP/1.1\r\n\r\n\r\n--b--\r\n");
            let content = ("content-type", "multipart/mixed;boundary=b");
            let batch = hiding.world.send(&hiding.seller, "POST", "$batch", &[content], &part).await;
            assert!(batch.status == 200 && !tells(&batch), "{path} in a batch: {}", batch.text());
        }
        // Descriptions say that a column is secured, to everybody.
        let described = "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='fax')?$select=IsSecured,CanBeSecuredForRead";
        assert_eq!(hiding.seen(&hiding.seller, described).await["IsSecured"], true);
        // Nothing hidden counts less.
        let counted = "RetrieveTotalRecordCount(EntityNames=['account'])";
        let admin = hiding.world.admin();
        assert_eq!(hiding.seen(&hiding.seller, counted).await, hiding.seen(&admin, counted).await);
    }

    /// What finds records by values: hidden ones are null there.
    pub async fn no_path_finds_a_record_by_a_hidden_value(world: World) {
        let hiding = Hiding::of(world).await;
        let filter = |text: &str| format!("accounts?$select=name&$filter={}", encoded(text));
        let sql = |text: &str| format!("accounts?sql={}", encoded(&format!("SELECT name FROM account WHERE {text}")));
        let xml = |inside: &str| {
            fetch(
                "accounts",
                &format!("<fetch><entity name='account'><attribute name='name'/>{inside}</entity></fetch>"),
            )
        };
        let condition = format!("<filter><condition attribute='fax' operator='eq' value='{SECRET}'/></filter>");
        let contacts = format!(
            "<filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='any'><filter>\
             <condition attribute='jobtitle' operator='eq' value='{SECRET}'/></filter></link-entity></filter>"
        );
        let targets = [
            ("eq", filter(&format!("fax eq '{SECRET}'"))),
            ("ge", filter("creditlimit ge 77003")),
            ("startswith", filter("startswith(fax,'qzx')")),
            ("contains", filter("contains(fax,'4711')")),
            (
                "a query function",
                filter(&format!("Microsoft.Dynamics.CRM.In(PropertyName='fax',PropertyValues=['{SECRET}'])")),
            ),
            ("a derived column", filter("creditlimit_base ge 77003")),
            ("ne null", filter("fax ne null and name eq 'Alpha'")),
            ("columns compared", filter("fax eq fax and name eq 'Alpha'")),
            ("a lambda", filter(&format!("contact_customer_accounts/any(c:c/jobtitle eq '{SECRET}')"))),
            ("FetchXML", xml(&condition)),
            ("FetchXML, a link", xml(&contacts)),
            ("?sql=", sql(&format!("fax = '{SECRET}'"))),
        ];
        for (path, target) in targets {
            let found = hiding.world.get(&target).await;
            assert_eq!(found["value"].as_array().unwrap().len(), 1, "{path}: {found}");
            let hidden = hiding.seen(&hiding.seller, &target).await;
            assert_eq!(hidden["value"], json!([]), "{path}");
        }
        let over = format!(
            "contacts?$select=lastname&$filter={}",
            encoded(&format!("parentcustomerid_account/fax eq '{SECRET}'"))
        );
        assert_eq!(hiding.world.get(&over).await["value"].as_array().unwrap().len(), 1);
        assert_eq!(hiding.seen(&hiding.seller, &over).await["value"], json!([]));
        // What is hidden is null, and cannot be told from null.
        let nulls = filter("fax eq null");
        assert_eq!(hiding.world.get(&nulls).await["value"], json!([]));
        assert_eq!(hiding.seen(&hiding.seller, &nulls).await["value"].as_array().unwrap().len(), 2);
        let count = format!("accounts/$count?$filter={}", encoded(&format!("fax eq '{SECRET}'")));
        for (caller, expected) in [(hiding.world.admin(), "1"), (hiding.seller.clone(), "0")] {
            let answer = hiding.world.send(&caller, "GET", &count, &[], "").await;
            assert_eq!(answer.text().trim_start_matches('\u{feff}'), expected);
        }
    }

    pub async fn no_order_follows_a_hidden_value(world: World) {
        let hiding = Hiding::of(world).await;
        let xml = |inside: &str| {
            fetch(
                "accounts",
                &format!("<fetch><entity name='account'><attribute name='name'/>{inside}</entity></fetch>"),
            )
        };
        let targets = [
            "accounts?$select=name&$orderby=fax,name".to_owned(),
            "accounts?$select=name&$orderby=creditlimit,name".to_owned(),
            xml("<order attribute='fax'/><order attribute='name'/>"),
            format!("accounts?sql={}", encoded("SELECT name FROM account ORDER BY fax, name")),
        ];
        for target in targets {
            let names = |found: &Json| -> Vec<String> {
                let rows = found["value"].as_array().unwrap();
                rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
            };
            assert_eq!(names(&hiding.world.get(&target).await), ["Beta", "Alpha"], "{target}");
            assert_eq!(names(&hiding.seen(&hiding.seller, &target).await), ["Alpha", "Beta"], "{target}");
        }
        // The link to the next page holds the last values of the order: hidden ones are not among them.
        let target = "accounts?$select=name&$orderby=fax,name";
        let pages = [("prefer", "odata.maxpagesize=1")];
        let page = hiding.world.send(&hiding.seller, "GET", target, &pages, "").await;
        let next = page.expect(200)["@odata.nextLink"].as_str().unwrap().to_owned();
        let next = next.strip_prefix(crate::world::ROOT).unwrap();
        assert_eq!(hiding.seen(&hiding.seller, next).await["value"][0]["name"], "Beta");
        // Of two orders that differ in hidden values alone, the place is the same.
        let admin = hiding.world.admin();
        hiding
            .world
            .ask("PATCH", &format!("accounts({})", hiding.accounts[0]), &[], r#"{"fax":"b"}"#)
            .await
            .expect(204);
        let again = hiding.world.send(&hiding.seller, "GET", target, &pages, "").await.expect(200);
        assert!(again["@odata.nextLink"].as_str().unwrap().ends_with(next), "{again}");
        assert_eq!(hiding.world.send(&admin, "GET", target, &pages, "").await.expect(200)["value"][0]["name"], "Beta");
    }

    /// A name that is made of a hidden column does not show behind lookups either.
    pub async fn names_behind_lookups_are_hidden_with_their_columns(world: World) {
        let hiding = Hiding::of(world).await;
        let (alpha, seller) = (&hiding.accounts[0], &hiding.seller);
        hiding.secure("systemuser", "firstname", true).await;
        let name = "_ownerid_value@OData.Community.Display.V1.FormattedValue";
        let annotated = [("prefer", "odata.include-annotations=\"*\"")];
        let target = format!("accounts({alpha})?$select=_ownerid_value");
        let shown = hiding.world.ask("GET", &target, &annotated, "").await.expect(200);
        assert_eq!(shown[name], "Ada Admin");
        let hidden = hiding.world.send(seller, "GET", &target, &annotated, "").await.expect(200);
        assert_eq!((&hidden["_ownerid_value"], &hidden[name]), (&shown["_ownerid_value"], &Json::Null));
        // Where what it is made of was shared, the name shows behind lookups too.
        let schema = hiding.world.org.schema();
        let table = schema.table_named("systemuser").unwrap();
        let share = json!({
            "attributeid": column_description_id(table, table.column("firstname").unwrap()).to_string(),
            "objectid_systemuser@odata.bind": format!("/systemusers({})", hiding.world.seeded.administrator),
            "principalid_systemuser@odata.bind": format!("/systemusers({})", seller.user),
            "readaccess": true,
        });
        hiding.shares(&hiding.world.admin(), &share).await.expect(204);
        let open = hiding.world.send(seller, "GET", &target, &annotated, "").await.expect(200);
        assert_eq!(open[name], "Ada Admin");
    }

    /// A lookup that is hidden leads nowhere, from neither end, and is set from neither.
    pub async fn no_path_follows_a_hidden_lookup(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, beta], contact) = (&hiding.accounts, &hiding.contact);
        let first = json!({ "primarycontactid@odata.bind": format!("/contacts({contact})") }).to_string();
        hiding.world.ask("PATCH", &format!("accounts({alpha})"), &[], &first).await.expect(204);
        hiding.secure("account", "primarycontactid", true).await;
        let filter = |set: &str, text: &str| format!("{set}?$filter={}", encoded(text));
        let apply = |text: &str| format!("accounts?$apply={}", encoded(text));
        let link = |near: &str, far: &str, from: &str, to: &str, kind: &str| {
            let inside = format!(
                "<link-entity name='{far}' from='{from}' to='{to}' alias='o' link-type='{kind}'><attribute name='createdon' \
                 alias='c'/></link-entity>"
            );
            fetch(&format!("{near}s"), &format!("<fetch><entity name='{near}'>{inside}</entity></fetch>"))
        };
        let within = |near: &str, far: &str, from: &str, to: &str, kind: &str| {
            let link = format!("<link-entity name='{far}' from='{from}' to='{to}' link-type='{kind}'/>");
            let inside = if kind == "any" { format!("<filter>{link}</filter>") } else { link };
            fetch(&format!("{near}s"), &format!("<fetch><entity name='{near}'>{inside}</entity></fetch>"))
        };
        let join = "SELECT a.name FROM account a INNER JOIN contact c ON a.primarycontactid = c.contactid";
        // What finds something by following the lookup.
        let found = [
            filter("accounts", "primarycontactid/lastname eq 'Gamma'"),
            filter("accounts", &format!("_primarycontactid_value eq {contact}")),
            filter("accounts", &format!("primarycontactid/contactid eq {contact}")),
            filter("contacts", "account_primary_contact/any(a:a/name eq 'Alpha')"),
            filter("contacts", "account_primary_contact/any()"),
            filter("contacts", "not account_primary_contact/all(a:a/name eq 'Nobody')"),
            format!("contacts({contact})/account_primary_contact"),
            format!("accounts?sql={}", encoded(join)),
            apply("filter(primarycontactid/lastname eq 'Gamma')/groupby((name))"),
            link("account", "contact", "contactid", "primarycontactid", "inner"),
            link("contact", "account", "primarycontactid", "contactid", "inner"),
            within("account", "contact", "contactid", "primarycontactid", "any"),
            within("contact", "account", "primarycontactid", "contactid", "any"),
            within("contact", "account", "primarycontactid", "contactid", "exists"),
            within("contact", "account", "primarycontactid", "contactid", "in"),
        ];
        for target in &found {
            let shown = hiding.world.get(target).await;
            assert_eq!(shown["value"].as_array().unwrap().len(), 1, "{target}: {shown}");
            assert_eq!(hiding.seen(&hiding.seller, target).await["value"], json!([]), "{target}");
        }
        // What shows where it leads.
        let annotated = [("prefer", "odata.include-annotations=\"*\"")];
        let shows = [
            (format!("accounts({alpha})"), contact.as_str()),
            (format!("accounts({alpha})?$select=_primarycontactid_value"), "Gamma"),
            ("accounts?$select=name&$expand=primarycontactid($select=lastname)".to_owned(), "Gamma"),
            (format!("accounts({alpha})/primarycontactid?$select=lastname"), "Gamma"),
            (format!("accounts({alpha})/primarycontactid/$ref"), contact.as_str()),
            ("contacts?$select=lastname&$expand=account_primary_contact($select=name)".to_owned(), "Alpha"),
            (format!("contacts({contact})?$select=lastname&$expand=account_primary_contact($select=name)"), "Alpha"),
            (apply("groupby((primarycontactid/lastname))"), "Gamma"),
            (apply("groupby((_primarycontactid_value))"), contact.as_str()),
            (
                link("account", "contact", "contactid", "primarycontactid", "outer").replace("createdon", "lastname"),
                "Gamma",
            ),
        ];
        for (target, secret) in &shows {
            let shown = hiding.world.ask("GET", target, &annotated, "").await;
            assert!(shown.status == 200 && shown.text().contains(secret), "{target}: {}", shown.text());
            let hidden = hiding.world.send(&hiding.seller, "GET", target, &annotated, "").await;
            assert!(matches!(hidden.status, 200 | 204), "{target}: {}", hidden.text());
            assert!(!hidden.text().contains(secret), "{target}: {}", hidden.text());
        }
        // Beta is before Alpha by the name behind it, which is hidden.
        let order = "accounts?$select=name&$orderby=primarycontactid/lastname,name";
        let names =
            |page: Json| page["value"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(hiding.world.get(order).await), ["Beta", "Alpha"]);
        assert_eq!(names(hiding.seen(&hiding.seller, order).await), ["Alpha", "Beta"]);

        // Nobody sets or clears it to whom it is closed, from neither end.
        let account = |id: &str| json!({ "@odata.id": format!("accounts({id})") });
        let of_contact = format!("contacts({contact})/account_primary_contact");
        let writes = [
            (
                "PUT",
                format!("accounts({beta})/primarycontactid/$ref"),
                json!({ "@odata.id": format!("contacts({contact})") }),
            ),
            ("DELETE", format!("accounts({alpha})/primarycontactid/$ref"), Json::Null),
            ("POST", format!("{of_contact}/$ref"), account(beta)),
            ("DELETE", format!("{of_contact}({alpha})/$ref"), Json::Null),
            ("DELETE", format!("{of_contact}/$ref?$id=accounts({alpha})"), Json::Null),
            ("POST", "contacts".to_owned(), json!({ "lastname": "N", "account_primary_contact": [{ "name": "N" }] })),
            (
                "POST",
                "contacts".to_owned(),
                json!({ "lastname": "N", "account_primary_contact@odata.bind": [format!("accounts({beta})")] }),
            ),
        ];
        let all = "accounts?$select=name,_primarycontactid_value&$orderby=name";
        let people = "contacts?$select=lastname";
        let before = (hiding.world.get(all).await, hiding.world.get(people).await);
        for (method, target, body) in writes {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = hiding.world.send(&hiding.seller, method, &target, &[], &body).await;
            assert!(answer.status == 403, "{method} {target}: {} {}", answer.status, answer.text());
        }
        assert_eq!((hiding.world.get(all).await, hiding.world.get(people).await), before);
    }

    /// Takes the tags of records out: that a record changed is told to whoever reads it.
    fn without_tags(answer: &mut Json) {
        match answer {
            Json::Object(members) => {
                members.remove("@odata.etag");
                members.values_mut().for_each(without_tags);
            }
            Json::Array(items) => items.iter_mut().for_each(without_tags),
            _ => {}
        }
    }

    /// Options within `$expand`, and what groups are made by and of.
    pub async fn no_option_of_an_expanded_collection_or_a_group_tells_a_hidden_value(world: World) {
        let hiding = Hiding::of(world).await;
        let alpha = &hiding.accounts[0];
        let parent = format!("/accounts({alpha})");
        let body = json!({ "lastname": "Delta", "jobtitle": "a", "parentcustomerid_account@odata.bind": parent });
        hiding.world.post("contacts", &body.to_string()).await;
        hiding.world.post("contacts", r#"{"lastname":"Eta","jobtitle":"b"}"#).await;
        let expand = |options: &str| {
            format!("accounts({alpha})?$select=name&$expand=contact_customer_accounts($select=lastname;{options})")
        };
        let apply = |set: &str, text: &str| format!("{set}?$apply={}", encoded(text));
        let all = "<attribute name='lastname'/>";
        let xml = |inside: &str| {
            let link = format!(
                "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'>{all}{inside}</link-entity>"
            );
            fetch("accounts", &format!("<fetch><entity name='account'><attribute name='name'/>{link}</entity></fetch>"))
        };
        let targets = [
            expand(&format!("$filter=jobtitle%20eq%20'{SECRET}'")),
            expand("$filter=contains(jobtitle,'4711')"),
            expand("$orderby=jobtitle;$top=1"),
            expand("$orderby=jobtitle%20desc,lastname"),
            apply("contacts", "groupby((parentcustomerid_account/fax))"),
            apply("contacts", "groupby((jobtitle),aggregate($count as n))"),
            apply("contacts", "filter(parentcustomerid_account/creditlimit ge 77003)/aggregate($count as n)"),
            apply("contacts", "aggregate(parentcustomerid_account/creditlimit with sum as s)"),
            apply("contacts", "aggregate(jobtitle with countdistinct as n)"),
            xml("<order attribute='jobtitle'/>"),
            xml("<filter><condition attribute='jobtitle' operator='like' value='qzx%'/></filter>"),
        ];
        // Answers of before and after the hidden values were changed: alike to whom they are hidden, and to nobody else.
        let ask = async |caller: &Caller| {
            let mut answers = Vec::new();
            for target in &targets {
                let answer = hiding.world.send(caller, "GET", target, &[], "").await;
                let mut answer = answer.expect(200);
                without_tags(&mut answer);
                answers.push(answer);
            }
            answers
        };
        let admin = hiding.world.admin();
        let before = (ask(&hiding.seller).await, ask(&admin).await);
        let changed = json!({ "fax": "b", "creditlimit": 1 }).to_string();
        hiding.world.ask("PATCH", &format!("accounts({alpha})"), &[], &changed).await.expect(204);
        for (name, title) in [("Gamma", "a"), ("Delta", "z"), ("Eta", "z")] {
            let found = hiding.world.get(&format!("contacts?$select=contactid&$filter=lastname eq '{name}'")).await;
            let id = found["value"][0]["contactid"].as_str().unwrap();
            let body = json!({ "jobtitle": title }).to_string();
            hiding.world.ask("PATCH", &format!("contacts({id})"), &[], &body).await.expect(204);
        }
        let after = (ask(&hiding.seller).await, ask(&admin).await);
        for (at, target) in targets.iter().enumerate() {
            assert_ne!(before.1[at], after.1[at], "{target}: tells something where nothing is hidden");
            assert_eq!(before.0[at], after.0[at], "{target}");
        }
    }

    /// Writes that mention a closed column are refused whole, by every way to write, and nothing of what is there is told.
    pub async fn no_write_passes_or_tells_a_hidden_value(world: World) {
        let hiding = Hiding::of(world).await;
        let [alpha, beta] = &hiding.accounts;
        let typed = |body: Json| {
            let mut body = body;
            body["@odata.type"] = json!("Microsoft.Dynamics.CRM.account");
            body
        };
        let one = format!("accounts({alpha})");
        let fresh = "accounts(3f1f2b6e-0000-4000-8000-000000000001)";
        let many = |what: &str| format!("accounts/Microsoft.Dynamics.CRM.{what}");
        let merge = json!({
            "Target": typed(json!({ "accountid": alpha })),
            "Subordinate": typed(json!({ "accountid": beta })),
            "UpdateContent": typed(json!({ "fax": "new" })),
            "PerformParentingChecks": false,
        });
        let (create, update) = ("0x8004f502", "0x8004f507");
        let writes = [
            ("create", "POST", "accounts".to_owned(), json!({ "name": "N", "fax": "new" }), create),
            ("create with null", "POST", "accounts".to_owned(), json!({ "name": "N", "fax": null }), create),
            (
                "create within",
                "POST",
                "contacts".to_owned(),
                json!({ "lastname": "N", "parentcustomerid_account": { "name": "N", "fax": "new" } }),
                create,
            ),
            ("upsert that creates", "PATCH", fresh.to_owned(), json!({ "name": "N", "fax": "new" }), create),
            ("update", "PATCH", one.clone(), json!({ "name": "N", "fax": "new" }), update),
            ("the present value", "PATCH", one.clone(), json!({ "fax": SECRET }), update),
            ("one value", "PUT", format!("{one}/fax"), json!({ "value": "new" }), update),
            ("clearing", "DELETE", format!("{one}/fax"), Json::Null, update),
            (
                "CreateMultiple",
                "POST",
                many("CreateMultiple"),
                json!({ "Targets": [typed(json!({ "name": "N", "fax": "new" }))] }),
                create,
            ),
            (
                "UpdateMultiple",
                "POST",
                many("UpdateMultiple"),
                json!({ "Targets": [typed(json!({ "accountid": alpha, "fax": "new" }))] }),
                update,
            ),
            ("Merge", "POST", "Merge".to_owned(), merge, update),
        ];
        let admin = hiding.world.admin();
        let all = "accounts?$select=name,fax,statecode&$orderby=name";
        let before = hiding.seen(&admin, all).await;
        for (way, method, target, body, code) in writes {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = hiding.world.send(&hiding.seller, method, &target, &[], &body).await;
            assert_eq!(answer.status, 403, "{way}: {}", answer.text());
            assert!(answer.text().contains(code), "{way}: {}", answer.text());
            assert!(!answer.text().contains(SECRET) && !answer.text().contains("new"), "{way}: {}", answer.text());
        }
        assert_eq!(hiding.seen(&admin, all).await, before);
        // The record as it was left shows no more.
        let returned = [("prefer", "return=representation")];
        let answer = hiding.world.send(&hiding.seller, "PATCH", &one, &returned, r#"{"telephone1":"1"}"#).await;
        assert!(answer.status == 200 && !answer.text().contains(SECRET), "{}", answer.text());
        assert_eq!(answer.json()["fax"], Json::Null);
        // A default may be set by the platform where the caller does not mention the column.
        hiding.secure("account", "creditonhold", true).await;
        let made = hiding.world.send(&hiding.seller, "POST", "accounts", &[], r#"{"name":"New"}"#).await;
        assert_eq!(made.status, 204, "{}", made.text());
        let made = format!("accounts({})?$select=creditonhold", made.written_id());
        assert_eq!(hiding.seen(&hiding.seller, &made).await["creditonhold"], Json::Null);
        assert_eq!(hiding.seen(&admin, &made).await["creditonhold"], false);
        // A merge takes no value over that was not given.
        let body = json!({
            "Target": typed(json!({ "accountid": beta })),
            "Subordinate": typed(json!({ "accountid": alpha })),
            "PerformParentingChecks": false,
        });
        hiding.world.send(&hiding.seller, "POST", "Merge", &[], &body.to_string()).await.expect(204);
        assert_eq!(hiding.seen(&admin, &format!("accounts({beta})?$select=fax")).await["fax"], "a");
    }

    pub async fn a_column_of_one_record_is_shared(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, beta], seller) = (&hiding.accounts, &hiding.seller);
        let admin = hiding.world.admin();
        let user = seller.user.to_string();
        let with = ("systemusers", user.as_str());
        let faxes = "accounts?$select=name,fax&$orderby=name";
        let seen = async || {
            let rows = hiding.seen(seller, faxes).await;
            [0, 1].map(|at| rows["value"][at]["fax"].clone())
        };
        assert_eq!(seen().await, [Json::Null, Json::Null]);
        let made = hiding.shares(&admin, &hiding.share(alpha, "fax", with, (true, false))).await;
        assert_eq!(made.status, 204, "{}", made.text());
        let share = format!("{SHARES}({})", made.written_id());
        assert_eq!(seen().await, [json!(SECRET), Json::Null]);
        // It is there wherever values are asked for, and the other record's is not.
        let filter = |text: &str| format!("accounts?$select=name&$filter={}", encoded(text));
        for (target, names) in [
            (filter(&format!("fax eq '{SECRET}'")), vec!["Alpha"]),
            (filter("fax eq 'a'"), vec![]),
            (filter("fax eq null"), vec!["Beta"]),
            (filter("fax ne null"), vec!["Alpha"]),
            ("accounts?$select=name&$orderby=fax desc,name".to_owned(), vec!["Alpha", "Beta"]),
            ("accounts?$select=name&$orderby=fax,name".to_owned(), vec!["Beta", "Alpha"]),
        ] {
            let found = hiding.seen(seller, &target).await;
            let found: Vec<&str> =
                found["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
            assert_eq!(found, names, "{target}");
        }
        let groups = format!("accounts?$apply={}", encoded("groupby((fax),aggregate($count as n))"));
        let groups = hiding.seen(seller, &groups).await;
        let mut groups: Vec<String> =
            groups["value"].as_array().unwrap().iter().map(|row| format!("{} {}", row["fax"], row["n"])).collect();
        groups.sort();
        assert_eq!(groups, [format!("\"{SECRET}\" 1"), "null 1".to_owned()]);
        let expanded = hiding.seen(seller, "contacts?$expand=parentcustomerid_account($select=fax)").await;
        assert_eq!(expanded["value"][0]["parentcustomerid_account"]["fax"], SECRET);
        // Pages go on where values are those of some records.
        let pages = [("prefer", "odata.maxpagesize=1")];
        let page = hiding.world.send(seller, "GET", "accounts?$select=name&$orderby=fax,name", &pages, "").await;
        let next = page.expect(200)["@odata.nextLink"].as_str().unwrap().to_owned();
        let next = next.strip_prefix(crate::world::ROOT).unwrap();
        assert_eq!(hiding.seen(seller, next).await["value"][0]["name"], "Alpha");

        // Reading is not changing.
        let change = async |account: &str, fax: &str| {
            let body = json!({ "fax": fax }).to_string();
            hiding.world.send(seller, "PATCH", &format!("accounts({account})"), &[], &body).await
        };
        change(alpha, "new").await.expect_error(403, "0x8004f507");
        hiding.world.ask("PATCH", &share, &[], r#"{"updateaccess":true}"#).await.expect(204);
        change(alpha, "new").await.expect(204);
        change(beta, "new").await.expect_error(403, "0x8004f507");
        assert_eq!(seen().await, [json!("new"), Json::Null]);
        hiding.world.ask("PATCH", &share, &[], r#"{"readaccess":false}"#).await.expect(204);
        assert_eq!(seen().await, [Json::Null, Json::Null]);
        change(alpha, "blind").await.expect(204);
        assert_eq!(hiding.seen(&admin, &format!("accounts({alpha})?$select=fax")).await["fax"], "blind");
        hiding.world.ask("DELETE", &share, &[], "").await.expect(204);
        change(alpha, "x").await.expect_error(403, "0x8004f507");

        // What is derived shows where everything it shows was shared.
        let limit = |account: &str| format!("accounts({account})?$select=creditlimit,creditlimit_base");
        hiding.shares(&admin, &hiding.share(alpha, "creditlimit", with, (true, false))).await.expect(204);
        let open = hiding.seen(seller, &limit(alpha)).await;
        assert_eq!((open["creditlimit"].as_f64(), open["creditlimit_base"].as_f64()), (Some(77_003.0), Some(77_003.0)));
        assert_eq!(hiding.seen(seller, &limit(beta)).await["creditlimit_base"], Json::Null);

        // A share opens no record: who may not read it sees neither.
        let stranger = hiding.world.user("stranger", &["Basic User"]).await;
        let id = stranger.user.to_string();
        hiding.shares(&admin, &hiding.share(alpha, "fax", ("systemusers", &id), (true, true))).await.expect(204);
        let hidden = hiding.world.send(&stranger, "GET", &format!("accounts({alpha})"), &[], "").await;
        hidden.expect_error(403, "0x80040220");

        // Through a team, of any kind: members have it while they are members.
        for kind in [0, 1] {
            let unit = format!("/businessunits({})", hiding.world.seeded.unit);
            let body = json!({ "name": format!("T{kind}"), "teamtype": kind, "businessunitid@odata.bind": unit });
            let team = hiding.world.post("teams", &body.to_string()).await;
            hiding.shares(&admin, &hiding.share(beta, "fax", ("teams", &team), (true, false))).await.expect(204);
            assert_eq!(seen().await[1], Json::Null);
            let member = json!({ "@odata.id": format!("systemusers({user})") }).to_string();
            let path = format!("teams({team})/teammembership_association");
            hiding.world.ask("POST", &format!("{path}/$ref"), &[], &member).await.expect(204);
            assert_eq!(seen().await[1], "a");
            hiding.world.ask("DELETE", &format!("{path}({user})/$ref"), &[], "").await.expect(204);
            assert_eq!(seen().await[1], Json::Null);
        }
    }

    pub async fn who_shares_a_column_gives_no_more_than_their_own(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, _], admin) = (&hiding.accounts, hiding.world.admin());
        let giver = hiding.world.user("giver", &[]).await;
        let shares = ["Create", "Read", "Write", "Delete", "Append", "AppendTo"];
        let shares: Vec<String> =
            shares.iter().map(|kind| format!("prv{kind}PrincipalObjectAttributeAccess")).collect();
        let named: Vec<&str> = shares.iter().map(String::as_str).collect();
        let schema = hiding.world.org.schema();
        let known: Vec<&str> = named.iter().copied().filter(|name| schema.privilege_named(name).is_some()).collect();
        assert!(known.len() >= 5, "{known:?}");
        let rows = ["prvReadAccount", "prvAppendToAccount", "prvReadUser", "prvAppendToUser"];
        hiding.give(&giver, "Giver", &[&known[..], &rows].concat()).await;
        let user = hiding.seller.user.to_string();
        let with = ("systemusers", user.as_str());
        let both = hiding.share(alpha, "fax", with, (true, true));
        // The record has to be the giver's to share.
        hiding.shares(&giver, &both).await.expect_error(403, "0x80040220");
        hiding.give(&giver, "Sharer", &["prvShareAccount"]).await;
        hiding.shares(&giver, &both).await.expect_error(403, "0x8004f504");
        hiding.open(&giver, "account", "fax", [4, 0, 0]).await;
        hiding.shares(&giver, &both).await.expect_error(403, "0x8004f503");
        let reading = hiding.share(alpha, "fax", with, (true, false));
        let made = hiding.shares(&giver, &reading).await;
        assert_eq!(made.status, 204, "{}", made.text());
        let share = format!("{SHARES}({})", made.written_id());
        // What was itself given is not passed on.
        hiding
            .shares(&admin, &hiding.share(alpha, "creditlimit", ("systemusers", &giver.user.to_string()), (true, true)))
            .await
            .expect(204);
        let passed = hiding.share(alpha, "creditlimit", with, (true, false));
        hiding.shares(&giver, &passed).await.expect_error(403, "0x8004f504");
        hiding
            .world
            .send(&giver, "PATCH", &share, &[], r#"{"updateaccess":true}"#)
            .await
            .expect_error(403, "0x8004f503");
        // Shares that make no sense, even of an administrator.
        for (share, code) in [
            (reading.clone(), "0x8004f50b"),
            (hiding.share(alpha, "fax", with, (false, false)), "0x8004f509"),
            (hiding.share(alpha, "telephone1", with, (true, false)), "0x8004f508"),
            (hiding.share(alpha, "name", with, (true, false)), "0x8004f508"),
        ] {
            let answer = hiding.shares(&admin, &share).await;
            assert!(
                answer.status >= 400 && answer.text().contains(code),
                "{code}: {} {}",
                answer.status,
                answer.text()
            );
        }
        let unknown = {
            let mut unknown = reading.clone();
            unknown["attributeid"] = json!(alpha);
            unknown
        };
        assert_eq!(hiding.shares(&admin, &unknown).await.status, 400);
        for missing in ["attributeid", "objectid_account@odata.bind", "principalid_systemuser@odata.bind"] {
            let mut share = reading.clone();
            share.as_object_mut().unwrap().remove(missing);
            assert_eq!(hiding.shares(&admin, &share).await.status, 400, "{missing}");
        }
        let none = hiding.world.ask("PATCH", &share, &[], r#"{"readaccess":false}"#).await;
        assert!(none.status >= 400 && none.text().contains("0x8004f50a"), "{}", none.text());
        let moved = json!({ "objectid_account@odata.bind": format!("/accounts({})", hiding.accounts[1]) });
        assert_eq!(hiding.world.ask("PATCH", &share, &[], &moved.to_string()).await.status, 400);
        // Whoever may share the record takes it away.
        let blind = hiding.world.user("blind", &[]).await;
        hiding.give(&blind, "Blind", &known).await;
        hiding.world.send(&blind, "DELETE", &share, &[], "").await.expect_error(403, "0x80040220");
        hiding.world.send(&giver, "DELETE", &share, &[], "").await.expect(204);
    }

    pub async fn shares_of_a_column_end_with_what_they_are_of(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, beta], admin) = (&hiding.accounts, hiding.world.admin());
        let user = hiding.seller.user.to_string();
        let with = ("systemusers", user.as_str());
        let shares = async || hiding.seen(&admin, SHARES).await["value"].as_array().unwrap().len();
        let unit = format!("/businessunits({})", hiding.world.seeded.unit);
        let body = json!({ "name": "Team", "teamtype": 1, "businessunitid@odata.bind": unit });
        let team = hiding.world.post("teams", &body.to_string()).await;
        for share in [
            hiding.share(alpha, "fax", with, (true, true)),
            hiding.share(beta, "fax", with, (true, true)),
            hiding.share(beta, "creditlimit", with, (true, true)),
            hiding.share(beta, "fax", ("teams", &team), (true, true)),
        ] {
            hiding.shares(&admin, &share).await.expect(204);
        }
        assert_eq!(shares().await, 4);
        hiding.world.ask("DELETE", &format!("teams({team})"), &[], "").await.expect(204);
        assert_eq!(shares().await, 3);
        hiding.world.ask("DELETE", &format!("accounts({alpha})"), &[], "").await.expect(204);
        assert_eq!(shares().await, 2);
        // Who secures a column again decides anew who sees it.
        hiding.secure("account", "fax", false).await;
        assert_eq!(shares().await, 1);
        hiding.secure("account", "fax", true).await;
        let seen = hiding.seen(&hiding.seller, &format!("accounts({beta})?$select=fax,creditlimit")).await;
        assert_eq!((&seen["fax"], seen["creditlimit"].as_f64()), (&Json::Null, Some(5.0)));
    }
    pub async fn a_column_that_comes_secured_stays_so(world: World) {
        let hiding = Hiding::of(world).await;
        let ([alpha, _], world) = (&hiding.accounts, &hiding.world);
        let user = hiding.seller.user.to_string();
        let share = hiding.share(alpha, "opendeals", ("systemusers", &user), (true, false));
        hiding.shares(&world.admin(), &share).await.expect(204);
        let kept = async || {
            let audits = world.get("audits?$select=action&$filter=action eq 103").await;
            (world.get(SHARES).await["value"].clone(), audits["value"].clone())
        };
        let before = kept().await;
        assert_eq!(before.0.as_array().unwrap().len(), 1);
        for column in ["opendeals", "openrevenue"] {
            let path = format!("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{column}')");
            let refused = world.ask("PUT", &path, &[], r#"{"IsSecured":false}"#).await.expect_error(400, "0x8004f508");
            let stays = format!("column '{column}' of table 'account' comes secured with the program and stays so");
            assert_eq!(refused, stays);
            assert_eq!(world.get(&path).await["IsSecured"], true);
        }
        assert_eq!(kept().await, before, "nothing is told of, and the share is there");
    }
}
