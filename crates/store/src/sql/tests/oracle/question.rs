//! Queries about a world, and what has been asked so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use custodia_query::{
    Aggregation, Comparison, DatePart, Direction, Exists, Expand, Field, Filter, Fiscal, FiscalPeriods, Group, GroupBy,
    LikePattern, Link, LinkKind, Measure, Order, OrderBy, Path, Query, Related, Step, Zone,
};
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

    pub(super) fn check_aggregations(&self) {
        for kind in [
            "part of a date",
            "sum",
            "average",
            "least",
            "greatest",
            "count of values",
            "count of distinct values",
            "several groups",
            "one group",
            "too many rows",
        ] {
            assert!(self.kinds.get(kind).is_some_and(|count| *count >= 20), "'{kind}' is rare: {self:?}");
        }
    }

    /// That amounts at the ends of their type were added up, and refused.
    pub(super) fn check_sums(&self) {
        assert!(self.kinds.get("sum too large").is_some_and(|count| *count >= 5), "{self:?}");
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
            "expand in an expand",
            "name of a lookup",
            "number of children",
            "linked",
            "inner link",
            "outer link",
            "first link",
            "inner link in a branch",
            "column of a linked row",
            "exists",
            "exists with links",
            "hierarchy",
            "fiscal period",
            "distinct",
            "order by label",
            "order by name",
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

/// Columns that rows are linked by.
const LINKS: &[(&str, &str, &str, &str)] = &[
    ("account", "accountid", "contact", "parentcustomerid"),
    ("account", "accountid", "account", "parentaccountid"),
    ("account", "primarycontactid", "contact", "contactid"),
    ("account", "parentaccountid", "account", "accountid"),
    ("account", "ownerid", "systemuser", "systemuserid"),
    ("account", "ownerid", "contact", "ownerid"),
    ("account", "name", "contact", "fullname"),
    ("account", "numberofemployees", "account", "versionnumber"),
    ("contact", "parentcustomerid", "account", "accountid"),
    ("contact", "parentcustomerid", "contact", "contactid"),
    ("contact", "parentcustomerid", "account", "parentaccountid"),
    ("contact", "contactid", "account", "primarycontactid"),
    ("contact", "contactid", "contact", "parentcustomerid"),
    ("contact", "ownerid", "team", "teamid"),
    ("contact", "ownerid", "account", "ownerid"),
    ("contact", "creditlimit", "account", "revenue"),
    ("systemuser", "systemuserid", "account", "ownerid"),
    ("systemuser", "fullname", "contact", "fullname"),
    ("team", "teamid", "contact", "ownerid"),
    ("team", "teamid", "account", "ownerid"),
];

/// The rows that a part of a question may look at: their numbers with their tables.
type Rows = [(usize, &'static str)];

pub(super) fn any(world: &World, numbers: &mut Numbers, seen: &mut Seen) -> Query {
    let of = *numbers.pick(&["account", "contact"]);
    let mut question = query(of, &[]);
    let mut rows = vec![(0, of)];
    if numbers.below(3) == 0 {
        seen.note("linked");
        let count = numbers.below(3) + 1;
        (question.links, rows) = any_links(numbers, seen, of, count, true);
    }
    for _ in 0..numbers.below(6) {
        let name = *numbers.pick(columns(of));
        question.fields.push(Field::Column(column(of, name)));
        if !table(of).column(name).unwrap().kind.targets().is_empty() && name != "owningbusinessunit" {
            seen.note("name of a lookup");
            question.fields.extend([Field::TargetTable(column(of, name)), Field::TargetName(column(of, name))]);
        }
    }
    if numbers.below(6) == 0 {
        seen.note("number of children");
        let lookup = if of == "account" { "parentaccountid" } else { "parentcustomerid" };
        question.fields.push(Field::Children(column(of, lookup)));
    }
    question.filter = any_filter(numbers, seen, &rows, 4);
    question.order = (0..numbers.below(4)).map(|_| any_order(numbers, seen, &rows)).collect();
    if question.order.len() > 1 {
        seen.note("order of two or more");
    }
    question.page_size = *numbers.pick(&[1, 2, 3, 7, 50]);
    if !question.can_seek() && question.page_size < 7 {
        question.page_size = 50;
    }
    if numbers.below(5) == 0 {
        seen.note("top");
        question.top = Some(u32::try_from(numbers.below(9) + 1).unwrap());
    }
    if numbers.below(3) == 0 {
        seen.note("expand");
        question.expand = (0..=numbers.below(2)).map(|_| any_expand(numbers, seen, of, 2)).collect();
    }
    if numbers.below(8) == 0 {
        seen.note("distinct");
        question.distinct = true;
        if numbers.below(2) == 0 {
            question.fields.remove(0);
        }
        if question.fields.is_empty() {
            question.fields.push(Field::Column(column(of, "statecode")));
        }
        // Only what is shown can be sorted by.
        let shown = |row: usize, column| match row {
            0 => question.fields.contains(&Field::Column(column)),
            row => question.links[row - 1].fields.contains(&Field::Column(column)),
        };
        question.order = question
            .order
            .iter()
            .filter(|key| key.path.steps.is_empty() && shown(key.path.row, key.path.column))
            .cloned()
            .collect();
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

/// Links of a table, with all rows that there are then.
fn any_links(
    numbers: &mut Numbers,
    seen: &mut Seen,
    of: &'static str,
    count: u64,
    show: bool,
) -> (Vec<Link>, Vec<(usize, &'static str)>) {
    let mut rows = vec![(0, of)];
    let mut links: Vec<Link> = Vec::new();
    let mut heads: Vec<Option<usize>> = vec![None];
    for _ in 0..count {
        let (from, table_from) = *numbers.pick(&rows);
        let possible: Vec<_> = LINKS.iter().filter(|(name, ..)| *name == table_from).collect();
        let (_, near, to, far) = **numbers.pick(&possible);
        let (kind, word) = *numbers.pick(&[
            (LinkKind::Inner, "inner link"),
            (LinkKind::Outer, "outer link"),
            (LinkKind::First, "first link"),
        ]);
        seen.note(word);
        let number = rows.len();
        let head = if kind == LinkKind::Inner { heads[from] } else { Some(number) };
        if kind == LinkKind::Inner && head.is_some() {
            seen.note("inner link in a branch");
        }
        rows.push((number, to));
        heads.push(head);
        // A branch is joined where its head stands: it may look at what comes before, and at itself.
        let visible: Vec<_> = rows
            .iter()
            .copied()
            .filter(|(row, _)| head.is_none_or(|head| *row < head || heads[*row] == Some(head)))
            .collect();
        let filter = if numbers.below(2) == 0 { any_filter(numbers, seen, &visible, 1) } else { Filter::True };
        let own = [(number, to)];
        let order = match kind {
            LinkKind::First => (0..numbers.below(3)).map(|_| any_order(numbers, seen, &own)).collect(),
            _ => Vec::new(),
        };
        let fields = match show {
            true => {
                let any = |numbers: &mut Numbers| *numbers.pick(columns(to));
                (0..numbers.below(3)).map(|_| Field::Column(column(to, any(numbers)))).collect()
            }
            false => Vec::new(),
        };
        links.push(Link {
            from,
            table: table(to).id,
            near: column(table_from, near),
            far: column(to, far),
            kind,
            filter,
            fields,
            order,
        });
    }
    (links, rows)
}

/// A question about groups of rows.
pub(super) fn any_aggregation(world: &World, numbers: &mut Numbers, seen: &mut Seen) -> Aggregation {
    let mut rows = any(world, numbers, seen);
    (rows.distinct, rows.top, rows.skip) = (false, None, 0);
    let of = *numbers.pick(&["account", "contact"]);
    if rows.table != table(of).id {
        rows = query(of, &[]);
        rows.filter = any_filter(numbers, seen, &[(0, of)], 2);
    }
    let linked: Vec<(usize, &'static str)> = std::iter::once((0, of))
        .chain(rows.links.iter().enumerate().map(|(at, link)| {
            let (name, _) = COLUMNS.iter().find(|(name, _)| table(name).id == link.table).unwrap();
            (at + 1, *name)
        }))
        .collect();
    let mut groups = Vec::new();
    for _ in 0..numbers.below(3) {
        let (path, name) = any_path(numbers, seen, &linked);
        let by = match sort_of(name) {
            "instant" | "date" if numbers.below(4) > 0 => {
                seen.note("part of a date");
                GroupBy::DatePart { part: any_part(numbers), zone: any_zone(numbers) }
            }
            "double" => continue,
            _ => GroupBy::Value,
        };
        groups.push(Group { path, by });
    }
    let mut measures = vec![Measure::Count];
    for _ in 0..numbers.below(4) {
        let (mut path, mut name) = any_path(numbers, seen, &linked);
        if of == "account" && numbers.below(2) == 0 {
            // Numbers have more measures than other columns.
            name = *numbers.pick(&["numberofemployees", "versionnumber", "revenue", "exchangerate"]);
            path = Path::own(column(of, name));
        }
        let (measure, word) = match (numbers.below(6), sort_of(name)) {
            (0, _) => (Measure::CountValues { path, distinct: false }, "count of values"),
            (2, "whole" | "money" | "decimal") if !is_choice(name) => (Measure::Sum(path), "sum"),
            (3, "whole" | "money" | "decimal") if !is_choice(name) => (Measure::Average(path), "average"),
            (4, "whole" | "money" | "decimal" | "instant" | "date") if !is_choice(name) => {
                (Measure::Least(path), "least")
            }
            (5, "whole" | "money" | "decimal" | "instant" | "date") if !is_choice(name) => {
                (Measure::Greatest(path), "greatest")
            }
            (_, "double") => continue,
            _ => (Measure::CountValues { path, distinct: true }, "count of distinct values"),
        };
        seen.note(word);
        measures.push(measure);
    }
    let outputs = groups.len() + measures.len();
    let order = (0..numbers.below(3))
        .map(|_| (usize::try_from(numbers.below(outputs as u64)).unwrap(), numbers.below(2) == 0))
        .collect();
    Aggregation { rows, groups, measures, order, skip: 0, page_size: 5_000, rows_max: 5_000 }
}

fn is_choice(name: &str) -> bool {
    matches!(name, "industrycode" | "statecode")
}

fn any_fiscal(numbers: &mut Numbers) -> Fiscal {
    Fiscal {
        month: u8::try_from(numbers.below(12) + 1).unwrap(),
        day: *numbers.pick(&[1, 1, 2, 15, 28]),
        periods: *numbers.pick(&[
            FiscalPeriods::Annually,
            FiscalPeriods::Semiannually,
            FiscalPeriods::Quarterly,
            FiscalPeriods::Monthly,
            FiscalPeriods::FourWeeks,
        ]),
        named_by_start: numbers.below(2) == 0,
    }
}

fn any_part(numbers: &mut Numbers) -> DatePart {
    match numbers.below(7) {
        0 => DatePart::Day,
        1 => DatePart::Week,
        2 => DatePart::Month,
        3 => DatePart::Quarter,
        4 => DatePart::Year,
        5 => DatePart::FiscalPeriod(any_fiscal(numbers)),
        _ => DatePart::FiscalYear(any_fiscal(numbers)),
    }
}

fn any_zone(numbers: &mut Numbers) -> Arc<Zone> {
    let summers = [(1_711_846_800, 7_200), (1_729_990_800, 3_600), (1_743_296_400, 7_200), (1_761_440_400, 3_600)];
    let changes = summers[..usize::try_from(numbers.below(5)).unwrap()].to_vec();
    let first = *numbers.pick(&[0, 3_600, -39_600, 50_400, 20_700]);
    Arc::new(Zone { first, changes })
}

fn columns(of: &str) -> &'static [&'static str] {
    COLUMNS.iter().find(|(name, _)| *name == of).unwrap().1
}

fn steps(of: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    STEPS.iter().copied().filter(|(from, ..)| *from == of).collect()
}

/// A path and its column's name.
fn any_path(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows) -> (Path, &'static str) {
    let (row, mut at) = *numbers.pick(rows);
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
    if row > 0 {
        seen.note("column of a linked row");
    }
    let name = *numbers.pick(columns(at));
    (Path { row, ..Path::over(taken, column(at, name)) }, name)
}

fn any_order(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows) -> Order {
    let (path, name) = any_path(numbers, seen, rows);
    let descending = numbers.below(2) == 0;
    if !path.steps.is_empty() {
        seen.note("order over a step");
    }
    if descending {
        seen.note("descending");
    }
    let by = match name {
        "industrycode" if numbers.below(2) == 0 => OrderBy::Label([3, 1].into()),
        "statecode" if numbers.below(2) == 0 => OrderBy::Label([1, 0].into()),
        "creditonhold" if numbers.below(2) == 0 => OrderBy::Label([1, 0].into()),
        "ownerid" | "parentcustomerid" | "primarycontactid" | "parentaccountid" if numbers.below(2) == 0 => {
            OrderBy::Name
        }
        _ => OrderBy::Value,
    };
    match by {
        OrderBy::Value => {}
        OrderBy::Label(_) => seen.note("order by label"),
        OrderBy::Name => seen.note("order by name"),
    }
    Order { path, descending, by }
}

fn any_expand(numbers: &mut Numbers, seen: &mut Seen, of: &str, depth: u32) -> Expand {
    let (_, lookup, target) = *numbers.pick(&steps(of));
    let mut fields = vec![Field::Column(table(target).primary_id)];
    for _ in 0..numbers.below(3) {
        let name = *numbers.pick(columns(target));
        fields.push(Field::Column(column(target, name)));
    }
    if target != "systemuser" && target != "team" {
        fields.push(Field::TargetName(column(target, "ownerid")));
    }
    let mut expand = Vec::new();
    if depth > 0 && !steps(target).is_empty() && numbers.below(3) == 0 {
        seen.note("expand in an expand");
        expand.push(any_expand(numbers, seen, target, depth - 1));
    }
    let step = Step { lookup: column(of, lookup), target: table(target).id };
    Expand::One { name: format!("{lookup}_{target}"), step, fields, expand }
}

fn any_filter(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows, depth: u32) -> Filter {
    if depth > 0 {
        let several = |numbers: &mut Numbers, seen: &mut Seen| -> Vec<Filter> {
            (0..*numbers.pick(&[0, 1, 2, 2, 3, 3])).map(|_| any_filter(numbers, seen, rows, depth - 1)).collect()
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
                return Filter::Not(Box::new(any_filter(numbers, seen, rows, depth - 1)));
            }
            6 => return Filter::True,
            _ => {}
        }
    }
    any_leaf(numbers, seen, rows, depth)
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

fn any_exists(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows, depth: u32) -> Option<Filter> {
    let (path, _) = any_path(numbers, seen, rows);
    let from = path.steps.last().map_or(rows.iter().find(|(row, _)| *row == path.row)?.1, |step| {
        COLUMNS.iter().find(|(name, _)| table(name).id == step.target).unwrap().0
    });
    let possible: Vec<_> = LINKS.iter().filter(|(of, ..)| *of == from).collect();
    let (_, near, to, far) = **numbers.pick(&possible);
    seen.note("exists");
    let near = Path { column: column(from, near), ..path };
    let (links, beyond) = if numbers.below(3) == 0 {
        seen.note("exists with links");
        let count = numbers.below(2) + 1;
        any_links(numbers, seen, to, count, false)
    } else {
        (Vec::new(), vec![(0, to)])
    };
    let filter = any_filter(numbers, seen, &beyond, depth.saturating_sub(1).min(2));
    Some(Filter::Exists(Box::new(Exists { near, table: table(to).id, far: column(to, far), links, filter })))
}

fn any_hierarchy(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows) -> Option<Filter> {
    let possible = [
        ("account", "parentaccountid", "account"),
        ("account", "accountid", "account"),
        ("account", "primarycontactid", "contact"),
        ("contact", "parentcustomerid", "account"),
        ("contact", "parentcustomerid", "contact"),
        ("contact", "contactid", "contact"),
    ];
    let (row, of) = *numbers.pick(rows);
    let possible: Vec<_> = possible.iter().filter(|(from, ..)| *from == of).collect();
    if possible.is_empty() {
        return None;
    }
    let (_, name, tree) = **numbers.pick(&possible);
    seen.note("hierarchy");
    let parent = if tree == "account" { "parentaccountid" } else { "parentcustomerid" };
    Some(Filter::Hierarchy {
        path: Path::at(row, column(of, name)),
        table: table(tree).id,
        parent: column(tree, parent),
        of: any_set_value(numbers, columns(tree)[0]).guid().unwrap(),
        direction: *numbers.pick(&[Direction::Above, Direction::Under]),
        inclusive: numbers.below(2) == 0,
    })
}

fn any_leaf(numbers: &mut Numbers, seen: &mut Seen, rows: &Rows, depth: u32) -> Filter {
    let special = match numbers.below(12) {
        0 | 1 if depth > 0 => any_exists(numbers, seen, rows, depth),
        2 => any_hierarchy(numbers, seen, rows),
        _ => None,
    };
    if let Some(special) = special {
        return special;
    }
    let (mut path, mut name) = any_path(numbers, seen, rows);
    let is_account = rows.iter().any(|(row, of)| *row == path.row && *of == "account");
    if is_account && path.steps.is_empty() && numbers.below(8) == 0 {
        // Exact numbers have more edges than other types.
        (path.column, name) = (column("account", "exchangerate"), "exchangerate");
    }
    if matches!(sort_of(name), "instant" | "date") && numbers.below(3) == 0 {
        seen.note("fiscal period");
        let period = u32::try_from(numbers.below(14)).unwrap();
        return Filter::InPeriod { path, calendar: any_fiscal(numbers), zone: any_zone(numbers), period };
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
            let (right, other) = any_path(numbers, seen, rows);
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
