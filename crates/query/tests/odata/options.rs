//! `$select`, `$orderby`, `$top`, `$count` and the options that are refused.

use custodia_query::odata::{Limits, ODataError, Parsed, parse, parse_options, parse_record_options, query_options};
use proptest::prelude::*;

use crate::rendering;
use crate::world::{schema, table};

fn read(table_name: &str, raw: &str) -> Result<Parsed, ODataError> {
    parse(schema(), table(table_name), raw, &Limits::default())
}

fn context(parsed: &Parsed) -> String {
    parsed.shape.context(schema())
}

#[test]
fn selected_columns_follow_the_key_and_the_version() {
    let cases = [
        ("$select=name", "accountid versionnumber name", "(name)"),
        ("$select=fax,name,fax", "accountid versionnumber fax name", "(fax,name)"),
        ("$select=accountid", "accountid versionnumber", "(accountid)"),
        ("$select=name,versionnumber", "accountid versionnumber name", "(name,versionnumber)"),
        (
            "$select=_primarycontactid_value,name",
            "accountid versionnumber primarycontactid name",
            "(_primarycontactid_value,name)",
        ),
        ("$select=name,revenue", "accountid versionnumber name revenue transactioncurrencyid", "(name,revenue)"),
        (
            "$select=_transactioncurrencyid_value,revenue",
            "accountid versionnumber transactioncurrencyid revenue",
            "(_transactioncurrencyid_value,revenue)",
        ),
        ("$select= name , fax ", "accountid versionnumber name fax", "(name,fax)"),
    ];
    for (raw, fields, selected) in cases {
        let parsed = read("account", raw).unwrap();
        assert_eq!(rendering::fields(table("account"), &parsed.query.fields), fields, "{raw}");
        assert_eq!(context(&parsed), selected, "{raw}");
    }
}

#[test]
fn the_body_shows_what_was_selected_then_currency_and_key() {
    let names = |raw: &str| {
        let parsed = read("account", raw).unwrap();
        let shown = parsed.shape.shown.iter().map(|id| table("account").column_by_id(*id).unwrap().name.clone());
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("$select=name"), "name accountid");
    assert_eq!(names("$select=revenue,name"), "revenue name transactioncurrencyid accountid");
    assert_eq!(names("$select=accountid,name"), "accountid name");
}

#[test]
fn without_a_selection_every_readable_stored_column_is_shown() {
    for raw in ["", "$select=", "$select=*", "$select=new_name,*", "$top=1"] {
        let parsed = read("new_gadget", raw).unwrap();
        let gadget = table("new_gadget");
        let fields = rendering::fields(gadget, &parsed.query.fields);
        assert_eq!(fields.split(' ').take(3).collect::<Vec<_>>(), ["new_gadgetid", "versionnumber", "new_name"]);
        assert!(!fields.contains("new_hidden") && !fields.contains("new_picture"), "{fields}");
        assert_eq!(parsed.query.fields.len(), gadget.columns().len() - 2, "{fields}");
        assert_eq!(parsed.shape.shown.len(), parsed.query.fields.len());
        assert_eq!(parsed.shape.selected, None);
        assert_eq!(context(&parsed), "");
    }
}

#[test]
fn order_keys_are_paths_with_a_direction() {
    let cases = [
        ("$orderby=name", "name"),
        ("$orderby=name asc, createdon desc", "name, createdon desc"),
        ("$orderby=primarycontactid/fullname desc,name", "primarycontactid>contact.fullname desc, name"),
        ("$orderby=_primarycontactid_value", "primarycontactid"),
        ("$orderby=statecode,donotemail desc", "statecode, donotemail desc"),
        ("$orderby=description", "description"),
        (
            "$orderby=@p asc,@q desc&@p=name&@q=primarycontactid/fullname",
            "name, primarycontactid>contact.fullname desc",
        ),
        ("$orderby=name,fax,name desc", "name, fax"),
        ("$orderby=name,accountid desc,fax", "name, accountid desc"),
    ];
    for (raw, expected) in cases {
        let parsed = read("account", raw).unwrap();
        assert_eq!(rendering::order(table("account"), &parsed.query.order), expected, "{raw}");
    }
}

#[test]
fn paging_options_are_read() {
    let parsed = read("account", "$top=3&$count=true&$skiptoken=%3Ccookie%20/%3E&other=1").unwrap();
    assert_eq!(parsed.query.top, Some(3));
    assert!(parsed.query.count);
    assert_eq!(parsed.skip_token.as_deref(), Some("<cookie />"));
    let parsed = read("account", "$top=0&$count=false").unwrap();
    assert_eq!((parsed.query.top, parsed.query.count), (Some(0), false));
    let parsed = read("account", "").unwrap();
    assert_eq!((parsed.query.top, parsed.query.count, parsed.skip_token), (None, false, None));
    assert_eq!(parsed.query.page_size, 5_000);
}

#[test]
fn wrong_options_say_where_and_what() {
    let cases = [
        (
            "$select=nam",
            "$select",
            1,
            "Could not find a property named 'nam' on type 'Microsoft.Dynamics.CRM.account'.",
        ),
        ("$select=name,primarycontactid", "$select", 6, "named 'primarycontactid'"),
        ("$select=name,,fax", "$select", 6, "expected the name of a column or '*'"),
        ("$select=name,", "$select", 6, "expected the name of a column or '*'"),
        ("$select=name fax", "$select", 6, "expected ',' or the end"),
        ("$select=primarycontactid/fullname", "$select", 17, "expected ',' or the end"),
        ("$orderby=", "$orderby", 1, "expected the name of a column"),
        ("$orderby=name up", "$orderby", 6, "expected 'asc', 'desc', ',' or the end"),
        ("$orderby=name,", "$orderby", 6, "expected the name of a column"),
        ("$orderby=nam", "$orderby", 1, "named 'nam'"),
        ("$orderby=primarycontactid", "$orderby", 1, "named 'primarycontactid'"),
        ("$orderby=contact_customer_accounts/fullname", "$orderby", 1, "is a collection"),
        ("$orderby=@p", "$orderby", 1, "'@p' has no value"),
        ("$orderby=@p&@p='name'", "@p", 1, "expected the name of a column"),
        ("$orderby=@p&@p=@p", "@p", 1, "expected the name of a column"),
        ("$orderby=@p&@p=name desc", "@p", 6, "expected nothing after"),
        ("$top=x", "$top", 1, "expected a whole number"),
        ("$top=-1", "$top", 1, "expected a whole number"),
        ("$top=%2B1", "$top", 1, "expected a whole number"),
        ("$top=", "$top", 1, "expected a whole number"),
        ("$top=2147483648", "$top", 1, "expected a whole number"),
        ("$count=yes", "$count", 1, "expected true or false"),
        ("$count=", "$count", 1, "expected true or false"),
        ("$count=true false", "$count", 6, "expected nothing"),
        ("$skip=5", "query string", 0, "the option '$skip' is not supported here"),
        ("$search=x", "query string", 0, "the option '$search' is not supported here"),
        ("$Filter=x", "query string", 0, "the option '$Filter' is not supported here"),
        ("$nonsense=x", "query string", 0, "'$nonsense' is not supported here; expected $select, $filter"),
        ("$top=1&$top=2", "query string", 0, "'$top' is given twice"),
        ("@p=1&@p=2", "query string", 0, "'@p' is given twice"),
    ];
    for (raw, part, character, message) in cases {
        let error = read("account", raw).expect_err(raw);
        assert!(error.to_string().contains(message), "{raw}: {error}");
        assert_eq!((error.place().part.as_str(), error.place().character), (part, character), "{raw}");
        assert!(!matches!(error, ODataError::Unsupported { .. }), "{raw}");
    }
    let error = read("new_gadget", "$orderby=new_tags").unwrap_err();
    assert!(error.to_string().contains("several options"), "{error}");
    let error = read("new_gadget", "$orderby=new_notes").unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let error = read("new_gadget", "$select=new_hidden").unwrap_err();
    assert!(matches!(error, ODataError::UnknownProperty { .. }), "{error}");
}

#[test]
fn options_of_later_stages_say_so() {
    for raw in ["$compute=x", "$deltatoken=1", "fetchXml=%3Cfetch/%3E", "savedQuery=1", "userQuery=1", "sql=SELECT"] {
        let error = read("account", raw).expect_err(raw);
        assert!(matches!(error, ODataError::Unsupported { .. }), "{raw}: {error}");
    }
    let error = read("new_gadget", "$select=new_picture").unwrap_err();
    assert!(matches!(error, ODataError::Unsupported { .. }), "{error}");
}

#[test]
fn one_record_takes_a_selection_and_expansions_only() {
    let read = |raw: &str| {
        let options = query_options(raw, &Limits::default()).unwrap();
        parse_record_options(schema(), table("account"), &options, &Limits::default(), None)
    };
    assert!(read("$select=name&$expand=primarycontactid").is_ok());
    for raw in ["$filter=name eq 'a'", "$top=1", "$orderby=name", "$count=true", "$skiptoken=x"] {
        let error = read(raw).expect_err(raw);
        assert!(error.to_string().contains("not supported here; expected $select, $expand"), "{error}");
    }
}

#[test]
fn sort_keys_are_bounded() {
    let limits = Limits { order_keys_max: 2, ..Limits::default() };
    let read = |raw: &str| parse(schema(), table("account"), raw, &limits);
    assert!(read("$orderby=name,fax").is_ok());
    let error = read("$orderby=name,fax,createdon").unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "order_keys_max", max: 2, .. }), "{error}");
}

proptest! {
    #[test]
    fn no_query_string_brings_the_parser_down(raw in "(\\$(select|filter|orderby|top|count|expand|skiptoken)=[ -~]{0,20}&?){0,3}|.{0,40}") {
        let _ = read("account", &raw);
    }

    #[test]
    fn no_bytes_bring_the_parser_down(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let raw: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        for option in ["$select", "$filter", "$orderby", "$expand"] {
            let _ = read("account", &format!("{option}={raw}"));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let options = [(option.to_owned(), text)];
            let _ = parse_options(schema(), table("account"), &options, &Limits::default(), None);
        }
    }
}
