//! Writes what fuzzing begins with: the texts that stand in the tests of the parsers, questions that are made up, and the
//! words of the languages. Run by hand, when a language has learned something:
//! `cargo test -p custodia-fuzz-targets --test seeds -- --ignored`; afterwards `scripts/fuzz` drops what reaches nothing new.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custodia_house::repository;
use custodia_house::source::Source;
use custodia_oracle::speech::{Language, Vocabulary};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::{query_string, write_apply, write_options};
use custodia_query::operator::{Asker, Operator};
use custodia_query::{Phrase, Words};
use custodia_schema::{
    Column, ColumnId, ColumnKind, DateBehavior, Decimal, Guid, Money, Schema, Table, TableId, Value, standard,
};
use custodia_store::{AuditedChange, encode_audit, encode_payload};

/// Questions that are made up of each kind.
const QUESTIONS: u64 = 60;

/// Bytes of a seed: longer texts make fuzzing slow and reach little more.
const SEED_BYTES_MAX: usize = 2_048;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Seeds of one target.
struct Seeds(&'static str, BTreeSet<Vec<u8>>);

impl Seeds {
    fn of(target: &'static str) -> Self {
        Self(target, BTreeSet::new())
    }

    fn add(&mut self, seed: impl AsRef<[u8]>) {
        let seed = seed.as_ref();
        if !seed.is_empty() && seed.len() <= SEED_BYTES_MAX {
            self.1.insert(seed.to_vec());
        }
    }

    fn write(&self) {
        let folder = fuzz_folder().join("corpus").join(self.0);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in self.1.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), seed).unwrap();
        }
    }
}

/// The literals of all source files whose path begins with one of these, unescaped.
fn literals(paths: &[&str]) -> Vec<String> {
    let files = repository::files();
    let wanted =
        files.iter().filter(|file| file.extension() == "rs" && paths.iter().any(|path| file.path.starts_with(path)));
    wanted.flat_map(|file| Source::parse(file).literals).map(|piece| unescaped(&piece.text)).collect()
}

/// What an escaped literal says, as far as it matters here.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('0') => plain.push('\0'),
            Some('\n') => while characters.next_if(|c| c.is_whitespace()).is_some() {},
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

fn value(number: u64, _: &Table, column: &Column) -> Value {
    let pick = |count: usize| usize::try_from(number >> 8).unwrap_or(0) % count;
    match &column.kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => {
            Value::Text(["", "O'Neil", "50%", "[a-f]_", "<a&b>", "日本"][pick(6)].to_owned())
        }
        ColumnKind::TableName => Value::Text("account".to_owned()),
        ColumnKind::Integer { .. } => Value::Integer([i32::MIN, 0, 7][pick(3)]),
        ColumnKind::Choice { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => {
            Value::Integer([0, 1, 2][pick(3)])
        }
        ColumnKind::BigInt => Value::BigInt([i64::MIN, 0, i64::MAX][pick(3)]),
        ColumnKind::Decimal { .. } => Value::Decimal(Decimal::new(12_345, 3)),
        ColumnKind::Double { .. } => Value::Double([0.1, -1e-300, 1.5e300][pick(3)]),
        ColumnKind::Money { .. } => Value::Money(Money([i64::MIN, 0, 15_000][pick(3)])),
        ColumnKind::Boolean { .. } | ColumnKind::Managed => Value::Boolean(pick(2) == 0),
        ColumnKind::DateTime { behavior: DateBehavior::DateOnly, .. } => Value::Date([-719_162, 0, 19_782][pick(3)]),
        ColumnKind::DateTime { .. } => Value::DateTime([-62_135_596_800, 0, 1_709_164_799][pick(3)]),
        ColumnKind::Choices { .. } => Value::Choices(vec![1, 3]),
        ColumnKind::Guid | ColumnKind::Lookup { .. } => Value::Guid(Guid::from_u128(u128::from(number))),
        ColumnKind::PartyList | ColumnKind::Image | ColumnKind::File => panic!("'{}' is not stored", column.name),
    }
}

/// Questions made up about standard tables: query options, groups of `$apply`, FetchXML.
fn made_up(schema: &Arc<Schema>, options: &mut Seeds, apply: &mut Seeds, fetchxml: &mut Seeds) {
    let asker = Asker::plain(1_720_000_000, Guid::from_u128(0xa), Guid::from_u128(0xb));
    let readable = |name: &str| -> (TableId, Vec<ColumnId>) {
        let table = schema.table_named(name).unwrap();
        let columns = table.columns().iter().filter(|column| column.readable && column.kind.is_stored());
        (table.id, columns.map(|column| column.id).take(40).collect())
    };
    let tables: Vec<_> = ["account", "contact", "opportunity", "systemuser"].into_iter().map(readable).collect();
    let vocabulary = Vocabulary { schema, asker: &asker, tables: &tables, asked: 3, collections: true, value: &value };
    let sent = |table: TableId, options: Vec<(String, String)>| {
        let raw = query_string(options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        format!("{}?{raw}", schema.table(table).unwrap().set_name)
    };
    fn words<'w>(schema: &'w Schema, asker: &'w Asker, phrases: &'w [Phrase]) -> Words<'w> {
        Words { schema, asker, phrases }
    }
    for seed in 0..QUESTIONS {
        if let Some(saying) = vocabulary.query(Language::OData, seed)
            && let Ok(written) = write_options(&words(schema, &asker, &saying.phrases), &saying.question)
        {
            options.add(sent(saying.question.table, written));
        }
        if let Some(saying) = vocabulary.groups(Language::OData, seed)
            && let Ok(written) = write_apply(&words(schema, &asker, &saying.phrases), &saying.question)
        {
            apply.add(sent(saying.question.rows.table, written));
        }
        if let Some(saying) = vocabulary.query(Language::FetchXml, seed)
            && let Ok(fetch) = Fetch::of_query(&words(schema, &asker, &saying.phrases), &saying.question)
        {
            fetchxml.add(fetch.print());
        }
        if let Some(saying) = vocabulary.groups(Language::FetchXml, seed)
            && let Ok(fetch) = Fetch::of_groups(&words(schema, &asker, &saying.phrases), &saying.question)
        {
            fetchxml.add(fetch.print());
        }
    }
}

#[test]
#[ignore = "rewrites fuzz/corpus and fuzz/dictionaries"]
fn write_seeds() {
    let schema = standard();
    let mut options = Seeds::of("odata_options");
    let mut apply = Seeds::of("odata_apply");
    let mut path = Seeds::of("odata_path");
    let mut fetchxml = Seeds::of("fetchxml");
    let mut sql = Seeds::of("sql_select");
    let mut request = Seeds::of("request");
    let mut pattern = Seeds::of("pattern");
    let mut mapping = Seeds::of("csv_mapping");
    let mut address = Seeds::of("address");
    let mut batch = Seeds::of("batch");
    let mut record = Seeds::of("record_body");
    let mut cards = Seeds::of("card_numbers");

    made_up(&schema, &mut options, &mut apply, &mut fetchxml);
    for text in literals(&["crates/query/tests", "crates/web-api/tests", "crates/server/tests"]) {
        // The description of all tables is many megabytes: one input would take as long as thousands of others.
        if text.contains("RetrieveAllEntities") || text.contains("RetrieveMetadataChanges") {
            continue;
        }
        let trimmed = text.trim_start();
        if trimmed.starts_with("<fetch") {
            fetchxml.add(&text);
            request.add(format!("GET accounts?fetchXml={}", percent(&text)));
        } else if trimmed.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("select ")) {
            sql.add(&text);
            request.add(format!("GET accounts?sql={}", percent(&text)));
        } else if text.starts_with("$apply=") || text.contains("?$apply=") {
            apply.add(if text.starts_with('$') { format!("accounts?{text}") } else { text.clone() });
        } else if text.starts_with('$') && text.contains('=') {
            options.add(format!("new_gadgets?{text}"));
            options.add(format!("accounts?{text}"));
        } else if text.contains("?$") && !text.contains(['\n', ' ']) {
            options.add(&text);
            request.add(format!("GET {text}"));
        } else if text.starts_with('{') && text.contains('"') {
            record.add(format!("POST accounts\n{text}"));
            record.add(format!("POST contacts\n{text}"));
        } else if text.contains("--b\r\n") || text.contains("--b\n") {
            batch.add(&text);
        } else if text.contains('(') && !text.contains(['\n', '{', ' ']) {
            path.add(&text);
            request.add(format!("GET {text}"));
        } else if text.contains(" eq ") || text.contains(" and ") || text.contains("contains(") {
            options.add(format!("new_gadgets?$filter={}", percent(&text)));
        }
    }
    for text in literals(&["crates/query/src/like"]).iter().filter(|text| text.len() < 40) {
        pattern.add(text);
        pattern.add(format!("{text}\nabc a[b]c"));
    }
    for text in literals(&["crates/process"]).iter().filter(|text| text.contains("[columns]")) {
        mapping.add(text);
    }
    for file in repository::files().iter().filter(|file| file.path.starts_with("demo") && file.extension() == "toml") {
        mapping.add(&file.text);
    }
    for text in literals(&["crates/identity/src/address.rs"]).iter().filter(|text| text.contains(':')) {
        address.add(text);
    }
    for text in
        literals(&["crates/inspection/src"]).iter().filter(|text| text.bytes().any(|byte| byte.is_ascii_digit()))
    {
        cards.add(text);
    }
    by_hand(&mut request, &mut batch, &mut record);
    for seeds in [options, apply, path, fetchxml, sql, request, pattern, mapping, address, batch, record, cards] {
        seeds.write();
    }
    for seeds in [access_tokens(), token_requests(), page_tokens(), csv_rows(), manifests(), credentials()] {
        seeds.write();
    }
    for seeds in records(&schema) {
        seeds.write();
    }
    write_dictionaries(&schema);
}

fn percent(text: &str) -> String {
    query_string([("", text)]).trim_start_matches('=').to_owned()
}

fn by_hand(request: &mut Seeds, batch: &mut Seeds, record: &mut Seeds) {
    const ACME: &str = "accounts(00000000-0000-4000-8000-0000000000a1)";
    for headers in [
        "Prefer: odata.include-annotations=\"*\",odata.maxpagesize=1",
        "Prefer: return=representation\nIf-Match: *",
        "Prefer: odata.track-changes, odata.continue-on-error",
        "If-None-Match: W/\"12\"",
        "If-Match: W/\"12\", \"13\"\nIf-None-Match: null",
        "Accept: application/json;odata.metadata=full;IEEE754Compatible=true",
        "Accept: application/json;q=0.5, */*\nOData-Version: 4.0",
        "CallerObjectId: 00000000-0000-4000-8000-0000000000a1",
        "MSCRMCallerID: {00000000-0000-4000-8000-0000000000a1}",
        "MSCRM.SuppressDuplicateDetection: true\nContent-Type: application/json; charset=utf-8",
    ] {
        request.add(format!("GET {ACME}?$select=name\n{headers}\n\n"));
        request.add(format!("GET accounts?$select=name&$expand=primarycontactid($select=fullname)\n{headers}\n\n"));
        request.add(format!("PATCH {ACME}\n{headers}\nContent-Type: application/json\n\n{{\"name\":\"x\"}}"));
        request.add(format!("DELETE {ACME}\n{headers}\n\n"));
    }
    for target in [
        "",
        "$metadata",
        "WhoAmI()",
        "WhoAmI",
        "RetrieveVersion()",
        "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'account'",
        "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName",
        "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')/Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "EntityDefinitions(LogicalName='account')?$expand=Attributes($select=LogicalName),Keys",
        "GlobalOptionSetDefinitions",
        "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata?$top=3",
        "accounts/$count",
        "accounts/$count?$filter=name eq 'Acme'",
        "accounts(accountnumber='A-1')",
        "accounts?$deltatoken=12!1767323045!1",
        "accounts/$count?$deltatoken=1!2!3",
        "accounts?$apply=groupby((statuscode),aggregate(revenue with sum as total))",
        "accounts?$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=3)",
        "accounts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a','b'])",
        "RetrieveTotalRecordCount(EntityNames=['account','contact'])",
        "RetrieveTotalRecordCount(EntityNames=@p)?@p=['account']",
        "InitializeFrom(EntityMoniker=@p,TargetEntityName='account',TargetFieldType=0)?@p={'@odata.id':'accounts(00000000-0000-4000-8000-0000000000a1)'}",
        "systemusers(00000000-0000-4000-8000-0000000000a1)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()",
        "accounts?savedQuery=00000000-0000-4000-8000-0000000000a1",
        "accounts(00000000-0000-4000-8000-0000000000a1)/contact_customer_accounts/$ref",
        "accounts(00000000-0000-4000-8000-0000000000a1)/name/$value",
    ] {
        request.add(format!("GET {}\n\n", target.replace(' ', "%20")));
        batch.add(format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET {target} HTTP/1.1\r\n\
             Accept: application/json\r\n\r\n\r\n--b--\r\n"
        ));
    }
    for body in [
        "{\"Target\":{\"@odata.id\":\"accounts(00000000-0000-4000-8000-0000000000a1)\"}}",
        "{\"Target\":{\"accountid\":\"00000000-0000-4000-8000-0000000000a1\",\"@odata.type\":\"Microsoft.Dynamics.CRM.account\"}}",
        "{\"Targets\":[{\"@odata.type\":\"Microsoft.Dynamics.CRM.account\",\"name\":\"a\"}]}",
    ] {
        for action in ["CreateMultiple", "UpdateMultiple", "UpsertMultiple", "DeleteMultiple"] {
            record.add(format!("POST accounts/Microsoft.Dynamics.CRM.{action}\n{body}"));
        }
        for action in ["GrantAccess", "RevokeAccess", "ModifyAccess", "Merge", "Assign", "AddMembersTeam"] {
            record.add(format!("POST {action}\n{body}"));
        }
    }
    batch.add(
        "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n\
         POST accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a\"}\r\n--c\r\n\
         Content-Type: application/http\r\nContent-ID: 2\r\n\r\nPATCH $1 HTTP/1.1\r\nContent-Type: application/json\r\n\r\n\
         {\"name\":\"b\"}\r\n--c--\r\n--b--\r\n",
    );
    batch.add(
        "--b\nContent-Type: application/http\n\nGET /api/data/v9.2/accounts?$top=1 HTTP/1.1\nCallerObjectId: x\n\n\n--b--",
    );
    for body in [
        "{\"name\":\"Acme\",\"revenue\":12345.678,\"numberofemployees\":7,\"donotphone\":true,\"statuscode\":1}",
        "{\"name\":\"A\",\"primarycontactid\":{\"lastname\":\"L\",\"parentcustomerid_account@odata.bind\":\"accounts(00000000-0000-4000-8000-0000000000a1)\"}}",
        "{\"name\":\"A\",\"contact_customer_accounts\":[{\"lastname\":\"L\",\"birthdate\":\"2024-02-29\"},{\"lastname\":\"M\"}]}",
        "{\"name\":null,\"@odata.etag\":\"W/\\\"1\\\"\",\"ownerid@odata.bind\":\"systemusers(00000000-0000-4000-8000-0000000000a1)\"}",
        "{\"address1_latitude\":-12.5,\"exchangerate\":\"1.0000000001\",\"creditlimit\":1e3,\"overriddencreatedon\":\"2024-02-29T23:59:59.5+01:00\"}",
        "{\"name\":\"\\u00e4\\ud83d\\ude00\",\"description\":\"a\\nb\",\"customertypecode\":3,\"parentaccountid@odata.bind\":null}",
    ] {
        record.add(format!("POST accounts\n{body}"));
        record.add(format!("PATCH {ACME}\n{body}"));
        record.add(format!("PATCH accounts(accountnumber='A-1')\n{body}"));
    }
    for (set, body) in [
        (
            "tasks",
            "{\"subject\":\"s\",\"scheduledend\":\"2026-01-05T10:00:00Z\",\"regardingobjectid_account_task@odata.bind\":\"/accounts(00000000-0000-4000-8000-0000000000a1)\"}",
        ),
        (
            "opportunities",
            "{\"name\":\"o\",\"estimatedvalue\":1.2345,\"estimatedclosedate\":\"2026-12-31\",\"customerid_account@odata.bind\":\"/accounts(accountnumber='A-1')\"}",
        ),
        (
            "annotations",
            "{\"subject\":\"n\",\"notetext\":\"t\",\"objectid_account@odata.bind\":\"/accounts(00000000-0000-4000-8000-0000000000a1)\"}",
        ),
        ("accounts(00000000-0000-4000-8000-0000000000a1)/contact_customer_accounts", "{\"lastname\":\"L\"}"),
        (
            "accounts(00000000-0000-4000-8000-0000000000a1)/contact_customer_accounts/$ref",
            "{\"@odata.id\":\"contacts(00000000-0000-4000-8000-0000000000c1)\"}",
        ),
        ("systemusers", "{\"domainname\":\"x@y.example\",\"firstname\":\"a\",\"lastname\":\"b\"}"),
        ("teams", "{\"name\":\"t\",\"teamtype\":0}"),
        ("roles", "{\"name\":\"r\"}"),
    ] {
        record.add(format!("POST {set}\n{body}"));
    }
}

fn access_tokens() -> Seeds {
    let mut seeds = Seeds::of("access_token");
    let claims = "{\"aud\":\"https://crm.example/demo\",\"iss\":\"https://crm.example/demo/v2.0\",\"iat\":1699999990,\"nbf\":1699999990,\
                  \"exp\":1700003600,\"tid\":\"00000000-0000-0000-0000-00000000000f\",\"oid\":\"00000000-0000-0000-0000-00000000000a\",\
                  \"sub\":\"00000000-0000-0000-0000-00000000000a\",\"upn\":\"ada\",\"idtyp\":\"user\",\"scp\":\"user_impersonation\",\
                  \"amr\":[\"pwd\"],\"jti\":\"00000000-0000-0000-0000-000000000001\",\"ver\":\"2.0\"}";
    let header = "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"THE-KEY\"}";
    seeds.add(format!("{header}\n{claims}"));
    for (from, to) in [
        ("1700003600", "1"),
        ("1699999990", "1800000000"),
        ("/v2.0", "/"),
        ("crm.example/demo\"", "crm.example\""),
        ("0000000f\"", "0000000e\""),
        ("[\"pwd\"]", "[\"secret\"]"),
        ("[\"pwd\"]", "[]"),
        ("\"upn\":\"ada\",", "\"appid\":\"00000000-0000-0000-0000-00000000000c\","),
        ("1700003600", "9223372036854775807"),
    ] {
        seeds.add(format!("{header}\n{}", claims.replace(from, to)));
    }
    for header in [
        "{\"alg\":\"none\",\"kid\":\"THE-KEY\"}",
        "{\"alg\":\"HS256\",\"kid\":\"THE-KEY\"}",
        "{\"alg\":\"RS256\",\"kid\":\"other\",\"crit\":[\"exp\"]}",
        "{\"typ\":\"at+jwt\",\"alg\":\"RS256\",\"kid\":\"THE-KEY\"}",
    ] {
        seeds.add(format!("{header}\n{claims}"));
    }
    seeds.add("Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA");
    seeds.add("eyJhbGciOiJub25lIn0.e30.");
    seeds
}

fn token_requests() -> Seeds {
    let mut seeds = Seeds::of("token_request");
    let client = "client_id=0000000c-0000-4000-8000-00000000000c&client_secret=the-secret-of-the-application";
    for request in [
        "v2\ngrant_type=password&username=ada&password=x&scope=https%3A%2F%2Fcrm.example%2Fdemo%2F.default".to_owned(),
        "v2\ngrant_type=password&username=ada&password=x&scope=offline_access+openid".to_owned(),
        "v1\ngrant_type=password&username=ada&password=x&resource=https%3A%2F%2Fcrm.example%2Fdemo%2F".to_owned(),
        format!("v2\ngrant_type=client_credentials&{client}&scope=https://crm.example/demo//.default"),
        format!("v1\ngrant_type=client_credentials&{client}&resource=https://crm.example"),
        "v2\ngrant_type=refresh_token&refresh_token=REFRESH-TOKEN".to_owned(),
        "v1 Basic MDAwMDAwMGMtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDBjOnRoZS1zZWNyZXQtb2YtdGhlLWFwcGxpY2F0aW9u\n\
         grant_type=client_credentials"
            .to_owned(),
        "v2 Basic YTpi\ngrant_type=client_credentials&client_id=a".to_owned(),
        "v2\ngrant_type=authorization_code&code=1".to_owned(),
        "v2\nclient_assertion=a&client_assertion_type=b".to_owned(),
        "v2\ngrant_type=password&grant_type=password".to_owned(),
        "v2\ngrant_type=password&username=nobody&password=%F0%9F%98%80%00&x=&&=".to_owned(),
    ] {
        seeds.add(request);
    }
    seeds
}

fn page_tokens() -> Seeds {
    let mut seeds = Seeds::of("page_token");
    let tag = "0".repeat(64);
    let id = "<accountid last=\"{00000000-0000-4000-8000-0000000000A1}\" first=\"{00000000-0000-4000-8000-0000000000A1}\" />";
    for (question, page, elements) in [
        ("accounts?", "1\"", String::new()),
        ("accounts?$orderby=name", "1\"", "<name last=\"A&amp;b\" first=\"A\" />".to_owned()),
        ("accounts?$orderby=name desc", "2\" left=\"7\"", "<name lastnull=\"1\" firstnull=\"1\" />".to_owned()),
        ("accounts?$orderby=revenue,createdon desc", "3\"", "<revenue last=\"15000\" first=\"1\" /><createdon last=\"1709164799\" first=\"0\" />".to_owned()),
        ("accounts?$orderby=primarycontactid/fullname", "1\"", "<primarycontactid.fullname last=\"x&#10;\" first=\"\" />".to_owned()),
        ("accounts?$orderby=donotphone,statuscode,exchangerate", "4294967294\"", "<donotphone last=\"1\" first=\"0\" /><statuscode last=\"1\" first=\"1\" /><exchangerate last=\"1.5\" first=\"1\" />".to_owned()),
        ("accounts?$orderby=address1_latitude", "1\"", "<address1_latitude last=\"NaN\" first=\"-1e-300\" />".to_owned()),
        ("contacts?$orderby=birthdate", "1\"", "<birthdate last=\"-719162\" first=\"0\" />".to_owned()),
    ] {
        let id = if question.starts_with("contacts") { id.replace("accountid", "contactid") } else { id.to_owned() };
        let inner = format!("<cookie page=\"{page} tag=\"{tag}\">{elements}{id}</cookie>");
        seeds.add(format!("{question}\n{inner}"));
        seeds.add(format!(
            "{question}\n<cookie pagenumber=\"2\" pagingcookie=\"{}\" istracking=\"False\" />",
            percent(&percent(&inner))
        ));
    }
    for left in ["", " left=\"7\""] {
        seeds.add(format!("accounts?\n<cookie page=\"1\"{left} tag=\"{tag}\"><rows before=\"5000\" /></cookie>"));
    }
    seeds
}

fn csv_rows() -> Seeds {
    let mut seeds = Seeds::of("csv_rows");
    let deals = "deals\nNo;Year;Product;Customer;Seller;Value;Expected;Created;Rating;Chance;Stage;Deleted\n";
    seeds.add(format!("{deals}1;2026;GTXPro;Acme;ada@old.example;1.234,5;31.12.2026;2.1.2026 9:30;A;10;won;\n"));
    seeds.add(format!("{deals}1;2026;X;A-1;;-0,05;;29.3.2026 2:30;;;lost;\n2;;;;;;;;;;;yes\n\n;;;;;;;;;;;\n"));
    seeds.add(format!("{deals}1;1;\"a;\"\"b\n\";;;1e9;29.2.2025;25.10.2026 2:30;Z;101;gone\n1;1;c;;;;;;;;;;\n"));
    seeds.add(format!("{deals}1;1;\"a \"b\" c\";;;;;;;;;\n"));
    seeds.add(format!("{deals}1;1;12\" pipe;;;;;;;;;\n2;1;\"open;;;;;;;;;\n"));
    let companies =
        "companies\nid,company,phone,place,symbol,branch,remark,do not call,people,latitude,turnover,belongs to\n";
    seeds.add(format!(
        "{companies}1,Acme,+49 (0) 30,\"Rome, Lazio, Italy\",acm,North,good,yes,12,-12.5,\"1,234\",Acme\n"
    ));
    seeds
        .add(format!("\u{feff}{companies}2,,,,,,,maybe,x,91,0.00001,Nobody\r\n3,B,1,a,b,,,0,2147483648,1e400,-1,\r\n"));
    let people = "people\nid,name,born,married,seen,gender,limit,company\n";
    seeds.add(format!("{people}1,Ann,1990-02-29,\"Jan 5, 2020\",3/8/2026 2:30 AM,Female,1000.5,1\n"));
    seeds.add(format!(
        "{people}2,Bob,2000-01-31T23:00:00Z,\"Feb 30, 2020\",11/1/2026 1:30 PM,2,-922337203685477.5808,\n"
    ));
    seeds
}

fn manifests() -> Seeds {
    let mut seeds = Seeds::of("backup_manifest");
    let manifest = "{\"program\":\"0.1.0\",\"engine\":\"sqlite\",\"taken\":1767323045,\"organization\":\"00000000-0000-4000-8000-00000000000b\",\
                    \"name\":\"other\",\"display_name\":\"Other\",\"created\":1,\"epoch\":1,\"number\":7,\"commit_time\":1767323045,\
                    \"wrapped_key\":\"THE-KEY\",\"database_sha256\":\"THE-DATABASE\",\"tables\":[],\
                    \"hash\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}";
    seeds.add(manifest);
    for (from, to) in [
        ("THE-KEY", "00"),
        ("THE-DATABASE", "zz"),
        ("\"other\"", "\"demo\""),
        ("\"tables\":[]", "\"tables\":[{\"table\":\"account\",\"rows\":18446744073709551615,\"hash\":\"00\"}]"),
        ("\"number\":7", "\"number\":-9223372036854775808"),
        ("\"name\":\"other\"", "\"name\":\"../x\""),
    ] {
        seeds.add(manifest.replace(from, to));
    }
    let mut file = b"x{}".to_vec();
    file.extend_from_slice(&[0; 32]);
    file.extend_from_slice(&1_u64.to_le_bytes());
    file.extend_from_slice(&2_u32.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(b"CUSTODIA BACKUP\n");
    seeds.add(&file);
    seeds.add(b"CUSTODIA BACKUP\n");
    seeds
}

fn credentials() -> Seeds {
    let mut seeds = Seeds::of("stored_credential");
    let digest = "A".repeat(43);
    let family = format!(
        "{{\"id\":\"07070707-0707-4707-8707-070707070707\",\"user\":\"00000000-0000-0000-0000-00000000000a\",\"application\":null,\
         \"method\":\"pwd\",\"audience\":\"https://crm.example\",\"signed_in\":1699999940,\"used\":1699999940,\"generation\":0,\
         \"revoked\":false,\"current\":\"{digest}\",\"previous\":null}}"
    );
    seeds.add(&family);
    seeds.add(family.replace("null}", &format!("{{\"digest\":\"{digest}\",\"nonce\":{:?}}}}}", [7; 16])));
    seeds.add(&digest);
    seeds.add("B".repeat(64));
    seeds.add(b"CKS\x01");
    seeds.add(b"CKS\x01\0\0\0\0\0\0\0\x01\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\x02\x30\0");
    seeds
}

/// Change records and audit entries with a value of every kind.
fn records(schema: &Schema) -> [Seeds; 2] {
    let mut changes = Seeds::of("change_record");
    let mut audits = Seeds::of("audit_record");
    let values = [
        Value::Null,
        Value::Boolean(true),
        Value::Integer(i32::MIN),
        Value::BigInt(i64::MAX),
        Value::Decimal("-1.000000000001".parse().unwrap()),
        Value::Double(-0.5),
        Value::Money(Money(i64::MIN)),
        Value::Text("Žluťoučký".into()),
        Value::Guid(Guid::from_u128(7)),
        Value::Lookup(schema.table_named("account").unwrap().id, Guid::from_u128(9)),
        Value::DateTime(-1),
        Value::Date(20_000),
        Value::Choices(vec![1, 3, -2]),
    ];
    for value in &values {
        changes.add(encode_payload([(ColumnId(2), value)]));
        for new in [&Value::Null, &values[7]] {
            audits.add(encode_audit(&[AuditedChange { column: ColumnId(2), old: value.clone(), new: new.clone() }]));
        }
    }
    changes.add(encode_payload((1_u16..).map(ColumnId).zip(&values)));
    [changes, audits]
}

/// The words of the languages, for libFuzzer to put together.
fn write_dictionaries(schema: &Schema) {
    let functions = Operator::all().filter_map(Operator::function_name);
    let functions = functions.map(|name| format!("Microsoft.Dynamics.CRM.{name}(PropertyName='"));
    let names = [
        "name",
        "accountid",
        "revenue",
        "createdon",
        "ownerid",
        "primarycontactid",
        "parentaccountid",
        "statuscode",
        "new_gadgets",
        "fullname",
        "contact_customer_accounts",
    ];
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let odata = texts(&[
        "$filter=",
        "$select=",
        "$expand=",
        "$orderby=",
        "$top=",
        "$count=true",
        "$skiptoken=",
        "$apply=",
        "$levels=",
        "&",
        "@p=",
        " eq ",
        " ne ",
        " gt ",
        " ge ",
        " lt ",
        " le ",
        " and ",
        " or ",
        "not ",
        " in (",
        "null",
        "true",
        "contains(",
        "startswith(",
        "endswith(",
        "any(x:x/",
        "all(x:x/",
        " desc",
        "'",
        "%27",
        "%20",
        "2024-02-29T00:00:00Z",
        "2024-02-29",
        "-1.5e3",
        "00000000-0000-4000-8000-0000000000a1",
        ",PropertyValue='",
        ",PropertyValues=['",
        ",PropertyValue1=",
        "groupby((",
        "aggregate(",
        " with sum as ",
        " with average as ",
        " with min as ",
        " with countdistinct as ",
        "$count as ",
        "filter(",
        "/$count",
        "/$ref",
        "/$value",
    ]);
    let odata: Vec<String> = odata.into_iter().chain(names.clone()).chain(functions).collect();
    let operators = Operator::all().filter_map(Operator::fetchxml_name).map(|name| format!("operator=\"{name}\""));
    let fetchxml = texts(&[
        "<fetch",
        "</fetch>",
        "<entity name=\"",
        "</entity>",
        "<attribute name=\"",
        "<all-attributes/>",
        "<filter type=\"or\">",
        "<filter>",
        "</filter>",
        "<condition attribute=\"",
        "<value>",
        "</value>",
        "<link-entity name=\"",
        "</link-entity>",
        " from=\"",
        " to=\"",
        " alias=\"",
        " link-type=\"outer\"",
        " link-type=\"exists\"",
        " link-type=\"any\"",
        " link-type=\"not any\"",
        " link-type=\"not all\"",
        " link-type=\"matchfirstrowusingcrossapply\"",
        " intersect=\"true\"",
        "<order attribute=\"",
        " descending=\"true\"",
        " aggregate=\"true\"",
        " aggregate=\"sum\"",
        " aggregate=\"countcolumn\"",
        " groupby=\"true\"",
        " dategrouping=\"month\"",
        " distinct=\"true\"",
        " top=\"",
        " count=\"",
        " page=\"",
        " paging-cookie=\"",
        " returntotalrecordcount=\"true\"",
        " entityname=\"",
        " valueof=\"",
        " rowaggregate=\"CountChildren\"",
        " useraworderby=\"true\"",
        " value=\"",
        "\"/>",
        "&amp;",
        "&#10;",
        "<![CDATA[",
        "<!--",
        "<?xml version=\"1.0\"?>",
        "<!DOCTYPE",
    ]);
    let fetchxml: Vec<String> = fetchxml.into_iter().chain(names.clone()).chain(operators).collect();
    let sql = texts(&[
        "select ",
        " from ",
        " where ",
        " and ",
        " or ",
        " not ",
        " in (",
        " between ",
        " like ",
        " is null",
        " is not null",
        " inner join ",
        " left join ",
        " on ",
        " group by ",
        " order by ",
        " desc",
        " top ",
        " distinct ",
        " limit ",
        " offset ",
        "count(*)",
        "count(distinct ",
        "sum(",
        "avg(",
        "min(",
        "max(",
        " as ",
        "'",
        "\"",
        "[",
        "--",
        "/*",
        "<>",
        "!=",
        "account",
        "contact",
        "a.",
        "N'",
    ]);
    let sql: Vec<String> = sql.into_iter().chain(names.clone()).collect();
    let http = texts(&[
        "GET ",
        "POST ",
        "PATCH ",
        "PUT ",
        "DELETE ",
        " HTTP/1.1\x0d\x0a",
        "\x0d\x0a",
        "Prefer: ",
        "odata.include-annotations=\"*\"",
        "odata.maxpagesize=1",
        "return=representation",
        "odata.track-changes",
        "odata.continue-on-error",
        "If-Match: W/\"1\"",
        "If-None-Match: *",
        "Accept: application/json;odata.metadata=none",
        "IEEE754Compatible=true",
        "CallerObjectId: ",
        "MSCRMCallerID: ",
        "OData-Version: 4.0",
        "Content-ID: 1",
        "--b",
        "--b--",
        "--c",
        "Content-Type: application/http",
        "Content-Type: multipart/mixed;boundary=c",
        "$batch",
        "$metadata",
        "EntityDefinitions",
        "LogicalName=",
        "WhoAmI()",
        "$deltatoken=",
        "@odata.bind",
        "@odata.id",
        "@odata.type",
        "@odata.etag",
        "Microsoft.Dynamics.CRM.",
        "{\"",
        "\":\"",
        "\\u00e4",
        "accounts(",
        "$1",
    ]);
    let http: Vec<String> = http.into_iter().chain(odata.iter().take(60).cloned()).collect();
    let mapping = texts(&[
        "name = \"",
        "table = \"",
        "key = \"",
        "match = \"",
        "[columns]\n",
        "only = ",
        "from = ",
        "value = ",
        "split = ",
        "part = ",
        "replace = ",
        "map = ",
        "otherwise = ",
        "case = \"upper\"",
        "join = ",
        "prefix = ",
        "suffix = ",
        "scale = ",
        "decimal_mark = ",
        "group_mark = ",
        "date = \"",
        "time_zone = \"Europe/Berlin\"",
        "separator = ",
        "lookup = ",
        "by = ",
        "missing = \"leave\"",
        "later = true",
        "empty = \"clear\"",
        "when = ",
        "is = ",
        "is_not = ",
        "YYYY",
        "MMM",
        "DD",
        "HH:MM",
    ]);
    let token = texts(&[
        "grant_type=",
        "password",
        "client_credentials",
        "refresh_token",
        "&username=ada",
        "&password=",
        "&client_id=",
        "&client_secret=",
        "&scope=",
        "&resource=",
        ".default",
        "offline_access",
        "REFRESH-TOKEN",
        "Basic ",
        "THE-KEY",
        "\"alg\":",
        "\"kid\":",
        "\"exp\":",
        "https://crm.example/demo",
        "v1",
        "v2",
    ]);
    let cookie = texts(&[
        "<cookie page=\"",
        " tag=\"",
        "\">",
        "</cookie>",
        " last=\"",
        " first=\"",
        " lastnull=\"1\"",
        " firstnull=\"1\"",
        " />",
        "&amp;",
        "&#10;",
        "%253C",
        "accountid",
        " left=\"",
        " pagingcookie=\"",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ]);
    for (name, words) in [
        ("odata", &odata),
        ("fetchxml", &fetchxml),
        ("sql", &sql),
        ("http", &http),
        ("mapping", &mapping),
        ("token", &token),
        ("cookie", &cookie),
    ] {
        let lines: BTreeSet<String> = words.iter().map(|word| quoted(word)).collect();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let folder = fuzz_folder().join("dictionaries");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.dict")), text).unwrap();
    }
    assert!(schema.table_named("account").is_some());
}

/// A word as libFuzzer's dictionaries have it.
fn quoted(word: &str) -> String {
    let escaped: String = word
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            0x20..0x7f => char::from(byte).to_string(),
            other => format!("\\x{other:02x}"),
        })
        .collect();
    format!("\"{escaped}\"")
}
