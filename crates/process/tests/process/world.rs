//! An organisation to test against, on either engine, with a clock and ids that the test holds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custodia_org::{Caller, NewOrganization, Organization, Rows, Seeded};
use custodia_query::{Comparison, Field, Filter, Order, Path as ColumnPath, Query};
use custodia_schema::{Guid, Value, standard};
use custodia_store::{Clock, Limits, MasterKey, Random, Settings, Store};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// 2026-01-02T03:04:05Z.
pub const NOW: i64 = 1_767_323_045;

/// A clock that stands still.
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> i64 {
        NOW * 1000
    }

    fn monotonic_ms(&self) -> u64 {
        0
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
        master.write_new(&folder.join("master.key")).unwrap();
        let store = open(folder, postgres.clone(), master, Arc::clone(&random)).await;
        let (entry, database) = store.create_organization("demo", "Demo").await.unwrap();
        let organization = Organization::new("demo", database, Arc::new(StoppedClock), random);
        let new = NewOrganization {
            display_name: "Demo".into(),
            administrator: "admin@demo.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let Seeded { administrator, .. } = organization.seed(Guid::from_u128(1), new).await.unwrap();
        store.activate(&entry).await.unwrap();
        Self { organization, administrator, postgres, store }
    }

    /// The organisation that another process made.
    pub async fn reopen(folder: &Path, postgres: Option<String>, administrator: Guid) -> Self {
        let master = MasterKey::read(&folder.join("master.key")).unwrap();
        let random = noise();
        let store = open(folder, postgres.clone(), master, Arc::clone(&random)).await;
        let database = store.database("demo").await.unwrap();
        let organization = Organization::new("demo", database, Arc::new(StoppedClock), random);
        Self { organization, administrator, postgres, store }
    }

    /// Lets go of its files.
    pub fn close(self) {
        self.store.close();
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

async fn open(folder: &Path, postgres: Option<String>, master: MasterKey, random: Arc<CountedNoise>) -> Store {
    let settings = Settings {
        folder: folder.to_owned(),
        postgres,
        master,
        limits: Limits::default(),
        schema: standard(),
        clock: Arc::new(StoppedClock),
        random,
        file_layer: None,
    };
    Store::open(settings).await.unwrap()
}
