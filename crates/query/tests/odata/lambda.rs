//! Tests of collections: `any` and `all`.

use custodia_query::Filter;
use custodia_query::odata::{Limits, ODataError, parse_options, print};

use crate::rendering;
use crate::world::{asker, schema, table, words};

fn read(table_name: &str, text: &str, limits: &Limits) -> Result<Filter, ODataError> {
    let options = [("$filter".to_owned(), text.to_owned()), ("@p".to_owned(), "'x'".to_owned())];
    parse_options(schema(), table(table_name), &options, limits, Some(&asker())).map(|parsed| parsed.query.filter)
}

#[test]
fn collections_of_every_kind_are_tested() {
    let cases = [
        ("account", "contact_customer_accounts/any()", "Exists(contact.parentcustomerid = accountid where True)"),
        (
            "account",
            "contact_customer_accounts/any(o:o/lastname eq 'x')",
            "Exists(contact.parentcustomerid = accountid where lastname Equal Text(\"x\"))",
        ),
        (
            "account",
            "contact_customer_accounts/any(o:o/lastname eq @p and o/statecode eq 0 or o/donotemail)",
            "Exists(contact.parentcustomerid = accountid where Or(And(lastname Equal Text(\"x\"), statecode Equal Integer(0)), donotemail Equal Boolean(true)))",
        ),
        (
            "account",
            "contact_customer_accounts/all( c : startswith(c/lastname,'x') )",
            "Not(Exists(contact.parentcustomerid = accountid where Not(lastname Like Prefix(\"x\"))))",
        ),
        (
            "account",
            "name eq 'a' and not contact_customer_accounts/any(o:o/ownerid/ownerid eq 0000000a-0000-0000-0000-000000000000)",
            "And(name Equal Text(\"a\"), Not(Exists(contact.parentcustomerid = accountid where ownerid Equal Guid(0000000a-0000-0000-0000-000000000000))))",
        ),
        // Over lookups, on both sides.
        (
            "contact",
            "parentcustomerid_account/contact_customer_accounts/any(o:o/preferredsystemuserid/fullname eq 'x')",
            "Exists(contact.parentcustomerid = parentcustomerid>account.accountid where preferredsystemuserid>systemuser.fullname Equal Text(\"x\"))",
        ),
        // N:N, from each side.
        (
            "account",
            "accountleads_association/any(o:o/lastname eq 'x')",
            "Exists(accountleads.accountid = accountid Inner lead.leadid = 0:leadid where 1:lastname Equal Text(\"x\"))",
        ),
        (
            "lead",
            "accountleads_association/any(o:o/primarycontactid/lastname eq 'x')",
            "Exists(accountleads.leadid = leadid Inner account.accountid = 0:accountid where 1:primarycontactid>contact.lastname Equal Text(\"x\"))",
        ),
        // Within each other.
        (
            "account",
            "contact_customer_accounts/any(c:c/lastname eq 'x' and c/account_primary_contact/all(a:a/name ne 'y'))",
            "Exists(contact.parentcustomerid = accountid where And(lastname Equal Text(\"x\"), Not(Exists(account.primarycontactid = contactid where Not(name NotEqual Text(\"y\"))))))",
        ),
        (
            "account",
            "accountleads_association/any(l:l/accountleads_association/any(a:a/name eq 'y'))",
            "Exists(accountleads.accountid = accountid Inner lead.leadid = 0:leadid where Exists(accountleads.leadid = 1:leadid Inner account.accountid = 0:accountid where 1:name Equal Text(\"y\")))",
        ),
        (
            "account",
            "contact_customer_accounts/any(o:o/Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['x',\"y\"]))",
            "Exists(contact.parentcustomerid = accountid where lastname In [Text(\"x\"), Text(\"y\")])",
        ),
        (
            "account",
            "contact_customer_accounts/any(o:not o/Microsoft.Dynamics.CRM.Between(PropertyName='parentcustomerid_account/numberofemployees',PropertyValues=['1','5']))",
            "Exists(contact.parentcustomerid = accountid where Not(And(parentcustomerid>account.numberofemployees GreaterOrEqual Integer(1), parentcustomerid>account.numberofemployees LessOrEqual Integer(5))))",
        ),
        ("account", "contact_customer_accounts/any(o:true)", "Exists(contact.parentcustomerid = accountid where True)"),
        (
            "account",
            "contact_customer_accounts/any() eq false",
            "Not(Exists(contact.parentcustomerid = accountid where True))",
        ),
    ];
    for (table_name, text, expected) in cases {
        let filter = read(table_name, text, &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rendering::filter(table(table_name), &filter), expected, "{text}");
        let printed = print(&words(), table(table_name), &filter).unwrap();
        let again = read(table_name, &printed, &Limits::default()).unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(again, filter, "{printed}");
    }
}

#[test]
fn malformed_tests_say_where_and_what() {
    let cases = [
        ("contact_customer_accounts", 1, "is a collection"),
        ("contact_customer_accounts/lastname eq 'x'", 1, "is a collection"),
        ("contact_customer_accounts/any", 30, "expected '(' after 'any'"),
        ("contact_customer_accounts/all()", 31, "expected a name for the rows"),
        ("contact_customer_accounts/any(", 31, "expected a name for the rows"),
        ("contact_customer_accounts/any('x')", 31, "expected a name for the rows"),
        ("contact_customer_accounts/any(o)", 32, "expected ':' after 'o'"),
        ("contact_customer_accounts/any(o:)", 33, "expected a column"),
        ("contact_customer_accounts/any(o:o/lastname eq 'x'", 50, "expected 'and', 'or' or ')'"),
        ("contact_customer_accounts/any(o:o/lastname)", 33, "expected a test"),
        ("contact_customer_accounts/any(o:lastname eq 'x')", 33, "begins with 'o/'"),
        ("contact_customer_accounts/any(o:o eq null)", 33, "begins with 'o/'"),
        ("contact_customer_accounts/any(o:$it/name eq 'x')", 33, "outside of the collection"),
        ("contact_customer_accounts/any(o:o/lastname eq $it/name)", 47, "outside of the collection"),
        (
            "contact_customer_accounts/any(o:o/account_primary_contact/any(a:o/lastname eq 'x'))",
            65,
            "outside of the collection",
        ),
        ("contact_customer_accounts/any(o:o/account_primary_contact/any(o:o/name eq 'x'))", 63, "already names"),
        (
            "contact_customer_accounts/any(o:o/nothing eq 'x')",
            35,
            "named 'nothing' on type 'Microsoft.Dynamics.CRM.contact'",
        ),
        ("contact_customer_accounts/any(o:o/lastname eq 5)", 47, "is compared with a number"),
        (
            "contact_customer_accounts/any(o:Microsoft.Dynamics.CRM.Today(PropertyName='createdon'))",
            33,
            "expected 'o/' before",
        ),
        ("contact_customer_accounts/any(o:o/lastname eq 'x') gt 1", 55, "a test can only be compared"),
        ("contact_customer_accounts/$count gt 1", 27, "'$count' of a collection is not supported"),
        ("name/any(o:o/name eq 'x')", 1, "is a column"),
    ];
    for (text, character, message) in cases {
        let error = read("account", text, &Limits::default()).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.place().character, character, "{text}: {error}");
        assert!(!matches!(error, ODataError::Unsupported { .. }), "{text}: {error}");
    }
}

#[test]
fn collections_count_as_joins_and_depth() {
    let limits = Limits { joins_max: 2, ..Limits::default() };
    let two = "contact_customer_accounts/any(o:o/account_primary_contact/any(a:a/name eq 'x'))";
    assert!(read("account", two, &limits).is_ok());
    let three =
        "contact_customer_accounts/any(o:o/parentcustomerid_account/name eq 'x') and accountleads_association/any()";
    let error = read("account", three, &limits).unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "joins_max", max: 2, .. }), "{error}");
    let limits = Limits { filter_depth_max: 1, ..Limits::default() };
    let error = read("account", two, &limits).unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "filter_depth_max", .. }), "{error}");
    let limits = Limits { filter_nodes_max: 2, ..Limits::default() };
    let error = read("account", two, &limits).unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "filter_nodes_max", .. }), "{error}");
}
