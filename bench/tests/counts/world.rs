//! An organisation in this process: what requests of every kind are sent to, without sockets and other requests beside them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use custodia_identity::{
    Address, Addresses, KeySet, ProtocolVersion, SignInMethod, SigningKey, TokenContent, VerifiedTokens, issue_token,
};
use custodia_org::{Caller, NewOrganization, Organization};
use custodia_schema::{Guid, standard};
use custodia_sqlite::fault::FaultLayer;
use custodia_store::{Clock, MasterKey, Random, Settings, Store};
use custodia_web_api::{ApiRequest, KeptQuestions, Limits, handle};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

/// The service root of every answer's addresses.
pub const ROOT: &str = "https://crm.example/counts/api/data/v9.2/";
/// 2026-01-02T03:04:05Z; the clock stands still, so that nothing happens because time passed.
const NOW_SECONDS: i64 = 1_767_323_045;
const NAME: &str = "counts";
const ADMINISTRATOR: &str = "ada@counts.example";
const CALLER: &str = "cal@counts.example";
/// Roles of the caller: own records, and nobody else's.
const ROLES: &[&str] = &["Basic User", "System Customizer"];
/// Accounts and contacts of the caller, and those of the administrator.
const OWN: usize = 120;
const FOREIGN: usize = 60;
const OPPORTUNITIES: usize = 90;
/// Questions kept: all that are asked.
const QUESTIONS_KEPT_MAX: usize = 1_000;

/// What the records are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

struct HeldClock;

impl Clock for HeldClock {
    fn now_ms(&self) -> i64 {
        NOW_SECONDS * 1_000
    }

    fn monotonic_ms(&self) -> u64 {
        1
    }
}

/// Noise that begins anew for each world, at another place.
struct Noise(AtomicU64);

impl Noise {
    fn from(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let number = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 27)).to_le_bytes()[..chunk.len()]);
        }
    }
}

impl Random for Noise {
    fn fill(&self, buffer: &mut [u8]) {
        Self::fill(self, buffer);
    }
}

/// A request, made ready: what making it costs is not the service's.
pub struct Request {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    pub fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut map = HeaderMap::new();
        if !body.is_empty() {
            map.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in headers {
            map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Self {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query: query.replace(' ', "%20"),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target, &[], "")
    }

    pub fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target, &[], &body.to_string())
    }
}

/// Flushes and statements so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub statements: u64,
    pub flushes: u64,
}

pub struct World {
    pub organization: Organization,
    pub caller: Caller,
    pub tokens: Tokens,
    pub is_embedded: bool,
    administrator: Caller,
    store: Store,
    layer: Option<FaultLayer>,
    limits: Limits,
    questions: KeptQuestions,
    /// Ids of the caller's records.
    pub accounts: Vec<String>,
    pub contacts: Vec<String>,
    pub leads: Vec<String>,
    /// Another user, to share with.
    pub colleague: Guid,
}

impl World {
    /// Makes an organisation in a folder, or in new databases, and fills it. With a layer its flushes are counted.
    pub async fn make(engine: Engine, folder: &Path, layer: Option<FaultLayer>) -> Self {
        let postgres = (engine == Engine::Postgres).then(|| {
            let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
            custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name())
        });
        // Databases of a cluster are named by ids: each process draws others.
        let seed = (u64::from(std::process::id()) << 8) | u64::from(layer.is_some());
        let store = open(folder, postgres, layer.as_ref(), seed).await;
        let (entry, database) = store.create_organization(NAME, "Counts").await.unwrap();
        let organization = Organization::new(NAME, database, Arc::new(HeldClock), Arc::new(Noise::from(seed + 2)));
        let new = NewOrganization {
            display_name: "Counts".into(),
            administrator: ADMINISTRATOR.into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let seeded = organization.seed(Guid::from_u128(1), new).await.unwrap();
        store.activate(&entry).await.unwrap();
        let keys = KeySet::new(SigningKey::generate().unwrap(), NOW_SECONDS);
        let administrator = Caller::user(seeded.administrator, Guid::from_u128(2));
        let world = Self::around(engine, organization, store, layer, administrator, keys);
        world.fill(&seeded.unit.to_string()).await;
        world.looked_up().await
    }

    fn around(
        engine: Engine,
        organization: Organization,
        store: Store,
        layer: Option<FaultLayer>,
        administrator: Caller,
        keys: KeySet,
    ) -> Self {
        Self {
            tokens: Tokens::new(&organization, keys),
            is_embedded: engine == Engine::Sqlite,
            organization,
            caller: administrator.clone(),
            administrator,
            store,
            layer,
            limits: Limits::default(),
            questions: KeptQuestions::new(QUESTIONS_KEPT_MAX),
            accounts: Vec::new(),
            contacts: Vec::new(),
            leads: Vec::new(),
            colleague: Guid::nil(),
        }
    }

    async fn fill(&self, unit: &str) {
        for (name, roles) in [("cal", ROLES), ("col", &ROLES[..1])] {
            let mail = format!("{name}@counts.example");
            let bound = format!("/businessunits({unit})");
            let user = json!({ "domainname": mail, "internalemailaddress": mail, "firstname": name,
                "lastname": "Tester", "businessunitid@odata.bind": bound });
            self.answer(&self.administrator, &Request::post("systemusers", &user)).await;
            let user = self.user(&mail).await;
            for role in roles {
                let found = self.asked(&format!("roles?$select=roleid&$filter=name eq '{role}'")).await;
                let role = found["value"][0]["roleid"].as_str().unwrap().to_owned();
                let link = json!({ "@odata.id": format!("roles({role})") });
                let path = format!("systemusers({user})/systemuserroles_association/$ref");
                self.answer(&self.administrator, &Request::post(&path, &link)).await;
            }
        }
        let caller = Caller::user(self.user(CALLER).await, Guid::from_u128(3));
        for (owner, count) in [(&caller, OWN), (&self.administrator, FOREIGN)] {
            let accounts: Vec<Value> = (0..count).map(account).collect();
            let made = self.answer(owner, &multiple("accounts", "account", accounts)).await;
            let ids: Vec<&str> = made["Ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let contacts: Vec<Value> = (0..count).map(|number| contact(number, ids[number])).collect();
            self.answer(owner, &multiple("contacts", "contact", contacts)).await;
        }
        let leads = (0..20).map(|number| json!({ "lastname": format!("Lead {number:02}"), "subject": "S" })).collect();
        self.answer(&caller, &multiple("leads", "lead", leads)).await;
        let deals = (0..OPPORTUNITIES).map(|number| {
            json!({ "name": format!("Deal {number}"), "estimatedvalue": 1_000 + number, "salesstage": number % 4 })
        });
        self.answer(&caller, &multiple("opportunities", "opportunity", deals.collect())).await;
        // A team of the caller has something shared with it, so that statements look for shares, as they do in earnest.
        let bound = format!("/businessunits({unit})");
        let team = json!({ "name": "Readers", "teamtype": 1, "businessunitid@odata.bind": bound });
        self.answer(&self.administrator, &Request::post("teams", &team)).await;
        let team = self.asked("teams?$select=teamid&$filter=name eq 'Readers'").await;
        let team = team["value"][0]["teamid"].as_str().unwrap().to_owned();
        let path = format!("teams({team})/teammembership_association/$ref");
        let link = json!({ "@odata.id": format!("systemusers({})", caller.user) });
        self.answer(&self.administrator, &Request::post(&path, &link)).await;
        for (set, table) in [("accounts", "account"), ("contacts", "contact"), ("opportunities", "opportunity")] {
            let body = json!({ format!("{table}id"): Guid::from_u128(77), "name": "Shared", "lastname": "Shared" });
            let mut body = body.as_object().unwrap().clone();
            body.remove(if table == "contact" { "name" } else { "lastname" });
            self.answer(&self.administrator, &Request::post(set, &Value::Object(body))).await;
            let grant = grant(table, &Guid::from_u128(77).to_string(), "team", &team);
            self.answer(&self.administrator, &Request::post("GrantAccess", &grant)).await;
        }
    }

    /// Finds the caller, the colleague and the caller's records.
    async fn looked_up(mut self) -> Self {
        self.caller = Caller::user(self.user(CALLER).await, Guid::from_u128(3));
        self.colleague = self.user("col@counts.example").await;
        let mut found = Vec::new();
        for (set, id) in [("accounts", "accountid"), ("contacts", "contactid"), ("leads", "leadid")] {
            let own = format!("{set}?$select={id}&$filter=_ownerid_value eq {}&$orderby={id}", self.caller.user);
            let rows = self.asked(&own).await;
            let rows = rows["value"].as_array().unwrap().clone();
            found.push(rows.iter().map(|row| row[id].as_str().unwrap().to_owned()).collect());
        }
        self.leads = found.pop().unwrap();
        self.contacts = found.pop().unwrap();
        self.accounts = found.pop().unwrap();
        self
    }

    async fn user(&self, mail: &str) -> Guid {
        let found = self.asked(&format!("systemusers?$select=systemuserid&$filter=domainname eq '{mail}'")).await;
        Guid::try_parse(found["value"][0]["systemuserid"].as_str().unwrap()).unwrap()
    }

    async fn asked(&self, target: &str) -> Value {
        self.answer(&self.administrator, &Request::get(target)).await
    }

    async fn answer(&self, caller: &Caller, request: &Request) -> Value {
        let (status, body) = self.handled(caller, request).await;
        assert!((200..300).contains(&status), "{}: {}", request.path, String::from_utf8_lossy(&body));
        if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() }
    }

    async fn handled(&self, caller: &Caller, request: &Request) -> (u16, Bytes) {
        let request = ApiRequest {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            headers: &request.headers,
            body: request.body.clone(),
            service_root: ROOT,
            limits: &self.limits,
            page_token_key: &[7; 32],
            memory: &custodia_web_api::Unbounded,
            questions: &self.questions,
            turns: &custodia_web_api::AtOnce,
        };
        let (parts, body) = handle(&self.organization, caller, &request).await.into_parts();
        (parts.status.as_u16(), body)
    }

    /// Sends a request of the caller, who must get what it asks for.
    pub async fn send(&self, request: &Request) -> Bytes {
        let (status, body) = self.handled(&self.caller, request).await;
        let failed = status >= 300 || (status == 200 && body.windows(7).any(|part| part == b"\"error\""));
        assert!(!failed, "{} {}: {status} {}", request.method, request.path, String::from_utf8_lossy(&body));
        body
    }

    /// What was sent to the engine and flushed so far. Where the files are not counted, a batch is a flush.
    pub fn sent(&self) -> Sent {
        let flushes = match &self.layer {
            Some(layer) => layer.counts().flushes(),
            None => self.store.write_totals().batches,
        };
        Sent { statements: self.store.statements(), flushes }
    }

    /// Ends the organisation's use.
    pub fn close(self) {
        self.store.close();
    }
}

async fn open(folder: &Path, postgres: Option<String>, layer: Option<&FaultLayer>, seed: u64) -> Store {
    Store::open(Settings {
        folder: folder.to_owned(),
        postgres,
        master: MasterKey::generate(&Noise::from(7)),
        // One thread writes, as one thread asks.
        limits: custodia_store::Limits { writer_threads: 1, ..custodia_store::Limits::default() },
        schema: standard(),
        clock: Arc::new(HeldClock),
        random: Arc::new(Noise::from(seed + 1)),
        file_layer: layer.map(FaultLayer::name),
    })
    .await
    .unwrap()
}

/// Makes many records by one request.
pub fn multiple(set: &str, table: &str, records: Vec<Value>) -> Request {
    let typed = records.into_iter().map(|mut record| {
        record["@odata.type"] = format!("Microsoft.Dynamics.CRM.{table}").into();
        record
    });
    Request::post(
        &format!("{set}/Microsoft.Dynamics.CRM.CreateMultiple"),
        &json!({ "Targets": typed.collect::<Vec<_>>() }),
    )
}

/// Shares a record.
pub fn grant(table: &str, record: &str, kind: &str, principal: &str) -> Value {
    json!({
        "Target": { "@odata.type": format!("Microsoft.Dynamics.CRM.{table}"), format!("{table}id"): record },
        "PrincipalAccess": {
            "Principal": { "@odata.type": format!("Microsoft.Dynamics.CRM.{kind}"),
                (if kind == "team" { "teamid" } else { "systemuserid" }): principal },
            "AccessMask": "ReadAccess",
        },
    })
}

fn account(number: usize) -> Value {
    json!({
        "name": format!("Account {number:04}"), "accountnumber": format!("A-{number:06}"), "address1_city": "Ashford",
        "address1_line1": format!("{number} Main Street"), "address1_postalcode": format!("{number:05}"),
        "telephone1": format!("+1 200 555 {number:04}"), "emailaddress1": format!("office{number}@a.example"),
        "websiteurl": format!("https://www.a{number}.example/"), "numberofemployees": 10 + number,
        "revenue": 1_000 * (1 + number),
    })
}

/// A contact with everything that W4 sends.
pub fn contact(number: usize, account: &str) -> Value {
    json!({
        "firstname": "Ada", "lastname": format!("Last{number:05}"), "jobtitle": "Buyer",
        "emailaddress1": format!("ada{number}@c.example"), "telephone1": format!("+1 300 555 {number:04}"),
        "mobilephone": format!("+1 301 555 {number:04}"), "address1_line1": format!("{number} Side Street"),
        "address1_city": "Elmford", "address1_postalcode": format!("{number:05}"), "birthdate": "1980-05-17",
        "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
    })
}

/// A token of the caller, and what it is verified by.
pub struct Tokens {
    text: String,
    keys: KeySet,
    addresses: Addresses,
    organization: Guid,
    verified: VerifiedTokens,
}

impl Tokens {
    fn new(organization: &Organization, keys: KeySet) -> Self {
        let base = Address::parse("https://crm.example/").unwrap();
        let root = base.join(NAME).unwrap();
        let id = *organization.id().as_bytes();
        let content = TokenContent {
            organization: uuid::Uuid::from_bytes(id),
            root: &root,
            version: ProtocolVersion::V2,
            audience: &root,
            user: uuid::Uuid::from_u128(5),
            user_name: CALLER,
            application: None,
            method: SignInMethod::Password,
            lifetime_seconds: 3_600,
            tokens_not_before: 0,
        };
        let noise = Noise::from(11);
        let text =
            issue_token(&content, &keys, &move |buffer: &mut [u8]| noise.fill(buffer), NOW_SECONDS).unwrap().text;
        Self {
            text,
            keys,
            addresses: Addresses::new(&[NAME], &[base], &[]).unwrap(),
            organization: uuid::Uuid::from_bytes(id),
            verified: VerifiedTokens::new(1_000),
        }
    }

    /// Verifies the token; the first time, or after [`Self::forget`], by its signature.
    pub fn verify(&self) {
        let used = custodia_identity::TokenUse { organization: self.organization, addresses: &self.addresses };
        self.verified.authenticate(&self.text, || &self.keys, &used, NOW_SECONDS).unwrap();
    }

    pub fn forget(&self) {
        self.verified.clear();
    }
}
