//! The `Prefer` header: what the caller would like, and what of it was done.

use custodia_query::odata::Limits;
use http::{HeaderMap, header::HeaderName};

use crate::failure::Failure;

/// The header.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Formatted values of columns, and names of records that lookups point at.
pub(crate) const FORMATTED_VALUE: &str = "OData.Community.Display.V1.FormattedValue";
/// The table of the record that a lookup points at.
pub(crate) const LOOKUP_LOGICAL_NAME: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
/// The navigation that leads to the record that a lookup points at.
pub(crate) const ASSOCIATED_NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
/// How many rows match, on a collection.
pub(crate) const TOTAL_COUNT: &str = "Microsoft.Dynamics.CRM.totalrecordcount";
/// Whether there are more than are counted, on a collection.
pub(crate) const TOTAL_COUNT_EXCEEDED: &str = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded";
/// The version of tables and columns, on a collection.
pub(crate) const METADATA_VERSION: &str = "Microsoft.Dynamics.CRM.globalmetadataversion";

/// Where the next page of a FetchXML query begins.
pub(crate) const PAGING_COOKIE: &str = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie";
/// Whether a FetchXML query has more rows than this page.
pub(crate) const MORE_RECORDS: &str = "Microsoft.Dynamics.CRM.morerecords";

/// What preferences are called where they are withheld.
pub(crate) const PREFERENCE_AREA: &str = "prefer";

/// The preferences that are followed, without the prefix `odata.`.
pub(crate) const PREFERENCES: [&str; 5] =
    ["maxpagesize", "include-annotations", "return", "track-changes", "continue-on-error"];

/// What the caller would like. Preferences that are not known are passed over, as HTTP wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Preferences {
    /// Rows of a page at most.
    pub page_rows: Option<u32>,
    /// Show the record after it was written.
    pub representation: bool,
    /// Changes since a moment are asked for.
    pub track_changes: bool,
    /// A batch goes on after a request that failed.
    pub continue_on_error: bool,
    annotations: Option<String>,
}

impl Preferences {
    /// Reads the headers.
    pub(crate) fn read(headers: &HeaderMap, limits: &Limits) -> Result<Self, Failure> {
        let mut preferences = Self::default();
        for header in headers.get_all(PREFER) {
            let Ok(text) = header.to_str() else {
                return Err(Failure::preference("the header is not text"));
            };
            for (name, value) in Split(text) {
                preferences.take(name, value, limits)?;
            }
        }
        Ok(preferences)
    }

    fn take(&mut self, name: &str, value: &str, limits: &Limits) -> Result<(), Failure> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("odata.").unwrap_or(&name);
        if limits.withheld.has(PREFERENCE_AREA, name) {
            return Ok(());
        }
        match name {
            "maxpagesize" => {
                let rows = value.parse::<u32>().ok().filter(|rows| *rows > 0);
                let Some(rows) = rows else {
                    let problem = format!("odata.maxpagesize is '{value}'; expected a whole number from 1 to 5000");
                    return Err(Failure::preference(problem));
                };
                self.page_rows.get_or_insert(rows.min(limits.page_rows_max));
            }
            "include-annotations" => {
                self.annotations.get_or_insert_with(|| value.to_owned());
            }
            "return" => self.representation = value.eq_ignore_ascii_case("representation"),
            "track-changes" => self.track_changes = true,
            "continue-on-error" => self.continue_on_error = !value.eq_ignore_ascii_case("false"),
            _ => {}
        }
        Ok(())
    }

    /// Whether annotations with that name are asked for. Where several patterns fit, the longest decides, and against
    /// an equally long one the exclusion.
    pub(crate) fn wants(&self, term: &str) -> bool {
        let mut decision = (0, false);
        for pattern in self.annotations.iter().flat_map(|patterns| patterns.split(',')) {
            let pattern = pattern.trim();
            let (wanted, pattern) = match pattern.strip_prefix('-') {
                Some(excluded) => (false, excluded),
                None => (true, pattern),
            };
            let fits = match pattern.strip_suffix('*') {
                Some(beginning) => term.starts_with(beginning),
                None => term == pattern,
            };
            // One more, so that `*` alone outweighs nothing at all.
            let weight = pattern.len() + 1;
            if fits && (weight > decision.0 || (weight == decision.0 && !wanted)) {
                decision = (weight, wanted);
            }
        }
        decision.1
    }

    /// The text of `Preference-Applied` for an answer with rows; `None` when nothing was preferred.
    pub(crate) fn applied_to_rows(&self, paged: bool) -> Option<String> {
        let mut applied = Vec::new();
        if let Some(rows) = self.page_rows.filter(|_| paged) {
            applied.push(format!("odata.maxpagesize={rows}"));
        }
        if let Some(annotations) = &self.annotations {
            applied.push(format!("odata.include-annotations=\"{annotations}\""));
        }
        (!applied.is_empty()).then(|| applied.join(","))
    }

    /// The same for the record that a write answers with.
    pub(crate) fn applied_to_written(&self) -> String {
        let mut applied = "return=representation".to_owned();
        if let Some(more) = self.applied_to_rows(false) {
            applied.push(',');
            applied.push_str(&more);
        }
        applied
    }
}

/// Cuts a header into names and values, at the commas outside quotes. What follows a `;` is left out: no preference
/// known here has parameters.
struct Split<'t>(&'t str);

impl<'t> Iterator for Split<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let end = outside_quotes(self.0, b',').unwrap_or(self.0.len());
            let (piece, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
            self.0 = rest.strip_prefix(',').unwrap_or(rest);
            let piece = piece.get(..outside_quotes(piece, b';').unwrap_or(piece.len())).unwrap_or(piece).trim();
            if piece.is_empty() {
                continue;
            }
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            return Some((name.trim(), value.trim().trim_matches('"')));
        }
    }
}

fn outside_quotes(text: &str, wanted: u8) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        !quoted && byte == wanted
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn read(headers: &[&str]) -> Result<Preferences, Failure> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(PREFER, header.parse().unwrap());
        }
        Preferences::read(&map, &Limits::default())
    }

    #[test]
    fn preferences_come_in_one_header_or_several_quoted_or_not() {
        let expected = Preferences {
            page_rows: Some(50),
            representation: true,
            track_changes: false,
            continue_on_error: false,
            annotations: Some("*".to_owned()),
        };
        for headers in [
            &["odata.maxpagesize=50,return=representation,odata.include-annotations=\"*\""][..],
            &["odata.maxpagesize=50", "return=representation", "odata.include-annotations=*"],
            &[" Return = representation , odata.include-annotations=\"*\" ,, OData.MaxPageSize = \"50\""],
            &["maxpagesize=50;x=1, return=representation, include-annotations=*, wait=10, respond-async"],
        ] {
            assert_eq!(read(headers).unwrap(), expected, "{headers:?}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(read(&["odata.maxpagesize=9999"]).unwrap().page_rows, Some(5_000));
        for wrong in ["0", "-1", "x", "", "1.5", "99999999999999999999"] {
            let failure = read(&[&format!("odata.maxpagesize={wrong}")]).unwrap_err();
            assert_eq!((failure.status.as_u16(), failure.code), (400, 0x8006_088b), "{wrong}");
        }
    }

    #[test]
    fn the_longest_pattern_decides() {
        let cases = [
            ("", FORMATTED_VALUE, false),
            ("*", FORMATTED_VALUE, true),
            ("OData.Community.Display.V1.FormattedValue", FORMATTED_VALUE, true),
            ("OData.Community.Display.V1.FormattedValue", LOOKUP_LOGICAL_NAME, false),
            ("OData.Community.*,Microsoft.Dynamics.CRM.lookuplogicalname", LOOKUP_LOGICAL_NAME, true),
            ("Microsoft.Dynamics.CRM.*", ASSOCIATED_NAVIGATION, true),
            ("Microsoft.Dynamics.CRM.*", FORMATTED_VALUE, false),
            ("*,-Microsoft.Dynamics.CRM.*", ASSOCIATED_NAVIGATION, false),
            ("*,-Microsoft.Dynamics.CRM.*", FORMATTED_VALUE, true),
            ("-*,OData.*", FORMATTED_VALUE, true),
            ("*,-*", FORMATTED_VALUE, false),
            ("-OData.*, OData.Community.* ", FORMATTED_VALUE, true),
        ];
        for (patterns, term, wanted) in cases {
            let preferences = read(&[&format!("odata.include-annotations=\"{patterns}\"")]).unwrap();
            assert_eq!(preferences.wants(term), wanted, "{patterns} {term}");
        }
        assert!(!read(&[]).unwrap().wants(FORMATTED_VALUE));
    }

    #[test]
    fn what_was_done_is_said() {
        let preferences = read(&["odata.include-annotations=\"*\",odata.maxpagesize=3,return=representation"]).unwrap();
        let rows = preferences.applied_to_rows(true).unwrap();
        assert_eq!(rows, "odata.maxpagesize=3,odata.include-annotations=\"*\"");
        assert_eq!(preferences.applied_to_written(), "return=representation,odata.include-annotations=\"*\"");
        assert_eq!(read(&["respond-async"]).unwrap().applied_to_rows(true), None);
    }
}
