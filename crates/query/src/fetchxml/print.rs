//! A [`Fetch`] as XML: what [`Fetch::read`] reads as the same query.

use std::fmt::Write as _;

use super::document::{Attribute, Condition, Contents, Fetch, FilterElement, LinkElement, Sort, Test};

impl Fetch {
    /// Writes the query.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = Printer { text: String::new() };
        out.text.push_str("<fetch");
        for (name, number) in
            [("top", self.top), ("count", self.count), ("page", self.page), ("aggregatelimit", self.aggregate_limit)]
        {
            out.number(name, number);
        }
        out.optional("paging-cookie", self.paging_cookie.as_deref());
        out.flag("returntotalrecordcount", self.total);
        out.flag("distinct", self.distinct);
        out.flag("aggregate", self.aggregate);
        out.flag("useraworderby", self.raw_order);
        out.optional("datasource", self.retained.then_some("retained"));
        out.text.push_str("><entity");
        out.attribute("name", &self.table);
        out.text.push('>');
        out.contents(&self.contents);
        out.text.push_str("</entity></fetch>");
        out.text
    }
}

struct Printer {
    text: String,
}

impl Printer {
    fn contents(&mut self, contents: &Contents) {
        if contents.no_attributes {
            self.text.push_str("<no-attrs/>");
        }
        if contents.all_attributes {
            self.text.push_str("<all-attributes/>");
        }
        contents.attributes.iter().for_each(|attribute| self.column(attribute));
        contents.orders.iter().for_each(|sort| self.sort(sort));
        contents.filters.iter().for_each(|filter| self.filter(filter));
        contents.links.iter().for_each(|link| self.link(link));
    }

    fn column(&mut self, column: &Attribute) {
        self.text.push_str("<attribute");
        self.attribute("name", &column.name);
        self.optional("alias", column.alias.as_deref());
        self.optional("aggregate", column.aggregate.map(super::Aggregate::name));
        self.flag("groupby", column.group);
        self.optional("dategrouping", column.date_grouping.map(super::DateGrouping::name));
        self.optional("usertimezone", (!column.user_time_zone).then_some("false"));
        self.flag("distinct", column.distinct);
        self.optional("rowaggregate", column.count_children.then_some("CountChildren"));
        self.text.push_str("/>");
    }

    fn sort(&mut self, sort: &Sort) {
        self.text.push_str("<order");
        self.optional("attribute", sort.attribute.as_deref());
        self.optional("alias", sort.alias.as_deref());
        self.optional("entityname", sort.entity.as_deref());
        self.flag("descending", sort.descending);
        self.text.push_str("/>");
    }

    fn filter(&mut self, filter: &FilterElement) {
        self.text.push_str("<filter");
        self.attribute("type", if filter.any { "or" } else { "and" });
        self.text.push('>');
        for test in &filter.tests {
            match test {
                Test::Condition(condition) => self.condition(condition),
                Test::Filter(filter) => self.filter(filter),
                Test::Link(link) => self.link(link),
            }
        }
        self.text.push_str("</filter>");
    }

    fn condition(&mut self, condition: &Condition) {
        self.text.push_str("<condition");
        self.optional("entityname", condition.entity.as_deref());
        self.attribute("attribute", &condition.attribute);
        self.attribute("operator", &condition.operator);
        self.optional("valueof", condition.value_of.as_deref());
        match condition.values.as_slice() {
            [] => self.text.push_str("/>"),
            [only] => {
                self.attribute("value", only);
                self.text.push_str("/>");
            }
            several => {
                self.text.push('>');
                for value in several {
                    self.text.push_str("<value>");
                    self.escaped(value);
                    self.text.push_str("</value>");
                }
                self.text.push_str("</condition>");
            }
        }
    }

    fn link(&mut self, link: &LinkElement) {
        self.text.push_str("<link-entity");
        self.attribute("name", &link.table);
        self.optional("from", link.from.as_deref());
        self.optional("to", link.to.as_deref());
        self.optional("alias", link.alias.as_deref());
        self.attribute("link-type", link.kind.name());
        self.text.push('>');
        self.contents(&link.contents);
        self.text.push_str("</link-entity>");
    }

    fn number(&mut self, name: &str, number: Option<u32>) {
        if let Some(number) = number {
            self.attribute(name, &number.to_string());
        }
    }

    fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.attribute(name, "true");
        }
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.attribute(name, value);
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.escaped(value);
        self.text.push('"');
    }

    /// Control characters become references, so that reading them does not make blanks of them.
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                control if control.is_control() => {
                    // Writing into a string cannot fail.
                    let _ = write!(self.text, "&#{};", u32::from(control));
                }
                other => self.text.push(other),
            }
        }
    }
}
