//! An installation to test against, on either engine, with a clock, ids and a master key that the test holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use custodia_access::{Authority, Permit};
use custodia_schema::{
    ColumnId, ColumnKind, DateBehavior, Decimal, Guid, Money, PrivilegeKind, Table, Value, standard,
};
use custodia_store::{
    Clock, Database, KeyRing, Limits, MasterKey, Random, Result, RowKey, Settings, Store, Transaction,
};

/// A clock that stands still until it is moved, or goes on by so many milliseconds with each look at it.
#[derive(Default)]
pub struct HeldClock(pub AtomicI64, pub AtomicI64);

impl Clock for HeldClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.fetch_add(self.1.load(Ordering::Relaxed), Ordering::Relaxed)).unwrap()
    }
}

/// Chance that is the same in every run of a test.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub fn next(&self) -> u64 {
        let mut mixed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `below`, without it.
    pub fn below(&self, below: usize) -> usize {
        usize::try_from(self.next() % below as u64).unwrap()
    }

    pub fn guid(&self) -> Guid {
        Guid::from_u64_pair(self.next(), self.next())
    }
}

impl Random for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Keys to sign restores with.
pub fn ring() -> KeyRing {
    KeyRing::generate(&Dice::new(1), 7).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// 2026-01-02T03:04:05Z.
pub const START: i64 = 1_767_323_045;

/// How often is looked for what another thread is about to do.
const LOOKS_MAX: u32 = 10_000_000;

static SITES: AtomicU64 = AtomicU64::new(1);

pub struct Site {
    pub store: Store,
    pub clock: Arc<HeldClock>,
    pub folder: tempfile::TempDir,
}

impl Site {
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, &master_key(), None, Limits::default()).await
    }

    pub async fn with(engine: Engine, master: &str, file_layer: Option<&'static str>, limits: Limits) -> Self {
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(custodia_testbed::with_database(
                &custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test"),
                &custodia_testbed::fresh_database_name(),
            )),
        };
        Self::at(postgres, master, file_layer, limits).await
    }

    /// At an address of PostgreSQL, or in files.
    pub async fn at(postgres: Option<String>, master: &str, file_layer: Option<&'static str>, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HeldClock(AtomicI64::new(START * 1000), AtomicI64::default()));
        let store = Store::open(settings(folder.path(), postgres, master, file_layer, limits, &clock)).await.unwrap();
        Self { store, clock, folder }
    }

    /// An organisation in use, without records.
    pub async fn organization(&self, name: &str) -> Database {
        let (entry, database) = self.store.create_organization(name, name).await.unwrap();
        self.store.activate(&entry).await.unwrap();
        database
    }

    /// Closes what nobody has used for long, as the timer does, until so many are open: the thread that answered a write
    /// lets go of its database a moment later.
    #[track_caller]
    pub fn close_idle_to(&self, open: usize) {
        for _ in 0..LOOKS_MAX {
            self.store.close_idle();
            if self.store.open_databases() <= open {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(self.store.open_databases(), open);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Files of the data folder that are in the way of nobody and should not be left.
    pub fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in [self.folder.path().to_owned(), self.folder.path().join("organizations")] {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let name = entry.unwrap().file_name().to_string_lossy().into_owned();
                if name.contains("unfinished") {
                    found.push(name);
                }
            }
        }
        found
    }
}

pub fn settings(
    folder: &Path,
    postgres: Option<String>,
    master: &str,
    file_layer: Option<&'static str>,
    limits: Limits,
    clock: &Arc<HeldClock>,
) -> Settings {
    // Sites share a PostgreSQL cluster, where databases are named by ids: each site draws others.
    let number = SITES.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id());
    Settings {
        folder: folder.to_owned(),
        postgres,
        master: MasterKey::parse(master).unwrap(),
        limits,
        schema: standard(),
        clock: clock.clone(),
        random: Arc::new(Dice::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d))),
        file_layer,
    }
}

pub fn master_key() -> String {
    "4b".repeat(32)
}

pub fn permit(table: &Table, kind: PrivilegeKind) -> Permit {
    Permit::platform(&Authority::platform("test"), table, kind).unwrap()
}

pub fn table(database: &Database, name: &str) -> Arc<Table> {
    Arc::clone(database.schema().table_named(name).unwrap_or_else(|| panic!("no table {name}")))
}

/// Values by the names of their columns.
pub fn values(table: &Table, named: &[(&str, Value)]) -> Vec<(ColumnId, Value)> {
    let id = |name: &str| table.column(name).unwrap_or_else(|| panic!("{}.{name}", table.name)).id;
    named.iter().map(|(name, value)| (id(name), value.clone())).collect()
}

/// One change of one row.
#[derive(Clone, Debug)]
pub enum Step {
    Insert(Arc<Table>, Guid, Vec<(ColumnId, Value)>),
    Update(Arc<Table>, Guid, Vec<(ColumnId, Value)>),
    Delete(Arc<Table>, Guid),
}

impl Step {
    pub async fn run(&self, transaction: &mut Transaction) -> Result<()> {
        match self {
            Self::Insert(table, id, values) => {
                transaction.insert(permit(table, PrivilegeKind::Create), table, *id, values.clone())?;
            }
            Self::Update(table, id, values) => {
                transaction.update(permit(table, PrivilegeKind::Write), table, *id, values.clone())?;
            }
            Self::Delete(table, id) => {
                let last = transaction.fetch(table, &RowKey::Id(*id), &[]).await?.expect("the row is there");
                transaction.delete(permit(table, PrivilegeKind::Delete), table, &last)?;
            }
        }
        Ok(())
    }
}

/// Runs changes as one request.
pub async fn write(database: &Database, steps: Vec<Step>) -> Result<()> {
    let steps = Arc::new(steps);
    database
        .write(move |transaction| {
            let steps = Arc::clone(&steps);
            Box::pin(async move {
                for step in steps.iter() {
                    step.run(transaction).await?;
                }
                Ok(())
            })
        })
        .await
}

/// An account of that name, as one that nobody gave more.
pub fn account(database: &Database, id: Guid, name: &str) -> Step {
    let table = table(database, "account");
    let required = required(&table);
    let mut row = values(&table, &[("name", Value::Text(name.into()))]);
    row.extend(required.into_iter().filter(|(column, _)| table.column("name").unwrap().id != *column));
    Step::Insert(table, id, row)
}

/// Values of the columns that a database insists on.
fn required(table: &Table) -> Vec<(ColumnId, Value)> {
    let dice = Dice::new(5);
    table
        .columns()
        .iter()
        .filter(|column| {
            matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. })
                || ["ownerid", "owningbusinessunit"].contains(&column.name.as_str())
        })
        .map(|column| (column.id, value(&column.kind, &dice)))
        .collect()
}

/// A row with a random value in about half of its columns, and in all that a database insists on.
pub fn random_row(table: &Table, dice: &Dice) -> Vec<(ColumnId, Value)> {
    let insisted: Vec<_> = required(table).into_iter().map(|(column, _)| column).collect();
    table
        .columns()
        .iter()
        .filter(|column| column.kind.is_stored() && column.id != table.primary_id && column.name != "versionnumber")
        // Alternate keys would collide, and so would the ends of links.
        .filter(|column| !table.keys.iter().any(|key| key.columns.contains(&column.id)))
        .filter_map(|column| {
            let always = insisted.contains(&column.id) || table.is_intersect || table.name == "principalobjectaccess";
            (always || dice.below(2) == 0).then(|| (column.id, value(&column.kind, dice)))
        })
        .collect()
}

/// A random value of a type, edges among them.
pub fn value(kind: &ColumnKind, dice: &Dice) -> Value {
    let text = |length: usize| {
        let parts = ["a", "Ž", "ß", "日本", "😀", "é", " ", "'", "\"", "\\", "%", "\n", "0", "İ"];
        let mut text = String::new();
        while text.chars().count() + 2 < length.min(1 + dice.below(30)) {
            text.push_str(parts[dice.below(parts.len())]);
        }
        Value::Text(text)
    };
    match kind {
        ColumnKind::Text { max_length, .. } | ColumnKind::Memo { max_length, .. } => text(*max_length as usize),
        ColumnKind::TableName => Value::Text("account".into()),
        ColumnKind::Integer { min, max, .. } => {
            Value::Integer([*min, *max, 0, i32::try_from(dice.below(1000)).unwrap()][dice.below(4)])
        }
        ColumnKind::BigInt => Value::BigInt([i64::MIN, i64::MAX, 0, 1 << 53][dice.below(4)]),
        ColumnKind::Decimal { precision, .. } => {
            let digits = i64::try_from(dice.next() >> 34).unwrap();
            // Trailing zeros are kept by one engine and not by the other.
            Value::Decimal(Decimal::new([digits, -digits, 0, digits / 100 * 100][dice.below(4)], u32::from(*precision)))
        }
        ColumnKind::Double { .. } => Value::Double([0.0, -0.0, 0.1, -1e300, 5e-324, 3.0][dice.below(6)]),
        ColumnKind::Money { .. } => Value::Money(Money([i64::MIN, i64::MAX, 0, 12_345][dice.below(4)])),
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Value::Boolean(dice.below(2) == 0),
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => {
            Value::Date([-25_000, 0, 20_000, 2_932_896][dice.below(4)])
        }
        ColumnKind::DateTime { .. } => Value::DateTime([-6_847_804_800, -1, 0, START, 253_402_300_799][dice.below(5)]),
        ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            Value::Integer(i32::try_from(dice.below(9)).unwrap())
        }
        ColumnKind::Choices { .. } => Value::Choices((0..).take(dice.below(4)).collect()),
        ColumnKind::Guid => Value::Guid(dice.guid()),
        ColumnKind::Lookup { targets, .. } => Value::Lookup(targets[dice.below(targets.len())], dice.guid()),
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => Value::Null,
    }
}

/// Tables that between them have every type of column, link tables and those that others are derived from.
pub const TABLES: &[&str] = &[
    "account",
    "businessunit",
    "contact",
    "opportunity",
    "organization",
    "phonecall",
    "principalobjectaccess",
    "systemuser",
    "systemuserroles",
    "team",
    "teammembership",
    "transactioncurrency",
];

/// Random inserts, updates and deletes of rows of all types, a few to a request; in the end every table has rows.
pub async fn random_history(database: &Database, requests: usize, dice: &Dice) {
    let tables: Vec<_> = TABLES.iter().map(|name| table(database, name)).collect();
    let ids: Vec<_> = tables.iter().map(|table| table.id).collect();
    database.make_tables(&ids).await.unwrap();
    let mut alive: Vec<(Arc<Table>, Guid)> = Vec::new();
    for _ in 0..requests {
        let mut steps = Vec::new();
        let mut touched = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let chance = dice.below(10);
            if chance < 5 || alive.is_empty() {
                let table = &tables[dice.below(tables.len())];
                let id = dice.guid();
                steps.push(Step::Insert(Arc::clone(table), id, random_row(table, dice)));
                alive.push((Arc::clone(table), id));
                touched.push(id);
                continue;
            }
            let at = dice.below(alive.len());
            let (table, id) = alive[at].clone();
            // A request sees its own writes only after a flush.
            if touched.contains(&id) {
                continue;
            }
            touched.push(id);
            if chance < 8 {
                let mut row = random_row(&table, dice);
                if table.is_intersect || table.name == "businessunit" {
                    continue;
                }
                if dice.below(3) == 0 {
                    let insisted: Vec<_> = required(&table).into_iter().map(|(column, _)| column).collect();
                    row.iter_mut().filter(|(column, _)| !insisted.contains(column)).for_each(|entry| {
                        if table.name != "principalobjectaccess" {
                            entry.1 = Value::Null;
                        }
                    });
                }
                steps.push(Step::Update(table, id, row));
            } else {
                steps.push(Step::Delete(table, id));
                alive.swap_remove(at);
            }
        }
        write(database, steps).await.unwrap();
    }
    let last = |table: &Arc<Table>| Step::Insert(Arc::clone(table), dice.guid(), random_row(table, dice));
    write(database, tables.iter().map(last).collect()).await.unwrap();
}

/// Runs a test body on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident;)*) => {
        $(
            mod $name {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::bodies::$name($crate::site::Engine::Sqlite).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    super::bodies::$name($crate::site::Engine::Postgres).await;
                }
            }
        )*
    };
}
