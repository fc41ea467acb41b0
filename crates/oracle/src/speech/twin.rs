//! The same question in the other way of speaking: links instead of steps and expansions, and no negation but those that
//! operators have.

use custodia_query::{
    Aggregation, Comparison, Exists, Expand, Field, Filter, Group, Link, LinkKind, Measure, Order, Path, Query, Step,
};
use custodia_schema::{ColumnKind, Schema, TableId};

/// A question whose steps and expanded records are outer links, with the same rows in the same order; `None` where there is
/// no such question: collections are expanded, or rows are ordered by lookups, which links sort by name.
#[must_use]
pub fn linked(schema: &Schema, query: &Query) -> Option<Query> {
    let mut tree = Tree::of(query.links.len())?;
    for entry in &query.expand {
        tree.add_expanded(entry, &[])?;
    }
    query.order.iter().try_for_each(|order| tree.add(&order.path))?;
    tree.add_filter(&query.filter)?;
    let by_name = |order: &Order| {
        let table = order.path.steps.last().map_or(query.table, |step| step.target);
        let column = schema.table(table).and_then(|table| table.column_by_id(order.path.column));
        column.is_none_or(|column| matches!(column.kind, ColumnKind::Lookup { .. }))
    };
    if query.order.iter().any(by_name) {
        return None;
    }
    let order = query.order.iter().map(|order| Some(Order { path: tree.path(&order.path)?, ..order.clone() }));
    Some(Query {
        links: tree.links(schema)?,
        filter: tree.filter(schema, &query.filter, false)?,
        order: order.collect::<Option<_>>()?,
        expand: Vec::new(),
        ..query.clone()
    })
}

/// A question about groups whose steps are outer links.
#[must_use]
pub fn linked_groups(schema: &Schema, question: &Aggregation) -> Option<Aggregation> {
    let mut tree = Tree::of(question.rows.links.len())?;
    question.groups.iter().try_for_each(|group| tree.add(&group.path))?;
    let mut measures = question.measures.clone();
    for path in measures.iter_mut().filter_map(measured) {
        tree.add(path)?;
    }
    tree.add_filter(&question.rows.filter)?;
    for path in measures.iter_mut().filter_map(measured) {
        *path = tree.path(path)?;
    }
    let groups = question.groups.iter().map(|group| Some(Group { path: tree.path(&group.path)?, ..group.clone() }));
    let rows = Query {
        links: tree.links(schema)?,
        filter: tree.filter(schema, &question.rows.filter, false)?,
        ..question.rows.clone()
    };
    Some(Aggregation { rows, groups: groups.collect::<Option<_>>()?, measures, ..question.clone() })
}

fn measured(measure: &mut Measure) -> Option<&mut Path> {
    match measure {
        Measure::Count => None,
        Measure::CountValues { path, .. }
        | Measure::Sum(path)
        | Measure::Average(path)
        | Measure::Least(path)
        | Measure::Greatest(path) => Some(path),
    }
}

/// The rows that steps lead to, each where it comes in the order of elements within each other.
struct Tree {
    /// The row that all steps begin at.
    root: usize,
    /// Ways from there, parents before children, with what is shown at their ends.
    ways: Vec<(Vec<Step>, Vec<Field>)>,
}

impl Tree {
    /// Steps from the queried row; there must be no links yet.
    fn of(links: usize) -> Option<Self> {
        (links == 0).then(|| Self { root: 0, ways: Vec::new() })
    }

    fn add_way(&mut self, way: &[Step]) {
        if way.is_empty() || self.ways.iter().any(|(known, _)| known == way) {
            return;
        }
        let above = way.split_last().map_or(&[][..], |(_, above)| above);
        self.add_way(above);
        // Behind everything that lies below the same row.
        let below = |known: &[Step]| known.starts_with(above);
        let at = match above {
            [] => self.ways.len(),
            _ => self.ways.iter().rposition(|(known, _)| below(known)).map_or(self.ways.len(), |last| last + 1),
        };
        self.ways.insert(at, (way.to_vec(), Vec::new()));
    }

    fn add(&mut self, path: &Path) -> Option<()> {
        if path.row != self.root {
            return None;
        }
        self.add_way(&path.steps);
        Some(())
    }

    fn add_expanded(&mut self, entry: &Expand, above: &[Step]) -> Option<()> {
        let Expand::One { step, fields, expand, .. } = entry else { return None };
        let mut way = above.to_vec();
        way.push(*step);
        if self.ways.iter().any(|(known, _)| *known == way) {
            return None;
        }
        self.add_way(&way);
        self.ways.iter_mut().find(|(known, _)| *known == way)?.1.clone_from(fields);
        expand.iter().try_for_each(|inner| self.add_expanded(inner, &way))
    }

    fn add_filter(&mut self, filter: &Filter) -> Option<()> {
        match filter {
            Filter::True | Filter::False => Some(()),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| self.add_filter(part)),
            Filter::Not(inner) => self.add_filter(inner),
            Filter::Compare { path, .. }
            | Filter::IsNull(path)
            | Filter::In { path, .. }
            | Filter::Like { path, .. }
            | Filter::ContainsAny { path, .. }
            | Filter::InPeriod { path, .. }
            | Filter::Hierarchy { path, .. } => self.add(path),
            Filter::CompareColumns { left, right, .. } => {
                self.add(left)?;
                self.add(right)
            }
            Filter::Exists(exists) => self.add(&exists.near),
        }
    }

    fn row(&self, way: &[Step]) -> Option<usize> {
        match way {
            [] => Some(self.root),
            _ => self.ways.iter().position(|(known, _)| known == way).map(|at| self.root + 1 + at),
        }
    }

    fn path(&self, path: &Path) -> Option<Path> {
        Some(Path::at(self.row(&path.steps)?, path.column))
    }

    fn links(&self, schema: &Schema) -> Option<Vec<Link>> {
        let link = |(way, fields): &(Vec<Step>, Vec<Field>)| {
            let (step, above) = way.split_last()?;
            Some(Link {
                from: self.row(above)?,
                table: step.target,
                near: step.lookup,
                far: key(schema, step.target)?,
                kind: LinkKind::Outer,
                filter: Filter::True,
                fields: fields.clone(),
                order: Vec::new(),
            })
        };
        self.ways.iter().map(link).collect()
    }

    /// The filter, or its complement, on these rows.
    fn filter(&self, schema: &Schema, filter: &Filter, negated: bool) -> Option<Filter> {
        let all = |parts: &[Filter]| {
            parts.iter().map(|part| self.filter(schema, part, negated)).collect::<Option<Vec<Filter>>>()
        };
        let leaf = match filter {
            Filter::True | Filter::False => {
                return Some(if (*filter == Filter::True) == negated { Filter::False } else { Filter::True });
            }
            Filter::And(parts) | Filter::Or(parts) => {
                let is_all = matches!(filter, Filter::And(_)) != negated;
                return Some(if is_all { Filter::And(all(parts)?) } else { Filter::Or(all(parts)?) });
            }
            Filter::Not(inner) => return self.filter(schema, inner, !negated),
            Filter::Compare { path, operator, value } => {
                let path = self.path(path)?;
                let compare = |operator| Filter::Compare { path: path.clone(), operator, value: value.clone() };
                return Some(turned(*operator, negated, &[&path], compare));
            }
            Filter::CompareColumns { left, operator, right } => {
                let (left, right) = (self.path(left)?, self.path(right)?);
                // The queried row has no name: it can only be compared with others.
                let (left, operator, right) = match left.row > 0 && right.row == 0 {
                    true => (right, operator.mirrored(), left),
                    false => (left, *operator, right),
                };
                let compare = |operator| {
                    let compared = Filter::CompareColumns { left: left.clone(), operator, right: right.clone() };
                    if operator != Comparison::NotEqual {
                        return compared;
                    }
                    // Links' columns that are both null are not different.
                    let nulls = vec![Filter::IsNull(left.clone()), Filter::IsNull(right.clone())];
                    let nulls = Filter::And(nulls);
                    let differ = Filter::And(vec![compared, Filter::Not(Box::new(nulls.clone()))]);
                    Filter::Or(vec![differ, nulls])
                };
                return Some(turned(operator, negated, &[&left, &right], compare));
            }
            Filter::IsNull(path) => Filter::IsNull(self.path(path)?),
            Filter::In { path, values } => Filter::In { path: self.path(path)?, values: values.clone() },
            Filter::Like { path, pattern } => Filter::Like { path: self.path(path)?, pattern: pattern.clone() },
            Filter::ContainsAny { path, options } => {
                Filter::ContainsAny { path: self.path(path)?, options: options.clone() }
            }
            Filter::InPeriod { path, calendar, zone, period } => {
                let path = self.path(path)?;
                let in_period = |period| {
                    let (path, zone) = (path.clone(), zone.clone());
                    Filter::InPeriod { path, calendar: *calendar, zone, period }
                };
                if !negated {
                    return Some(in_period(*period));
                }
                let others = (1..=calendar.periods_of_year()).filter(|other| other != period).map(in_period);
                return Some(Filter::Or(std::iter::once(Filter::IsNull(path.clone())).chain(others).collect()));
            }
            Filter::Hierarchy { path, table, parent, of, direction, inclusive } => {
                let path = self.path(path)?;
                let tree = |inclusive| Filter::Hierarchy {
                    path: path.clone(),
                    table: *table,
                    parent: *parent,
                    of: *of,
                    direction: *direction,
                    inclusive,
                };
                if negated && *inclusive {
                    let value = custodia_schema::Value::Guid(*of);
                    let other = Filter::Compare { path: path.clone(), operator: Comparison::NotEqual, value };
                    return Some(Filter::And(vec![Filter::Not(Box::new(tree(false))), other]));
                }
                tree(*inclusive)
            }
            Filter::Exists(exists) => Filter::Exists(Box::new(self.exists(schema, exists)?)),
        };
        Some(if negated { Filter::Not(Box::new(leaf)) } else { leaf })
    }

    fn exists(&self, schema: &Schema, exists: &Exists) -> Option<Exists> {
        // Within an intersect, steps begin behind it.
        let mut within = Self { root: exists.links.len(), ways: Vec::new() };
        within.add_filter(&exists.filter)?;
        let filter = within.filter(schema, &exists.filter, false)?;
        let links = exists.links.iter().cloned().chain(within.links(schema)?).collect();
        Some(Exists { near: self.path(&exists.near)?, links, filter, ..exists.clone() })
    }
}

/// A comparison, or its complement, which holds where one of the columns is null.
fn turned(operator: Comparison, negated: bool, paths: &[&Path], compare: impl Fn(Comparison) -> Filter) -> Filter {
    if !negated {
        return compare(operator);
    }
    let opposite = match operator {
        Comparison::Equal => return compare(Comparison::NotEqual),
        Comparison::NotEqual => return compare(Comparison::Equal),
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    };
    let nulls = paths.iter().map(|path| Filter::IsNull((*path).clone()));
    Filter::Or(std::iter::once(compare(opposite)).chain(nulls).collect())
}

fn key(schema: &Schema, table: TableId) -> Option<custodia_schema::ColumnId> {
    schema.table(table).map(|table| table.primary_id)
}
