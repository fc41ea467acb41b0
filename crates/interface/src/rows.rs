//! The program's forms, views and navigation as the records that they are in an organisation.

use custodia_schema::{ColumnId, Guid, Schema, Table, Value};

use crate::form_xml::write_form;
use crate::identity::definition_id;
use crate::layout_xml::write_layout;
use crate::model::{Form, FormKind, View, ViewKind};
use crate::site_map::write_navigation;
use crate::standard::standard;

/// A record that a table begins with: its id and its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct InitialRow {
    /// Its id, the same in every organisation.
    pub id: Guid,
    /// Its values, without the id.
    pub values: Vec<(ColumnId, Value)>,
}

/// The records that a table begins with: those of the tables of forms, views and site maps; other tables begin empty.
/// `ismanaged` says that nobody changed a record since.
#[must_use]
pub fn initial_rows(schema: &Schema, table: &Table) -> Vec<InitialRow> {
    let described = standard();
    match table.name.as_str() {
        "systemform" => described.forms.iter().filter_map(|form| form_row(schema, table, form)).collect(),
        "savedquery" => described.views.iter().filter_map(|view| view_row(schema, table, view)).collect(),
        "sitemap" => {
            let id = definition_id("sitemap", "", "default");
            let values = [
                ("sitemapidunique", Value::Guid(id)),
                ("sitemapname", text("Default")),
                ("sitemapnameunique", text("default")),
                ("sitemapxml", Value::Text(write_navigation(&described.navigation))),
                ("isappaware", Value::Boolean(false)),
                ("enablecollapsiblegroups", Value::Boolean(false)),
                ("showhome", Value::Boolean(true)),
                ("showpinned", Value::Boolean(true)),
                ("showrecents", Value::Boolean(true)),
            ];
            vec![row(table, id, &values)]
        }
        _ => Vec::new(),
    }
}

fn form_row(schema: &Schema, table: &Table, form: &Form) -> Option<InitialRow> {
    let of = schema.table_named(&form.table)?;
    let values = [
        ("name", text(&form.name)),
        ("objecttypecode", text(&form.table)),
        ("type", Value::Integer(form.kind.code())),
        ("formactivationstate", Value::Integer(1)),
        ("formpresentation", Value::Integer(0)),
        ("formidunique", Value::Guid(form.id)),
        ("formxml", Value::Text(write_form(of, form))),
        ("formjson", Value::Text(serde_json::to_string(form).ok()?)),
        ("isdefault", Value::Boolean(form.kind == FormKind::Main)),
        ("isdesktopenabled", Value::Boolean(true)),
        ("istabletenabled", Value::Boolean(true)),
        ("isairmerged", Value::Boolean(false)),
        ("version", Value::Integer(1)),
    ];
    Some(row(table, form.id, &values))
}

fn view_row(schema: &Schema, table: &Table, view: &View) -> Option<InitialRow> {
    let of = schema.table_named(&view.table)?;
    let values = [
        ("name", text(&view.name)),
        ("returnedtypecode", text(&view.table)),
        ("querytype", Value::Integer(view.kind.code())),
        ("savedqueryidunique", Value::Guid(view.id)),
        ("fetchxml", text(&view.fetch_xml)),
        ("layoutxml", Value::Text(write_layout(of, view))),
        ("isdefault", Value::Boolean(view.default)),
        ("isquickfindquery", Value::Boolean(view.kind == ViewKind::QuickFind)),
        ("iscustom", Value::Boolean(false)),
        ("isuserdefined", Value::Boolean(false)),
        ("isprivate", Value::Boolean(false)),
        ("enablecrosspartition", Value::Boolean(false)),
        ("statecode", Value::Integer(0)),
        ("statuscode", Value::Integer(1)),
    ];
    Some(row(table, view.id, &values))
}

fn row(table: &Table, id: Guid, values: &[(&str, Value)]) -> InitialRow {
    let platform = [
        ("ismanaged", Value::Boolean(true)),
        ("iscustomizable", Value::Boolean(true)),
        ("canbedeleted", Value::Boolean(false)),
        ("componentstate", Value::Integer(0)),
    ];
    let all = values.iter().chain(&platform);
    let stored = all.filter_map(|(name, value)| {
        table.column(name).filter(|column| column.kind.is_stored()).map(|column| (column.id, value.clone()))
    });
    InitialRow { id, values: stored.collect() }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
