//! Queries about a world, and what has been asked so far.

use std::collections::BTreeMap;

use custodia_query::{Comparison, Expand, Field, Filter, LikePattern, Order, Path, Query, Related, Step};
use custodia_schema::{Decimal, Value};

use super::super::{Numbers, column, query, table};
use super::world::{COLUMNS, World, any_set_value};

/// What was met, to show that the cases that matter were among those tried.
#[derive(Default, Debug)]
pub(super) struct Seen {
    pub(super) ties: u64,
    pub(super) null_ties: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub(super) fn note(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(super) fn check(&self) {
        for kind in [
            "equal",
            "not equal",
            "less",
            "less or equal",
            "greater",
            "greater or equal",
            "columns",
            "null",
            "in",
            "like",
            "not",
            "and",
            "or",
            "one step",
            "two steps",
            "accent",
            "64-bit edge",
            "long decimal",
            "expand",
            "name of a lookup",
            "order over a step",
            "order of two or more",
            "descending",
            "top",
            "children",
            "no row",
            "some rows",
            "all rows",
        ] {
            assert!(self.kinds.get(kind).is_some_and(|count| *count >= 30), "'{kind}' is rare: {self:?}");
        }
        assert!(self.ties > 500 && self.null_ties > 500, "{self:?}");
    }
}

const STEPS: &[(&str, &str, &str)] = &[
    ("account", "primarycontactid", "contact"),
    ("account", "parentaccountid", "account"),
    ("account", "ownerid", "systemuser"),
    ("account", "ownerid", "team"),
    ("contact", "parentcustomerid", "account"),
    ("contact", "parentcustomerid", "contact"),
    ("contact", "ownerid", "team"),
];

pub(super) fn any(world: &World, numbers: &mut Numbers, seen: &mut Seen) -> Query {
    let of = *numbers.pick(&["account", "contact"]);
    let mut question = query(of, &[]);
    for _ in 0..numbers.below(6) {
        let name = *numbers.pick(columns(of));
        question.fields.push(Field::Column(column(of, name)));
        if !table(of).column(name).unwrap().kind.targets().is_empty() && name != "owningbusinessunit" {
            seen.note("name of a lookup");
            question.fields.extend([Field::TargetTable(column(of, name)), Field::TargetName(column(of, name))]);
        }
    }
    question.filter = any_filter(numbers, seen, of, 4);
    question.order = (0..numbers.below(4)).map(|_| any_order(numbers, seen, of)).collect();
    if question.order.len() > 1 {
        seen.note("order of two or more");
    }
    question.page_size = *numbers.pick(&[1, 2, 3, 7, 50]);
    if numbers.below(5) == 0 {
        seen.note("top");
        question.top = Some(u32::try_from(numbers.below(9) + 1).unwrap());
    }
    if numbers.below(3) == 0 {
        seen.note("expand");
        question.expand = (0..=numbers.below(2)).map(|_| any_expand(numbers, of)).collect();
    }
    if numbers.below(8) == 0 {
        let (_, lookup, target) = *numbers.pick(&steps(of));
        if let Some(parent) = world.rows.get(target).map(|rows| numbers.pick(rows)) {
            seen.note("children");
            question.related = Some(Related::ByLookup {
                lookup: column(of, lookup),
                parent: parent[columns(target)[0]].guid().unwrap(),
                parent_table: table(target).id,
            });
        }
    }
    question
}

fn columns(of: &str) -> &'static [&'static str] {
    COLUMNS.iter().find(|(name, _)| *name == of).unwrap().1
}

fn steps(of: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    STEPS.iter().copied().filter(|(from, ..)| *from == of).collect()
}

/// A path, the table it ends at and the column's name there.
fn any_path(numbers: &mut Numbers, seen: &mut Seen, of: &'static str) -> (Path, &'static str) {
    let mut at = of;
    let mut taken = Vec::new();
    let wanted = match numbers.below(10) {
        0 => 2,
        1 | 2 => 1,
        _ => 0,
    };
    while taken.len() < wanted {
        let possible = steps(at);
        if possible.is_empty() {
            break;
        }
        let (_, lookup, target) = *numbers.pick(&possible);
        taken.push(Step { lookup: column(at, lookup), target: table(target).id });
        at = target;
    }
    match taken.len() {
        1 => seen.note("one step"),
        2 => seen.note("two steps"),
        _ => {}
    }
    let name = *numbers.pick(columns(at));
    (Path::over(taken, column(at, name)), name)
}

fn any_order(numbers: &mut Numbers, seen: &mut Seen, of: &'static str) -> Order {
    let (path, _) = any_path(numbers, seen, of);
    let descending = numbers.below(2) == 0;
    if !path.steps.is_empty() {
        seen.note("order over a step");
    }
    if descending {
        seen.note("descending");
    }
    Order::by_value(path, descending)
}

fn any_expand(numbers: &mut Numbers, of: &'static str) -> Expand {
    let (_, lookup, target) = *numbers.pick(&steps(of));
    let mut fields = vec![Field::Column(table(target).primary_id)];
    for _ in 0..numbers.below(3) {
        let name = *numbers.pick(columns(target));
        fields.push(Field::Column(column(target, name)));
    }
    if target != "systemuser" && target != "team" {
        fields.push(Field::TargetName(column(target, "ownerid")));
    }
    let step = Step { lookup: column(of, lookup), target: table(target).id };
    Expand::One { name: format!("{lookup}_{target}"), step, fields, expand: Vec::new() }
}

fn any_filter(numbers: &mut Numbers, seen: &mut Seen, of: &'static str, depth: u32) -> Filter {
    if depth > 0 {
        let several = |numbers: &mut Numbers, seen: &mut Seen| -> Vec<Filter> {
            (0..*numbers.pick(&[0, 1, 2, 2, 3, 3])).map(|_| any_filter(numbers, seen, of, depth - 1)).collect()
        };
        match numbers.below(10) {
            0 | 1 => {
                seen.note("and");
                return Filter::And(several(numbers, seen));
            }
            2 | 3 => {
                seen.note("or");
                return Filter::Or(several(numbers, seen));
            }
            4 | 5 => {
                seen.note("not");
                return Filter::Not(Box::new(any_filter(numbers, seen, of, depth - 1)));
            }
            6 => return Filter::True,
            _ => {}
        }
    }
    any_leaf(numbers, seen, of)
}

fn any_operator(numbers: &mut Numbers, seen: &mut Seen) -> Comparison {
    let (operator, kind) = *numbers.pick(&[
        (Comparison::Equal, "equal"),
        (Comparison::NotEqual, "not equal"),
        (Comparison::Less, "less"),
        (Comparison::LessOrEqual, "less or equal"),
        (Comparison::Greater, "greater"),
        (Comparison::GreaterOrEqual, "greater or equal"),
    ]);
    seen.note(kind);
    operator
}

fn any_leaf(numbers: &mut Numbers, seen: &mut Seen, of: &'static str) -> Filter {
    let (mut path, mut name) = any_path(numbers, seen, of);
    if of == "account" && path.steps.is_empty() && numbers.below(8) == 0 {
        // Exact numbers have more edges than other types.
        (path.column, name) = (column(of, "exchangerate"), "exchangerate");
    }
    let literal = any_literal(numbers, seen, name);
    match numbers.below(10) {
        0 => {
            seen.note("null");
            Filter::IsNull(path)
        }
        1 | 2 => {
            seen.note("in");
            let values = (0..numbers.below(4)).map(|_| any_literal(numbers, seen, name)).collect();
            Filter::In { path, values }
        }
        3 => {
            let (right, other) = any_path(numbers, seen, of);
            if sort_of(name) != sort_of(other) {
                return Filter::IsNull(path);
            }
            seen.note("columns");
            Filter::CompareColumns { left: path, operator: any_operator(numbers, seen), right }
        }
        4 | 5 => match literal {
            Value::Text(text) => {
                seen.note("like");
                Filter::Like { path, pattern: any_pattern(numbers, &text) }
            }
            value => Filter::Compare { path, operator: any_operator(numbers, seen), value },
        },
        _ => Filter::Compare { path, operator: any_operator(numbers, seen), value: literal },
    }
}

/// Columns of the same sort can be compared with each other.
fn sort_of(name: &str) -> &'static str {
    match name {
        "numberofemployees" | "industrycode" | "statecode" | "versionnumber" => "whole",
        "revenue" | "creditlimit" => "money",
        "exchangerate" => "decimal",
        "address1_latitude" => "double",
        "creditonhold" => "boolean",
        "createdon" => "instant",
        "anniversary" => "date",
        name if name.ends_with("id") || name == "owningbusinessunit" => "id",
        _ => "text",
    }
}

fn any_literal(numbers: &mut Numbers, seen: &mut Seen, name: &str) -> Value {
    let value = any_set_value(numbers, name);
    match &value {
        Value::Text(text) if !text.is_ascii() => seen.note("accent"),
        Value::BigInt(i64::MIN | i64::MAX) => seen.note("64-bit edge"),
        Value::Money(money) if money.0 == i64::MIN || money.0 == i64::MAX => seen.note("64-bit edge"),
        _ => {}
    }
    match (value, numbers.below(3)) {
        (Value::Decimal(number), 0) => {
            seen.note("long decimal");
            Value::Decimal(number + Decimal::new(numbers.below(3) as i64 - 1, 14))
        }
        (Value::Lookup(_, id), 0) => Value::Guid(id),
        // What fits no 32-bit column is still an answerable question about one.
        (Value::Integer(_), 0) => Value::BigInt(*numbers.pick(&[i64::MIN, i64::MAX, 1 << 31, 0])),
        (value, _) => value,
    }
}

fn any_pattern(numbers: &mut Numbers, text: &str) -> LikePattern {
    match numbers.below(5) {
        0 => LikePattern::starts_with(text),
        1 => LikePattern::ends_with(text),
        2 => LikePattern::contains(text),
        3 => LikePattern::parse(&format!("{text}%[a-f]_")),
        _ => LikePattern::parse(&format!("%[^{text}]%")),
    }
}
