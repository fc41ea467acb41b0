//! The work: the same questions for both sides, each in its own words.

use std::sync::Arc;

use uuid::Uuid;

use crate::load::Requests;
use crate::world::{self, Kind, id};

/// Columns of an account that are asked for: `opendeals` is a secured one that the caller may not read.
pub const ACCOUNT_COLUMNS: &str = "name,accountnumber,address1_city,address1_line1,address1_postalcode,telephone1,\
    emailaddress1,websiteurl,numberofemployees,revenue,createdon,opendeals";
/// Columns of a contact that are asked for.
pub const CONTACT_COLUMNS: &str = "fullname,firstname,lastname,jobtitle,emailaddress1,telephone1,mobilephone,\
    address1_city,address1_postalcode,birthdate,createdon,_parentcustomerid_value";
/// Different contacts that W4 creates, again and again: an id is the server's to give.
const NEW_CONTACTS: u32 = 10_000;

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
}

impl Work {
    /// All of them, the one that changes the world last.
    pub const ALL: [Self; 5] = [Self::ReadOne, Self::List, Self::ListFormatted, Self::Expand, Self::Create];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOne => "W1",
            Self::List => "W2",
            Self::ListFormatted => "W2a",
            Self::Expand => "W3",
            Self::Create => "W4",
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
        }
    }

    /// Numbers of connections that it is measured with.
    #[must_use]
    pub fn connections(self) -> &'static [usize] {
        match self {
            Self::Create => &[1, 16, 64],
            _ => &[16],
        }
    }

    /// The status of a good answer.
    #[must_use]
    pub fn status(self) -> u16 {
        if self == Self::Create { 204 } else { 200 }
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
}

/// Every question of this work that has an answer for the caller.
#[must_use]
pub fn questions(work: Work) -> Vec<Ask> {
    let own = world::accounts_of_caller();
    match work {
        Work::ReadOne => own.into_iter().map(|number| Ask::Account(id(Kind::Account, number))).collect(),
        Work::List | Work::ListFormatted => (0..world::CITIES).map(|number| Ask::City(world::city(number))).collect(),
        Work::Expand => world::name_starts().into_iter().map(Ask::From).collect(),
        // Only contacts of the caller's own accounts: others cannot be linked to.
        Work::Create => (world::CONTACTS..)
            .filter(|number| world::owner_of_account(number % world::ACCOUNTS) == 0)
            .take(NEW_CONTACTS as usize)
            .map(Ask::Contact)
            .collect(),
    }
}

/// Requests ready to be sent, in an order that looks random and is the same for both sides.
#[must_use]
pub fn scattered(rendered: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, request| {
        let index = world::scatter(99, number) % rendered.len().max(1) as u64;
        let chosen = usize::try_from(index).ok().and_then(|index| rendered.get(index));
        request.extend_from_slice(chosen.map_or(b"", Vec::as_slice));
    })
}

/// A request of the yardstick.
#[must_use]
pub fn of_yardstick(ask: &Ask) -> Vec<u8> {
    let get = |path: String| format!("GET {path} HTTP/1.1\r\nhost: yardstick\r\n\r\n").into_bytes();
    match ask {
        Ask::Account(id) => get(format!("/accounts/{id}")),
        Ask::City(city) => get(format!("/accounts/city/{city}")),
        Ask::From(name) => get(format!("/contacts/from/{}", name.replace(' ', "%20"))),
        Ask::Contact(number) => {
            let contact = world::contact(*number);
            let mut body = contact_fields(&contact);
            let account = id(Kind::Account, contact.account).to_string();
            body.insert("parentcustomerid".to_owned(), account.into());
            let body = serde_json::Value::Object(body).to_string();
            format!("POST /contacts HTTP/1.1\r\nhost: yardstick\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                .into_bytes()
        }
    }
}

/// A request of Custodia's Web API: `root` is the path of the service, `token` the caller's.
#[must_use]
pub fn of_custodia(ask: &Ask, annotated: bool, root: &str, token: &str) -> Vec<u8> {
    let prefer = if annotated { "prefer: odata.include-annotations=\"*\"\r\n" } else { "" };
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
        Ask::Contact(number) => {
            let contact = world::contact(*number);
            let mut body = contact_fields(&contact);
            let account = format!("/accounts({})", id(Kind::Account, contact.account));
            body.insert("parentcustomerid_account@odata.bind".to_owned(), account.into());
            post(root, "contacts", token, &serde_json::Value::Object(body))
        }
    }
}

/// A POST to Custodia's Web API.
#[must_use]
pub fn post(root: &str, path: &str, token: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {root}{path} HTTP/1.1\r\nhost: custodia\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What both sides call alike.
#[must_use]
pub fn contact_fields(contact: &world::Contact) -> serde_json::Map<String, serde_json::Value> {
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
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_blank_in_a_query_is_escaped_and_a_body_measured() {
        let asked = of_custodia(&Ask::City("Ashford".to_owned()), true, "/o/api/data/v9.2/", "T");
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
        let (mine, theirs) = (scattered(list.iter().map(of_yardstick).collect()), list);
        let mut request = Vec::new();
        mine(7, &mut request);
        let index = usize::try_from(world::scatter(99, 7)).unwrap() % theirs.len();
        assert_eq!(request, of_yardstick(&theirs[index]));
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
