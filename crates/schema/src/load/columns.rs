//! The columns of a table file.

use std::collections::HashMap;

use toml::Spanned;

use super::defaults::{Defaults, Layers};
use super::draft::{Draft, check_name};
use super::options::choices;
use super::raw::{self, ChoiceOption, DefaultValue, Kind, Number, Required};
use super::{LoadError, TableIds, pairs};
use crate::{
    Choice, Column, ColumnId, ColumnKind, DateBehavior, Decimal, Label, LookupFlavor, MoneyRole, RequiredLevel,
    StateInfo,
};

/// The longest a text column may be declared, in characters; longer texts are memos.
const TEXT_LENGTH_MAX: u32 = 4_000;
/// The longest a memo column may be declared, in characters.
const MEMO_LENGTH_MAX: u32 = 1_048_576;
/// The most digits after the point of a decimal or floating-point column.
const PRECISION_MAX: u8 = 12;
/// The most digits after the point of a money column: money is kept in ten-thousandths.
const MONEY_PRECISION_MAX: u8 = 4;

/// Reads the columns of a table, in order of their numbers.
pub(super) fn read(
    draft: &Draft<'_>,
    ids: &TableIds,
    defaults: &Defaults,
    option_sets: &HashMap<String, Vec<Choice>>,
) -> Result<Vec<Column>, LoadError> {
    let lines = &draft.file.columns;
    let numbers = number(draft)?;
    let mut columns = Vec::with_capacity(lines.len());
    for line in lines {
        let reader = Reader { draft, line, ids, defaults, option_sets, numbers: &numbers };
        columns.push(reader.column()?);
    }
    pairs::tell_amounts(draft, &mut columns)?;
    pairs::check_states(draft, &columns)?;
    columns.sort_by_key(|column| column.id);
    Ok(columns)
}

/// Each column's number by its name.
fn number<'a>(draft: &'a Draft<'_>) -> Result<HashMap<&'a str, ColumnId>, LoadError> {
    let mut numbers = HashMap::with_capacity(draft.file.columns.len());
    let mut names: HashMap<ColumnId, &str> = HashMap::with_capacity(draft.file.columns.len());
    for line in &draft.file.columns {
        let raw = line.get_ref();
        if raw.name.is_empty() {
            return Err(draft.fault(line, "a column without a name: add name = \"…\""));
        }
        check_name(&draft.source, &line.span(), &raw.name)?;
        let Some(id) = raw.id.filter(|&id| id > 0) else {
            return Err(draft.fault(line, format!("`{}` has no number: add id = the next free number", raw.name)));
        };
        if let Some(other) = names.insert(ColumnId(id), &raw.name) {
            return Err(draft.fault(line, format!("number {id} is already `{other}`'s: take the next free one")));
        }
        if numbers.insert(raw.name.as_str(), ColumnId(id)).is_some() {
            return Err(draft.fault(line, format!("a second column `{}`: rename or remove it", raw.name)));
        }
    }
    Ok(numbers)
}

/// Reads one column.
struct Reader<'r, 'a> {
    draft: &'r Draft<'a>,
    line: &'r Spanned<raw::Column>,
    ids: &'r TableIds,
    defaults: &'r Defaults,
    option_sets: &'r HashMap<String, Vec<Choice>>,
    numbers: &'r HashMap<&'r str, ColumnId>,
}

impl Reader<'_, '_> {
    fn column(&self) -> Result<Column, LoadError> {
        let line = self.line.get_ref();
        let name = &line.name;
        let Some(kind) = line.kind.or_else(|| self.defaults.kind_of(name)) else {
            return Err(self.fault(format!(
                "`{name}` has no kind and is none of the columns every table may have: add kind = \"…\""
            )));
        };
        self.check_properties(kind)?;
        let place = self.draft.place(name);
        let layers = self.defaults.layers(line, kind, place);
        let of_table = self.defaults.of_table(self.draft.name());

        let Some(schema_name) = layers.first(|layer| layer.schema.as_deref()) else {
            return Err(self.fault(format!("`{name}` has no schema name: add schema = \"…\"")));
        };
        if schema_name.to_ascii_lowercase() != *name {
            return Err(self.fault(format!("schema name `{schema_name}` is not `{name}` in mixed case: write it so")));
        }
        let Some(label) = layers.first(|layer| layer.label.as_deref()) else {
            return Err(self.fault(format!("`{name}` has no label: add label = \"…\"")));
        };
        let mut required = layers.first(|layer| layer.required).map_or(RequiredLevel::None, |Required(level)| level);
        if required == RequiredLevel::System && of_table.platform_fills.contains(name) {
            required = RequiredLevel::Application;
        }
        let auto_number =
            layers.first(|layer| layer.auto_number.as_ref()).or_else(|| of_table.auto_numbers.get(name)).cloned();
        let kind = self.kind(kind, &layers)?;
        if auto_number.is_some() && !matches!(kind, ColumnKind::Text { .. }) {
            return Err(self.fault(format!("`{name}` is numbered but not of kind text: remove auto_number")));
        }
        Ok(Column {
            id: self.number(name)?,
            name: name.clone(),
            schema_name: schema_name.to_owned(),
            display_name: Label(label.to_owned()),
            required,
            creatable: layers.switch(|layer| layer.create),
            updatable: layers.switch(|layer| layer.update),
            readable: layers.switch(|layer| layer.read),
            audited: layers.switch(|layer| layer.audited),
            securable: layers.switch(|layer| layer.securable),
            secured: layers.switch(|layer| layer.secured),
            derived_from: self.derived_from(&layers)?,
            typed_by: line.typed_by.as_deref().map(|column| self.number(column)).transpose()?,
            auto_number,
            kind,
        })
    }

    fn kind(&self, kind: Kind, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        Ok(match kind {
            Kind::Text => ColumnKind::Text {
                max_length: self.length(layers, TEXT_LENGTH_MAX)?,
                format: self.need(layers.first(|layer| layer.format?.of_text()), "format")?,
            },
            Kind::Memo => ColumnKind::Memo {
                max_length: self.length(layers, MEMO_LENGTH_MAX)?,
                format: self.need(layers.first(|layer| layer.format?.of_text()), "format")?,
            },
            Kind::Integer => {
                let (min, max) = self.range(layers, |number| match number {
                    Number::Whole(value) => i32::try_from(*value).ok(),
                    Number::Binary(_) | Number::Exact(_) => None,
                })?;
                let format = self.need(layers.first(|layer| layer.format?.of_integer()), "format")?;
                ColumnKind::Integer { min, max, format }
            }
            Kind::BigInt => ColumnKind::BigInt,
            Kind::Decimal => {
                let (min, max) = self.range(layers, exact)?;
                ColumnKind::Decimal { min, max, precision: self.precision(layers, PRECISION_MAX)? }
            }
            Kind::Double => {
                let (min, max) = self.range(layers, |number| match number {
                    Number::Binary(value) if value.is_finite() => Some(*value),
                    Number::Whole(value) => i32::try_from(*value).ok().map(f64::from),
                    Number::Binary(_) | Number::Exact(_) => None,
                })?;
                ColumnKind::Double { min, max, precision: self.precision(layers, PRECISION_MAX)? }
            }
            Kind::Money => self.money(layers)?,
            Kind::Boolean => self.boolean(layers)?,
            Kind::DateTime => {
                let raw::Behavior(behavior) = self.need(layers.first(|layer| layer.behavior), "behavior")?;
                let date_only_format = behavior == DateBehavior::DateOnly || layers.switch(|layer| layer.date_only);
                ColumnKind::DateTime { behavior, date_only_format }
            }
            Kind::Choice => {
                let (options, global) = self.options(layers)?;
                let default = self.option_default(layers, &options)?;
                ColumnKind::Choice { options, default, global }
            }
            Kind::Choices => {
                let (options, global) = self.options(layers)?;
                ColumnKind::Choices { options, global }
            }
            Kind::State => self.state(layers)?,
            Kind::Status => self.status(layers)?,
            Kind::Guid => ColumnKind::Guid,
            Kind::Lookup => self.lookup(layers)?,
            Kind::TableName => ColumnKind::TableName,
            Kind::PartyList => ColumnKind::PartyList,
            Kind::Image => ColumnKind::Image,
            Kind::File => ColumnKind::File,
            Kind::Managed => ColumnKind::Managed,
        })
    }

    fn length(&self, layers: &Layers<'_>, most: u32) -> Result<u32, LoadError> {
        let line = self.line.get_ref();
        let of_table = self.defaults.of_table(self.draft.name()).lengths.get(&line.name).copied();
        let length = line.max_length.or(of_table).or_else(|| layers.first(|layer| layer.max_length));
        let length = self.need(length, "max_length")?;
        if (1..=most).contains(&length) {
            return Ok(length);
        }
        let more = if most == TEXT_LENGTH_MAX { ", or make it a memo" } else { "" };
        Err(self.fault(format!("max_length = {length} is not between 1 and {most}: choose one that is{more}")))
    }

    fn precision(&self, layers: &Layers<'_>, most: u8) -> Result<u8, LoadError> {
        let precision = self.need(layers.first(|layer| layer.precision), "precision")?;
        if precision <= most {
            return Ok(precision);
        }
        Err(self.fault(format!("precision = {precision} is more than the {most} digits kept: choose fewer")))
    }

    fn range<T: PartialOrd>(
        &self,
        layers: &Layers<'_>,
        read: impl Fn(&Number) -> Option<T>,
    ) -> Result<(T, T), LoadError> {
        let bound = |number: Option<&Number>, which: &str| {
            let number = self.need(number, which)?;
            read(number).ok_or_else(|| {
                self.fault(format!(
                    "{which} is not a number of this kind: write integers as 1, doubles as 1.5, decimals and money as \"1.5\""
                ))
            })
        };
        let min = bound(layers.first(|layer| layer.min.as_ref()), "min")?;
        let max = bound(layers.first(|layer| layer.max.as_ref()), "max")?;
        if min <= max {
            return Ok((min, max));
        }
        Err(self.fault("min is greater than max: exchange them"))
    }

    fn money(&self, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        let (min, max) = self.range(layers, exact)?;
        if crate::Money::from_decimal(min).is_none() || crate::Money::from_decimal(max).is_none() {
            return Err(self.fault("the range is wider than money can be: stay within ±922337203685477"));
        }
        let line = self.line.get_ref();
        let role = match &line.base_of {
            Some(amount) => MoneyRole::Base { of: self.number(amount)? },
            None => MoneyRole::Amount { base: None },
        };
        let precision = match role {
            MoneyRole::Base { .. } => line.precision.or_else(|| layers.first(|layer| layer.base_precision)),
            MoneyRole::Amount { .. } => layers.first(|layer| layer.precision),
        };
        let precision = self.need(precision, "precision")?;
        if precision > MONEY_PRECISION_MAX {
            return Err(self.fault(format!(
                "precision = {precision} is more than the {MONEY_PRECISION_MAX} digits money is kept with: choose fewer"
            )));
        }
        Ok(ColumnKind::Money { min, max, precision, role })
    }

    fn boolean(&self, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        let label = |text: Option<&String>, which: &str| self.need(text.cloned().map(Label), which);
        let default = match self.default_value(layers) {
            Some(DefaultValue::Truth(value)) => Some(value),
            Some(DefaultValue::Option(_)) => {
                return Err(self.fault("the default of a boolean is true or false: write one of them"));
            }
            None => None,
        };
        Ok(ColumnKind::Boolean {
            true_label: label(layers.first(|layer| layer.true_label.as_ref()), "true_label")?,
            false_label: label(layers.first(|layer| layer.false_label.as_ref()), "false_label")?,
            default,
        })
    }

    /// The options of a choice: its own, or those of the option set it names.
    fn options(&self, layers: &Layers<'_>) -> Result<(Vec<Choice>, Option<String>), LoadError> {
        let own = layers.first(|layer| layer.options.as_ref());
        let global = layers.first(|layer| layer.global.as_ref());
        match (own, global) {
            (Some(_), Some(_)) => Err(self.fault("both options and global: keep the one that is meant")),
            (None, None) => {
                Err(self.fault("no options: add options = [{ value = …, label = \"…\" }] or global = \"…\""))
            }
            (Some(options), None) => Ok((choices(options).map_err(|problem| self.fault(problem))?, None)),
            (None, Some(name)) => match self.option_sets.get(name) {
                Some(options) => Ok((options.clone(), Some(name.clone()))),
                None => Err(self.fault(format!("there is no option set `{name}`: add it to option-sets.toml"))),
            },
        }
    }

    fn option_default(&self, layers: &Layers<'_>, options: &[Choice]) -> Result<Option<i32>, LoadError> {
        match self.default_value(layers) {
            None => Ok(None),
            Some(DefaultValue::Option(value)) if options.iter().any(|option| option.value == value) => Ok(Some(value)),
            Some(DefaultValue::Option(value)) => {
                Err(self.fault(format!("default = {value} is none of the options: choose one that is")))
            }
            Some(DefaultValue::Truth(_)) => {
                Err(self.fault("the default of a choice is the number of an option: write it"))
            }
        }
    }

    fn default_value(&self, layers: &Layers<'_>) -> Option<DefaultValue> {
        let line = self.line.get_ref();
        let of_table = self.defaults.of_table(self.draft.name());
        line.default
            .or_else(|| of_table.values.get(&line.name).copied())
            .or_else(|| layers.first(|layer| layer.default))
    }

    fn state(&self, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        let raw = self.need(layers.first(|layer| layer.options.as_ref()), "options")?;
        let options = choices(raw).map_err(|problem| self.fault(problem))?;
        let reasons = self.draft.file.columns.iter().map(Spanned::get_ref);
        let reasons =
            reasons.filter(|column| column.kind.or_else(|| self.defaults.kind_of(&column.name)) == Some(Kind::Status));
        let reasons: Vec<&ChoiceOption> = reasons.filter_map(|column| column.options.as_ref()).flatten().collect();
        let chosen = &self.defaults.of_table(self.draft.name()).default_status;
        let mut states = Vec::with_capacity(options.len());
        for (choice, option) in options.into_iter().zip(raw) {
            let of_state =
                || reasons.iter().filter(|reason| reason.state == Some(choice.value)).map(|reason| reason.value);
            let default_status = match option.default_status {
                Some(stated) if of_state().any(|reason| reason == stated) => stated,
                Some(stated) => {
                    return Err(self.fault(format!(
                        "default_status = {stated} is no status reason of state {}: choose one that is",
                        choice.value
                    )));
                }
                None => {
                    let first = of_state().find(|reason| chosen.contains(reason)).or_else(|| of_state().next());
                    first.ok_or_else(|| {
                        self.fault(format!(
                            "state {} has no status reason: add one with state = {} to the status column",
                            choice.value, choice.value
                        ))
                    })?
                }
            };
            states.push(StateInfo { choice, default_status });
        }
        Ok(ColumnKind::State { options: states })
    }

    fn status(&self, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        let raw = self.need(layers.first(|layer| layer.options.as_ref()), "options")?;
        let options = choices(raw).map_err(|problem| self.fault(problem))?;
        let mut reasons = Vec::with_capacity(options.len());
        for (choice, option) in options.into_iter().zip(raw) {
            let Some(state) = option.state else {
                return Err(
                    self.fault(format!("status reason {} belongs to no state: add state = NUMBER", choice.value))
                );
            };
            reasons.push((choice, state));
        }
        Ok(ColumnKind::Status { options: reasons })
    }

    fn lookup(&self, layers: &Layers<'_>) -> Result<ColumnKind, LoadError> {
        let names = self.need(layers.first(|layer| layer.targets.as_ref()), "targets")?;
        let mut targets = Vec::with_capacity(names.len());
        for name in names {
            let Some(&id) = self.ids.get(name) else {
                return Err(self.fault(format!("there is no table `{name}`: add its file or take the target out")));
            };
            if targets.contains(&id) {
                return Err(self.fault(format!("target `{name}` stands twice: take one out")));
            }
            targets.push(id);
        }
        if targets.is_empty() {
            return Err(self.fault("a lookup without targets: name at least one, or make it kind = \"guid\""));
        }
        let flavor = layers.first(|layer| layer.flavor).map_or(LookupFlavor::Simple, |raw::Flavor(flavor)| flavor);
        Ok(ColumnKind::Lookup { targets, flavor })
    }

    fn derived_from(&self, layers: &Layers<'_>) -> Result<Vec<ColumnId>, LoadError> {
        let line = self.line.get_ref();
        let sources = layers.first(|layer| layer.derived_from.as_ref()).into_iter().flatten();
        let mut ids = Vec::new();
        for source in line.base_of.iter().chain(sources) {
            if *source == line.name {
                return Err(self.fault(format!("`{source}` cannot be derived from itself: take it out")));
            }
            let id = self.number(source)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Refuses properties that mean nothing for the kind.
    fn check_properties(&self, kind: Kind) -> Result<(), LoadError> {
        let line = self.line.get_ref();
        let text = matches!(kind, Kind::Text | Kind::Memo);
        let range = matches!(kind, Kind::Integer | Kind::Decimal | Kind::Double | Kind::Money);
        let pointed = matches!(kind, Kind::Decimal | Kind::Double | Kind::Money);
        let listed = matches!(kind, Kind::Choice | Kind::Choices | Kind::State | Kind::Status);
        let of_state = |property: fn(&ChoiceOption) -> bool| line.options.iter().flatten().any(property);
        let format = match line.format {
            Some(format) if text => format.of_text().is_some(),
            Some(format) if kind == Kind::Integer => format.of_integer().is_some(),
            Some(_) => false,
            None => true,
        };
        let misplaced = [
            ("max_length", line.max_length.is_some() && !text),
            ("format", !format),
            ("min", line.min.is_some() && !range),
            ("max", line.max.is_some() && !range),
            ("precision", line.precision.is_some() && !pointed),
            ("base_precision", line.base_precision.is_some()),
            ("base_of", line.base_of.is_some() && kind != Kind::Money),
            ("true_label", line.true_label.is_some() && kind != Kind::Boolean),
            ("false_label", line.false_label.is_some() && kind != Kind::Boolean),
            ("default", line.default.is_some() && !matches!(kind, Kind::Boolean | Kind::Choice)),
            ("behavior", line.behavior.is_some() && kind != Kind::DateTime),
            ("date_only", line.date_only.is_some() && kind != Kind::DateTime),
            ("targets", line.targets.is_some() && kind != Kind::Lookup),
            ("flavor", line.flavor.is_some() && kind != Kind::Lookup),
            ("typed_by", line.typed_by.is_some() && kind != Kind::Guid),
            ("global", line.global.is_some() && !matches!(kind, Kind::Choice | Kind::Choices)),
            ("options", line.options.is_some() && !listed),
            ("state", of_state(|option| option.state.is_some()) && kind != Kind::Status),
            ("default_status", of_state(|option| option.default_status.is_some()) && kind != Kind::State),
        ];
        match misplaced.iter().find(|(_, wrong)| *wrong) {
            Some((property, _)) => Err(self.fault(format!(
                "`{}` is of kind {kind:?}, for which {property} means nothing there: take it out or change the kind",
                line.name
            ))),
            None => Ok(()),
        }
    }

    fn number(&self, name: &str) -> Result<ColumnId, LoadError> {
        let id = self.numbers.get(name).copied();
        id.ok_or_else(|| self.fault(format!("there is no column `{name}`: add it or correct the name")))
    }

    fn need<T>(&self, value: Option<T>, property: &str) -> Result<T, LoadError> {
        value.ok_or_else(|| self.fault(format!("`{}` has no {property}: add {property} = …", self.line.get_ref().name)))
    }

    fn fault(&self, problem: impl Into<String>) -> LoadError {
        self.draft.fault(self.line, problem)
    }
}

/// An exact number.
fn exact(number: &Number) -> Option<Decimal> {
    match number {
        Number::Whole(value) => Some(Decimal::from(*value)),
        Number::Exact(text) => text.parse().ok(),
        Number::Binary(_) => None,
    }
}

/// Whether a column is the table's owner.
pub(super) fn is_owner(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Lookup { flavor: LookupFlavor::Owner, .. })
}
