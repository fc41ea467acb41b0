//! An organisation to test against, on either engine, with a clock and ids that the test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use custodia_org::{Caller, Input, NewOrganization, Organization, RecordInput, Reference, Rows, Seeded, WorkLimits};
use custodia_query::{Comparison, Field, Filter, Path, Query};
use custodia_schema::{Guid, Schema, TableId, Value, standard};
use custodia_store::{Clock, Limits, MasterKey, Random, Settings, Store};

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

static WORLDS: AtomicU64 = AtomicU64::new(1);

/// Noise that is the same in every run.
pub struct CountedNoise(AtomicU64);

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

pub struct World {
    pub engine: Engine,
    pub org: Organization,
    pub seeded: Seeded,
    pub store: Store,
    pub clock: Arc<HeldClock>,
    /// The noise that the master key was drawn from first: another node draws the same.
    noise: u64,
    postgres: Option<String>,
    folder: tempfile::TempDir,
}

/// 2026-01-02T03:04:05Z.
pub const START: i64 = 1_767_323_045;

impl World {
    pub async fn new(engine: Engine) -> Self {
        Self::with_schema(engine, standard()).await
    }

    pub async fn with_schema(engine: Engine, schema: Arc<Schema>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HeldClock(AtomicI64::new(START * 1000)));
        // Worlds share a PostgreSQL cluster, where databases are named by ids: each world draws others.
        let number = WORLDS.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id());
        let noise = number.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let random = Arc::new(CountedNoise(AtomicU64::new(noise)));
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(custodia_testbed::with_database(
                &custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test"),
                &custodia_testbed::fresh_database_name(),
            )),
        };
        let store = Store::open(Settings {
            folder: folder.path().to_owned(),
            postgres: postgres.clone(),
            master: MasterKey::generate(random.as_ref()),
            limits: Limits::default(),
            schema,
            clock: clock.clone(),
            random: random.clone(),
            file_layer: None,
        })
        .await
        .unwrap();
        let (entry, database) = store.create_organization("demo", "Demo").await.unwrap();
        let org = Organization::new("demo", database, clock.clone(), random);
        let new = NewOrganization {
            display_name: "Demo".into(),
            administrator: "admin@demo.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let seeded = org.seed(Guid::from_u128(1), new).await.unwrap();
        store.activate(&entry).await.unwrap();
        Self { engine, org, seeded, store, clock, noise, postgres, folder }
    }

    /// The organisation as another node of the service has it: on PostgreSQL with connections and caches of its own. An
    /// embedded database has one node; there it is another handle, with caches of its own.
    pub async fn another_node(&self) -> Organization {
        self.another_node_within(Limits::default()).await
    }

    /// The same with bounds of its own.
    pub async fn another_node_within(&self, limits: Limits) -> Organization {
        // Other ids than the first node draws.
        let random = Arc::new(CountedNoise(AtomicU64::new(!self.noise)));
        let database = match &self.postgres {
            None => self.org.database().clone(),
            Some(postgres) => {
                let store = Store::open(Settings {
                    folder: self.folder.path().join("another"),
                    postgres: Some(postgres.clone()),
                    master: MasterKey::generate(&CountedNoise(AtomicU64::new(self.noise))),
                    limits,
                    schema: standard(),
                    clock: self.clock.clone(),
                    random: random.clone(),
                    file_layer: None,
                });
                store.await.unwrap().database("demo").await.unwrap()
            }
        };
        Organization::new("demo", database, self.clock.clone(), random)
    }

    /// The same organisation within limits, as another part of this process has it.
    pub fn within(&self, limits: WorkLimits) -> Organization {
        let random = Arc::new(CountedNoise(AtomicU64::new(!self.noise)));
        Organization::with_limits("demo", self.org.database().clone(), self.clock.clone(), random, limits, None)
    }

    pub fn admin(&self) -> Caller {
        Caller::user(self.seeded.administrator, Guid::from_u128(2))
    }

    pub fn platform(&self) -> Caller {
        Caller::platform("test", Guid::from_u128(3))
    }

    pub fn table(&self, name: &str) -> TableId {
        self.org.schema().table_named(name).unwrap().id
    }

    /// A record's input from names and values; lookups as values.
    pub fn input(&self, table: &str, columns: &[(&str, Value)]) -> RecordInput {
        let schema = self.org.schema();
        let found = schema.table_named(table).unwrap();
        let columns = columns
            .iter()
            .map(|(name, value)| {
                let column = found.column(name).unwrap_or_else(|| panic!("{table}.{name}"));
                (column.id, Input::Value(value.clone()))
            })
            .collect();
        RecordInput { table: found.id, id: None, columns }
    }

    pub fn lookup(&self, table: &str, id: Guid) -> Value {
        Value::Lookup(self.table(table), id)
    }

    pub fn reference(&self, table: &str, id: Guid) -> Reference {
        Reference::id(self.table(table), id)
    }

    pub async fn create(&self, caller: &Caller, table: &str, columns: &[(&str, Value)]) -> Guid {
        self.org.create(caller, self.input(table, columns)).await.unwrap().id
    }

    /// A user in the root unit with these built-in roles.
    pub async fn user(&self, name: &str, unit: Guid, roles: &[&str]) -> Caller {
        let mail = format!("{name}@demo.example");
        let id = self
            .create(
                &self.admin(),
                "systemuser",
                &[
                    ("domainname", Value::Text(mail.clone())),
                    ("internalemailaddress", Value::Text(mail)),
                    ("firstname", Value::Text(name.into())),
                    ("lastname", Value::Text("Tester".into())),
                    ("businessunitid", self.lookup("businessunit", unit)),
                ],
            )
            .await;
        for role in roles {
            let role = self.role(role, unit).await;
            self.link("systemuser", id, "systemuserroles_association", "role", role).await;
        }
        Caller::user(id, Guid::from_u128(4))
    }

    /// The copy of a role in a unit.
    pub async fn role(&self, name: &str, unit: Guid) -> Guid {
        let rows = self
            .select(
                &self.platform(),
                "role",
                &["roleid"],
                &[("name", Value::Text(name.into())), ("businessunitid", Value::Guid(unit))],
            )
            .await;
        rows.first().unwrap_or_else(|| panic!("no role {name} in {unit}"))[0].guid().unwrap()
    }

    pub async fn link(&self, table: &str, id: Guid, relationship: &str, other_table: &str, other: Guid) {
        let request = custodia_org::LinkRequest {
            record: self.reference(table, id),
            relationship: relationship.into(),
            other: self.reference(other_table, other),
        };
        self.org.associate(&self.admin(), request).await.unwrap();
    }

    pub fn query(&self, table: &str, show: &[&str], equal: &[(&str, Value)]) -> Query {
        let schema = self.org.schema();
        let found = schema.table_named(table).unwrap();
        let column = |name: &str| found.column(name).unwrap_or_else(|| panic!("{table}.{name}")).id;
        let mut fields = vec![Field::Column(found.primary_id)];
        fields.extend(show.iter().map(|name| Field::Column(column(name))));
        Query {
            fields,
            filter: Filter::And(
                equal
                    .iter()
                    .map(|(name, value)| Filter::Compare {
                        path: Path::own(column(name)),
                        operator: Comparison::Equal,
                        value: value.clone(),
                    })
                    .collect(),
            ),
            ..Query::of(found, 5000)
        }
    }

    /// Rows whose columns equal these values: the columns shown, without the leading id.
    pub async fn select(
        &self,
        caller: &Caller,
        table: &str,
        show: &[&str],
        equal: &[(&str, Value)],
    ) -> Vec<Vec<Value>> {
        self.try_select(caller, table, show, equal).await.unwrap()
    }

    pub async fn try_select(
        &self,
        caller: &Caller,
        table: &str,
        show: &[&str],
        equal: &[(&str, Value)],
    ) -> custodia_org::Result<Vec<Vec<Value>>> {
        let mut sink = Rows::default();
        self.org.query(caller, &self.query(table, show, equal), &mut sink).await?;
        Ok(sink.rows.into_iter().map(|mut row| row.split_off(1)).collect())
    }
}

/// Runs a test body on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident;)*) => {
        $(
            mod $name {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::bodies::$name($crate::world::World::new($crate::world::Engine::Sqlite).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    super::bodies::$name($crate::world::World::new($crate::world::Engine::Postgres).await).await;
                }
            }
        )*
    };
}
