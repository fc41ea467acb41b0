//! Answers a query by trying every row: slow, short and independent of the writer.

use std::cmp::Ordering;

use custodia_access::{Own, RowAccess, RowArms};
use custodia_query::{
    Comparison, DatePart, Direction, Expand, Field, Filter, Fiscal, FiscalPeriods, Link, LinkKind, Order, OrderBy,
    Path, Query, Related, Step, Zone,
};
use custodia_schema::{ColumnId, Guid, Table, TableId, Value, fold};

use super::super::super::ReadPolicy;
use super::super::{TestPolicy, schema};
use super::question::Seen;
use super::world::{Row, World};

pub(super) struct Naive<'w> {
    pub(super) world: &'w World,
    pub(super) policy: &'w TestPolicy,
}

/// The queried row and the linked ones beside it; `None` where a partner is missing.
#[derive(Clone)]
pub(super) struct Combination<'w> {
    tables: Vec<std::sync::Arc<Table>>,
    rows: Vec<Option<&'w Row>>,
}

impl<'w> Naive<'w> {
    /// What the caller is shown, in order.
    pub(super) fn answer(&self, query: &Query, seen: &mut Seen) -> Vec<Vec<Value>> {
        let mut results = self.matching(query);
        if query.distinct {
            return self.distinct(query, &results);
        }
        results.sort_by(|left, right| {
            for order in &query.order {
                let (one, other) = (self.sorted_by(left, order), self.sorted_by(right, order));
                match directed(nulls_first(&one, &other), order.descending) {
                    Ordering::Equal if one.is_null() => seen.null_ties += 1,
                    Ordering::Equal => seen.ties += 1,
                    other => return other,
                }
            }
            let descending = query.order.last().is_some_and(|order| order.descending);
            directed(self.ids(left).cmp(&self.ids(right)), descending)
        });
        if let Some(top) = query.top {
            results.truncate(usize::try_from(top).unwrap());
        }
        results.iter().map(|result| self.shown(result, query)).collect()
    }

    /// How many results there are.
    pub(super) fn count(&self, query: &Query) -> usize {
        let results = self.matching(query);
        if query.distinct {
            self.distinct(&Query { top: None, ..query.clone() }, &results).len()
        } else {
            results.len()
        }
    }

    /// Results that differ by fold, with the least of the texts that they show; sorted by the keys, then by what is shown.
    fn distinct(&self, query: &Query, results: &[Combination<'w>]) -> Vec<Vec<Value>> {
        let mut found: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
        for result in results {
            let keys: Vec<Value> = query.order.iter().map(|order| self.sorted_by(result, order)).collect();
            let shown = self.shown(result, query);
            // Names of lookups are told apart by their letters: they belong to the id beside them.
            let same = |other: &Vec<Value>| {
                shown.iter().zip(other).enumerate().all(|(at, (one, other))| match (one, other) {
                    (Value::Text(one), Value::Text(other)) if !self.is_name(query, at) => fold(one) == fold(other),
                    _ => one == other,
                })
            };
            match found.iter_mut().find(|(_, other)| same(other)) {
                Some((_, known)) => {
                    for (known, value) in known.iter_mut().zip(shown) {
                        if let (Value::Text(known), Value::Text(value)) = (known, value)
                            && value < *known
                        {
                            *known = value;
                        }
                    }
                }
                None => found.push((keys, shown)),
            }
        }
        found.sort_by(|(left_keys, left), (right_keys, right)| {
            for ((one, other), order) in left_keys.iter().zip(right_keys).zip(&query.order) {
                match directed(nulls_first(one, other), order.descending) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            left.iter().zip(right).enumerate().fold(Ordering::Equal, |so_far, (at, (one, other))| {
                so_far.then_with(|| match (one, other) {
                    (Value::Text(one), Value::Text(other)) if self.is_name(query, at) => one.cmp(other),
                    _ => nulls_first(one, other),
                })
            })
        });
        let mut shown: Vec<Vec<Value>> = found.into_iter().map(|(_, shown)| shown).collect();
        if let Some(top) = query.top {
            shown.truncate(usize::try_from(top).unwrap());
        }
        shown
    }

    fn is_name(&self, query: &Query, output: usize) -> bool {
        let fields = query.fields.iter().chain(query.links.iter().flat_map(|link| &link.fields));
        let mut all: Vec<Field> = fields.copied().collect();
        fn expanded(expand: &[Expand], all: &mut Vec<Field>) {
            for entry in expand {
                let Expand::One { fields, expand, .. } = entry else { panic!("not asked") };
                all.extend(fields);
                expanded(expand, all);
            }
        }
        expanded(&query.expand, &mut all);
        matches!(all[output], Field::TargetName(_))
    }

    /// What the caller reaches and the query asks for.
    pub(super) fn matching(&self, query: &Query) -> Vec<Combination<'w>> {
        let table = table_of(query.table);
        let roots = self
            .rows(&table)
            .iter()
            .filter(|row| self.reaches(&table, row))
            .filter(|row| query.related.as_ref().is_none_or(|related| self.is_related(&table, row, related)))
            .collect();
        let mut results = self.linked(&table, roots, &query.links);
        results.retain(|result| self.holds(result, &query.filter));
        results
    }

    /// Rows with those linked to them.
    fn linked(&self, table: &Table, rows: Vec<&'w Row>, links: &[Link]) -> Vec<Combination<'w>> {
        let tables: Vec<_> =
            std::iter::once(table.id).chain(links.iter().map(|link| link.table)).map(table_of).collect();
        let alone = |row| {
            let mut rows = vec![None; links.len() + 1];
            rows[0] = Some(row);
            Combination { tables: tables.clone(), rows }
        };
        let mut results: Vec<Combination<'w>> = rows.into_iter().map(alone).collect();
        let heads: Vec<Option<usize>> = links.iter().enumerate().fold(Vec::new(), |mut heads, (at, link)| {
            let above = if link.from == 0 { None } else { heads[link.from - 1] };
            heads.push(if link.kind == LinkKind::Inner { above } else { Some(at) });
            heads
        });
        for (at, head) in heads.iter().enumerate() {
            let members: Vec<usize> = match head {
                None => vec![at],
                Some(head) if *head == at => (at..links.len()).filter(|member| heads[*member] == Some(at)).collect(),
                Some(_) => continue,
            };
            results = results
                .into_iter()
                .flat_map(|result| {
                    let mut branch = vec![result.clone()];
                    for member in &members {
                        branch = branch.into_iter().flat_map(|result| self.partners(&result, *member, links)).collect();
                    }
                    if branch.is_empty() && head.is_some() { vec![result] } else { branch }
                })
                .collect();
        }
        results
    }

    /// The results with each partner of one link.
    fn partners(&self, result: &Combination<'w>, at: usize, links: &[Link]) -> Vec<Combination<'w>> {
        let (link, table) = (&links[at], &result.tables[at + 1]);
        let near = self.value(result, &Path::at(link.from, link.near));
        let near_table = &result.tables[link.from];
        let mut found: Vec<Combination<'w>> = Vec::new();
        for row in self.rows(table).iter().filter(|row| self.reaches(table, row)) {
            let far = self.readable(table, row, link.far);
            if !is_partner((near_table, link.near, &near), (table, link.far, &far)) {
                continue;
            }
            let mut with = result.clone();
            with.rows[at + 1] = Some(row);
            if self.holds(&with, &link.filter) {
                found.push(with);
            }
        }
        if link.kind == LinkKind::First {
            found.sort_by(|left, right| {
                let by_keys = link.order.iter().fold(Ordering::Equal, |so_far, order| {
                    let (one, other) = (self.sorted_by(left, order), self.sorted_by(right, order));
                    so_far.then_with(|| directed(nulls_first(&one, &other), order.descending))
                });
                by_keys.then_with(|| self.ids(left)[at + 1].cmp(&self.ids(right)[at + 1]))
            });
            found.truncate(1);
        }
        found
    }

    fn ids(&self, result: &Combination<'w>) -> Vec<Option<Guid>> {
        result.rows.iter().zip(&result.tables).map(|(row, table)| row.map(|row| self.id(table, row))).collect()
    }

    /// What an order looks at.
    fn sorted_by(&self, result: &Combination<'w>, order: &Order) -> Value {
        let value = self.value(result, &order.path);
        match &order.by {
            OrderBy::Value => value,
            OrderBy::Label(values) => {
                let number = match &value {
                    Value::Boolean(value) => Some(i64::from(*value)),
                    other => whole(other),
                };
                let place = |number| values.iter().position(|value| i64::from(*value) == number);
                number.map_or(Value::Null, |number| {
                    Value::BigInt(i64::try_from(place(number).unwrap_or(values.len())).unwrap())
                })
            }
            OrderBy::Name => self.name_of(&value),
        }
    }

    /// The name of the row that a lookup points at, whoever may read it.
    fn name_of(&self, lookup: &Value) -> Value {
        let Value::Lookup(target, id) = lookup else { return Value::Null };
        let target = table_of(*target);
        let named = self.find(&target, *id).zip(target.primary_name);
        named.map_or(Value::Null, |(row, name)| self.readable(&target, row, name))
    }

    fn rows(&self, table: &Table) -> &'w [Row] {
        self.world.rows.get(table.name.as_str()).map_or(&[], Vec::as_slice)
    }

    fn id(&self, table: &Table, row: &Row) -> Guid {
        raw(table, row, table.primary_id).guid().unwrap()
    }

    fn reaches(&self, table: &Table, row: &Row) -> bool {
        match self.policy.rows.get(&table.id) {
            None => true,
            Some(access) => self.is_in(table, row, access),
        }
    }

    fn is_in(&self, table: &Table, row: &Row, access: &RowAccess) -> bool {
        match access {
            // No world of this test has an audit.
            RowAccess::Telling(_) => false,
            RowAccess::All => true,
            RowAccess::Every(all) => all.iter().all(|access| self.is_in(table, row, access)),
            RowAccess::Arms(arms) => self.is_in_arms(table, row, arms),
            RowAccess::Parent(parents) => {
                let set = parents.iter().find(|parent| !raw(table, row, parent.lookup).is_null());
                let Some(Value::Lookup(target, id)) = set.map(|parent| raw(table, row, parent.lookup)) else {
                    return false;
                };
                let entry = parents.iter().find(|parent| parent.table == target);
                let Some(access) = entry.and_then(|parent| parent.access.as_deref()) else { return false };
                let target = table_of(target);
                // A parent open to everybody needs no look; in the service it exists.
                *access == RowAccess::All
                    || self.find(&target, id).is_some_and(|parent| self.is_in(&target, parent, access))
                    || self.is_everything(access)
            }
        }
    }

    fn is_everything(&self, access: &RowAccess) -> bool {
        match access {
            RowAccess::All => true,
            RowAccess::Every(all) => all.iter().all(|access| self.is_everything(access)),
            _ => false,
        }
    }

    fn is_in_arms(&self, table: &Table, row: &Row, arms: &RowArms) -> bool {
        let named = |name: &str| table.column(name).and_then(|column| raw(table, row, column.id).guid());
        let id = self.id(table, row);
        let member = |principal: Guid| self.world.members.contains(&(arms.user, principal));
        let owns = match &arms.own {
            Own::Nobody => false,
            Own::Itself => named("ownerid") == Some(arms.user),
            Own::Self_ => id == arms.user,
            Own::Teams(teams) => named("ownerid").is_some_and(|owner| teams.contains(&owner)),
            Own::UserAnd(teams) => named("ownerid").is_some_and(|owner| owner == arms.user || teams.contains(&owner)),
            Own::UserAndTeams => named("ownerid").is_some_and(|owner| owner == arms.user || member(owner)),
        };
        let sits = named("owningbusinessunit").is_some_and(|unit| {
            arms.units.contains(&unit) || arms.subtrees.iter().any(|above| self.world.closure.contains(&(*above, unit)))
        });
        let shared = arms.shared.is_some_and(|mask| {
            let mask = i32::try_from(mask.0).unwrap();
            self.world.shares.iter().any(|(of, object, principal, own, inherited)| {
                *of == table.name && *object == id && member(*principal) && (own | inherited) & mask != 0
            })
        });
        owns || sits || shared
    }

    fn find(&self, table: &Table, id: Guid) -> Option<&'w Row> {
        self.rows(table).iter().find(|row| self.id(table, row) == id)
    }

    /// The value at the end of a path, as the caller may see it.
    pub(super) fn value(&self, result: &Combination<'w>, path: &Path) -> Value {
        let Some(start) = result.rows[path.row] else { return Value::Null };
        let mut at = (std::sync::Arc::clone(&result.tables[path.row]), start);
        for step in &path.steps {
            match self.step(&at.0, at.1, *step) {
                Some(next) => at = next,
                None => return Value::Null,
            }
        }
        self.readable(&at.0, at.1, path.column)
    }

    fn step(&self, table: &Table, row: &Row, step: Step) -> Option<(std::sync::Arc<Table>, &'w Row)> {
        let Value::Lookup(target, id) = self.readable(table, row, step.lookup) else { return None };
        let target_table = table_of(target);
        let next = self.find(&target_table, id)?;
        (target == step.target && self.reaches(&target_table, next)).then_some((target_table, next))
    }

    fn readable(&self, table: &Table, row: &Row, column: custodia_schema::ColumnId) -> Value {
        if self.reads(table, row, column) { raw(table, row, column) } else { Value::Null }
    }

    /// Whether the caller may read a column of a row.
    pub(super) fn reads(&self, table: &Table, row: &Row, column: custodia_schema::ColumnId) -> bool {
        let shared = self.policy.shared_columns(table);
        let needs = shared.iter().find(|shared| shared.column == column).map(|shared| &shared.needs);
        self.policy.reads_column(table, column)
            && needs.is_none_or(|needs| {
                needs.iter().all(|need| {
                    let name = &table.column_by_id(need.column).unwrap().name;
                    self.world.is_shared(&table.name, self.id(table, row), name, need.user)
                })
            })
    }

    fn is_related(&self, table: &Table, row: &Row, related: &Related) -> bool {
        match related {
            Related::ByLookup { lookup, parent, parent_table } => {
                self.readable(table, row, *lookup) == Value::Lookup(*parent_table, *parent)
            }
            Related::ByLink { .. } => panic!("not asked"),
        }
    }

    fn holds(&self, result: &Combination<'w>, filter: &Filter) -> bool {
        match filter {
            Filter::True => true,
            Filter::False => false,
            Filter::And(all) => all.iter().all(|filter| self.holds(result, filter)),
            Filter::Or(all) => all.iter().any(|filter| self.holds(result, filter)),
            Filter::Not(inner) => !self.holds(result, inner),
            Filter::IsNull(path) => self.value(result, path).is_null(),
            Filter::In { path, values } => {
                let held = self.value(result, path);
                values.iter().any(|value| compare(&held, value) == Some(Ordering::Equal))
            }
            Filter::Compare { path, operator, value } => test(&self.value(result, path), *operator, value),
            Filter::CompareColumns { left, operator, right } => {
                // Column against column compares ids only.
                test(&bare(self.value(result, left)), *operator, &bare(self.value(result, right)))
            }
            Filter::Like { path, pattern } => match self.value(result, path) {
                Value::Text(text) => pattern.matches(&fold(&text)),
                _ => false,
            },
            Filter::InPeriod { path, calendar, zone, period } => local_day(&self.value(result, path), zone)
                .is_some_and(|day| date_part(day, DatePart::FiscalPeriod(*calendar)) == i64::from(*period)),
            Filter::Hierarchy { path, table, parent, of, direction, inclusive } => {
                let table = table_of(*table);
                let named = match self.value(result, path) {
                    Value::Lookup(target, id) if target == table.id => id,
                    Value::Guid(id) => id,
                    _ => return false,
                };
                let up = |id: Guid| {
                    let row = self.find(&table, id)?;
                    match self.readable(&table, row, *parent) {
                        Value::Lookup(target, above) if target == table.id => Some(above),
                        _ => None,
                    }
                };
                let leads = |from: Guid, to: Guid| {
                    let mut at = from;
                    (0..100).any(|_| match up(at) {
                        Some(above) => {
                            at = above;
                            at == to
                        }
                        None => false,
                    })
                };
                if named == *of {
                    return *inclusive;
                }
                match direction {
                    Direction::Under => leads(named, *of),
                    Direction::Above => leads(*of, named),
                }
            }
            Filter::Exists(exists) => {
                let near = self.value(result, &exists.near);
                let near_table = exists.near.steps.last().map_or_else(
                    || std::sync::Arc::clone(&result.tables[exists.near.row]),
                    |step| table_of(step.target),
                );
                let table = table_of(exists.table);
                let partners = self
                    .rows(&table)
                    .iter()
                    .filter(|row| self.reaches(&table, row))
                    .filter(|row| {
                        let far = self.readable(&table, row, exists.far);
                        is_partner((&near_table, exists.near.column, &near), (&table, exists.far, &far))
                    })
                    .collect();
                let beyond = self.linked(&table, partners, &exists.links);
                beyond.iter().any(|result| self.holds(result, &exists.filter))
            }
            Filter::ContainsAny { .. } => panic!("not asked"),
        }
    }

    fn shown(&self, result: &Combination<'w>, query: &Query) -> Vec<Value> {
        let (tables, rows) = (&result.tables, &result.rows);
        let mut values: Vec<Value> = query.fields.iter().map(|field| self.field(&tables[0], rows[0], *field)).collect();
        for (at, link) in query.links.iter().enumerate() {
            values.extend(link.fields.iter().map(|field| self.field(&tables[at + 1], rows[at + 1], *field)));
        }
        self.expanded(&tables[0], rows[0], &query.expand, &mut values);
        values
    }

    fn expanded(&self, table: &Table, row: Option<&Row>, expand: &[Expand], values: &mut Vec<Value>) {
        for entry in expand {
            let Expand::One { step, fields, expand, .. } = entry else { panic!("not asked") };
            let target = table_of(step.target);
            let related = row.and_then(|row| self.step(table, row, *step)).map(|(_, row)| row);
            values.extend(fields.iter().map(|field| self.field(&target, related, *field)));
            self.expanded(&target, related, expand, values);
        }
    }

    fn field(&self, table: &Table, row: Option<&Row>, field: Field) -> Value {
        let Some(row) = row else { return Value::Null };
        match field {
            Field::Column(column) => match self.readable(table, row, column) {
                Value::Integer(number) => Value::BigInt(i64::from(number)),
                Value::Lookup(_, id) => Value::Guid(id),
                other => other,
            },
            Field::TargetTable(lookup) => match self.readable(table, row, lookup) {
                Value::Lookup(target, _) => Value::BigInt(i64::from(target.0)),
                _ => Value::Null,
            },
            Field::TargetName(lookup) => self.name_of(&self.readable(table, row, lookup)),
            Field::Children(lookup) => {
                let id = self.id(table, row);
                let children = self
                    .rows(table)
                    .iter()
                    .filter(|child| self.reaches(table, child))
                    .filter(|child| self.readable(table, child, lookup) == Value::Lookup(table.id, id));
                Value::BigInt(i64::try_from(children.count()).unwrap())
            }
        }
    }
}

/// Whether two columns hold the same; a lookup of several tables only matches the id of a row of the table it points into.
fn is_partner(near: (&Table, ColumnId, &Value), far: (&Table, ColumnId, &Value)) -> bool {
    let kind = |table: &Table, column| table.column_by_id(column).unwrap().kind.clone();
    let varies = kind(near.0, near.1).is_polymorphic() || kind(far.0, far.1).is_polymorphic();
    let of_row = |(table, column, value): (&Table, ColumnId, &Value)| match value {
        Value::Guid(id) if column == table.primary_id => Value::Lookup(table.id, *id),
        other => other.clone(),
    };
    let (near, far) = (of_row(near), of_row(far));
    if varies {
        compare(&near, &far) == Some(Ordering::Equal)
    } else {
        compare(&bare(near), &bare(far)) == Some(Ordering::Equal)
    }
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

/// How values sort ascending.
pub(super) fn nulls_first(left: &Value, right: &Value) -> Ordering {
    compare(left, right).unwrap_or_else(|| left.is_null().cmp(&right.is_null()).reverse())
}

/// Year, month and day of a day since 1970, found by going through the years and months.
fn civil(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day.div_euclid(366);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let new_year = |year: i64| {
        let before = year - 1;
        365 * year + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_527
    };
    while new_year(year + 1) <= day {
        year += 1;
    }
    while new_year(year) > day {
        year -= 1;
    }
    let mut rest = day - new_year(year);
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

/// The day of a value in local time, within the years that the engines know.
pub(super) fn local_day(value: &Value, zone: &Zone) -> Option<i64> {
    match value {
        Value::Date(day) => Some(i64::from(*day).clamp(-718_797, 2_932_896)),
        Value::DateTime(second) => {
            let second = (*second).clamp(-718_797 * 86_400, 2_932_896 * 86_400 - 1);
            Some((second + i64::from(zone.ahead_at(second))).div_euclid(86_400))
        }
        _ => None,
    }
}

/// A part of a day's date.
pub(super) fn date_part(day: i64, part: DatePart) -> i64 {
    let (year, month, of_month) = civil(day);
    // The last day on which a fiscal year began.
    let begins = |fiscal: Fiscal, day: i64| {
        let (_, month, of_month) = civil(day);
        month == i64::from(fiscal.month) && of_month == i64::from(fiscal.day)
    };
    let began = |fiscal: Fiscal| (0..367).map(|back| day - back).find(|day| begins(fiscal, *day)).unwrap();
    match part {
        DatePart::Day => of_month,
        DatePart::Month => month,
        DatePart::Year => year,
        DatePart::Quarter => (month - 1) / 3 + 1,
        DatePart::Week => {
            // Sundays since 1 January; 4 January 1970 was one.
            let first = (0..366).map(|back| day - back).find(|day| matches!(civil(*day), (_, 1, 1))).unwrap();
            1 + (first + 1..=day).filter(|day| (day - 3).rem_euclid(7) == 0).count() as i64
        }
        DatePart::FiscalPeriod(fiscal) => {
            let (began, months) = (began(fiscal), |count: i64| {
                // So many monthly steps since the year began.
                let steps =
                    (began(fiscal) + 1..=day).filter(|day| civil(*day).2 == i64::from(fiscal.day)).count() as i64;
                steps / count + 1
            });
            match fiscal.periods {
                FiscalPeriods::Annually => 1,
                FiscalPeriods::Semiannually => months(6),
                FiscalPeriods::Quarterly => months(3),
                FiscalPeriods::Monthly => months(1),
                FiscalPeriods::FourWeeks => ((day - began) / 28 + 1).min(13),
            }
        }
        DatePart::FiscalYear(fiscal) => {
            let began = began(fiscal);
            let next = (began + 1..).find(|day| begins(fiscal, *day)).unwrap();
            if fiscal.named_by_start { civil(began).0 } else { civil(next - 1).0 }
        }
    }
}

fn table_of(id: TableId) -> std::sync::Arc<Table> {
    std::sync::Arc::clone(schema().table(id).unwrap())
}

/// What is stored, whoever asks.
fn raw(table: &Table, row: &Row, column: custodia_schema::ColumnId) -> Value {
    let name = table.column_by_id(column).unwrap().name.as_str();
    row.get(name).cloned().unwrap_or(Value::Null)
}

/// The id alone, for links compared with links.
fn bare(value: Value) -> Value {
    value.guid().map_or(value, Value::Guid)
}

/// False on null, but for "not equal". Only equality asks which table a link points into.
fn test(held: &Value, operator: Comparison, value: &Value) -> bool {
    let order = match operator {
        Comparison::Equal | Comparison::NotEqual => compare(held, value),
        _ => compare(&bare(held.clone()), &bare(value.clone())),
    };
    match operator {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// How two values of one type compare; nothing where either is null. Two nulls sort alike.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Text(left), Value::Text(right)) => fold(left).as_bytes().cmp(fold(right).as_bytes()),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Decimal(left), Value::Decimal(right)) => left.cmp(right),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right).unwrap(),
        (Value::Money(left), Value::Money(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        // A literal that names a table matches links into that table only; ids alone sort.
        (Value::Lookup(left_table, left), Value::Lookup(right_table, right))
            if left == right && left_table != right_table =>
        {
            return None;
        }
        (left, right) => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.guid().unwrap().as_bytes().cmp(right.guid().unwrap().as_bytes()),
        },
    })
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::from(*number)),
        Value::BigInt(number) => Some(*number),
        _ => None,
    }
}
