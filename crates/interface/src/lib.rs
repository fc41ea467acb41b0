//! What a person is shown: forms, views and navigation as data.
//!
//! Start at [`Form`], [`View`] and [`Navigation`], the model that a web app renders. It is read from and written as the XML
//! that Dataverse keeps (`FormXml`, `LayoutXml`, `SiteMap`); reading for [`Purpose::Check`] refuses what the schema does not
//! know, with the place, and reading for [`Purpose::Show`] leaves it out. [`visible_forms`] says which forms somebody gets.
//!
//! The forms and views of the standard tables are data files (`standard/*.ui`), read once and only when somebody asks;
//! [`initial_rows`] gives them as the records they are in an organisation. This crate does no I/O.

mod describe;
mod display;
mod edition;
mod error;
mod form_xml;
mod identity;
mod layout_xml;
mod limits;
mod model;
mod rows;
mod site_map;
mod standard;
mod xml;

pub use describe::{Described, DescriptionError, describe};
pub use display::{Display, Holder, visible_forms};
pub use edition::EDITION;
pub use error::DefinitionError;
pub use form_xml::{FormHead, read_form, write_form};
pub use identity::{definition_id, is_shipped};
pub use layout_xml::{ViewHead, ViewTexts, asked_tables, read_view, write_fetch, write_layout};
pub use limits::Limits;
pub use model::{
    Area, Cell, Control, Form, FormKind, Group, Item, ItemPrivilege, Navigation, Section, Tab, TabColumn, View,
    ViewColumn, ViewKind,
};
pub use rows::{InitialRow, initial_rows};
pub use site_map::{read_navigation, write_navigation};
pub use standard::{standard, standard_files};
pub use xml::{Purpose, well_formed};
