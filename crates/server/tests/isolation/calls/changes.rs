//! Changes by the newer ways: many records at once, records within records, batches, merging, prefilled records.

use serde_json::{Value, json};

use super::{Call, Calls, Expected};

impl Calls {
    /// One of these changes.
    pub(super) fn change(&mut self) -> Call {
        match self.random.below(10) {
            0 => self.create_many(),
            1 => self.update_many(),
            2 => self.upsert_many(),
            3 => self.delete_many(),
            4..6 => self.record_within_a_record(),
            6..8 => self.batch_of_changes(),
            8 => self.merge(),
            _ => self.prefilled(),
        }
    }

    // -- Parts --------------------------------------------------------------------------------------------------------

    /// An id that nobody has.
    fn fresh(&mut self) -> String {
        let mut hex = String::new();
        while hex.len() < 32 {
            hex.push_str(&format!("{:04x}", self.random.below(0x1_0000)));
        }
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// An account of one's own, if there is one.
    fn own_account(&mut self) -> Option<String> {
        (!self.own_accounts.is_empty()).then(|| self.own_accounts[self.random.below(self.own_accounts.len())].clone())
    }

    fn their_account(&mut self) -> String {
        self.of_set("accounts").1
    }

    /// Accounts to be changed together: one's own, and mostly one of the other among them; what is to come of it.
    fn some_accounts(&mut self) -> (Vec<String>, Expected) {
        let mut ids: Vec<String> = (0..self.random.below(3)).filter_map(|_| self.own_account()).collect();
        ids.dedup();
        if ids.is_empty() || self.random.below(3) > 0 {
            let theirs = self.their_account();
            let at = self.random.below(ids.len() + 1);
            ids.insert(at, theirs.clone());
            return (ids, self.unless_taken(&[&theirs]));
        }
        (ids, Expected::Anything)
    }

    fn act(&self, kind: &'static str, expected: Expected, action: &str, targets: Vec<Value>) -> Call {
        let path = format!("accounts/Microsoft.Dynamics.CRM.{action}");
        let mut call = self.call(kind, expected, "POST", path);
        call.rest = None;
        self.with_body(call, &json!({ "Targets": targets }))
    }

    // -- Many at once -------------------------------------------------------------------------------------------------

    fn create_many(&mut self) -> Call {
        let mut targets = Vec::new();
        let mut expected = Expected::Anything;
        for _ in 0..=self.random.below(3) {
            let mut target = json!({ "name": "ours" });
            if self.random.below(4) == 0 {
                let theirs = self.their_account();
                target["parentaccountid@odata.bind"] = self.address("accounts", &theirs).into();
                expected = self.unless_taken(&[&theirs]);
            }
            targets.push(target);
        }
        if matches!(expected, Expected::Anything) {
            // Known by this id from now on.
            let id = self.fresh();
            targets.push(json!({ "name": "ours", "accountid": id }));
            self.own_accounts.push(id);
        }
        self.act("CreateMultiple", expected, "CreateMultiple", targets)
    }

    fn update_many(&mut self) -> Call {
        let (ids, expected) = self.some_accounts();
        let targets = ids.iter().map(|id| json!({ "accountid": id, "description": "changed" })).collect();
        self.act("UpdateMultiple", expected, "UpdateMultiple", targets)
    }

    fn upsert_many(&mut self) -> Call {
        let (mut ids, _) = self.some_accounts();
        ids.push(self.fresh());
        let mut known = std::collections::HashSet::new();
        ids.retain(|id| known.insert(id.clone()));
        // They make records of these ids here, and must not touch those there.
        self.taken.extend(ids.iter().cloned());
        self.own_accounts.push(ids.last().unwrap().clone());
        let targets = ids.iter().map(|id| json!({ "accountid": id, "description": "upserted" })).collect();
        self.act("UpsertMultiple", Expected::Anything, "UpsertMultiple", targets)
    }

    fn delete_many(&mut self) -> Call {
        let (ids, expected) = self.some_accounts();
        let targets = ids.iter().map(|id| json!({ "accountid": id })).collect();
        self.act("DeleteMultiple", expected, "DeleteMultiple", targets)
    }

    // -- Within each other ----------------------------------------------------------------------------------------------

    fn record_within_a_record(&mut self) -> Call {
        let theirs = self.their_account();
        let address = self.address("accounts", &theirs);
        let contact = json!({ "lastname": "ours", "Contact_Tasks": [{ "subject": "ours" }] });
        let (expected, body) = match self.random.below(4) {
            0 => (Expected::Anything, json!({ "name": "ours", "contact_customer_accounts": [contact] })),
            1 => {
                let inner = json!({ "lastname": "ours", "parentcustomerid_account@odata.bind": address });
                (self.unless_taken(&[&theirs]), json!({ "name": "ours", "primarycontactid": inner }))
            }
            2 => {
                let linked = json!({ "@odata.id": address });
                (self.unless_taken(&[&theirs]), json!({ "name": "ours", "account_parent_account": [linked] }))
            }
            _ => {
                let bound = json!([address]);
                (self.unless_taken(&[&theirs]), json!({ "name": "ours", "account_parent_account@odata.bind": bound }))
            }
        };
        let mut call = self.call("a record within a record", expected, "POST", "accounts".into());
        call.rest = None;
        call.headers.push(("Prefer".into(), "return=representation".into()));
        self.with_body(call, &body)
    }

    /// A change set and requests beside it; some fail, and so the set as a whole.
    fn batch_of_changes(&mut self) -> Call {
        let theirs = self.their_account();
        let (contact, _) = (self.of_set("contacts").1, ());
        let mut set = String::new();
        for number in 1..=1 + self.random.below(3) {
            let (head, body) = match self.random.below(6) {
                0 => (format!("PATCH accounts({theirs}) HTTP/1.1\r\nIf-Match: *"), json!({ "description": "changed" })),
                1 => (
                    format!("PATCH /{}/api/data/v9.2/accounts({theirs}) HTTP/1.1\r\nIf-Match: *", self.their.name),
                    json!({ "description": "changed" }),
                ),
                2 if number > 1 => (
                    "POST contacts HTTP/1.1".to_owned(),
                    json!({ "lastname": "ours", "parentcustomerid_account@odata.bind": "$1" }),
                ),
                3 => (
                    format!("PUT accounts({theirs})/primarycontactid/$ref HTTP/1.1"),
                    json!({ "@odata.id": format!("contacts({contact})") }),
                ),
                _ => ("POST accounts HTTP/1.1".to_owned(), json!({ "name": "ours" })),
            };
            set.push_str(&format!(
                "--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n{head}\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
            ));
        }
        let get = format!("--b\r\nContent-Type: application/http\r\n\r\nGET accounts({theirs}) HTTP/1.1\r\n\r\n\r\n");
        let body = format!("--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{set}--c--\r\n{get}--b--\r\n");
        let mut call = self.call("a batch of changes", Expected::Anything, "POST", "$batch".into());
        call.rest = None;
        call.headers.push(("Content-Type".into(), "multipart/mixed;boundary=b".into()));
        if self.random.below(2) == 0 {
            call.headers.push(("Prefer".into(), "odata.continue-on-error".into()));
        }
        call.body = Some(body);
        call
    }

    // -- One from another -----------------------------------------------------------------------------------------------

    fn merge(&mut self) -> Call {
        let theirs = self.their_account();
        let record = |id: &str| json!({ "@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id });
        let (target, subordinate, expected) = match (self.own_account(), self.own_account(), self.random.below(4)) {
            (Some(one), Some(other), 0..2) => (one, other, Expected::Anything),
            (Some(one), _, 2) => (one, theirs.clone(), self.unless_taken(&[&theirs])),
            (Some(one), ..) => (theirs.clone(), one, self.unless_taken(&[&theirs])),
            (None, ..) => (theirs.clone(), self.fresh(), self.unless_taken(&[&theirs])),
        };
        let body = json!({
            "Target": record(&target), "Subordinate": record(&subordinate), "PerformParentingChecks": false,
            "UpdateContent": { "@odata.type": "Microsoft.Dynamics.CRM.account", "description": "merged" },
        });
        let mut call = self.call("Merge", expected, "POST", "Merge".into());
        call.rest = None;
        self.with_body(call, &body)
    }

    fn prefilled(&mut self) -> Call {
        let theirs = self.their_account();
        let (id, expected) = match (self.own_account(), self.random.below(2)) {
            (Some(own), 0) => (own, Expected::Anything),
            _ => (theirs.clone(), self.unless_taken(&[&theirs])),
        };
        let to = ["contact", "opportunity", "account"][self.random.below(3)];
        let source = super::questions::encoded(&format!("{{'@odata.id':'accounts({id})'}}"));
        let rest = format!(
            "InitializeFrom(EntityMoniker=@m,TargetEntityName='{to}',\
             TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate')?@m={source}"
        );
        self.call("InitializeFrom", expected, "GET", rest)
    }
}
