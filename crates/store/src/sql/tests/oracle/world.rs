//! Rows and rights, few enough to try them all, with values at the ends of their types.

use std::collections::{BTreeMap, BTreeSet};

use custodia_access::{Own, ParentAccess, RightsMask, RowAccess, RowArms};
use custodia_schema::{Guid, Money, Value, column_description_id};

use super::super::super::internal;
use super::super::engines::TestDatabase;
use super::super::{Numbers, TestPolicy, column, id, table, text};

/// A row by its columns' names; what is not named is null.
pub(super) type Row = BTreeMap<&'static str, Value>;

#[derive(Clone)]
pub(super) struct World {
    pub(super) rows: BTreeMap<&'static str, Vec<Row>>,
    /// User and principal, the user itself included.
    pub(super) members: BTreeSet<(Guid, Guid)>,
    /// A unit and one below it, or itself.
    pub(super) closure: BTreeSet<(Guid, Guid)>,
    /// Table, row, principal, explicit and inherited rights. Some are of a row that another table has under the same id.
    pub(super) shares: Vec<(&'static str, Guid, Guid, i32, i32)>,
    /// Table, row, column and principal of what was shared of single columns, and whether for reading.
    pub(super) column_shares: Vec<(&'static str, Guid, &'static str, Guid, bool)>,
    units: Vec<Guid>,
}

/// Columns that questions are about, by table.
pub(super) const COLUMNS: &[(&str, &[&str])] = &[
    (
        "account",
        &[
            "accountid",
            "name",
            "address1_city",
            "description",
            "numberofemployees",
            "revenue",
            "exchangerate",
            "address1_latitude",
            "creditonhold",
            "createdon",
            "industrycode",
            "statecode",
            "versionnumber",
            "primarycontactid",
            "parentaccountid",
            "ownerid",
            "owningbusinessunit",
        ],
    ),
    (
        "contact",
        &[
            "contactid",
            "fullname",
            "emailaddress1",
            "anniversary",
            "creditlimit",
            "parentcustomerid",
            "statecode",
            "createdon",
            "ownerid",
        ],
    ),
    ("systemuser", &["systemuserid", "fullname"]),
    ("team", &["teamid", "name"]),
];

/// Columns by which it is decided who reaches a row.
pub(super) const DECIDING: [&str; 3] = ["ownerid", "owningbusinessunit", "parentcustomerid"];

const USERS: u128 = 3;
const TEAMS: u128 = 3;

fn user(number: u128) -> Guid {
    id(1_000 + number)
}

fn team(number: u128) -> Guid {
    id(2_000 + number)
}

/// A value of a column, null one time in four; the same few values come again, so that rows tie.
pub(super) fn any_value(numbers: &mut Numbers, name: &str) -> Value {
    if numbers.below(4) == 0 {
        return Value::Null;
    }
    any_set_value(numbers, name)
}

/// The same, never null.
pub(super) fn any_set_value(numbers: &mut Numbers, name: &str) -> Value {
    const TEXTS: &[&str] = &[
        "",
        "a",
        "A ",
        "Ä",
        "Ärger",
        "arger",
        "b",
        "B%",
        "b_",
        "ß",
        "SS",
        "ﬁ",
        "fi",
        "z\u{10FFFF}",
        "Žluťoučký",
        "zlutoucky",
        "日本",
        "'\"\\",
    ];
    match name {
        "numberofemployees" => Value::Integer(*numbers.pick(&[i32::MIN, -1, 0, 1, i32::MAX])),
        "industrycode" => Value::Integer(*numbers.pick(&[1, 2, 3])),
        "statecode" => Value::Integer(*numbers.pick(&[0, 1])),
        "versionnumber" => Value::BigInt(*numbers.pick(&[i64::MIN, -1, 0, i64::MAX - 1, i64::MAX])),
        "revenue" | "creditlimit" => Value::Money(Money(*numbers.pick(&[i64::MIN, -1, 0, 10_000, i64::MAX]))),
        "exchangerate" => {
            let digits =
                ["0.000000000001", "-0.000000000001", "0", "1", "1.5", "100000000000", "-99999999999.999999999999"];
            Value::Decimal(numbers.pick(&digits).parse().unwrap())
        }
        "address1_latitude" => Value::Double(*numbers.pick(&[-90.0, -1e-300, 0.0, 0.5, 90.0])),
        "creditonhold" => Value::Boolean(numbers.below(2) == 0),
        "createdon" => Value::DateTime(*numbers.pick(&[
            -62_135_596_800,
            -1,
            0,
            1,
            951_782_400,
            1_711_846_799,
            1_711_846_800,
            1_735_689_599,
            1_735_689_600,
            253_402_300_799,
        ])),
        "anniversary" => Value::Date(*numbers.pick(&[-719_162, -1, 0, 11_016, 19_722, 19_723, 20_088, 2_932_896])),
        "accountid" => Value::Guid(account(u128::from(numbers.below(12)))),
        "contactid" => Value::Guid(contact(u128::from(numbers.below(12)))),
        "systemuserid" => Value::Guid(user(u128::from(numbers.below(3)))),
        "teamid" => Value::Guid(team(u128::from(numbers.below(3)))),
        "primarycontactid" => Value::Lookup(table("contact").id, contact(u128::from(numbers.below(12)))),
        "parentaccountid" => Value::Lookup(table("account").id, account(u128::from(numbers.below(12)))),
        "parentcustomerid" if numbers.below(2) == 0 => {
            Value::Lookup(table("account").id, account(u128::from(numbers.below(12))))
        }
        "parentcustomerid" => Value::Lookup(table("contact").id, contact(u128::from(numbers.below(12)))),
        "ownerid" if numbers.below(2) == 0 => Value::Lookup(table("systemuser").id, user(u128::from(numbers.below(3)))),
        "ownerid" => Value::Lookup(table("team").id, team(u128::from(numbers.below(3)))),
        "owningbusinessunit" => Value::Lookup(table("businessunit").id, id(3_000 + u128::from(numbers.below(5)))),
        _ => {
            let value = *numbers.pick(TEXTS);
            text(value)
        }
    }
}

/// An id whose order is not that of the rows. Accounts and contacts share ids, so that only the table tells them apart.
fn account(number: u128) -> Guid {
    id((number * 7_919) % 101 + 1)
}

fn contact(number: u128) -> Guid {
    id((number * 104_729) % 103 + 1)
}

/// Half of the cells of accounts and contacts or so, to somebody.
fn column_shares(numbers: &mut Numbers) -> Vec<(&'static str, Guid, &'static str, Guid, bool)> {
    let mut shares = BTreeMap::new();
    for (of, columns) in &COLUMNS[..2] {
        for _ in 0..numbers.below(120) {
            let number = u128::from(numbers.below(12));
            let object = if *of == "account" { account(number) } else { contact(number) };
            let with = u128::from(numbers.below(3));
            let principal = if numbers.below(2) == 0 { user(with) } else { team(with) };
            shares.insert((*of, object, *numbers.pick(&columns[1..]), principal), numbers.below(4) > 0);
        }
    }
    shares.into_iter().map(|((of, object, name, principal), reads)| (of, object, name, principal, reads)).collect()
}

impl World {
    pub(super) const TABLES: &[&str] =
        &["account", "contact", "systemuser", "team", "principalobjectaccess", "principalobjectattributeaccess"];

    /// Rows of each table that questions are about.
    pub(super) const ROWS: u64 = 10;

    pub(super) fn generate(numbers: &mut Numbers) -> Self {
        let mut rows: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
        for (name, key, make) in
            [("account", "accountid", account as fn(u128) -> Guid), ("contact", "contactid", contact)]
        {
            let columns = COLUMNS.iter().find(|(table, _)| *table == name).unwrap().1;
            let found = rows.entry(name).or_default();
            for number in 0..u128::from(Self::ROWS) {
                let mut row: Row = BTreeMap::new();
                for column in columns {
                    row.insert(column, any_value(numbers, column));
                }
                row.insert(key, Value::Guid(make(number)));
                for column in ["ownerid", "owningbusinessunit", "statecode"] {
                    row.insert(column, any_set_value(numbers, column));
                }
                row.insert("statuscode", Value::Integer(1));
                found.push(row);
            }
        }
        let named = |key: &'static str, name_column: &'static str, row: Guid, name: Value| {
            BTreeMap::from([(key, Value::Guid(row)), (name_column, name)])
        };
        for number in 0..USERS {
            let name = any_value(numbers, "fullname");
            rows.entry("systemuser").or_default().push(named("systemuserid", "fullname", user(number), name));
        }
        for number in 0..TEAMS {
            let name = any_value(numbers, "name");
            rows.entry("team").or_default().push(named("teamid", "name", team(number), name));
        }
        let mut members: BTreeSet<(Guid, Guid)> = (0..USERS).map(|number| (user(number), user(number))).collect();
        for _ in 0..numbers.below(6) {
            members.insert((user(u128::from(numbers.below(3))), team(u128::from(numbers.below(3)))));
        }
        // A tree of five units: each hangs below an earlier one.
        let units: Vec<Guid> = (0..5).map(|number| id(3_000 + number)).collect();
        let mut closure = BTreeSet::new();
        for (at, unit) in units.iter().enumerate() {
            closure.insert((*unit, *unit));
            if at > 0 {
                let parent = *numbers.pick(&units[..at]);
                let above: Vec<Guid> =
                    closure.iter().filter(|(_, below)| *below == parent).map(|(ancestor, _)| *ancestor).collect();
                closure.extend(above.into_iter().map(|ancestor| (ancestor, *unit)));
            }
        }
        let mut shares = BTreeMap::new();
        for _ in 0..numbers.below(12) {
            let (of, object) = if numbers.below(2) == 0 {
                ("account", account(u128::from(numbers.below(12))))
            } else {
                ("contact", contact(u128::from(numbers.below(12))))
            };
            let of = if numbers.below(6) == 0 { *numbers.pick(&["account", "contact", "opportunity"]) } else { of };
            let principal = if numbers.below(2) == 0 {
                user(u128::from(numbers.below(3)))
            } else {
                team(u128::from(numbers.below(3)))
            };
            let mask = |numbers: &mut Numbers| *numbers.pick(&[0, 1, 2, 3, 65_536]);
            shares.insert((of, object, principal), (mask(numbers), mask(numbers)));
        }
        let shares = shares
            .into_iter()
            .map(|((of, object, principal), (own, inherited))| (of, object, principal, own, inherited));
        let (shares, column_shares) = (shares.collect(), column_shares(numbers));
        Self { rows, members, closure, shares, column_shares, units }
    }

    pub(super) fn write(&self, database: &TestDatabase) {
        for (name, rows) in &self.rows {
            for row in rows {
                let values: Vec<_> = row.iter().map(|(name, value)| (*name, value.clone())).collect();
                database.insert(name, &values);
            }
        }
        for (user, principal) in &self.members {
            database.execute(&internal::insert_member(*user, *principal));
        }
        for unit in &self.units {
            // The nearest unit above is the one that the most units are above of.
            let above =
                |unit: Guid| self.closure.iter().filter(move |(_, below)| *below == unit).map(|(above, _)| *above);
            let parent = above(*unit).filter(|above| above != unit).max_by_key(|parent| above(*parent).count());
            for statement in internal::insert_unit(*unit, parent) {
                database.execute(&statement);
            }
        }
        for (at, (of, object, principal, own, inherited)) in self.shares.iter().enumerate() {
            database.insert(
                "principalobjectaccess",
                &[
                    ("principalobjectaccessid", Value::Guid(id(at as u128 + 1))),
                    ("objectid", Value::Guid(*object)),
                    ("objecttypecode", Value::Text((*of).to_owned())),
                    ("principalid", Value::Guid(*principal)),
                    ("accessrightsmask", Value::Integer(*own)),
                    ("inheritedaccessrightsmask", Value::Integer(*inherited)),
                ],
            );
        }
        for (at, (of, object, name, principal, reads)) in self.column_shares.iter().enumerate() {
            let shared = table(of);
            let attribute = column_description_id(&shared, shared.column(name).unwrap());
            let is_user = (0..USERS).any(|number| user(number) == *principal);
            let principal = Value::Lookup(table(if is_user { "systemuser" } else { "team" }).id, *principal);
            database.insert(
                "principalobjectattributeaccess",
                &[
                    ("principalobjectattributeaccessid", Value::Guid(id(at as u128 + 1))),
                    ("objectid", Value::Lookup(shared.id, *object)),
                    ("attributeid", Value::Guid(attribute)),
                    ("principalid", principal),
                    ("readaccess", Value::Boolean(*reads)),
                    ("updateaccess", Value::Boolean(true)),
                ],
            );
        }
    }

    pub(super) fn delete(&self, database: &TestDatabase) {
        for name in Self::TABLES.iter().chain(&["custodia_member", "custodia_unit_closure"]) {
            database.run(&format!("DELETE FROM {name}"));
        }
    }

    /// Rights of somebody: which rows of each table, which columns not.
    pub(super) fn any_policy(&self, numbers: &mut Numbers) -> TestPolicy {
        let mut policy = TestPolicy::open();
        for name in ["account", "contact"] {
            let access = self.any_access(numbers, name, 2);
            policy = policy.and_reaching(name, access);
        }
        for (name, columns) in COLUMNS {
            for column in &columns[1..] {
                if numbers.below(12) == 0 {
                    policy = policy.hiding(name, column);
                } else if matches!(*name, "account" | "contact") && !DECIDING.contains(column) && numbers.below(6) == 0
                {
                    // Some need what another column needs, as derived ones do, and some what two users were given.
                    let needs = [(user(u128::from(numbers.below(3))), *column), {
                        (user(u128::from(numbers.below(3))), *numbers.pick(&columns[1..]))
                    }];
                    let needs = if numbers.below(4) == 0 { &needs[..] } else { &needs[..1] };
                    policy = policy.sharing(name, column, needs);
                }
            }
        }
        policy
    }

    /// Whether a column was shared for reading with a user or a team of theirs, on a row.
    pub(super) fn is_shared(&self, of: &str, row: Guid, name: &str, with: Guid) -> bool {
        self.column_shares.iter().any(|(table, object, column, principal, reads)| {
            *table == of && *object == row && *column == name && *reads && self.members.contains(&(with, *principal))
        })
    }

    fn any_access(&self, numbers: &mut Numbers, of: &str, depth: u32) -> RowAccess {
        match numbers.below(10) {
            0 | 1 => RowAccess::All,
            2 if depth > 0 => {
                let count = numbers.below(3) + 1;
                RowAccess::Every((0..count).map(|_| self.any_access(numbers, of, depth - 1)).collect())
            }
            3 if depth > 0 && of == "contact" => {
                let lookup = column("contact", "parentcustomerid");
                let mut parents = Vec::new();
                for target in ["account", "contact"] {
                    if numbers.below(4) > 0 {
                        let access =
                            (numbers.below(4) > 0).then(|| Box::new(self.any_access(numbers, target, depth - 1)));
                        parents.push(ParentAccess { lookup, table: table(target).id, access });
                    }
                }
                RowAccess::Parent(parents)
            }
            _ => RowAccess::Arms(self.any_arms(numbers)),
        }
    }

    fn any_arms(&self, numbers: &mut Numbers) -> RowArms {
        let caller = user(u128::from(numbers.below(3)));
        let mut units = self.units.clone();
        let mut take = |numbers: &mut Numbers, odds: u64| -> Vec<Guid> {
            let taken: Vec<Guid> = units.iter().copied().filter(|_| numbers.below(odds) == 0).collect();
            units.retain(|unit| !taken.contains(unit));
            taken
        };
        let (subtrees, units) = (take(numbers, 6), take(numbers, 6));
        RowArms {
            user: caller,
            own: match numbers.below(7) {
                0 => Own::Nobody,
                1 => Own::Teams((0..numbers.below(3)).map(|number| team(u128::from(number))).collect()),
                3 | 4 => Own::UserAnd((0..numbers.below(3)).map(|number| team(u128::from(number))).collect()),
                2 => Own::Self_,
                _ => Own::UserAndTeams,
            },
            units,
            subtrees,
            shared: *numbers.pick(&[None, Some(RightsMask(1)), Some(RightsMask(2))]),
            reports: None,
        }
    }
}
