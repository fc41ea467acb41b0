//! Query functions: how they are written. What each says is told where the operators are.

use custodia_query::Filter;
use custodia_query::odata::{Limits, ODataError, depends_on_asker, parse_options};
use custodia_query::operator::{Operator, Take};

use crate::rendering;
use crate::world::{asker, schema, table};

fn options(filter: &str, alias: &str) -> Vec<(String, String)> {
    vec![("$filter".to_owned(), filter.to_owned()), ("@p".to_owned(), alias.to_owned())]
}

fn read(table_name: &str, filter: &str, alias: &str) -> Result<Filter, ODataError> {
    let options = options(filter, alias);
    assert!(depends_on_asker(&options), "{filter}");
    parse_options(schema(), table(table_name), &options, &Limits::default(), Some(&asker()))
        .map(|parsed| parsed.query.filter)
}

#[test]
fn parameters_are_written_in_many_ways() {
    let user = "In [Guid(00000000-0000-0000-0000-00000000000a)]";
    let cases = [
        ("Today(PropertyName='new_day')", "'x'", "And(new_day GreaterOrEqual Date(20455), new_day Less Date(20456))"),
        (
            "On(PropertyName='new_day',PropertyValue='2026-01-02')",
            "'x'",
            "And(new_day GreaterOrEqual Date(20455), new_day Less Date(20456))",
        ),
        (
            "On(PropertyValue=2026-01-02, PropertyName='new_day')",
            "'x'",
            "And(new_day GreaterOrEqual Date(20455), new_day Less Date(20456))",
        ),
        (
            "On(PropertyName=@p,PropertyValue=2026-01-02)",
            "'new_day'",
            "And(new_day GreaterOrEqual Date(20455), new_day Less Date(20456))",
        ),
        (
            "In(PropertyName='new_count',PropertyValues=[1,'2',\"3\"])",
            "'x'",
            "new_count In [Integer(1), Integer(2), Integer(3)]",
        ),
        (
            "In( PropertyName = 'new_count' , PropertyValues = [ 1 , 2 ] )",
            "'x'",
            "new_count In [Integer(1), Integer(2)]",
        ),
        ("In(PropertyName='new_count',PropertyValues=@p)", "[1,\"2\"]", "new_count In [Integer(1), Integer(2)]"),
        (
            "In(PropertyName='new_name',PropertyValues=[\"a\\\"b\",'c''d',\"e\\u00e9\"])",
            "'x'",
            "new_name In [Text(\"a\\\"b\"), Text(\"c'd\"), Text(\"eé\")]",
        ),
        ("In(PropertyName='new_on',PropertyValues=[true,'0'])", "'x'", "new_on In [Boolean(true), Boolean(false)]"),
        (
            "Between(PropertyName='new_price',PropertyValues=[1.5,2])",
            "'x'",
            "And(new_price GreaterOrEqual Money(Money(15000)), new_price LessOrEqual Money(Money(20000)))",
        ),
        ("ContainValues(PropertyName='new_tags',PropertyValues=['1','3'])", "'x'", "new_tags ContainsAny [1, 3]"),
        ("DoesNotContainValues(PropertyName='new_tags',PropertyValues=[1])", "'x'", "Not(new_tags ContainsAny [1])"),
        ("Contains(PropertyName='new_name',PropertyValue='a')", "'x'", "new_name Like Substring(\"a\")"),
        ("InFiscalPeriod(PropertyName='new_at',PropertyValue=2)", "'x'", "new_at InPeriod 2"),
        (
            "InFiscalPeriodAndYear(PropertyName='new_day',PropertyValue1=1,PropertyValue2=2026)",
            "'x'",
            "And(new_day GreaterOrEqual Date(20454), new_day Less Date(20544))",
        ),
        (
            "In(PropertyName='new_Twin/new_Holder_account/numberofemployees',PropertyValues=[1])",
            "'x'",
            "new_twin>new_gadget.new_holder>account.numberofemployees In [Integer(1)]",
        ),
        (
            "In(PropertyName='new_holder',PropertyValues=['0000000a-0000-0000-0000-000000000000'])",
            "'x'",
            "new_holder In [Guid(0000000a-0000-0000-0000-000000000000)]",
        ),
        (
            "In(PropertyName='_new_holder_value',PropertyValues=[{0000000a-0000-0000-0000-000000000000}])",
            "'x'",
            "new_holder In [Guid(0000000a-0000-0000-0000-000000000000)]",
        ),
    ];
    for (text, alias, expected) in cases {
        let text = format!("Microsoft.Dynamics.CRM.{text}");
        let filter = read("new_gadget", &text, alias).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rendering::filter(table("new_gadget"), &filter), expected, "{text}");
    }
    let mine = read("account", "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')", "1").unwrap();
    let mine = rendering::filter(table("account"), &mine);
    assert!(
        mine == format!("ownerid {user}") || mine == "ownerid Equal Guid(00000000-0000-0000-0000-00000000000a)",
        "{mine}"
    );
    let under =
        "Microsoft.Dynamics.CRM.Under(PropertyName='accountid',PropertyValue=0000000a-0000-0000-0000-000000000000)";
    let under = rendering::filter(table("account"), &read("account", under, "1").unwrap());
    assert_eq!(under, "accountid Under 0000000a-0000-0000-0000-000000000000 by account.parentaccountid");
}

#[test]
fn every_function_is_read_with_the_values_it_takes() {
    let mut read_functions = 0;
    for operator in Operator::all() {
        let Some(name) = operator.function_name() else { continue };
        let is_fiscal = name.contains("Fiscal");
        let values = match operator.takes() {
            Take::None => "",
            Take::One => ",PropertyValue='1'",
            Take::Two if is_fiscal => ",PropertyValue1=1,PropertyValue2=2026",
            Take::Two => ",PropertyValues=['1','2']",
            Take::Many => ",PropertyValues=['1']",
        };
        let columns = ["createdon", "ownerid", "name", "numberofemployees", "owningbusinessunit", "accountid"];
        let is_read = columns.iter().any(|column| {
            let values = match *column {
                "createdon" if name.starts_with("On") || name == "NotOn" => ",PropertyValue=2026-01-02",
                "accountid" => ",PropertyValue=0000000a-0000-0000-0000-000000000000",
                _ => values,
            };
            read("account", &format!("Microsoft.Dynamics.CRM.{name}(PropertyName='{column}'{values})"), "1").is_ok()
        });
        let is_of_choices = matches!(operator, Operator::ContainValues | Operator::NotContainValues);
        assert!(is_read || is_of_choices, "{name}");
        read_functions += 1;
    }
    assert_eq!(read_functions, 76);
}

#[test]
fn what_a_function_does_not_take_is_refused() {
    let cases = [
        ("Nothing(PropertyName='name')", "there is no function 'Microsoft.Dynamics.CRM.Nothing'"),
        ("Today", "expected '(' after 'Today'"),
        ("Today(", "expected a parameter like 'PropertyName'"),
        ("Today()", "expected a parameter like 'PropertyName'"),
        ("Today(PropertyName='createdon'", "expected ',' or ')'"),
        ("Today(PropertyName)", "expected '=' after 'PropertyName'"),
        ("Today(PropertyName=)", "expected a value"),
        ("Today(PropertyName=createdon)", "expected a value"),
        ("Today(PropertyName='nothing')", "named 'nothing'"),
        ("Today(PropertyName='')", "expected the name of a column"),
        ("Today(PropertyName='createdon x')", "expected nothing after"),
        ("Today(PropertyName='primarycontactid/nothing')", "named 'nothing'"),
        ("Today(PropertyName='contact_customer_accounts')", "is a collection"),
        ("Today(PropertyName='createdon',PropertyName='createdon')", "'PropertyName' is given twice"),
        ("Today(PropertyName='createdon',PropertyValue=1)", "'PropertyValue' is not what 'Today' takes"),
        ("Today(PropertyName='name')", "works on"),
        ("Today(createdon)", "expected '='"),
        ("LastXDays(PropertyName='createdon')", "takes one value"),
        ("LastXDays(PropertyValue=1)", "needs the parameter 'PropertyName'"),
        ("LastXDays(PropertyName='createdon',PropertyValue=0)", "The value '0'"),
        ("LastXDays(PropertyName='createdon',PropertyValue=[1])", "'PropertyValue' is not what 'LastXDays' takes"),
        ("LastXDays(PropertyName='createdon',PropertyValue=@q)", "the parameter alias '@q' has no value"),
        ("In(PropertyName='name',PropertyValues=[])", "takes one value at least"),
        ("In(PropertyName='name',PropertyValues=['a')", "expected ',' or ']'"),
        ("In(PropertyName='name',PropertyValues=['a',)", "expected a value"),
        ("In(PropertyName='name',PropertyValues=['a',null])", "expected a value"),
        ("In(PropertyName='name',PropertyValues=[\"a])", "has no end"),
        ("In(PropertyName='name',PropertyValues='a')", "'PropertyValues' is not what 'In' takes"),
        ("Between(PropertyName='numberofemployees',PropertyValues=[1])", "takes two values"),
        ("InFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=1)", "takes two values"),
    ];
    for (text, message) in cases {
        let text = format!("Microsoft.Dynamics.CRM.{text}");
        let error = read("account", &text, "1").expect_err(&text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(!matches!(error, ODataError::Unsupported { .. }), "{text}: {error}");
    }
}

#[test]
fn without_knowing_who_asks_functions_are_refused() {
    let options = options("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')", "1");
    let error = parse_options(schema(), table("account"), &options, &Limits::default(), None).unwrap_err();
    assert!(matches!(error, ODataError::Unsupported { .. }), "{error}");
    assert!(!depends_on_asker(&[("$filter".to_owned(), "name eq 'x'".to_owned())]));
}

#[test]
fn values_of_all_lists_together_are_bounded() {
    let limits = Limits { in_values_max: 3, ..Limits::default() };
    let read = |text: &str| parse_options(schema(), table("account"), &options(text, "1"), &limits, Some(&asker()));
    assert!(read("Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a','b']) or name in ('c')").is_ok());
    let error = read("Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a','b']) or name in ('c','d')")
        .unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "in_values_max", .. }), "{error}");
}
