//! The mapping file by which an import brings an exported file back.

use std::fmt::Write as _;

use custodia_schema::{Column, ColumnKind, Table, TableId};

use super::column::{NAME, TABLE};
use super::plan::Export;
use crate::import::columns::check_settable;

/// Tables of which every organisation has records of its own: links to them are found by name, others by id.
const FOUND_BY_NAME: &[&str] = &["systemuser", "team", "businessunit", "transactioncurrency"];

/// The column that says when a record was made, and the one by which an import says it.
const CREATED: (&str, &str) = ("createdon", "overriddencreatedon");

impl Export {
    /// A mapping file that brings the exported file into an organisation, the records with the ids they have.
    #[must_use]
    pub fn mapping(&self) -> String {
        let mut kept = Vec::new();
        let mut lines = String::new();
        let creation = self.creation();
        for column in self.columns.iter().filter(|column| column.id != self.table.primary_id) {
            if creation.is_some() && column.name == CREATED.1 {
                continue;
            }
            match check_settable(&self.table, column) {
                Ok(()) => lines.push_str(&self.rule(column)),
                Err(_) => kept.push(column.name.as_str()),
            }
        }
        if let Some(column) = creation {
            let _infallible = writeln!(lines, "{} = \"{column}\"", CREATED.1);
        }
        let cells = if self.style.raw { "exact" } else { "guarded" };
        let table = &self.table.name;
        let primary = self.columns.first().map_or("", |column| column.name.as_str());
        let mut text = String::from(
            "# Brings a file of `custodia export` back: custodia import --org NAME --map THIS FILE.csv\n\
             # Links to users, teams, units and currencies are found by name, others by id: import what is pointed at first.\n",
        );
        if !kept.is_empty() {
            let _infallible = writeln!(text, "# The platform keeps these itself: {}.", kept.join(", "));
        }
        let _infallible = write!(
            text,
            "name = \"export-{}\"\ntable = \"{table}\"\nid = \"{primary}\"\ncells = \"{cells}\"\nempty = \"clear\"\n\n[columns]\n{lines}",
            table.replace('_', "-")
        );
        text
    }

    /// The column of the file by which an import says when a record was made.
    fn creation(&self) -> Option<&'static str> {
        let overridden = self.table.column(CREATED.1)?;
        let is_shown = self.columns.iter().any(|column| column.name == CREATED.0);
        (is_shown && check_settable(&self.table, overridden).is_ok()).then_some(CREATED.0)
    }

    fn rule(&self, column: &Column) -> String {
        let name = &column.name;
        let ColumnKind::Lookup { targets, .. } = &column.kind else { return format!("{name} = \"{name}\"\n") };
        let targets: Vec<&Table> = targets.iter().filter_map(|id| self.schema.table(*id)).map(AsRef::as_ref).collect();
        let later = targets.iter().any(|target| self.is_below(target.id) && !is_found_by_name(target));
        let later = if later { ", later = true" } else { "" };
        if let [target] = targets.as_slice() {
            return format!("{name} = {{ {}{later} }}\n", self.way(column, target));
        }
        let mut rule = format!("{name} = [\n");
        for target in &targets {
            let when = format!("when = {{ column = \"{name}{TABLE}\", is = \"{}\" }}", target.name);
            let _infallible = writeln!(rule, "    {{ {}, {when}{later} }},", self.way(column, target));
        }
        // Where the link points nowhere, none of the conditions holds.
        if let Some(first) = targets.first() {
            let _infallible = writeln!(rule, "    {{ {}{later} }},", self.way(column, first));
        }
        rule.push_str("]\n");
        rule
    }

    /// How a link finds its record in a table.
    fn way(&self, column: &Column, target: &Table) -> String {
        let name = &column.name;
        let by_name = target.primary_name.filter(|_| is_found_by_name(target));
        match by_name.and_then(|id| target.column_by_id(id)) {
            Some(by) => {
                format!("from = \"{name}{NAME}\", lookup = {{ table = \"{}\", by = \"{}\" }}", target.name, by.name)
            }
            None => format!("from = \"{name}\", lookup = {{ table = \"{}\", id = true }}", target.name),
        }
    }

    /// Whether records of a table may stand further down in the file.
    fn is_below(&self, table: TableId) -> bool {
        table == self.table.id
    }
}

fn is_found_by_name(table: &Table) -> bool {
    FOUND_BY_NAME.contains(&table.name.as_str())
}
