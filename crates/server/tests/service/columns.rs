//! `custodia secure` closes a column to all but field security profiles, at once.

use serde_json::{Value, json};

use crate::http::Api;
use crate::site::{Engine, Site, on_both_engines};

on_both_engines!(a_secured_column_is_closed_at_once);

/// Makes a user with a role; its id.
fn user_with_role(api: &Api, name: &str, role: &str) -> String {
    let unit = api.get("WhoAmI").expect(200).json()["BusinessUnitId"].as_str().unwrap().to_owned();
    let user = json!({
        "domainname": format!("{name}@north.example"), "firstname": name, "lastname": "Baker",
        "businessunitid@odata.bind": format!("/businessunits({unit})"),
    });
    let user = api.post("systemusers", &user).expect(204).created_id();
    let found = api.get(&format!("roles?$select=roleid&$filter=name eq '{role}'")).expect(200).json();
    link(api, &format!("systemusers({user})/systemuserroles_association"), "roles", &found["value"][0]["roleid"]);
    user
}

fn link(api: &Api, path: &str, set: &str, id: &Value) {
    let address = format!("http://{}/north/api/data/v9.2/{set}({})", api.client.host(), id.as_str().unwrap());
    api.post(&format!("{path}/$ref"), &json!({ "@odata.id": address })).expect(204);
}

fn a_secured_column_is_closed_at_once(engine: Engine) {
    let site = Site::new(engine).with_north();
    let server = site.serve(&[]);
    let ada = server.api(&site, "north", "ada@north.example");
    let ben_id = user_with_role(&ada, "ben", "Salesperson");
    let ben = server.api(&site, "north", "ben@north.example");
    let account = json!({ "name": "Contoso", "creditlimit": 5000 });
    let account = ben.post("accounts", &account).expect(204).created_id();
    let seen = |api: &Api| {
        api.get(&format!("accounts({account})?$select=name,creditlimit")).expect(200).json()["creditlimit"].clone()
    };
    let found = |api: &Api| {
        let found = api.get("accounts?$select=name&$filter=creditlimit gt 4000").expect(200).json();
        found["value"].as_array().unwrap().len()
    };
    assert_eq!(seen(&ben).as_f64(), Some(5000.0));
    assert_eq!(found(&ben), 1);

    let said = site.done(&["secure", "--org", "north", "account.creditlimit"]);
    assert!(said.contains("column security of account.creditlimit is on"), "{said}");
    assert_eq!(seen(&ben), Value::Null);
    assert_eq!(found(&ben), 0, "nor can it be guessed by a filter");
    assert_eq!(seen(&ada).as_f64(), Some(5000.0), "administrators see everything");

    let profile = ada.post("fieldsecurityprofiles", &json!({ "name": "Credit" })).expect(204).created_id();
    let permission = json!({
        "entityname": "account", "attributelogicalname": "creditlimit", "canread": 4, "canupdate": 0, "cancreate": 0,
        "fieldsecurityprofileid@odata.bind": format!("/fieldsecurityprofiles({profile})"),
    });
    ada.post("fieldpermissions", &permission).expect(204);
    let path = format!("fieldsecurityprofiles({profile})/systemuserprofiles_association");
    link(&ada, &path, "systemusers", &json!(ben_id));
    assert_eq!(seen(&ben).as_f64(), Some(5000.0));
    assert_eq!(found(&ben), 1);
    let change = ben.patch(&format!("accounts({account})"), &json!({ "creditlimit": 6000 }));
    assert_eq!(change.status, 403, "it may be read, not changed: {}", change.text());
    ada.request("DELETE", &format!("{path}({ben_id})/$ref"), None).expect(204);
    assert_eq!(seen(&ben), Value::Null);

    // It stays so, and is opened again without a server.
    server.stop();
    let line = site.refused(&["secure", "--org", "north", "account.secret"]);
    assert_eq!(line, "table 'account' has no column 'secret'");
    let line = site.refused(&["secure", "--org", "north", "creditlimit"]);
    assert!(line.contains("is not TABLE.COLUMN"), "{line}");
    let line = site.refused(&["secure", "--org", "north", "account.opendeals", "--off"]);
    assert_eq!(line, "column 'opendeals' of table 'account' comes secured with the program and stays so");
    let server = site.serve(&[]);
    let ben = Api { client: server.client(), ..ben };
    assert_eq!(seen(&ben), Value::Null);
    server.stop();
    site.done(&["secure", "--org", "north", "account.creditlimit", "--off"]);
    let server = site.serve(&[]);
    let ben = Api { client: server.client(), ..ben };
    assert_eq!(seen(&ben).as_f64(), Some(5000.0));
}
