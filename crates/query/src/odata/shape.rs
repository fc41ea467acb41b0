//! What the answer to a query looks like.

use custodia_schema::{ColumnId, Schema, TableId};

use super::names::{OWNER_ID, property_name};

/// What each record of an answer shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The table of the records.
    pub table: TableId,
    /// What `$select` names, in its order, without repeats; `None` when everything was asked for.
    pub selected: Option<Vec<ColumnId>>,
    /// Whether `$select` also names the id of a user or team as that of an owner.
    pub as_owner: bool,
    /// The columns that the body shows, in order. With a `$select`: what it names, then `transactioncurrencyid` when
    /// an amount of money is among it, then the primary id, each once.
    pub shown: Vec<ColumnId>,
    /// What is expanded: one entry for each entry of [`crate::Query::expand`], in the same order. Where several have
    /// the same name (an owner is a user or a team), the body shows the one that there is.
    pub expand: Vec<ExpandShape>,
}

/// What an expanded navigation shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandShape {
    /// Name of the navigation.
    pub name: String,
    /// A collection, shown as an array; otherwise an object or null.
    pub collection: bool,
    /// Only the address of each related record is shown.
    pub references: bool,
    /// Of a collection: the query options of a request for its records alone, those of parameter aliases left out.
    pub options: Vec<(String, String)>,
    /// What each related record shows.
    pub shape: Shape,
}

impl Shape {
    /// What follows the name of the set in a context URL: `(name,_primarycontactid_value,primarycontactid(fullname))`;
    /// empty when everything was asked for and nothing expanded.
    #[must_use]
    pub fn context(&self, schema: &Schema) -> String {
        let mut text = String::new();
        self.write_context(schema, &mut text);
        text
    }

    fn write_context(&self, schema: &Schema, text: &mut String) {
        if self.selected.is_none() && self.expand.is_empty() {
            return;
        }
        let mut separator = '(';
        if let Some(table) = schema.table(self.table) {
            for column in self.selected.iter().flatten().filter_map(|id| table.column_by_id(*id)) {
                text.push(separator);
                text.push_str(&property_name(column));
                separator = ',';
            }
        }
        if self.as_owner {
            text.push(separator);
            text.push_str(OWNER_ID);
            separator = ',';
        }
        let mut previous = None;
        for expand in &self.expand {
            if previous == Some(expand.name.as_str()) {
                continue;
            }
            previous = Some(&expand.name);
            text.push(separator);
            text.push_str(&expand.name);
            separator = ',';
            if expand.references {
                text.push_str("/$ref");
                continue;
            }
            let before = text.len();
            expand.shape.write_context(schema, text);
            if text.len() == before {
                text.push_str("()");
            }
        }
        if separator == '(' {
            text.push('(');
        }
        text.push(')');
    }
}
