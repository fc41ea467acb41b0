//! What clients were promised, kept where no crash reaches it, and held against what is there afterwards.

use std::collections::HashMap;
use std::fmt;

use custodia_schema::Guid;
use custodia_store::ChangeKind;

use crate::durability::site::Site;

/// What an account is like: its number of employees, or nothing when there is no such account.
pub type State = Option<i64>;

/// One client's writes, in order. Each account is written by one client only.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// What each account was like after each acknowledged write of it.
    rows: HashMap<Guid, Vec<State>>,
    /// The write that no answer has come for.
    pub in_flight: Option<(Guid, State)>,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
}

impl Journal {
    pub fn begin(&mut self, account: Guid, state: State) {
        self.in_flight = Some((account, state));
    }

    pub fn acknowledge(&mut self) {
        let (account, state) = self.in_flight.take().expect("something was begun");
        self.rows.entry(account).or_default().push(state);
        self.acknowledged += 1;
    }

    /// An account that is there, chosen by `pick`.
    pub fn alive(&self, pick: usize) -> Option<(Guid, i64)> {
        let mut alive: Vec<_> = self.rows.iter().filter_map(|(id, states)| Some((*id, (*states.last()?)?))).collect();
        alive.sort_unstable();
        (!alive.is_empty()).then(|| alive[pick % alive.len()])
    }

    pub fn count_alive(&self) -> usize {
        self.rows.values().filter(|states| states.last().is_some_and(Option::is_some)).count()
    }

    /// Takes over what came of the write that no answer came for.
    fn settle(&mut self, found: &HashMap<Guid, State>) {
        let Some((account, state)) = self.in_flight.take() else { return };
        if found.get(&account).copied().flatten() == state {
            self.rows.entry(account).or_default().push(state);
        }
    }
}

/// What a crash did that it must not.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Acknowledged writes that are gone, in words.
    pub lost: Vec<String>,
    /// Anything else that is wrong.
    pub wrong: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |texts: &[String]| texts.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
        write!(f, "{} lost: {}", self.lost.len(), first(&self.lost))?;
        write!(f, "\n{} wrong: {}", self.wrong.len(), first(&self.wrong))
    }
}

/// Holds what is there against the journals. `promised` are the journals as of the moment up to which everything must be
/// there; `now` are those of the crash, whose later writes may or may not be there. `now` goes on from what was found.
pub async fn verify(site: &Site, promised: &[Journal], now: &mut [Journal]) -> Verdict {
    let mut verdict = Verdict::default();
    let accounts = site.accounts().await;
    let found: HashMap<Guid, State> = accounts.iter().map(|(id, state, _)| (*id, Some(*state))).collect();
    let mut known = 0;
    for (promised, now) in promised.iter().zip(now.iter()) {
        for (id, states) in &now.rows {
            let there = found.get(id).copied().flatten();
            known += usize::from(there.is_some());
            // From the last promised state on, any may be there.
            let from = promised.rows.get(id).map_or(0, Vec::len);
            let mut later = states[from.saturating_sub(1)..].to_vec();
            if from == 0 {
                later.push(None);
            }
            later.extend(now.in_flight.filter(|(account, _)| account == id).map(|(_, state)| state));
            if !later.contains(&there) {
                verdict.lost.push(format!("{id}: {there:?} is there, {later:?} could be"));
            }
        }
        let unanswered_new = now.in_flight.filter(|(id, _)| !now.rows.contains_key(id));
        known += usize::from(unanswered_new.is_some_and(|(id, _)| found.contains_key(&id)));
    }
    if known != found.len() {
        verdict.wrong.push(format!("{} accounts are there, {known} were written", found.len()));
    }
    for journal in now.iter_mut() {
        journal.settle(&found);
    }
    compare_with_log(site, &accounts, &mut verdict).await;
    verdict
}

/// The change log tells of exactly the rows that are there, each in the version that it has.
async fn compare_with_log(site: &Site, accounts: &[(Guid, i64, i64)], verdict: &mut Verdict) {
    let table = site.org.schema().table_named("account").unwrap().id;
    let changes = site.changes().await;
    let head = site.org.database().head().await.unwrap().number;
    if !changes.windows(2).all(|pair| pair[0].number < pair[1].number) {
        verdict.wrong.push("the log is out of order".into());
    }
    if changes.last().map_or(0, |change| change.number) > head {
        verdict.wrong.push("the log is ahead of the head".into());
    }
    if site.store.organization("demo").unwrap().database.ends_with(".db") {
        // Where requests of a batch take turns, numbers are taken without gaps.
        if i64::try_from(changes.len()).unwrap() != head {
            verdict.wrong.push(format!("{} changes are logged, the head says {head}", changes.len()));
        }
    }
    let mut logged: HashMap<Guid, i64> = HashMap::new();
    for change in changes.iter().filter(|change| change.table == table && change.kind != ChangeKind::CreateTable) {
        if change.kind == ChangeKind::Delete {
            logged.remove(&change.row);
        } else {
            logged.insert(change.row, change.number);
        }
    }
    for (id, _, version) in accounts {
        match logged.remove(id) {
            Some(number) if number == *version => {}
            other => verdict.wrong.push(format!("{id} has version {version}, the log {other:?}")),
        }
    }
    if !logged.is_empty() {
        verdict.wrong.push(format!("the log tells of {} accounts that are not there", logged.len()));
    }
}
