//! Navigation as a `SiteMap`.

use custodia_schema::{Guid, PrivilegeKind, Schema};
use roxmltree::Node;

use crate::error::DefinitionError;
use crate::limits::Limits;
use crate::model::{Area, Group, Item, ItemPrivilege, Navigation};
use crate::xml::{Purpose, attribute, below, children, document, open, root, wrong};

/// The language of titles, as long as there is one only.
const LANGUAGE: &str = "1033";

/// Reads a site map. Pages of other programs (`@Url` that is no path of the web app) are kept in the text and not shown.
///
/// # Errors
/// [`DefinitionError`]: it is not well-formed or too large; for [`Purpose::Check`] also when it names a table or a right that
/// there is not.
pub fn read_navigation(
    schema: &Schema,
    text: &str,
    purpose: Purpose,
    limits: &Limits,
) -> Result<Navigation, DefinitionError> {
    let document = document(text.trim(), limits)?;
    let site_map = root(&document, "SiteMap")?;
    let mut areas = Vec::new();
    for area in children(site_map, "Area") {
        let mut groups = Vec::new();
        for group in children(area, "Group") {
            let mut items = Vec::new();
            for sub_area in children(group, "SubArea") {
                items.extend(item(schema, sub_area, purpose)?);
            }
            groups.push(Group { id: id_of(group)?, title: title(group).unwrap_or_default(), items });
        }
        let id = id_of(area)?;
        let title = title(area).unwrap_or_else(|| id.clone());
        areas.push(Area { id, title, icon: attribute(area, "Icon").map(str::to_owned), groups });
    }
    if areas.is_empty() && purpose == Purpose::Check {
        return Err(wrong(site_map, "the site map has no 'Area'"));
    }
    Ok(Navigation { areas })
}

/// A sub-area; `None` when it leads nowhere here.
fn item(schema: &Schema, node: Node<'_, '_>, purpose: Purpose) -> Result<Option<Item>, DefinitionError> {
    let missing = |node: Node<'_, '_>, problem: String| match purpose {
        Purpose::Check => Err(wrong(node, problem)),
        Purpose::Show => Ok(None),
    };
    let id = id_of(node)?;
    let mut table = None;
    if let Some(name) = attribute(node, "Entity") {
        let Some(found) = schema.table_named(&name.to_ascii_lowercase()) else {
            return missing(node, format!("there is no table '{name}'"));
        };
        table = Some(found);
    }
    let mut privileges = Vec::new();
    for privilege in children(node, "Privilege") {
        let name = attribute(privilege, "Entity").unwrap_or_default().to_ascii_lowercase();
        if schema.table_named(&name).is_none() {
            return missing(privilege, format!("there is no table '{name}'"));
        }
        let mut rights = Vec::new();
        for word in attribute(privilege, "Privilege").unwrap_or("Read").split(',').map(str::trim) {
            if word.eq_ignore_ascii_case("All") {
                rights.extend(PrivilegeKind::ALL.map(|kind| kind.word().to_owned()));
                continue;
            }
            match PrivilegeKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word)) {
                Some(kind) => rights.push(kind.word().to_owned()),
                None => return missing(privilege, format!("there is no right '{word}' on records")),
            }
        }
        privileges.push(ItemPrivilege { table: name, rights });
    }
    let dashboard = attribute(node, "DefaultDashboard").and_then(|id| Guid::try_parse(id).ok());
    let route = attribute(node, "Url").filter(|url| is_route(url)).map(str::to_owned);
    if purpose == Purpose::Show && table.is_none() && dashboard.is_none() && route.is_none() {
        return Ok(None);
    }
    let title = title(node).or_else(|| table.map(|table| table.display_collection_name.text().to_owned()));
    Ok(Some(Item {
        title: title.unwrap_or_else(|| id.clone()),
        id,
        icon: attribute(node, "Icon").map(str::to_owned),
        table: table.map(|table| table.name.clone()),
        dashboard_id: dashboard,
        route,
        privileges,
    }))
}

/// Whether an address is a page of the web app: words and hyphens between slashes, and nothing else.
fn is_route(url: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    url.strip_prefix('/').is_some_and(|path| path.split('/').all(word))
}

fn id_of(node: Node<'_, '_>) -> Result<String, DefinitionError> {
    let id = attribute(node, "Id").map(str::to_owned);
    id.ok_or_else(|| wrong(node, format!("'{}' has no 'Id'", node.tag_name().name())))
}

/// The title in the base language, else the first, else the attribute.
fn title(node: Node<'_, '_>) -> Option<String> {
    let mut titles = below(node, "Titles", "Title").peekable();
    let first = titles.peek().copied();
    let found = titles.find(|title| attribute(*title, "LCID") == Some(LANGUAGE)).or(first);
    found.and_then(|title| attribute(title, "Title")).or_else(|| attribute(node, "Title")).map(str::to_owned)
}

/// Writes a site map.
#[must_use]
pub fn write_navigation(navigation: &Navigation) -> String {
    let mut out = String::with_capacity(4_096);
    out.push_str("<SiteMap>");
    for area in &navigation.areas {
        begin(&mut out, "Area", &area.id, area.icon.as_deref(), &[]);
        titled(&mut out, &area.title);
        for group in &area.groups {
            begin(&mut out, "Group", &group.id, None, &[]);
            titled(&mut out, &group.title);
            for item in &group.items {
                let dashboard = item.dashboard_id.map(|id| id.to_string());
                let leads = [
                    ("Entity", item.table.as_deref()),
                    ("Url", item.route.as_deref()),
                    ("DefaultDashboard", dashboard.as_deref()),
                ];
                begin(&mut out, "SubArea", &item.id, item.icon.as_deref(), &leads);
                titled(&mut out, &item.title);
                for privilege in &item.privileges {
                    let rights = privilege.rights.join(",");
                    open(&mut out, "Privilege", &[("Entity", &privilege.table), ("Privilege", &rights)]);
                    out.push_str("/>");
                }
                out.push_str("</SubArea>");
            }
            out.push_str("</Group>");
        }
        out.push_str("</Area>");
    }
    out.push_str("</SiteMap>");
    out
}

fn begin(out: &mut String, name: &str, id: &str, icon: Option<&str>, more: &[(&str, Option<&str>)]) {
    let given = std::iter::once(("Icon", icon)).chain(more.iter().copied());
    let mut attributes = vec![("Id", id)];
    attributes.extend(given.filter_map(|(name, value)| Some((name, value?))));
    open(out, name, &attributes);
    out.push('>');
}

fn titled(out: &mut String, title: &str) {
    out.push_str("<Titles>");
    open(out, "Title", &[("LCID", LANGUAGE), ("Title", title)]);
    out.push_str("/></Titles>");
}
