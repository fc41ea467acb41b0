//! What the generated questions are about: the table with a column of every kind, its neighbours, and tables with links of
//! many to many.

use std::sync::{Arc, OnceLock};

use custodia_oracle::speech::Vocabulary;
use custodia_query::Zone;
use custodia_query::operator::Asker;
use custodia_schema::{
    Column, ColumnId, ColumnKind, DateBehavior, Decimal, Guid, Money, Schema, Table, TableId, Value, load,
    standard_files,
};

/// The schema of these tests.
pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut files = standard_files().to_vec();
        files.push(("new_gadget.toml", include_str!("../odata/new_gadget.toml")));
        load(&files).unwrap_or_else(|fault| panic!("{fault}"))
    })
}

/// Somebody in a zone with summer time, with teams, in an organisation whose years begin in April.
pub(crate) fn asker() -> &'static Asker {
    static ASKER: OnceLock<Asker> = OnceLock::new();
    ASKER.get_or_init(|| {
        let changes = vec![(1_711_846_800, 7_200), (1_729_990_800, 3_600), (1_743_296_400, 7_200)];
        let mut asker = Asker::plain(1_720_000_000, Guid::from_u128(0xa), Guid::from_u128(0xb));
        asker.zone = Arc::new(Zone { first: 3_600, changes });
        asker.teams = vec![Guid::from_u128(0xc), Guid::from_u128(0xd)];
        asker.fiscal.month = 4;
        asker.week_begins = 1;
        asker
    })
}

/// The tables spoken of. The first ones are asked.
const TABLES: &[(&str, &[&str])] = &[
    ("new_gadget", &[]),
    (
        "account",
        &[
            "accountid",
            "name",
            "numberofemployees",
            "revenue",
            "createdon",
            "parentaccountid",
            "primarycontactid",
            "ownerid",
            "statecode",
            "industrycode",
        ],
    ),
    ("contact", &["contactid", "fullname", "anniversary", "creditlimit", "parentcustomerid", "ownerid"]),
    ("team", &["teamid", "name"]),
    ("systemuser", &["systemuserid", "fullname", "parentsystemuserid"]),
    ("teammembership", &["systemuserid", "teamid"]),
];

pub(crate) fn vocabulary() -> Vocabulary<'static> {
    static TABLES_OF: OnceLock<Vec<(TableId, Vec<ColumnId>)>> = OnceLock::new();
    let tables = TABLES_OF.get_or_init(|| {
        let columns = |table: &Table, names: &[&str]| match names {
            [] => readable(table),
            _ => names.iter().map(|name| table.column(name).unwrap_or_else(|| panic!("no column {name}")).id).collect(),
        };
        let table = |name: &str| schema().table_named(name).unwrap();
        TABLES.iter().map(|(name, names)| (table(name).id, columns(table(name), names))).collect()
    });
    Vocabulary { schema: schema(), asker: asker(), tables, asked: 4, collections: true, value: &value }
}

fn readable(table: &Table) -> Vec<ColumnId> {
    let columns = table.columns().iter().filter(|column| column.readable && column.kind.is_stored());
    columns.map(|column| column.id).collect()
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A ",
    " b",
    "O'Neil",
    "''",
    "50%",
    "_x",
    "[a]",
    "]",
    "^-",
    "\"quoted\"",
    "<a&b>",
    "äß€",
    "日本",
    "z\u{10FFFF}",
    "a\tb\r\nc",
    ";$filter=x)",
    "(",
    "a,b",
    "%25",
    "+",
    "#?&=",
    "\\",
    "true",
    "2024-02-29",
    "@p",
    "\u{85}",
];

fn value(number: u64, _: &Table, column: &Column) -> Value {
    let pick = |count: usize| usize::try_from(number >> 8).unwrap_or(0) % count;
    let wide = i64::from_ne_bytes(number.to_ne_bytes());
    match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text(TEXTS[pick(TEXTS.len())].to_owned()),
        ColumnKind::TableName => Value::Text(["account", "new_gadget", "contact"][pick(3)].to_owned()),
        ColumnKind::Integer { .. } => Value::Integer([i32::MIN, -1, 0, 7, i32::MAX][pick(5)]),
        ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            Value::Integer([0, 1, 2, 3][pick(4)])
        }
        ColumnKind::BigInt => Value::BigInt([i64::MIN, wide, 0, i64::MAX][pick(4)]),
        ColumnKind::Decimal { .. } => {
            Value::Decimal(Decimal::new(wide / 1_000, u32::try_from(pick(13)).unwrap()).normalize())
        }
        ColumnKind::Double { .. } => Value::Double([0.0, -1e-300, 0.1, 1.5e300, f64::MAX, -90.25][pick(6)]),
        ColumnKind::Money { .. } => Value::Money(Money([i64::MIN, wide, 0, 15_000, i64::MAX][pick(5)])),
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Value::Boolean(pick(2) == 0),
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => {
            Value::Date([-719_162, -1, 0, 19_782, 2_932_896][pick(5)])
        }
        ColumnKind::DateTime { .. } => {
            Value::DateTime([-62_135_596_800, -1, 0, 1_709_164_799, 1_711_846_800, 253_402_300_799][pick(6)])
        }
        ColumnKind::Choices { .. } => Value::Choices([vec![1], vec![1, 3], vec![-5, 0, 7]][pick(3)].clone()),
        ColumnKind::Guid | ColumnKind::Lookup { .. } => {
            Value::Guid(Guid::from_u128([0xa, 0xc, u128::from(number), u128::MAX][pick(4)]))
        }
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => panic!("'{}' is not stored", column.name),
    }
}
