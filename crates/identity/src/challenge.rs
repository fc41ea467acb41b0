//! The `Authorization` and `WWW-Authenticate` headers of the Web API.

use crate::TokenFault;
use crate::address::Address;

/// The token of an `Authorization: Bearer …` header; `None` if the header is of another kind or empty.
#[must_use]
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let token = strip_scheme(authorization, "Bearer")?;
    if token.is_empty() { None } else { Some(token) }
}

/// What follows the scheme, which counts in any case (RFC 9110 section 11.1), without blanks around it.
pub(crate) fn strip_scheme<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (given, rest) = authorization.trim().split_once(' ')?;
    if given.eq_ignore_ascii_case(scheme) { Some(rest.trim()) } else { None }
}

/// The value of `WWW-Authenticate` of a 401 from the Web API of the organisation at `root`.
///
/// `authorization_uri` and `resource_id` are what clients look for to find out where to sign in. They stand there
/// without quotes, as existing clients expect; an address in normal form has no character that would need them. With a
/// fault, the parameters of RFC 6750 section 3 follow.
#[must_use]
pub fn www_authenticate(root: &Address, fault: Option<&TokenFault>) -> String {
    let mut value = format!("Bearer authorization_uri={root}/oauth2/authorize, resource_id={root}/");
    if let Some(fault) = fault {
        value.push_str(", error=\"invalid_token\", error_description=\"");
        value.push_str(fault.description());
        value.push('"');
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_token_is_found() {
        for (header, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc  ", Some("abc")),
            (" Bearer abc", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearerabc", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer_token(header), expected, "{header:?}");
        }
    }

    #[test]
    fn the_challenge_says_where_to_sign_in() {
        let root = Address::parse("https://crm.example/demo").unwrap();
        assert_eq!(
            www_authenticate(&root, None),
            "Bearer authorization_uri=https://crm.example/demo/oauth2/authorize, resource_id=https://crm.example/demo/"
        );
        let expired = www_authenticate(&root, Some(&TokenFault::Expired));
        assert!(
            expired.ends_with(", error=\"invalid_token\", error_description=\"The token has expired.\""),
            "{expired}"
        );
    }

    #[test]
    fn no_challenge_breaks_its_header() {
        let root = Address::parse("https://crm.example/demo").unwrap();
        for fault in TokenFault::ALL {
            let value = www_authenticate(&root, Some(fault));
            assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value}");
            assert_eq!(value.matches('"').count(), 4, "{value}");
            assert!(!value.contains('\\'));
        }
    }
}
