//! An organisation behind the protocol, on either engine, with a clock and ids that the test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use custodia_org::{Caller, LinkRequest, NewOrganization, Organization, Reference, Seeded, WorkLimits};
use custodia_schema::{Guid, standard};
use custodia_store::{Clock, MasterKey, Random, Settings, Store};
use custodia_web_api::{AnswerMemory, ApiRequest, AtOnce, KeptQuestions, Limits, Turns, Unbounded, handle};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use serde_json::Value as Json;

/// The service root that every answer's addresses begin with.
pub const ROOT: &str = "https://crm.example:8443/demo/api/data/v9.2/";

/// A clock that stands still until it is moved.
pub struct HeldClock(pub AtomicI64);

impl Clock for HeldClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.now_ms()).unwrap()
    }
}

/// Noise that is the same in every run of a world.
struct CountedNoise(AtomicU64);

impl Random for CountedNoise {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 27)).to_le_bytes()[..chunk.len()]);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Few, so that some are forgotten.
const QUESTIONS_KEPT_MAX: usize = 16;

pub struct World {
    pub org: Organization,
    pub seeded: Seeded,
    pub limits: Limits,
    pub page_token_key: [u8; 32],
    pub turns: Box<dyn Turns + Send>,
    pub memory: Box<dyn AnswerMemory + Send>,
    questions: KeptQuestions,
    clock: Arc<HeldClock>,
    random: Arc<CountedNoise>,
    _store: Store,
    _folder: tempfile::TempDir,
}

/// 2026-01-02T03:04:05Z.
pub const START: &str = "2026-01-02T03:04:05Z";
const START_SECONDS: i64 = 1_767_323_045;

static WORLDS: AtomicU64 = AtomicU64::new(1);

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    fn of(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body of an answer with that status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Json {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Json::Null } else { self.json() }
    }

    /// Asserts a complete error with that status and code, and gives its message.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> String {
        let body = self.expect(status);
        let error = &body["error"];
        assert_eq!(error["code"], code, "{body}");
        let message = error["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty());
        assert!(self.header("content-type").unwrap().starts_with("application/json"));
        message
    }

    /// The id at the end of the record's address.
    #[track_caller]
    pub fn written_id(&self) -> String {
        let address = self.header("odata-entityid").unwrap_or_else(|| panic!("{} {}", self.status, self.text()));
        assert_eq!(self.header("location"), Some(address));
        address[address.rfind('(').unwrap() + 1..].trim_end_matches(')').to_owned()
    }
}

impl World {
    pub async fn new(engine: Engine) -> Self {
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(custodia_testbed::with_database(
                &custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test"),
                &custodia_testbed::fresh_database_name(),
            )),
        };
        Self::at(postgres, custodia_store::Limits::default()).await
    }

    /// At an address of PostgreSQL, or in files.
    pub async fn at(postgres: Option<String>, limits: custodia_store::Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HeldClock(AtomicI64::new(START_SECONDS * 1_000)));
        // Worlds share a PostgreSQL cluster, where databases are named by ids: each world draws others.
        let number = WORLDS.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id());
        let random = Arc::new(CountedNoise(AtomicU64::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d))));
        let store = Store::open(Settings {
            folder: folder.path().to_owned(),
            postgres,
            master: MasterKey::generate(random.as_ref()),
            limits,
            schema: standard(),
            clock: clock.clone(),
            random: random.clone(),
            file_layer: None,
        })
        .await
        .unwrap();
        let (entry, database) = store.create_organization("demo", "Demo").await.unwrap();
        let org = Organization::new("demo", database, clock.clone(), random.clone());
        let new = NewOrganization {
            display_name: "Demo".into(),
            administrator: "admin@demo.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let seeded = org.seed(Guid::from_u128(1), new).await.unwrap();
        store.activate(&entry).await.unwrap();
        Self {
            org,
            seeded,
            limits: Limits::default(),
            page_token_key: [7; 32],
            turns: Box::new(AtOnce),
            memory: Box::new(Unbounded),
            questions: KeptQuestions::new(QUESTIONS_KEPT_MAX),
            clock,
            random,
            _store: store,
            _folder: folder,
        }
    }

    /// The same organisation within limits.
    pub fn limit(&mut self, limits: WorkLimits) {
        let database = self.org.database().clone();
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.org = Organization::with_limits("demo", database, clock, random, limits, None);
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    pub fn admin(&self) -> Caller {
        Caller::user(self.seeded.administrator, Guid::from_u128(2))
    }

    /// A user of the root unit with these built-in roles.
    pub async fn user(&self, name: &str, roles: &[&str]) -> Caller {
        let unit = self.seeded.unit;
        let body = format!(
            "{{\"domainname\":\"{name}@demo.example\",\"internalemailaddress\":\"{name}@demo.example\",\
             \"firstname\":\"{name}\",\"lastname\":\"Tester\",\"businessunitid@odata.bind\":\"/businessunits({unit})\"}}"
        );
        let id = Guid::try_parse(&self.post("systemusers", &body).await).unwrap();
        let user = Caller::user(id, Guid::from_u128(4));
        for role in roles {
            self.give_role(&user, role).await;
        }
        user
    }

    /// Gives a user of the root unit a built-in role more.
    pub async fn give_role(&self, user: &Caller, role: &str) {
        let unit = self.seeded.unit;
        let found = self.get(&format!("roles?$filter=name eq '{role}' and _businessunitid_value eq {unit}")).await;
        let role = Guid::try_parse(found["value"][0]["roleid"].as_str().unwrap()).unwrap();
        let table = |name: &str| self.org.schema().table_named(name).unwrap().id;
        let request = LinkRequest {
            record: Reference::id(table("systemuser"), user.user),
            relationship: "systemuserroles_association".into(),
            other: Reference::id(table("role"), role),
        };
        self.org.associate(&self.admin(), request).await.unwrap();
    }

    /// Sends a request of a caller; `target` is a path and perhaps a query.
    pub async fn send(
        &self,
        caller: &Caller,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut map = HeaderMap::new();
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            map.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let request = ApiRequest {
            method: &method,
            path,
            query,
            headers: &map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            service_root: ROOT,
            limits: &self.limits,
            page_token_key: &self.page_token_key,
            questions: &self.questions,
            turns: self.turns.as_ref(),
            memory: self.memory.as_ref(),
        };
        // Boxed: the bodies of tests hold many of these, and are polled on the stack of a thread.
        let answer = Answer::of(Box::pin(handle(&self.org, caller, &request)).await);
        check_form(&answer, caller);
        answer
    }

    /// Sends a request of the administrator.
    pub async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(&self.admin(), method, target, headers, body).await
    }

    /// Becomes a service that withholds one part of the protocol: nothing that was worked out before holds for it.
    pub fn withhold(&mut self, part: &str) {
        self.limits.withheld = custodia_web_api::withhold([part]).unwrap();
        self.questions = KeptQuestions::new(QUESTIONS_KEPT_MAX);
    }

    /// What the administrator is shown.
    pub async fn get(&self, target: &str) -> Json {
        self.ask("GET", target, &[], "").await.expect(200)
    }

    /// Makes a record as the administrator and gives its id.
    pub async fn post(&self, set: &str, body: &str) -> String {
        let answer = self.ask("POST", set, &[], body).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        answer.written_id()
    }
}

/// What holds of every answer.
fn check_form(answer: &Answer, caller: &Caller) {
    let request = caller.request.to_string();
    assert_eq!(answer.header("odata-version"), Some("4.0"));
    assert_eq!(answer.header("x-ms-service-request-id"), Some(request.as_str()));
    assert_eq!(answer.header("req_id"), Some(request.as_str()));
    match answer.status {
        204 | 304 => assert!(answer.body.is_empty(), "{}", answer.text()),
        _ => assert!(!answer.body.is_empty() && answer.header("content-type").is_some()),
    }
    for told in ["SELECT ", "sqlite", "postgres", "panicked"] {
        assert!(!answer.text().contains(told), "{}", answer.text());
    }
    // The names of inner tables; functions of our own go on with a capital letter.
    let inner = answer.text().split("custodia_").skip(1).any(|rest| rest.starts_with(|next: char| next.is_lowercase()));
    assert!(!inner, "{}", answer.text());
}

/// Runs test bodies on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident;)*) => {
        $(
            mod $name {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    let world = $crate::world::World::new($crate::world::Engine::Sqlite).await;
                    Box::pin(super::bodies::$name(world)).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    let world = $crate::world::World::new($crate::world::Engine::Postgres).await;
                    Box::pin(super::bodies::$name(world)).await;
                }
            }
        )*
    };
}
