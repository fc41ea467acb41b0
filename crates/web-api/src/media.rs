//! What the caller accepts and sends: media types and their parameters.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::failure::{Failure, code};
use crate::header::single;

/// How much the answer says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum MetadataLevel {
    /// Nothing but counts and links to further pages.
    None,
    /// The context and entity tags too.
    #[default]
    Minimal,
    /// Types and addresses of records too.
    Full,
}

/// The form of an answer, from `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Media {
    pub metadata: MetadataLevel,
    /// 64-bit integers and exact decimals stand in quotes (`IEEE754Compatible=true`).
    pub numbers_quoted: bool,
}

impl Media {
    /// Reads `Accept`. What it asks for beside JSON is passed over, and so is what is not text: the answer is JSON whatever it
    /// says.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let mut media = Self::default();
        for (name, value) in
            headers.get_all(ACCEPT).iter().filter_map(|header| header.to_str().ok()).flat_map(parameters)
        {
            match name.to_ascii_lowercase().trim_start_matches("odata.") {
                "metadata" => {
                    media.metadata = match value.to_ascii_lowercase().as_str() {
                        "none" => MetadataLevel::None,
                        "full" => MetadataLevel::Full,
                        _ => MetadataLevel::Minimal,
                    }
                }
                "ieee754compatible" => media.numbers_quoted = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        media
    }

    /// The media type of the answer.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match (self.metadata, self.numbers_quoted) {
            (MetadataLevel::None, false) => "application/json; odata.metadata=none",
            (MetadataLevel::Minimal, false) => "application/json; odata.metadata=minimal",
            (MetadataLevel::Full, false) => "application/json; odata.metadata=full",
            (MetadataLevel::None, true) => "application/json; odata.metadata=none; IEEE754Compatible=true",
            (MetadataLevel::Minimal, true) => "application/json; odata.metadata=minimal; IEEE754Compatible=true",
            (MetadataLevel::Full, true) => "application/json; odata.metadata=full; IEEE754Compatible=true",
        })
    }

    /// Whether the body that was sent has its exact numbers in quotes.
    ///
    /// # Errors
    /// 415 when the body is said to be no JSON, 400 when what is said is not text. A body that nothing is said about is taken for JSON.
    pub(crate) fn sent_numbers_are_quoted(headers: &HeaderMap) -> Result<bool, Failure> {
        let Some(text) = single(headers, &CONTENT_TYPE)? else { return Ok(false) };
        let media_type = text.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            let message = format!("Content-Type is '{media_type}'; expected application/json");
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::UNREADABLE_BODY, message));
        }
        Ok(parameters(text)
            .any(|(name, value)| name.eq_ignore_ascii_case("IEEE754Compatible") && value.eq_ignore_ascii_case("true")))
    }
}

/// The parameters of all media types in a header.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split([';', ','])
        .filter_map(|piece| piece.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn what_is_accepted_decides_the_form() {
        use MetadataLevel::{Full, Minimal, None};
        let cases = [
            ("*/*", Minimal, false),
            ("application/json", Minimal, false),
            ("application/json;odata.metadata=none", None, false),
            ("application/json; odata.metadata=full; IEEE754Compatible=true", Full, true),
            ("application/json;odata=minimalmetadata;IEEE754Compatible=false", Minimal, false),
            ("application/json; Metadata=\"Full\"", Full, false),
            ("text/html,application/xml;q=0.9,*/*;q=0.8", Minimal, false),
        ];
        for (accept, metadata, numbers_quoted) in cases {
            assert_eq!(Media::accepted(&headers(ACCEPT, accept)), Media { metadata, numbers_quoted }, "{accept}");
        }
        assert_eq!(Media::accepted(&HeaderMap::new()), Media::default());
        assert_eq!(Media::default().content_type(), "application/json; odata.metadata=minimal");
    }

    #[test]
    fn bodies_are_json() {
        let cases = [
            ("application/json", Ok(false)),
            ("Application/JSON; charset=utf-8; type=entry", Ok(false)),
            ("application/json;IEEE754Compatible=true", Ok(true)),
            ("text/plain", Err(415)),
            ("application/x-www-form-urlencoded", Err(415)),
        ];
        for (content_type, expected) in cases {
            let found = Media::sent_numbers_are_quoted(&headers(CONTENT_TYPE, content_type));
            assert_eq!(found.map_err(|failure| failure.status.as_u16()), expected, "{content_type}");
        }
        assert!(!Media::sent_numbers_are_quoted(&HeaderMap::new()).unwrap());
    }
}
