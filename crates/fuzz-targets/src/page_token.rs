//! Page tokens: the cookie in which a page says where it ended.
//!
//! The first line is the question, as for the other OData targets; what follows is the token. The signature is the same for all
//! tokens here, so that what lies behind it is reached.

use custodia_query::odata::{Limits, SkipToken, SkipTokenBinding, parse_options, query_options};
use custodia_schema::Guid;

use crate::questions::{asked, schema};

/// A token for a question.
pub(crate) fn page_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (question, token) = text.split_once('\n').unwrap_or(("accounts?", text));
    let (table, raw) = asked(question);
    let limits = Limits::default();
    let Ok(options) = query_options(raw, &limits) else { return };
    let Ok(parsed) = parse_options(schema(), table, &options, &limits, None) else { return };
    let binding = SkipTokenBinding { caller: Guid::from_u128(1), path: &table.set_name, options: &options };
    let sign = |_: &[u8]| [0; 32];
    // Whatever it says: it is for show alone, and must end.
    let _ = SkipToken::is_unsealed(token);
    if let Ok(page) = SkipToken::decode_counted(token, table.id, &binding, &sign) {
        let written = SkipToken::encode_counted(&page, table.id, &binding, &sign);
        assert_eq!(SkipToken::decode_counted(&written, table.id, &binding, &sign), Ok(page), "{written}");
    }
    let decode = |text: &str| SkipToken::decode(text, schema(), &parsed.query, &binding, &sign);
    match decode(token) {
        Ok(token) => {
            let write = |token: &SkipToken| token.encode(schema(), &parsed.query, &token.last, &binding, &sign);
            let written = write(&token).expect("what was read is written");
            let again = decode(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
            // As text, since a number that is none is not equal to itself.
            assert_eq!(write(&again).expect("what was read is written"), written);
            let other = |_: &[u8]| [1; 32];
            assert!(SkipToken::decode(&written, schema(), &parsed.query, &binding, &other).is_err());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
