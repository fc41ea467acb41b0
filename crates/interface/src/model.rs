//! The model that a web app renders: forms, views and navigation. As JSON its names are in lower camel case.

use custodia_schema::Guid;
use serde::Serialize;

use crate::display::Display;

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FormKind {
    /// The page of a record; bound to roles.
    Main,
    /// A short form for a new record.
    QuickCreate,
    /// Another record's fields, read only, on a main form.
    QuickView,
    /// A record as a card.
    Card,
}

impl FormKind {
    /// All kinds with the number that `systemform.type` has for them.
    pub const ALL: [(Self, i32); 4] = [(Self::Main, 2), (Self::QuickView, 6), (Self::QuickCreate, 7), (Self::Card, 11)];

    /// The number that `systemform.type` has for it.
    #[must_use]
    pub fn code(self) -> i32 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(2, |(_, code)| *code)
    }

    /// The kind of that number; `None` for dashboards and others that are no forms of a record.
    #[must_use]
    pub fn of_code(code: i32) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(kind, _)| *kind)
    }
}

/// A form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Form {
    /// Its id.
    pub id: Guid,
    /// Logical name of the table.
    pub table: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: FormKind,
    /// What people call it.
    pub name: String,
    /// Whom it is for. Only main forms say so.
    #[serde(flatten)]
    pub display: Display,
    /// The fields beside the title.
    pub header: Vec<Cell>,
    /// Its tabs in order.
    pub tabs: Vec<Tab>,
    /// The fields at the end.
    pub footer: Vec<Cell>,
}

/// A tab of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tab {
    /// What links to it name; unique within the form.
    pub name: String,
    /// What a person sees.
    pub label: String,
    /// Shown at first.
    pub visible: bool,
    /// Unfolded at first.
    pub expanded: bool,
    /// Side by side.
    pub columns: Vec<TabColumn>,
}

/// A column of a tab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TabColumn {
    /// Hundredths of the tab's width.
    pub width: u32,
    /// From top to bottom.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Unique within the form.
    pub name: String,
    /// What a person sees.
    pub label: String,
    /// Whether the label is shown.
    pub show_label: bool,
    /// Cells side by side, 1 to 4.
    pub columns: u32,
    /// Shown at first.
    pub visible: bool,
    /// Its cells, row by row.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// What a person sees instead of the column's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Cells that it is wide.
    pub span: u32,
    /// Rows that it is high.
    pub rows: u32,
    /// Shown at first.
    pub visible: bool,
    /// Cannot be taken off the form.
    pub locked: bool,
    /// What is in it.
    pub control: Control,
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Control {
    /// A column of the record. How it is drawn follows from the column's type.
    Field {
        /// Logical name.
        column: String,
        /// Cannot be changed here.
        read_only: bool,
    },
    /// Records of a table, those that hang on this one where a relationship is named.
    Subgrid {
        /// Name of the relationship.
        #[serde(skip_serializing_if = "Option::is_none")]
        relationship: Option<String>,
        /// Logical name of the table.
        table: String,
        /// The view that it shows at first.
        #[serde(skip_serializing_if = "Option::is_none")]
        view_id: Option<Guid>,
        /// Rows of a page.
        rows: u32,
        /// Other views can be chosen.
        view_picker: bool,
        /// It can be searched.
        quick_find: bool,
    },
    /// Fields of the record that a lookup points at.
    QuickView {
        /// Logical name of the lookup.
        column: String,
    },
    /// Activities and notes.
    Timeline,
    /// Something that is kept and not drawn.
    Unsupported {
        /// What it calls itself.
        name: String,
    },
    /// An empty place.
    Spacer,
}

/// What a view is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewKind {
    /// Offered in the view picker.
    Public,
    /// What an own search shows.
    Advanced,
    /// Records that hang on another one.
    Associated,
    /// What is searched, and how it is found.
    QuickFind,
    /// What a lookup offers.
    Lookup,
    /// A user's own, or one that was shared.
    Personal,
}

impl ViewKind {
    /// Views that the organisation has, with the number that `savedquery.querytype` has for each.
    pub const STORED: [(Self, i32); 5] =
        [(Self::Public, 0), (Self::Advanced, 1), (Self::Associated, 2), (Self::QuickFind, 4), (Self::Lookup, 64)];

    /// The number that `savedquery.querytype` has for it.
    #[must_use]
    pub fn code(self) -> i32 {
        Self::STORED.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    /// The kind of that number; `None` for those that the web app does not offer.
    #[must_use]
    pub fn of_code(code: i32) -> Option<Self> {
        Self::STORED.iter().find(|(_, known)| *known == code).map(|(kind, _)| *kind)
    }
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its id.
    pub id: Guid,
    /// Logical name of the table.
    pub table: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub kind: ViewKind,
    /// The one that is shown at first.
    pub default: bool,
    /// Its query.
    pub fetch_xml: String,
    /// Its columns from left to right.
    pub columns: Vec<ViewColumn>,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewColumn {
    /// Logical name.
    pub column: String,
    /// The link of the query whose column it is, where it is not one of the table's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Pixels.
    pub width: u32,
    /// Fetched, not shown.
    pub hidden: bool,
    /// Can be sorted by.
    pub sortable: bool,
}

/// What leads to the pages of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Navigation {
    /// Its areas in order.
    pub areas: Vec<Area>,
}

/// An area: what one kind of work is done in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Area {
    /// Unique within the navigation.
    pub id: String,
    /// What a person sees.
    pub title: String,
    /// Name of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Its groups in order.
    pub groups: Vec<Group>,
}

/// A group of an area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Unique within the area.
    pub id: String,
    /// What a person sees.
    pub title: String,
    /// Its items in order.
    pub items: Vec<Item>,
}

/// A way to a page: a table's list, a dashboard or a page of the web app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Unique within the navigation.
    pub id: String,
    /// What a person sees.
    pub title: String,
    /// Name of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Logical name of the table whose list it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The dashboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dashboard_id: Option<Guid>,
    /// The page's path within the web app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// What one has to hold to be shown it.
    pub privileges: Vec<ItemPrivilege>,
}

/// A right that an item asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemPrivilege {
    /// Logical name of the table.
    pub table: String,
    /// The rights on it, by the words of privilege names (`Read`, `Create`).
    pub rights: Vec<String>,
}
