//! `unsafe` stands in the crate `sqlite` only, around SQLite's foreign functions.

use crate::finding::Finding;
use crate::source::Source;

/// Uses of `unsafe` in another crate. The compiler refuses them too, as long as the lint is on: this also covers a crate
/// that turns it off.
#[must_use]
pub fn findings(crate_name: &str, source: &Source) -> Vec<Finding> {
    if crate_name == "sqlite" {
        return Vec::new();
    }
    source
        .find_in_code("unsafe")
        .map(|offset| {
            let message =
                "`unsafe` belongs in the crate `sqlite` only: use a safe crate, or move the foreign function there";
            Finding::new(&source.path, source.line(offset), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::File;

    #[test]
    fn unsafe_is_found_anywhere_but_in_sqlite() {
        let source = Source::parse(&File::sample(
            "crates/store/src/sample.rs",
            "#![forbid(unsafe_code)]\n// unsafe is a word\nfn f() { unsafe { g() } }\n",
        ));
        assert_eq!(findings("store", &source).iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
        assert_eq!(findings("sqlite", &source), []);
    }
}
