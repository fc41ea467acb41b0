//! From the cells of a row to the text that a column takes.

use std::borrow::Cow;
use std::collections::HashMap;

use csv::StringRecord;

use crate::export::unguarded;

/// How the text of a cell is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CellForm {
    /// Without the blanks around it.
    #[default]
    Trimmed,
    /// As it is.
    Exact,
    /// As it is, without the mark by which an export keeps spreadsheets from taking it for a formula.
    Guarded,
}

/// The fields of one row, by the numbers that the mapping gives to the columns of the file it names.
#[derive(Clone, Copy)]
pub(super) struct Cells<'r> {
    pub record: &'r StringRecord,
    /// Where in the file each column that the mapping names is.
    pub positions: &'r [usize],
    pub form: CellForm,
}

impl<'r> Cells<'r> {
    /// The text of a cell. A cell that the row lacks is empty.
    pub fn get(&self, column: usize) -> Cow<'r, str> {
        let cell = self.positions.get(column).and_then(|&at| self.record.get(at)).unwrap_or_default();
        match self.form {
            CellForm::Trimmed => Cow::Borrowed(cell.trim()),
            CellForm::Exact => Cow::Borrowed(cell),
            CellForm::Guarded => unguarded(cell),
        }
    }
}

/// A test on a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The column of the file.
    pub column: usize,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Is(Vec<String>),
    IsNot(Vec<String>),
    Empty(bool),
}

impl Condition {
    pub fn holds(&self, cells: Cells<'_>) -> bool {
        let cell = cells.get(self.column);
        match &self.test {
            Test::Is(texts) => texts.iter().any(|text| *text == cell),
            Test::IsNot(texts) => !texts.iter().any(|text| *text == cell),
            Test::Empty(empty) => cell.is_empty() == *empty,
        }
    }
}

/// Where a text comes from and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextRule {
    /// The same for every row.
    Constant(String),
    /// From cells.
    Cells {
        /// Columns of the file.
        columns: Vec<usize>,
        /// What happens to each cell.
        steps: Box<Steps>,
        /// What stands between the cells that are not empty; `None` keeps them apart.
        join: Option<String>,
        prefix: String,
        suffix: String,
    },
}

impl TextRule {
    /// The texts for one row: one, or one for each cell of a rule that keeps them apart. `None` if there is nothing in them.
    pub fn texts(&self, cells: Cells<'_>) -> Option<Vec<String>> {
        match self {
            Self::Constant(text) => Some(vec![text.clone()]),
            Self::Cells { columns, steps, join, prefix, suffix } => {
                let cells: Vec<_> = columns.iter().map(|&column| cells.get(column)).collect();
                let parts: Vec<_> = cells.iter().map(|cell| steps.apply(cell)).collect();
                if parts.iter().all(|part| part.is_empty()) {
                    return None;
                }
                let framed = |text: &str| format!("{prefix}{text}{suffix}");
                Some(match join {
                    None => parts.iter().map(|part| framed(part)).collect(),
                    Some(join) => {
                        let filled: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                        vec![framed(&filled.join(join.as_str()))]
                    }
                })
            }
        }
    }
}

/// What happens to a cell, in this order. Blanks around it are gone already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub split: Option<(String, Part)>,
    pub replace: Vec<(String, String)>,
    pub map: HashMap<String, String>,
    /// For a cell that is not empty and not in `map`; `None` keeps it as it is.
    pub otherwise: Option<String>,
    pub case: Option<Case>,
}

/// Which of the parts of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One, counted from 0.
    FromStart(usize),
    /// One, counted from 0 at the end.
    FromEnd(usize),
    /// All from this one on, with what separates them.
    Rest(usize),
}

impl Part {
    /// Reads `1`, `-1` or `2..`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(first) = text.strip_suffix("..") {
            return first.parse::<usize>().ok()?.checked_sub(1).map(Self::Rest);
        }
        match text.parse::<isize>().ok()? {
            0 => None,
            number if number > 0 => number.unsigned_abs().checked_sub(1).map(Self::FromStart),
            number => number.unsigned_abs().checked_sub(1).map(Self::FromEnd),
        }
    }

    fn of<'t>(self, text: &'t str, separator: &str) -> &'t str {
        let part = match self {
            Self::FromStart(at) => text.split(separator).nth(at),
            Self::FromEnd(at) => text.rsplit(separator).nth(at),
            Self::Rest(at) => text.splitn(at + 1, separator).nth(at),
        };
        part.unwrap_or_default().trim()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
}

impl Steps {
    fn apply<'t>(&self, cell: &'t str) -> Cow<'t, str> {
        let mut text = match &self.split {
            Some((separator, part)) => Cow::Borrowed(part.of(cell, separator)),
            None => Cow::Borrowed(cell),
        };
        for (from, to) in &self.replace {
            if text.contains(from.as_str()) {
                text = Cow::Owned(text.replace(from.as_str(), to));
            }
        }
        match (self.map.get(text.as_ref()), &self.otherwise) {
            (Some(to), _) => text = Cow::Owned(to.clone()),
            (None, Some(otherwise)) if !text.is_empty() => text = Cow::Owned(otherwise.clone()),
            _ => {}
        }
        match self.case {
            None => text,
            Some(Case::Lower) => Cow::Owned(text.to_lowercase()),
            Some(Case::Upper) => Cow::Owned(text.to_uppercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn cells(fields: &[&str]) -> StringRecord {
        StringRecord::from(fields.to_vec())
    }

    #[track_caller]
    fn check(steps: Steps, cell: &str, expected: &str) {
        assert_eq!(steps.apply(cell), expected);
    }

    fn split(separator: &str, part: &str) -> Steps {
        Steps { split: Some((separator.to_owned(), Part::parse(part).unwrap())), ..Steps::default() }
    }

    #[test]
    fn parts_of_a_cell() {
        check(split(",", "1"), "Saint Paul, Minnesota", "Saint Paul");
        check(split(",", "2"), "Saint Paul, Minnesota", "Minnesota");
        check(split(",", "3"), "Saint Paul, Minnesota", "");
        check(split(",", "2.."), "Warmley, Bristol, United Kingdom", "Bristol, United Kingdom");
        check(split(",", "-1"), "Warmley, Bristol, United Kingdom", "United Kingdom");
        check(split(",", "-2"), "none", "");
        check(split(" ", "2.."), "Anna", "");
    }

    #[test]
    fn a_part_is_counted_from_one() {
        for faulty in ["0", "0..", "x", "", "..", "-0", "1..2"] {
            assert_eq!(Part::parse(faulty), None, "{faulty}");
        }
    }

    #[test]
    fn steps_follow_each_other() {
        let map = HashMap::from([("GTXPro".to_owned(), "GTX Pro".to_owned())]);
        check(Steps { map: map.clone(), ..Steps::default() }, "GTXPro", "GTX Pro");
        check(Steps { map: map.clone(), ..Steps::default() }, "GTXPro ", "GTXPro ");
        let otherwise = Some("other".to_owned());
        check(Steps { map: map.clone(), otherwise: otherwise.clone(), ..Steps::default() }, "MG", "other");
        check(Steps { map, otherwise, ..Steps::default() }, "", "");
        let replace = vec![(" ".to_owned(), ".".to_owned())];
        check(Steps { replace, case: Some(Case::Lower), ..Steps::default() }, "Mei-Mei JOHNS", "mei-mei.johns");
    }

    #[test]
    fn cells_join_without_the_empty_ones() {
        let rule = |join: Option<&str>| TextRule::Cells {
            columns: vec![0, 1],
            steps: Box::default(),
            join: join.map(str::to_owned),
            prefix: "<".to_owned(),
            suffix: ">".to_owned(),
        };
        let texts = |rule: TextRule, fields: &[&str]| {
            rule.texts(Cells { record: &cells(fields), positions: &[2, 0], form: CellForm::Trimmed })
        };
        assert_eq!(texts(rule(Some(" for ")), &["Cancity", "x", " GTX "]), Some(vec!["<GTX for Cancity>".to_owned()]));
        assert_eq!(texts(rule(Some(" for ")), &["", "x", "GTX"]), Some(vec!["<GTX>".to_owned()]));
        assert_eq!(texts(rule(None), &["Cancity", "x", "GTX"]), Some(vec!["<GTX>".to_owned(), "<Cancity>".to_owned()]));
        assert_eq!(texts(rule(Some(" for ")), &[" ", "x", ""]), None);
        assert_eq!(texts(rule(None), &["Cancity"]), Some(vec!["<>".to_owned(), "<Cancity>".to_owned()]));
    }

    #[test]
    fn conditions_look_at_one_cell() {
        let record = cells(&[" Won ", ""]);
        let cells = Cells { record: &record, positions: &[0, 1], form: CellForm::Trimmed };
        let holds = |column, test| Condition { column, test }.holds(cells);
        assert!(holds(0, Test::Is(vec!["Lost".to_owned(), "Won".to_owned()])));
        assert!(!holds(0, Test::Is(vec!["won".to_owned()])));
        assert!(!holds(0, Test::IsNot(vec!["Won".to_owned()])));
        assert!(holds(1, Test::IsNot(vec!["Won".to_owned()])));
        assert!(holds(1, Test::Empty(true)) && holds(0, Test::Empty(false)) && !holds(0, Test::Empty(true)));
    }
}
