//! Compact descriptions of forms, views and navigation (`standard/*.ui`) into the model.
//!
//! A file is lines; the first word of each says what it is, texts of several words stand in quotes, `#` begins a remark.
//!
//! ```text
//! table account                      what follows is of this table
//! main "Account"                     its main form; "quick" and "card" begin those
//! header ownerid statuscode          fields beside the title
//! tab "Summary"
//! column 40                          hundredths of the tab's width
//! section "Name and address" 2       cells side by side, 1 where not said
//! - name                             a row of fields; "!": read only, "/2": so many cells wide
//! - address1_city address1_postalcode
//! timeline
//! grid "Contacts" contact_customer_accounts 6      records of a relationship, rows of a page
//! views name:260 telephone1          columns of all its views, with widths in pixels
//! standard                           active, mine, inactive and all
//! order name                         "createdon desc" for the last first
//! find name emailaddress1            what a search looks into
//! lookup name telephone1             columns of what a lookup offers
//! view "Customers" default           a public view; "columns", "where" and "order" after it are its own
//! where customertypecode eq 3
//! area sales "Sales" chart           navigation: areas with a picture, groups, items
//! group work "My work"
//! item account                       a table's list; "needs table.Right" for what else one has to hold
//! page approvals "Approvals" /settings/approvals
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use custodia_schema::{ColumnKind, Guid, RowSecurity, Schema, Table};

use crate::display::Display;
use crate::identity::definition_id;
use crate::layout_xml::write_fetch;
use crate::model::{
    Area, Cell, Control, Form, FormKind, Group, Item, ItemPrivilege, Navigation, Section, Tab, TabColumn, View,
    ViewColumn, ViewKind,
};

/// What descriptions come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// All forms, those of a table in order.
    pub forms: Vec<Form>,
    /// All views, those of a table in order.
    pub views: Vec<View>,
    /// The navigation.
    pub navigation: Navigation,
    /// Its id.
    pub navigation_id: Guid,
}

/// A fault of a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub struct DescriptionError {
    /// Name of the file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

type Outcome<T = ()> = Result<T, String>;

/// Reads descriptions, as names and texts of files.
///
/// # Errors
/// The first fault: a line that cannot be understood, or a table, column or relationship that there is not.
pub fn describe(schema: &Schema, files: &[(&str, &str)]) -> Result<Described, DescriptionError> {
    let mut reader = Reader {
        schema,
        forms: Vec::new(),
        views: Vec::new(),
        navigation: Navigation::default(),
        of: None,
        is_in_form: false,
        is_in_view: false,
    };
    for (file, text) in files {
        let fault = |line: usize, problem: String| DescriptionError { file: (*file).to_owned(), line, problem };
        let mut line = 0;
        for (at, content) in text.lines().enumerate() {
            line = at + 1;
            let words = words(content).map_err(|problem| fault(line, problem))?;
            reader.line(&words).map_err(|problem| fault(line, problem))?;
        }
        reader.end_table().map_err(|problem| fault(line, problem))?;
    }
    Ok(Described {
        forms: reader.forms,
        views: reader.views,
        navigation: reader.navigation,
        navigation_id: definition_id("sitemap", "", "default"),
    })
}

/// The words of a line; a remark is none.
fn words(line: &str) -> Outcome<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| "a quote is not closed".to_owned())?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// The views of a table, before they are written.
struct Views {
    columns: Vec<ViewColumn>,
    order: Vec<(String, bool)>,
    find: Vec<String>,
    lookup: Vec<ViewColumn>,
    standard: bool,
    named: Vec<NamedView>,
}

/// A public view that is described by itself.
struct NamedView {
    key: String,
    name: String,
    default: bool,
    columns: Option<Vec<ViewColumn>>,
    conditions: Vec<(String, String, Vec<String>)>,
    order: Option<Vec<(String, bool)>>,
}

struct Reader<'s> {
    schema: &'s Schema,
    forms: Vec<Form>,
    views: Vec<View>,
    navigation: Navigation,
    of: Option<(Arc<Table>, Views)>,
    is_in_form: bool,
    is_in_view: bool,
}

impl Reader<'_> {
    fn line(&mut self, words: &[String]) -> Outcome {
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        match first.as_str() {
            "table" => self.begin_table(one(rest)?),
            "main" => self.begin_form(FormKind::Main, one(rest)?),
            "quick" => self.begin_form(FormKind::QuickCreate, one(rest)?),
            "card" => self.begin_form(FormKind::Card, one(rest)?),
            "header" => {
                let cells = self.fields(rest)?;
                self.form()?.header = cells;
                Ok(())
            }
            "tab" => self.tab(one(rest)?),
            "column" => {
                let width = whole(one(rest)?)?;
                self.last_tab()?.columns.push(TabColumn { width, sections: Vec::new() });
                Ok(())
            }
            "section" => self.section(rest),
            "-" => {
                let cells = self.fields(rest)?;
                let section = self.last_section()?;
                if cells.iter().map(|cell| cell.span).sum::<u32>() > section.columns {
                    return Err(format!("the row has more cells than its section is wide, {}", section.columns));
                }
                section.rows.push(cells);
                Ok(())
            }
            "timeline" => self.lone("Timeline", Control::Timeline),
            "grid" => self.grid(rest),
            "views" => {
                let columns = self.view_columns(rest)?;
                self.table_views()?.columns = columns;
                Ok(())
            }
            "standard" => {
                self.table_views()?.standard = true;
                Ok(())
            }
            "order" => self.order(rest),
            "find" => self.find(rest),
            "lookup" => {
                let columns = self.view_columns(rest)?;
                self.table_views()?.lookup = columns;
                Ok(())
            }
            "view" => self.view(rest),
            "columns" => {
                let columns = self.view_columns(rest)?;
                self.named_view()?.columns = Some(columns);
                Ok(())
            }
            "where" => self.condition(rest),
            "area" => self.area(rest),
            "group" => self.group(rest),
            "item" => self.item(rest),
            "page" => self.page(rest),
            other => Err(format!("'{other}' begins no line")),
        }
    }

    fn begin_table(&mut self, name: &str) -> Outcome {
        self.end_table()?;
        let table = self.schema.table_named(name).ok_or_else(|| format!("there is no table '{name}'"))?;
        let views = Views {
            columns: Vec::new(),
            order: Vec::new(),
            find: Vec::new(),
            lookup: Vec::new(),
            standard: false,
            named: Vec::new(),
        };
        self.of = Some((Arc::clone(table), views));
        Ok(())
    }

    fn table(&self) -> Outcome<&Arc<Table>> {
        self.of.as_ref().map(|(table, _)| table).ok_or_else(|| "this belongs to a table; none was begun".to_owned())
    }

    fn table_views(&mut self) -> Outcome<&mut Views> {
        self.is_in_form = false;
        self.of.as_mut().map(|(_, views)| views).ok_or_else(|| "this belongs to a table; none was begun".to_owned())
    }

    fn begin_form(&mut self, kind: FormKind, name: &str) -> Outcome {
        let table = Arc::clone(self.table()?);
        let key = match kind {
            FormKind::Main => "main",
            FormKind::QuickCreate => "quick",
            FormKind::QuickView => "view",
            FormKind::Card => "card",
        };
        let display = match kind {
            FormKind::Main => Display { everyone: true, roles: Vec::new(), order: 0, fallback: true },
            _ => Display::default(),
        };
        let id = definition_id("form", &table.name, key);
        if self.forms.iter().any(|form| form.id == id) {
            return Err(format!("table '{}' has a form of this kind already", table.name));
        }
        self.forms.push(Form {
            id,
            table: table.name.clone(),
            kind,
            name: name.to_owned(),
            display,
            header: Vec::new(),
            tabs: Vec::new(),
            footer: Vec::new(),
        });
        self.is_in_form = true;
        Ok(())
    }

    fn form(&mut self) -> Outcome<&mut Form> {
        let form = self.forms.last_mut().filter(|_| self.is_in_form);
        form.ok_or_else(|| "this belongs to a form; none was begun".to_owned())
    }

    fn tab(&mut self, label: &str) -> Outcome {
        let form = self.form()?;
        let name = unique(label, form.tabs.iter().map(|tab| tab.name.as_str()));
        form.tabs.push(Tab { name, label: label.to_owned(), visible: true, expanded: true, columns: Vec::new() });
        Ok(())
    }

    fn last_tab(&mut self) -> Outcome<&mut Tab> {
        self.form()?.tabs.last_mut().ok_or_else(|| "this belongs to a tab; none was begun".to_owned())
    }

    fn add_section(&mut self, label: &str, columns: u32) -> Outcome<&mut Section> {
        let form = self.form()?;
        let sections = form.tabs.iter().flat_map(|tab| &tab.columns).flat_map(|column| &column.sections);
        let name = unique(label, sections.map(|section| section.name.as_str()));
        let tab = self.last_tab()?;
        if tab.columns.is_empty() {
            tab.columns.push(TabColumn { width: 100, sections: Vec::new() });
        }
        let column = tab.columns.last_mut().ok_or_else(|| "the tab has no column".to_owned())?;
        column.sections.push(Section {
            name,
            label: label.to_owned(),
            show_label: !label.is_empty(),
            columns,
            visible: true,
            rows: Vec::new(),
        });
        column.sections.last_mut().ok_or_else(|| "the column has no section".to_owned())
    }

    fn section(&mut self, rest: &[String]) -> Outcome {
        let (label, columns) = match rest {
            [label] => (label, 1),
            [label, columns] => (label, whole(columns)?),
            _ => return Err("expected a label and how many cells stand side by side".to_owned()),
        };
        self.add_section(label, columns).map(drop)
    }

    fn last_section(&mut self) -> Outcome<&mut Section> {
        let tab = self.last_tab()?;
        let section = tab.columns.last_mut().and_then(|column| column.sections.last_mut());
        section.ok_or_else(|| "this belongs to a section; none was begun".to_owned())
    }

    fn fields(&self, words: &[String]) -> Outcome<Vec<Cell>> {
        let table = self.table()?;
        let mut cells = Vec::new();
        for word in words {
            let (word, span) = match word.split_once('/') {
                Some((word, span)) => (word, whole(span)?),
                None => (word.as_str(), 1),
            };
            let (name, read_only) = match word.strip_suffix('!') {
                Some(name) => (name, true),
                None => (word, false),
            };
            let column = known_column(table, name)?;
            let never = !column.creatable && !column.updatable;
            let control = Control::Field { column: name.to_owned(), read_only: read_only || never };
            cells.push(Cell { label: None, span, rows: 1, visible: true, locked: false, control });
        }
        Ok(cells)
    }

    /// A section that holds one control and nothing else.
    fn lone(&mut self, label: &str, control: Control) -> Outcome {
        let section = self.add_section(label, 1)?;
        section.rows.push(vec![Cell { label: None, span: 1, rows: 1, visible: true, locked: false, control }]);
        Ok(())
    }

    fn grid(&mut self, rest: &[String]) -> Outcome {
        let (label, name, rows) = match rest {
            [label, name] => (label, name, 6),
            [label, name, rows] => (label, name, whole(rows)?),
            _ => return Err("expected a label, a relationship and rows of a page".to_owned()),
        };
        let table = self.table()?;
        let down = self.schema.children_of(table.id).find(|found| found.name == *name);
        let across = self.schema.links_of(table.id).find(|link| link.name == *name);
        let target = match (down, across) {
            (Some(down), _) => down.referencing,
            (None, Some(link)) if link.first == table.id => link.second,
            (None, Some(link)) => link.first,
            (None, None) => return Err(format!("no relationship '{name}' leads from '{}'", table.name)),
        };
        let target = self.schema.table(target).ok_or_else(|| "its table is missing".to_owned())?.name.clone();
        let control = Control::Subgrid {
            relationship: Some(name.clone()),
            view_id: Some(definition_id("view", &target, "associated")),
            table: target,
            rows,
            view_picker: false,
            quick_find: true,
        };
        self.lone(label, control)
    }

    fn view_columns(&self, words: &[String]) -> Outcome<Vec<ViewColumn>> {
        let table = self.table()?;
        let mut columns = Vec::new();
        for word in words {
            let (name, width) = match word.split_once(':') {
                Some((name, width)) => (name, Some(whole(width)?)),
                None => (word.as_str(), None),
            };
            let column = known_column(table, name)?;
            let usual = match &column.kind {
                _ if table.primary_name == Some(column.id) => 260,
                ColumnKind::Memo { .. } => 300,
                ColumnKind::Lookup { .. } | ColumnKind::PartyList => 180,
                ColumnKind::Text { .. } => 170,
                ColumnKind::Boolean { .. } => 100,
                ColumnKind::Integer { .. } => 110,
                _ => 140,
            };
            columns.push(ViewColumn {
                column: name.to_owned(),
                alias: None,
                width: width.unwrap_or(usual),
                hidden: false,
                sortable: true,
            });
        }
        Ok(columns)
    }

    fn order(&mut self, rest: &[String]) -> Outcome {
        let (name, descending) = match rest {
            [name] => (name, false),
            [name, word] if word == "desc" => (name, true),
            _ => return Err("expected a column, and 'desc' for the last first".to_owned()),
        };
        known_column(self.table()?, name)?;
        let key = (name.clone(), descending);
        if self.is_in_view {
            self.named_view()?.order.get_or_insert_default().push(key);
        } else {
            self.table_views()?.order.push(key);
        }
        Ok(())
    }

    fn find(&mut self, rest: &[String]) -> Outcome {
        for name in rest {
            if !known_column(self.table()?, name)?.kind.is_text() {
                return Err(format!("column '{name}' holds no text to be searched"));
            }
        }
        self.table_views()?.find = rest.to_vec();
        Ok(())
    }

    fn view(&mut self, rest: &[String]) -> Outcome {
        let (name, default) = match rest {
            [name] => (name, false),
            [name, word] if word == "default" => (name, true),
            _ => return Err("expected a name, and 'default' for the one shown at first".to_owned()),
        };
        let view = NamedView {
            key: slug(name),
            name: name.clone(),
            default,
            columns: None,
            conditions: Vec::new(),
            order: None,
        };
        self.table_views()?.named.push(view);
        self.is_in_view = true;
        Ok(())
    }

    fn named_view(&mut self) -> Outcome<&mut NamedView> {
        let views = self.table_views()?;
        views.named.last_mut().ok_or_else(|| "this belongs to a view; none was begun".to_owned())
    }

    fn condition(&mut self, rest: &[String]) -> Outcome {
        let [column, operator, values @ ..] = rest else {
            return Err("expected a column, an operator and its values".to_owned());
        };
        known_column(self.table()?, column)?;
        self.named_view()?.conditions.push((column.clone(), operator.clone(), values.to_vec()));
        Ok(())
    }

    /// Writes the views of the table that ends.
    fn end_table(&mut self) -> Outcome {
        (self.is_in_form, self.is_in_view) = (false, false);
        let Some((table, views)) = self.of.take() else { return Ok(()) };
        if views.columns.is_empty() {
            return Err(format!("table '{}' has no 'views'", table.name));
        }
        let (one, many) = (table.display_name.text(), table.display_collection_name.text());
        let has_state = table.state().is_some();
        let in_state = |operator: &str| ("statecode".to_owned(), operator.to_owned(), vec!["0".to_owned()]);
        let active = || if has_state { vec![in_state("eq")] } else { Vec::new() };
        let mine = ("ownerid".to_owned(), "eq-userid".to_owned(), Vec::new());
        let is_owned = matches!(table.security, RowSecurity::Owned { .. });
        let mut public: Vec<NamedView> = Vec::new();
        let mut add = |key: &str, name: String, conditions| {
            let (key, columns, order) = (key.to_owned(), None, None);
            public.push(NamedView { key, name, default: false, columns, conditions, order });
        };
        if views.standard && has_state {
            add("active", format!("Active {many}"), active());
            if is_owned {
                let mut conditions = active();
                conditions.insert(0, mine);
                add("mine", format!("My Active {many}"), conditions);
            }
            add("inactive", format!("Inactive {many}"), vec![in_state("ne")]);
        } else if views.standard && is_owned {
            add("mine", format!("My {many}"), vec![mine]);
        }
        if views.standard {
            add("all", format!("All {many}"), Vec::new());
        }
        public.extend(views.named);
        let defaults = public.iter().filter(|view| view.default).count();
        match (defaults, public.first_mut()) {
            (1, _) => {}
            (0, Some(first)) => first.default = true,
            _ => return Err(format!("table '{}' needs views, and one of them as default", table.name)),
        }
        let mut made = Vec::new();
        let mut push = |key: &str, name: String, kind, default, texts: (Vec<ViewColumn>, String)| {
            let (columns, fetch_xml) = texts;
            let id = definition_id("view", &table.name, key);
            made.push(View { id, table: table.name.clone(), name, kind, default, fetch_xml, columns });
        };
        for view in public {
            let columns = view.columns.unwrap_or_else(|| views.columns.clone());
            let order = view.order.as_ref().unwrap_or(&views.order);
            let fetch = write_fetch(&table, &columns, &view.conditions, &[], order);
            push(&view.key, view.name, ViewKind::Public, view.default, (columns, fetch));
        }
        let usual = |conditions: &[_], find: &[String]| {
            (views.columns.clone(), write_fetch(&table, &views.columns, conditions, find, &views.order))
        };
        push("advanced", format!("{one} Advanced Find View"), ViewKind::Advanced, true, usual(&[], &[]));
        let living = if views.standard { active() } else { Vec::new() };
        push("associated", format!("{one} Associated View"), ViewKind::Associated, true, usual(&living, &[]));
        if !views.find.is_empty() {
            push("quickfind", format!("Quick Find {many}"), ViewKind::QuickFind, true, usual(&[], &views.find));
        }
        let offered =
            if views.lookup.is_empty() { views.columns.iter().take(3).cloned().collect() } else { views.lookup };
        let fetch = write_fetch(&table, &offered, &living, &[], &views.order);
        push("lookup", format!("{one} Lookup View"), ViewKind::Lookup, true, (offered, fetch));
        let mut known = HashSet::new();
        if let Some(twice) = made.iter().find(|view| !known.insert(view.id)) {
            return Err(format!("table '{}' has two views '{}'", table.name, twice.name));
        }
        self.views.extend(made);
        Ok(())
    }

    fn area(&mut self, rest: &[String]) -> Outcome {
        self.end_table()?;
        let [id, title, icon] = rest else { return Err("expected an id, a title and a picture".to_owned()) };
        let area = Area { id: id.clone(), title: title.clone(), icon: Some(icon.clone()), groups: Vec::new() };
        self.navigation.areas.push(area);
        Ok(())
    }

    fn group(&mut self, rest: &[String]) -> Outcome {
        let [id, title] = rest else { return Err("expected an id and a title".to_owned()) };
        let area = self.navigation.areas.last_mut().ok_or_else(|| "a group belongs to an area".to_owned())?;
        area.groups.push(Group { id: id.clone(), title: title.clone(), items: Vec::new() });
        Ok(())
    }

    fn item(&mut self, rest: &[String]) -> Outcome {
        let Some((name, needs)) = rest.split_first() else { return Err("expected a table".to_owned()) };
        let table = self.schema.table_named(name).ok_or_else(|| format!("there is no table '{name}'"))?;
        let title = table.display_collection_name.text().to_owned();
        self.push_item(name, title, Some(name.clone()), None, needs)
    }

    fn page(&mut self, rest: &[String]) -> Outcome {
        let [id, title, route, needs @ ..] = rest else {
            return Err("expected an id, a title and a path".to_owned());
        };
        self.push_item(id, title.clone(), None, Some(route.clone()), needs)
    }

    fn push_item(
        &mut self,
        id: &str,
        title: String,
        table: Option<String>,
        route: Option<String>,
        needs: &[String],
    ) -> Outcome {
        let mut privileges = Vec::new();
        match needs {
            [] => {}
            [word, held @ ..] if word == "needs" => {
                for held in held {
                    let (table, right) = held.split_once('.').ok_or_else(|| format!("'{held}': table.Right"))?;
                    if self.schema.table_named(table).is_none() {
                        return Err(format!("there is no table '{table}'"));
                    }
                    privileges.push(ItemPrivilege { table: table.to_owned(), rights: vec![right.to_owned()] });
                }
            }
            [other, ..] => return Err(format!("'{other}' is not expected here")),
        }
        let area = self.navigation.areas.last_mut().ok_or_else(|| "an item belongs to an area".to_owned())?;
        let id = format!("{}_{id}", area.id);
        let group = area.groups.last_mut().ok_or_else(|| "an item belongs to a group".to_owned())?;
        group.items.push(Item { id, title, icon: None, table, dashboard_id: None, route, privileges });
        Ok(())
    }
}

fn known_column<'t>(table: &'t Table, name: &str) -> Outcome<&'t custodia_schema::Column> {
    let found = table.column(name).filter(|column| column.readable);
    found.ok_or_else(|| format!("table '{}' has no column '{name}' that can be read", table.name))
}

fn one(words: &[String]) -> Outcome<&str> {
    match words {
        [word] => Ok(word),
        _ => Err(format!("expected one word or one text in quotes, found {}", words.len())),
    }
}

fn whole(word: &str) -> Outcome<u32> {
    word.parse().map_err(|_| format!("'{word}' is no whole number"))
}

/// A name made of a label: small letters and digits, all else as `_`.
fn slug(label: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    label.chars().map(plain).collect()
}

/// The name of a part that no other of these has.
fn unique<'n>(label: &str, taken: impl Iterator<Item = &'n str>) -> String {
    let name = if label.is_empty() { "part".to_owned() } else { slug(label) };
    let taken: HashSet<&str> = taken.collect();
    let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name.as_str())).unwrap_or(name)
}
