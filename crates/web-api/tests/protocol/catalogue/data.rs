//! The records that the cases of the catalogue ask for.

use custodia_org::Caller;
use serde_json::json;

use crate::world::World;

/// Tasks by letter, with the time they are due; now is 2026-01-02T03:04:05Z, a Friday.
const TASKS: [(&str, &str); 15] = [
    ("a", "2024-06-15T12:00:00Z"),
    ("b", "2025-03-10T12:00:00Z"),
    ("c", "2025-11-20T12:00:00Z"),
    ("d", "2025-12-20T12:00:00Z"),
    ("e", "2025-12-27T12:00:00Z"),
    ("f", "2025-12-31T12:00:00Z"),
    ("g", "2026-01-01T12:00:00Z"),
    ("h", "2026-01-02T01:30:00Z"),
    ("i", "2026-01-02T05:00:00Z"),
    ("j", "2026-01-03T12:00:00Z"),
    ("k", "2026-01-08T12:00:00Z"),
    ("l", "2026-02-10T12:00:00Z"),
    ("m", "2026-05-10T12:00:00Z"),
    ("n", ""),
    ("o", "2027-06-01T12:00:00Z"),
];

/// Makes the tasks.
pub async fn tasks(world: &World) {
    for (letter, due) in TASKS {
        let body = match due {
            "" => json!({"subject": letter}),
            due => json!({"subject": letter, "scheduledend": due}),
        };
        world.post("tasks", &body.to_string()).await;
    }
}

/// Ids of some records.
pub struct Records {
    pub contoso: String,
    pub east: String,
    pub far: String,
    pub adventure: String,
    pub ann: String,
}

/// Accounts A, C, E below C and F below E; contacts Ann and Bob of C, Cid of A, and Dan.
pub async fn records(world: &World) -> Records {
    let contoso = json!({"name": "Contoso", "accountnumber": "C", "address1_city": "Paris", "numberofemployees": 10,
        "revenue": 1000, "creditonhold": true, "industrycode": 1, "fax": "10", "preferredcontactmethodcode": 3});
    let contoso = world.post("accounts", &contoso.to_string()).await;
    let below = |name: &str, number: &str, parent: &str| json!({"name": name, "accountnumber": number, "parentaccountid@odata.bind": format!("/accounts({parent})")});
    let mut east = below("Contoso East", "E", &contoso);
    east["numberofemployees"] = json!(25);
    east["address1_city"] = json!("Rome");
    east["industrycode"] = json!(2);
    let east = world.post("accounts", &east.to_string()).await;
    let far = world.post("accounts", &below("Contoso Far", "F", &east).to_string()).await;
    let adventure = json!({"name": "Adventure", "accountnumber": "A", "address1_city": "Paris",
        "numberofemployees": 10, "revenue": 500, "fax": "Paris", "preferredcontactmethodcode": 4});
    let adventure = world.post("accounts", &adventure.to_string()).await;
    let mut ids = Vec::new();
    for (name, of) in [("Ann", Some(&contoso)), ("Bob", Some(&contoso)), ("Cid", Some(&adventure)), ("Dan", None)] {
        let mut body = json!({"lastname": name, "birthdate": "1980-02-29"});
        if let Some(of) = of {
            body["parentcustomerid_account@odata.bind"] = json!(format!("/accounts({of})"));
        }
        ids.push(world.post("contacts", &body.to_string()).await);
    }
    for (account, contact) in [(&contoso, &ids[0]), (&adventure, &ids[2])] {
        let body = json!({"primarycontactid@odata.bind": format!("/contacts({contact})")});
        world.ask("PATCH", &format!("accounts({account})"), &[], &body.to_string()).await.expect(204);
    }
    let ann = ids.swap_remove(0);
    Records { contoso, east, far, adventure, ann }
}

/// All of them in one organisation.
pub struct Data {
    /// A user five hours behind UTC who may read everything.
    pub new_yorker: Caller,
    /// What stands in braces in cases, and the ids it stands for.
    names: Vec<(&'static str, String)>,
}

impl Data {
    /// Makes them.
    pub async fn new(world: &World) -> Self {
        tasks(world).await;
        let Records { contoso, east, far, adventure, ann } = records(world).await;
        let new_yorker = world.user("nick", &["System Administrator"]).await;
        let settings = format!("usersettingscollection({})", new_yorker.user);
        world.ask("PATCH", &settings, &[], "{\"timezonecode\":35}").await.expect(204);
        let view = json!({"name": "Paris", "returnedtypecode": "account", "querytype": 0,
            "fetchxml": "<fetch><entity name='account'><attribute name='accountnumber'/><order attribute='accountnumber'/>\
                <filter><condition attribute='address1_city' operator='eq' value='Paris'/></filter></entity></fetch>"});
        let saved = world.post("savedqueries", &view.to_string()).await;
        let own = world.post("userqueries", &view.to_string()).await;
        let lead = world.post("leads", "{\"lastname\":\"Lee\"}").await;
        let link = format!("{{\"@odata.id\":\"leads({lead})\"}}");
        let leads = format!("accounts({contoso})/accountleads_association/$ref");
        world.ask("POST", &leads, &[], &link).await.expect(204);
        let role = world.get("roles?$filter=name eq 'Basic User'&$top=1").await["value"][0]["roleid"].clone();
        let currency = world.get("transactioncurrencies?$top=1").await["value"][0]["transactioncurrencyid"].clone();
        let names = vec![
            ("{CONTOSO}", contoso.to_uppercase()),
            ("{contoso}", contoso),
            ("{east}", east),
            ("{far}", far),
            ("{adventure}", adventure),
            ("{ann}", ann),
            ("{saved}", saved),
            ("{own}", own),
            ("{role}", role.as_str().unwrap().to_owned()),
            ("{currency}", currency.as_str().unwrap().to_owned()),
            ("{admin}", world.seeded.administrator.to_string()),
            ("{nick}", new_yorker.user.to_string()),
            ("{unit}", world.seeded.unit.to_string()),
        ];
        Self { new_yorker, names }
    }

    /// A text of a case with the ids in it.
    pub fn filled(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }
}
