//! Random calls of one organisation's people: ordinary ones, guesses at the other's ids, the other's tokens and addresses,
//! and everything malformed. The same seed makes the same calls, but for the ids that were drawn meanwhile.

mod changes;
mod questions;

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use custodia_schema::{ColumnKind, Schema, Table};
use serde_json::{Value, json};

use crate::canaries::Canaries;
use crate::http::{Answer, Api, Client, read_answer};
use crate::path;

/// One call.
#[derive(Debug)]
pub struct Call {
    pub kind: &'static str,
    pub expected: Expected,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// Bytes to be sent instead of a request.
    raw: Option<Vec<u8>>,
    /// What it asks its own organisation for, where that makes sense elsewhere too.
    rest: Option<String>,
    /// It asks, although it is sent as changes are.
    changes_nothing: bool,
}

/// What may come back.
#[derive(Debug)]
pub enum Expected {
    /// Anything but a breakdown.
    Anything,
    /// No.
    Refused,
    /// That one is not known here.
    NoSignIn,
}

impl Call {
    /// Sends it; none where the server hung up.
    pub fn send(&self, client: &Client) -> Option<Answer> {
        if let Some(raw) = &self.raw {
            let mut stream = client.connect().unwrap();
            // The server may hang up before it has read everything.
            let _ = stream.write_all(raw);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            return read_answer(&mut stream).ok();
        }
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Some(client.request(self.method, &self.path, &headers, self.body.as_deref()))
    }

    /// The same, asked by the people of the other organisation of their own; only what changes nothing.
    pub fn at_home(&self, home: &Api) -> Option<Answer> {
        let rest = self.rest.as_ref().filter(|_| self.method == "GET" || self.changes_nothing)?;
        let bearer = format!("Bearer {}", home.token);
        let mut headers = vec![("Authorization", bearer.as_str())];
        let others = self.headers.iter().filter(|(name, _)| name != "Authorization");
        headers.extend(others.map(|(name, value)| (name.as_str(), value.as_str())));
        Some(home.client.request(self.method, &path(home, rest), &headers, self.body.as_deref()))
    }
}

/// Makes calls.
pub struct Calls {
    random: Random,
    schema: Arc<Schema>,
    /// Tables with a set, and ids of the other organisation's records there.
    targets: Vec<(Arc<Table>, Vec<String>)>,
    their: Side,
    our: Side,
    /// Places in the other organisation's lists.
    pages: Vec<(String, String)>,
    /// Addresses that the own organisation gave.
    next_links: Vec<String>,
    /// Ids of the other's records under which an upsert may have made one here.
    taken: HashSet<String>,
    /// Accounts that the own organisation may have.
    own_accounts: Vec<String>,
    /// Places in a list of FetchXML: the other's, and one's own.
    cookies: [String; 2],
    /// Stored views, of the organisation and of a user: the other's, and one's own.
    views: [[String; 2]; 2],
    /// Links to what changes: those that the own organisation gave, and some of the other.
    delta_links: Vec<String>,
    their_deltas: Vec<String>,
}

/// One organisation, as a caller knows it.
struct Side {
    name: String,
    host: String,
    token: String,
    user: String,
    mail: &'static str,
}

impl Calls {
    pub fn new(seed: u64, canaries: &Canaries, north: &Api, south: &Api) -> Self {
        let schema = Arc::clone(&canaries.schema);
        let targets = schema
            .tables()
            .iter()
            .filter(|table| !table.set_name.is_empty())
            .map(|table| (Arc::clone(table), canaries.records.get(&table.set_name).cloned().unwrap_or_default()))
            .collect();
        let side = |api: &Api, mail| Side {
            name: api.organization.clone(),
            host: api.client.host(),
            token: api.token.clone(),
            user: api.user_id(),
            mail,
        };
        let mut pages = Vec::new();
        for set in ["roles", "systemusers", "teams"] {
            let bearer = format!("Bearer {}", north.token);
            let headers = [("Authorization", bearer.as_str()), ("Prefer", "odata.maxpagesize=1")];
            // By the time, so that the place tells no text.
            let first = north.client.request("GET", &path(north, &format!("{set}?$orderby=createdon")), &headers, None);
            let link = first.json()["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
            if let Some((_, query)) = link.split_once('?') {
                pages.push((set.to_owned(), query.to_owned()));
            }
        }
        assert!(!pages.is_empty());
        Self {
            random: Random(seed),
            schema,
            targets,
            their: side(north, "ada@north.example"),
            our: side(south, "bob@south.example"),
            pages,
            next_links: Vec::new(),
            taken: HashSet::new(),
            own_accounts: Vec::new(),
            cookies: [cookie(north), cookie(south)],
            views: ["savedqueries", "userqueries"].map(|set| [north, south].map(|api| view(api, set))),
            delta_links: Vec::new(),
            their_deltas: ["accounts", "contacts", "systemusers"].map(|set| delta_link(north, set)).into(),
        }
    }

    /// Keeps what an answer offers.
    pub fn learn(&mut self, answer: &Answer) {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
        let link = body["@odata.nextLink"].as_str().and_then(|link| link.split_once("/v9.2/"));
        if let Some((_, rest)) = link {
            self.next_links.push(rest.to_owned());
        }
        let link = body["@odata.deltaLink"].as_str().and_then(|link| link.split_once("/v9.2/"));
        if let Some((_, rest)) = link {
            self.delta_links.push(rest.to_owned());
        }
    }

    pub fn next(&mut self) -> Call {
        match self.random.below(10) {
            0..3 => return self.question(),
            3 => return self.change(),
            _ => {}
        }
        match self.random.below(100) {
            0..28 => self.list(),
            28..36 => self.record(),
            36..44 => self.guess_by_write(),
            44..50 => self.link(),
            50..55 => self.function(),
            55..58 => self.on_behalf(),
            58..66 => self.foreign_token(),
            66..70 => self.damaged_token(),
            70..74 => self.foreign_page(),
            74..77 => self.next_page(),
            77..89 => self.malformed(),
            89..92 => self.no_request(),
            92..97 => self.way_round(),
            _ => self.sign_in(),
        }
    }

    // -- Parts --------------------------------------------------------------------------------------------------------

    fn call(&self, kind: &'static str, expected: Expected, method: &'static str, rest: String) -> Call {
        Call {
            kind,
            expected,
            method,
            path: format!("/{}/api/data/v9.2/{}", self.our.name, rest.replace(' ', "%20")),
            headers: vec![("Authorization".into(), format!("Bearer {}", self.our.token))],
            body: None,
            raw: None,
            rest: Some(rest.replace(' ', "%20")),
            changes_nothing: false,
        }
    }

    fn with_body(&self, mut call: Call, body: &Value) -> Call {
        call.headers.push(("Content-Type".into(), "application/json".into()));
        call.body = Some(body.to_string());
        call
    }

    fn target(&mut self) -> (Arc<Table>, String) {
        let at = self.random.below(self.targets.len());
        let (table, ids) = &self.targets[at];
        let table = Arc::clone(table);
        let id = if ids.is_empty() { self.their.user.clone() } else { ids[self.random.below(ids.len())].clone() };
        (table, id)
    }

    /// A table with records of the other organisation.
    fn filled(&mut self) -> (Arc<Table>, String) {
        loop {
            let at = self.random.below(self.targets.len());
            let (table, ids) = &self.targets[at];
            if let Some(id) = ids.first() {
                return (Arc::clone(table), id.clone());
            }
        }
    }

    /// The name of a column in URLs.
    fn column(&mut self, table: &Table) -> (String, bool) {
        loop {
            let column = &table.columns()[self.random.below(table.columns().len())];
            match &column.kind {
                ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => {}
                ColumnKind::Lookup { .. } => return (format!("_{}_value", column.name), false),
                _ => return (column.name.clone(), column.kind.is_text()),
            }
        }
    }

    fn filter(&mut self, table: &Table) -> String {
        let (column, is_text) = self.column(table);
        let word = ["a", "e", "1", "an", "qz", "%", "'' or 1 eq 1"][self.random.below(7)];
        match (is_text, self.random.below(5)) {
            (true, 0) => format!("contains({column},'{word}')"),
            (true, 1) => format!("startswith({column},'{word}')"),
            (true, 2) => format!("not endswith({column},'{word}')"),
            (true, 3) => format!("{column} ge '{word}'"),
            (_, 4) => format!("{column} eq null"),
            _ => format!("{column} ne null or {column} eq null"),
        }
    }

    fn options(&mut self, table: &Table) -> String {
        let mut options = Vec::new();
        if self.random.below(3) == 0 {
            let columns: Vec<String> = (0..=self.random.below(4)).map(|_| self.column(table).0).collect();
            options.push(format!("$select={}", columns.join(",")));
        }
        if self.random.below(2) == 0 {
            let first = self.filter(table);
            let filter = match self.random.below(3) {
                0 => first,
                1 => format!("({first}) or ({})", self.filter(table)),
                _ => format!("not ({first})"),
            };
            options.push(format!("$filter={}", filter.replace('%', "%25")));
        }
        if self.random.below(3) == 0 {
            let way = ["asc", "desc"][self.random.below(2)];
            options.push(format!("$orderby={} {way}", self.column(table).0));
        }
        if self.random.below(4) == 0 {
            options.push(format!("$top={}", 1 + self.random.below(5)));
        }
        if self.random.below(4) == 0 {
            options.push("$count=true".into());
        }
        if self.random.below(3) == 0 {
            let single: Vec<String> =
                self.schema.parents_of(table.id).map(|relationship| relationship.lookup_navigation.clone()).collect();
            let many: Vec<String> = self
                .schema
                .children_of(table.id)
                .map(|relationship| relationship.collection_navigation.clone())
                .collect();
            let from = if self.random.below(2) == 0 { single } else { many };
            if !from.is_empty() {
                options.push(format!("$expand={}", from[self.random.below(from.len())]));
            }
        }
        if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) }
    }

    // -- Calls of one's own -----------------------------------------------------------------------------------------

    fn list(&mut self) -> Call {
        let (table, _) = self.target();
        let options = self.options(&table);
        let mut call = self.call("a list", Expected::Anything, "GET", format!("{}{options}", table.set_name));
        if self.random.below(3) == 0 {
            call.headers.push(("Prefer".into(), "odata.include-annotations=\"*\",odata.maxpagesize=2".into()));
        }
        call
    }

    fn next_page(&mut self) -> Call {
        let link = self.next_links.pop();
        let rest = link.unwrap_or_else(|| "systemusers?$count=true".into());
        let mut call = self.call("the next page", Expected::Anything, "GET", rest);
        call.headers.push(("Prefer".into(), "odata.maxpagesize=2".into()));
        call
    }

    // -- Guesses ------------------------------------------------------------------------------------------------------

    fn record(&mut self) -> Call {
        let (table, id) = self.filled();
        let set = &table.set_name;
        let rest = match self.random.below(5) {
            0 => format!("{set}({id})"),
            1 => format!("{set}({id})?$select={}", self.column(&table).0),
            2 => format!("{set}({id})/{}", self.column(&table).0),
            3 => {
                let many: Vec<_> = self.schema.children_of(table.id).map(|r| r.collection_navigation.clone()).collect();
                match many.as_slice() {
                    [] => format!("{set}({id})"),
                    many => format!("{set}({id})/{}", many[self.random.below(many.len())]),
                }
            }
            _ => {
                let key = &table.column_by_id(table.primary_id).unwrap().name;
                format!("{set}?$filter={key} eq {id}")
            }
        };
        self.call("a record by an id of the other", Expected::Anything, "GET", rest)
    }

    /// What is to come of asking for these records of the other.
    fn unless_taken(&self, ids: &[&str]) -> Expected {
        if ids.iter().any(|id| self.taken.contains(*id)) { Expected::Anything } else { Expected::Refused }
    }

    fn guess_by_write(&mut self) -> Call {
        let (table, id) = self.filled();
        let rest = format!("{}({id})", table.set_name);
        match self.random.below(3) {
            0 => self.call("a delete by an id of the other", self.unless_taken(&[&id]), "DELETE", rest),
            1 => {
                let mut call = self.call("a change by an id of the other", self.unless_taken(&[&id]), "PATCH", rest);
                call.headers.push(("If-Match".into(), "*".into()));
                let (column, _) = self.column(&table);
                self.with_body(call, &json!({ column: "changed" }))
            }
            _ => {
                // An upsert: it may make a record of that id here, and must not touch the one there.
                self.taken.insert(id);
                let mut call = self.call("an upsert by an id of the other", Expected::Anything, "PATCH", rest);
                call.headers.push(("Prefer".into(), "return=representation".into()));
                let name = table.primary_name.and_then(|name| table.column_by_id(name));
                self.with_body(call, &json!({ name.map_or("description", |name| name.name.as_str()): "ours" }))
            }
        }
    }

    fn address(&mut self, set: &str, id: &str) -> String {
        match self.random.below(4) {
            0 => format!("/{set}({id})"),
            1 => format!("{set}({id})"),
            2 => format!("http://{}/{}/api/data/v9.2/{set}({id})", self.their.host, self.their.name),
            _ => format!("/{}/api/data/v9.2/{set}({id})", self.their.name),
        }
    }

    fn link(&mut self) -> Call {
        let (_, account) = self.of_set("accounts");
        let address = self.address("accounts", &account);
        match self.random.below(3) {
            0 => {
                let call = self.call(
                    "a new record bound to one of the other",
                    self.unless_taken(&[&account]),
                    "POST",
                    "contacts".into(),
                );
                self.with_body(call, &json!({ "lastname": "ours", "parentcustomerid_account@odata.bind": address }))
            }
            1 => {
                let rest = format!("systemusers({})/systemuserroles_association/$ref", self.our.user);
                let (_, role) = self.of_set("roles");
                let address = self.address("roles", &role);
                let call = self.call("a role of the other", self.unless_taken(&[&role]), "POST", rest);
                self.with_body(call, &json!({ "@odata.id": address }))
            }
            _ => {
                let rest = format!("accounts({account})/primarycontactid/$ref");
                let (_, contact) = self.of_set("contacts");
                let address = self.address("contacts", &contact);
                let call =
                    self.call("a link of the other's record", self.unless_taken(&[&account, &contact]), "PUT", rest);
                self.with_body(call, &json!({ "@odata.id": address }))
            }
        }
    }

    fn of_set(&mut self, set: &str) -> (Arc<Table>, String) {
        let (table, ids) = self.targets.iter().find(|(table, _)| table.set_name == set).unwrap();
        let id = if ids.is_empty() { self.their.user.clone() } else { ids[self.random.below(ids.len())].clone() };
        (Arc::clone(table), id)
    }

    fn function(&mut self) -> Call {
        let (_, account) = self.of_set("accounts");
        let (our, their) = (self.our.user.clone(), self.their.user.clone());
        match self.random.below(4) {
            0 => {
                let target = format!("{{'@odata.id':'accounts({account})'}}").replace('{', "%7B").replace('}', "%7D");
                let user = [our, their][self.random.below(2)].clone();
                let rest = format!(
                    "systemusers({user})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)?@t={target}"
                );
                self.call("rights on a record of the other", self.unless_taken(&[&account]), "GET", rest)
            }
            1 => {
                let call = self.call(
                    "sharing a record of the other",
                    self.unless_taken(&[&account]),
                    "POST",
                    "GrantAccess".into(),
                );
                let body = json!({
                    "Target": { "accountid": account, "@odata.type": "Microsoft.Dynamics.CRM.account" },
                    "PrincipalAccess": {
                        "Principal": { "systemuserid": our, "@odata.type": "Microsoft.Dynamics.CRM.systemuser" },
                        "AccessMask": "ReadAccess",
                    },
                });
                self.with_body(call, &body)
            }
            2 => {
                let (_, role) = self.of_set("roles");
                let rest = format!("RetrieveRolePrivilegesRole(RoleId={role})");
                self.call("privileges of a role of the other", Expected::Anything, "GET", rest)
            }
            _ => self.call("who am I", Expected::Anything, "GET", "WhoAmI".into()),
        }
    }

    fn on_behalf(&mut self) -> Call {
        let (table, _) = self.filled();
        let mut call = self.call("on behalf of a user of the other", Expected::Refused, "GET", table.set_name.clone());
        let header = ["MSCRMCallerID", "CallerObjectId"][self.random.below(2)];
        call.headers.push((header.into(), self.their.user.clone()));
        call.rest = None;
        call
    }

    // -- Tokens -------------------------------------------------------------------------------------------------------

    fn foreign_token(&mut self) -> Call {
        let (table, id) = self.filled();
        let rest = [table.set_name.clone(), format!("{}({id})", table.set_name), "WhoAmI".into()][self.random.below(3)]
            .clone();
        let mut call = self.call("", Expected::NoSignIn, "GET", String::new());
        call.rest = None;
        let version = ["v9.2", "v9.1", "v9.0"][self.random.below(3)];
        if self.random.below(3) > 0 {
            call.kind = "our token there";
            call.path = format!("/{}/api/data/{version}/{rest}", self.their.name);
        } else {
            call.kind = "their token here";
            call.path = format!("/{}/api/data/{version}/{rest}", self.our.name);
            call.headers[0].1 = format!("Bearer {}", self.their.token);
        }
        call
    }

    fn damaged_token(&mut self) -> Call {
        let (table, _) = self.filled();
        let mut call = self.call("a damaged token there", Expected::NoSignIn, "GET", String::new());
        call.rest = None;
        call.path = format!("/{}/api/data/v9.2/{}", self.their.name, table.set_name);
        let mut token = self.their.token.clone().into_bytes();
        match self.random.below(4) {
            0 => {
                // Anything but the last signs, of which some bits mean nothing.
                let at = self.random.below(token.len() - 4);
                token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            }
            1 => token.truncate(self.random.below(token.len())),
            2 => {
                // Their claims under our signature.
                let part = |token: &str, at: usize| token.split('.').nth(at).unwrap().to_owned();
                let (theirs, ours) = (self.their.token.clone(), self.our.token.clone());
                token = format!("{}.{}.{}", part(&theirs, 0), part(&theirs, 1), part(&ours, 2)).into_bytes();
            }
            _ => token.clear(),
        }
        call.headers[0].1 = format!("Bearer {}", String::from_utf8(token).unwrap());
        call
    }

    fn foreign_page(&mut self) -> Call {
        let (set, query) = self.pages[self.random.below(self.pages.len())].clone();
        let mut call = self.call("a page token of the other", Expected::Refused, "GET", format!("{set}?{query}"));
        call.rest = None;
        call.headers.push(("Prefer".into(), "odata.maxpagesize=1".into()));
        call
    }

    // -- Nonsense -----------------------------------------------------------------------------------------------------

    fn malformed(&mut self) -> Call {
        let (table, id) = self.filled();
        let set = table.set_name.clone();
        let mut call = self.call("malformed", Expected::Anything, "GET", set.clone());
        call.rest = None;
        match self.random.below(6) {
            0 => {
                let signs = b"()'$/?&=,;:@!*+%25%00%C3%28 ".to_vec();
                let mut path = call.path.into_bytes();
                for _ in 0..=self.random.below(6) {
                    let at = "/south/api/data/v9.2/".len() + self.random.below(set.len() + 1);
                    path.insert(at.min(path.len()), signs[self.random.below(signs.len())]);
                }
                call.path = String::from_utf8(path).unwrap().replace(' ', "%20");
            }
            1 => {
                let depth = self.random.below(400);
                call.path.push_str(&format!("?$filter={}{}", "(".repeat(depth), ")".repeat(depth)));
            }
            2 => call.path.push_str(&format!("({id}')/$value/$count?$skiptoken=%3Ccookie&$select=*,*")),
            3 => {
                call.method = "POST";
                let body = json!({ "name": "ours", "x": [1, { "y": "z" }] }).to_string();
                let cut = self.random.below(body.len());
                call.headers.push(("Content-Type".into(), "application/json".into()));
                call.body = Some(body[..cut].to_owned());
            }
            4 => {
                call.method = "POST";
                let depth = 1 + self.random.below(300);
                call.headers.push(("Content-Type".into(), "application/json".into()));
                call.body = Some(format!("{}{}", "{\"a\":".repeat(depth), "1".to_owned() + &"}".repeat(depth)));
            }
            _ => {
                call.method = ["PUT", "OPTIONS", "TRACE", "HEAD", "PATCH", "MERGE"][self.random.below(5)];
                if call.method == "HEAD" {
                    // Its answer names a length that does not come.
                    call.method = "OPTIONS";
                }
                call.headers.push(("If-Match".into(), "W/\"99999999999999999999\"".into()));
            }
        }
        call
    }

    fn no_request(&mut self) -> Call {
        let mut call = self.call("bytes that are no request", Expected::Anything, "GET", String::new());
        call.rest = None;
        let mut raw: Vec<u8> =
            (0..self.random.below(300)).map(|_| u8::try_from(self.random.below(256)).unwrap()).collect();
        if self.random.below(2) == 0 {
            let line = format!(
                "GET /{}/api/data/v9.2/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ",
                self.their.name
            );
            raw.splice(0..0, line.into_bytes());
            raw.extend_from_slice(b"\r\n\r\n");
        }
        call.raw = Some(raw);
        call
    }

    fn way_round(&mut self) -> Call {
        let (table, _) = self.filled();
        let rest = format!("api/data/v9.2/{}", table.set_name);
        let (ours, theirs) = (self.our.name.clone(), self.their.name.clone());
        let mut call = self.call("a way round by the path", Expected::Refused, "GET", String::new());
        call.rest = None;
        call.path = [
            format!("/{ours}/../{theirs}/{rest}"),
            format!("/{ours}/%2e%2e/{theirs}/{rest}"),
            format!("/{ours}/..%2f{theirs}/{rest}"),
            format!("/{ours}%2f..%2f{theirs}/{rest}"),
            format!("//{theirs}/{rest}"),
            format!("/{}/{rest}", theirs.to_uppercase()),
            format!("/{theirs}%00/{rest}"),
            format!("/./{theirs}/{rest}"),
            format!("/{ours}/api/data/v9.2/../../../../{theirs}/{rest}"),
            format!("/{theirs};{ours}/{rest}"),
        ][self.random.below(10)]
        .clone();
        if self.random.below(2) == 0 {
            // Names of hosts do not lead there either.
            call.kind = "a way round by the host";
            call.expected = Expected::Anything;
            call.path = format!("/{ours}/{rest}");
            let header =
                ["X-Forwarded-Host", "X-Original-URL", "Forwarded", "X-Forwarded-Prefix"][self.random.below(4)];
            call.headers.push((header.into(), format!("/{theirs}/{rest}")));
        }
        call
    }

    fn sign_in(&mut self) -> Call {
        let mut call = self.call("signing in with the other's name", Expected::Refused, "POST", String::new());
        call.rest = None;
        call.headers = vec![("Content-Type".into(), "application/x-www-form-urlencoded".into())];
        let organization = [self.our.name.clone(), self.their.name.clone()][self.random.below(2)].clone();
        call.path = format!("/{organization}/oauth2/v2.0/token");
        let client = "51f81489-12ee-4a9e-aaae-a2591f45987d";
        call.body = Some(match self.random.below(3) {
            0 => format!("grant_type=password&client_id={client}&username={}&password=wrong", self.their.mail),
            1 => format!("grant_type=client_credentials&client_id={}&client_secret=wrong", self.their.user),
            _ => format!("grant_type=refresh_token&client_id={client}&refresh_token={}", self.their.token),
        });
        call
    }
}

/// A view of accounts that shows their names.
fn view(api: &Api, set: &str) -> String {
    let xml = "<fetch><entity name='account'><attribute name='name'/></entity></fetch>";
    let body = json!({ "name": "Accounts", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0 });
    let answer = api.post(set, &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    answer.created_id()
}

/// What continues a list after its first page.
fn cookie(api: &Api) -> String {
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Prefer", "odata.include-annotations=\"*\"")];
    let rest = format!("roles?fetchXml={}", questions::encoded(&Calls::paged_fetch("")));
    let answer = api.client.request("GET", &path(api, &rest), &headers, None).expect(200).json();
    let outer = answer["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str().unwrap().to_owned();
    // Encoded twice, within an element.
    let twice = outer.split("pagingcookie=\"").nth(1).unwrap().split('"').next().unwrap();
    decoded(&decoded(twice))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

/// The link to what changes in a set from now on.
fn delta_link(api: &Api, set: &str) -> String {
    let bearer = format!("Bearer {}", api.token);
    let headers = [("Authorization", bearer.as_str()), ("Prefer", "odata.track-changes")];
    let answer = api.client.request("GET", &path(api, set), &headers, None).expect(200).json();
    answer["@odata.deltaLink"].as_str().unwrap().split_once("/v9.2/").unwrap().1.to_owned()
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap()
    }
}
