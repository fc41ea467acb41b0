//! Questions about a world in the languages of the protocol, and what the oracle expects of each: contacts with their
//! accounts, accounts with their contacts, and the secured columns of both.

use std::collections::BTreeMap;

use custodia_oracle::{Asker, Record, World, WorldTable};
use custodia_schema::Guid;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use crate::asking::refuses_any;

/// How many questions there are, that of changes included.
pub const KINDS: usize = 29;

/// The columns of a row that count, in words; what has no value is a dash.
pub type Row = Vec<String>;

/// One question.
pub struct Case {
    pub name: &'static str,
    pub target: String,
    /// The rows, in any order; `None` when the question is refused.
    pub expected: Option<Vec<Row>>,
    /// The columns that count: `navigation/column` where it is of a record or of records shown within.
    columns: &'static [&'static str],
    /// The rows have to come in that order.
    pub is_ordered: bool,
    /// Whether the secured column that it is about is closed to the asker.
    pub closed: Option<bool>,
}

impl Case {
    /// What counts of a row.
    pub fn shown(&self, row: &Json) -> Row {
        self.columns
            .iter()
            .map(|column| match column.split_once('/') {
                None => word(&row[*column]),
                Some((navigation, column)) => match &row[navigation] {
                    Json::Array(within) => {
                        let mut words: Vec<String> = within.iter().map(|row| word(&row[column])).collect();
                        words.sort();
                        words.join(", ")
                    }
                    within => word(&within[column]),
                },
            })
            .collect()
    }
}

fn word(value: &Json) -> String {
    match value {
        Json::Null => none(),
        Json::Number(number) => number.as_f64().unwrap().to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn none() -> String {
    "-".to_owned()
}

/// What an asker sees of the contacts and accounts of a world.
struct Sight<'w> {
    world: &'w World,
    contacts: Vec<&'w Record>,
    accounts: Vec<&'w Record>,
    asker: Asker,
    /// Whether the credit limits of accounts, and the job titles of contacts, are open on every row.
    sees_limits: bool,
    sees_jobs: bool,
}

impl<'w> Sight<'w> {
    fn of(world: &'w World, asker: Asker) -> Self {
        let readable = |table: WorldTable| {
            let of_table = world.records.iter().filter(move |record| record.table == table);
            of_table.filter(|record| world.reads(asker, table, record.id)).collect()
        };
        Self {
            world,
            asker,
            contacts: readable(WorldTable::Contact),
            accounts: readable(WorldTable::Account),
            sees_limits: world.opens(asker, WorldTable::Account, "creditlimit"),
            sees_jobs: world.opens(asker, WorldTable::Contact, "jobtitle"),
        }
    }

    /// The account of a contact, if it is seen.
    fn account(&self, contact: &Record) -> Option<&'w Record> {
        let lookup = contact.lookups.iter().find(|lookup| lookup.column == "parentcustomerid")?;
        self.accounts.iter().find(|account| account.id == lookup.id).copied()
    }

    fn contacts_of(&self, account: &Record) -> Vec<&'w Record> {
        let below = |contact: &&&Record| self.account(contact).is_some_and(|parent| parent.id == account.id);
        self.contacts.iter().filter(below).copied().collect()
    }

    fn limit(&self, account: &Record) -> Option<i64> {
        let opens = self.world.opens_on(self.asker, WorldTable::Account, "creditlimit", account.id);
        stored(account, "creditlimit").filter(|_| opens)
    }

    fn job(&self, contact: &Record) -> Option<String> {
        let opens = self.world.opens_on(self.asker, WorldTable::Contact, "jobtitle", contact.id);
        stored(contact, "jobtitle").filter(|_| opens).map(|number| format!("jobtitle {number}"))
    }

    fn accounts_where(&self, test: impl Fn(&Record) -> bool) -> Vec<Row> {
        self.accounts.iter().filter(|account| test(account)).map(|account| vec![account.id.to_string()]).collect()
    }

    fn contacts_where(&self, test: impl Fn(&Record) -> bool) -> Vec<Row> {
        self.contacts.iter().filter(|contact| test(contact)).map(|contact| vec![contact.id.to_string()]).collect()
    }
}

fn stored(record: &Record, column: &str) -> Option<i64> {
    record.values.iter().find(|(of, _)| *of == column).map(|(_, value)| *value)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

/// An amount in ten-thousandths, as it is shown.
fn amount(value: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "worlds have small amounts")]
    let value = value as f64 / 10_000.0;
    value.to_string()
}

/// All questions of one asker but that about changes.
pub fn cases(world: &World, asker: Asker, turn: usize) -> Vec<Case> {
    let both = [WorldTable::Account, WorldTable::Contact];
    let sight = Sight::of(world, asker);
    let mut all = Vec::new();
    if let Some(refused) = refuses_any(world, asker, &both) {
        let mut asking = Asking { sight: &sight, turn, refused, all: Vec::new() };
        asking.joins();
        asking.tests();
        asking.lambdas();
        asking.along_lookups();
        asking.selections();
        all.append(&mut asking.all);
    }
    if let Some(refused) = refuses_any(world, asker, &[WorldTable::Contact]) {
        let mut asking = Asking { sight: &sight, turn, refused, all: Vec::new() };
        asking.groups();
        all.append(&mut asking.all);
    }
    if let Some(refused) = refuses_any(world, asker, &[WorldTable::Account]) {
        let mut asking = Asking { sight: &sight, turn, refused, all: Vec::new() };
        asking.aggregates();
        all.append(&mut asking.all);
    }
    all.extend(by_key(world, asker));
    all.extend(description(world, asker));
    all
}

/// Accounts that came to be with the world, as its changes.
pub fn changed_accounts(world: &World, asker: Asker, link: &str) -> Case {
    let sight = Sight::of(world, asker);
    let row = |account: &&Record| vec![account.id.to_string(), account.name.clone(), or_none(sight.limit(account))];
    let rows = sight.accounts.iter().map(row).collect();
    Case {
        name: "changes",
        target: link.to_owned(),
        expected: (!refuses_any(world, asker, &[WorldTable::Account]).unwrap_or(false)).then_some(rows),
        columns: &["accountid", "name", "creditlimit"],
        is_ordered: false,
        closed: Some(!sight.sees_limits),
    }
}

/// A product by its number: all or nothing.
fn by_key(world: &World, asker: Asker) -> Option<Case> {
    let refused = refuses_any(world, asker, &[WorldTable::Product])?;
    let product = world.records.iter().find(|record| record.table == WorldTable::Product)?;
    Some(Case {
        name: "an alternate key",
        target: format!("products(productnumber='{}')?$select=name", encoded(&product.name)),
        expected: (!refused).then(|| vec![vec![product.name.clone()]]),
        columns: &["name"],
        is_ordered: false,
        closed: None,
    })
}

/// Descriptions are for everybody who may do anything at all.
pub fn description(world: &World, asker: Asker) -> Option<Case> {
    if asker.caller.is_some() {
        return None;
    }
    let user = world.user(asker.user)?;
    let through_teams = || {
        let teams: Vec<Guid> = world.teams_of(user.id).map(|team| team.id).collect();
        world.team_roles.iter().any(|(team, _)| teams.contains(team))
    };
    let has_role = world.user_roles.iter().any(|(of, _)| *of == user.id) || through_teams();
    Some(Case {
        name: "a description",
        target: "EntityDefinitions(LogicalName='account')?$select=LogicalName".to_owned(),
        expected: (has_role && !user.disabled).then(|| vec![vec!["account".to_owned()]]),
        columns: &["LogicalName"],
        is_ordered: false,
        closed: None,
    })
}

/// Makes questions for one asker.
struct Asking<'s, 'w> {
    sight: &'s Sight<'w>,
    turn: usize,
    refused: bool,
    all: Vec<Case>,
}

impl Asking<'_, '_> {
    fn put(
        &mut self,
        name: &'static str,
        target: String,
        columns: &'static [&'static str],
        closed: bool,
        rows: Vec<Row>,
    ) {
        let expected = (!self.refused).then_some(rows);
        self.all.push(Case { name, target, expected, columns, is_ordered: false, closed: Some(closed) });
    }

    fn names(&self, what: &str) -> String {
        format!("World {} {what} ", self.sight.world.seed)
    }

    /// The limit of some account: mostly one that the asker sees beside a contact, so that there is something to find.
    fn limit_wanted(&self) -> i64 {
        let seen = self.sight.contacts.iter().filter_map(|contact| stored(self.sight.account(contact)?, "creditlimit"));
        let any = self.sight.world.records.iter().filter_map(|record| stored(record, "creditlimit"));
        self.one_of(seen.collect(), any.collect())
    }

    /// The same of the job title of a contact.
    fn job_wanted(&self) -> String {
        let with_account = |contact: &&&Record| self.sight.account(contact).is_some();
        let seen = self.sight.contacts.iter().filter(with_account).filter_map(|contact| stored(contact, "jobtitle"));
        let any = self.sight.world.records.iter().filter_map(|record| stored(record, "jobtitle"));
        format!("jobtitle {}", self.one_of(seen.collect(), any.collect()))
    }

    fn one_of(&self, seen: Vec<i64>, any: Vec<i64>) -> i64 {
        let from = if seen.is_empty() || self.turn % 5 == 4 { any } else { seen };
        from[self.turn % from.len()]
    }

    fn fetch(entity: &str, set: &str, inside: &str, more: &str) -> String {
        let xml = format!("<fetch{more}><entity name='{entity}'>{inside}</entity></fetch>");
        format!("{set}?fetchXml={}", encoded(&xml))
    }

    fn fetch_contacts(&self, inside: &str) -> String {
        let names = self.names("contact");
        let own = format!("<filter><condition attribute='lastname' operator='like' value='{names}%'/></filter>");
        Self::fetch("contact", "contacts", &format!("<attribute name='contactid'/>{own}{inside}"), "")
    }

    fn fetch_accounts(&self, test: &str) -> String {
        let names = self.names("account");
        let own = format!("<condition attribute='name' operator='like' value='{names}%'/>");
        let inside = format!("<attribute name='accountid'/><filter>{own}{test}</filter>");
        Self::fetch("account", "accounts", &inside, "")
    }

    // -- FetchXML -----------------------------------------------------------------------------------------------------

    /// Contacts with their accounts, by each kind of link that stands beside rows.
    fn joins(&mut self) {
        let sight = self.sight;
        let closed = !sight.sees_limits;
        let wanted = self.limit_wanted();
        let passes = |account: &Record| sight.limit(account).is_some_and(|limit| limit >= wanted);
        let condition = format!("<condition attribute='creditlimit' operator='ge' value='{wanted}'/>");
        let link = |kind: &str, inside: &str| {
            format!(
                "<link-entity name='account' from='accountid' to='parentcustomerid' link-type='{kind}' alias='a'>{inside}</link-entity>"
            )
        };
        let filtered = self.turn.is_multiple_of(2);
        let shown = "<attribute name='accountid'/><attribute name='creditlimit'/>";
        for (name, kind) in [
            ("FetchXML, inner", "inner"),
            ("FetchXML, outer", "outer"),
            ("FetchXML, first row", "matchfirstrowusingcrossapply"),
        ] {
            let mut rows = Vec::new();
            for contact in &sight.contacts {
                let account = sight.account(contact).filter(|account| !filtered || passes(account));
                if account.is_some() || kind != "inner" {
                    let limit = account.and_then(|account| sight.limit(account));
                    rows.push(vec![contact.id.to_string(), or_none(account.map(|account| account.id)), or_none(limit)]);
                }
            }
            let test = if filtered { format!("<filter>{condition}</filter>") } else { String::new() };
            let target = self.fetch_contacts(&link(kind, &format!("{shown}{test}")));
            self.put(name, target, &["contactid", "a.accountid", "a.creditlimit"], closed, rows);
        }
        for (name, kind) in [("FetchXML, exists", "exists"), ("FetchXML, in", "in")] {
            let rows = sight.contacts_where(|contact| sight.account(contact).is_some_and(passes));
            let target = self.fetch_contacts(&link(kind, &format!("<filter>{condition}</filter>")));
            self.put(name, target, &["contactid"], closed, rows);
        }
        let rows = sight.contacts_where(|contact| sight.account(contact).is_some_and(passes));
        let of_link = condition.replace("<condition ", "<condition entityname='a' ");
        let target = self.fetch_contacts(&format!("{}<filter>{of_link}</filter>", link("outer", "")));
        self.put("FetchXML, a condition of a link", target, &["contactid"], closed, rows);
    }

    /// Accounts by their contacts, by each kind of link that is a test.
    fn tests(&mut self) {
        let sight = self.sight;
        let wanted = self.job_wanted();
        let passes = |contact: &&Record| sight.job(contact).is_some_and(|job| job == wanted);
        for (name, kind) in [
            ("FetchXML, any", "any"),
            ("FetchXML, not any", "not any"),
            ("FetchXML, all", "all"),
            ("FetchXML, not all", "not all"),
        ] {
            let rows = sight.accounts_where(|account| {
                let contacts = sight.contacts_of(account);
                let some = contacts.iter().any(passes);
                match kind {
                    "not any" => !some,
                    // As Dataverse has it: there are some, and none passes.
                    "all" => !some && !contacts.is_empty(),
                    _ => some,
                }
            });
            let test = format!(
                "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='{kind}'><filter>\
                 <condition attribute='jobtitle' operator='eq' value='{wanted}'/></filter></link-entity>"
            );
            self.put(name, self.fetch_accounts(&test), &["accountid"], !sight.sees_jobs, rows);
        }
    }

    /// What the credit limits of accounts come to.
    fn aggregates(&mut self) {
        let sight = self.sight;
        let limits: Vec<i64> = sight.accounts.iter().filter_map(|account| sight.limit(account)).collect();
        let mut distinct = limits.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let sum: i64 = limits.iter().sum::<i64>() * 10_000;
        let count = i64::try_from(limits.len()).unwrap();
        // Amounts round half away from zero; those of worlds are not negative.
        let mean = (count > 0).then(|| (sum * 2 + count) / (count * 2));
        let some = |value: i64| or_none((count > 0).then(|| amount(value)));
        let [least, greatest] =
            [limits.iter().min(), limits.iter().max()].map(|limit| limit.copied().unwrap_or(0) * 10_000);
        let row = vec![
            sight.accounts.len().to_string(),
            distinct.len().to_string(),
            some(sum),
            or_none(mean.map(amount)),
            some(least),
            some(greatest),
        ];
        let names = self.names("account");
        let measure =
            |alias: &str, what: &str| format!("<attribute name='creditlimit' alias='{alias}' aggregate='{what}'/>");
        let inside = format!(
            "<attribute name='accountid' alias='n' aggregate='count'/>\
             <attribute name='creditlimit' alias='d' aggregate='countcolumn' distinct='true'/>{}{}{}{}\
             <filter><condition attribute='name' operator='like' value='{names}%'/></filter>",
            measure("s", "sum"),
            measure("a", "avg"),
            measure("l", "min"),
            measure("g", "max")
        );
        let target = Self::fetch("account", "accounts", &inside, " aggregate='true'");
        self.put(
            "FetchXML, aggregates",
            target,
            &["n", "d", "s", "a", "l", "g"],
            !sight.sees_limits,
            vec![row.clone()],
        );
        let measures = "$count as n,creditlimit with countdistinct as d,creditlimit with sum as s,\
                        creditlimit with average as a,creditlimit with min as l,creditlimit with max as g";
        let apply = format!("filter(startswith(name,'{names}'))/aggregate({measures})");
        let target = format!("accounts?$apply={}", encoded(&apply));
        self.put("$apply, values", target, &["n", "d", "s", "a", "l", "g"], !sight.sees_limits, vec![row]);
        let sql = format!(
            "SELECT COUNT(*) AS n, COUNT(DISTINCT creditlimit) AS d, SUM(creditlimit) AS s, AVG(creditlimit) AS a, \
             MIN(creditlimit) AS l, MAX(creditlimit) AS g FROM account WHERE name LIKE '{names}%'"
        );
        let target = format!("accounts?sql={}", encoded(&sql));
        let row = self.all.last().and_then(|case| case.expected.clone()).unwrap_or_default();
        self.put("?sql=, values", target, &["n", "d", "s", "a", "l", "g"], !sight.sees_limits, row);
    }

    /// Contacts by their job titles: hidden ones are none.
    fn groups(&mut self) {
        let sight = self.sight;
        let closed = !sight.sees_jobs;
        let mut groups: BTreeMap<String, u64> = BTreeMap::new();
        for contact in &sight.contacts {
            *groups.entry(or_none(sight.job(contact))).or_default() += 1;
        }
        let rows: Vec<Row> = groups.into_iter().map(|(job, count)| vec![job, count.to_string()]).collect();
        let names = self.names("contact");
        let inside = format!(
            "<attribute name='jobtitle' alias='j' groupby='true'/><attribute name='contactid' alias='n' aggregate='count'/>\
             <order alias='n' descending='true'/>\
             <filter><condition attribute='lastname' operator='like' value='{names}%'/></filter>"
        );
        let target = Self::fetch("contact", "contacts", &inside, " aggregate='true'");
        self.put("FetchXML, groups", target, &["j", "n"], closed, rows.clone());
        let apply = format!("filter(startswith(lastname,'{names}'))/groupby((jobtitle),aggregate($count as n))");
        let target = format!("contacts?$apply={}", encoded(&apply));
        self.put("$apply, groups", target, &["jobtitle", "n"], closed, rows.clone());
        let sql = format!(
            "SELECT jobtitle AS j, COUNT(*) AS n FROM contact WHERE lastname LIKE '{names}%' GROUP BY jobtitle"
        );
        let target = format!("contacts?sql={}", encoded(&sql));
        self.put("?sql=, groups", target, &["j", "n"], closed, rows);

        let wanted = self.job_wanted();
        let rows = sight.contacts_where(|contact| sight.job(contact).is_some_and(|job| job != wanted));
        let sql = format!("SELECT contactid FROM contact WHERE lastname LIKE '{names}%' AND jobtitle <> '{wanted}'");
        self.put("?sql=, a condition", format!("contacts?sql={}", encoded(&sql)), &["contactid"], closed, rows);

        let mut sorted: Vec<(Option<String>, &Record)> =
            sight.contacts.iter().map(|contact| (sight.job(contact), *contact)).collect();
        sorted.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
        let rows = sorted.iter().map(|(job, contact)| vec![contact.id.to_string(), or_none(job.clone())]).collect();
        let filter = encoded(&format!("startswith(lastname,'{names}')"));
        let target = format!("contacts?$select=jobtitle&$filter={filter}&$orderby=jobtitle,lastname");
        self.put("$orderby", target, &["contactid", "jobtitle"], closed, rows);
        if let Some(case) = self.all.last_mut() {
            case.is_ordered = true;
        }
    }

    // -- OData --------------------------------------------------------------------------------------------------------

    /// Accounts by tests of their contacts.
    fn lambdas(&mut self) {
        let sight = self.sight;
        let closed = !sight.sees_jobs;
        let wanted = self.job_wanted();
        let passes = |contact: &&Record| sight.job(contact).is_some_and(|job| job == wanted);
        let negated = self.turn.is_multiple_of(2);
        let word = if negated { "not " } else { "" };
        let function = format!("o/Microsoft.Dynamics.CRM.In(PropertyName='jobtitle',PropertyValues=['{wanted}'])");
        for (name, test) in [
            ("lambda, any", format!("any(o:o/jobtitle eq '{wanted}')")),
            ("lambda, all", format!("all(o:o/jobtitle eq '{wanted}')")),
            ("lambda, a query function", format!("any(o:{function})")),
            ("lambda of nothing", "any()".to_owned()),
        ] {
            let rows = sight.accounts_where(|account| {
                let contacts = sight.contacts_of(account);
                let holds = match name {
                    "lambda, all" => contacts.iter().all(passes),
                    "lambda of nothing" => !contacts.is_empty(),
                    _ => contacts.iter().any(passes),
                };
                holds != negated
            });
            let filter =
                format!("startswith(name,'{}') and {word}contact_customer_accounts/{test}", self.names("account"));
            let target = format!("accounts?$select=accountid&$filter={}", encoded(&filter));
            self.put(name, target, &["accountid"], closed, rows);
        }
    }

    /// Over a lookup, in tests and shown; and back.
    fn along_lookups(&mut self) {
        let sight = self.sight;
        let wanted = self.limit_wanted();
        let names = self.names("contact");
        let passes = |account: &Record| sight.limit(account).is_some_and(|limit| limit >= wanted);
        let rows = sight.contacts_where(|contact| sight.account(contact).is_some_and(passes));
        let filter =
            encoded(&format!("startswith(lastname,'{names}') and parentcustomerid_account/creditlimit ge {wanted}"));
        let target = format!("contacts?$select=contactid&$filter={filter}");
        self.put("$filter over a lookup", target, &["contactid"], !sight.sees_limits, rows);

        let rows = sight
            .contacts
            .iter()
            .map(|contact| {
                let limit = sight.account(contact).and_then(|account| sight.limit(account));
                vec![contact.id.to_string(), or_none(limit)]
            })
            .collect();
        let filter = encoded(&format!("startswith(lastname,'{names}')"));
        let expand = encoded("parentcustomerid_account($select=creditlimit)");
        let target = format!("contacts?$select=contactid&$filter={filter}&$expand={expand}");
        self.put(
            "$expand of a lookup",
            target,
            &["contactid", "parentcustomerid_account/creditlimit"],
            !sight.sees_limits,
            rows,
        );

        let rows = sight
            .accounts
            .iter()
            .map(|account| {
                let mut jobs: Vec<String> =
                    sight.contacts_of(account).iter().filter_map(|contact| sight.job(contact)).collect();
                jobs.sort();
                vec![account.id.to_string(), jobs.join(", ")]
            })
            .collect();
        let filter = encoded(&format!("startswith(name,'{}')", self.names("account")));
        let expand = encoded("contact_customer_accounts($select=jobtitle;$filter=jobtitle ne null)");
        let target = format!("accounts?$select=accountid&$filter={filter}&$expand={expand}");
        self.put(
            "$expand of a collection",
            target,
            &["accountid", "contact_customer_accounts/jobtitle"],
            !sight.sees_jobs,
            rows,
        );
    }

    // -- SQL ------------------------------------------------------------------------------------------------------------

    fn selections(&mut self) {
        let sight = self.sight;
        let names = self.names("contact");
        let wanted = self.limit_wanted();
        let inner = self.turn.is_multiple_of(2);
        let mut rows = Vec::new();
        for contact in &sight.contacts {
            let account = sight.account(contact);
            let limit = account.and_then(|account| sight.limit(account));
            if !inner || limit.is_some_and(|limit| limit >= wanted) {
                rows.push(vec![contact.id.to_string(), or_none(limit)]);
            }
        }
        let (join, test) =
            if inner { ("INNER", format!(" AND a.creditlimit >= {wanted}")) } else { ("LEFT", String::new()) };
        let sql = format!(
            "SELECT c.contactid, a.creditlimit AS l FROM contact c {join} JOIN account a ON c.parentcustomerid = a.accountid \
             WHERE c.lastname LIKE '{names}%'{test}"
        );
        let target = format!("contacts?sql={}", encoded(&sql));
        self.put("?sql=, a join", target, &["contactid", "l"], !sight.sees_limits, rows);
    }
}
