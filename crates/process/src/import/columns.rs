//! What the columns of the table take: the rules under `columns` of a mapping file.

use std::collections::HashMap;

use custodia_schema::{Column, ColumnKind, DateBehavior, Decimal, Ownership, Table, TableId};
use toml::Spanned;
use toml::de::DeValue;

use super::convert::{Conversion, Number, Options, boolean_words};
use super::date_pattern::DatePattern;
use super::document::{Properties, Result, Text};
use super::error::MappingError;
use super::lookup::{Find, Lookup, is_key_kind};
use super::mapping::{self, Context};
use super::number::NumberFormat;
use super::text::{Case, Condition, Part, Steps, TextRule};

/// Columns that no caller may set, but an import.
pub(super) const IMPORT_ALONE: &[&str] = &["statecode", "statuscode"];

/// What one column of the table takes.
#[derive(Clone, Debug)]
pub(super) struct ColumnRules {
    pub column: Column,
    /// The first whose conditions hold counts.
    pub rules: Vec<Rule>,
    /// Set in a second pass over the files.
    pub later: bool,
}

/// One way to fill a column.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub when: Vec<Condition>,
    pub text: TextRule,
    pub reading: Reading,
    /// A text with nothing in it clears what the record has.
    pub clears: bool,
}

/// How a text becomes what is stored.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    Value(Conversion),
    /// A link, found by this lookup of the mapping.
    Link {
        lookup: usize,
        /// What is not found leaves the column as it is, instead of failing the row.
        may_miss: bool,
    },
}

impl ColumnRules {
    /// Whether its value follows from the row alone.
    pub fn is_of_row_alone(&self) -> bool {
        self.rules.iter().all(|rule| matches!(rule.reading, Reading::Value(_)))
    }
}

/// Reads the rules.
pub(super) fn read<'d>(context: &mut Context<'d>, value: &'d Spanned<DeValue<'d>>) -> Result<Vec<ColumnRules>> {
    let properties = Properties::of(context.document, value, "`columns`")?;
    let mut columns = Vec::new();
    for (name, value) in properties.entries() {
        let table = std::sync::Arc::clone(&context.table);
        let fault = |problem: String| context.document.fault(name.span(), problem);
        let Some(column) = table.column(name.get_ref()) else {
            return Err(fault(format!("`{}` has no column `{}`", table.name, name.get_ref())));
        };
        check_settable(&table, column).map_err(fault)?;
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let mut rules = Vec::with_capacity(values.len());
        let mut later = None;
        for value in values {
            let (rule, rule_later) = rule(context, column, value)?;
            if later.is_some_and(|later| later != rule_later) {
                let problem = "either all rules of a column are `later` or none: it is set in one pass over the file";
                return Err(context.document.fault(value.span(), problem));
            }
            later = Some(rule_later);
            rules.push(rule);
        }
        if rules.is_empty() {
            return Err(context.document.fault(value.span(), "an empty list: give at least one rule"));
        }
        columns.push(ColumnRules { column: column.clone(), rules, later: later.unwrap_or(false) });
    }
    if columns.is_empty() {
        return Err(properties.fault("`columns` is empty: say what the columns of the table take"));
    }
    columns.sort_by_key(|rules| rules.column.id);
    Ok(columns)
}

pub(crate) fn check_settable(table: &Table, column: &Column) -> std::result::Result<(), String> {
    if column.id == table.primary_id {
        return Err(format!("the id of a record follows from `key`: take `{}` out", column.name));
    }
    if !column.kind.is_stored() {
        return Err(format!("`{}` cannot be imported: it is not a plain value", column.name));
    }
    let of_import = IMPORT_ALONE.contains(&column.name.as_str()) || table.ownership == Ownership::Business;
    if !column.creatable && !column.updatable && !of_import {
        let hint = match column.name.as_str() {
            "createdon" => ": use `overriddencreatedon`",
            _ => ", nobody sets it",
        };
        return Err(format!("`{}` is kept by the platform{hint}", column.name));
    }
    Ok(())
}

/// One rule: the name of a column of the file, or a table of properties. Also says whether it is `later`.
fn rule<'d>(context: &mut Context<'d>, column: &Column, value: &'d Spanned<DeValue<'d>>) -> Result<(Rule, bool)> {
    if let DeValue::String(name) = value.get_ref() {
        let source = context.source(&Spanned::new(value.span(), name.clone().into_owned()));
        let reading = Reading::Value(conversion(context, column, None, value)?);
        let text = of_cells(vec![source]);
        return Ok((Rule { when: Vec::new(), text, reading, clears: context.clears }, false));
    }
    let mut properties = Properties::of(context.document, value, "a rule is the name of a column of the file, or")?;
    let when = context.conditions(&mut properties, "when")?;
    let later = properties.flag("later")?.unwrap_or(false);
    let clears = mapping::clears(context.document, properties.text("empty")?)?.unwrap_or(context.clears);
    let texts = texts_of(context, &mut properties)?;
    let reading = match lookup(context, column, &mut properties)? {
        Some(reading) => reading,
        None => Reading::Value(conversion(context, column, Some(&mut properties), value)?),
    };
    let rule = Rule { when, text: texts.text, reading, clears };
    check_cells(&rule, context, &properties)?;
    if let Reading::Value(conversion) = &rule.reading {
        for text in &texts.fixed {
            let read = conversion.read(text.get_ref());
            read.map_err(|why| context.document.fault(text.span(), format!("{}: {why}", column.name)))?;
        }
    }
    properties.finish()?;
    Ok((rule, later))
}

fn of_cells(columns: Vec<usize>) -> TextRule {
    TextRule::Cells { columns, steps: Box::default(), join: None, prefix: String::new(), suffix: String::new() }
}

/// A text rule, and the texts that rows will have whatever is in them: they can be checked at once.
struct Texts {
    text: TextRule,
    fixed: Vec<Text>,
}

fn texts_of(context: &mut Context<'_>, properties: &mut Properties<'_>) -> Result<Texts> {
    let constant = properties.text("value")?;
    let from = properties.texts("from")?;
    let join = properties.text("join")?;
    let separator = properties.text("split")?;
    let part = properties.get("part");
    let replace = properties.pairs("replace")?;
    let map = properties.pairs("map")?;
    let otherwise = properties.text("otherwise")?;
    let case = properties.text("case")?;
    let prefix = properties.text("prefix")?;
    let suffix = properties.text("suffix")?;

    let from = match (constant, from) {
        (Some(_), Some(_)) => return Err(properties.fault("`value` and `from` exclude each other: keep one")),
        (None, None) => {
            let problem =
                "say where the text comes from: `from`, a column of the file, or `value`, the same for all rows";
            return Err(properties.fault(problem));
        }
        (None, Some(from)) => from,
        (Some(constant), None) => {
            let steps = [&join, &separator, &otherwise, &case, &prefix, &suffix];
            if steps.iter().any(|step| step.is_some()) || part.is_some() || replace.is_some() || map.is_some() {
                return Err(properties.fault("a `value` is taken as it is: nothing else happens to it"));
            }
            if constant.get_ref().trim().is_empty() {
                return Err(context.document.fault(constant.span(), "`value` is empty: leave the column out"));
            }
            let text = TextRule::Constant(constant.get_ref().clone());
            return Ok(Texts { text, fixed: vec![constant] });
        }
    };

    let split = match (separator, part) {
        (None, None) => None,
        (Some(separator), Some(part)) if !separator.get_ref().is_empty() => {
            let written = match part.get_ref() {
                DeValue::Integer(number) => number.as_str().to_owned(),
                DeValue::String(text) => text.clone().into_owned(),
                _ => String::new(),
            };
            let problem =
                "`part` is 1, 2, … from the start, -1, -2, … from the end, or \"2..\" for all from the second on";
            let part = Part::parse(&written).ok_or_else(|| context.document.fault(part.span(), problem))?;
            Some((separator.into_inner(), part))
        }
        _ => {
            return Err(
                properties.fault("`split` (what stands between the parts) and `part` (which of them) go together")
            );
        }
    };
    let case = match case {
        None => None,
        Some(case) => Some(match case.get_ref().as_str() {
            "lower" => Case::Lower,
            "upper" => Case::Upper,
            other => {
                let problem = format!("`case` is `lower` or `upper`, not `{other}`");
                return Err(context.document.fault(case.span(), problem));
            }
        }),
    };

    // Texts of a map are what the column will be given, unless something happens to them afterwards.
    let ends_there = from.len() == 1 && case.is_none() && prefix.is_none() && suffix.is_none();
    let mapped = map.iter().flatten().map(|(_, to)| to).chain(&otherwise);
    let fixed = mapped.filter(|to| ends_there && !to.get_ref().is_empty()).cloned().collect();
    if let Some((from, _)) = replace.iter().flatten().find(|(from, _)| from.get_ref().is_empty()) {
        let problem = "`replace` has an empty text: say what is to be replaced";
        return Err(context.document.fault(from.span(), problem));
    }
    let plain = |pairs: Vec<(Text, Text)>| pairs.into_iter().map(|(from, to)| (from.into_inner(), to.into_inner()));
    let steps = Steps {
        split,
        replace: replace.map(|pairs| plain(pairs).collect()).unwrap_or_default(),
        map: map.map(|pairs| plain(pairs).collect::<HashMap<_, _>>()).unwrap_or_default(),
        otherwise: otherwise.map(Text::into_inner),
        case,
    };
    let text = TextRule::Cells {
        columns: from.iter().map(|column| context.source(column)).collect(),
        steps: Box::new(steps),
        join: join.map(Text::into_inner),
        prefix: prefix.map(Text::into_inner).unwrap_or_default(),
        suffix: suffix.map(Text::into_inner).unwrap_or_default(),
    };
    Ok(Texts { text, fixed })
}

/// Several cells that nothing joins are only for lookups that take as many.
fn check_cells(rule: &Rule, context: &Context<'_>, properties: &Properties<'_>) -> Result<()> {
    let TextRule::Cells { columns, join: None, .. } = &rule.text else { return Ok(()) };
    let taken = match &rule.reading {
        Reading::Value(_) => 1,
        Reading::Link { lookup, .. } => match context.lookups.get(*lookup).map(|lookup| &lookup.find) {
            Some(Find::Mapping(_)) => columns.len(),
            Some(Find::Columns(ways)) => ways.first().map_or(1, Vec::len),
            Some(Find::Id) | None => 1,
        },
    };
    if columns.len() == taken {
        return Ok(());
    }
    Err(properties.fault(match taken {
        1 => "several columns need `join`, what stands between them".to_owned(),
        n => format!("the key has {n} columns: `from` names as many columns of the file"),
    }))
}

/// How a text becomes a value of the column. Takes the properties that its type knows.
fn conversion<'d>(
    context: &Context<'d>,
    column: &Column,
    properties: Option<&mut Properties<'d>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Conversion> {
    let fault = |problem: String| context.document.fault(value.span(), problem);
    let mut given = Given { context, properties };
    let conversion = match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::TableName => Conversion::Text,
        ColumnKind::Integer { .. } => Conversion::Integer(given.number()?),
        ColumnKind::BigInt => Conversion::BigInt(given.number()?),
        ColumnKind::Decimal { precision, .. } => Conversion::Decimal { number: given.number()?, precision: *precision },
        ColumnKind::Double { precision, .. } => Conversion::Double { number: given.number()?, precision: *precision },
        ColumnKind::Money { .. } => Conversion::Money(given.number()?),
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Conversion::Boolean(boolean_words(&column.kind)),
        ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            Conversion::Choice(Options::of(&column.kind).ok_or_else(|| fault("it has no options".to_owned()))?)
        }
        ColumnKind::Choices { .. } => {
            let options = Options::of(&column.kind).ok_or_else(|| fault("it has no options".to_owned()))?;
            Conversion::Choices { options, separator: given.text("separator")?.unwrap_or_else(|| ";".to_owned()) }
        }
        ColumnKind::DateTime { behavior, .. } => {
            let (pattern, zone) = given.date()?;
            match behavior {
                DateBehavior::DateOnly => Conversion::Day { pattern, zone },
                DateBehavior::TimeZoneIndependent => Conversion::WallClock(pattern),
                DateBehavior::UserLocal if zone.is_none() && pattern != DatePattern::Iso => {
                    return Err(fault(format!("`{}` is an instant: say the `time_zone` of its texts", column.name)));
                }
                DateBehavior::UserLocal => Conversion::Instant { pattern, zone },
            }
        }
        ColumnKind::Guid => Conversion::Guid,
        ColumnKind::Lookup { .. } => {
            let problem = "say how its record is found: `lookup = { by = \"name\" }`, `lookup = { mapping = \"…\" }`, \
                           `lookup = \"user\"` or `lookup = \"id\"`";
            return Err(fault(format!("`{}` is a link: {problem}", column.name)));
        }
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => {
            return Err(fault(format!("`{}` cannot be imported: it is not a plain value", column.name)));
        }
    };
    Ok(conversion)
}

/// The properties of a rule as far as its type asks for them; a rule that is only a name has none.
struct Given<'c, 'd> {
    context: &'c Context<'d>,
    properties: Option<&'c mut Properties<'d>>,
}

impl Given<'_, '_> {
    fn text_at(&mut self, name: &'static str) -> Result<Option<Text>> {
        match &mut self.properties {
            Some(properties) => properties.text(name),
            None => Ok(None),
        }
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        Ok(self.text_at(name)?.map(Text::into_inner).filter(|text| !text.is_empty()))
    }

    fn number(&mut self) -> Result<Number> {
        let scale = match &mut self.properties {
            Some(properties) => properties.number("scale")?.map(Spanned::into_inner),
            None => None,
        };
        if scale.is_some_and(|scale| scale.is_zero()) {
            return Err(self.fault("`scale` is 0: every number would become 0"));
        }
        let mut format = NumberFormat::default();
        if let Some(mark) = self.mark("decimal_mark")? {
            format.decimal_mark = mark;
        }
        format.group_mark = self.mark("group_mark")?;
        if format.group_mark == Some(format.decimal_mark) {
            return Err(self.fault("`decimal_mark` and `group_mark` are the same: numbers could be read in two ways"));
        }
        Ok(Number { format, scale: scale.unwrap_or(Decimal::ONE) })
    }

    fn mark(&mut self, name: &'static str) -> Result<Option<char>> {
        let Some(mark) = self.text_at(name)? else { return Ok(None) };
        let mut characters = mark.get_ref().chars();
        match (characters.next(), characters.next()) {
            (Some(mark), None) if !mark.is_ascii_alphanumeric() && !matches!(mark, '+' | '-') => Ok(Some(mark)),
            _ => Err(self.context.document.fault(mark.span(), format!("`{name}` is one character such as `.` or `,`"))),
        }
    }

    fn date(&mut self) -> Result<(DatePattern, Option<jiff::tz::TimeZone>)> {
        let pattern = match self.text_at("date")? {
            Some(pattern) => DatePattern::parse(pattern.get_ref())
                .map_err(|problem| self.context.document.fault(pattern.span(), problem))?,
            None => DatePattern::Iso,
        };
        let zone = match self.text_at("time_zone")? {
            Some(name) => Some(mapping::time_zone(self.context.document, &name)?),
            None => self.context.zone.clone(),
        };
        Ok((pattern, zone))
    }

    fn fault(&self, problem: &str) -> MappingError {
        let span = self.properties.as_ref().map_or(0..0, |properties| properties.span.clone());
        self.context.document.fault(span, problem)
    }
}

/// How the record of a link is found; `None` for a column that is no link.
fn lookup<'d>(context: &mut Context<'d>, column: &Column, properties: &mut Properties<'d>) -> Result<Option<Reading>> {
    let targets = column.kind.targets().to_vec();
    if targets.is_empty() {
        return Ok(None);
    }
    let may_miss = match properties.text("missing")? {
        None => false,
        Some(missing) => match missing.get_ref().as_str() {
            "fail" => false,
            "leave" => true,
            other => {
                let problem =
                    format!("`missing` is `fail` (the row fails) or `leave` (the column is left), not `{other}`");
                return Err(context.document.fault(missing.span(), problem));
            }
        },
    };
    let Some(value) = properties.get("lookup") else { return Ok(None) };
    let found = match value.get_ref() {
        DeValue::String(word) if word == "user" => user(context, &targets, value)?,
        DeValue::String(word) if word == "id" => {
            let mut inner = Target { table: None };
            Lookup { table: inner.target(context, &targets, value)?, find: Find::Id, description: "by id".to_owned() }
        }
        DeValue::String(word) => {
            let problem =
                format!("`lookup` is \"user\", \"id\" or a table such as {{ by = \"name\" }}, not \"{word}\"");
            return Err(context.document.fault(value.span(), problem));
        }
        _ => by_properties(context, &targets, value)?,
    };
    let at = match context.lookups.iter().position(|known| *known == found) {
        Some(at) => at,
        None => {
            context.lookups.push(found);
            context.lookups.len() - 1
        }
    };
    Ok(Some(Reading::Link { lookup: at, may_miss }))
}

/// The table a lookup names, if it names one.
struct Target {
    table: Option<Text>,
}

impl Target {
    fn target(&mut self, context: &Context<'_>, targets: &[TableId], value: &Spanned<DeValue<'_>>) -> Result<TableId> {
        let names = || {
            let names =
                targets.iter().filter_map(|id| context.schema.table(*id)).map(|table| format!("`{}`", table.name));
            names.collect::<Vec<_>>().join(", ")
        };
        let Some(name) = &self.table else {
            return match targets {
                &[target] => Ok(target),
                _ => Err(context.document.fault(value.span(), format!("say the `table` of the records: {}", names()))),
            };
        };
        let target = context.schema.table_named(name.get_ref()).map(|table| table.id);
        target.filter(|target| targets.contains(target)).ok_or_else(|| {
            let problem = format!("the column cannot point at `{}`, only at {}", name.get_ref(), names());
            context.document.fault(name.span(), problem)
        })
    }
}

fn user(context: &Context<'_>, targets: &[TableId], value: &Spanned<DeValue<'_>>) -> Result<Lookup> {
    let users = context.schema.table_named("systemuser").filter(|table| targets.contains(&table.id));
    let Some(users) = users else {
        return Err(context.document.fault(value.span(), "the column cannot point at users"));
    };
    let ways = ["domainname", "internalemailaddress", "fullname"];
    let ways = ways.iter().filter_map(|name| users.column(name)).map(|column| vec![column.id]).collect();
    Ok(Lookup {
        table: users.id,
        find: Find::Columns(ways),
        description: "user by domain name, e-mail address or full name".to_owned(),
    })
}

fn by_properties<'d>(
    context: &mut Context<'d>,
    targets: &[TableId],
    value: &'d Spanned<DeValue<'d>>,
) -> Result<Lookup> {
    let mut properties = Properties::of(context.document, value, "`lookup` is \"user\", \"id\" or")?;
    let mut target = Target { table: properties.text("table")? };
    let by = properties.texts("by")?;
    let key = properties.text("key")?;
    let mapping = properties.text("mapping")?;
    let by_id = properties.flag("id")?.unwrap_or(false);
    let ways = [by.is_some(), key.is_some(), mapping.is_some(), by_id];
    if ways.iter().filter(|way| **way).count() != 1 {
        let problem = "a lookup has one of `by` (columns of its table, tried in order), `key` (an alternate key), `mapping` \
                       (the name of the mapping that made the records) and `id = true` (the text is the record's id)";
        return Err(properties.fault(problem));
    }
    let id = target.target(context, targets, value)?;
    let Some(table) = context.schema.table(id) else { return Err(properties.fault("there is no such table")) };
    properties.finish()?;

    if by_id {
        return Ok(Lookup { table: id, find: Find::Id, description: format!("{} by id", table.name) });
    }
    if let Some(mapping) = mapping {
        if !mapping::is_name(mapping.get_ref()) {
            let problem = format!(
                "no mapping is called `{}`: give the `name` in the mapping file of those records, of a to z, 0 to 9 and `-`",
                mapping.get_ref()
            );
            return Err(context.document.fault(mapping.span(), problem));
        }
        let description = format!("{} of the mapping `{}`", table.name, mapping.get_ref());
        return Ok(Lookup { table: id, find: Find::Mapping(mapping::namespace(mapping.get_ref())), description });
    }
    let fault = |text: &Text, problem: String| context.document.fault(text.span(), problem);
    let column_of = |text: &Text, id: custodia_schema::ColumnId| match table.column_by_id(id) {
        Some(column) if is_key_kind(&column.kind) => Ok(column.id),
        Some(column) => {
            Err(fault(text, format!("records cannot be found by `{}`: it is no text, number or GUID", column.name)))
        }
        None => Err(fault(text, format!("`{}` has no such column", table.name))),
    };
    if let Some(name) = key {
        let found = table.keys.iter().find(|key| key.name == *name.get_ref());
        let found = found
            .ok_or_else(|| fault(&name, format!("`{}` is no alternate key of `{}`", name.get_ref(), table.name)))?;
        let columns = found.columns.iter().map(|id| column_of(&name, *id)).collect::<Result<Vec<_>>>()?;
        let description = format!("{} by {}", table.name, name.get_ref());
        return Ok(Lookup { table: id, find: Find::Columns(vec![columns]), description });
    }
    let mut ways = Vec::new();
    let mut names = Vec::new();
    for name in by.iter().flatten() {
        let Some(column) = table.column(name.get_ref()) else {
            return Err(fault(name, format!("`{}` has no column `{}`", table.name, name.get_ref())));
        };
        ways.push(vec![column_of(name, column.id)?]);
        names.push(name.get_ref().as_str());
    }
    let description = format!("{} by {}", table.name, names.join(" or "));
    Ok(Lookup { table: id, find: Find::Columns(ways), description })
}
