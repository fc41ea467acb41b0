//! An organisation to test against, on either engine, with a clock and ids that the test holds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use custodia_org::{
    Caller, Input, LinkRequest, NewOrganization, Organization, RecordInput, Reference, Rows, Seeded, WorkLimits,
};
use custodia_query::{Comparison, Field, Filter, Order, Path as ColumnPath, Query};
use custodia_schema::{Guid, TableId, Value, standard};
use custodia_store::{Clock, Limits, MasterKey, Random, Settings, Store};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// 2026-01-02T03:04:05Z.
pub const NOW: i64 = 1_767_323_045;

/// A clock that stands still until it is moved.
pub struct HeldClock(AtomicI64);

impl HeldClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW * 1000)))
    }

    /// Moves it on.
    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for HeldClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.now_ms()).unwrap()
    }
}

/// Noise that does not repeat within a run of the tests.
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

static WORLDS: AtomicU64 = AtomicU64::new(1);

fn noise() -> Arc<CountedNoise> {
    let number = WORLDS.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id());
    Arc::new(CountedNoise(AtomicU64::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d))))
}

pub struct World {
    pub organization: Organization,
    pub administrator: Guid,
    /// Where it is, on PostgreSQL.
    pub postgres: Option<String>,
    pub clock: Arc<HeldClock>,
    store: Store,
}

impl World {
    /// A new organisation of that engine; what it keeps in files is in `folder`.
    pub async fn new(engine: Engine, folder: &Path) -> Self {
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(custodia_testbed::with_database(
                &custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test"),
                &custodia_testbed::fresh_database_name(),
            )),
        };
        let random = noise();
        let master = MasterKey::generate(random.as_ref());
        std::fs::write(folder.join("master.key"), master.export()).unwrap();
        let clock = HeldClock::new();
        let store = open(folder, postgres.clone(), master, &clock, Arc::clone(&random)).await;
        let (entry, database) = store.create_organization("demo", "Demo").await.unwrap();
        let organization = Organization::new("demo", database, clock.clone(), random);
        let new = NewOrganization {
            display_name: "Demo".into(),
            administrator: "admin@demo.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let Seeded { administrator, .. } = organization.seed(Guid::from_u128(1), new).await.unwrap();
        store.activate(&entry).await.unwrap();
        Self { organization, administrator, postgres, clock, store }
    }

    /// The organisation that another process made.
    pub async fn reopen(folder: &Path, postgres: Option<String>, administrator: Guid) -> Self {
        let master = MasterKey::read(&folder.join("master.key")).unwrap();
        let random = noise();
        let clock = HeldClock::new();
        let store = open(folder, postgres.clone(), master, &clock, Arc::clone(&random)).await;
        let database = store.database("demo").await.unwrap();
        let organization = Organization::new("demo", database, clock.clone(), random);
        Self { organization, administrator, postgres, clock, store }
    }

    /// Lets go of its files.
    pub fn close(self) {
        self.store.close();
    }

    /// The same organisation within limits, as another part of this process has it.
    pub fn within(&self, limits: WorkLimits) -> Organization {
        let database = self.organization.database().clone();
        Organization::with_limits("demo", database, self.clock.clone(), noise(), limits, None)
    }

    pub fn table(&self, name: &str) -> TableId {
        self.organization.schema().table_named(name).unwrap().id
    }

    /// What a record shall hold.
    pub fn input(&self, table: &str, columns: &[(&str, Value)]) -> RecordInput {
        let schema = self.organization.schema();
        let found = schema.table_named(table).unwrap();
        let columns = columns.iter().map(|(name, value)| (found.column(name).unwrap().id, Input::Value(value.clone())));
        RecordInput { table: found.id, id: None, columns: columns.collect() }
    }

    pub async fn create(&self, caller: &Caller, table: &str, columns: &[(&str, Value)]) -> Guid {
        self.organization.create(caller, self.input(table, columns)).await.unwrap().id
    }

    /// A user with these built-in roles.
    pub async fn user(&self, name: &str, roles: &[&str]) -> Caller {
        let unit = self.rows("businessunit", &["businessunitid"]).await[0][0].guid().unwrap();
        let text = |text: String| Value::Text(text);
        let columns = [
            ("domainname", text(format!("{name}@demo.example"))),
            ("firstname", text(name.to_owned())),
            ("lastname", text("Tester".to_owned())),
            ("businessunitid", Value::Lookup(self.table("businessunit"), unit)),
        ];
        let id = self.create(&self.admin(), "systemuser", &columns).await;
        let user = Caller::user(id, Guid::from_u128(7));
        for role in roles {
            self.organization.associate(&self.admin(), self.role_of(&user, role).await).await.unwrap();
        }
        user
    }

    /// The link between a user and a built-in role.
    pub async fn role_of(&self, user: &Caller, role: &str) -> LinkRequest {
        let role = self.rows_where("role", &["roleid"], &[("name", Value::Text(role.to_owned()))]).await[0][0].clone();
        LinkRequest {
            record: Reference::id(self.table("systemuser"), user.user),
            relationship: "systemuserroles_association".into(),
            other: Reference::id(self.table("role"), role.guid().unwrap()),
        }
    }

    pub fn admin(&self) -> Caller {
        Caller::user(self.administrator, Guid::from_u128(2))
    }

    /// All rows of a table, these columns, in the order of the first.
    pub async fn rows(&self, table: &str, columns: &[&str]) -> Vec<Vec<Value>> {
        self.rows_where(table, columns, &[]).await
    }

    /// Those that hold these values.
    pub async fn rows_where(&self, table: &str, columns: &[&str], equal: &[(&str, Value)]) -> Vec<Vec<Value>> {
        let schema = self.organization.schema();
        let table = schema.table_named(table).unwrap();
        let column = |name: &str| table.column(name).unwrap_or_else(|| panic!("{}.{name}", table.name)).id;
        let ids: Vec<_> = columns.iter().map(|name| column(name)).collect();
        let mut query = Query {
            fields: std::iter::once(table.primary_id).chain(ids.iter().copied()).map(Field::Column).collect(),
            filter: Filter::And(
                equal
                    .iter()
                    .map(|(name, value)| Filter::Compare {
                        path: ColumnPath::own(column(name)),
                        operator: Comparison::Equal,
                        value: value.clone(),
                    })
                    .collect(),
            ),
            order: vec![Order::by_value(ColumnPath::own(ids[0]), false)],
            ..Query::of(table, 5000)
        };
        let mut all: Vec<Vec<Value>> = Vec::new();
        loop {
            let mut page = Rows::default();
            self.organization.query(&self.admin(), &query, &mut page).await.unwrap();
            let more = page.rows.len() > 5000;
            page.rows.truncate(5000);
            if more {
                let last = page.rows.last().unwrap();
                query.after = Some(vec![last[1].clone(), last[0].clone()]);
            }
            all.extend(page.rows.into_iter().map(|row| row[1..].to_vec()));
            if !more {
                return all;
            }
        }
    }
}

async fn open(
    folder: &Path,
    postgres: Option<String>,
    master: MasterKey,
    clock: &Arc<HeldClock>,
    random: Arc<CountedNoise>,
) -> Store {
    let settings = Settings {
        folder: folder.to_owned(),
        postgres,
        master,
        limits: Limits::default(),
        schema: standard(),
        clock: clock.clone(),
        random,
        file_layer: None,
    };
    Store::open(settings).await.unwrap()
}
