//! Resource paths and addresses of records.

use custodia_query::RowKey;
use custodia_query::odata::{
    Limits, Navigation, ODataError, RelatedPart, Resource, parse_reference, parse_resource, query_options,
};
use custodia_schema::TableId;
use proptest::prelude::*;

use crate::world::{schema, table};

const ID: &str = "0000000a-0000-0000-0000-000000000000";
const ROOT: &str = "http://127.0.0.1:8080/demo/api/data/v9.2/";

fn read(path: &str, query: &str) -> Result<Resource, ODataError> {
    let options = query_options(query, &Limits::default()).unwrap();
    parse_resource(schema(), path, &options, &Limits::default())
}

fn table_name(id: TableId) -> &'static str {
    &schema().table(id).unwrap().name
}

fn key_text(table: TableId, key: &RowKey) -> String {
    match key {
        RowKey::Id(id) => format!("{id}"),
        RowKey::Alternate(values) => values
            .iter()
            .map(|(column, value)| {
                let name = &schema().table(table).unwrap().column_by_id(*column).unwrap().name;
                format!("{name}={value:?}")
            })
            .collect::<Vec<_>>()
            .join(","),
    }
}

fn navigation_text(navigation: &Navigation) -> String {
    match navigation {
        Navigation::Single(single) => {
            let targets: Vec<&str> = single.targets.iter().map(|target| table_name(*target)).collect();
            format!("{} to {}", single.name, targets.join(" or "))
        }
        Navigation::Collection(collection) => format!("{} to many {}", collection.name, table_name(collection.table)),
    }
}

fn render(resource: &Resource) -> String {
    match resource {
        Resource::Collection { table } => format!("Collection {}", table_name(*table)),
        Resource::CollectionCount { table } => format!("Count {}", table_name(*table)),
        Resource::Record { table, key } => format!("Record {} {}", table_name(*table), key_text(*table, key)),
        Resource::Property { table, key, column, .. } | Resource::PropertyValue { table, key, column } => {
            let kind = if matches!(resource, Resource::Property { .. }) { "Property" } else { "Value" };
            let column = &schema().table(*table).unwrap().column_by_id(*column).unwrap().name;
            format!("{kind} {} {} {column}", table_name(*table), key_text(*table, key))
        }
        Resource::Related { table, key, navigation, part } => {
            let far = match navigation {
                Navigation::Single(single) => single.targets[0],
                Navigation::Collection(collection) => collection.table,
            };
            let part = match part {
                RelatedPart::Record(key) => format!("Record {}", key_text(far, key)),
                RelatedPart::Reference(key) => format!("Reference {}", key_text(far, key)),
                plain => format!("{plain:?}"),
            };
            let from = format!("{} {}", table_name(*table), key_text(*table, key));
            format!("Related {from} {}: {part}", navigation_text(navigation))
        }
        other => format!("{other:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (path, expected) in cases {
        let path = path.replace("ID", ID);
        let found = match read(
            &path,
            "@p='x y'&@n=5&@id=0000000b-0000-0000-0000-000000000000&@r={'@odata.id':'accounts(1)'}",
        ) {
            Ok(resource) => render(&resource),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(found, expected.replace("ID", ID), "{path}");
    }
}

#[test]
fn sets_and_records() {
    check(&[
        ("", "ServiceDocument"),
        ("/", "ServiceDocument"),
        ("$metadata", "Metadata"),
        ("/$batch", "Batch"),
        ("%24batch", "Batch"),
        ("accounts", "Collection account"),
        ("/accounts/", "Collection account"),
        ("accounts/$count", "Count account"),
        ("accounts(ID)", "Record account ID"),
        ("accounts({ID})", "Record account ID"),
        ("accounts('ID')", "Record account ID"),
        ("accounts(0000000A-0000-0000-0000-000000000000)", "Record account ID"),
        ("accounts(accountid=ID)", "Record account ID"),
        ("accounts( accountid = 'ID' )", "Record account ID"),
        ("accounts(@id)", "Record account 0000000b-0000-0000-0000-000000000000"),
        ("accounts(accountid=@id)", "Record account 0000000b-0000-0000-0000-000000000000"),
        ("%61ccounts%28ID%29", "Record account ID"),
        ("EntityDefinitions", "Definitions { path: \"EntityDefinitions\" }"),
        (
            "EntityDefinitions(LogicalName='account')/Attributes",
            "Definitions { path: \"EntityDefinitions(LogicalName='account')/Attributes\" }",
        ),
    ]);
}

#[test]
fn alternate_keys_take_the_order_and_types_of_the_key() {
    check(&[
        ("territories(name='North')", "Record territory name=Text(\"North\")"),
        ("territories(name='O''Neil%2FB/C')", "Record territory name=Text(\"O'Neil/B/C\")"),
        ("territories(name='a+b%20c')", "Record territory name=Text(\"a+b c\")"),
        ("territories(name=@p)", "Record territory name=Text(\"x y\")"),
        ("new_gadgets(new_name='x',new_count=3)", "Record new_gadget new_count=Integer(3),new_name=Text(\"x\")"),
        ("new_gadgets(new_count=@n, new_name=@p)", "Record new_gadget new_count=Integer(5),new_name=Text(\"x y\")"),
        ("new_gadgets(_new_holder_value=ID)", "Record new_gadget new_holder=Guid(ID)"),
        ("new_gadgets(new_day=2024-02-29)", "Record new_gadget new_day=Date(19782)"),
    ]);
}

#[test]
fn what_hangs_on_a_record() {
    check(&[
        ("accounts(ID)/name", "Property account ID name"),
        ("accounts(ID)/name/$value", "Value account ID name"),
        ("accounts(ID)/_primarycontactid_value", "Property account ID primarycontactid"),
        ("new_gadgets(ID)/new_picture/$value", "Value new_gadget ID new_picture"),
        ("accounts(ID)/primarycontactid", "Related account ID primarycontactid to contact: Records"),
        ("accounts(ID)/primarycontactid/$ref", "Related account ID primarycontactid to contact: References"),
        ("accounts(ID)/ownerid", "Related account ID ownerid to systemuser or team: Records"),
        (
            "accounts(ID)/contact_customer_accounts",
            "Related account ID contact_customer_accounts to many contact: Records",
        ),
        (
            "accounts(ID)/contact_customer_accounts/$ref",
            "Related account ID contact_customer_accounts to many contact: References",
        ),
        (
            "accounts(ID)/contact_customer_accounts/$count",
            "Related account ID contact_customer_accounts to many contact: Count",
        ),
        (
            "accounts(ID)/contact_customer_accounts(ID)/$ref",
            "Related account ID contact_customer_accounts to many contact: Reference ID",
        ),
        (
            "accounts(ID)/accountleads_association(ID)",
            "Related account ID accountleads_association to many lead: Record ID",
        ),
        (
            "territories(name='x')/system_user_territories",
            "UnknownSegment { place: Place { part: \"path\", character: 23 }, segment: \"system_user_territories\", hint: \"\" }",
        ),
        ("new_gadgets(ID)/new_Holder_contact/$ref", "Related new_gadget ID new_Holder_contact to contact: References"),
    ]);
}

#[test]
fn functions_and_actions() {
    check(&[
        ("WhoAmI", "Operation { binding: Unbound, name: \"WhoAmI\", parameters: [] }"),
        ("WhoAmI()", "Operation { binding: Unbound, name: \"WhoAmI\", parameters: [] }"),
        ("Microsoft.Dynamics.CRM.WhoAmI()", "Operation { binding: Unbound, name: \"WhoAmI\", parameters: [] }"),
        (
            "RetrievePrincipalAccess(Target=@r)",
            "Operation { binding: Unbound, name: \"RetrievePrincipalAccess\", parameters: [(\"Target\", Reference(\"accounts(1)\"))] }",
        ),
        (
            "F(A={ \"@odata.id\" : \"accounts(ID)\" },B={'x':[1,'}']},C=[1,2],D={ID})",
            "Operation { binding: Unbound, name: \"F\", parameters: [(\"A\", Reference(\"accounts(ID)\")), (\"B\", Json(\"{'x':[1,'}']}\")), (\"C\", Json(\"[1,2]\")), (\"D\", Guid(ID))] }",
        ),
        (
            "F(A=null,B=true,C=-1.50,D='it''s',E=\"x\",F=1970-01-02,G=@n,H=Microsoft.Dynamics.CRM.Kind'One,Two')",
            "Operation { binding: Unbound, name: \"F\", parameters: [(\"A\", Null), (\"B\", Boolean(true)), (\"C\", Number(\"-1.50\")), (\"D\", Text(\"it's\")), (\"E\", Text(\"x\")), (\"F\", Moment(86400)), (\"G\", Number(\"5\")), (\"H\", Enum { type_name: \"Kind\", member: \"One,Two\" })] }",
        ),
        (
            "accounts/Microsoft.Dynamics.CRM.F(A=1)",
            "Operation { binding: Collection(TableId(1)), name: \"F\", parameters: [(\"A\", Number(\"1\"))] }",
        ),
        (
            "accounts(ID)/Microsoft.Dynamics.CRM.F",
            "Operation { binding: Record(TableId(1), Id(ID)), name: \"F\", parameters: [] }",
        ),
    ]);
}

#[test]
fn unknown_segments_are_named() {
    let cases = [
        ("acounts(0000000a-0000-0000-0000-000000000000)", 1, "acounts"),
        ("acounts/x", 1, "acounts"),
        ("Accounts(x)", 1, "Accounts"),
        ("$nothing", 1, "$nothing"),
        ("$metadata/x", 10, "x"),
        ("accounts/nothing", 10, "nothing"),
        ("accounts/$ref", 10, "$ref"),
        ("accounts/$count/x", 16, "x"),
        ("accounts(0000000a-0000-0000-0000-000000000000)/nothing", 48, "nothing"),
        ("accounts(0000000a-0000-0000-0000-000000000000)/Name", 48, "Name"),
        ("accounts(0000000a-0000-0000-0000-000000000000)/name/x", 53, "x"),
        ("new_gadgets(0000000a-0000-0000-0000-000000000000)/new_hidden", 51, "new_hidden"),
        ("accounts(0000000a-0000-0000-0000-000000000000)/primarycontactid/$count", 65, "$count"),
        ("Other.Namespace.F()", 1, "Other.Namespace.F"),
    ];
    for (path, character, segment) in cases {
        let error = read(path, "").expect_err(path);
        let hint = if character == 1 && segment.ends_with("counts") { " Did you mean 'accounts'?" } else { "" };
        assert_eq!(error.to_string(), format!("Resource not found for the segment '{segment}'.{hint}"), "{path}");
        assert_eq!(error.place().character, character, "{path}");
    }
}

#[test]
fn malformed_paths_say_where_and_what() {
    let cases = [
        ("(x)", 1, "expected the name of a set"),
        ("accounts(", 10, "expected a value"),
        ("accounts()", 10, "expected a value"),
        ("accounts(5)", 10, "expected the GUID of a row of account"),
        ("accounts('x')", 10, "expected the GUID of a row of account"),
        ("accounts(0000000a-0000-0000-0000-000000000000", 46, "expected ')'"),
        ("accounts(0000000a-0000-0000-0000-000000000000)x", 47, "expected '/' or the end"),
        ("accounts(@missing)", 10, "'@missing' has no value"),
        ("accounts(name='x')", 10, "are no key of account"),
        ("accounts(nothing='x')", 10, "named 'nothing'"),
        ("accounts(primarycontactid=0000000a-0000-0000-0000-000000000000)", 10, "named 'primarycontactid'"),
        ("territories(name=5)", 18, "'name' is a number; expected a quoted text"),
        ("territories(name=null)", 18, "'name' is null; expected a quoted text"),
        ("territories(name='x',name='y')", 22, "given twice"),
        ("territories(name='x'", 21, "expected ',' or ')'"),
        ("territories(name='x", 18, "has no end"),
        ("new_gadgets(new_count=99999999999,new_name='x')", 23, "expected a whole number"),
        ("new_gadgets(new_count=1)", 13, "are no key of new_gadget"),
        ("F(A=1,A=2)", 7, "given twice"),
        ("F(A={'x':1)", 5, "has no end"),
        ("F(A=\"x)", 5, "has no end"),
        ("F(A=@missing)", 5, "'@missing' has no value"),
        ("F(A=x)", 5, "expected a value"),
        ("F(A=Microsoft.Dynamics.CRM.Kind)", 32, "expected the quoted member"),
        (
            "accounts(0000000a-0000-0000-0000-000000000000)/primarycontactid(0000000a-0000-0000-0000-000000000000)",
            64,
            "takes no key",
        ),
        ("accounts(0000000a-0000-0000-0000-000000000000)/", 0, ""),
        ("%FF", 1, "UTF-8"),
    ];
    for (path, character, message) in cases {
        if character == 0 {
            assert!(read(path, "").is_ok(), "{path}");
            continue;
        }
        let error = read(path, "").expect_err(path);
        assert!(error.to_string().contains(message), "{path}: {error}");
        assert_eq!(error.place().character, character, "{path}: {error}");
    }
    let limits = Limits { query_bytes_max: 8, ..Limits::default() };
    assert!(parse_resource(schema(), "accounts", &[], &limits).is_ok());
    let error = parse_resource(schema(), "/accounts", &[], &limits).unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { .. }), "{error}");
}

#[test]
fn what_comes_later_says_so() {
    for path in [
        "accounts(ID)/primarycontactid/fullname",
        "accounts(ID)/contact_customer_accounts/Microsoft.Dynamics.CRM.contact",
        "accounts(ID)/Microsoft.Dynamics.CRM.account",
        "accounts(ID)/contact_customer_accounts(ID)/fullname",
    ] {
        let error = read(&path.replace("ID", ID), "").expect_err(path);
        assert!(matches!(error, ODataError::Unsupported { .. }), "{path}: {error:?}");
    }
}

#[test]
fn collections_know_the_rows_they_hold() {
    let Resource::Related { navigation: Navigation::Collection(collection), .. } =
        read(&format!("accounts({ID})/contact_customer_accounts"), "").unwrap()
    else {
        panic!("no collection");
    };
    let parent = custodia_schema::Guid::from_u128(7);
    let expected = custodia_query::Related::ByLookup {
        lookup: table("contact").column("parentcustomerid").unwrap().id,
        parent,
        parent_table: table("account").id,
    };
    assert_eq!(collection.of(table("account").id, parent), expected);
}

#[test]
fn records_are_named_by_address() {
    let cases = [
        format!("accounts({ID})"),
        format!("/accounts({ID})"),
        format!(" /accounts({ID}) "),
        format!("{ROOT}accounts({ID})"),
        format!("HTTP://127.0.0.1:8080/demo/api/data/v9.0/accounts({ID})"),
        format!("/demo/api/data/v9.1/accounts({ID})"),
        format!("/api/data/v9.2/accounts({ID})"),
        format!("accounts(accountid={ID})"),
    ];
    for text in cases {
        let reference =
            parse_reference(schema(), &text, ROOT, &Limits::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(table_name(reference.table), "account", "{text}");
        assert_eq!(key_text(reference.table, &reference.key), ID, "{text}");
    }
    let reference = parse_reference(schema(), "/territories(name='http://x/y')", ROOT, &Limits::default()).unwrap();
    assert_eq!(key_text(reference.table, &reference.key), "name=Text(\"http://x/y\")");
}

#[test]
fn addresses_elsewhere_or_of_nothing_are_refused() {
    let cases = [
        (format!("http://127.0.0.1:8081/demo/api/data/v9.2/accounts({ID})"), "outside this organisation"),
        (format!("http://127.0.0.1:8080/other/api/data/v9.2/accounts({ID})"), "outside this organisation"),
        (format!("http://127.0.0.1:8080/api/data/v9.2/accounts({ID})"), "outside this organisation"),
        (format!("http://127.0.0.1:8080/demo/api/data/v9.3/accounts({ID})"), "outside this organisation"),
        (format!("http://127.0.0.1:8080/demo/api/data/v9.22/accounts({ID})"), "outside this organisation"),
        (format!("https://127.0.0.1:8080/demo/api/data/v9.2/accounts({ID})"), "outside this organisation"),
        (format!("/other/api/data/v9.2/accounts({ID})"), "outside this organisation"),
        ("accounts".to_owned(), "names no record"),
        (String::new(), "names no record"),
        ("WhoAmI()".to_owned(), "names no record"),
        (format!("accounts({ID})/primarycontactid"), "names no record"),
        (format!("acounts({ID})"), "not found for the segment 'acounts'"),
    ];
    for (text, message) in cases {
        let error = parse_reference(schema(), &text, ROOT, &Limits::default()).expect_err(&text);
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_path_brings_the_parser_down(
        path in "((accounts|new_gadgets|F|\\(|\\)|/|=|,|'|\"|\\{|\\}|\\[|\\]|@p|name|new_Twin|\\$ref|\\$value|0000000a-0000-0000-0000-000000000000|%2F|%)| ){0,12}|.{0,40}",
    ) {
        let options = [("@p".to_owned(), path.clone())];
        let _ = parse_resource(schema(), &path, &options, &Limits::default());
        let _ = parse_reference(schema(), &path, ROOT, &Limits::default());
    }
}
