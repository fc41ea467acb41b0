//! Rows beside rows: tests for linked rows, linked rows that are shown, and what groups of rows come to. None of them may
//! tell of a row or a column that the asker does not read.

use std::collections::BTreeSet;

use custodia_oracle::{Asker, Record, WorldTable};
use custodia_query::{Aggregation, Comparison, Exists, Field, Filter, Group, GroupBy, Link, LinkKind, Measure, Path};
use custodia_schema::{Guid, Money, Value};

use crate::security::reader::Part;
use crate::security::reads::{Comparing, ids, sort_key, value_of};

impl Comparing<'_, '_> {
    /// Everything of this page, some of it in each turn.
    pub(super) async fn beside(&mut self, asker: Asker, turn: usize) {
        self.having(asker, turn).await;
        self.linked(asker, turn).await;
        self.linked_over_an_intersect(asker, turn).await;
        self.aggregated(asker, turn).await;
    }

    /// Accounts that have, or do not have, a contact whose masked column passes a test.
    async fn having(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let stage = self.reader.stage;
        let contacts = self.readable(asker, WorldTable::Contact);
        let open = self.opens(asker, WorldTable::Contact, "jobtitle");
        let all = self.records_of(WorldTable::Contact);
        let wanted = value_of(all[turn % all.len()], "jobtitle");
        let exists = Filter::Exists(Box::new(Exists {
            near: Path::own(stage.table(WorldTable::Account).primary_id),
            table: stage.table(WorldTable::Contact).id,
            far: stage.column(WorldTable::Contact, "parentcustomerid"),
            links: Vec::new(),
            filter: match turn % 4 {
                0 | 1 => Filter::Compare {
                    path: Path::own(stage.column(WorldTable::Contact, "jobtitle")),
                    operator: Comparison::GreaterOrEqual,
                    value: wanted.clone(),
                },
                _ => Filter::True,
            },
        }));
        let passes =
            |contact: &Record| turn % 4 > 1 || (open && sort_key(&value_of(contact, "jobtitle")) >= sort_key(&wanted));
        let has =
            |account: &Record| contacts.iter().any(|contact| passes(contact) && parent_of(contact) == Some(account.id));
        let positive = turn.is_multiple_of(2);
        let expected: BTreeSet<Guid> = self
            .readable(asker, WorldTable::Account)
            .iter()
            .filter(|account| has(account) == positive)
            .map(|account| account.id)
            .collect();
        let mut query = stage.list(self.world, WorldTable::Account);
        let exists = if positive { exists } else { Filter::Not(Box::new(exists)) };
        query.filter = Filter::And(vec![query.filter, exists]);
        query.count = true;
        let actual = self.reader.rows(asker, Part::Follows, &query).await;
        let found = actual.as_ref().ok().map(|(rows, _)| ids(rows));
        let counted = actual.as_ref().ok().and_then(|(_, count)| *count);
        let count = (!refused).then_some(expected.len() as u64);
        if found != (!refused).then(|| expected.clone()) || counted != count {
            let about = format!("accounts with a contact, turn {turn} (open: {open}, refused: {refused})");
            self.differ(asker, &about, expected, actual);
        }
    }

    /// Contacts with their accounts beside them, by each kind of link.
    async fn linked(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let kind = [LinkKind::Inner, LinkKind::Outer, LinkKind::First][turn % 3];
        let open = self.opens(asker, WorldTable::Account, "creditlimit");
        let accounts = self.readable(asker, WorldTable::Account);
        let mut expected: Vec<Vec<Value>> = Vec::new();
        for contact in self.readable(asker, WorldTable::Contact) {
            let account = accounts.iter().find(|account| parent_of(&contact) == Some(account.id));
            if account.is_none() && kind == LinkKind::Inner {
                continue;
            }
            let id = account.map_or(Value::Null, |account| Value::Guid(account.id));
            let limit = account.filter(|_| open).map_or(Value::Null, |account| value_of(account, "creditlimit"));
            expected.push(vec![Value::Guid(contact.id), id, limit]);
        }
        expected.sort_by_key(|row| row[0].guid());
        let mut query = self.reader.stage.list(self.world, WorldTable::Contact);
        query.links = vec![self.account_link(kind)];
        query.count = true;
        let actual = self.reader.rows(asker, Part::Shows, &query).await;
        let about = format!("contacts with accounts by {kind:?} (open: {open}, refused: {refused})");
        self.check(asker, &about, (!refused).then_some(expected), &actual);
    }

    /// Opportunities that have a competitor the asker reads: by the intersect, and by the competitor beyond it.
    async fn linked_over_an_intersect(&mut self, asker: Asker, turn: usize) {
        let tables = [WorldTable::Opportunity, WorldTable::OpportunityCompetitor, WorldTable::Competitor];
        let Some(refused) = self.refuses_any(asker, &tables) else { return };
        let stage = self.reader.stage;
        let competitors: BTreeSet<Guid> =
            self.readable(asker, WorldTable::Competitor).iter().map(|competitor| competitor.id).collect();
        let has = |opportunity: &Record| {
            let links = &self.world.links;
            links.iter().any(|link| link.opportunity == opportunity.id && competitors.contains(&link.competitor))
        };
        let positive = turn.is_multiple_of(2);
        let expected: BTreeSet<Guid> = self
            .readable(asker, WorldTable::Opportunity)
            .iter()
            .filter(|opportunity| has(opportunity) == positive)
            .map(|opportunity| opportunity.id)
            .collect();
        let intersect = stage.table(WorldTable::OpportunityCompetitor);
        let competitor = stage.table(WorldTable::Competitor);
        let beyond = Link {
            from: 0,
            table: competitor.id,
            near: intersect.column("competitorid").unwrap().id,
            far: competitor.primary_id,
            kind: LinkKind::Inner,
            filter: Filter::True,
            fields: Vec::new(),
            order: Vec::new(),
        };
        let opportunity = stage.table(WorldTable::Opportunity).primary_id;
        let exists = Filter::Exists(Box::new(Exists {
            near: Path::own(opportunity),
            table: intersect.id,
            far: intersect.column("opportunityid").unwrap().id,
            links: if turn % 4 > 1 { vec![beyond] } else { Vec::new() },
            filter: Filter::True,
        }));
        let mut query = stage.list(self.world, WorldTable::Opportunity);
        let exists = if positive { exists } else { Filter::Not(Box::new(exists)) };
        query.filter = Filter::And(vec![query.filter, exists]);
        let actual = self.reader.rows(asker, Part::Shows, &query).await;
        let found = actual.as_ref().ok().map(|(rows, _)| ids(rows));
        // Without the link to the competitor the gate of its table is still that of the intersect.
        if found != (!refused).then(|| expected.clone()) {
            let about = format!("opportunities with a competitor, turn {turn} (refused: {refused})");
            self.differ(asker, &about, expected, actual);
        }
    }

    /// How many contacts there are, and what the credit limits of their accounts come to: in all, or by account.
    async fn aggregated(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let stage = self.reader.stage;
        let open = self.opens(asker, WorldTable::Account, "creditlimit");
        let accounts = self.readable(asker, WorldTable::Account);
        let grouped = turn % 2 == 1;
        let mut groups: Vec<(Option<Guid>, i64, i64, Option<i64>)> = Vec::new();
        if !grouped {
            groups.push((None, 0, 0, None));
        }
        for contact in self.readable(asker, WorldTable::Contact) {
            let account = accounts.iter().find(|account| parent_of(&contact) == Some(account.id));
            let key = account.filter(|_| grouped).map(|account| account.id);
            if !groups.iter().any(|(known, ..)| *known == key) {
                groups.push((key, 0, 0, None));
            }
            let (_, count, values, sum) = groups.iter_mut().find(|(known, ..)| *known == key).unwrap();
            *count += 1;
            if let Some(Value::Money(limit)) = account.filter(|_| open).map(|account| value_of(account, "creditlimit"))
            {
                *values += 1;
                *sum = Some(sum.unwrap_or(0) + limit.0);
            }
        }
        groups.sort();
        let expected: Vec<Vec<Value>> = groups
            .into_iter()
            .map(|(key, count, values, sum)| {
                let sum = sum.map_or(Value::Null, |sum| Value::Money(Money(sum)));
                let key = grouped.then(|| key.map_or(Value::Null, Value::Guid));
                key.into_iter().chain([Value::BigInt(count), Value::BigInt(values), sum]).collect()
            })
            .collect();
        let limit = Path::at(1, stage.column(WorldTable::Account, "creditlimit"));
        let mut rows = stage.list(self.world, WorldTable::Contact);
        rows.links = vec![self.account_link(LinkKind::Outer)];
        let id = Path::at(1, stage.table(WorldTable::Account).primary_id);
        let aggregation = Aggregation {
            rows,
            groups: if grouped { vec![Group { path: id, by: GroupBy::Value }] } else { Vec::new() },
            measures: vec![
                Measure::Count,
                Measure::CountValues { path: limit.clone(), distinct: false },
                Measure::Sum(limit),
            ],
            order: Vec::new(),
            skip: 0,
            page_size: 1_000,
            rows_max: 50_000,
        };
        let actual = self.reader.groups(asker, Part::Shows, &aggregation).await;
        let same = match &actual {
            Ok(groups) => !refused && *groups == expected,
            Err(_) => refused,
        };
        if !same {
            let about = format!("contacts and the limits of their accounts (open: {open}, refused: {refused})");
            self.differ(asker, &about, expected, actual);
        }
    }

    fn account_link(&self, kind: LinkKind) -> Link {
        let account = self.reader.stage.table(WorldTable::Account);
        let limit = self.reader.stage.column(WorldTable::Account, "creditlimit");
        Link {
            from: 0,
            table: account.id,
            near: self.reader.stage.column(WorldTable::Contact, "parentcustomerid"),
            far: account.primary_id,
            kind,
            filter: Filter::True,
            fields: vec![Field::Column(account.primary_id), Field::Column(limit)],
            order: Vec::new(),
        }
    }

    fn readable(&self, asker: Asker, table: WorldTable) -> Vec<Record> {
        self.records_of(table).into_iter().filter(|record| self.reads(asker, record)).cloned().collect()
    }

    /// Whether one of the tables is behind the gate; `None` when the world has no row to tell by.
    fn refuses_any(&self, asker: Asker, tables: &[WorldTable]) -> Option<bool> {
        let refused: Option<Vec<bool>> = tables.iter().map(|table| self.refuses_all(asker, *table)).collect();
        refused.map(|refused| refused.contains(&true))
    }
}

fn parent_of(contact: &Record) -> Option<Guid> {
    contact.lookups.iter().find(|lookup| lookup.column == "parentcustomerid").map(|lookup| lookup.id)
}
