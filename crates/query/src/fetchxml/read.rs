//! XML into a [`Fetch`].

use custodia_schema::markup;
use roxmltree::{Document, Node, ParsingOptions};

use super::FetchXmlError;
use super::document::{
    AGGREGATES, Attribute, Condition, Contents, DATE_GROUPINGS, Fetch, FilterElement, LINK_TYPES, LinkElement,
    LinkType, Sort, Test,
};
use crate::odata::Limits;

/// Most rows of a page and of `top`, as in Dataverse.
const ROWS_MAX: u32 = 5_000;

impl Fetch {
    /// Reads a query. Attributes that are not known are passed over, elements are not.
    ///
    /// # Errors
    /// [`FetchXmlError::Malformed`] for what is no XML or has elements and attributes in the wrong form or place;
    /// [`FetchXmlError::TooMuch`].
    pub fn read(text: &str, limits: &Limits) -> Result<Self, FetchXmlError> {
        if text.len() > limits.fetchxml_bytes_max {
            return Err(too_much("fetchxml_bytes_max", limits.fetchxml_bytes_max));
        }
        if markup::is_costly(text) {
            return Err(too_much("attributes of an element", markup::ATTRIBUTES_MAX));
        }
        let nodes_limit = u32::try_from(limits.fetchxml_nodes_max).unwrap_or(u32::MAX);
        let options = ParsingOptions { allow_dtd: false, nodes_limit, ..ParsingOptions::default() };
        let document = match Document::parse_with_options(text.trim(), options) {
            Ok(document) => document,
            Err(roxmltree::Error::NodesLimitReached) => {
                return Err(too_much("fetchxml_nodes_max", limits.fetchxml_nodes_max));
            }
            Err(error) => return Err(FetchXmlError::Malformed(error.to_string())),
        };
        // Whoever goes down along elements does not meet more of them than this.
        let is_deep = |node: Node<'_, '_>| node.ancestors().nth(limits.fetchxml_depth_max + 1).is_some();
        if document.descendants().any(is_deep) {
            return Err(too_much("fetchxml_depth_max", limits.fetchxml_depth_max));
        }
        refuse_withheld_attributes(&document, limits)?;
        let mut reader = Reader { limits, conditions: 0, links: 0, values: 0, orders: 0 };
        reader.fetch(document.root_element())
    }
}

/// An attribute that is withheld is refused: a query without it would be another one.
fn refuse_withheld_attributes(document: &Document<'_>, limits: &Limits) -> Result<(), FetchXmlError> {
    if limits.withheld.is_empty() {
        return Ok(());
    }
    for element in document.descendants().filter(Node::is_element) {
        for attribute in element.attributes() {
            if limits.withheld.has("fetchxml.attribute", &format!("{}.{}", name(element), attribute.name())) {
                let problem = format!("this service has no attribute '{}' of '{}'", attribute.name(), name(element));
                return Err(malformed(problem));
            }
        }
    }
    Ok(())
}

fn too_much(limit: &'static str, max: usize) -> FetchXmlError {
    FetchXmlError::TooMuch { limit, max }
}

fn malformed(problem: String) -> FetchXmlError {
    FetchXmlError::Malformed(problem)
}

struct Reader<'l> {
    limits: &'l Limits,
    conditions: usize,
    links: usize,
    values: usize,
    orders: usize,
}

impl Reader<'_> {
    /// What an element is called, if there is such an element here.
    fn known<'a>(&self, element: Node<'a, '_>) -> &'a str {
        let name = name(element);
        if self.limits.withheld.has("fetchxml.element", name) { "" } else { name }
    }

    /// What a name stands for in a list of names, if it is not withheld.
    fn named<T: Copy>(&self, area: &str, names: &[(&str, T)], wanted: &str) -> Option<T> {
        let found = names.iter().find(|(name, _)| *name == wanted).map(|(_, meaning)| *meaning);
        found.filter(|_| !self.limits.withheld.has(area, wanted))
    }

    fn fetch(&mut self, root: Node<'_, '_>) -> Result<Fetch, FetchXmlError> {
        if name(root) != "fetch" {
            return Err(malformed(format!("the root element is '{}'; expected 'fetch'", name(root))));
        }
        let mut entities = elements(root);
        let Some(entity) = entities.next() else {
            return Err(malformed("'fetch' has no element 'entity'".to_owned()));
        };
        if name(entity) != "entity" {
            return Err(unexpected(entity, root));
        }
        if let Some(another) = entities.next() {
            return Err(unexpected(another, root));
        }
        let fetch = Fetch {
            top: number(root, "top", 1, ROWS_MAX)?,
            count: number(root, "count", 1, u32::MAX)?.map(|count| count.min(ROWS_MAX)),
            page: number(root, "page", 1, u32::MAX)?,
            paging_cookie: root.attribute("paging-cookie").filter(|cookie| !cookie.is_empty()).map(str::to_owned),
            total: flag(root, "returntotalrecordcount", false)?,
            distinct: flag(root, "distinct", false)?,
            aggregate: flag(root, "aggregate", false)?,
            aggregate_limit: number(root, "aggregatelimit", 1, self.limits.aggregate_rows_max)?,
            raw_order: flag(root, "useraworderby", false)?,
            retained: root.attribute("datasource").is_some_and(|source| source.eq_ignore_ascii_case("retained")),
            table: required(entity, "name")?,
            contents: self.contents(entity)?,
        };
        if fetch.top.is_some() && (fetch.page.is_some() || fetch.count.is_some() || fetch.total) {
            return Err(FetchXmlError::invalid(
                "'top' cannot be combined with 'page', 'count' or 'returntotalrecordcount'",
            ));
        }
        Ok(fetch)
    }

    fn contents(&mut self, parent: Node<'_, '_>) -> Result<Contents, FetchXmlError> {
        let mut contents = Contents::default();
        for element in elements(parent) {
            match self.known(element) {
                "attribute" => contents.attributes.push(self.attribute(element)?),
                "all-attributes" => contents.all_attributes = true,
                "no-attrs" => contents.no_attributes = true,
                "order" => {
                    self.orders += 1;
                    if self.orders > self.limits.order_keys_max {
                        return Err(too_much("order_keys_max", self.limits.order_keys_max));
                    }
                    contents.orders.push(sort(element)?);
                }
                "filter" => contents.filters.push(self.filter(element)?),
                "link-entity" => {
                    let link = self.link(element)?;
                    if link.kind.is_test() {
                        let problem = format!(
                            "the link-type '{}' of the link to '{}' is a test and belongs within a 'filter'",
                            link.kind.name(),
                            link.table
                        );
                        return Err(FetchXmlError::Invalid(problem));
                    }
                    contents.links.push(link);
                }
                _ => return Err(unexpected(element, parent)),
            }
        }
        Ok(contents)
    }

    fn filter(&mut self, filter: Node<'_, '_>) -> Result<FilterElement, FetchXmlError> {
        let any = match filter.attribute("type") {
            None | Some("and") => false,
            Some("or") => true,
            Some(other) => return Err(malformed(format!("the type of a filter is '{other}'; expected 'and' or 'or'"))),
        };
        let mut tests = Vec::new();
        for element in elements(filter) {
            tests.push(match self.known(element) {
                "condition" => Test::Condition(self.condition(element)?),
                "filter" => Test::Filter(self.filter(element)?),
                "link-entity" => {
                    let link = self.link(element)?;
                    if !link.kind.is_test() {
                        let problem = format!(
                            "the link-type '{}' of the link to '{}' is none of those that belong within a 'filter': \
                             any, not any, all, not all",
                            link.kind.name(),
                            link.table
                        );
                        return Err(FetchXmlError::Invalid(problem));
                    }
                    Test::Link(link)
                }
                _ => return Err(unexpected(element, filter)),
            });
        }
        Ok(FilterElement { any, tests })
    }

    fn condition(&mut self, condition: Node<'_, '_>) -> Result<Condition, FetchXmlError> {
        self.conditions += 1;
        if self.conditions > self.limits.conditions_max {
            return Err(too_much("conditions_max", self.limits.conditions_max));
        }
        let attribute = required(condition, "attribute")?;
        if condition.attribute("aggregate").is_some() {
            return Err(FetchXmlError::Unsupported(format!("an aggregate in the condition on '{attribute}'")));
        }
        let mut values = Vec::new();
        for element in elements(condition) {
            if self.known(element) != "value" {
                return Err(unexpected(element, condition));
            }
            if let Some(inner) = elements(element).next() {
                return Err(unexpected(inner, element));
            }
            self.values += 1;
            if self.values > self.limits.in_values_max {
                return Err(too_much("in_values_max", self.limits.in_values_max));
            }
            values.push(element.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect());
        }
        let value_of = condition.attribute("valueof").map(str::to_owned);
        if let Some(value) = condition.attribute("value") {
            if !values.is_empty() {
                let problem = format!("the condition on '{attribute}' has both an attribute and elements 'value'");
                return Err(FetchXmlError::Invalid(problem));
            }
            values.push(value.to_owned());
        }
        if value_of.is_some() && !values.is_empty() {
            let problem = format!("the condition on '{attribute}' has both 'value' and 'valueof'");
            return Err(FetchXmlError::Invalid(problem));
        }
        Ok(Condition {
            operator: required(condition, "operator")?,
            values,
            value_of,
            entity: condition.attribute("entityname").filter(|entity| !entity.is_empty()).map(str::to_owned),
            attribute,
        })
    }

    fn link(&mut self, link: Node<'_, '_>) -> Result<LinkElement, FetchXmlError> {
        self.links += 1;
        if self.links > self.limits.links_max {
            return Err(too_much("links_max", self.limits.links_max));
        }
        let table = required(link, "name")?;
        let kind = match link.attribute("link-type") {
            None | Some("") => LinkType::Inner,
            Some(written) => self.named("fetchxml.link-type", &LINK_TYPES, written).ok_or_else(|| {
                FetchXmlError::invalid(format!("the link to '{table}' has an unknown link-type '{written}'"))
            })?,
        };
        let text = |name: &str| link.attribute(name).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(LinkElement {
            from: text("from"),
            to: text("to"),
            alias: text("alias"),
            kind,
            contents: self.contents(link)?,
            table,
        })
    }

    fn attribute(&self, node: Node<'_, '_>) -> Result<Attribute, FetchXmlError> {
        let name = required(node, "name")?;
        let known = |what: &str, written: &str| {
            FetchXmlError::invalid(format!("the attribute '{name}' has an unknown {what} '{written}'"))
        };
        let aggregate = match node.attribute("aggregate") {
            None => None,
            Some(written) => {
                let found = self.named("fetchxml.aggregate", &AGGREGATES, written);
                Some(found.ok_or_else(|| known("aggregate", written))?)
            }
        };
        let date_grouping = match node.attribute("dategrouping") {
            None => None,
            Some(written) => {
                let found = self.named("fetchxml.date-grouping", &DATE_GROUPINGS, written);
                Some(found.ok_or_else(|| known("dategrouping", written))?)
            }
        };
        let count_children = match node.attribute("rowaggregate") {
            None => false,
            Some(written) if written.eq_ignore_ascii_case("countchildren") => true,
            Some(written) => return Err(known("rowaggregate", written)),
        };
        Ok(Attribute {
            alias: node.attribute("alias").map(str::to_owned),
            aggregate,
            group: flag(node, "groupby", false)?,
            date_grouping,
            user_time_zone: flag(node, "usertimezone", true)?,
            distinct: flag(node, "distinct", false)?,
            count_children,
            name,
        })
    }
}

fn sort(node: Node<'_, '_>) -> Result<Sort, FetchXmlError> {
    let text = |name: &str| node.attribute(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let sort = Sort {
        attribute: text("attribute"),
        alias: text("alias"),
        entity: text("entityname"),
        descending: flag(node, "descending", false)?,
    };
    if sort.attribute.is_none() && sort.alias.is_none() {
        return Err(malformed("an element 'order' has neither 'attribute' nor 'alias'".to_owned()));
    }
    Ok(sort)
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

fn unexpected(element: Node<'_, '_>, parent: Node<'_, '_>) -> FetchXmlError {
    let position = element.document().text_pos_at(element.range().start);
    malformed(format!("unexpected element '{}' within '{}' at {position}", name(element), name(parent)))
}

fn required(node: Node<'_, '_>, wanted: &str) -> Result<String, FetchXmlError> {
    match node.attribute(wanted) {
        Some(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => {
            let position = node.document().text_pos_at(node.range().start);
            Err(malformed(format!("the element '{}' at {position} has no attribute '{wanted}'", name(node))))
        }
    }
}

fn flag(node: Node<'_, '_>, wanted: &str, default: bool) -> Result<bool, FetchXmlError> {
    match node.attribute(wanted) {
        None | Some("") => Ok(default),
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => {
            Err(malformed(format!("'{wanted}' of '{}' is '{other}'; expected 'true' or 'false'", name(node))))
        }
    }
}

fn number(node: Node<'_, '_>, wanted: &str, least: u32, most: u32) -> Result<Option<u32>, FetchXmlError> {
    let Some(text) = node.attribute(wanted).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(malformed(format!(
            "'{wanted}' of '{}' is '{text}'; expected a whole number from {least} to {most}",
            name(node)
        ))),
    }
}
