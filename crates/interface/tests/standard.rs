//! The forms, views and navigation that the program brings along.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use custodia_interface::{
    Cell, Control, EDITION, Form, FormHead, FormKind, Limits, Purpose, ViewHead, ViewKind, ViewTexts, asked_tables,
    definition_id, describe, initial_rows, is_shipped, read_form, read_navigation, read_view, standard, standard_files,
    write_form, write_layout, write_navigation,
};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::Limits as QueryLimits;
use custodia_query::operator::Asker;
use custodia_schema::{Guid, Schema};

/// The tables that a salesperson, an agent or an administrator works with, and that must have a main form.
const WITH_FORMS: &str = "account contact lead opportunity quote quotedetail salesorder salesorderdetail invoice \
    invoicedetail incident product pricelevel productpricelevel competitor campaign campaignactivity campaignresponse list \
    task phonecall email appointment letter fax annotation queue queueitem team systemuser businessunit role territory \
    subject transactioncurrency uomschedule uom goal metric connection connectionrole contract entitlement \
    knowledgearticle salesliterature site sla position fieldsecurityprofile fieldpermission import asyncoperation";

/// Tables whose names are made of other columns.
const NAMED_BY_OTHERS: &str =
    "contact lead systemuser opportunityproduct quotedetail salesorderdetail invoicedetail connection discount";

/// A digest of all rows of an edition: whoever changes the data files raises the edition, so that organisations that have
/// the rows already get the new ones.
const EDITION_DIGEST: &str = "1: 4ea67e64-a915-5280-a480-e604f7f2b93c";

fn schema() -> std::sync::Arc<Schema> {
    custodia_schema::standard()
}

fn cells(form: &Form) -> Vec<&Cell> {
    let sections = form.tabs.iter().flat_map(|tab| &tab.columns).flat_map(|column| &column.sections);
    let placed = sections.flat_map(|section| section.rows.iter().flatten());
    form.header.iter().chain(placed).chain(&form.footer).collect()
}

#[test]
fn every_data_file_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("standard");
    let found: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let listed: BTreeSet<String> = standard_files().iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
    let described = describe(&schema(), standard_files()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(&described, standard());
}

#[test]
fn a_fault_names_file_and_line() {
    let faults = [
        ("table acount", "there is no table 'acount'"),
        ("table account\nmain \"A\"\ntab \"T\"\nsection \"S\"\n- nam", "table 'account' has no column 'nam'"),
        ("table account\nmain \"A\"\ntab \"T\"\nsection \"S\"\n- name telephone1", "more cells than its section"),
        ("table account\nviews name\norder nam", "table 'account' has no column 'nam'"),
        ("table account\nfind revenue", "holds no text"),
        ("table account\nmain \"A\"\ntab \"T\"\ngrid \"G\" contact_customer_acounts", "no relationship"),
        ("table account\nmain \"A", "a quote is not closed"),
        ("table account\nsection \"S\"", "belongs to a form"),
        ("area a \"A\" x\ngroup g \"G\"\nitem acount", "there is no table 'acount'"),
        ("table account\nviews name\nview \"One\" default\nview \"Two\" default\n", "one of them as default"),
        ("nonsense", "begins no line"),
    ];
    for (text, expected) in faults {
        let fault = describe(&schema(), &[("some.ui", text)]).unwrap_err();
        let said = fault.to_string();
        assert!(said.contains(expected) && said.starts_with("some.ui, line "), "{text}: {said}");
        assert_eq!(fault.line, text.lines().count(), "{text}: {said}");
    }
}

#[test]
fn ids_are_fixed() {
    assert_eq!(definition_id("form", "account", "main").to_string(), "4095b232-0daf-530c-af37-8b2dfa60a325");
    assert_eq!(definition_id("view", "account", "active").to_string(), "0285dad1-d370-5b47-9529-a131112a7162");
    assert_eq!(definition_id("sitemap", "", "default"), standard().navigation_id);
    let forms = standard().forms.iter().map(|form| form.id);
    let all: Vec<Guid> = forms.chain(standard().views.iter().map(|view| view.id)).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(all.iter().all(|id| is_shipped(*id)) && !is_shipped(Guid::nil()));
}

#[test]
fn every_edition_has_its_digest() {
    let schema = schema();
    let mut digest = Guid::nil();
    for name in ["systemform", "savedquery", "sitemap"] {
        for row in initial_rows(&schema, schema.table_named(name).unwrap()) {
            let mut values = row.values;
            values.sort_by_key(|(column, _)| *column);
            digest = Guid::new_v5(&digest, format!("{} {values:?}", row.id).as_bytes());
        }
    }
    let present = format!("{EDITION}: {digest}");
    assert_eq!(present, EDITION_DIGEST, "the data files changed: raise EDITION, and put the digest here");
}

#[test]
fn every_form_reads_back_as_what_it_was_written_from() {
    let schema = schema();
    for form in &standard().forms {
        let table = schema.table_named(&form.table).unwrap();
        let xml = write_form(table, form);
        let head = FormHead { id: form.id, table, kind: form.kind, name: &form.name };
        for purpose in [Purpose::Check, Purpose::Show] {
            let read = read_form(&schema, head, &xml, purpose, &Limits::default());
            assert_eq!(read.as_ref(), Ok(form), "{} {}\n{xml}", form.table, form.name);
        }
    }
    let xml = write_navigation(&standard().navigation);
    assert_eq!(read_navigation(&schema, &xml, Purpose::Check, &Limits::default()).as_ref(), Ok(&standard().navigation));
}

#[test]
fn every_view_can_be_run_and_reads_back() {
    let schema = schema();
    let asker = Asker::plain(1_767_323_045, Guid::from_u128(1), Guid::from_u128(2));
    for view in &standard().views {
        let table = schema.table_named(&view.table).unwrap();
        let fetch = Fetch::read(&view.fetch_xml, &QueryLimits::default());
        let fetch = fetch.unwrap_or_else(|error| panic!("{} {}: {error}", view.table, view.name));
        fetch
            .resolve(&schema, &asker, &QueryLimits::default())
            .unwrap_or_else(|error| panic!("{} {}: {error}", view.table, view.name));
        assert_eq!(asked_tables(&view.fetch_xml, &Limits::default()).unwrap(), [view.table.as_str()]);
        let layout = write_layout(table, view);
        let head = ViewHead { id: view.id, table, name: &view.name, kind: view.kind, default: view.default };
        let texts = ViewTexts { fetch: &view.fetch_xml, layout: Some(&layout) };
        assert_eq!(read_view(&schema, head, texts, Purpose::Check, &Limits::default()).as_ref(), Ok(view));
        let names: HashSet<_> = view.columns.iter().map(|column| &column.column).collect();
        assert_eq!(names.len(), view.columns.len(), "{} {} names a column twice", view.table, view.name);
        assert!((60..=600).contains(&view.columns[0].width));
    }
}

#[test]
fn every_table_that_people_work_with_has_forms_and_views() {
    let schema = schema();
    let mut views: HashMap<&str, Vec<_>> = HashMap::new();
    for view in &standard().views {
        views.entry(&view.table).or_default().push(view);
    }
    let main: HashSet<&str> =
        standard().forms.iter().filter(|form| form.kind == FormKind::Main).map(|form| form.table.as_str()).collect();
    for name in WITH_FORMS.split_whitespace() {
        assert!(main.contains(name), "{name} has no main form");
    }
    for form in &standard().forms {
        assert!(views.contains_key(form.table.as_str()), "{} has forms and no views", form.table);
        let mut seen = HashSet::new();
        for cell in cells(form) {
            match &cell.control {
                Control::Field { column, .. } => {
                    let in_header = form
                        .header
                        .iter()
                        .any(|cell| matches!(&cell.control, Control::Field { column: of, .. } if of == column));
                    assert!(seen.insert(column) || in_header, "{} {}: {column} stands twice", form.table, form.name);
                }
                Control::Subgrid { table, view_id, .. } => {
                    let offered =
                        views.get(table.as_str()).unwrap_or_else(|| panic!("{}: no views of {table}", form.table));
                    assert!(offered.iter().any(|view| Some(view.id) == *view_id), "{}: {table}", form.table);
                }
                _ => {}
            }
        }
        if form.kind == FormKind::Main {
            assert!(form.display.everyone && form.display.fallback);
            let table = schema.table_named(&form.table).unwrap();
            let named = table.primary_name.and_then(|id| table.column_by_id(id)).filter(|column| column.creatable);
            let is_made = NAMED_BY_OTHERS.split_whitespace().any(|name| name == table.name);
            let name = is_made || named.is_none_or(|column| seen.contains(&column.name));
            assert!(name, "{}: the name is not on the form", form.table);
        }
    }
    for (table, views) in &views {
        let defaults = views.iter().filter(|view| view.kind == ViewKind::Public && view.default).count();
        assert_eq!(defaults, 1, "{table}");
        for kind in [ViewKind::Lookup, ViewKind::Associated, ViewKind::Advanced] {
            assert_eq!(views.iter().filter(|view| view.kind == kind).count(), 1, "{table} {kind:?}");
        }
    }
    let mut items = standard().navigation.areas.iter().flat_map(|area| &area.groups).flat_map(|group| &group.items);
    assert!(items.all(|item| item.table.as_deref().is_none_or(|table| views.contains_key(table))));
}

#[test]
fn what_is_wrong_with_a_form_is_said_with_its_place() {
    let schema = schema();
    let table = schema.table_named("account").unwrap();
    let head = FormHead { id: Guid::nil(), table, kind: FormKind::Main, name: "A" };
    let form = |inside: &str| {
        format!(
            "<form>\n<tabs><tab><columns><column width=\"100%\"><sections><section><rows><row>\n{inside}\n</row></rows>\
             </section></sections></column></columns></tab></tabs></form>"
        )
    };
    let cell = |control: &str| form(&format!("<cell>{control}</cell>"));
    let conditions =
        |inside: &str| cell("<control datafieldname=\"name\"/>").replace("</form>", &format!("{inside}</form>"));
    let refused = [
        ("<form>".to_owned(), "not well-formed", 1),
        ("<page/>".to_owned(), "expected 'form'", 1),
        ("<form/>".to_owned(), "no tab", 1),
        ("<!DOCTYPE form [<!ENTITY a \"b\">]><form/>".to_owned(), "DTD", 1),
        (cell("<control datafieldname=\"nam\"/>"), "no column 'nam'", 3),
        (cell("<control classid=\"{E7A81278-8635-4d9e-8d4d-59480b391c5b}\"/>"), "no 'parameters'", 3),
        (
            cell(
                "<control classid=\"{E7A81278-8635-4d9e-8d4d-59480b391c5b}\"><parameters><TargetEntityType>acount</TargetEntityType></parameters></control>",
            ),
            "no table 'acount'",
            3,
        ),
        (
            cell(
                "<control classid=\"{E7A81278-8635-4d9e-8d4d-59480b391c5b}\"><parameters><TargetEntityType>contact</TargetEntityType><RelationshipName>none</RelationshipName></parameters></control>",
            ),
            "no relationship 'none'",
            3,
        ),
        (form("<cell visible=\"maybe\"/>"), "expected true or false", 3),
        (form("<cell colspan=\"9\"/>"), "from 0 to 4", 3),
        (conditions("<DisplayConditions><Role Id=\"x\"/></DisplayConditions>"), "GUID of a role", 4),
        (conditions("<DisplayConditions><Nobody/></DisplayConditions>"), "no display condition", 4),
        (conditions("<DisplayConditions Order=\"first\"/>"), "whole number", 4),
    ];
    for (xml, expected, line) in refused {
        let error = read_form(&schema, head, &xml, Purpose::Check, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{xml}: {error}");
        assert!(error.starts_with(&format!("line {line}, ")), "{xml}: {error}");
    }
    let shown = read_form(&schema, head, &cell("<control datafieldname=\"nam\"/>"), Purpose::Show, &Limits::default());
    assert!(cells(&shown.unwrap()).is_empty(), "what there is not is left out");
    let deep = format!("{}{}", "<form>".repeat(60), "</form>".repeat(60));
    let many = format!("<form>{}</form>", "<a/>".repeat(30_000));
    let long = format!("<form>{}</form>", " ".repeat(2 << 20));
    for (xml, limit) in [(deep, "definition_depth_max"), (many, "definition_nodes_max"), (long, "definition_bytes_max")]
    {
        let error = read_form(&schema, head, &xml, Purpose::Show, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(limit), "{error}");
    }
}

#[test]
fn a_form_says_whom_it_is_for() {
    let schema = schema();
    let form = standard().forms.iter().find(|form| form.table == "account" && form.kind == FormKind::Main).unwrap();
    let table = schema.table_named("account").unwrap();
    let role = Guid::from_u128(7);
    let mut bound = form.clone();
    bound.display.everyone = false;
    bound.display.roles = vec![role];
    bound.display.order = 3;
    bound.display.fallback = false;
    let xml = write_form(table, &bound);
    let head = FormHead { id: form.id, table, kind: form.kind, name: &form.name };
    assert_eq!(read_form(&schema, head, &xml, Purpose::Check, &Limits::default()).unwrap(), bound);
    let silent = xml.replace("DisplayConditions", "Other");
    let read = read_form(&schema, head, &silent, Purpose::Check, &Limits::default()).unwrap();
    assert!(read.display.everyone && !read.display.fallback && read.display.order == u32::MAX);
}

#[test]
fn what_is_wrong_with_views_and_site_maps_is_said() {
    let schema = schema();
    let table = schema.table_named("account").unwrap();
    let head = ViewHead { id: Guid::nil(), table, name: "V", kind: ViewKind::Public, default: false };
    let fetch = "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' \
                 to='primarycontactid' alias='c'><attribute name='fullname'/></link-entity></entity></fetch>";
    let view = |layout: &str, purpose| {
        let texts = ViewTexts { fetch, layout: Some(layout) };
        read_view(&schema, head, texts, purpose, &Limits::default())
    };
    let layout = |cells: &str| format!("<grid><row>{cells}</row></grid>");
    for (cells, expected) in [
        ("<cell name='nam'/>", "no column 'nam'"),
        ("<cell name='c.nam'/>", "no column 'nam'"),
        ("<cell name='d.fullname'/>", "no link with the alias 'd'"),
        ("", "no 'cell'"),
    ] {
        let error = view(&layout(cells), Purpose::Check).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(view(&layout(cells), Purpose::Show).unwrap().columns.is_empty());
    }
    let read = view(
        &layout("<cell name='name' width='9000'/><cell name='c.fullname' width='1' ishidden='1'/>"),
        Purpose::Check,
    );
    let columns = read.unwrap().columns;
    assert_eq!((columns[0].width, columns[0].alias.as_deref()), (600, None));
    assert_eq!((columns[1].width, columns[1].alias.as_deref(), columns[1].hidden), (60, Some("c"), true));
    assert_eq!(asked_tables(fetch, &Limits::default()).unwrap(), ["account", "contact"]);
    let map = |inside: &str| {
        let xml = format!("<SiteMap><Area Id='a'><Group Id='g'>{inside}</Group></Area></SiteMap>");
        (
            read_navigation(&schema, &xml, Purpose::Check, &Limits::default()),
            read_navigation(&schema, &xml, Purpose::Show, &Limits::default()),
        )
    };
    for (inside, expected) in [
        ("<SubArea Id='s' Entity='acount'/>", "no table 'acount'"),
        ("<SubArea Entity='account'/>", "no 'Id'"),
        ("<SubArea Id='s' Entity='account'><Privilege Entity='account' Privilege='Fly'/></SubArea>", "no right 'Fly'"),
        ("<SubArea Id='s' Entity='account'><Privilege Entity='acount'/></SubArea>", "no table 'acount'"),
    ] {
        assert!(map(inside).0.unwrap_err().to_string().contains(expected), "{inside}");
    }
    for url in ["javascript:alert(1)", "https://elsewhere.example", "/a/../b", "//elsewhere.example", "$webresource:x"]
    {
        let (checked, shown) = map(&format!("<SubArea Id='s' Url='{url}'/>"));
        assert!(checked.unwrap().areas[0].groups[0].items[0].route.is_none(), "{url}");
        assert!(shown.unwrap().areas[0].groups[0].items.is_empty(), "{url}");
    }
}
