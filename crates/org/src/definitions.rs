//! Writing forms, views and site maps: what is stored can be shown, and no table is left without a form.

use std::sync::Arc;

use custodia_interface::{
    Display, FormHead, FormKind, Limits, Purpose, ViewHead, ViewKind, ViewTexts, is_shipped, read_form,
    read_navigation, read_view, well_formed,
};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::Limits as QueryLimits;
use custodia_query::operator::Asker;
use custodia_query::{Filter, Query};
use custodia_schema::{Guid, Table, Value};
use custodia_store::{RowKey, StoredRow};

use crate::create::number;
use crate::error::{Error, Fault, Result};
use crate::model;
use crate::writing::{Draft, Writing, fault};

/// A form's number among the states of `formactivationstate`.
pub(crate) const ACTIVE: i32 = 1;

/// A record of a definition as it will be stand: what is stored, and over it what changes.
struct Next<'n> {
    table: &'n Table,
    stored: Option<&'n StoredRow>,
    changes: &'n Draft,
}

impl<'n> Next<'n> {
    fn get(&self, name: &str) -> Option<&'n Value> {
        let column = self.table.column(name)?;
        let value = self.changes.get(column.id).or_else(|| self.stored.map(|stored| stored.get(column.id)))?;
        Some(value).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<&'n str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether one of these columns is given anew.
    fn changes(&self, names: &[&str]) -> bool {
        let column = |name: &&str| self.table.column(name).is_some_and(|column| self.changes.contains(column.id));
        self.stored.is_none() || names.iter().any(column)
    }

    fn fault(&self, column: &str, kind: Fault, why: impl Into<String>) -> Error {
        match self.table.column(column) {
            Some(column) => fault(self.table, column, kind, why),
            None => Error::Invalid(why.into()),
        }
    }
}

impl Writing<'_> {
    /// Checks a form, view or site map that is about to be made, and fills what the platform says of it.
    pub(crate) async fn before_definition_create(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        row: &mut Draft,
    ) -> Result<()> {
        let unique = match table.name.as_str() {
            "systemform" => "formidunique",
            "savedquery" => "savedqueryidunique",
            _ => "sitemapidunique",
        };
        row.stamp(table, unique, Value::Guid(id));
        row.stamp(table, "ismanaged", Value::Boolean(false));
        row.stamp(table, "componentstate", Value::Integer(0));
        row.stamp_absent(table, "canbedeleted", Value::Boolean(true));
        row.stamp_absent(table, "iscustomizable", Value::Boolean(true));
        row.stamp(table, "iscustom", Value::Boolean(true));
        row.stamp(table, "isuserdefined", Value::Boolean(true));
        self.settle_definition(table, id, None, row).await
    }

    /// The same before one is changed: from then on it is the organisation's own, and no newer program changes it.
    pub(crate) async fn before_definition_update(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        changes: &mut Draft,
    ) -> Result<()> {
        changes.stamp(table, "ismanaged", Value::Boolean(false));
        self.settle_definition(table, stored.id, Some(stored), changes).await
    }

    /// Refuses to remove what the program brings along, and the form that everybody falls back on.
    pub(crate) async fn before_definition_delete(&mut self, table: &Arc<Table>, stored: &StoredRow) -> Result<()> {
        if is_shipped(stored.id) {
            return Err(Error::Invalid(format!(
                "'{}' comes with the program and cannot be deleted; deactivate it instead, or change it",
                stored_name(table, stored)
            )));
        }
        if table.name != "systemform" {
            return Ok(());
        }
        let none = Draft::default();
        let next = Next { table, stored: Some(stored), changes: &none };
        let is_main = number(next.get("type")) == Some(FormKind::Main.code());
        let is_active = number(next.get("formactivationstate")) == Some(ACTIVE);
        match next.text("objecttypecode").map(str::to_owned) {
            Some(of) if is_main && is_active => self.keep_fallback(&of, stored.id, None).await,
            _ => Ok(()),
        }
    }

    async fn settle_definition(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        stored: Option<&StoredRow>,
        changes: &mut Draft,
    ) -> Result<()> {
        match table.name.as_str() {
            "systemform" => self.settle_form(table, id, stored, changes).await,
            "savedquery" | "userquery" => self.check_view(&Next { table, stored, changes }, id),
            _ => {
                let next = Next { table, stored, changes };
                let Some(text) = next.text("sitemapxml").filter(|_| next.changes(&["sitemapxml"])) else {
                    return Ok(());
                };
                let read = read_navigation(&self.schema, text, Purpose::Check, &self.definition_limits());
                read.map(drop).map_err(|error| next.fault("sitemapxml", Fault::Type, error.to_string()))
            }
        }
    }

    fn definition_limits(&self) -> Limits {
        self.shared.limits.definitions
    }

    async fn settle_form(
        &mut self,
        table: &Arc<Table>,
        id: Guid,
        stored: Option<&StoredRow>,
        changes: &mut Draft,
    ) -> Result<()> {
        let limits = self.definition_limits();
        let next = Next { table, stored, changes };
        let Some(kind) = number(next.get("type")) else {
            return Err(next.fault("type", Fault::Required, "the type of a form is required: 2 for a main form"));
        };
        let xml = next.text("formxml").unwrap_or_default();
        let Some(kind) = FormKind::of_code(kind) else {
            // A dashboard or another thing that no record is shown in.
            well_formed(xml, &limits).map_err(|error| next.fault("formxml", Fault::Type, error.to_string()))?;
            changes.stamp_absent(table, "formjson", Value::Text("{}".to_owned()));
            return Ok(());
        };
        let of = self.table_of(&next, "objecttypecode")?;
        let head = FormHead { id, table: &of, kind, name: next.text("name").unwrap_or_default() };
        let form = read_form(&self.schema, head, xml, Purpose::Check, &limits);
        let form = form.map_err(|error| next.fault("formxml", Fault::Type, error.to_string()))?;
        let is_active = number(next.get("formactivationstate")) == Some(ACTIVE);
        let (is_new, says_anew) = (next.changes(&["formxml"]), next.changes(&["formxml", "formactivationstate"]));
        let shown_anew = next.changes(&["formxml", "name"]);
        if is_new {
            self.check_roles(&next, &form.display).await?;
        }
        if shown_anew {
            let json = serde_json::to_string(&form).unwrap_or_else(|_| "{}".to_owned());
            changes.stamp(table, "formjson", Value::Text(json));
        }
        let was_active = stored.is_some_and(|stored| {
            let state = table.column("formactivationstate").map(|column| stored.get(column.id));
            number(state) == Some(ACTIVE)
        });
        if is_active && !was_active {
            self.check_forms_left(&of.name, id).await?;
        }
        if kind == FormKind::Main && says_anew {
            self.keep_fallback(&of.name, id, Some(&form.display).filter(|_| is_active)).await?;
        }
        Ok(())
    }

    /// The table that a definition is of.
    fn table_of(&self, next: &Next<'_>, column: &str) -> Result<Arc<Table>> {
        let Some(name) = next.text(column) else {
            return Err(next.fault(column, Fault::Required, "the logical name of a table is required"));
        };
        let found = self.schema.table_named(name).cloned();
        found.ok_or_else(|| next.fault(column, Fault::Target, format!("there is no table '{name}'")))
    }

    /// Forms are bound to roles of the root unit: their copies in other units are the same role.
    async fn check_roles(&mut self, next: &Next<'_>, display: &Display) -> Result<()> {
        let roles = self.table_named("role")?;
        let root = model::column(&roles, "parentrootroleid")?;
        for id in &display.roles {
            let Some(role) = self.find(&roles, &RowKey::Id(*id)).await? else {
                return Err(next.fault("formxml", Fault::Target, format!("DisplayConditions: there is no role {id}")));
            };
            match role.get(root).guid() {
                Some(root) if root != *id => {
                    let why = format!("DisplayConditions: role {id} is a copy; name the role it was made from, {root}");
                    return Err(next.fault("formxml", Fault::Target, why));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Refuses one active form more than a table may have: whoever asks for its forms is told of all of them.
    async fn check_forms_left(&mut self, of: &str, id: Guid) -> Result<()> {
        let forms = self.table_named("systemform")?;
        // Those that come with the program are made with their table.
        self.transaction.need_tables(&[forms.id])?;
        let limit = self.shared.limits.table_forms;
        let active = active_forms(&forms, of, &FormKind::ALL.map(|(kind, _)| kind), limit)?;
        let active = self.platform_ids("count the forms of a table", &active).await?;
        if active.iter().filter(|other| **other != id).count() < limit as usize {
            return Ok(());
        }
        Err(Error::Invalid(format!("table '{of}' has {limit} active forms already; deactivate one first")))
    }

    /// Refuses what would leave a table without an active main form to fall back on: whoever no form is bound to would get
    /// none. `this` is what the form `id` will say of itself if it stays active.
    async fn keep_fallback(&mut self, of: &str, id: Guid, this: Option<&Display>) -> Result<()> {
        if this.is_some_and(|display| display.fallback) {
            return Ok(());
        }
        let forms = self.table_named("systemform")?;
        // Those that come with the program are made with their table.
        self.transaction.need_tables(&[forms.id])?;
        let query = active_forms(&forms, of, &[FormKind::Main], self.shared.limits.table_forms)?;
        let query = query.showing(model::columns(&forms, FORM_COLUMNS)?);
        let rows = self.platform_rows("the forms of a table", &query).await?;
        let limits = self.definition_limits();
        let is_fallback = |row: &Vec<Value>| {
            let other = row.first().and_then(Value::guid).filter(|other| *other != id);
            let (Some(other), Some(Value::Text(xml)), Some(table)) = (other, row.get(3), self.schema.table_named(of))
            else {
                return false;
            };
            let head = FormHead { id: other, table, kind: FormKind::Main, name: "" };
            let form = read_form(&self.schema, head, xml, Purpose::Show, &limits);
            form.is_ok_and(|form| form.display.fallback)
        };
        if rows.iter().any(is_fallback) {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "table '{of}' would be left without an active main form that users fall back on whose roles no form is bound \
             to; set FallbackForm=\"true\" in the DisplayConditions of one of its active main forms first"
        )))
    }

    /// That a view asks its table, that its query can be run and its columns exist.
    fn check_view(&self, next: &Next<'_>, id: Guid) -> Result<()> {
        if !next.changes(&["fetchxml", "layoutxml", "returnedtypecode"]) {
            return Ok(());
        }
        let of = self.table_of(next, "returnedtypecode")?;
        let Some(text) = next.text("fetchxml") else {
            return Err(next.fault("fetchxml", Fault::Required, "a view needs a query in FetchXML"));
        };
        let wrong = |why: String| next.fault("fetchxml", Fault::Type, why);
        let limits = QueryLimits::default();
        let fetch = Fetch::read(text, &limits).map_err(|error| wrong(error.to_string()))?;
        if fetch.table != of.name {
            let why = format!("the query asks table '{}', the view is of '{}'", fetch.table, of.name);
            return Err(wrong(why));
        }
        let asker = Asker::plain(self.transaction.now(), self.acting(), Guid::nil());
        fetch.resolve(&self.schema, &asker, &limits).map_err(|error| wrong(error.to_string()))?;
        if let Some(layout) = next.text("layoutxml") {
            let head = ViewHead { id, table: &of, name: "", kind: ViewKind::Public, default: false };
            let texts = ViewTexts { fetch: text, layout: Some(layout) };
            read_view(&self.schema, head, texts, Purpose::Check, &self.definition_limits())
                .map_err(|error| next.fault("layoutxml", Fault::Type, error.to_string()))?;
        }
        Ok(())
    }
}

/// What is read of a form beside its id.
pub(crate) const FORM_COLUMNS: &[&str] = &["name", "type", "formxml"];

/// The ids of the active forms of a table.
pub(crate) fn active_forms(forms: &Table, of: &str, kinds: &[FormKind], limit: u32) -> Result<Query> {
    let kind = model::column(forms, "type")?;
    let mut query = Query::of(forms, limit);
    query.filter = Filter::And(vec![
        Filter::equal(model::column(forms, "objecttypecode")?, Value::Text(of.to_owned())),
        Filter::equal(model::column(forms, "formactivationstate")?, Value::Integer(ACTIVE)),
        Filter::Or(kinds.iter().map(|wanted| Filter::equal(kind, Value::Integer(wanted.code()))).collect()),
    ]);
    Ok(query)
}

fn stored_name<'s>(table: &Table, stored: &'s StoredRow) -> &'s str {
    let name = table.column("name").or_else(|| table.column("sitemapname"));
    match name.map(|column| stored.get(column.id)) {
        Some(Value::Text(name)) => name,
        _ => "this record",
    }
}
