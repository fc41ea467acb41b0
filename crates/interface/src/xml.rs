//! XML texts of definitions: read within bounds and with places, and written.

use custodia_schema::markup;
use roxmltree::{Document, Node, ParsingOptions};

use crate::error::DefinitionError;
use crate::limits::Limits;

/// What a definition is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be stored: what the schema does not know is refused, with the place.
    Check,
    /// To be shown: what the schema does not know is left out.
    Show,
}

/// The text as a document, without document types or entities, within bounds.
pub(crate) fn document<'t>(text: &'t str, limits: &Limits) -> Result<Document<'t>, DefinitionError> {
    let too_much = |limit, max| Err(DefinitionError::TooMuch { limit, max });
    if text.len() > limits.definition_bytes_max {
        return too_much("definition_bytes_max", limits.definition_bytes_max as u64);
    }
    if markup::is_costly(text) {
        return too_much("attributes of an element", markup::ATTRIBUTES_MAX as u64);
    }
    let nodes_limit = limits.definition_nodes_max;
    let options = ParsingOptions { allow_dtd: false, nodes_limit, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(roxmltree::Error::NodesLimitReached) => {
            return too_much("definition_nodes_max", u64::from(limits.definition_nodes_max));
        }
        Err(error) => {
            let place = error.pos();
            let problem = format!("it is not well-formed XML: {error}");
            return Err(DefinitionError::Wrong { line: place.row, column: place.col, problem });
        }
    };
    // Whoever goes down along elements does not meet more of them than this.
    let is_deep = |node: Node<'_, '_>| node.ancestors().nth(limits.definition_depth_max + 1).is_some();
    if document.descendants().any(is_deep) {
        return too_much("definition_depth_max", limits.definition_depth_max as u64);
    }
    Ok(document)
}

/// That a text is well-formed XML within bounds, whatever it says.
///
/// # Errors
/// [`DefinitionError`].
pub fn well_formed(text: &str, limits: &Limits) -> Result<(), DefinitionError> {
    document(text, limits).map(drop)
}

/// That something is wrong at a node.
pub(crate) fn wrong(node: Node<'_, '_>, problem: impl Into<String>) -> DefinitionError {
    let place = node.document().text_pos_at(node.range().start);
    DefinitionError::Wrong { line: place.row, column: place.col, problem: problem.into() }
}

/// The root element, which must have that name.
pub(crate) fn root<'d, 't>(document: &'d Document<'t>, name: &str) -> Result<Node<'d, 't>, DefinitionError> {
    let root = document.root_element();
    if is(root, name) {
        return Ok(root);
    }
    Err(wrong(root, format!("the root element is '{}'; expected '{name}'", root.tag_name().name())))
}

/// Whether a node is an element of that name, in whatever case: exported forms differ.
pub(crate) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name)
}

/// The child elements of that name.
pub(crate) fn children<'d, 't: 'd>(node: Node<'d, 't>, name: &'static str) -> impl Iterator<Item = Node<'d, 't>> {
    node.children().filter(move |child| is(*child, name))
}

/// The elements two steps below: `rows/row`.
pub(crate) fn below<'d, 't: 'd>(
    node: Node<'d, 't>,
    through: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'d, 't>> {
    children(node, through).flat_map(move |found| children(found, name))
}

/// An attribute by its name, in whatever case; `None` when it is empty.
pub(crate) fn attribute<'d>(node: Node<'d, '_>, name: &str) -> Option<&'d str> {
    let found = node.attributes().find(|attribute| attribute.name().eq_ignore_ascii_case(name));
    found.map(|attribute| attribute.value().trim()).filter(|value| !value.is_empty())
}

/// A switch: `true`, `1` and their opposites.
pub(crate) fn flag(node: Node<'_, '_>, name: &str, default: bool) -> Result<bool, DefinitionError> {
    switch(node, name, attribute(node, name), default)
}

/// The same where the value stands in an element.
pub(crate) fn switch(
    node: Node<'_, '_>,
    name: &str,
    value: Option<&str>,
    default: bool,
) -> Result<bool, DefinitionError> {
    match value {
        None => Ok(default),
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(value) => Err(wrong(node, format!("'{name}' is '{value}'; expected true or false"))),
    }
}

/// A whole number within bounds.
pub(crate) fn number(
    node: Node<'_, '_>,
    name: &str,
    value: Option<&str>,
    default: u32,
    most: u32,
) -> Result<u32, DefinitionError> {
    let Some(value) = value else { return Ok(default) };
    match value.parse::<u32>() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(wrong(node, format!("'{name}' is '{value}'; expected a whole number from 0 to {most}"))),
    }
}

/// What an element says: its text without blanks around it; `None` when there is none.
pub(crate) fn said<'d>(node: Node<'d, '_>, name: &'static str) -> Option<&'d str> {
    children(node, name).next().and_then(|found| found.text()).map(str::trim).filter(|text| !text.is_empty())
}

/// Puts a text into XML.
pub(crate) fn escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // As they are, a reader would make blanks of them.
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(character))),
            other => out.push(other),
        }
    }
}

/// Begins an element with its attributes and leaves it open for more of them.
pub(crate) fn open(out: &mut String, name: &str, attributes: &[(&str, &str)]) {
    out.push('<');
    out.push_str(name);
    for (attribute, value) in attributes {
        out.push(' ');
        out.push_str(attribute);
        out.push_str("=\"");
        escaped(out, value);
        out.push('"');
    }
}
