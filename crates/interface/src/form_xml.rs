//! Forms as `FormXml`.
//!
//! Read is the subset that is drawn: tabs, columns, sections, rows, cells and their controls, header and footer, whom the
//! form is for. Everything else stays in the text, which is stored as it was written. What a control is follows from the
//! column it is bound to; only a control without a column is known by its class.

use std::fmt::Write;

use custodia_schema::{Column, ColumnKind, Guid, Schema, Table, TextFormat};
use roxmltree::Node;

use crate::display::Display;
use crate::error::DefinitionError;
use crate::limits::Limits;
use crate::model::{Cell, Control, Form, FormKind, Section, Tab, TabColumn};
use crate::xml::{Purpose, attribute, below, children, document, flag, is, number, open, root, said, switch, wrong};

/// The classes of controls that are bound to no column, without braces and in lower case.
const SUBGRID: &str = "e7a81278-8635-4d9e-8d4d-59480b391c5b";
const TIMELINE: &str = "06375649-c143-495e-a496-c962e5b4488e";
const QUICK_VIEW: &str = "5c5600e0-1d6e-4205-a272-be80da87fd42";

/// Cells side by side in a section at most.
const CELLS_MAX: u32 = 4;
/// Rows of a sub-grid's page at most.
const SUBGRID_ROWS_MAX: u32 = 250;
/// Rows of a sub-grid's page where none are said.
const SUBGRID_ROWS: u32 = 4;
/// The language of labels, as long as there is one only.
const LANGUAGE: &str = "1033";

/// What the record of a form says beside its XML.
#[derive(Clone, Copy, Debug)]
pub struct FormHead<'h> {
    /// Its id.
    pub id: Guid,
    /// Its table.
    pub table: &'h Table,
    /// What it is for.
    pub kind: FormKind,
    /// What people call it.
    pub name: &'h str,
}

/// Reads a form.
///
/// # Errors
/// [`DefinitionError`]: it is not well-formed, has a document type, is too large or nested too deeply; for
/// [`Purpose::Check`] also when it names a column, table or relationship that there is not.
pub fn read_form(
    schema: &Schema,
    head: FormHead<'_>,
    text: &str,
    purpose: Purpose,
    limits: &Limits,
) -> Result<Form, DefinitionError> {
    let document = document(text, limits)?;
    let form = root(&document, "form")?;
    let reader = Reader { schema, table: head.table, purpose };
    let mut tabs = Vec::new();
    for tab in below(form, "tabs", "tab") {
        tabs.push(reader.tab(tab)?);
    }
    if tabs.is_empty() && purpose == Purpose::Check {
        return Err(wrong(form, "the form has no tab; expected 'tabs' with at least one 'tab'"));
    }
    let display = match (head.kind, children(form, "DisplayConditions").next()) {
        (FormKind::Main, Some(conditions)) => display(conditions)?,
        _ => Display::default(),
    };
    Ok(Form {
        id: head.id,
        table: head.table.name.clone(),
        kind: head.kind,
        name: head.name.to_owned(),
        display,
        header: reader.strip(form, "header")?,
        tabs,
        footer: reader.strip(form, "footer")?,
    })
}

/// Whom a form is for.
fn display(conditions: Node<'_, '_>) -> Result<Display, DefinitionError> {
    let mut display = Display {
        everyone: false,
        roles: Vec::new(),
        order: number(conditions, "Order", attribute(conditions, "Order"), u32::MAX, u32::MAX)?,
        fallback: flag(conditions, "FallbackForm", false)?,
    };
    for condition in conditions.children().filter(Node::is_element) {
        if is(condition, "Everyone") {
            display.everyone = true;
        } else if is(condition, "Role") {
            let id = attribute(condition, "Id").unwrap_or_default();
            let role = Guid::try_parse(id);
            let role = role.map_err(|_| wrong(condition, format!("'Id' is '{id}'; expected the GUID of a role")))?;
            if !display.roles.contains(&role) {
                display.roles.push(role);
            }
        } else {
            let name = condition.tag_name().name();
            return Err(wrong(condition, format!("'{name}' is no display condition; expected 'Everyone' or 'Role'")));
        }
    }
    Ok(display)
}

struct Reader<'r> {
    schema: &'r Schema,
    table: &'r Table,
    purpose: Purpose,
}

impl Reader<'_> {
    fn tab(&self, tab: Node<'_, '_>) -> Result<Tab, DefinitionError> {
        let mut columns = Vec::new();
        for column in below(tab, "columns", "column") {
            let mut sections = Vec::new();
            for section in below(column, "sections", "section") {
                sections.push(self.section(section)?);
            }
            let width = attribute(column, "width").map(|width| width.trim_end_matches('%'));
            columns.push(TabColumn { width: number(column, "width", width, 100, 100)?, sections });
        }
        let label = label(tab);
        Ok(Tab {
            name: name_of(tab),
            label: label.unwrap_or_default(),
            visible: flag(tab, "visible", true)?,
            expanded: flag(tab, "expanded", true)?,
            columns,
        })
    }

    fn section(&self, section: Node<'_, '_>) -> Result<Section, DefinitionError> {
        // As many digits as there are cells side by side; older forms have the number itself.
        let columns = match attribute(section, "columns") {
            Some(ones) if !ones.is_empty() && ones.bytes().all(|digit| digit == b'1') => {
                u32::try_from(ones.len()).unwrap_or(u32::MAX)
            }
            other => number(section, "columns", other, 1, CELLS_MAX)?,
        };
        if columns == 0 || columns > CELLS_MAX {
            return Err(wrong(section, format!("the section has {columns} columns; 1 to {CELLS_MAX} are possible")));
        }
        Ok(Section {
            name: name_of(section),
            label: label(section).unwrap_or_default(),
            show_label: flag(section, "showlabel", true)?,
            columns,
            visible: flag(section, "visible", true)?,
            rows: self.rows(section)?,
        })
    }

    fn rows(&self, parent: Node<'_, '_>) -> Result<Vec<Vec<Cell>>, DefinitionError> {
        let mut rows = Vec::new();
        for row in below(parent, "rows", "row") {
            let mut cells = Vec::new();
            for cell in children(row, "cell") {
                cells.extend(self.cell(cell)?);
            }
            if !cells.is_empty() {
                rows.push(cells);
            }
        }
        Ok(rows)
    }

    /// Header or footer: their cells one after the other.
    fn strip(&self, form: Node<'_, '_>, name: &'static str) -> Result<Vec<Cell>, DefinitionError> {
        let mut cells = Vec::new();
        for strip in children(form, name) {
            cells.extend(self.rows(strip)?.into_iter().flatten());
        }
        cells.retain(|cell| cell.control != Control::Spacer);
        Ok(cells)
    }

    /// A cell; `None` when it holds what there is not.
    fn cell(&self, cell: Node<'_, '_>) -> Result<Option<Cell>, DefinitionError> {
        let control = match children(cell, "control").next() {
            Some(control) => match self.control(control)? {
                Some(control) => control,
                None => return Ok(None),
            },
            None => Control::Spacer,
        };
        Ok(Some(Cell {
            label: label(cell),
            span: number(cell, "colspan", attribute(cell, "colspan"), 1, CELLS_MAX)?.max(1),
            rows: number(cell, "rowspan", attribute(cell, "rowspan"), 1, SUBGRID_ROWS_MAX)?.max(1),
            visible: flag(cell, "visible", true)?,
            locked: number(cell, "locklevel", attribute(cell, "locklevel"), 0, 1)? == 1,
            control,
        }))
    }

    fn control(&self, control: Node<'_, '_>) -> Result<Option<Control>, DefinitionError> {
        let class = attribute(control, "classid").unwrap_or_default();
        let class = class.trim_matches(['{', '}']).to_ascii_lowercase();
        let bound = attribute(control, "datafieldname");
        if let Some(name) = bound {
            let name = name.to_ascii_lowercase();
            return match self.table.column(&name) {
                Some(_) if class == QUICK_VIEW => Ok(Some(Control::QuickView { column: name })),
                Some(_) => Ok(Some(Control::Field { column: name, read_only: flag(control, "disabled", false)? })),
                None => self.missing(control, format!("table '{}' has no column '{name}'", self.table.name)),
            };
        }
        match class.as_str() {
            SUBGRID => self.subgrid(control),
            TIMELINE => Ok(Some(Control::Timeline)),
            _ => {
                let name = attribute(control, "id").unwrap_or("control");
                Ok(Some(Control::Unsupported { name: name.to_owned() }))
            }
        }
    }

    fn subgrid(&self, control: Node<'_, '_>) -> Result<Option<Control>, DefinitionError> {
        let Some(said_of) = children(control, "parameters").next() else {
            return self.missing(control, "the sub-grid has no 'parameters'".to_owned());
        };
        let Some(target) = said(said_of, "TargetEntityType").map(str::to_ascii_lowercase) else {
            return self.missing(said_of, "the sub-grid names no table; expected 'TargetEntityType'".to_owned());
        };
        let Some(table) = self.schema.table_named(&target) else {
            return self.missing(said_of, format!("there is no table '{target}'"));
        };
        let relationship = said(said_of, "RelationshipName").map(str::to_owned);
        if let Some(name) = &relationship {
            let down = self.schema.children_of(self.table.id);
            let is_child = down.into_iter().any(|found| found.name == *name && found.referencing == table.id);
            let mut links = self.schema.links_of(self.table.id);
            if !is_child && !links.any(|link| link.name == *name) {
                let problem = format!("no relationship '{name}' leads from '{}' to '{target}'", self.table.name);
                return self.missing(said_of, problem);
            }
        }
        let view = said(said_of, "ViewId").and_then(|id| Guid::try_parse(id).ok());
        let rows = said(said_of, "RecordsPerPage");
        Ok(Some(Control::Subgrid {
            relationship,
            table: target,
            view_id: view,
            rows: number(said_of, "RecordsPerPage", rows, SUBGRID_ROWS, SUBGRID_ROWS_MAX)?,
            view_picker: switch(said_of, "EnableViewPicker", said(said_of, "EnableViewPicker"), false)?,
            quick_find: switch(said_of, "EnableQuickFind", said(said_of, "EnableQuickFind"), false)?,
        }))
    }

    /// Refuses what there is not, or leaves it out.
    fn missing(&self, node: Node<'_, '_>, problem: String) -> Result<Option<Control>, DefinitionError> {
        match self.purpose {
            Purpose::Check => Err(wrong(node, problem)),
            Purpose::Show => Ok(None),
        }
    }
}

/// What an element is called, else its id.
fn name_of(node: Node<'_, '_>) -> String {
    attribute(node, "name").or_else(|| attribute(node, "id")).unwrap_or_default().to_owned()
}

/// The label in the base language, else the first.
fn label(node: Node<'_, '_>) -> Option<String> {
    let mut labels = below(node, "labels", "label").peekable();
    let first = labels.peek().copied();
    let found = labels.find(|label| attribute(*label, "languagecode") == Some(LANGUAGE)).or(first)?;
    attribute(found, "description").map(str::to_owned)
}

/// Writes a form.
#[must_use]
pub fn write_form(table: &Table, form: &Form) -> String {
    let mut out = String::with_capacity(8_192);
    let writer = Writer { table, form };
    out.push_str("<form><tabs>");
    for tab in &form.tabs {
        writer.tab(&mut out, tab);
    }
    out.push_str("</tabs>");
    writer.strip(&mut out, "header", &form.header);
    writer.strip(&mut out, "footer", &form.footer);
    if form.kind == FormKind::Main {
        let (order, fallback) = (form.display.order.to_string(), form.display.fallback.to_string());
        open(&mut out, "DisplayConditions", &[("Order", &order), ("FallbackForm", &fallback)]);
        out.push('>');
        if form.display.everyone {
            out.push_str("<Everyone/>");
        }
        for role in &form.display.roles {
            open(&mut out, "Role", &[("Id", &braced(*role))]);
            out.push_str("/>");
        }
        out.push_str("</DisplayConditions>");
    }
    out.push_str("</form>");
    out
}

struct Writer<'w> {
    table: &'w Table,
    form: &'w Form,
}

impl Writer<'_> {
    fn tab(&self, out: &mut String, tab: &Tab) {
        let id = self.part(&format!("tab:{}", tab.name));
        let (visible, expanded) = (tab.visible.to_string(), tab.expanded.to_string());
        let attributes = [("name", tab.name.as_str()), ("id", &id), ("visible", &visible), ("expanded", &expanded)];
        open(out, "tab", &attributes);
        out.push('>');
        labels(out, Some(&tab.label));
        out.push_str("<columns>");
        for column in &tab.columns {
            open(out, "column", &[("width", &format!("{}%", column.width))]);
            out.push_str("><sections>");
            for section in &column.sections {
                self.section(out, section);
            }
            out.push_str("</sections></column>");
        }
        out.push_str("</columns></tab>");
    }

    fn section(&self, out: &mut String, section: &Section) {
        let id = self.part(&format!("section:{}", section.name));
        let columns = "1".repeat(section.columns as usize);
        let (shown, visible) = (section.show_label.to_string(), section.visible.to_string());
        let attributes = [
            ("name", section.name.as_str()),
            ("id", &id),
            ("showlabel", &shown),
            ("visible", &visible),
            ("columns", &columns),
        ];
        open(out, "section", &attributes);
        out.push('>');
        labels(out, Some(&section.label));
        self.rows(out, &section.name, &section.rows);
        out.push_str("</section>");
    }

    fn strip(&self, out: &mut String, name: &str, cells: &[Cell]) {
        let id = self.part(name);
        open(out, name, &[("id", &id)]);
        if cells.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        let rows: Vec<Vec<Cell>> = cells.iter().map(|cell| vec![cell.clone()]).collect();
        self.rows(out, name, &rows);
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }

    fn rows(&self, out: &mut String, within: &str, rows: &[Vec<Cell>]) {
        out.push_str("<rows>");
        for (at, row) in rows.iter().enumerate() {
            out.push_str("<row>");
            for (beside, cell) in row.iter().enumerate() {
                let id = self.part(&format!("cell:{within}:{at}:{beside}"));
                open(out, "cell", &[("id", &id)]);
                for (name, value) in [("colspan", cell.span), ("rowspan", cell.rows)] {
                    if value != 1 {
                        let _ = write!(out, " {name}=\"{value}\"");
                    }
                }
                if !cell.visible {
                    out.push_str(" visible=\"false\"");
                }
                if cell.locked {
                    out.push_str(" locklevel=\"1\"");
                }
                out.push('>');
                labels(out, cell.label.as_deref());
                self.control(out, &cell.control);
                out.push_str("</cell>");
            }
            out.push_str("</row>");
        }
        out.push_str("</rows>");
    }

    fn control(&self, out: &mut String, control: &Control) {
        match control {
            Control::Field { column, read_only } => {
                let class = self.table.column(column).map_or(TEXT, class);
                let disabled = read_only.to_string();
                let attributes = [
                    ("id", column.as_str()),
                    ("classid", &format!("{{{class}}}")),
                    ("datafieldname", column),
                    ("disabled", &disabled),
                ];
                open(out, "control", &attributes);
                out.push_str("/>");
            }
            Control::QuickView { column } => {
                let class = format!("{{{}}}", QUICK_VIEW.to_ascii_uppercase());
                open(out, "control", &[("id", column), ("classid", &class), ("datafieldname", column)]);
                out.push_str("/>");
            }
            Control::Subgrid { relationship, table, view_id, rows, view_picker, quick_find } => {
                let class = format!("{{{}}}", SUBGRID.to_ascii_uppercase());
                let id = format!("grid_{}", relationship.as_deref().unwrap_or(table));
                open(out, "control", &[("id", &id), ("classid", &class)]);
                out.push_str("><parameters>");
                let mut parameter = |name: &str, value: &str| {
                    let _ = write!(out, "<{name}>");
                    crate::xml::escaped(out, value);
                    let _ = write!(out, "</{name}>");
                };
                parameter("TargetEntityType", table);
                if let Some(relationship) = relationship {
                    parameter("RelationshipName", relationship);
                }
                if let Some(view) = view_id {
                    parameter("ViewId", &braced(*view));
                }
                parameter("RecordsPerPage", &rows.to_string());
                parameter("EnableViewPicker", &view_picker.to_string());
                parameter("EnableQuickFind", &quick_find.to_string());
                out.push_str("</parameters></control>");
            }
            Control::Timeline => {
                let class = format!("{{{}}}", TIMELINE.to_ascii_uppercase());
                open(out, "control", &[("id", "notescontrol"), ("classid", &class)]);
                out.push_str("/>");
            }
            Control::Unsupported { name } => {
                open(out, "control", &[("id", name)]);
                out.push_str("/>");
            }
            Control::Spacer => {}
        }
    }

    /// The id of a part of the form: the same as long as form and part are called the same.
    fn part(&self, name: &str) -> String {
        braced(Guid::new_v5(&self.form.id, name.as_bytes()))
    }
}

fn labels(out: &mut String, label: Option<&str>) {
    if let Some(label) = label {
        out.push_str("<labels>");
        open(out, "label", &[("description", label), ("languagecode", LANGUAGE)]);
        out.push_str("/></labels>");
    }
}

fn braced(id: Guid) -> String {
    format!("{{{id}}}")
}

/// The class of a plain text.
const TEXT: &str = "4273EDBD-AC1D-40D3-9FB2-095C621B552D";

/// The class that Dataverse's forms name for a column; nothing here depends on it.
fn class(column: &Column) -> &'static str {
    match &column.kind {
        ColumnKind::Text { format, .. } => match format {
            TextFormat::Email => "ADA2203E-B4CD-49BE-9DDF-234642B43B52",
            TextFormat::Url => "71716B6C-711E-476C-8AB8-5D11542BFB47",
            TextFormat::TextArea => "E0DECE4B-6FC8-4A8F-A065-082708572369",
            _ => TEXT,
        },
        ColumnKind::Memo { .. } => "E0DECE4B-6FC8-4A8F-A065-082708572369",
        ColumnKind::Integer { .. } | ColumnKind::BigInt => "C6D124CA-7EDA-4A60-AEA9-7FB8D318B68F",
        ColumnKind::Decimal { .. } => "C3EFE0C3-0EC6-42BE-8349-CBD9079DFD8E",
        ColumnKind::Double { .. } => "0D2C745A-E5A8-4C8F-BA63-C6D3BB604660",
        ColumnKind::Money { .. } => "533B9E00-756B-4312-95A0-DC888637AC78",
        ColumnKind::Boolean { .. } | ColumnKind::Managed => "67FAC785-CD58-4F9F-ABB3-4B7DDC6ED5ED",
        ColumnKind::DateTime { .. } => "5B773807-9FB2-42DB-97C3-7A91EFF8ADFF",
        ColumnKind::Choice { .. } | ColumnKind::Choices { .. } | ColumnKind::State { .. } => {
            "3EF39988-22BB-4F0B-BBBE-64B5A3748AEE"
        }
        ColumnKind::Status { .. } => "5D68B988-0661-4DB2-BC3E-17598AD3BE6C",
        ColumnKind::Lookup { .. } => "270BD3DB-D9AF-4782-9025-509E298DEC0A",
        ColumnKind::PartyList => "CBFB742C-14E7-4A17-96BB-1A13F7F64AA2",
        _ => TEXT,
    }
}
