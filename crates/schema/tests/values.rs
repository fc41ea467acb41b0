//! Folds of texts and amounts of money.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use custodia_schema::{Decimal, Money, fold};

#[track_caller]
fn same(a: &str, b: &str) {
    assert_eq!(fold(a), fold(b), "{a:?} and {b:?}");
}

#[track_caller]
fn different(a: &str, b: &str) {
    assert_ne!(fold(a), fold(b), "{a:?} and {b:?}");
}

#[test]
fn case_and_accents_do_not_count() {
    same("Müller", "MULLER");
    same("Ångström", "angstrom");
    same("café", "cafe\u{301}");
    same("ΣΊΣΥΦΟΣ", "σισυφος");
    same("Łódź", "łódz");
    different("Łódź", "Lodz");
    different("Müller", "Mueller");
}

#[test]
fn sharp_s_is_double_s() {
    same("Straße", "STRASSE");
    same("STRAẞE", "strasse");
}

#[test]
fn turkish_dotted_i_is_i_and_dotless_is_not() {
    same("İstanbul", "istanbul");
    different("ılık", "ilik");
}

#[test]
fn trailing_blanks_do_not_count_others_do() {
    same("abc", "abc   ");
    same("größe ", "GRÖSSE");
    same("é\u{a0}", "e");
    assert_eq!(fold("   "), "");
    different("abc", " abc");
    different("abc", "abc\t");
}

#[test]
fn compatibility_forms_do_not_count() {
    same("ＡＢＣ１２３", "abc123");
    same("ﬁn", "fin");
    same("①", "1");
    same("ｶﾞ", "ガ");
}

#[test]
fn order_of_folds_is_order_of_bytes() {
    assert!(fold("Zebra") > fold("äpfel"));
    assert!(fold("a b") < fold("ab"));
}

#[test]
fn a_fold_is_its_own_fold() {
    for text in ["Straße", "İı", "ΑΣ ς", "e\u{301}\u{300}", "ﬀ", "ẞ ", "\u{1e9b}\u{323}", "ŉ", "𝔘𝔫𝔦", "한글"]
    {
        assert_eq!(fold(&fold(text)), fold(text), "{text:?}");
    }
}

#[test]
fn money_is_kept_in_ten_thousandths() {
    for (text, kept) in
        [("0", 0), ("1", 10_000), ("-12.3456", -123_456), ("0.00005", 1), ("-0.00005", -1), ("0.00004", 0)]
    {
        assert_eq!(Money::from_decimal(text.parse().unwrap()), Some(Money(kept)), "{text}");
    }
    for kept in [0, 1, -1, 123_456, i64::MAX, i64::MIN] {
        assert_eq!(Money::from_decimal(Money(kept).to_decimal()), Some(Money(kept)));
    }
    assert_eq!(Money(12_345).to_decimal(), "1.2345".parse::<Decimal>().unwrap());
}

#[test]
fn money_that_does_not_fit_is_none() {
    for text in ["922337203685477.5808", "-922337203685477.5809", "79228162514264337593543950335"] {
        assert_eq!(Money::from_decimal(text.parse().unwrap()), None, "{text}");
    }
    assert_eq!(Money::from_decimal("922337203685477.5807".parse().unwrap()), Some(Money(i64::MAX)));
}
