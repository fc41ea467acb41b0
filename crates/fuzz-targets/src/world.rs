//! An organisation that inputs are sent to: embedded, with a few records, and a caller who may read all of it and change none,
//! so that an answer does not depend on the inputs before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use custodia_org::{Caller, NewOrganization, Organization};
use custodia_schema::{Guid, NamedPrivilege, PrivilegeKind, standard};
use custodia_store::{Clock, MasterKey, Random, Settings, Store};
use custodia_web_api::{ApiRequest, KeptQuestions, Limits};
use http::{HeaderMap, HeaderValue, Method, Response};
use tokio::runtime::{Builder, Runtime};

/// The service root that every answer's addresses begin with.
pub(crate) const ROOT: &str = "https://crm.example:8443/demo/api/data/v9.2/";

/// 2026-01-02T03:04:05Z.
const NOW_MS: i64 = 1_767_323_045_000;

/// Few, so that some are forgotten.
const QUESTIONS_KEPT_MAX: usize = 16;

/// A clock that stands still.
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Noise that is the same in every run.
struct CountedNoise(AtomicU64);

impl Random for CountedNoise {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The organisation, and what it runs on.
pub(crate) struct World {
    runtime: Runtime,
    pub store: Store,
    pub master: MasterKey,
    pub random: Arc<dyn Random>,
    pub organization: Organization,
    administrator: Guid,
    reader: Guid,
    questions: KeptQuestions,
    limits: Limits,
    pub folder: tempfile::TempDir,
}

/// The one of this process.
pub(crate) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::new);
    &WORLD
}

/// Removes its files, which a value of the whole process does not do by itself.
pub(crate) fn clean_up() {
    world().store.close();
    std::fs::remove_dir_all(world().folder.path()).expect("the folder can be removed");
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime starts");
        let folder = tempfile::tempdir().expect("a folder is made");
        let random: Arc<dyn Random> = Arc::new(CountedNoise(AtomicU64::new(1)));
        let master = MasterKey::generate(random.as_ref());
        let settings = Settings {
            folder: folder.path().to_owned(),
            postgres: None,
            master: MasterKey::parse(&master.export()).expect("a key is read"),
            limits: custodia_store::Limits::default(),
            schema: standard(),
            clock: Arc::new(StoppedClock),
            random: Arc::clone(&random),
            file_layer: None,
        };
        let (store, organization, seeded) = runtime.block_on(async {
            let store = Store::open(settings).await.expect("a store opens");
            let (entry, database) = store.create_organization("demo", "Demo").await.expect("an organisation is made");
            let organization = Organization::new("demo", database, Arc::new(StoppedClock), Arc::clone(&random));
            let new = NewOrganization {
                display_name: "Demo".into(),
                administrator: "admin@demo.example".into(),
                first_name: "Ada".into(),
                last_name: "Admin".into(),
                currency: ("USD".into(), "US Dollar".into(), "$".into()),
            };
            let seeded = organization.seed(Guid::from_u128(1), new).await.expect("it is filled");
            store.activate(&entry).await.expect("it opens");
            (store, organization, seeded)
        });
        let questions = KeptQuestions::new(QUESTIONS_KEPT_MAX);
        let limits = Limits::default();
        let administrator = seeded.administrator;
        let mut world = Self {
            runtime,
            store,
            master,
            random,
            organization,
            administrator,
            reader: administrator,
            questions,
            limits,
            folder,
        };
        world.reader = world.make_reader(seeded.unit);
        world.make_records();
        world
    }

    /// Runs what an input asks for, to its end.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Somebody who may read everything and change nothing.
    pub fn reader(&self) -> Caller {
        Caller::user(self.reader, Guid::from_u128(4))
    }

    /// Somebody who may do everything: what is done must not last.
    pub fn administrator(&self) -> Caller {
        Caller::user(self.administrator, Guid::from_u128(2))
    }

    /// The answer to a request, as the server asks for it.
    pub fn answer(
        &self,
        caller: &Caller,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<Bytes> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = ApiRequest {
            method,
            path,
            query,
            headers,
            body,
            service_root: ROOT,
            limits: &self.limits,
            page_token_key: &[7; 32],
            questions: &self.questions,
            turns: &custodia_web_api::AtOnce,
            memory: &custodia_web_api::Unbounded,
        };
        self.run(async {
            let acting = custodia_web_api::acting_for(&self.organization, caller, headers).await;
            match acting {
                Ok(acting_for) => {
                    let caller = Caller { acting_for, ..caller.clone() };
                    custodia_web_api::handle(&self.organization, &caller, &request).await
                }
                Err(response) => response,
            }
        })
    }

    /// Makes a record or does an action as the administrator; the id of what was made.
    fn post(&self, target: &str, body: &serde_json::Value) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = Bytes::from(body.to_string());
        let answer = self.answer(&self.administrator(), &Method::POST, target, &headers, body);
        assert!(answer.status().is_success(), "{target}: {}", String::from_utf8_lossy(answer.body()));
        let address = answer.headers().get("odata-entityid").and_then(|value| value.to_str().ok()).unwrap_or_default();
        address.rsplit_once('(').map_or("", |(_, id)| id.trim_end_matches(')')).to_owned()
    }

    fn make_reader(&self, unit: Guid) -> Guid {
        let schema = self.organization.schema();
        let unit = format!("/businessunits({unit})");
        let role = self.post("roles", &serde_json::json!({ "name": "Reader", "businessunitid@odata.bind": unit }));
        let reads = schema.privileges().iter().filter(|privilege| privilege.kind == Some(PrivilegeKind::Read));
        let level = |read: &NamedPrivilege| format!("{:?}", read.highest().expect("a privilege has levels"));
        let privileges: Vec<_> =
            reads.map(|read| serde_json::json!({ "PrivilegeId": read.id.to_string(), "Depth": level(read) })).collect();
        self.post(
            &format!("roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole"),
            &serde_json::json!({ "Privileges": privileges }),
        );
        let user = self.post(
            "systemusers",
            &serde_json::json!({
                "domainname": "reader@demo.example",
                "internalemailaddress": "reader@demo.example",
                "businessunitid@odata.bind": unit,
                "firstname": "Rita",
                "lastname": "Reader",
            }),
        );
        self.post(
            &format!("systemusers({user})/systemuserroles_association/$ref"),
            &serde_json::json!({ "@odata.id": format!("{ROOT}roles({role})") }),
        );
        Guid::try_parse(&user).expect("an id")
    }

    fn make_records(&self) {
        for (set, record) in [
            (
                "accounts",
                serde_json::json!({ "accountid": "00000000-0000-4000-8000-0000000000a1", "name": "Acme", "revenue": 1000.5, "numberofemployees": 7, "accountnumber": "A-1" }),
            ),
            (
                "accounts",
                serde_json::json!({ "accountid": "00000000-0000-4000-8000-0000000000a2", "name": "Bêta & Co", "parentaccountid@odata.bind": "/accounts(00000000-0000-4000-8000-0000000000a1)" }),
            ),
            (
                "contacts",
                serde_json::json!({ "contactid": "00000000-0000-4000-8000-0000000000c1", "firstname": "Carla", "lastname": "Contact", "parentcustomerid_account@odata.bind": "/accounts(00000000-0000-4000-8000-0000000000a1)" }),
            ),
            (
                "opportunities",
                serde_json::json!({ "name": "Deal", "estimatedvalue": 100, "parentaccountid@odata.bind": "/accounts(00000000-0000-4000-8000-0000000000a1)" }),
            ),
            (
                "tasks",
                serde_json::json!({ "subject": "Call back", "scheduledend": "2026-01-05T10:00:00Z", "regardingobjectid_account_task@odata.bind": "/accounts(00000000-0000-4000-8000-0000000000a1)" }),
            ),
        ] {
            self.post(set, &record);
        }
    }
}
