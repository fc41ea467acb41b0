//! Questions in every language the protocol has: FetchXML, nested options and lambdas of OData, `$apply`, query functions,
//! `?sql=`, stored views, change tracking, batches and descriptions.

use std::sync::Arc;

use custodia_schema::{ColumnKind, Table};

use super::{Call, Calls, Expected};

/// Kinds of links as FetchXML names them: those that give rows of their own, and those that only test.
const JOINS: [&str; 5] = ["inner", "outer", "exists", "in", "matchfirstrowusingcrossapply"];
const TESTS: [&str; 4] = ["any", "not any", "all", "not all"];

/// Query functions of texts that nearly every row passes, or none.
const OF_TEXTS: [&str; 8] = [
    "Contains(PropertyName='{}',PropertyValue='a')",
    "BeginsWith(PropertyName='{}',PropertyValue='q')",
    "EndsWith(PropertyName='{}',PropertyValue='1')",
    "DoesNotBeginWith(PropertyName='{}',PropertyValue='x')",
    "Like(PropertyName='{}',PropertyValue='%25a%25')",
    "NotLike(PropertyName='{}',PropertyValue='x%25')",
    "In(PropertyName='{}',PropertyValues=['a','qz'])",
    "NotIn(PropertyName='{}',PropertyValues=['a'])",
];

/// Query functions of the time when a record was made.
const OF_TIMES: [&str; 6] = [
    "LastXYears(PropertyName='createdon',PropertyValue=3)",
    "LastXHours(PropertyName='createdon',PropertyValue=2)",
    "ThisFiscalYear(PropertyName='createdon')",
    "OlderThanXDays(PropertyName='createdon',PropertyValue=1)",
    "OnOrAfter(PropertyName='createdon',PropertyValue='2026-01-01')",
    "Between(PropertyName='createdon',PropertyValues=['2020-01-01','2999-01-01'])",
];

/// Descriptions, with a part for a table's name.
const DESCRIPTIONS: [&str; 10] = [
    "EntityDefinitions(LogicalName='{}')",
    "EntityDefinitions(LogicalName='{}')/Attributes?$select=LogicalName,DisplayName",
    "EntityDefinitions(LogicalName='{}')?$expand=Keys,OneToManyRelationships($select=SchemaName)",
    "EntityDefinitions(LogicalName='{}')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet",
    "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq '{}'",
    "RelationshipDefinitions?$select=SchemaName",
    "GlobalOptionSetDefinitions?$select=Name",
    "RetrieveMetadataChanges(Query=@q)?@q=%7B%22Properties%22:%7B%22PropertyNames%22:%5B%22LogicalName%22%5D%7D%7D",
    "RetrieveTotalRecordCount(EntityNames=['{}'])",
    "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')",
];

/// Rows of another table beside those of one.
struct Beside {
    table: Arc<Table>,
    /// The other table's column, and the one that is equal to it.
    from: String,
    to: String,
    navigation: String,
    is_many: bool,
}

impl Calls {
    /// One of these questions.
    pub(super) fn question(&mut self) -> Call {
        match self.random.below(21) {
            0..5 => self.fetch_with_a_link(),
            5 => self.fetch_groups(),
            6 => self.fetch_page(),
            7 => self.stored_view(),
            8..10 => self.lambda(),
            10..12 => self.nested_expand(),
            12 => self.applied(),
            13 => self.query_function(),
            14 => self.selection(),
            15..17 => self.tracked(),
            17..19 => self.batch_of_questions(),
            19 => self.quoting_mistake(),
            _ => self.description(),
        }
    }

    // -- Parts --------------------------------------------------------------------------------------------------------

    fn text_column(&mut self, table: &Table) -> Option<String> {
        let texts: Vec<&str> =
            table.columns().iter().filter(|column| column.kind.is_text()).map(|column| column.name.as_str()).collect();
        (!texts.is_empty()).then(|| texts[self.random.below(texts.len())].to_owned())
    }

    /// A table with a set and texts.
    fn texts(&mut self) -> (Arc<Table>, String) {
        loop {
            // Most with records of the other, so that the same question shows something there.
            let table = if self.random.below(4) == 0 { self.target().0 } else { self.filled().0 };
            if let Some(column) = self.text_column(&table) {
                return (table, column);
            }
        }
    }

    fn key(table: &Table) -> String {
        table.column_by_id(table.primary_id).unwrap().name.clone()
    }

    fn beside(&mut self, table: &Table) -> Option<Beside> {
        let schema = Arc::clone(&self.schema);
        let up = schema.parents_of(table.id).filter_map(|relationship| {
            let target = Arc::clone(schema.table(relationship.referenced)?);
            let to = table.column_by_id(relationship.referencing_column)?.name.clone();
            let navigation = relationship.lookup_navigation.clone();
            Some(Beside { from: Self::key(&target), table: target, to, navigation, is_many: false })
        });
        let down = schema.children_of(table.id).filter_map(|relationship| {
            let child = Arc::clone(schema.table(relationship.referencing)?);
            let from = child.column_by_id(relationship.referencing_column)?.name.clone();
            let navigation = relationship.collection_navigation.clone();
            Some(Beside { table: child, from, to: Self::key(table), navigation, is_many: true })
        });
        let mut all: Vec<Beside> = up.chain(down).collect();
        // Many to tables with records of the other, and to who made the record, which every record knows.
        let wanted: Vec<usize> = match self.random.below(4) {
            0 => (0..all.len()).filter(|at| all[*at].to == "createdby").collect(),
            1 | 2 => {
                let is_filled =
                    |table: &Table| self.targets.iter().any(|(of, ids)| of.id == table.id && !ids.is_empty());
                (0..all.len()).filter(|at| is_filled(&all[*at].table)).collect()
            }
            _ => Vec::new(),
        };
        if !wanted.is_empty() {
            let at = wanted[self.random.below(wanted.len())];
            return Some(all.swap_remove(at));
        }
        if all.is_empty() {
            return None;
        }
        let at = self.random.below(all.len());
        Some(all.swap_remove(at))
    }

    fn fetch(&mut self, kind: &'static str, set: &str, xml: &str) -> Call {
        let rest = format!("{set}?fetchXml={}", encoded(xml));
        let mut call = self.call(kind, Expected::Anything, "GET", rest);
        if self.random.below(2) == 0 {
            call.headers.push(("Prefer".into(), "odata.include-annotations=\"*\"".into()));
        }
        call
    }

    // -- FetchXML -----------------------------------------------------------------------------------------------------

    fn fetch_with_a_link(&mut self) -> Call {
        let (table, column) = self.texts();
        let Some(beside) = self.beside(&table) else { return self.list() };
        let word = ["%a%", "q%", "%1", "%"][self.random.below(4)];
        let test = match self.text_column(&beside.table).filter(|_| self.random.below(2) == 0) {
            Some(column) => {
                format!("<filter><condition attribute='{column}' operator='like' value='{word}'/></filter>")
            }
            None => String::new(),
        };
        let Beside { table: other, from, to, .. } = &beside;
        let link = |kind: &str, inside: &str| {
            let name = &other.name;
            format!(
                "<link-entity name='{name}' from='{from}' to='{to}' link-type='{kind}' alias='l'>{inside}</link-entity>"
            )
        };
        let (kind, inside) = if self.random.below(2) == 0 {
            let way = self.random.below(JOINS.len());
            let shown = match self.text_column(&beside.table) {
                // These two only test.
                Some(column) if !matches!(JOINS[way], "exists" | "in") => format!("<attribute name='{column}'/>"),
                _ => String::new(),
            };
            let kind = [
                "FetchXML, inner",
                "FetchXML, outer",
                "FetchXML, exists",
                "FetchXML, in",
                "FetchXML, matchfirstrowusingcrossapply",
            ][way];
            (kind, link(JOINS[way], &format!("{shown}{test}")))
        } else {
            let way = self.random.below(TESTS.len());
            let kind = ["FetchXML, any", "FetchXML, not any", "FetchXML, all", "FetchXML, not all"][way];
            (kind, format!("<filter>{}</filter>", link(TESTS[way], &test)))
        };
        let order = if self.random.below(3) == 0 { format!("<order attribute='{column}'/>") } else { String::new() };
        let name = &table.name;
        let xml = format!("<fetch><entity name='{name}'><attribute name='{column}'/>{order}{inside}</entity></fetch>");
        self.fetch(kind, &table.set_name, &xml)
    }

    fn fetch_groups(&mut self) -> Call {
        let (table, column) = self.texts();
        let key = Self::key(&table);
        let number = table.columns().iter().find(|column| matches!(column.kind, ColumnKind::Integer { .. }));
        let measure = match (self.random.below(6), number) {
            (0, _) => format!("<attribute name='{key}' alias='n' aggregate='count'/>"),
            (1, _) => format!("<attribute name='{column}' alias='n' aggregate='countcolumn' distinct='true'/>"),
            (2, Some(number)) => format!("<attribute name='{}' alias='n' aggregate='sum'/>", number.name),
            (3, Some(number)) => format!("<attribute name='{}' alias='n' aggregate='avg'/>", number.name),
            (4, Some(number)) => format!("<attribute name='{}' alias='n' aggregate='max'/>", number.name),
            (_, Some(number)) => format!("<attribute name='{}' alias='n' aggregate='min'/>", number.name),
            (_, None) => format!("<attribute name='{key}' alias='n' aggregate='count'/>"),
        };
        let group = match self.random.below(4) {
            0 => String::new(),
            1 => "<attribute name='createdon' alias='g' groupby='true' dategrouping='month'/>".to_owned(),
            _ => format!("<attribute name='{column}' alias='g' groupby='true'/>"),
        };
        let name = &table.name;
        let xml = format!("<fetch aggregate='true'><entity name='{name}'>{group}{measure}</entity></fetch>");
        self.fetch("FetchXML, groups", &table.set_name, &xml)
    }

    /// The second page of a list, by a cookie of one's own or of the other.
    fn fetch_page(&mut self) -> Call {
        let is_theirs = self.random.below(2) == 0;
        let cookie = if is_theirs { self.cookies[0].clone() } else { self.cookies[1].clone() };
        let escaped = cookie.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let xml = Self::paged_fetch(&format!(" page='2' paging-cookie='{escaped}'"));
        if is_theirs {
            let mut call = self.fetch("FetchXML, a cookie of the other", "roles", &xml);
            call.expected = Expected::Refused;
            call.rest = None;
            return call;
        }
        let mut call = self.fetch("FetchXML, the next page", "roles", &xml);
        call.rest = None;
        call
    }

    /// The list that [`Calls::fetch_page`] continues; by the time, so that the place tells no text.
    pub(super) fn paged_fetch(more: &str) -> String {
        format!(
            "<fetch count='1'{more}><entity name='role'><attribute name='name'/><order attribute='createdon'/></entity></fetch>"
        )
    }

    fn stored_view(&mut self) -> Call {
        let (option, views) = [("savedQuery", 0), ("userQuery", 1)][self.random.below(2)];
        let [theirs, ours] = self.views[views].clone();
        if self.random.below(2) == 0 {
            let expected = self.unless_taken(&[&theirs]);
            return self.call("a stored view of the other", expected, "GET", format!("accounts?{option}={theirs}"));
        }
        self.call("a stored view", Expected::Anything, "GET", format!("accounts?{option}={ours}"))
    }

    // -- OData --------------------------------------------------------------------------------------------------------

    /// A test of a collection, perhaps with another within it.
    fn lambda(&mut self) -> Call {
        loop {
            let (table, _) = self.texts();
            let Some(beside) = self.beside(&table).filter(|beside| beside.is_many) else { continue };
            let Some(column) = self.text_column(&beside.table) else { continue };
            let word = ["a", "qz", "1"][self.random.below(3)];
            let mut test = [
                format!("contains(o/{column},'{word}')"),
                format!("o/{column} ne null"),
                format!("not startswith(o/{column},'{word}')"),
                format!("o/Microsoft.Dynamics.CRM.Contains(PropertyName='{column}',PropertyValue='{word}')"),
            ][self.random.below(4)]
            .clone();
            if self.random.below(3) == 0
                && let Some(inner) = self.beside(&beside.table).filter(|inner| inner.is_many)
            {
                test = format!("{test} or o/{}/any()", inner.navigation);
            }
            let way = ["any", "all"][self.random.below(2)];
            let not = ["", "not "][self.random.below(2)];
            let filter = encoded(&format!("{not}{}/{way}(o:{test})", beside.navigation));
            return self.call("a lambda", Expected::Anything, "GET", format!("{}?$filter={filter}", table.set_name));
        }
    }

    fn nested_expand(&mut self) -> Call {
        let (table, _) = self.texts();
        let Some(outer) = self.beside(&table) else { return self.list() };
        let mut inside = Vec::new();
        if let Some(column) = self.text_column(&outer.table) {
            inside.push(format!("$select={column}"));
            if outer.is_many {
                inside.push(format!("$filter=contains({column},'a') or {column} ne 'x'"));
                inside.push(format!("$orderby={column}"));
                inside.push("$top=3".to_owned());
            }
        }
        if let Some(inner) = self.beside(&outer.table) {
            inside.push(format!("$expand={}", inner.navigation));
        }
        let expand = encoded(&format!("{}({})", outer.navigation, inside.join(";")));
        let mut call = self.call(
            "an $expand within an $expand",
            Expected::Anything,
            "GET",
            format!("{}?$expand={expand}", table.set_name),
        );
        if self.random.below(3) == 0 {
            call.headers.push(("Prefer".into(), "odata.maxpagesize=2,odata.include-annotations=\"*\"".into()));
        }
        call
    }

    fn applied(&mut self) -> Call {
        let (table, column) = self.texts();
        let apply = [
            format!("groupby(({column}),aggregate($count as n))"),
            format!("filter(contains({column},'a'))/groupby(({column}))"),
            format!("aggregate({column} with countdistinct as n)"),
            format!("filter({column} ne null)/aggregate($count as n)"),
        ][self.random.below(4)]
        .clone();
        self.call("$apply", Expected::Anything, "GET", format!("{}?$apply={}", table.set_name, encoded(&apply)))
    }

    fn query_function(&mut self) -> Call {
        let (table, column) = self.texts();
        let function = match self.random.below(3) {
            0 => OF_TIMES[self.random.below(OF_TIMES.len())].to_owned(),
            1 => OF_TEXTS[self.random.below(OF_TEXTS.len())].replace("{}", &column).replace("%25", "%"),
            // Under a record of the other.
            _ => {
                let (_, account) = self.of_set("accounts");
                let way = ["Under", "UnderOrEqual", "Above", "NotUnder"][self.random.below(4)];
                let test = format!("Microsoft.Dynamics.CRM.{way}(PropertyName='accountid',PropertyValue='{account}')");
                let rest = format!("accounts?$filter={}", encoded(&test));
                return self.call("a query function", Expected::Anything, "GET", rest);
            }
        };
        let filter = encoded(&format!("Microsoft.Dynamics.CRM.{function}"));
        self.call("a query function", Expected::Anything, "GET", format!("{}?$filter={filter}", table.set_name))
    }

    fn selection(&mut self) -> Call {
        let (table, column) = self.texts();
        let (name, key) = (&table.name, Self::key(&table));
        let beside = self.beside(&table);
        let other = beside.and_then(|beside| Some((self.text_column(&beside.table)?, beside)));
        let sql = match (self.random.below(5), other) {
            (0, _) => format!("SELECT {column}, COUNT(*) AS n FROM {name} GROUP BY {column}"),
            (1, _) => format!("SELECT DISTINCT {column} FROM {name} WHERE {column} LIKE '%a%' OR {column} IS NOT NULL"),
            (2, _) | (_, None) => {
                format!("SELECT TOP 3 {key}, {column} FROM {name} WHERE {column} <> 'x' ORDER BY {column}")
            }
            (way, Some((shown, Beside { table, from, to, .. }))) => {
                let join = if way == 3 { "INNER" } else { "LEFT" };
                let joined = &table.name;
                format!(
                    "SELECT a.{column}, b.{shown} AS other FROM {name} a {join} JOIN {joined} b ON a.{to} = b.{from}"
                )
            }
        };
        self.call("?sql=", Expected::Anything, "GET", format!("{}?sql={}", table.set_name, encoded(&sql)))
    }

    /// A list that ends in a link to its changes; the changes at such a link, one's own or the other's.
    fn tracked(&mut self) -> Call {
        match self.random.below(3) {
            0 => {
                let tracked: Vec<String> = self
                    .targets
                    .iter()
                    .filter(|(table, _)| table.change_tracking)
                    .map(|(table, _)| table.set_name.clone())
                    .collect();
                let set = tracked[self.random.below(tracked.len())].clone();
                let mut call = self.call("a list with changes to come", Expected::Anything, "GET", set);
                call.headers.push(("Prefer".into(), "odata.track-changes".into()));
                call
            }
            1 => {
                let link = self.delta_links.pop().unwrap_or_else(|| "accounts?$deltatoken=1!1!1".into());
                self.call("changes", Expected::Anything, "GET", link)
            }
            _ => {
                let link = self.their_deltas[self.random.below(self.their_deltas.len())].clone();
                let mut call = self.call("changes at a link of the other", Expected::Anything, "GET", link);
                call.rest = None;
                call
            }
        }
    }

    /// Several questions in one request, of which some fail.
    fn batch_of_questions(&mut self) -> Call {
        let mut body = String::new();
        for _ in 0..=self.random.below(4) {
            let part = match self.random.below(6) {
                0 => self.list(),
                1 => self.fetch_with_a_link(),
                2 => self.lambda(),
                3 => self.record(),
                4 => self.selection(),
                _ => self.nested_expand(),
            };
            let rest = part.rest.unwrap_or_default();
            body.push_str(&format!(
                "--b\r\nContent-Type: application/http\r\n\r\nGET {rest} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
            ));
        }
        body.push_str("--b--\r\n");
        let mut call = self.call("a batch of questions", Expected::Anything, "POST", "$batch".into());
        call.headers.push(("Content-Type".into(), "multipart/mixed;boundary=b".into()));
        call.headers.push(("Prefer".into(), "odata.continue-on-error".into()));
        call.body = Some(body);
        call.changes_nothing = true;
        call
    }

    /// What is refused in words that quote the question.
    fn quoting_mistake(&mut self) -> Call {
        let (table, id) = self.filled();
        let (set, name) = (table.set_name.clone(), table.name.clone());
        let (column, _) = self.column(&table);
        let rest = match self.random.below(9) {
            0 => format!("{set}?$filter={column} eq {{{id}"),
            1 => format!("{set}?$filter=nocolumn eq '{id}'"),
            2 => format!("{set}?$select=_{id}_value"),
            3 => format!("{set}?$orderby={id}"),
            4 => format!("{set}(nokey='{id}')"),
            5 => format!("{set}?fetchXml={}", encoded(&format!("<fetch><entity name='{id}'/></fetch>"))),
            6 => {
                let xml = format!(
                    "<fetch><entity name='{name}'><filter><condition attribute='{column}' operator='no' value='{id}'/></filter></entity></fetch>"
                );
                format!("{set}?fetchXml={}", encoded(&xml))
            }
            7 => format!("{set}?sql={}", encoded(&format!("SELECT nothing FROM {name} WHERE {id}"))),
            _ => format!("{set}?$apply={}", encoded(&format!("groupby(({id}))"))),
        };
        let rest = rest.replace('{', "%7B").replace('}', "%7D");
        let mut call = self.call("a mistake that is quoted", Expected::Refused, "GET", rest);
        call.rest = None;
        call
    }

    fn description(&mut self) -> Call {
        let (table, _) = self.target();
        let rest = match self.random.below(40) {
            0 => "$metadata".to_owned(),
            _ => DESCRIPTIONS[self.random.below(DESCRIPTIONS.len())].replace("{}", &table.name),
        };
        self.call("a description", Expected::Anything, "GET", rest)
    }
}

/// A value in a URL.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'$' | b'(' | b')' | b',' | b'\'' | b'/' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
