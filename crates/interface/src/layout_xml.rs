//! Views as `LayoutXml` beside their FetchXML. What the query means is the query language's matter; here it is only asked
//! which tables it names, for its columns.

use custodia_schema::{Guid, Schema, Table};
use roxmltree::Node;

use crate::error::DefinitionError;
use crate::limits::Limits;
use crate::model::{View, ViewColumn, ViewKind};
use crate::xml::{Purpose, attribute, children, document, flag, is, number, open, root, wrong};

/// The width of a column that says none, and the least and greatest there are, in pixels.
const WIDTH: u32 = 100;
const WIDTHS: (u32, u32) = (60, 600);
/// The greatest width that may be written; it is shown as the greatest there is.
const WIDTH_WRITTEN_MAX: u32 = 10_000;

/// What the record of a view says beside its texts.
#[derive(Clone, Copy, Debug)]
pub struct ViewHead<'h> {
    /// Its id.
    pub id: Guid,
    /// Its table.
    pub table: &'h Table,
    /// What people call it.
    pub name: &'h str,
    /// What it is for.
    pub kind: ViewKind,
    /// The one that is shown at first.
    pub default: bool,
}

/// The texts of a view.
#[derive(Clone, Copy, Debug)]
pub struct ViewTexts<'t> {
    /// Its query.
    pub fetch: &'t str,
    /// Its columns; `None`: those that the query asks for.
    pub layout: Option<&'t str>,
}

/// Reads a view. That its query can be run is for the query language to say.
///
/// # Errors
/// [`DefinitionError`]: one of the texts is not well-formed or too large; for [`Purpose::Check`] also when a column does not
/// exist.
pub fn read_view(
    schema: &Schema,
    head: ViewHead<'_>,
    texts: ViewTexts<'_>,
    purpose: Purpose,
    limits: &Limits,
) -> Result<View, DefinitionError> {
    let fetched = document(texts.fetch.trim(), limits)?;
    let links = links(fetched.root_element());
    let columns = match texts.layout {
        Some(layout) => layout_columns(schema, head.table, &links, layout, purpose, limits)?,
        None => asked_columns(head.table, fetched.root_element()),
    };
    Ok(View {
        id: head.id,
        table: head.table.name.clone(),
        name: head.name.to_owned(),
        kind: head.kind,
        default: head.default,
        fetch_xml: texts.fetch.to_owned(),
        columns,
    })
}

/// The logical names of all tables that a query names.
///
/// # Errors
/// [`DefinitionError`] when it is not well-formed.
pub fn asked_tables(fetch: &str, limits: &Limits) -> Result<Vec<String>, DefinitionError> {
    let document = document(fetch.trim(), limits)?;
    let is_table = |node: &Node<'_, '_>| is(*node, "entity") || is(*node, "link-entity");
    let named = document.descendants().filter(is_table).filter_map(|node| attribute(node, "name"));
    Ok(named.map(str::to_owned).collect())
}

/// The links of a query: alias and table.
fn links(fetch: Node<'_, '_>) -> Vec<(String, String)> {
    let links = fetch.descendants().filter(|node| is(*node, "link-entity"));
    links.filter_map(|link| Some((attribute(link, "alias")?.to_owned(), attribute(link, "name")?.to_owned()))).collect()
}

fn layout_columns(
    schema: &Schema,
    table: &Table,
    links: &[(String, String)],
    text: &str,
    purpose: Purpose,
    limits: &Limits,
) -> Result<Vec<ViewColumn>, DefinitionError> {
    let document = document(text.trim(), limits)?;
    let grid = root(&document, "grid")?;
    let Some(row) = children(grid, "row").next() else {
        return match purpose {
            Purpose::Check => Err(wrong(grid, "the layout has no 'row'")),
            Purpose::Show => Ok(Vec::new()),
        };
    };
    let mut columns = Vec::new();
    for cell in children(row, "cell") {
        let name = attribute(cell, "name").unwrap_or_default();
        let (alias, column) = match name.split_once('.') {
            Some((alias, column)) => (Some(alias), column),
            None => (None, name),
        };
        let of = match alias {
            None => Some(table),
            Some(alias) => {
                let link = links.iter().find(|(known, _)| known == alias);
                link.and_then(|(_, table)| schema.table_named(table)).map(AsRef::as_ref)
            }
        };
        if of.and_then(|of| of.column(column)).is_none() {
            if purpose == Purpose::Show {
                continue;
            }
            let problem = match (alias, of) {
                (Some(alias), None) => format!("the query has no link with the alias '{alias}'"),
                (_, Some(of)) => format!("table '{}' has no column '{column}'", of.name),
                (None, None) => format!("there is no column '{column}'"),
            };
            return Err(wrong(cell, problem));
        }
        columns.push(ViewColumn {
            column: column.to_owned(),
            alias: alias.map(str::to_owned),
            width: number(cell, "width", attribute(cell, "width"), WIDTH, WIDTH_WRITTEN_MAX)?.clamp(WIDTHS.0, WIDTHS.1),
            hidden: flag(cell, "ishidden", false)?,
            sortable: !flag(cell, "disableSorting", false)?,
        });
    }
    if columns.is_empty() && purpose == Purpose::Check {
        return Err(wrong(row, "the layout has no 'cell'"));
    }
    Ok(columns)
}

/// The columns that a query asks for by name, where nothing says how they are laid out.
fn asked_columns(table: &Table, fetch: Node<'_, '_>) -> Vec<ViewColumn> {
    let entity = children(fetch, "entity").next();
    let asked = entity.into_iter().flat_map(|entity| children(entity, "attribute"));
    let known = asked.filter_map(|asked| table.column(attribute(asked, "name")?));
    known
        .filter(|column| column.id != table.primary_id)
        .map(|column| ViewColumn {
            column: column.name.clone(),
            alias: None,
            width: WIDTH,
            hidden: false,
            sortable: true,
        })
        .collect()
}

/// Writes the layout of a view.
#[must_use]
pub fn write_layout(table: &Table, view: &View) -> String {
    let mut out = String::with_capacity(512);
    let name_of = |id| table.column_by_id(id).map_or("", |column| column.name.as_str());
    let jump = table.primary_name.map_or("", name_of);
    let object = table.id.to_string();
    let grid =
        [("name", "resultset"), ("object", &object), ("jump", jump), ("select", "1"), ("icon", "1"), ("preview", "1")];
    open(&mut out, "grid", &grid);
    out.push('>');
    open(&mut out, "row", &[("name", "result"), ("id", name_of(table.primary_id))]);
    out.push('>');
    for column in &view.columns {
        let name = match &column.alias {
            Some(alias) => format!("{alias}.{}", column.column),
            None => column.column.clone(),
        };
        open(&mut out, "cell", &[("name", &name), ("width", &column.width.to_string())]);
        if column.hidden {
            out.push_str(" ishidden=\"1\"");
        }
        if !column.sortable {
            out.push_str(" disableSorting=\"1\"");
        }
        out.push_str("/>");
    }
    out.push_str("</row></grid>");
    out
}

/// Writes the query of a view: `conditions` are column, operator and values, of which all must hold; `find` are the columns
/// that a search looks into; `order` are columns and whether the greatest comes first.
#[must_use]
pub fn write_fetch(
    table: &Table,
    columns: &[ViewColumn],
    conditions: &[(String, String, Vec<String>)],
    find: &[String],
    order: &[(String, bool)],
) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("<fetch version=\"1.0\" mapping=\"logical\">");
    open(&mut out, "entity", &[("name", &table.name)]);
    out.push('>');
    let key = table.column_by_id(table.primary_id).map(|column| column.name.as_str());
    for name in key.into_iter().chain(columns.iter().map(|column| column.column.as_str())) {
        open(&mut out, "attribute", &[("name", name)]);
        out.push_str("/>");
    }
    for (column, descending) in order {
        open(&mut out, "order", &[("attribute", column), ("descending", if *descending { "true" } else { "false" })]);
        out.push_str("/>");
    }
    if !conditions.is_empty() {
        out.push_str("<filter type=\"and\">");
        for (column, operator, values) in conditions {
            condition(&mut out, column, operator, values);
        }
        out.push_str("</filter>");
    }
    if !find.is_empty() {
        out.push_str("<filter type=\"or\" isquickfindfields=\"1\">");
        for column in find {
            condition(&mut out, column, "like", &["{0}".to_owned()]);
        }
        out.push_str("</filter>");
    }
    out.push_str("</entity></fetch>");
    out
}

fn condition(out: &mut String, column: &str, operator: &str, values: &[String]) {
    open(out, "condition", &[("attribute", column), ("operator", operator)]);
    match values {
        [] => out.push_str("/>"),
        [value] => {
            out.push_str(" value=\"");
            crate::xml::escaped(out, value);
            out.push_str("\"/>");
        }
        several => {
            out.push('>');
            for value in several {
                out.push_str("<value>");
                crate::xml::escaped(out, value);
                out.push_str("</value>");
            }
            out.push_str("</condition>");
        }
    }
}
