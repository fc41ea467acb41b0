//! What an XML text costs before it is read: parsing compares each attribute with those beside it, and copies declared
//! namespaces to every element below.

/// Declarations of namespaces that a text may have.
pub const NAMESPACES_MAX: usize = 16;
/// Attributes that one element may have.
pub const ATTRIBUTES_MAX: usize = 500;

/// Whether parsing a text would cost more than its length tells. It is asked before anything is parsed; in doubt, as with many
/// equals signs in one text between elements, it is yes.
#[must_use]
pub fn is_costly(text: &str) -> bool {
    text.matches("xmlns").nth(NAMESPACES_MAX).is_some()
        || text.split('<').any(|tag| tag.bytes().filter(|byte| *byte == b'=').nth(ATTRIBUTES_MAX).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn many_attributes_and_namespaces_are_costly_and_what_people_write_is_not() {
        let with = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
        let attributes = |count| format!("<a {}/>", with(count, &|at| format!(" a{at}=\"\"")));
        assert!(!is_costly(&attributes(ATTRIBUTES_MAX)) && is_costly(&attributes(ATTRIBUTES_MAX + 1)));
        let namespaces = |count| with(count, &|at| format!("<a xmlns:p{at}=\"u\">"));
        assert!(!is_costly(&namespaces(NAMESPACES_MAX)) && is_costly(&namespaces(NAMESPACES_MAX + 1)));
        assert!(!is_costly(&with(5_000, &|at| format!("<cell name=\"c{at}\" width=\"100\"/>"))));
    }
}
