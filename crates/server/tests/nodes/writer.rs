//! One client that writes: each of its requests is repeated until it is known to be done, and done once.

use std::collections::BTreeMap;

use serde_json::json;

use crate::clients::Clients;

/// What was acknowledged.
#[derive(Debug, Default)]
pub struct Journal {
    /// The accounts that are there, each with what its counter says.
    pub accounts: BTreeMap<String, i64>,
    /// Contacts, and the account that each was linked to.
    pub links: BTreeMap<String, String>,
}

impl Journal {
    /// Takes over what another writer was promised.
    pub fn append(&mut self, mut other: Self) {
        self.accounts.append(&mut other.accounts);
        self.links.append(&mut other.links);
    }
}

/// A writer, who has records of its own.
pub struct Writer {
    pub journal: Journal,
    number: usize,
    steps: usize,
    made: usize,
    /// Accounts that may be deleted: none is linked to, and no attempt to make one may still be under way in a node that hangs.
    spare: Vec<String>,
}

impl Writer {
    pub fn new(number: usize) -> Self {
        Self { journal: Journal::default(), number, steps: 0, made: 0, spare: Vec::new() }
    }

    /// The next of ten steps.
    pub fn step(&mut self, clients: &Clients) {
        match self.steps % 10 {
            0 | 3 | 6 => self.create(clients),
            4 => self.link(clients),
            9 => self.delete(clients),
            _ => self.count(clients),
        }
        self.steps += 1;
        clients.acknowledge();
    }

    fn fresh_id(&mut self) -> String {
        self.made += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.number, self.made)
    }

    /// Makes an account under an id of its own: repeated, it is refused as being there already.
    fn create(&mut self, clients: &Clients) {
        let id = self.fresh_id();
        let body = json!({ "accountid": id, "name": format!("account {id}"), "numberofemployees": 0 });
        let (answer, repeated) = clients.insist("POST", "accounts", &[], Some(&body));
        match answer.status {
            204 => {}
            412 => assert!(repeated, "{id} is there although nobody made it: {}", answer.text()),
            other => panic!("{other}: {}", answer.text()),
        }
        if !repeated {
            self.spare.push(id.clone());
        }
        self.journal.accounts.insert(id, 0);
    }

    /// Counts one up in an account, on condition that nobody did so meanwhile: repeated, it is refused as being another version.
    fn count(&mut self, clients: &Clients) {
        let at = self.steps * 7 % self.journal.accounts.len();
        let (id, count) = self.journal.accounts.iter_mut().nth(at).unwrap();
        let path = format!("accounts({id})?$select=numberofemployees");
        let read = clients.insist("GET", &path, &[], None).0.expect(200).json();
        assert_eq!(read["numberofemployees"], *count, "{id} is as it was acknowledged, whoever is asked");
        let version = read["@odata.etag"].as_str().unwrap();
        let body = json!({ "numberofemployees": *count + 1 });
        let (answer, repeated) =
            clients.insist("PATCH", &format!("accounts({id})"), &[("If-Match", version)], Some(&body));
        match answer.status {
            204 => {}
            412 => assert!(repeated, "{id} was changed although nobody changed it: {}", answer.text()),
            other => panic!("{other}: {}", answer.text()),
        }
        *count += 1;
    }

    fn delete(&mut self, clients: &Clients) {
        let Some(id) = self.spare.pop() else { return };
        let (answer, repeated) = clients.insist("DELETE", &format!("accounts({id})"), &[], None);
        match answer.status {
            204 => {}
            404 => assert!(repeated, "{id} was lost: {}", answer.text()),
            other => panic!("{other}: {}", answer.text()),
        }
        self.journal.accounts.remove(&id);
    }

    /// Makes a contact and links it to an account.
    fn link(&mut self, clients: &Clients) {
        let contact = self.fresh_id();
        let body = json!({ "contactid": contact, "lastname": format!("contact {contact}") });
        let (answer, repeated) = clients.insist("POST", "contacts", &[], Some(&body));
        assert!(answer.status == 204 || repeated && answer.status == 412, "{}: {}", answer.status, answer.text());
        let account = self.journal.accounts.keys().next_back().unwrap().clone();
        self.spare.retain(|spare| *spare != account);
        let path = format!("accounts({account})/contact_customer_accounts/$ref");
        let target = json!({ "@odata.id": format!("contacts({contact})") });
        clients.insist("POST", &path, &[], Some(&target)).0.expect(204);
        self.journal.links.insert(contact, account);
    }
}
