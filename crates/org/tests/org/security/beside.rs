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
        self.linked_where(asker, turn).await;
        self.aggregated(asker, turn).await;
    }

    /// Accounts that have, or do not have, a contact whose masked column passes a test.
    async fn having(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let stage = self.reader.stage;
        let contacts = self.readable(asker, WorldTable::Contact);
        let world = self.world;
        let open = world.opens(asker, WorldTable::Contact, "jobtitle");
        let opens = |contact: &Record| world.opens_on(asker, WorldTable::Contact, "jobtitle", contact.id);
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
        let passes = |contact: &Record| {
            turn % 4 > 1 || (opens(contact) && sort_key(&value_of(contact, "jobtitle")) >= sort_key(&wanted))
        };
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
        let world = self.world;
        let open = world.opens(asker, WorldTable::Account, "creditlimit");
        let opens = |account: &Record| world.opens_on(asker, WorldTable::Account, "creditlimit", account.id);
        let accounts = self.readable(asker, WorldTable::Account);
        let mut expected: Vec<Vec<Value>> = Vec::new();
        for contact in self.readable(asker, WorldTable::Contact) {
            let account = accounts.iter().find(|account| parent_of(&contact) == Some(account.id));
            if account.is_none() && kind == LinkKind::Inner {
                continue;
            }
            let id = account.map_or(Value::Null, |account| Value::Guid(account.id));
            let limit = account
                .filter(|account| opens(account))
                .map_or(Value::Null, |account| value_of(account, "creditlimit"));
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

    /// How many contacts there are, and what the credit limits of their accounts come to: in all, by account, or by a masked
    /// column of their own, of which hidden values are one group without a value.
    async fn aggregated(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let stage = self.reader.stage;
        let world = self.world;
        let open = world.opens(asker, WorldTable::Account, "creditlimit");
        let opens = |account: &Record| world.opens_on(asker, WorldTable::Account, "creditlimit", account.id);
        let sees_job = |contact: &Record| world.opens_on(asker, WorldTable::Contact, "jobtitle", contact.id);
        let accounts = self.readable(asker, WorldTable::Account);
        let by = [None, Some(Path::at(1, stage.table(WorldTable::Account).primary_id)), Some(self.jobtitle())];
        let by = &by[turn % by.len()];
        let mut groups: Vec<Sums> = Vec::new();
        if by.is_none() {
            groups.push(Sums::of(Value::Null));
        }
        for contact in self.readable(asker, WorldTable::Contact) {
            let account = accounts.iter().find(|account| parent_of(&contact) == Some(account.id));
            let key = match turn % 3 {
                0 => Value::Null,
                1 => account.map_or(Value::Null, |account| Value::Guid(account.id)),
                _ if sees_job(&contact) => value_of(&contact, "jobtitle"),
                _ => Value::Null,
            };
            let at = groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
                groups.push(Sums::of(key));
                groups.len() - 1
            });
            groups[at].count += 1;
            if let Some(Value::Money(limit)) =
                account.filter(|account| opens(account)).map(|account| value_of(account, "creditlimit"))
            {
                groups[at].limits.push(limit.0);
            }
        }
        // The largest groups first in every other turn; groups of one size by what they are by.
        let largest_first = turn % 2 == 1;
        groups.sort_by_key(|group| {
            let place = match &group.key {
                Value::Guid(id) => Some(id.to_string()),
                other => sort_key(other).map(|(_, text)| text),
            };
            (if largest_first { -group.count } else { 0 }, place)
        });
        let expected: Vec<Vec<Value>> = groups.iter().map(|group| group.row(by.is_some())).collect();
        let limit = Path::at(1, stage.column(WorldTable::Account, "creditlimit"));
        let mut rows = stage.list(self.world, WorldTable::Contact);
        rows.links = vec![self.account_link(LinkKind::Outer)];
        let aggregation = Aggregation {
            rows,
            groups: by.iter().map(|path| Group { path: path.clone(), by: GroupBy::Value }).collect(),
            measures: vec![
                Measure::Count,
                Measure::CountValues { path: limit.clone(), distinct: false },
                Measure::CountValues { path: limit.clone(), distinct: true },
                Measure::Sum(limit.clone()),
                Measure::Average(limit.clone()),
                Measure::Least(limit.clone()),
                Measure::Greatest(limit),
            ],
            order: if largest_first { vec![(usize::from(by.is_some()), true)] } else { Vec::new() },
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
            let about =
                format!("contacts and the limits of their accounts, turn {turn} (open: {open}, refused: {refused})");
            self.differ(asker, &about, expected, actual);
        }
    }

    /// Contacts by a test of a masked column of their accounts, which stand beside them.
    async fn linked_where(&mut self, asker: Asker, turn: usize) {
        let Some(refused) = self.refuses_any(asker, &[WorldTable::Account, WorldTable::Contact]) else { return };
        let world = self.world;
        let open = world.opens(asker, WorldTable::Account, "creditlimit");
        let opens = |account: &Record| world.opens_on(asker, WorldTable::Account, "creditlimit", account.id);
        let accounts = self.readable(asker, WorldTable::Account);
        let all = self.records_of(WorldTable::Account);
        let wanted = value_of(all[turn % all.len()], "creditlimit");
        let passes =
            |account: &Record| opens(account) && sort_key(&value_of(account, "creditlimit")) >= sort_key(&wanted);
        // Within the link it says which rows are partners; beside it, which rows are left.
        let within = turn.is_multiple_of(2);
        let test = |row| Filter::Compare {
            path: Path::at(row, self.reader.stage.column(WorldTable::Account, "creditlimit")),
            operator: Comparison::GreaterOrEqual,
            value: wanted.clone(),
        };
        let mut expected: Vec<Vec<Value>> = Vec::new();
        for contact in self.readable(asker, WorldTable::Contact) {
            let account = accounts.iter().find(|account| parent_of(&contact) == Some(account.id));
            let account = account.filter(|account| passes(account));
            if account.is_none() && !within {
                continue;
            }
            let id = account.map_or(Value::Null, |account| Value::Guid(account.id));
            let limit = account.map_or(Value::Null, |account| value_of(account, "creditlimit"));
            expected.push(vec![Value::Guid(contact.id), id, limit]);
        }
        expected.sort_by_key(|row| row[0].guid());
        let mut query = self.reader.stage.list(self.world, WorldTable::Contact);
        let mut link = self.account_link(LinkKind::Outer);
        if within {
            link.filter = test(1);
        } else {
            query.filter = Filter::And(vec![query.filter, test(1)]);
        }
        query.links = vec![link];
        let actual = self.reader.rows(asker, Part::Follows, &query).await;
        let about = format!("contacts by a limit within the link: {within} (open: {open}, refused: {refused})");
        self.check(asker, &about, (!refused).then_some(expected), &actual);
    }

    fn jobtitle(&self) -> Path {
        Path::own(self.reader.stage.column(WorldTable::Contact, "jobtitle"))
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

/// What the rows of one group come to.
struct Sums {
    key: Value,
    count: i64,
    limits: Vec<i64>,
}

impl Sums {
    fn of(key: Value) -> Self {
        Self { key, count: 0, limits: Vec::new() }
    }

    /// The measures, in the order in which they are asked for.
    fn row(&self, with_key: bool) -> Vec<Value> {
        let values = i64::try_from(self.limits.len()).unwrap();
        let distinct = self.limits.iter().collect::<BTreeSet<_>>().len();
        let sum: i64 = self.limits.iter().sum();
        let amount = |value: Option<i64>| value.map_or(Value::Null, |value| Value::Money(Money(value)));
        // Rounded half away from zero; amounts of worlds are not negative.
        let mean = (values > 0).then(|| (sum * 2 + values) / (values * 2));
        let measures = [
            Value::BigInt(self.count),
            Value::BigInt(values),
            Value::BigInt(i64::try_from(distinct).unwrap()),
            amount((values > 0).then_some(sum)),
            amount(mean),
            amount(self.limits.iter().min().copied()),
            amount(self.limits.iter().max().copied()),
        ];
        with_key.then(|| self.key.clone()).into_iter().chain(measures).collect()
    }
}
