//! The work: the same questions for both sides, each in its own words.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::load::Requests;
use crate::world::{self, Kind, id};

/// Columns of an account that are asked for: `opendeals` is a secured one that the caller may not read.
pub const ACCOUNT_COLUMNS: &str = "name,accountnumber,address1_city,address1_line1,address1_postalcode,telephone1,\
    emailaddress1,websiteurl,numberofemployees,revenue,createdon,opendeals";
/// Columns of a contact that are asked for.
pub const CONTACT_COLUMNS: &str = "fullname,firstname,lastname,jobtitle,emailaddress1,telephone1,mobilephone,\
    address1_city,address1_postalcode,birthdate,createdon,_parentcustomerid_value";
/// Different contacts that W4 and W7 create, again and again: an id is the server's to give.
pub const NEW_CONTACTS: u32 = 10_000;
/// Contacts of one request of W7.
pub const MANY: u32 = 100;
/// Digits at the end of a new title that tell the number of the request: every W5 changes something.
const TITLE_DIGITS: usize = 10;

/// A piece of work, with its number in `BENCHMARKS.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Work {
    /// Read one account by id.
    #[value(name = "W1")]
    ReadOne,
    /// Fifty accounts of a city, ordered by name.
    #[value(name = "W2")]
    List,
    /// The same with all annotations: formatted values, names and tables of lookups.
    #[value(name = "W2a")]
    ListFormatted,
    /// Fifty contacts with their account's name.
    #[value(name = "W3")]
    Expand,
    /// Create one contact.
    #[value(name = "W4")]
    Create,
    /// Update one column of a contact.
    #[value(name = "W5")]
    Update,
    /// Revenue of opportunities by stage.
    #[value(name = "W6")]
    Apply,
    /// The same asked in FetchXML.
    #[value(name = "W6f")]
    FetchAggregate,
    /// Create many contacts by one request.
    #[value(name = "W7")]
    CreateMany,
    /// The same by a change set of a batch.
    #[value(name = "W7b")]
    BatchMany,
    /// The same from a file.
    #[value(name = "W7i")]
    Import,
    /// Few rows against many, the first page against the thousandth.
    #[value(name = "W9")]
    Scale,
    /// Writes with and without the audit, and the verifier.
    #[value(name = "W11")]
    Sealing,
}

impl Work {
    /// All of them, those that add to the world last.
    pub const ALL: [Self; 13] = [
        Self::ReadOne,
        Self::List,
        Self::ListFormatted,
        Self::Expand,
        Self::Apply,
        Self::FetchAggregate,
        Self::Update,
        Self::Create,
        Self::CreateMany,
        Self::BatchMany,
        Self::Import,
        Self::Scale,
        Self::Sealing,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOne => "W1",
            Self::List => "W2",
            Self::ListFormatted => "W2a",
            Self::Expand => "W3",
            Self::Create => "W4",
            Self::Update => "W5",
            Self::Apply => "W6",
            Self::FetchAggregate => "W6f",
            Self::CreateMany => "W7",
            Self::BatchMany => "W7b",
            Self::Import => "W7i",
            Self::Scale => "W9",
            Self::Sealing => "W11",
        }
    }

    /// What is done, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadOne => "read one account by id",
            Self::List => "50 accounts of a city, ordered by name",
            Self::ListFormatted => "the same with all annotations",
            Self::Expand => "50 contacts with their account's name",
            Self::Create => "create one contact, audited and durable",
            Self::Update => "update one column, audited and durable",
            Self::Apply => "revenue of opportunities by stage, by `$apply`",
            Self::FetchAggregate => "the same in FetchXML",
            Self::CreateMany => "create contacts, 100 by one CreateMultiple; rows /s",
            Self::BatchMany => "the same by a change set of 100; rows /s",
            Self::Import => "the same from a CSV file of 10,000; rows /s",
            Self::Scale => "few rows against many, page 1 against page 1,000",
            Self::Sealing => "audited writes against unaudited ones, and the verifier",
        }
    }

    /// Numbers of connections that it is measured with.
    #[must_use]
    pub fn connections(self) -> &'static [usize] {
        match self {
            Self::Create => &[1, 16, 64],
            Self::CreateMany | Self::BatchMany | Self::Import => &[1],
            _ => &[16],
        }
    }

    /// The status of a good answer.
    #[must_use]
    pub fn status(self) -> u16 {
        if matches!(self, Self::Create | Self::Update) { 204 } else { 200 }
    }

    /// Whether its requests write.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::CreateMany | Self::BatchMany | Self::Import)
    }

    /// Records of one request, where rates are those of records.
    #[must_use]
    pub fn rows(self) -> u32 {
        if matches!(self, Self::CreateMany | Self::BatchMany) { MANY } else { 1 }
    }
}

/// A question, apart from how a side puts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The account of that id.
    Account(Uuid),
    /// Accounts of that city.
    City(String),
    /// Contacts from that name on.
    From(String),
    /// Make the contact of that number.
    Contact(u32),
    /// Make the contacts of those numbers.
    Contacts(Vec<u32>),
    /// Change the title of the contact of that number.
    Title(u32),
    /// Sum the revenue by stage.
    Stages,
}

/// Every question of this work that has an answer for the caller.
#[must_use]
pub fn questions(work: Work) -> Vec<Ask> {
    let own = world::accounts_of_caller();
    match work {
        Work::ReadOne => own.into_iter().map(|number| Ask::Account(id(Kind::Account, number))).collect(),
        Work::List | Work::ListFormatted => (0..world::CITIES).map(|number| Ask::City(world::city(number))).collect(),
        Work::Expand => world::name_starts().into_iter().map(Ask::From).collect(),
        Work::Create => new_contacts(0).map(Ask::Contact).collect(),
        Work::CreateMany | Work::BatchMany => {
            let new: Vec<u32> = new_contacts(0).collect();
            new.chunks(MANY as usize).map(|numbers| Ask::Contacts(numbers.to_vec())).collect()
        }
        Work::Update => (0..world::CONTACTS).filter(|number| belongs_to_caller(*number)).map(Ask::Title).collect(),
        Work::Apply | Work::FetchAggregate => vec![Ask::Stages],
        // These are no loads of single requests.
        Work::Import | Work::Scale | Work::Sealing => Vec::new(),
    }
}

/// Numbers of [`NEW_CONTACTS`] contacts that nobody made before, other ones in each round. Only contacts of the caller's own
/// accounts: others cannot be linked to.
pub fn new_contacts(round: u32) -> impl Iterator<Item = u32> {
    let own = (world::CONTACTS..).filter(|number| belongs_to_caller(*number));
    own.skip((round * NEW_CONTACTS) as usize).take(NEW_CONTACTS as usize)
}

fn belongs_to_caller(contact: u32) -> bool {
    world::owner_of_account(contact % world::ACCOUNTS) == 0
}

/// Requests ready to be sent, in an order that looks random and is the same for both sides.
#[must_use]
pub fn scattered(work: Work, rendered: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, request| {
        let index = world::scatter(99, number) % rendered.len().max(1) as u64;
        let chosen = usize::try_from(index).ok().and_then(|index| rendered.get(index));
        request.extend_from_slice(chosen.map_or(b"", Vec::as_slice));
        if work == Work::Update {
            tell_number(request, number);
        }
    })
}

/// Puts the number in the place of the last zeros.
fn tell_number(request: &mut [u8], number: u64) {
    let (mut digits, mut rest) = (0, number);
    for byte in request.iter_mut().rev().skip_while(|byte| **byte != b'0').take(TITLE_DIGITS) {
        digits += 1;
        *byte = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    debug_assert!(digits == TITLE_DIGITS, "there are as many zeros");
}

/// The new title of a contact, before the number of the request is put in.
fn title() -> String {
    format!("Title {}", "0".repeat(TITLE_DIGITS))
}

/// A request of the yardstick.
#[must_use]
pub fn of_yardstick(ask: &Ask) -> Vec<u8> {
    let get = |path: String| format!("GET {path} HTTP/1.1\r\nhost: yardstick\r\n\r\n").into_bytes();
    let sent = |line: &str, body: &str| {
        let length = body.len();
        format!("{line} HTTP/1.1\r\nhost: yardstick\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    match ask {
        Ask::Account(id) => get(format!("/accounts/{id}")),
        Ask::City(city) => get(format!("/accounts/city/{city}")),
        Ask::From(name) => get(format!("/contacts/from/{}", name.replace(' ', "%20"))),
        Ask::Stages => get("/opportunities/stages".to_owned()),
        Ask::Contact(number) => sent("POST /contacts", &bare_contact(*number).to_string()),
        Ask::Contacts(numbers) => {
            let contacts: Vec<Value> = numbers.iter().map(|number| bare_contact(*number)).collect();
            sent("POST /contacts/many", &Value::Array(contacts).to_string())
        }
        Ask::Title(number) => sent(&format!("PATCH /contacts/{}", id(Kind::Contact, *number)), &title()),
    }
}

fn bare_contact(number: u32) -> Value {
    let contact = world::contact(number);
    let mut fields = contact_fields(&contact);
    let account = id(Kind::Account, contact.account).to_string();
    fields.insert("parentcustomerid".to_owned(), account.into());
    Value::Object(fields)
}

/// A request of Custodia's Web API: `root` is the path of the service, `token` the caller's.
#[must_use]
pub fn of_custodia(ask: &Ask, work: Work, root: &str, token: &str) -> Vec<u8> {
    let prefer = if work == Work::ListFormatted { "prefer: odata.include-annotations=\"*\"\r\n" } else { "" };
    let get = |rest: String| {
        let rest = rest.replace(' ', "%20");
        format!("GET {root}{rest} HTTP/1.1\r\nhost: custodia\r\n{prefer}authorization: Bearer {token}\r\n\r\n")
            .into_bytes()
    };
    match ask {
        Ask::Account(id) => get(format!("accounts({id})?$select={ACCOUNT_COLUMNS}")),
        Ask::City(city) => get(format!(
            "accounts?$select={ACCOUNT_COLUMNS}&$filter=address1_city eq '{city}'&$orderby=name&$top={}",
            world::PAGE
        )),
        Ask::From(name) => get(format!(
            "contacts?$select={CONTACT_COLUMNS}&$expand=parentcustomerid_account($select=name)\
             &$filter=fullname ge '{name}'&$orderby=fullname&$top={}",
            world::PAGE
        )),
        Ask::Stages if work == Work::FetchAggregate => {
            let escaped = STAGES_FETCH.replace('<', "%3C").replace('>', "%3E").replace('\'', "%27");
            get(format!("opportunities?fetchXml={escaped}"))
        }
        Ask::Stages => {
            get("opportunities?$apply=groupby((salesstage),aggregate(estimatedvalue with sum as revenue))".to_owned())
        }
        Ask::Contact(number) => post(root, "contacts", token, &bound_contact(*number)),
        Ask::Contacts(numbers) if work == Work::BatchMany => change_set(root, token, numbers),
        Ask::Contacts(numbers) => {
            let path = "contacts/Microsoft.Dynamics.CRM.CreateMultiple";
            post(root, path, token, &targets("contact", numbers.iter().map(|number| bound_contact(*number))))
        }
        Ask::Title(number) => {
            let path = format!("contacts({})", id(Kind::Contact, *number));
            written("PATCH", root, &path, token, "application/json", &json!({ "jobtitle": title() }).to_string())
        }
    }
}

/// W6 in FetchXML.
const STAGES_FETCH: &str = "<fetch aggregate='true'><entity name='opportunity'>\
    <attribute name='salesstage' alias='stage' groupby='true'/>\
    <attribute name='estimatedvalue' alias='revenue' aggregate='sum'/></entity></fetch>";

fn bound_contact(number: u32) -> Value {
    let contact = world::contact(number);
    let mut fields = contact_fields(&contact);
    let account = format!("/accounts({})", id(Kind::Account, contact.account));
    fields.insert("parentcustomerid_account@odata.bind".to_owned(), account.into());
    Value::Object(fields)
}

/// The body of a CreateMultiple.
pub fn targets(table: &str, records: impl Iterator<Item = Value>) -> Value {
    let typed = records.map(|mut record| {
        if let Some(fields) = record.as_object_mut() {
            fields.insert("@odata.type".to_owned(), format!("Microsoft.Dynamics.CRM.{table}").into());
        }
        record
    });
    json!({ "Targets": typed.collect::<Vec<_>>() })
}

/// A batch of one change set that creates contacts.
fn change_set(root: &str, token: &str, numbers: &[u32]) -> Vec<u8> {
    let mut body = "--b\r\ncontent-type: multipart/mixed; boundary=c\r\n\r\n".to_owned();
    for (at, number) in numbers.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "--c\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: {}\r\n\r\n\
             POST contacts HTTP/1.1\r\ncontent-type: application/json\r\n\r\n{}\r\n",
            at + 1,
            bound_contact(*number)
        );
    }
    body.push_str("--c--\r\n--b--\r\n");
    written("POST", root, "$batch", token, "multipart/mixed; boundary=b", &body)
}

/// A POST to Custodia's Web API.
#[must_use]
pub fn post(root: &str, path: &str, token: &str, body: &Value) -> Vec<u8> {
    written("POST", root, path, token, "application/json", &body.to_string())
}

fn written(method: &str, root: &str, path: &str, token: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {root}{path} HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What both sides call alike.
#[must_use]
pub fn contact_fields(contact: &world::Contact) -> Map<String, Value> {
    [
        ("firstname", &contact.first_name),
        ("lastname", &contact.last_name),
        ("jobtitle", &contact.job_title),
        ("emailaddress1", &contact.email),
        ("telephone1", &contact.telephone),
        ("mobilephone", &contact.mobile),
        ("address1_line1", &contact.street),
        ("address1_city", &contact.city),
        ("address1_postalcode", &contact.postal_code),
        ("birthdate", &contact.birthday),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.as_str().into()))
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_blank_in_a_query_is_escaped_and_a_body_measured() {
        let asked = of_custodia(&Ask::City("Ashford".to_owned()), Work::ListFormatted, "/o/api/data/v9.2/", "T");
        let text = String::from_utf8(asked).unwrap();
        assert!(text.starts_with("GET /o/api/data/v9.2/accounts?$select=name,"), "{text}");
        assert!(text.contains("$filter=address1_city%20eq%20'Ashford'&$orderby=name&$top=50 HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nauthorization: Bearer T\r\n") && text.contains("prefer: "), "{text}");
        let text = String::from_utf8(of_yardstick(&Ask::Contact(50_007))).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{text}");
    }

    #[test]
    fn both_sides_are_asked_the_same_in_the_same_order() {
        let list = questions(Work::ReadOne);
        let (mine, theirs) = (scattered(Work::ReadOne, list.iter().map(of_yardstick).collect()), list);
        let mut request = Vec::new();
        mine(7, &mut request);
        let index = usize::try_from(world::scatter(99, 7)).unwrap() % theirs.len();
        assert_eq!(request, of_yardstick(&theirs[index]));
    }

    #[test]
    fn every_update_tells_another_title() {
        let ask = questions(Work::Update).swap_remove(0);
        let both = [of_yardstick(&ask), of_custodia(&ask, Work::Update, "/o/", "T")];
        for (rendered, expected) in both.into_iter().zip(["Title 0000000042", "{\"jobtitle\":\"Title 0000000042\"}"]) {
            let (length, requests) = (rendered.len(), scattered(Work::Update, vec![rendered]));
            let mut request = Vec::new();
            requests(42, &mut request);
            assert!(String::from_utf8(request.clone()).unwrap().ends_with(expected), "{request:?}");
            assert_eq!(request.len(), length);
        }
    }

    #[test]
    fn many_contacts_are_the_same_ones_in_each_form() {
        let asked = questions(Work::CreateMany);
        assert_eq!(asked.len() * MANY as usize, NEW_CONTACTS as usize);
        let count = |text: Vec<u8>| String::from_utf8(text).unwrap().matches("\"mobilephone\"").count();
        let rendered = |work| of_custodia(&asked[0], work, "/o/", "T");
        assert_eq!(count(of_yardstick(&asked[0])), MANY as usize);
        assert_eq!(count(rendered(Work::CreateMany)), MANY as usize);
        assert_eq!(count(rendered(Work::BatchMany)), MANY as usize);
        assert_ne!(new_contacts(0).last(), new_contacts(1).next());
    }

    #[test]
    fn new_contacts_belong_to_accounts_of_the_caller() {
        let new = questions(Work::Create);
        assert_eq!(new.len(), NEW_CONTACTS as usize);
        assert!(
            new.iter()
                .all(|ask| matches!(ask, Ask::Contact(n) if world::owner_of_account(world::contact(*n).account) == 0))
        );
    }
}
