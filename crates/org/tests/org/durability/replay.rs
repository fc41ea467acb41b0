//! Whatever goes through the gate stands in the change log: units, teams, owners, shares, links, cascades. Replayed into an
//! empty database it gives the same records, and SQLite itself saw nothing else change.

use std::collections::BTreeMap;

use custodia_access::RightsMask;
use custodia_org::{Caller, LinkRequest, Precondition, Result};
use custodia_schema::{Decimal, Guid, PrivilegeKind, Value};

use crate::durability::writers::Dice;
use crate::world::{Engine, World};

/// Operations in `make test`; `make soak` multiplies them.
const OPERATIONS: usize = 220;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_an_embedded_database_tells_everything() {
    let world = World::new(Engine::Sqlite).await;
    let before = world.org.database().head().await.unwrap().number;
    world.org.database().watch().unwrap();
    live(&world, &Dice::new(1)).await;
    let (contradictions, agreed) = world.org.database().contradictions(before).await.unwrap();
    assert_eq!(contradictions, Vec::<String>::new());
    assert!(agreed > 100, "{agreed} rows compared");
    replay(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_postgresql_database_tells_everything() {
    let world = World::new(Engine::Postgres).await;
    live(&world, &Dice::new(2)).await;
    replay(&world).await;
}

/// Replays the log of a world on both engines.
async fn replay(world: &World) {
    let origin = world.org.database();
    let changes = origin.changes(0, u32::MAX).await.unwrap();
    let (content, derived) = (origin.content().await.unwrap(), origin.derived_content().await.unwrap());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let other = World::new(engine).await;
        let (_, copy) = other.store.create_organization("copy", "Copy").await.unwrap();
        for chunk in changes.chunks(700) {
            copy.replay(chunk.to_vec()).await.unwrap();
        }
        assert_eq!(copy.content().await.unwrap().difference(&content), None, "on {engine:?}");
        assert_eq!(copy.content().await.unwrap().hash(), content.hash());
        assert_eq!(copy.derived_content().await.unwrap().difference(&derived), None, "on {engine:?}");
    }
}

/// What there is to operate on.
struct Life<'w> {
    world: &'w World,
    dice: &'w Dice,
    admin: Caller,
    units: Vec<Guid>,
    users: Vec<Guid>,
    teams: Vec<Guid>,
    accounts: Vec<Guid>,
    contacts: Vec<Guid>,
    leads: Vec<Guid>,
    /// How often each operation was carried out.
    done: BTreeMap<&'static str, usize>,
}

/// An organisation's life in fast motion.
async fn live(world: &World, dice: &Dice) {
    let mut life = Life {
        world,
        dice,
        admin: world.admin(),
        units: vec![world.seeded.unit],
        users: vec![world.seeded.administrator],
        teams: Vec::new(),
        accounts: Vec::new(),
        contacts: Vec::new(),
        leads: Vec::new(),
        done: BTreeMap::new(),
    };
    life.people().await;
    let operations = OPERATIONS * custodia_testbed::effort() as usize;
    let mut refused = 0;
    for at in 0..operations {
        let (name, outcome) = life.operate(at).await;
        match outcome {
            Ok(()) => *life.done.entry(name).or_default() += 1,
            // Many make no sense, such as sharing what is gone: those must leave nothing either.
            Err(_) => refused += 1,
        }
    }
    assert!(life.done.len() >= 15 && life.done.values().all(|done| *done > 0), "{:?}", life.done);
    assert!(refused * 2 < operations, "{refused} of {operations} refused");
}

fn pick(dice: &Dice, from: &[Guid]) -> Guid {
    if from.is_empty() { dice.guid() } else { from[dice.below(from.len())] }
}

impl Life<'_> {
    /// A few users with roles, so that there is somebody to own and to share with.
    async fn people(&mut self) {
        for name in ["ann", "bob", "cyd"] {
            let user = self.world.user(name, self.world.seeded.unit, &["Salesperson"]).await.user;
            self.users.push(user);
        }
    }

    fn text(&self) -> Value {
        let texts = ["Alpha", "beta", "Žluťoučký kůň", "日本 😀", "O'Neill", "100%"];
        Value::Text(format!("{} {}", texts[self.dice.below(texts.len())], self.dice.below(1000)))
    }

    async fn make(&self, table: &str, columns: &[(&str, Value)]) -> Result<Guid> {
        Ok(self.world.org.create(&self.admin, self.world.input(table, columns)).await?.id)
    }

    async fn change(&self, table: &str, id: Guid, columns: &[(&str, Value)]) -> Result<()> {
        let target = self.world.reference(table, id);
        self.world.org.update(&self.admin, target, self.world.input(table, columns), Precondition::None).await.map(drop)
    }

    async fn remove(&self, table: &str, id: Guid) -> Result<()> {
        self.world.org.delete(&self.admin, self.world.reference(table, id), Precondition::None).await
    }

    fn link(&self, table: &str, id: Guid, relationship: &str, other: (&str, Guid)) -> LinkRequest {
        LinkRequest {
            record: self.world.reference(table, id),
            relationship: relationship.into(),
            other: self.world.reference(other.0, other.1),
        }
    }

    fn principal(&self) -> Guid {
        if self.dice.below(2) == 0 { pick(self.dice, &self.users) } else { pick(self.dice, &self.teams) }
    }

    fn owner(&self) -> Value {
        if self.dice.below(4) == 0 && !self.teams.is_empty() {
            self.world.lookup("team", pick(self.dice, &self.teams))
        } else {
            self.world.lookup("systemuser", pick(self.dice, &self.users))
        }
    }

    async fn operate(&mut self, at: usize) -> (&'static str, Result<()>) {
        let world = self.world;
        let (account, contact, lead) =
            (pick(self.dice, &self.accounts), pick(self.dice, &self.contacts), pick(self.dice, &self.leads));
        let (unit, user, team) =
            (pick(self.dice, &self.units), pick(self.dice, &self.users), pick(self.dice, &self.teams));
        let target = world.reference("account", account);
        let read = RightsMask::of(PrivilegeKind::Read);
        let rights = [read, read.union(RightsMask::of(PrivilegeKind::Write))][self.dice.below(2)];
        // Every operation has its turn, then chance decides.
        let operation = if at < 66 { at % 22 } else { self.dice.below(22) };
        match operation {
            0..=2 => {
                let made = self
                    .make(
                        "account",
                        &[
                            ("name", self.text()),
                            ("revenue", Value::Decimal(Decimal::new(123_456, 2))),
                            ("address1_city", self.text()),
                            ("ownerid", self.owner()),
                        ],
                    )
                    .await;
                ("make an account", made.map(|id| self.accounts.push(id)))
            }
            3 | 4 => {
                let columns = [("lastname", self.text()), ("parentcustomerid", world.lookup("account", account))];
                ("make a contact", self.make("contact", &columns).await.map(|id| self.contacts.push(id)))
            }
            5 => {
                let columns = [("subject", self.text()), ("lastname", self.text())];
                ("make a lead", self.make("lead", &columns).await.map(|id| self.leads.push(id)))
            }
            6 => {
                let columns = [("name", self.text()), ("parentbusinessunitid", world.lookup("businessunit", unit))];
                ("make a unit", self.make("businessunit", &columns).await.map(|id| self.units.push(id)))
            }
            7 => {
                let columns = [
                    ("name", self.text()),
                    ("businessunitid", world.lookup("businessunit", unit)),
                    ("administratorid", world.lookup("systemuser", world.seeded.administrator)),
                ];
                ("make a team", self.make("team", &columns).await.map(|id| self.teams.push(id)))
            }
            8 => {
                let request = self.link("team", team, "teammembership_association", ("systemuser", user));
                ("join a team", world.org.associate(&self.admin, request).await)
            }
            9 => {
                let request = self.link("team", team, "teammembership_association", ("systemuser", user));
                ("leave a team", world.org.disassociate(&self.admin, request).await)
            }
            10 => {
                let role = world.role("Salesperson", world.seeded.unit).await;
                let request = self.link("team", team, "teamroles_association", ("role", role));
                ("give a team a role", world.org.associate(&self.admin, request).await)
            }
            11 => ("assign", self.change("account", account, &[("ownerid", self.owner())]).await),
            12 => ("share", world.org.grant_access(&self.admin, target, self.principal(), rights).await),
            13 => ("change a share", world.org.modify_access(&self.admin, target, self.principal(), rights).await),
            14 => ("take a share back", world.org.revoke_access(&self.admin, target, self.principal()).await),
            15 => {
                let parent = world.lookup("account", account);
                ("move to another parent", self.change("contact", contact, &[("parentcustomerid", parent)]).await)
            }
            16 => {
                let change = [("name", self.text()), ("revenue", Value::Null), ("creditonhold", Value::Boolean(true))];
                ("change", self.change("account", account, &change).await)
            }
            17 => {
                let change = [("statecode", Value::Integer(1)), ("statuscode", Value::Integer(2))];
                ("deactivate", self.change("account", account, &change).await)
            }
            18 => {
                let parent = world.lookup("businessunit", pick(self.dice, &self.units));
                ("move a unit", self.change("businessunit", unit, &[("parentbusinessunitid", parent)]).await)
            }
            19 => {
                let request = self.link("contact", contact, "contactleads_association", ("lead", lead));
                ("link", world.org.associate(&self.admin, request).await)
            }
            20 => {
                self.accounts.retain(|id| *id != account);
                ("delete with children", self.remove("account", account).await)
            }
            _ => {
                let employees = Value::Integer(i32::try_from(self.dice.below(100)).unwrap());
                let input = world.input("account", &[("name", self.text()), ("numberofemployees", employees)]);
                let id = if self.dice.below(2) == 0 { account } else { self.dice.guid() };
                let upserted =
                    world.org.upsert(&self.admin, world.reference("account", id), input, Precondition::None).await;
                ("upsert", upserted.map(|_| self.accounts.push(id)))
            }
        }
    }
}
