//! Page tokens.

use custodia_query::odata::{CountedPage, Limits, SkipToken, SkipTokenBinding, SkipTokenError, parse_options};
use custodia_query::{Query, SeekKey};
use custodia_schema::{Decimal, Guid, Money, Value};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use crate::world::{schema, table};

/// A stand-in for a keyed hash: every bit of the input and of the key counts.
fn sign_with(key: u64) -> impl Fn(&[u8]) -> [u8; 32] {
    move |message| {
        let mut state = [key, key ^ 1, key ^ 2, key ^ 3];
        for byte in message {
            for (lane, word) in state.iter_mut().enumerate() {
                *word = (*word ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5 + lane as u32);
            }
        }
        let mut tag = [0; 32];
        for (chunk, word) in tag.chunks_mut(8).zip(state) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        tag
    }
}

fn options(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn query(table_name: &str, order: &str) -> Query {
    let options = options(&[("$orderby", order)]);
    parse_options(schema(), table(table_name), &options, &Limits::default(), None).unwrap().query
}

const CALLER: Guid = Guid::from_u128(0xca11e4);

fn binding(options: &[(String, String)]) -> SkipTokenBinding<'_> {
    SkipTokenBinding { caller: CALLER, path: "accounts", options }
}

fn token(last: Vec<SeekKey>) -> SkipToken {
    SkipToken { page_number: 2, top_left: None, last }
}

fn round_trip(query: &Query, token: &SkipToken, first: &[SeekKey]) -> Result<SkipToken, SkipTokenError> {
    let options = options(&[("$orderby", "x")]);
    let sign = sign_with(1);
    let text = token.encode(schema(), query, first, &binding(&options), &sign).unwrap();
    SkipToken::decode(&text, schema(), query, &binding(&options), &sign)
}

#[test]
fn tokens_have_the_form_clients_know() {
    let query = query("account", "name");
    let row = |name: &str, id: u128| vec![Value::Text(name.into()), Value::Guid(Guid::from_u128(id))];
    let text =
        token(row("B & \"C\"\n", 0xb)).encode(schema(), &query, &row("A", 0xa), &binding(&[]), &sign_with(1)).unwrap();
    let inner = text.strip_prefix("<cookie pagenumber=\"2\" pagingcookie=\"").unwrap();
    let inner = inner.strip_suffix("\" istracking=\"False\" />").unwrap();
    assert!(inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '%'), "{inner}");
    let once = percent_decode_str(inner).decode_utf8().unwrap();
    let twice = percent_decode_str(&once).decode_utf8().unwrap();
    let (head, elements) = twice.split_once("\">").unwrap();
    assert_eq!(head.len(), "<cookie page=\"1\" tag=\"".len() + 64, "{head}");
    assert!(head.starts_with("<cookie page=\"1\" tag=\""), "{head}");
    assert_eq!(
        elements,
        "<name last=\"B &amp; &quot;C&quot;&#10;\" first=\"A\" />\
         <accountid last=\"{0000000B-0000-0000-0000-000000000000}\" first=\"{0000000A-0000-0000-0000-000000000000}\" />\
         </cookie>"
            .replace("0000000B-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000B")
            .replace("0000000A-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000A")
    );
}

#[test]
fn the_inner_cookie_alone_is_read_too() {
    let query = query("account", "name");
    let given = token(vec![Value::Null, Value::Guid(Guid::nil())]);
    let text = given.encode(schema(), &query, &given.last, &binding(&[]), &sign_with(1)).unwrap();
    let start = text.find("pagingcookie=\"").unwrap() + "pagingcookie=\"".len();
    let twice = text[start..].split('"').next().unwrap();
    let once = percent_decode_str(twice).decode_utf8().unwrap();
    let inner = percent_decode_str(&once).decode_utf8().unwrap();
    assert!(inner.contains("<name lastnull=\"1\" firstnull=\"1\" />"), "{inner}");
    let read = SkipToken::decode(&inner, schema(), &query, &binding(&[]), &sign_with(1));
    assert_eq!(read, Ok(given));
}

#[test]
fn values_of_every_type_come_back_exactly() {
    let id = Value::Guid(Guid::from_u128(u128::MAX));
    let cases = [
        (
            "new_name",
            vec![
                Value::Text(String::new()),
                Value::Text("a<b>&\"'%;\u{0}\n\r\t\u{7f} é 😀 &amp; {}".into()),
                Value::Text("x".repeat(4_000)),
            ],
        ),
        ("new_count", vec![Value::Integer(i32::MIN), Value::Integer(i32::MAX)]),
        ("new_big", vec![Value::BigInt(i64::MIN), Value::BigInt(i64::MAX)]),
        (
            "new_exact",
            vec![
                Value::Decimal(Decimal::MAX),
                Value::Decimal(Decimal::MIN),
                Value::Decimal(Decimal::new(1, 12)),
                Value::Decimal(Decimal::new(100, 2)),
            ],
        ),
        (
            "new_real",
            vec![Value::Double(f64::MAX), Value::Double(f64::MIN_POSITIVE), Value::Double(0.1), Value::Double(5e-324)],
        ),
        ("new_price", vec![Value::Money(Money(i64::MIN)), Value::Money(Money(i64::MAX))]),
        ("new_on", vec![Value::Boolean(true), Value::Boolean(false)]),
        ("new_at", vec![Value::DateTime(i64::MIN), Value::DateTime(i64::MAX)]),
        ("new_day", vec![Value::Date(i32::MIN), Value::Date(i32::MAX)]),
        ("new_sort", vec![Value::Integer(2)]),
        ("statecode", vec![Value::Integer(0)]),
        ("new_type", vec![Value::Text("account".into())]),
        ("_new_twin_value", vec![Value::Guid(Guid::nil())]),
        ("new_Twin/new_name desc", vec![Value::Text("x".into())]),
    ];
    for (order, values) in cases {
        let query = query("new_gadget", order);
        for value in values.into_iter().chain([Value::Null]) {
            let given = SkipToken { page_number: u32::MAX, top_left: Some(u32::MAX), last: vec![value, id.clone()] };
            let read = round_trip(&query, &given, &given.last);
            assert_eq!(read, Ok(given), "{order}");
        }
    }
    let scale = |value: &Value| match value {
        Value::Decimal(decimal) => decimal.scale(),
        _ => 99,
    };
    let given = token(vec![Value::Decimal(Decimal::new(100, 2)), id.clone()]);
    let read = round_trip(&query("new_gadget", "new_exact"), &given, &given.last).unwrap();
    assert_eq!(scale(&read.last[0]), 2);
    // A link comes back as its id.
    let link = token(vec![Value::Lookup(table("account").id, Guid::max()), id.clone()]);
    let read = round_trip(&query("new_gadget", "_new_holder_value"), &link, &link.last).unwrap();
    assert_eq!(read.last, vec![Value::Guid(Guid::max()), id]);
}

#[test]
fn tokens_without_sort_keys_hold_the_primary_id() {
    let options = options(&[]);
    let query = parse_options(schema(), table("account"), &options, &Limits::default(), None).unwrap().query;
    let given = token(vec![Value::Guid(Guid::from_u128(5))]);
    assert_eq!(round_trip(&query, &given, &given.last), Ok(given));
}

#[test]
fn keys_that_do_not_fit_the_query_are_not_written() {
    let query = query("account", "name");
    let id = Value::Guid(Guid::nil());
    for last in [
        vec![],
        vec![id.clone()],
        vec![Value::Null, id.clone(), id.clone()],
        vec![Value::Integer(5), id.clone()],
        vec![Value::Null, Value::Text("x".into())],
    ] {
        let text = token(last.clone()).encode(schema(), &query, &last, &binding(&[]), &sign_with(1));
        assert_eq!(text, Err(SkipTokenError::Malformed), "{last:?}");
    }
    let row = vec![Value::Null, id];
    let zero = SkipToken { page_number: 0, top_left: None, last: row.clone() };
    assert_eq!(zero.encode(schema(), &query, &row, &binding(&[]), &sign_with(1)), Err(SkipTokenError::Malformed));
}

#[test]
fn a_token_is_good_for_its_query_and_caller_only() {
    let by_name = query("account", "name");
    let asked = options(&[("$orderby", "name"), ("$filter", "statecode eq 0")]);
    let given = token(vec![Value::Text("B".into()), Value::Guid(Guid::nil())]);
    let text = given.encode(schema(), &by_name, &given.last, &binding(&asked), &sign_with(1)).unwrap();
    let decode = |options: &[(String, String)], caller: Guid, path: &str, query: &Query, key: u64| {
        let binding = SkipTokenBinding { caller, path, options };
        SkipToken::decode(&text, schema(), query, &binding, &sign_with(key))
    };
    assert_eq!(decode(&asked, CALLER, "accounts", &by_name, 1), Ok(given.clone()));
    // Clients may write the options anew, in another order, with the token among them.
    let again = options(&[("$skiptoken", &text), ("$filter", "statecode eq 0"), ("$orderby", "name")]);
    assert_eq!(decode(&again, CALLER, "/accounts/", &by_name, 1), Ok(given));

    let not_genuine = Err(SkipTokenError::NotGenuine);
    let other_filter = options(&[("$orderby", "name"), ("$filter", "statecode eq 1")]);
    let more = options(&[("$orderby", "name"), ("$filter", "statecode eq 0"), ("$top", "5")]);
    let moved = options(&[("$orderb", "yname"), ("$filter", "statecode eq 0")]);
    assert_eq!(decode(&other_filter, CALLER, "accounts", &by_name, 1), not_genuine);
    assert_eq!(decode(&more, CALLER, "accounts", &by_name, 1), not_genuine);
    assert_eq!(decode(&moved, CALLER, "accounts", &by_name, 1), not_genuine);
    assert_eq!(decode(&asked, Guid::nil(), "accounts", &by_name, 1), not_genuine);
    assert_eq!(decode(&asked, CALLER, "contacts", &by_name, 1), not_genuine);
    assert_eq!(decode(&asked, CALLER, "accounts", &query("contact", "fullname"), 1), not_genuine);
    assert_eq!(decode(&asked, CALLER, "accounts", &by_name, 2), not_genuine);
}

#[test]
fn a_changed_token_is_not_accepted() {
    let query = query("account", "name");
    let given = SkipToken {
        page_number: 3,
        top_left: Some(7),
        last: vec![Value::Text("Bx".into()), Value::Guid(Guid::from_u128(0xb))],
    };
    let text = given.encode(schema(), &query, &given.last, &binding(&[]), &sign_with(1)).unwrap();
    let decode = |text: &str| SkipToken::decode(text, schema(), &query, &binding(&[]), &sign_with(1));
    let start = text.find("pagingcookie=\"").unwrap() + "pagingcookie=\"".len();
    let twice = text[start..].split('"').next().unwrap();
    let once = percent_decode_str(twice).decode_utf8().unwrap();
    let inner = percent_decode_str(&once).decode_utf8().unwrap().into_owned();
    assert_eq!(decode(&inner), Ok(given));
    for (from, to) in [
        ("page=\"2\"", "page=\"3\""),
        (" left=\"7\"", " left=\"8\""),
        (" left=\"7\"", ""),
        ("last=\"Bx\"", "last=\"By\""),
        ("last=\"Bx\"", "lastnull=\"1\""),
        ("first=\"Bx\"", "first=\"C\""),
        ("-00000000000B}", "-00000000000C}"),
    ] {
        assert!(inner.contains(from), "{inner}");
        assert_eq!(decode(&inner.replace(from, to)), Err(SkipTokenError::NotGenuine), "{from} to {to}");
    }
    // Any character at all.
    for at in 0..inner.len() {
        let mut bytes = inner.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(decode(&changed).is_err(), "{changed}");
    }
    for text in ["", "x", "<cookie />", "<cookie pagenumber=\"2\" pagingcookie=\"x\" istracking=\"False\" />", "%FF"] {
        assert_eq!(decode(text), Err(SkipTokenError::Malformed), "{text}");
    }
}

#[test]
fn the_token_of_a_counted_page_is_good_for_its_query_and_caller_only() {
    let asked = options(&[("fetchXml", "<fetch/>")]);
    let accounts = table("account").id;
    let third = CountedPage { number: 3, skip: 1_005, top_left: Some(7) };
    let text = SkipToken::encode_counted(&third, accounts, &binding(&asked), &sign_with(1));
    assert!(text.starts_with("<cookie pagenumber=\"3\" pagingcookie=\""), "{text}");
    let decode = |text: &str, options: &[(String, String)], caller: Guid, path: &str, table, key: u64| {
        let binding = SkipTokenBinding { caller, path, options };
        SkipToken::decode_counted(text, table, &binding, &sign_with(key))
    };
    assert_eq!(decode(&text, &asked, CALLER, "/accounts/", accounts, 1), Ok(third));
    // What is for show alone does not count.
    let shown = text.replace("pagenumber=\"3\"", "pagenumber=\"9\"");
    assert_eq!(decode(&shown, &asked, CALLER, "accounts", accounts, 1), Ok(third));
    let not_genuine = Err(SkipTokenError::NotGenuine);
    for (from, to) in
        [("page%253D%25222", "page%253D%25223"), ("%25221005%2522", "%25221000%2522"), ("%25227%2522", "%25228%2522")]
    {
        assert!(text.contains(from), "{text}");
        let moved = text.replace(from, to);
        assert_eq!(decode(&moved, &asked, CALLER, "accounts", accounts, 1), not_genuine, "{from} to {to}");
    }
    let changed = options(&[("fetchXml", "<fetch distinct='true'/>")]);
    let page = SkipToken::encode_counted(&third, accounts, &binding(&asked), &|_| [0; 32]);
    assert_eq!(decode(&text, &changed, CALLER, "accounts", accounts, 1), not_genuine);
    assert_eq!(decode(&text, &asked, Guid::nil(), "accounts", accounts, 1), not_genuine);
    assert_eq!(decode(&text, &asked, CALLER, "contacts", accounts, 1), not_genuine);
    assert_eq!(decode(&text, &asked, CALLER, "accounts", table("contact").id, 1), not_genuine);
    assert_eq!(decode(&text, &asked, CALLER, "accounts", accounts, 2), not_genuine);
    assert_eq!(decode(&page, &asked, CALLER, "accounts", accounts, 1), not_genuine);
    // It leads to no place, and what does is none of a counted page.
    let query = query("account", "name");
    let by_place = SkipToken::decode(&text, schema(), &query, &binding(&asked), &sign_with(1));
    assert_eq!(by_place, Err(SkipTokenError::Malformed));
    let given = token(vec![Value::Text("B".into()), Value::Guid(Guid::nil())]);
    let place = given.encode(schema(), &query, &given.last, &binding(&asked), &sign_with(1)).unwrap();
    let malformed = Err(SkipTokenError::Malformed);
    for text in [place.as_str(), "", "x", "<cookie />", "<cookie pagenumber=\"2\" istracking=\"False\" />"] {
        assert_eq!(decode(text, &asked, CALLER, "accounts", accounts, 1), malformed, "{text}");
    }
}

#[test]
fn counted_pages_go_on_after_the_rows_that_were_given() {
    let second = CountedPage::first(Some(10)).after(3);
    assert_eq!(second, CountedPage { number: 2, skip: 3, top_left: Some(7) });
    assert_eq!(second.after(8), CountedPage { number: 3, skip: 11, top_left: Some(0) });
    assert_eq!(CountedPage::first(None).after(5), CountedPage { number: 2, skip: 5, top_left: None });
    let asked = options(&[]);
    // What says no rows before it, as links did once, and what says them in another way, leads nowhere.
    for elements in ["", "<rows before=\"\" />", "<rows before=\"-1\" />", "<rows before=\"3\" /><a last=\"1\" />"] {
        let text = format!("<cookie page=\"1\" tag=\"{}\">{elements}</cookie>", "0".repeat(64));
        let read = SkipToken::decode_counted(&text, table("account").id, &binding(&asked), &|_| [0; 32]);
        assert_eq!(read, Err(SkipTokenError::Malformed), "{text}");
    }
}

#[test]
fn the_first_row_is_for_show_and_short() {
    let query = query("account", "name");
    let given = token(vec![Value::Text("B".into()), Value::Guid(Guid::nil())]);
    let first = [Value::Text("A".repeat(4_000)), Value::Guid(Guid::nil())];
    let text = given.encode(schema(), &query, &first, &binding(&[]), &sign_with(1)).unwrap();
    assert!(text.len() < 1_000, "{}", text.len());
    assert_eq!(SkipToken::decode(&text, schema(), &query, &binding(&[]), &sign_with(1)), Ok(given));
}

proptest! {
    #[test]
    fn texts_come_back_exactly(name in ".{0,40}", id in any::<u128>(), page in 1..=u32::MAX) {
        let given = SkipToken {
            page_number: page,
            top_left: None,
            last: vec![Value::Text(name), Value::Guid(Guid::from_u128(id))],
        };
        prop_assert_eq!(round_trip(&query("account", "name"), &given, &given.last), Ok(given));
    }

    #[test]
    fn no_text_brings_the_decoder_down(text in "(<cookie page=\"|\" tag=\"|\">|</cookie>|<name|<cookie pagenumber=\"2\" pagingcookie=\"|\" istracking=\"False\" />|[ -~]|%3C){0,12}|.{0,40}") {
        let read = SkipToken::decode(&text, schema(), &query("account", "name"), &binding(&[]), &sign_with(1));
        prop_assert!(read.is_err());
    }
}

#[test]
fn cookies_without_a_seal_are_told_by_their_text() {
    let once = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let inner = "<cookie page=\"1\"><accountid last=\"{1}\" first=\"{2}\" /></cookie>";
    let outer = format!("<cookie pagenumber=\"2\" pagingcookie=\"{}\" istracking=\"False\" />", once(&once(inner)));
    for text in [
        inner,
        &once(inner),
        &once(&once(inner)),
        &outer,
        &format!(" {outer}\n"),
        "<cookie page='1'/>",
        "<cookie\tpage=\"1\"></cookie>",
        "<cookie/>",
        "<cookie pagenumber='2' pagingcookie='%3Ccookie%20page%3D%221%22%2F%3E' />",
    ] {
        assert!(SkipToken::is_unsealed(text), "{text}");
    }
    let sealed = inner.replace("<cookie page=\"1\"", "<cookie page=\"1\" tag=\"00\"");
    for text in [
        "",
        "2",
        "cookie",
        "<cookies page='1'/>",
        "<other page='1'/>",
        "<cookie page='1'>",
        "<cookie page='1'",
        "<cookie page='1'/></other>",
        "<cookie pagingcookie=2 />",
        "<cookie pagingcookie='2 />",
        "<cookie pagingcookie='<cookie pagingcookie=\"<cookie pagingcookie=2/>\"/>'/>",
        "%FF",
        &sealed,
        &once(&sealed),
        &outer.replace(&once(&once(inner)), &once(&once(&sealed))),
        &once(&once(&once(&once(inner)))),
    ] {
        assert!(!SkipToken::is_unsealed(text), "{text}");
    }
}

/// A parser of XML would take hours for the second of these, and minutes for the first.
#[test]
fn what_a_cookie_says_is_not_parsed() {
    use std::fmt::Write as _;
    let mut attributes = "<cookie".to_owned();
    let mut namespaces = "<cookie".to_owned();
    for number in 0..40_000 {
        let _ = write!(attributes, " a{number}=''");
        let _ = write!(namespaces, " xmlns:a{number}='b'");
    }
    attributes.push_str("/>");
    namespaces.push('>');
    namespaces.push_str(&"<b xmlns:c='d'/>".repeat(40_000));
    namespaces.push_str("</cookie>");
    for text in [attributes, namespaces] {
        assert!(SkipToken::is_unsealed(&text));
        assert!(SkipToken::is_unsealed(&text.replace('=', "%3D").replace("xmlns", "%78mlns").replace('<', "%3C")));
    }
}
