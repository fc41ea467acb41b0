//! An installation that outlives its process: it is opened, crashed, and opened again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use custodia_org::{Caller, NewOrganization, Organization, Rows};
use custodia_query::{Field, Query};
use custodia_schema::{Guid, Value, standard};
use custodia_store::{Change, ChangeKind, HeadFacts, Limits, MasterKey, MovedAudit, Published, Settings, Store};

use crate::durability::writers::Dice;
use crate::world::{HeldClock, START};

/// Where an installation keeps its data.
#[derive(Clone)]
pub struct Place {
    pub folder: PathBuf,
    pub postgres: Option<String>,
    pub file_layer: Option<&'static str>,
    /// Chooses the ids that are made; another one at each start, as with real noise.
    pub noise: u64,
}

impl Place {
    pub fn files(folder: &tempfile::TempDir) -> Self {
        Self { folder: folder.path().to_owned(), postgres: None, file_layer: None, noise: 1 }
    }
}

/// An open installation with one organisation.
pub struct Site {
    pub store: Store,
    pub org: Organization,
    administrator: Guid,
}

impl Site {
    /// Makes the installation and its organisation.
    pub async fn create(place: &mut Place) -> Self {
        let (store, clock, noise) = open(place).await;
        let (entry, database) = store.create_organization("demo", "Demo").await.unwrap();
        let org = Organization::new("demo", database, clock, noise);
        let new = NewOrganization {
            display_name: "Demo".into(),
            administrator: "admin@demo.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            currency: ("USD".into(), "US Dollar".into(), "$".into()),
        };
        let administrator = org.seed(Guid::from_u128(1), new).await.unwrap().administrator;
        let account = org.schema().table_named("account").unwrap().id;
        org.audit_table(&Caller::platform("test", Guid::from_u128(3)), account, true).await.unwrap();
        store.activate(&entry).await.unwrap();
        Self { store, org, administrator }
    }

    /// Opens the installation again.
    pub async fn open(place: &mut Place) -> Self {
        let (store, clock, noise) = open(place).await;
        let database = store.database("demo").await.unwrap();
        let org = Organization::new("demo", database, clock, noise);
        let administrator = org.find_user("admin@demo.example").await.unwrap().unwrap().id;
        Self { store, org, administrator }
    }

    /// Lets go of everything; returns when the threads that write have ended.
    pub fn close(self) {
        let Self { store, org, .. } = self;
        drop(org);
        store.close();
    }

    pub fn admin(&self) -> Caller {
        Caller::user(self.administrator, Guid::from_u128(2))
    }

    /// All accounts: number of employees and version by id.
    pub async fn accounts(&self) -> Vec<(Guid, i64, i64)> {
        let schema = self.org.schema();
        let table = schema.table_named("account").unwrap();
        let columns = ["numberofemployees", "versionnumber"].map(|name| table.column(name).unwrap().id);
        let mut fields = vec![Field::Column(table.primary_id)];
        fields.extend(columns.map(Field::Column));
        let query = Query { fields, ..Query::of(table, 5000) };
        let mut sink = Rows::default();
        self.org.query(&self.admin(), &query, &mut sink).await.unwrap();
        assert!(sink.rows.len() < 5000, "all accounts fit a page");
        let whole = |value: &Value| match value {
            Value::BigInt(n) => *n,
            other => panic!("{other:?}"),
        };
        sink.rows.iter().map(|row| (row[0].guid().unwrap(), whole(&row[1]), whole(&row[2]))).collect()
    }

    /// The whole change log.
    pub async fn changes(&self) -> Vec<Change> {
        self.org.database().changes(0, u32::MAX).await.unwrap()
    }

    /// The heads of the audit that could have been published by now.
    pub fn heads(&self) -> Vec<HeadFacts> {
        let moved = self.store.take_moved_audits().into_iter();
        let head = |audit: MovedAudit| HeadFacts {
            organization: audit.organization,
            epoch: audit.epoch,
            number: audit.place.number,
            chain: audit.place.chain.to_string(),
            time: START,
            restores_signed: true,
        };
        moved.map(head).collect()
    }

    /// The audit is whole, every write stands in it, and it holds what was published of it.
    pub async fn prove_audit(&self, heads: &[HeadFacts]) {
        let published = Published { heads: heads.to_vec(), ..Published::default() };
        let report = self.org.verify_audit(published, &mut |_: &str| {}).await.unwrap();
        assert_eq!((report.fault, report.heads), (None, heads.len()));
        let changes = self.changes().await;
        let account = self.org.schema().table_named("account").unwrap().id;
        let audited = changes.iter().filter(|change| change.table == account && change.kind != ChangeKind::CreateTable);
        assert!(report.entries >= audited.count() as u64, "{} entries", report.entries);
    }

    /// A backup reads every page and every row, checks them and compares: an organisation that it takes is whole.
    pub async fn prove_whole(&self) {
        self.prove_audit(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        self.store.backup("demo", &folder.path().join("demo.backup"), &mut |_: &str| {}).await.unwrap();
    }
}

async fn open(place: &mut Place) -> (Store, Arc<HeldClock>, Arc<Dice>) {
    place.noise += 1;
    let clock = Arc::new(HeldClock(AtomicI64::new(START * 1000)));
    let noise = Arc::new(Dice::new(place.noise << 32));
    let store = Store::open(Settings {
        folder: place.folder.clone(),
        postgres: place.postgres.clone(),
        master: MasterKey::parse(&"5c".repeat(32)).unwrap(),
        limits: Limits::default(),
        schema: standard(),
        clock: clock.clone(),
        random: noise.clone(),
        file_layer: place.file_layer,
    })
    .await
    .unwrap();
    (store, clock, noise)
}
