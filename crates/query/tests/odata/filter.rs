//! `$filter`.

use custodia_query::Filter;
use custodia_query::odata::{Limits, ODataError, parse_options};
use proptest::prelude::*;

use crate::rendering;
use crate::world::{asker, schema, table};

fn read(table_name: &str, options: &[(&str, &str)], limits: &Limits) -> Result<Filter, ODataError> {
    let options: Vec<(String, String)> =
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse_options(schema(), table(table_name), &options, limits, Some(&asker())).map(|parsed| parsed.query.filter)
}

fn check_on(table_name: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let found = match read(table_name, &[("$filter", text)], &Limits::default()) {
            Ok(filter) => rendering::filter(table(table_name), &filter),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(found, *expected, "{text}");
    }
}

fn check(cases: &[(&str, &str)]) {
    check_on("new_gadget", cases);
}

/// Each case: the filter, the character of the fault, a piece of the message.
fn check_faults(table_name: &str, cases: &[(&str, usize, &str)]) {
    for (text, character, message) in cases {
        let error = read(table_name, &[("$filter", text)], &Limits::default()).expect_err(text);
        assert_eq!(error.place().part, "$filter", "{text}");
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.place().character, *character, "{text}: {error}");
    }
}

#[test]
fn operators_compare_with_literals_of_the_columns_type() {
    check(&[
        ("new_name eq 'O''Neil'", "new_name Equal Text(\"O'Neil\")"),
        ("new_name ne 'a'", "new_name NotEqual Text(\"a\")"),
        ("new_name gt 'a'", "new_name Greater Text(\"a\")"),
        ("new_name ge ''", "new_name GreaterOrEqual Text(\"\")"),
        ("new_name lt 'a'", "new_name Less Text(\"a\")"),
        ("new_name le 'a'", "new_name LessOrEqual Text(\"a\")"),
        ("new_notes eq 'x'", "new_notes Equal Text(\"x\")"),
        ("new_count eq -5", "new_count Equal Integer(-5)"),
        ("new_sort eq 2", "new_sort Equal Integer(2)"),
        ("statecode eq 0", "statecode Equal Integer(0)"),
        ("new_big eq 9223372036854775807", "new_big Equal BigInt(9223372036854775807)"),
        ("new_big ge -9223372036854775808", "new_big GreaterOrEqual BigInt(-9223372036854775808)"),
        ("new_exact eq 0.1000", "new_exact Equal Decimal(0.1)"),
        ("new_exact eq 12345678901.0123456789", "new_exact Equal Decimal(12345678901.0123456789)"),
        ("new_exact lt 1.5e3", "new_exact Less Decimal(1500)"),
        ("new_price eq 3000", "new_price Equal Money(Money(30000000))"),
        ("new_price gt 0.0001", "new_price Greater Money(Money(1))"),
        ("new_price eq 922337203685477.5807", "new_price Equal Money(Money(9223372036854775807))"),
        ("new_real le 2.5", "new_real LessOrEqual Double(2.5)"),
        ("new_on eq true", "new_on Equal Boolean(true)"),
        ("new_on ne false", "new_on NotEqual Boolean(false)"),
        ("new_at eq 2024-02-29T10:00:00Z", "new_at Equal DateTime(1709200800)"),
        ("new_at lt 2024-02-29", "new_at Less DateTime(1709164800)"),
        ("new_at ge '2024-02-29T11:00:00.75+01:00'", "new_at GreaterOrEqual DateTime(1709200800)"),
        (
            "new_at ge 2024-02-29T11:00:00 01:00 and new_on",
            "And(new_at GreaterOrEqual DateTime(1709200800), new_on Equal Boolean(true))",
        ),
        ("new_day eq 2024-02-29", "new_day Equal Date(19782)"),
        ("new_day eq '2024-02-29'", "new_day Equal Date(19782)"),
        ("new_day eq 2024-02-29T00:00:00Z", "new_day Equal Date(19782)"),
        ("new_tags eq '3,1,3'", "new_tags Equal Choices([1, 3])"),
        ("new_type eq 'Account'", "new_type Equal Text(\"account\")"),
        (
            "new_gadgetid eq 0000000A-0000-0000-0000-000000000000",
            "new_gadgetid Equal Guid(0000000a-0000-0000-0000-000000000000)",
        ),
        (
            "new_gadgetid ne '{0000000a-0000-0000-0000-000000000000}'",
            "new_gadgetid NotEqual Guid(0000000a-0000-0000-0000-000000000000)",
        ),
        (
            "_new_holder_value eq {0000000a-0000-0000-0000-000000000000}",
            "new_holder Equal Guid(0000000a-0000-0000-0000-000000000000)",
        ),
        ("5 lt new_count", "new_count Greater Integer(5)"),
        ("'a' eq new_name", "new_name Equal Text(\"a\")"),
        ("(new_count) eq (5)", "new_count Equal Integer(5)"),
    ]);
}

#[test]
fn null_is_asked_for_by_eq_and_ne() {
    check(&[
        ("new_name eq null", "IsNull(new_name)"),
        ("new_name ne null", "Not(IsNull(new_name))"),
        ("null eq new_count", "IsNull(new_count)"),
        ("new_count gt null", "False"),
        ("new_count le null", "False"),
        ("_new_holder_value eq null", "IsNull(new_holder)"),
        ("new_Twin eq null", "IsNull(new_twin)"),
        ("new_Twin ne null", "Not(IsNull(new_twin))"),
        ("new_Twin/new_Twin eq null", "IsNull(new_twin>new_gadget.new_twin)"),
        // A lookup that points at a contact has no account on it.
        ("new_Holder_account eq null", "IsNull(new_holder>account.accountid)"),
    ]);
    check_on("account", &[("ownerid eq null", "IsNull(ownerid)")]);
}

#[test]
fn literals_beyond_a_type_are_resolved() {
    check(&[
        ("statuscode gt 99999999999", "False"),
        ("statuscode ge 99999999999", "False"),
        ("statuscode lt 99999999999", "Not(IsNull(statuscode))"),
        ("statuscode le 99999999999", "Not(IsNull(statuscode))"),
        ("statuscode eq 99999999999", "False"),
        ("statuscode ne 99999999999", "True"),
        ("statuscode gt -99999999999", "Not(IsNull(statuscode))"),
        ("statuscode ge -99999999999", "Not(IsNull(statuscode))"),
        ("statuscode lt -99999999999", "False"),
        ("statuscode le -99999999999", "False"),
        ("statuscode eq -99999999999", "False"),
        ("statuscode ne -99999999999", "True"),
        ("new_count le 2147483647", "new_count LessOrEqual Integer(2147483647)"),
        ("new_count le 2147483648", "Not(IsNull(new_count))"),
        ("new_count ge -2147483649", "Not(IsNull(new_count))"),
        ("new_count gt 1.5", "new_count Greater Integer(1)"),
        ("new_count ge 1.5", "new_count Greater Integer(1)"),
        ("new_count lt 1.5", "new_count LessOrEqual Integer(1)"),
        ("new_count le 1.5", "new_count LessOrEqual Integer(1)"),
        ("new_count eq 1.5", "False"),
        ("new_count ne 1.5", "True"),
        ("new_count gt -1.5", "new_count Greater Integer(-2)"),
        ("1.5 gt new_count", "new_count LessOrEqual Integer(1)"),
        ("new_count eq 1.0", "new_count Equal Integer(1)"),
        ("new_big gt 9223372036854775808", "False"),
        ("new_big ge -9223372036854775809", "Not(IsNull(new_big))"),
        ("new_big ne 1e400", "True"),
        ("new_price gt 922337203685477.58071", "new_price Greater Money(Money(9223372036854775807))"),
        ("new_price lt 922337203685478", "Not(IsNull(new_price))"),
        ("new_price eq 0.00005", "False"),
        ("new_price gt 0.00005", "new_price Greater Money(Money(0))"),
        ("new_exact gt 0.0000000000001", "new_exact Greater Decimal(0)"),
        ("new_exact lt 1e30", "Not(IsNull(new_exact))"),
        ("new_real lt 1e400", "Not(IsNull(new_real))"),
        ("new_real gt 1e400", "False"),
        ("new_day lt 2024-02-29T12:00:00Z", "new_day LessOrEqual Date(19782)"),
        ("new_day ge 2024-02-29T12:00:00Z", "new_day Greater Date(19782)"),
        ("new_day eq 2024-02-29T12:00:00Z", "False"),
    ]);
}

#[test]
fn logic_binds_as_the_protocol_says() {
    check(&[
        ("true", "True"),
        ("false", "False"),
        ("new_on", "new_on Equal Boolean(true)"),
        ("not new_on", "Not(new_on Equal Boolean(true))"),
        (
            "new_count eq 1 and new_count eq 2 and new_count eq 3",
            "And(new_count Equal Integer(1), new_count Equal Integer(2), new_count Equal Integer(3))",
        ),
        (
            "new_count eq 1 or new_count eq 2 and new_count eq 3",
            "Or(new_count Equal Integer(1), And(new_count Equal Integer(2), new_count Equal Integer(3)))",
        ),
        (
            "(new_count eq 1 or new_count eq 2) and new_count eq 3",
            "And(Or(new_count Equal Integer(1), new_count Equal Integer(2)), new_count Equal Integer(3))",
        ),
        ("not (new_count eq 1)", "Not(new_count Equal Integer(1))"),
        ("not new_count eq 1", "Not(new_count Equal Integer(1))"),
        ("not not (new_on)", "Not(Not(new_on Equal Boolean(true)))"),
        ("not(new_on)and(new_on)", "And(Not(new_on Equal Boolean(true)), new_on Equal Boolean(true))"),
        ("(((new_on)))", "new_on Equal Boolean(true)"),
        ("contains(new_name,'a') eq true", "new_name Like Substring(\"a\")"),
        ("contains(new_name,'a') eq false", "Not(new_name Like Substring(\"a\"))"),
        ("(new_count eq 1) ne true", "Not(new_count Equal Integer(1))"),
        ("new_on and true", "And(new_on Equal Boolean(true), True)"),
    ]);
}

#[test]
fn lists_keep_what_the_column_can_hold() {
    check(&[
        ("new_name in ('a','b')", "new_name In [Text(\"a\"), Text(\"b\")]"),
        ("new_count in (1, 2,3)", "new_count In [Integer(1), Integer(2), Integer(3)]"),
        ("new_count in (1,2.5,99999999999)", "new_count In [Integer(1)]"),
        ("new_count in (1,null)", "Or(IsNull(new_count), new_count In [Integer(1)])"),
        ("new_count in (null)", "IsNull(new_count)"),
        ("new_count in ()", "new_count In []"),
        ("not (new_count in (1))", "Not(new_count In [Integer(1)])"),
        (
            "_new_twin_value in (0000000a-0000-0000-0000-000000000000,'0000000b-0000-0000-0000-000000000000')",
            "new_twin In [Guid(0000000a-0000-0000-0000-000000000000), Guid(0000000b-0000-0000-0000-000000000000)]",
        ),
        ("new_Twin/new_name in ('a')", "new_twin>new_gadget.new_name In [Text(\"a\")]"),
    ]);
    check_faults(
        "new_gadget",
        &[
            ("new_count in ('a')", 15, "a quoted text"),
            ("new_count in 5", 14, "expected '('"),
            ("new_count in (5", 16, "expected ',' or ')'"),
            ("new_count in (5,)", 17, "expected a value"),
            ("5 in (5)", 1, "expected a column before 'in'"),
        ],
    );
}

#[test]
fn text_functions_take_wildcards() {
    check(&[
        ("contains(new_name,'Zür')", "new_name Like Substring(\"zur\")"),
        ("startswith(new_name,'A')", "new_name Like Prefix(\"a\")"),
        ("endswith(new_name,'A')", "new_name Like Suffix(\"a\")"),
        ("contains(new_name,'')", "new_name Like Anything"),
        ("contains(new_name,'a%b')", "new_name Like General([Many, Char('a'), Many, Char('b'), Many])"),
        ("contains(new_name,'100[%]')", "new_name Like Substring(\"100%\")"),
        ("not contains(new_name,'x')", "Not(new_name Like Substring(\"x\"))"),
        ("contains ( new_Twin/new_name , 'x' )", "new_twin>new_gadget.new_name Like Substring(\"x\")"),
    ]);
    check_faults(
        "new_gadget",
        &[
            ("contains(new_count,'1')", 10, "works on text columns"),
            ("contains(new_type,'1')", 10, "works on text columns"),
            ("contains('a','1')", 10, "expected a text column"),
            ("contains(new_name,5)", 19, "expected a quoted text"),
            ("contains(new_name,null)", 19, "expected a quoted text"),
            ("contains(new_name,new_other)", 19, "expected a quoted text"),
            ("contains(new_name)", 18, "expected ','"),
            ("contains(new_name,'a'", 22, "expected ')', found the end"),
            ("contains()", 10, "expected a text column"),
            ("Contains(new_name,'a')", 1, "there is no function 'Contains'"),
        ],
    );
}

#[test]
fn columns_compare_with_columns_of_their_kind() {
    check(&[
        ("new_name eq new_other", "new_name Equal column new_other"),
        ("new_name lt new_notes", "new_name Less column new_notes"),
        ("new_price gt new_limit", "new_price Greater column new_limit"),
        ("new_count le new_sort", "new_count LessOrEqual column new_sort"),
        ("_new_twin_value eq new_gadgetid", "new_twin Equal column new_gadgetid"),
        ("new_name ne new_Twin/new_name", "new_name NotEqual column new_twin>new_gadget.new_name"),
    ]);
    check_faults(
        "new_gadget",
        &[
            ("new_name eq new_count", 10, "different types"),
            ("new_price eq new_exact", 11, "different types"),
            ("new_at eq new_day", 8, "different types"),
            ("_new_twin_value gt new_gadgetid", 17, "no order"),
        ],
    );
}

#[test]
fn paths_go_over_single_valued_navigations() {
    check(&[
        ("new_Holder_account/name eq 'x'", "new_holder>account.name Equal Text(\"x\")"),
        (
            "new_Holder_account/primarycontactid/lastname eq 'x'",
            "new_holder>account.primarycontactid>contact.lastname Equal Text(\"x\")",
        ),
        ("new_Twin / new_count eq 1", "new_twin>new_gadget.new_count Equal Integer(1)"),
        ("new_Holder_contact/_parentcustomerid_value eq null", "IsNull(new_holder>contact.parentcustomerid)"),
    ]);
    check_on(
        "account",
        &[
            ("ownerid/fullname eq 'x'", "ownerid>systemuser.fullname Equal Text(\"x\")"),
            ("ownerid/teamtype eq 0", "ownerid>team.teamtype Equal Integer(0)"),
            ("ownerid/ownerid ne null", "Not(IsNull(ownerid))"),
            ("owninguser/fullname eq 'x'", "owninguser>systemuser.fullname Equal Text(\"x\")"),
            ("parentaccountid/ownerid/ownerid eq null", "IsNull(parentaccountid>account.ownerid)"),
        ],
    );
    check_faults(
        "account",
        &[
            ("ownerid/createdon eq null", 9, "both have 'createdon'"),
            ("ownerid/nothing eq null", 9, "named 'nothing' on type 'Microsoft.Dynamics.CRM.principal'"),
            ("primarycontactid/nothing eq 1", 18, "named 'nothing' on type 'Microsoft.Dynamics.CRM.contact'"),
            ("nothing/name eq 1", 1, "named 'nothing' on type 'Microsoft.Dynamics.CRM.account'"),
            ("name/x eq 1", 1, "'name' is a column"),
            ("primarycontactid/ eq 1", 19, "named 'eq'"),
            ("primarycontactid/5 eq 1", 19, "expected the name"),
            ("contact_customer_accounts/name eq 1", 1, "is a collection"),
            ("contact_customer_accounts eq null", 1, "is a collection"),
        ],
    );
}

#[test]
fn names_are_looked_up_exactly() {
    check_faults(
        "account",
        &[
            ("Name eq 'x'", 1, "Could not find a property named 'Name' on type 'Microsoft.Dynamics.CRM.account'."),
            ("primarycontactid eq 00000000-0000-0000-0000-000000000001", 1, "named 'primarycontactid'"),
            ("_name_value eq 'x'", 1, "named '_name_value'"),
            ("_value eq 'x'", 1, "named '_value'"),
        ],
    );
    check_faults(
        "new_gadget",
        &[
            ("new_hidden eq 'x'", 1, "named 'new_hidden'"),
            ("name eq 'x' and new_twin eq null", 1, "named 'name'"),
            ("new_name eq 'ä' and new_twin eq null", 21, "named 'new_twin'"),
        ],
    );
    let error = read("new_gadget", &[("$filter", "new_picture eq null")], &Limits::default()).unwrap_err();
    assert!(matches!(error, ODataError::Unsupported { .. }), "{error}");
}

#[test]
fn literals_of_another_type_are_refused() {
    check_faults(
        "new_gadget",
        &[
            ("new_name eq 5", 13, "'new_name' is compared with a number; expected a quoted text"),
            ("new_name eq true", 13, "true or false"),
            ("new_name eq 2024-01-01", 13, "a date"),
            ("new_count eq '5'", 14, "'new_count' is compared with a quoted text; expected a whole number"),
            ("new_sort eq 'One'", 13, "the number of an option"),
            ("new_on eq 1", 11, "expected true or false"),
            ("new_on eq 'true'", 11, "expected true or false"),
            ("new_at eq 'soon'", 11, "a date and time"),
            ("new_at eq 5", 11, "a date and time"),
            ("new_day eq 'x'", 12, "a date like"),
            ("new_gadgetid eq 'x'", 17, "a GUID"),
            ("new_gadgetid eq 5", 17, "a GUID"),
            ("new_tags eq 'x'", 13, "quoted numbers of options"),
            ("5 eq new_name", 1, "is compared with a number"),
            ("new_gadgetid gt 00000000-0000-0000-0000-000000000001", 14, "no order"),
            ("new_on gt true", 8, "no order"),
            ("new_tags ge '1'", 10, "no order"),
            ("new_type lt 'a'", 10, "no order"),
        ],
    );
}

#[test]
fn malformed_filters_say_where_and_what() {
    check_faults(
        "new_gadget",
        &[
            ("", 1, "expected a column, a function, 'not' or '(', found the end"),
            ("new_name", 1, "expected a test like 'new_name ne null'"),
            ("new_Twin", 1, "expected a test like 'new_Twin ne null'"),
            ("'a'", 1, "expected a test, found a quoted text"),
            ("5", 1, "expected a test, found a number"),
            ("new_name eq", 12, "found the end"),
            ("new_name eq 'a", 13, "has no end"),
            ("new_name = 'a'", 10, "expected 'and', 'or' or the end, found '='"),
            ("new_name == 'a'", 10, "found '='"),
            ("new_name like 'a'", 10, "expected an operator like 'eq', found 'like'"),
            ("new_name EQ 'a'", 10, "expected an operator like 'eq', found 'EQ'"),
            ("(new_on", 8, "expected 'and', 'or' or ')', found the end"),
            ("new_on)", 7, "found ')'"),
            ("new_on and", 11, "found the end"),
            ("and new_on", 1, "named 'and'"),
            ("new_on new_on", 8, "expected an operator"),
            ("1 eq 1", 1, "expected a column on one side"),
            ("new_on eq new_on eq new_on", 18, "found 'eq'"),
            ("contains(new_name,'a') gt true", 24, "only be compared by 'eq' and 'ne'"),
            ("contains(new_name,'a') eq 5", 27, "compared with true or false"),
            ("new_name eq contains(new_name,'a')", 13, "can only be compared with a value or a column"),
            ("new_name eq #", 13, "'#' has no meaning here"),
            ("new_name eq \"a\"", 13, "'\"' has no meaning here"),
            ("new_at eq 2024-02-30", 11, "there is no such date"),
            ("new_count eq 5x", 14, "is not a number"),
            ("new_count eq -new_count", 14, "expected a number after '-'"),
            ("new_name eq 'a\u{0}'", 13, "holds the null character"),
        ],
    );
}

#[test]
fn what_dataverse_does_not_take_is_refused() {
    check_faults(
        "new_gadget",
        &[
            ("tolower(new_name) eq 'a'", 1, "the function 'tolower' is not supported"),
            ("length(new_name) gt 5", 1, "the function 'length' is not supported"),
            ("year(new_at) eq 2024", 1, "the function 'year' is not supported"),
            ("new_count eq 1 and cast(new_count,'Edm.String') eq '1'", 20, "'cast' is not supported"),
            ("new_count add 1 eq 2", 11, "the operator 'add' is not supported"),
            ("new_count mod 2 eq 0", 11, "the operator 'mod' is not supported"),
            ("new_sort has 1", 10, "the operator 'has' is not supported"),
        ],
    );
}

#[test]
fn what_comes_later_says_so() {
    let text = "primarycontactid/Microsoft.Dynamics.CRM.contact/lastname eq 'x'";
    let error = read("account", &[("$filter", text)], &Limits::default()).expect_err(text);
    assert!(matches!(error, ODataError::Unsupported { .. }), "{text}: {error:?}");
    assert_eq!(error.place().character, 18, "{text}: {error}");
    assert!(error.to_string().contains("not supported yet"), "{error}");
}

#[test]
fn aliases_stand_for_columns() {
    let cases = [
        ("contains(@p1,'a')", "new_name", "new_name Like Substring(\"a\")"),
        ("@p1 eq 'x'", " new_name ", "new_name Equal Text(\"x\")"),
        ("new_name eq @p1", "new_name", "new_name Equal column new_name"),
        ("@p1 ne @p3", "new_count", "Not(IsNull(new_count))"),
        ("@p1", "new_on", "new_on Equal Boolean(true)"),
        ("@p1 in (1,2)", "new_count", "new_count In [Integer(1), Integer(2)]"),
    ];
    for (text, value, expected) in cases {
        let filter = read("new_gadget", &[("$filter", text), ("@p1", value)], &Limits::default()).unwrap();
        assert_eq!(rendering::filter(table("new_gadget"), &filter), expected, "{text}");
    }
    let over_lookups = [
        ("@p1 eq 'x'", "primarycontactid/lastname", "primarycontactid>contact.lastname Equal Text(\"x\")"),
        ("@p1 ne null", "primarycontactid", "Not(IsNull(primarycontactid))"),
        (
            "contact_customer_accounts/any(o:contains(@p1,'x'))",
            "o/lastname",
            "Exists(contact.parentcustomerid = accountid where lastname Like Substring(\"x\"))",
        ),
    ];
    for (text, value, expected) in over_lookups {
        let filter = read("account", &[("$filter", text), ("@p1", value)], &Limits::default()).unwrap();
        assert_eq!(rendering::filter(table("account"), &filter), expected, "{text}");
    }
    let faults = [
        ("@p1 eq 'x'", "nothere", 1, "nothere"),
        ("@p1 eq 'x'", "@p1", 1, "expected a value"),
        ("@p1 eq 'x'", "name eq 'y' or name", 6, "expected nothing after the path to a column"),
        ("@p1", "contact_customer_accounts/any", 1, "not for a test of a collection"),
        ("@p1", "contact_customer_accounts/any(o:o/lastname eq 'x')", 1, "not for a test of a collection"),
        ("contact_customer_accounts/any(o:@p1 eq 'x')", "lastname", 1, "begins with 'o/'"),
        ("@p1 eq 'x'", "parentaccountid/parentaccountid/parentaccountid/name", 33, "path_steps_max"),
    ];
    for (text, value, character, message) in faults {
        let limits = Limits { path_steps_max: 2, ..Limits::default() };
        let error = read("account", &[("$filter", text), ("@p1", value)], &limits).unwrap_err();
        assert!(error.to_string().contains(message), "{text} {value}: {error}");
        assert_eq!((error.place().part.as_str(), error.place().character), ("@p1", character), "{text} {value}");
    }
}

#[test]
fn an_alias_without_a_value_is_null() {
    let cases = [
        ("new_name eq @p1", "IsNull(new_name)"),
        ("@p1 ne new_name", "Not(IsNull(new_name))"),
        ("new_count gt @p1", "False"),
        ("new_count in (1,@p1)", "Or(IsNull(new_count), new_count In [Integer(1)])"),
    ];
    check(&cases);
    check_faults("new_gadget", &[("contains(@p1,'a')", 10, "expected a text column"), ("@p1", 1, "expected a test")]);
}

#[test]
fn aliases_stand_for_values() {
    let cases = [
        ("new_name eq @p1", "'x'", "new_name Equal Text(\"x\")"),
        ("new_count eq @p1", " 5 ", "new_count Equal Integer(5)"),
        ("@p1 eq new_name", "null", "IsNull(new_name)"),
        ("contains(new_name,@p1)", "'a%'", "new_name Like Substring(\"a\")"),
        ("new_count in (1,@p1)", "2", "new_count In [Integer(1), Integer(2)]"),
        ("new_count in @p1", " (1, 2)", "new_count In [Integer(1), Integer(2)]"),
        ("new_name in @p1", "['a','b''c']", "new_name In [Text(\"a\"), Text(\"b'c\")]"),
        ("new_count in @p1", "()", "new_count In []"),
        (
            "new_gadgetid eq @p1",
            "{0000000a-0000-0000-0000-000000000000}",
            "new_gadgetid Equal Guid(0000000a-0000-0000-0000-000000000000)",
        ),
    ];
    for (text, value, expected) in cases {
        let filter = read("new_gadget", &[("$filter", text), ("@p1", value)], &Limits::default()).unwrap();
        assert_eq!(rendering::filter(table("new_gadget"), &filter), expected, "{text}");
    }
    let faults = [
        (&[("$filter", "new_name eq @p1"), ("@p1", "(new_other)")][..], "@p1", 1, "expected a value"),
        (&[("$filter", "new_name eq @p1"), ("@p1", "'a' or")], "@p1", 5, "expected nothing"),
        (&[("$filter", "new_name eq @p1"), ("@p1", "5")], "$filter", 13, "is compared with a number"),
        (&[("$filter", "new_name eq @p1"), ("@p1", "'5")], "@p1", 1, "has no end"),
        (&[("$filter", "new_name in @p1")], "$filter", 13, "'@p1' has no value"),
        (&[("$filter", "new_name in @p1"), ("@p1", "'5'")], "@p1", 1, "expected a list of values"),
        (&[("$filter", "new_name in @p1"), ("@p1", "(x)")], "@p1", 1, "expected a value"),
    ];
    for (options, part, character, message) in faults {
        let error = read("new_gadget", options, &Limits::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{options:?}: {error}");
        assert_eq!((error.place().part.as_str(), error.place().character), (part, character), "{options:?}");
    }
}

#[test]
fn each_use_of_an_alias_counts() {
    let limits = Limits { alias_bytes_max: 24, ..Limits::default() };
    let cases = [
        ("new_name in (@p1,@p1)", "'0123456789'", true),
        ("new_name in (@p1,@p1,'0123456789')", "'0123456789'", true),
        ("new_name in (@p1,@p1,@p1)", "'0123456789'", false),
        ("new_name eq @p1 or new_name eq @p1 or new_name eq @p1", "'0123456789'", false),
        ("contains(new_name,@p1) or startswith(new_name,@p1) or new_name eq @p1", "'0123456789'", false),
        ("new_count in @p1 or new_count in @p1", "(1,2,3,4,5)", true),
        ("new_count in @p1 or new_count in @p1 or new_count in @p1", "(1,2,3,4,5)", false),
    ];
    for (text, value, fits) in cases {
        match read("new_gadget", &[("$filter", text), ("@p1", value)], &limits) {
            Ok(_) => assert!(fits, "{text}"),
            Err(error) => {
                assert!(
                    !fits && matches!(error, ODataError::TooMuch { limit: "alias_bytes_max", .. }),
                    "{text}: {error}"
                );
            }
        }
    }
    // As many ids as a list may have, each by the same alias.
    let ids = format!("new_gadgetid in ({})", vec!["@p1"; 2_000].join(","));
    let id = [("$filter", ids.as_str()), ("@p1", "0000000a-0000-0000-0000-000000000000")];
    assert!(read("new_gadget", &id, &Limits::default()).is_ok());
}

#[test]
fn limits_hold_to_the_last_unit() {
    let too_much = |text: &str, limits: &Limits| match read("new_gadget", &[("$filter", text)], limits) {
        Ok(_) => None,
        Err(ODataError::TooMuch { limit, .. }) => Some(limit),
        Err(other) => panic!("{text}: {other}"),
    };
    let limits = Limits {
        filter_depth_max: 4,
        filter_nodes_max: 3,
        in_values_max: 2,
        path_steps_max: 2,
        joins_max: 2,
        ..Limits::default()
    };
    let cases = [
        ("((((new_on))))", None),
        ("(((((new_on)))))", Some("filter_depth_max")),
        ("not not not not new_on", None),
        ("not not not not not new_on", Some("filter_depth_max")),
        ("(new_on) and (new_on) and (new_on)", None),
        ("new_on and new_on and new_on and new_on", Some("filter_nodes_max")),
        ("new_count eq 1 or new_count in (1) or contains(new_name,'a') or new_on", Some("filter_nodes_max")),
        ("new_count in (1,2)", None),
        ("new_count in (1,2,3)", Some("in_values_max")),
        ("new_count in (1,2) or new_count in (3)", Some("in_values_max")),
        ("new_Twin/new_Twin/new_on", None),
        ("new_Twin/new_Twin/new_Twin/new_on", Some("path_steps_max")),
        ("new_Twin/new_Twin/new_on and new_Twin/new_on", None),
        ("new_Twin/new_Twin/new_on and new_Holder_account/name eq 'a'", Some("joins_max")),
    ];
    for (text, expected) in cases {
        assert_eq!(too_much(text, &limits), expected, "{text}");
    }
    // The default depth does not exhaust the stack of a small thread.
    let deep = |count: usize| format!("{}new_on{}", "(".repeat(count), ")".repeat(count));
    let nested = |count: usize| format!("{}new_name{}", "contains(".repeat(count), ",'a')".repeat(count));
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let default = Limits::default();
            assert!(read("new_gadget", &[("$filter", &deep(100))], &default).is_ok());
            // Side by side is not within each other.
            for group in ["(new_on)", "not new_on"] {
                let beside = vec![group; 150].join(" and ");
                assert!(read("new_gadget", &[("$filter", &beside)], &default).is_ok(), "{group}");
            }
            for text in [deep(101), deep(30_000), "not ".repeat(16_000)] {
                let error = read("new_gadget", &[("$filter", &text)], &default).unwrap_err();
                assert!(matches!(error, ODataError::TooMuch { limit: "filter_depth_max", .. }), "{error}");
            }
            assert!(read("new_gadget", &[("$filter", &nested(7_000))], &default).is_err());
        })
        .unwrap()
        .join()
        .unwrap();
}

/// Pieces that filters are made of, so that random lists of them come far into the parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "new_name",
        "new_count",
        "new_on",
        "new_day",
        "new_Twin",
        "/",
        "_new_holder_value",
        "eq",
        "ne",
        "gt",
        "in",
        "and",
        "or",
        "not",
        "(",
        ")",
        ",",
        "'a'",
        "'",
        "5",
        "-1.5e3",
        "null",
        "true",
        "2024-02-29",
        "@p",
        "@",
        "$",
        "contains(",
        "Microsoft.Dynamics.CRM.",
        "any(",
        "0000000a-0000-0000-0000-000000000000",
        "{",
        "}",
        "é",
        "\u{0}",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_text_brings_the_parser_down(text in prop_oneof![pieces(), ".{0,40}"]) {
        if let Err(error) = read("new_gadget", &[("$filter", &text), ("@p", &text)], &Limits::default()) {
            prop_assert!(error.place().character <= text.chars().count() + 1);
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
