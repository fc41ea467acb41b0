//! An organisation to hang worlds into, and its questions asked in the name of a world's users.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custodia_access::{Authority, Denied, Rights};
use custodia_oracle::{Asker, Hierarchy, HierarchyModel, MASKED_COLUMNS, World, WorldTable, secured_standard};
use custodia_org::{Caller, Organization, Precondition, Seeded};
use custodia_query::{Field, Filter, LikePattern, Path, Query};
use custodia_schema::{ColumnId, Guid, Schema, Table, Value};

use crate::security::load::{Slip, load};
use crate::world::Engine;

/// The organisation.
pub struct Stage {
    pub org: Organization,
    pub seeded: Seeded,
    pub currency: Guid,
    pub schema: Arc<Schema>,
    /// Hierarchy security as it is switched on there.
    pub hierarchy: Option<Hierarchy>,
    /// Keeps the databases alive, and makes records the way every test of the gate does.
    pub made: crate::world::World,
    requests: AtomicU64,
}

impl Stage {
    pub async fn new(engine: Engine) -> Arc<Self> {
        Self::with_hierarchy(engine, None).await
    }

    pub async fn with_hierarchy(engine: Engine, hierarchy: Option<Hierarchy>) -> Arc<Self> {
        let made = crate::world::World::with_schema(engine, secured_standard()).await;
        let currency = made.org.currencies().await.unwrap()[0].id;
        let (org, seeded) = (made.org.clone(), made.seeded);
        let schema = org.schema();
        if let Some(hierarchy) = hierarchy {
            let switches = [
                ("ishierarchicalsecuritymodelenabled", Value::Boolean(true)),
                ("usepositionhierarchy", Value::Boolean(hierarchy.model == HierarchyModel::Positions)),
                ("maxdepthforhierarchicalsecuritymodel", Value::Integer(i32::try_from(hierarchy.depth).unwrap())),
            ];
            let (of, input) = (made.reference("organization", org.id()), made.input("organization", &switches));
            org.update(&made.admin(), of, input, Precondition::None).await.unwrap();
        }
        let stage = Self { org, seeded, currency, schema, hierarchy, made, requests: AtomicU64::new(1_000) };
        stage.mask_columns().await;
        Arc::new(stage)
    }

    /// The rules of the columns that are masked in every world.
    async fn mask_columns(&self) {
        let admin = self.made.admin();
        for masked in MASKED_COLUMNS {
            let rule = [
                ("name", Value::Text(format!("{}.{}", masked.table.name(), masked.column))),
                ("regularexpression", Value::Text(masked.pattern.expression().to_owned())),
                ("maskedcharacter", Value::Text(masked.character.to_string())),
            ];
            let rule = self.made.create(&admin, "maskingrule", &rule).await;
            let column = [
                ("entityname", Value::Text(masked.table.name().to_owned())),
                ("attributelogicalname", Value::Text(masked.column.to_owned())),
                ("maskingruleid", self.made.lookup("maskingrule", rule)),
            ];
            self.made.create(&admin, "attributemaskingrule", &column).await;
        }
    }

    /// Generates the world of a seed and stores it.
    pub async fn world(&self, seed: u64, slip: Option<Slip>) -> World {
        let world = World::generate(seed, self.hierarchy);
        load(self, &world, slip).await;
        world
    }

    pub fn table(&self, table: WorldTable) -> &Arc<Table> {
        self.schema.table_named(table.name()).unwrap()
    }

    pub fn column(&self, table: WorldTable, column: &str) -> ColumnId {
        self.table(table).column(column).unwrap_or_else(|| panic!("{}.{column}", table.name())).id
    }

    pub fn caller(&self, asker: Asker) -> Caller {
        let request = Guid::from_u128(u128::from(self.requests.fetch_add(1, Ordering::Relaxed)));
        let mut caller = Caller::user(asker.caller.unwrap_or(asker.user), request);
        caller.acting_for = asker.caller.map(|_| asker.user);
        caller
    }

    /// All rows of one table that belong to one world, whatever else the organisation holds.
    pub fn list(&self, world: &World, table: WorldTable) -> Query {
        let filter = match table.name_column() {
            Some(name) => {
                let what = if table == WorldTable::User { "user" } else { table.name() };
                let pattern = LikePattern::starts_with(&format!("World {} {what} ", world.seed));
                Filter::Like { path: Path::own(self.column(table, name)), pattern }
            }
            None => Filter::In {
                path: Path::own(self.table(table).primary_id),
                values: world.links.iter().map(|link| Value::Guid(link.id)).collect(),
            },
        };
        self.query(table, filter)
    }

    pub fn query(&self, table: WorldTable, filter: Filter) -> Query {
        let table = self.table(table);
        Query { fields: vec![Field::Column(table.primary_id)], filter, ..Query::of(table, 200) }
    }

    /// The authority of an asker, from what the store says of the users now.
    pub async fn authority(&self, asker: Asker, known: &mut Known) -> Result<Authority, Denied> {
        let user = self.rights(asker.user, known).await;
        match asker.caller {
            None => Ok(Authority::user(user)),
            Some(caller) => Authority::on_behalf(self.rights(caller, known).await, user),
        }
    }

    pub async fn rights(&self, user: Guid, known: &mut Known) -> Arc<Rights> {
        if let Some(rights) = known.get(&user) {
            return Arc::clone(rights);
        }
        let facts = loop {
            match self.org.database().user_facts(user).await {
                Ok(facts) => break facts.unwrap(),
                // Other worlds are being loaded meanwhile.
                Err(custodia_store::Error::Stale) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let rights = Arc::new(Rights::build(&self.schema, &facts));
        known.insert(user, Arc::clone(&rights));
        rights
    }
}

/// Rights already read.
pub type Known = HashMap<Guid, Arc<Rights>>;

/// Everybody who asks: every user, and every user on behalf of the next.
pub fn askers(world: &World) -> Vec<Asker> {
    let next = world.users.iter().cycle().skip(1);
    let pairs = world.users.iter().zip(next);
    pairs
        .flat_map(|(user, next)| {
            [Asker { user: user.id, caller: None }, Asker { user: next.id, caller: Some(user.id) }]
        })
        .collect()
}

/// Picks one in so many things, each seed others, and the same ones in every run.
pub struct Sample {
    seed: u64,
    one_in: u64,
}

impl Sample {
    pub fn new(seed: u64, one_in: usize) -> Self {
        Self { seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), one_in: one_in as u64 }
    }

    /// Whether the next thing is one of them.
    pub fn take(&mut self) -> bool {
        let one_in = self.one_in;
        self.next().is_multiple_of(one_in)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
