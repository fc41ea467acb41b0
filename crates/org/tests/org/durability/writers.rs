//! Clients that write through the gate until something stops them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use custodia_org::{Caller, Error, Input, Organization, Precondition, RecordInput, Reference};
use custodia_schema::{Guid, Value};
use custodia_store::Random;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::durability::journal::{Journal, State};
use crate::durability::site::Site;

/// Clients at once.
pub const CLIENTS: usize = 8;
/// Accounts that a client keeps before it deletes some.
const ALIVE_MAX: usize = 12;

/// Chance that is the same in every run.
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

/// Hears of each write, before it is begun and when it was acknowledged.
pub trait Witness: Send + Sync {
    fn begun(&self, client: usize, account: Guid, state: State);
    fn acknowledged(&self, client: usize);
}

/// Nobody hears.
pub struct Deaf;

impl Witness for Deaf {
    fn begun(&self, _: usize, _: Guid, _: State) {}
    fn acknowledged(&self, _: usize) {}
}

/// Clients at work.
pub struct Writers {
    pub journals: Vec<Arc<Mutex<Journal>>>,
    clients: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    acknowledged: watch::Receiver<usize>,
}

impl Writers {
    /// Sets clients to work. They end when a write fails, or when they are stopped.
    pub fn start(site: &Site, journals: Vec<Journal>, seed: u64, witness: Arc<dyn Witness>) -> Self {
        let journals: Vec<_> = journals.into_iter().map(|journal| Arc::new(Mutex::new(journal))).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (count, acknowledged) = watch::channel(0);
        let count = Arc::new(count);
        let clients = journals
            .iter()
            .enumerate()
            .map(|(number, journal)| {
                let client = Client {
                    number,
                    org: site.org.clone(),
                    caller: site.admin(),
                    journal: Arc::clone(journal),
                    dice: Dice::new(seed.wrapping_mul(31) + number as u64),
                    witness: Arc::clone(&witness),
                };
                let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) && client.write().await.is_ok() {
                        count.send_modify(|count| *count += 1);
                    }
                })
            })
            .collect();
        Self { journals, clients, stop, acknowledged }
    }

    pub fn fresh_journals() -> Vec<Journal> {
        vec![Journal::default(); CLIENTS]
    }

    /// Waits until so many writes were acknowledged.
    pub async fn acknowledged(&mut self, many: usize) {
        let enough = self.acknowledged.wait_for(|count| *count >= many).await;
        assert!(enough.is_ok(), "the clients ended before {many} writes were acknowledged");
    }

    /// How many writes were acknowledged so far.
    pub fn count(&self) -> usize {
        *self.acknowledged.borrow()
    }

    /// Whether all clients have ended by themselves.
    pub fn have_ended(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    /// The journals as of now.
    pub fn promised(&self) -> Vec<Journal> {
        self.journals.iter().map(|journal| journal.lock().clone()).collect()
    }

    /// Has the clients end after the write that they are at, if they have not ended, and gives their journals.
    pub async fn end(self) -> Vec<Journal> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.journals.iter().map(|journal| journal.lock().clone()).collect()
    }
}

struct Client {
    number: usize,
    org: Organization,
    caller: Caller,
    journal: Arc<Mutex<Journal>>,
    dice: Dice,
    witness: Arc<dyn Witness>,
}

impl Client {
    /// One write, journalled.
    async fn write(&self) -> Result<(), Error> {
        let (known, alive) = {
            let journal = self.journal.lock();
            (journal.alive(self.dice.below(1000)), journal.count_alive())
        };
        let chance = self.dice.below(10);
        let (account, state) = match known {
            Some((account, _)) if chance < 2 || alive > ALIVE_MAX => (account, None),
            Some((account, employees)) if chance < 6 => (account, Some(employees + 1)),
            _ => (self.dice.guid(), Some(0)),
        };
        self.journal.lock().begin(account, state);
        self.witness.begun(self.number, account, state);
        self.attempt(account, state).await?;
        self.witness.acknowledged(self.number);
        self.journal.lock().acknowledge();
        Ok(())
    }

    async fn attempt(&self, account: Guid, state: State) -> Result<(), Error> {
        let table = self.org.schema().table_named("account").unwrap().clone();
        let target = Reference::id(table.id, account);
        let input = |employees: i64| {
            let value = |name: &str, value: Value| (table.column(name).unwrap().id, Input::Value(value));
            let columns = vec![
                value("name", Value::Text(format!("Account of client {} with {employees}", self.number))),
                value("numberofemployees", Value::Integer(i32::try_from(employees).unwrap())),
                value("description", Value::Text("x".repeat(self.dice.below(1500)))),
            ];
            RecordInput { table: table.id, id: Some(account), columns }
        };
        match state {
            Some(0) => self.org.create(&self.caller, input(0)).await.map(drop),
            Some(employees) => {
                self.org.update(&self.caller, target, input(employees), Precondition::None).await.map(drop)
            }
            None => self.org.delete(&self.caller, target, Precondition::None).await,
        }
    }
}
