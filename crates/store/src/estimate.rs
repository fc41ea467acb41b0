//! Which plan a list takes: remembered counts of what a caller reaches (decision 0008).
//!
//! A caller who reaches few rows has them gathered; one who reaches many meets them while walking in order. The wrong
//! choice costs a hundred to a thousand times, a stale count costs nothing but time: it never changes what is answered.

use std::collections::HashMap;

use custodia_access::RowArms;
use custodia_query::{Comparison, Filter, Path, Query};
use custodia_schema::{Table, TableId};
use parking_lot::Mutex;

use crate::sql::{Dialect, Plan};

/// Rows counted at most; above, walking in order is right for any table that fits a machine.
pub(crate) const COUNTED_MAX: u32 = 20_000;
/// How long a count is believed.
const KEPT_MS: u64 = 60_000;
/// Callers remembered; beyond, all are forgotten and counted again.
const KEPT_MAX: usize = 4_096;
/// Rows of the page that a person waits for.
const PAGE_ROWS: i64 = 51;
/// Rows passed for a page from which PostgreSQL may hash the shares instead of probing them.
const HASHED_MIN: i64 = 2_000;
/// The least number of reachable rows from which walking in order is considered.
const GATHERED_MIN: i64 = 64;

/// Plans by table and caller.
#[derive(Default)]
pub(crate) struct Estimates {
    kept: Mutex<HashMap<TableId, Vec<Kept>>>,
}

struct Kept {
    arms: RowArms,
    plan: Plan,
    until_ms: u64,
}

impl Estimates {
    pub(crate) fn get(&self, table: TableId, arms: &RowArms, now_ms: u64) -> Option<Plan> {
        let kept = self.kept.lock();
        let found = kept.get(&table)?.iter().find(|kept| kept.arms.user == arms.user && kept.arms == *arms)?;
        (found.until_ms > now_ms).then_some(found.plan)
    }

    pub(crate) fn keep(&self, table: TableId, arms: RowArms, plan: Plan, now_ms: u64) -> Plan {
        let mut kept = self.kept.lock();
        let callers = kept.entry(table).or_default();
        callers.retain(|kept| kept.arms != arms && kept.until_ms > now_ms);
        if callers.len() >= KEPT_MAX {
            callers.clear();
        }
        callers.push(Kept { arms, plan, until_ms: now_ms.saturating_add(KEPT_MS) });
        plan
    }
}

/// The switch lies near four times the root of the table's rows. PostgreSQL does better with hashed shares where many rows
/// must be passed for a page.
pub(crate) fn choose(dialect: Dialect, reachable: i64, all: i64) -> Plan {
    let switch = all.max(0).isqrt().saturating_mul(4).max(GATHERED_MIN);
    if reachable < switch {
        return Plan::Union;
    }
    let passed = PAGE_ROWS.saturating_mul(all) / reachable.max(1);
    if dialect == Dialect::Postgres && passed > HASHED_MIN { Plan::Sweep } else { Plan::Ordered }
}

/// Whether the query can only match one row, so that no plan is needed.
pub(crate) fn names_one_row(table: &Table, query: &Query) -> bool {
    fn names(table: &Table, filter: &Filter) -> bool {
        match filter {
            Filter::Compare { path: Path { row: 0, steps, column }, operator: Comparison::Equal, .. } => {
                steps.is_empty() && *column == table.primary_id
            }
            Filter::And(parts) => parts.iter().any(|part| names(table, part)),
            _ => false,
        }
    }
    names(table, &query.filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_follows_the_root_of_the_table() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            assert_eq!(choose(dialect, 3_999, 1_000_000), Plan::Union);
            assert_eq!(choose(dialect, 10, 20), Plan::Union);
            assert_eq!(choose(dialect, 300, 5_000), Plan::Ordered);
            assert_eq!(choose(dialect, 300_000, 1_000_000), Plan::Ordered);
        }
        assert_eq!(choose(Dialect::Sqlite, 4_001, 1_000_000), Plan::Ordered);
        assert_eq!(choose(Dialect::Postgres, 4_001, 1_000_000), Plan::Sweep);
    }
}
