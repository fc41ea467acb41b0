//! The records that both sides hold: the same ones, every time, on every machine.
//!
//! Each record is made from its number alone, so that one side can be filled over HTTP and the other straight into its
//! file, and both know which questions have an answer. Names have no letter whose place in the order depends on case or
//! accents: the yardstick sorts bytes.

use uuid::Uuid;

/// Accounts of the world.
pub const ACCOUNTS: u32 = 10_000;
/// Contacts of the world; each is linked to an account and owned by the account's owner.
pub const CONTACTS: u32 = 50_000;
/// Opportunities of the world.
pub const OPPORTUNITIES: u32 = 20_000;
/// Cities that accounts are in: about 250 accounts each, of which the caller owns more than a page.
pub const CITIES: u32 = 40;
/// Sales stages of opportunities, numbered from 0 as their options are.
pub const STAGES: u32 = 4;
/// Rows of a page.
pub const PAGE: u32 = 50;
/// Users who own rows; the first is the caller of every measured request.
pub const OWNERS: u32 = 8;
/// Access teams that the caller is a member of; each has one opportunity shared with it.
pub const TEAMS: u32 = 300;

const FIRST_NAMES: &[&str] = &[
    "Ada", "Alan", "Amir", "Anna", "Berta", "Boris", "Carla", "Cem", "Chen", "Clara", "Dana", "David", "Edda", "Elena",
    "Emil", "Farid", "Flora", "Georg", "Greta", "Hana", "Hugo", "Ida", "Igor", "Ines", "Jakob", "Jana", "Karim",
    "Klara", "Lara", "Leon", "Lina", "Luis", "Mara", "Max", "Mina", "Nadia", "Nils", "Nora", "Olga", "Omar", "Paul",
    "Petra", "Rana", "Robin", "Rosa", "Samir", "Sara", "Sven", "Tara", "Theo", "Tilda", "Uma", "Vera", "Viktor",
    "Wanda", "Yara", "Yusuf", "Zoe",
];
const LAST_NAMES: &[&str] = &[
    "Abel", "Adler", "Arnold", "Bauer", "Becker", "Bell", "Brandt", "Carter", "Castro", "Cole", "Dahl", "Diaz",
    "Duran", "Ebert", "Engel", "Farkas", "Fischer", "Franke", "Garcia", "Graf", "Haas", "Hansen", "Hoffman", "Ito",
    "Jansen", "Jung", "Kaiser", "Keller", "Kim", "Lange", "Lindner", "Lopez", "Marin", "Meyer", "Moreau", "Nagy",
    "Novak", "Olsen", "Otto", "Park", "Peters", "Popov", "Quinn", "Ramos", "Reed", "Rossi", "Sato", "Schulz", "Silva",
    "Stone", "Tanaka", "Torres", "Ullmann", "Vogel", "Wagner", "Weber", "Winter", "Yilmaz", "Zhang", "Ziegler",
];
const TRADES: &[&str] = &[
    "Bakery",
    "Brewery",
    "Cables",
    "Carpets",
    "Cement",
    "Ceramics",
    "Dairy",
    "Engines",
    "Fabrics",
    "Farms",
    "Ferries",
    "Forestry",
    "Foods",
    "Freight",
    "Furniture",
    "Glass",
    "Harvest",
    "Instruments",
    "Logistics",
    "Machines",
    "Metals",
    "Mills",
    "Optics",
    "Paper",
    "Pharma",
    "Pumps",
    "Robotics",
    "Seeds",
    "Shipping",
    "Solar",
    "Steel",
    "Textiles",
    "Timber",
    "Tools",
    "Travel",
    "Turbines",
    "Valves",
    "Wines",
];
const TITLES: &[&str] = &[
    "Accountant",
    "Analyst",
    "Buyer",
    "Chief Engineer",
    "Controller",
    "Director of Sales",
    "Head of Purchasing",
    "Lawyer",
    "Logistics Planner",
    "Managing Director",
    "Office Manager",
    "Plant Manager",
];

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Number of its owner.
    pub owner: u32,
    /// Unique, and what lists are ordered by.
    pub name: String,
    /// Its account number.
    pub number: String,
    /// One of [`CITIES`].
    pub city: String,
    /// First line of its address.
    pub street: String,
    /// Five digits.
    pub postal_code: String,
    /// Main telephone.
    pub telephone: String,
    /// Main address.
    pub email: String,
    /// Address of its pages.
    pub website: String,
    /// People who work there.
    pub employees: u32,
    /// In whole units of the base currency.
    pub revenue: u64,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its id; those that W4 creates get one from the server.
    pub id: Uuid,
    /// Number of its account.
    pub account: u32,
    /// One of few, so that full names repeat.
    pub first_name: String,
    /// As well.
    pub last_name: String,
    /// What they do.
    pub job_title: String,
    /// Unique.
    pub email: String,
    /// At work.
    pub telephone: String,
    /// In the pocket.
    pub mobile: String,
    /// One of [`CITIES`].
    pub city: String,
    /// First line of the address.
    pub street: String,
    /// Five digits.
    pub postal_code: String,
    /// As `YYYY-MM-DD`.
    pub birthday: String,
}

impl Contact {
    /// Its cells in a file of rows: first and last name, title, mail, telephone, mobile, street, city, postal code, birthday. None
    /// of them needs quotes.
    #[must_use]
    pub fn cells(&self) -> String {
        let cells: [&str; 10] = [
            &self.first_name,
            &self.last_name,
            &self.job_title,
            &self.email,
            &self.telephone,
            &self.mobile,
            &self.street,
            &self.city,
            &self.postal_code,
            &self.birthday,
        ];
        cells.join(",")
    }
}

/// An opportunity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opportunity {
    /// Its id.
    pub id: Uuid,
    /// Number of its account.
    pub account: u32,
    /// What it is about.
    pub name: String,
    /// In whole units of the base currency.
    pub value: u64,
    /// The value of its sales stage, one of [`STAGES`].
    pub stage: u32,
}

/// What a record is, as far as its id is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An account.
    Account = 1,
    /// A contact.
    Contact = 2,
    /// An opportunity.
    Opportunity = 3,
    /// A user who owns rows.
    User = 8,
    /// An access team.
    Team = 9,
}

/// The id of a record: ordered by time, as ids that a server gives are, with a tail that looks random.
#[must_use]
pub fn id(kind: Kind, number: u32) -> Uuid {
    const BEGAN_MS: u64 = 1_700_000_000_000;
    let tail = scatter(kind as u64, u64::from(number));
    let [a, b, c, d, e, f, g, h] = tail.to_be_bytes();
    let spread = scatter(tail, 1).to_be_bytes();
    uuid::Builder::from_unix_timestamp_millis(
        BEGAN_MS + u64::from(number) * 1000,
        &[a, b, c, d, e, f, g, h, spread[0], spread[1]],
    )
    .into_uuid()
}

/// A well spread number for two numbers (SplitMix64).
#[must_use]
pub fn scatter(kind: u64, number: u64) -> u64 {
    let mut mixed = kind.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The owner of an account and of its contacts and opportunities: three tenths belong to the caller, a tenth to each other.
#[must_use]
pub fn owner_of_account(number: u32) -> u32 {
    u32::try_from(scatter(20, u64::from(number)) % 10).unwrap_or(0).saturating_sub(2)
}

/// The name of a city.
#[must_use]
pub fn city(number: u32) -> String {
    const BEGINNINGS: &[&str] = &["Ash", "Birch", "Clay", "Deer", "Elm", "Fern", "Glen", "Hazel"];
    const ENDINGS: &[&str] = &["bridge", "field", "ford", "haven", "mouth"];
    let mut names = ENDINGS.iter().flat_map(|ending| BEGINNINGS.iter().map(move |beginning| (beginning, ending)));
    names.nth(number as usize).map_or_else(String::new, |(beginning, ending)| format!("{beginning}{ending}"))
}

/// The account of that number.
#[must_use]
pub fn account(number: u32) -> Account {
    let pick = picker(21, number);
    let family = pick(0, LAST_NAMES);
    let trade = pick(1, TRADES);
    let word = format!("{}{number}", family.to_lowercase());
    Account {
        id: id(Kind::Account, number),
        owner: owner_of_account(number),
        name: format!("{family} {trade} {number:05}"),
        number: format!("A-{number:06}"),
        city: city(below(CITIES, 22, number)),
        street: format!("{} {} Street", 1 + below(250, 23, number), pick(2, LAST_NAMES)),
        postal_code: format!("{:05}", below(100_000, 24, number)),
        telephone: telephone(25, number),
        email: format!("office@{word}.example"),
        website: format!("https://www.{word}.example/"),
        employees: 5 + below(5_000, 26, number),
        revenue: 1_000 * u64::from(50 + below(90_000, 27, number)),
    }
}

/// The contact of that number. Numbers from [`CONTACTS`] on are those that W4 and W7 create.
#[must_use]
pub fn contact(number: u32) -> Contact {
    let pick = picker(31, number);
    let (first_name, last_name) = (pick(0, FIRST_NAMES), pick(1, LAST_NAMES));
    let account = number % ACCOUNTS;
    Contact {
        id: id(Kind::Contact, number),
        account,
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        job_title: pick(2, TITLES).to_owned(),
        email: format!("{}.{}{number}@mail.example", first_name.to_lowercase(), last_name.to_lowercase()),
        telephone: telephone(32, number),
        mobile: telephone(33, number),
        city: city(below(CITIES, 34, number)),
        street: format!("{} {} Road", 1 + below(120, 35, number), pick(3, LAST_NAMES)),
        postal_code: format!("{:05}", below(100_000, 36, number)),
        birthday: format!(
            "{}-{:02}-{:02}",
            1950 + below(50, 37, number),
            1 + below(12, 38, number),
            1 + below(28, 39, number)
        ),
    }
}

impl Contact {
    /// First and last name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// The opportunity of that number.
#[must_use]
pub fn opportunity(number: u32) -> Opportunity {
    Opportunity {
        id: id(Kind::Opportunity, number),
        account: number % ACCOUNTS,
        name: format!("{} for {}", picker(41, number)(0, TRADES), picker(41, number)(1, LAST_NAMES)),
        value: u64::from(500 + below(200_000, 42, number)),
        stage: below(STAGES, 43, number),
    }
}

/// Numbers of the accounts that the caller owns, in order.
#[must_use]
pub fn accounts_of_caller() -> Vec<u32> {
    (0..ACCOUNTS).filter(|number| owner_of_account(*number) == 0).collect()
}

/// Numbers of the opportunities that are shared with the caller's teams, one with each: they belong to others.
#[must_use]
pub fn shared_opportunities() -> Vec<u32> {
    let foreign = (0..OPPORTUNITIES).filter(|number| owner_of_account(opportunity(*number).account) != 0);
    foreign.take(TEAMS as usize).collect()
}

/// Full names from which a page of contacts is asked on: each has more than a page of the caller's contacts behind it.
#[must_use]
pub fn name_starts() -> Vec<String> {
    // The last first names have no page behind them.
    FIRST_NAMES
        .iter()
        .take(50)
        .flat_map(|first| LAST_NAMES.iter().step_by(3).map(move |last| format!("{first} {last}")))
        .collect()
}

fn picker(salt: u64, number: u32) -> impl Fn(u64, &[&'static str]) -> &'static str {
    move |which, of| {
        let index = scatter(salt * 100 + which, u64::from(number)) % of.len() as u64;
        usize::try_from(index).ok().and_then(|index| of.get(index)).copied().unwrap_or_default()
    }
}

fn below(limit: u32, salt: u64, number: u32) -> u32 {
    u32::try_from(scatter(salt, u64::from(number)) % u64::from(limit)).unwrap_or(0)
}

fn telephone(salt: u64, number: u32) -> String {
    format!("+1 {:03} 555 {:04}", 200 + below(700, salt, number), below(10_000, salt + 50, number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_caller_owns_three_tenths() {
        let own = accounts_of_caller().len();
        assert!((2_850..=3_150).contains(&own), "{own}");
        let owners: BTreeSet<u32> = (0..ACCOUNTS).map(owner_of_account).collect();
        assert_eq!(owners, (0..OWNERS).collect());
    }

    #[test]
    fn every_city_has_a_page_of_the_callers_accounts() {
        for wanted in (0..CITIES).map(city) {
            let own = accounts_of_caller().into_iter().filter(|number| account(*number).city == wanted).count();
            assert!(own > PAGE as usize, "{wanted}: {own}");
        }
    }

    #[test]
    fn every_start_has_a_page_of_the_callers_contacts_behind_it() {
        let own: Vec<String> =
            (0..CONTACTS).map(contact).filter(|c| owner_of_account(c.account) == 0).map(|c| c.full_name()).collect();
        for start in name_starts() {
            assert!(own.iter().filter(|name| **name >= start).count() > PAGE as usize, "{start}");
        }
    }

    #[test]
    fn ids_are_all_different_and_ordered_by_number() {
        let ids: Vec<Uuid> = (0..1000).map(|number| id(Kind::Contact, number)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1000);
        assert!(!ids.contains(&id(Kind::Account, 7)));
    }

    #[test]
    fn names_sort_alike_as_bytes_and_without_case() {
        let by_bytes = (0..CONTACTS).map(|number| contact(number).full_name()).collect::<BTreeSet<_>>();
        let folded: Vec<String> = by_bytes.iter().map(|name| name.to_lowercase()).collect();
        assert!(folded.is_sorted());
        let by_bytes = (0..ACCOUNTS).map(|number| account(number).name).collect::<BTreeSet<_>>();
        let folded: Vec<String> = by_bytes.iter().map(|name| name.to_lowercase()).collect();
        assert!(folded.is_sorted());
        assert_eq!(by_bytes.len(), ACCOUNTS as usize);
    }
}
