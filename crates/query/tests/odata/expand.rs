//! `$expand`.

use custodia_query::odata::{Limits, ODataError, Parsed, parse};
use proptest::prelude::*;

use crate::rendering;
use crate::world::{schema, table};

fn read(table_name: &str, expand: &str) -> Result<Parsed, ODataError> {
    let raw = custodia_query::odata::query_string([("$select", ""), ("$expand", expand)]);
    parse(schema(), table(table_name), &raw, &Limits::default())
}

fn check(table_name: &str, cases: &[(&str, &[&str], &str)]) {
    for (text, expected, context) in cases {
        let parsed = read(table_name, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<String> =
            parsed.query.expand.iter().map(|entry| rendering::expand(table(table_name), entry)).collect();
        assert_eq!(found, *expected, "{text}");
        assert_eq!(parsed.shape.context(schema()), *context, "{text}");
        assert_eq!(parsed.shape.expand.len(), parsed.query.expand.len(), "{text}");
    }
}

#[test]
fn both_kinds_are_read() {
    check(
        "account",
        &[
            (
                "primarycontactid($select=fullname)",
                &["One primarycontactid primarycontactid>contact [contactid versionnumber fullname]"],
                "(primarycontactid(fullname))",
            ),
            (
                "primarycontactid($select=fullname,_parentcustomerid_value),parentaccountid($select=revenue)",
                &[
                    "One primarycontactid primarycontactid>contact [contactid versionnumber fullname parentcustomerid]",
                    "One parentaccountid parentaccountid>account [accountid versionnumber revenue transactioncurrencyid]",
                ],
                "(primarycontactid(fullname,_parentcustomerid_value),parentaccountid(revenue))",
            ),
            (
                "contact_customer_accounts($select=fullname;$filter=statecode eq 0 and contains(lastname,';)');$orderby=fullname desc;$top=5)",
                &[
                    "Many contact_customer_accounts contact where parentcustomerid is a row of account [contactid versionnumber fullname] filter And(statecode Equal Integer(0), lastname Like Substring(\";)\")) order fullname desc top 5",
                ],
                "(contact_customer_accounts(fullname))",
            ),
            (
                " accountleads_association ( $select = fullname ) ",
                &[
                    "Many accountleads_association lead linked by accountleads_association as second [leadid versionnumber fullname]",
                ],
                "(accountleads_association(fullname))",
            ),
        ],
    );
    check(
        "lead",
        &[(
            "accountleads_association($select=name;$filter=primarycontactid/lastname eq 'x')",
            &[
                "Many accountleads_association account linked by accountleads_association as first [accountid versionnumber name] filter primarycontactid>contact.lastname Equal Text(\"x\")",
            ],
            "(accountleads_association(name))",
        )],
    );
    check(
        "opportunity",
        &[(
            "customerid_account($select=name),customerid_contact($select=fullname)",
            &[
                "One customerid_account customerid>account [accountid versionnumber name]",
                "One customerid_contact customerid>contact [contactid versionnumber fullname]",
            ],
            "(customerid_account(name),customerid_contact(fullname))",
        )],
    );
}

#[test]
fn without_a_selection_everything_is_shown() {
    for text in ["primarycontactid", "primarycontactid()", "primarycontactid($select=*)", "primarycontactid($select=)"]
    {
        let parsed = read("account", text).unwrap();
        let contact = table("contact");
        let stored = contact.columns().iter().filter(|column| column.readable && column.kind.is_stored()).count();
        assert_eq!(parsed.shape.expand[0].shape.shown.len(), stored, "{text}");
        assert_eq!(parsed.shape.context(schema()), "(primarycontactid())", "{text}");
        assert!(!parsed.shape.expand[0].collection);
    }
    let raw = "$select=name&$expand=contact_customer_accounts";
    let parsed = parse(schema(), table("account"), raw, &Limits::default()).unwrap();
    assert_eq!(parsed.shape.context(schema()), "(name,contact_customer_accounts())");
    assert!(parsed.shape.expand[0].collection);
}

#[test]
fn an_owner_is_a_user_or_a_team() {
    check(
        "account",
        &[
            (
                "ownerid($select=fullname)",
                &[
                    "One ownerid ownerid>systemuser [systemuserid versionnumber fullname]",
                    "One ownerid ownerid>team [teamid versionnumber]",
                ],
                "(ownerid(fullname))",
            ),
            (
                "ownerid($select=ownerid)",
                &[
                    "One ownerid ownerid>systemuser [systemuserid versionnumber]",
                    "One ownerid ownerid>team [teamid versionnumber]",
                ],
                "(ownerid(ownerid))",
            ),
        ],
    );
    let error = read("account", "ownerid($select=nothing)").unwrap_err();
    assert!(error.to_string().contains("'nothing' on type 'Microsoft.Dynamics.CRM.principal'"), "{error}");
}

#[test]
fn aliases_reach_filters_of_collections() {
    let raw = "$expand=contact_customer_accounts($filter=lastname eq @p)&@p='x'";
    let parsed = parse(schema(), table("account"), raw, &Limits::default()).unwrap();
    let text = rendering::query(&parsed.query);
    assert!(text.contains("filter lastname Equal Text(\"x\")"), "{text}");
}

#[test]
fn malformed_expansions_say_where_and_what() {
    let cases = [
        ("", 1, "expected the name of a navigation"),
        ("name", 1, "named 'name'"),
        ("nothing", 1, "named 'nothing'"),
        ("_primarycontactid_value", 1, "named '_primarycontactid_value'"),
        ("primarycontactid,", 18, "expected the name of a navigation"),
        ("primarycontactid parentaccountid", 18, "expected ',', '(' or the end"),
        ("primarycontactid($select=fullname", 34, "expected ';' or ')'"),
        ("primarycontactid($select)", 26, "expected '=' after '$select'"),
        ("primarycontactid($select=nothing)", 26, "'nothing' on type 'Microsoft.Dynamics.CRM.contact'"),
        ("primarycontactid($select=a;$select=b)", 28, "'$select' is given twice"),
        ("primarycontactid(select=fullname)", 18, "'select' is not supported within $expand"),
        ("primarycontactid($filter=lastname eq 'x')", 18, "leads to one record at most"),
        ("primarycontactid($select=fullname;$top=1)", 35, "leads to one record at most"),
        ("primarycontactid,primarycontactid", 18, "expanded twice"),
        ("contact_customer_accounts($filter=lastname eq 5)", 47, "is compared with a number"),
        ("contact_customer_accounts($orderby=nothing)", 36, "named 'nothing'"),
        ("contact_customer_accounts($top=x)", 32, "expected a whole number"),
        ("contact_customer_accounts($count=true)", 27, "'$count' is not supported within $expand"),
        ("contact_customer_accounts($skip=1)", 27, "'$skip' is not supported within $expand"),
        ("contact_customer_accounts($filter=name eq 'x)", 46, "expected ';' or ')'"),
        ("contact_customer_accounts/$count", 27, "'$count' of an expanded collection is not supported"),
        ("primarycontactid/$ref($select=fullname)", 23, "addresses show no columns"),
        ("contact_customer_accounts/$ref($expand=ownerid)", 32, "addresses show no columns"),
        ("primarycontactid($expand=nothing)", 26, "named 'nothing' on type 'Microsoft.Dynamics.CRM.contact'"),
        ("primarycontactid($expand=)", 26, "expected the name of a navigation"),
        ("ownerid($expand=nothing)", 17, "named 'nothing'"),
        ("primarycontactid($levels=2)", 1, "leads to another table"),
        ("parentaccountid($levels=0)", 25, "expected a whole number from 1"),
        ("parentaccountid($levels=max)", 25, "expected a whole number"),
        ("parentaccountid($expand=parentaccountid;$levels=2)", 1, "expanded twice"),
    ];
    for (text, character, message) in cases {
        let error = match read("account", text) {
            Err(error) => error,
            Ok(_) => panic!("{text} is read"),
        };
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!((error.place().part.as_str(), error.place().character), ("$expand", character), "{text}: {error}");
    }
}

#[test]
fn expansions_stand_within_each_other() {
    check(
        "account",
        &[
            (
                "primarycontactid($select=fullname;$expand=parentcustomerid_account($select=name;$expand=parentaccountid($select=name)))",
                &[
                    "One primarycontactid primarycontactid>contact [contactid versionnumber fullname] with (One parentcustomerid_account parentcustomerid>account [accountid versionnumber name] with (One parentaccountid parentaccountid>account [accountid versionnumber name]))",
                ],
                "(primarycontactid(fullname,parentcustomerid_account(name,parentaccountid(name))))",
            ),
            (
                "contact_customer_accounts($select=fullname;$expand=account_primary_contact($select=name;$top=2;$expand=primarycontactid($select=fullname)))",
                &[
                    "Many contact_customer_accounts contact where parentcustomerid is a row of account [contactid versionnumber fullname] expand Many account_primary_contact account where primarycontactid is a row of contact [accountid versionnumber name] top 2 expand One primarycontactid primarycontactid>contact [contactid versionnumber fullname]",
                ],
                "(contact_customer_accounts(fullname,account_primary_contact(name,primarycontactid(fullname))))",
            ),
            (
                "primarycontactid($select=fullname;$expand=account_primary_contact($select=name))",
                &[
                    "One primarycontactid primarycontactid>contact [contactid versionnumber fullname] with (Many account_primary_contact account where primarycontactid is a row of contact [accountid versionnumber name])",
                ],
                "(primarycontactid(fullname,account_primary_contact(name)))",
            ),
            (
                "parentaccountid($select=name;$levels=3)",
                &[
                    "One parentaccountid parentaccountid>account [accountid versionnumber name] with (One parentaccountid parentaccountid>account [accountid versionnumber name] with (One parentaccountid parentaccountid>account [accountid versionnumber name]))",
                ],
                "(parentaccountid(name,parentaccountid(name,parentaccountid(name))))",
            ),
            (
                "parentaccountid($select=name;$levels=1)",
                &["One parentaccountid parentaccountid>account [accountid versionnumber name]"],
                "(parentaccountid(name))",
            ),
            (
                "primarycontactid/$ref,contact_customer_accounts/$ref($filter=lastname eq 'x';$top=3)",
                &[
                    "One primarycontactid primarycontactid>contact [contactid]",
                    "Many contact_customer_accounts contact where parentcustomerid is a row of account [contactid] filter lastname Equal Text(\"x\") top 3",
                ],
                "(primarycontactid/$ref,contact_customer_accounts/$ref)",
            ),
            (
                "ownerid($select=ownerid;$expand=businessunitid($select=name))",
                &[
                    "One ownerid ownerid>systemuser [systemuserid versionnumber] with (One businessunitid businessunitid>businessunit [businessunitid versionnumber name])",
                    "One ownerid ownerid>team [teamid versionnumber] with (One businessunitid businessunitid>businessunit [businessunitid versionnumber name])",
                ],
                "(ownerid(ownerid,businessunitid(name)))",
            ),
            (
                "ownerid($select=ownerid;$expand=parentsystemuserid($select=fullname))",
                &[
                    "One ownerid ownerid>systemuser [systemuserid versionnumber] with (One parentsystemuserid parentsystemuserid>systemuser [systemuserid versionnumber fullname])",
                    "One ownerid ownerid>team [teamid versionnumber]",
                ],
                "(ownerid(ownerid,parentsystemuserid(fullname)))",
            ),
        ],
    );
}

#[test]
fn a_collection_knows_how_it_is_asked_for_alone() {
    let options = |text: &str| read("account", text).unwrap().shape.expand[0].options.clone();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        options(
            "contact_customer_accounts( $select = fullname;$filter=contains(fullname,'a;b),c') or statecode eq 0;$top=5)"
        ),
        pairs(&[("$select", "fullname"), ("$filter", "contains(fullname,'a;b),c') or statecode eq 0"), ("$top", "5")])
    );
    assert_eq!(options("contact_customer_accounts"), []);
    assert_eq!(
        options("account_parent_account($select=name;$expand=primarycontactid;$levels=3)"),
        pairs(&[
            ("$select", "name"),
            ("$expand", "primarycontactid,account_parent_account($select=name;$expand=primarycontactid;$levels=2)")
        ])
    );
    let nested = read("account", "account_parent_account($levels=2)").unwrap();
    assert_eq!(nested.shape.expand[0].options, pairs(&[("$expand", "account_parent_account()")]));
    assert_eq!(nested.shape.expand[0].shape.expand[0].options, []);
    let within = read("account", "primarycontactid($expand=account_primary_contact($top=1))").unwrap();
    assert_eq!(within.shape.expand[0].shape.expand[0].options, pairs(&[("$top", "1")]));
}

#[test]
fn what_comes_later_says_so() {
    for text in ["*", "primarycontactid/Microsoft.Dynamics.CRM.contact"] {
        let error = read("account", text).expect_err(text);
        assert!(matches!(error, ODataError::Unsupported { .. }), "{text}: {error}");
    }
}

#[test]
fn navigations_are_bounded() {
    let limits = Limits { expand_max: 1, ..Limits::default() };
    let read = |raw: &str| parse(schema(), table("account"), raw, &limits);
    assert!(read("$expand=primarycontactid").is_ok());
    let error = read("$expand=primarycontactid,parentaccountid").unwrap_err();
    assert!(matches!(error, ODataError::TooMuch { limit: "expand_max", max: 1, .. }), "{error}");
    for text in ["$expand=primarycontactid($expand=ownerid)", "$expand=parentaccountid($levels=2)"] {
        let error = read(text).expect_err(text);
        assert!(matches!(error, ODataError::TooMuch { limit: "expand_max", max: 1, .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_brings_the_parser_down(text in "(contact_customer_accounts|primarycontactid|ownerid|\\$select=|\\$expand=|\\$levels=|\\$ref|/|2|\\$filter=|\\$top=|fullname|eq|'|\"|[(;),]| ){0,14}") {
        let _ = read("account", &text);
    }
}
