#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn class(negated: bool, ranges: &[(char, char)]) -> LikeToken {
    LikeToken::Class { negated, ranges: ranges.to_vec() }
}

fn general(tokens: &[LikeToken]) -> LikePattern {
    LikePattern::General(tokens.to_vec())
}

#[test]
fn patterns_take_their_cheapest_form() {
    use LikePattern::{Anything, Exact, Prefix, Substring, Suffix};
    use LikeToken::{Char, Many, One};
    let cases = [
        ("", Exact(String::new())),
        ("Contoso", Exact("contoso".into())),
        ("Zürich  ", Exact("zurich".into())),
        ("Straße", Exact("strasse".into())),
        ("%", Anything),
        ("%%%", Anything),
        ("% ", Anything),
        ("A%", Prefix("a".into())),
        ("A %", Prefix("a ".into())),
        ("%É", Suffix("e".into())),
        ("%a b%", Substring("a b".into())),
        ("%%a%%", Substring("a".into())),
        ("100[%]", Exact("100%".into())),
        ("100[%]%", Prefix("100%".into())),
        ("a[[]b", Exact("a[b".into())),
        ("a[_]b", Exact("a_b".into())),
        ("a]b", Exact("a]b".into())),
        ("a[b", Exact("a[b".into())),
        ("%a[b", Suffix("a[b".into())),
        ("100％", Exact("100%".into())),
        ("[aA]b", Exact("ab".into())),
        ("[^]", general(&[One])),
        ("[]", general(&[class(false, &[])])),
        ("[]]", general(&[class(false, &[]), Char(']')])),
        ("a_c", general(&[Char('a'), One, Char('c')])),
        ("%_%_", general(&[One, One, Many])),
        ("a%b", general(&[Char('a'), Many, Char('b')])),
        ("[A-F]", general(&[class(false, &[('a', 'f')])])),
        ("[f-a]", general(&[class(false, &[])])),
        ("[^f-a]", general(&[One])),
        ("[-a]", general(&[class(false, &[('-', '-'), ('a', 'a')])])),
        ("[a-]", general(&[class(false, &[('-', '-'), ('a', 'a')])])),
        ("[^é]", general(&[class(true, &[('e', 'e')])])),
        ("[a-cb-fx]", general(&[class(false, &[('a', 'f'), ('x', 'x')])])),
        ("[ßx]", Exact("x".into())),
        ("[a^]", general(&[class(false, &[('^', '^'), ('a', 'a')])])),
        ("[%_]", general(&[class(false, &[('%', '%'), ('_', '_')])])),
        ("[ a]", general(&[class(false, &[(' ', ' '), ('a', 'a')])])),
    ];
    for (text, expected) in cases {
        assert_eq!(LikePattern::parse(text), expected, "pattern {text:?}");
    }
}

#[test]
fn containing_beginning_and_ending_keep_wildcards_active() {
    use LikeToken::{Char, Many, One};
    assert_eq!(LikePattern::contains("Ab"), LikePattern::Substring("ab".into()));
    assert_eq!(LikePattern::contains(""), LikePattern::Anything);
    assert_eq!(LikePattern::contains("a "), LikePattern::Substring("a ".into()));
    assert_eq!(LikePattern::contains("a%b"), general(&[Many, Char('a'), Many, Char('b'), Many]));
    assert_eq!(LikePattern::contains("_"), general(&[One, Many]));
    assert_eq!(LikePattern::starts_with("Ab"), LikePattern::Prefix("ab".into()));
    assert_eq!(LikePattern::starts_with("%Ab"), LikePattern::Substring("ab".into()));
    assert_eq!(LikePattern::starts_with(""), LikePattern::Anything);
    assert_eq!(LikePattern::ends_with("Ab  "), LikePattern::Suffix("ab".into()));
    assert_eq!(LikePattern::ends_with("  "), LikePattern::Anything);
    assert_eq!(LikePattern::ends_with("a%"), LikePattern::Substring("a".into()));
}

#[test]
fn texts_match_as_their_patterns_say() {
    let cases = [
        ("contoso", "contoso", true),
        ("contoso", "contosos", false),
        ("", "", true),
        ("", "a", false),
        ("%", "", true),
        ("a%c", "ac", true),
        ("a%c", "abbbc", true),
        ("a%c", "abcb", false),
        ("a%b%c", "a-b-b-c-c", true),
        ("%a_b", "xxaab", true),
        ("_", "", false),
        ("_", "é", true),
        ("__", "é", false),
        ("_%", "a", true),
        ("[a-f]%", "delta", true),
        ("[a-f]%", "golf", false),
        ("[^a-f]%", "golf", true),
        ("[^a-f]%", "", false),
        ("[]", "a", false),
        ("%[0-9][0-9]", "call 42", true),
        ("%[0-9][0-9]", "call 4 2", false),
        ("%aab", "aaaab", true),
        ("%ab%ab", "abxabab", true),
        ("100[%]", "100%", true),
        ("100[%]", "1000", false),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(LikePattern::parse(pattern).matches(text), expected, "{pattern:?} on {text:?}");
    }
}

#[test]
fn many_wildcards_stay_bounded() {
    let pattern = LikePattern::contains(&"a%".repeat(2_000));
    assert!(!pattern.matches(&"a".repeat(1_999)));
    assert!(pattern.matches(&"a".repeat(2_000)));
    // Each retry of an exponential matcher would double the work: 2^40 steps would never end.
    assert!(!LikePattern::parse(&format!("{}b", "a%".repeat(40))).matches(&"a".repeat(4_000)));
}

#[test]
fn classes_of_their_own_signs_read_back_equal() {
    for pattern in ["[a］]", "[!－a]", "[^－］＾]", "[！-］]", "[－-＾]", "[＾a]", "[]a]", "[^]a]", "[--a]"] {
        let parsed = LikePattern::parse(pattern);
        let written = pattern_text(&parsed.tokens());
        assert_eq!(LikePattern::parse(&written), parsed, "{pattern} as {written}");
    }
    assert!(LikePattern::parse("[a］]").matches("]"));
}

#[test]
fn every_folded_character_reads_back_as_itself() {
    for c in ('\u{1}'..=char::MAX).filter(|c| !c.is_ascii()) {
        let folded = fold_piece(c.encode_utf8(&mut [0; 4]));
        let tokens: Vec<LikeToken> = folded.chars().map(LikeToken::Char).collect();
        assert_eq!(super::tokens(&pattern_text(&tokens)), tokens, "{c:?}");
    }
}

/// By definition, not by cleverness: tries every way.
fn naive(tokens: &[LikeToken], text: &[char]) -> bool {
    match (tokens.first(), text.first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(LikeToken::Many), _) => (0..=text.len()).any(|skip| naive(&tokens[1..], &text[skip..])),
        (Some(token), Some(c)) => accepts(token, *c) && naive(&tokens[1..], &text[1..]),
        (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_the_definition(pattern in "[ab%_ c-]{0,7}", text in "[abc]{0,8}") {
        let parsed = LikePattern::parse(&pattern);
        let characters: Vec<char> = text.chars().collect();
        prop_assert_eq!(parsed.matches(&text), naive(&parsed.tokens(), &characters));
    }

    #[test]
    fn written_patterns_read_back_equal(pattern in "([a-dA-DÉ %_\\[\\]^-]|[^\u{0}]){0,12}") {
        let parsed = LikePattern::parse(&pattern);
        prop_assert_eq!(LikePattern::parse(&pattern_text(&parsed.tokens())), parsed);
    }

    #[test]
    fn a_folded_text_matches_itself_written_as_a_pattern(text in "\\PC{0,12}") {
        let folded = fold(&text);
        let tokens: Vec<LikeToken> = folded.chars().map(LikeToken::Char).collect();
        prop_assert!(LikePattern::parse(&pattern_text(&tokens)).matches(&folded));
    }
}
