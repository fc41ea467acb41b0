//! Payment card numbers in a text: whether there is one, where, and the text without them.

use std::ops::Range;

use crate::digit::digit;
use crate::piece::Reading;
use crate::run::{Asked, Found, look};
pub use crate::run::{DIGITS_MAX, DIGITS_MIN};

/// What stands for a digit that is hidden.
const HIDDEN: char = '*';
/// How often a text is masked anew before all its digits are: what is left of one number could begin another.
const MASKED_TIMES_MAX: usize = 3;

/// Whether a text holds a payment card number. Takes no memory where the text has fewer than 12 digits.
#[must_use]
pub fn holds_card_number(text: &str) -> bool {
    found(text, Asked::Any).any
}

/// Where a text holds payment card numbers, in bytes, in order; numbers that overlap are one.
#[must_use]
pub fn card_numbers(text: &str) -> Vec<Range<usize>> {
    let mut spans = found(text, Asked::All).spans;
    spans.sort_by_key(|span| (span.start, span.end));
    let mut numbers: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match numbers.last_mut().filter(|last| span.start < last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => numbers.push(span),
        }
    }
    numbers
}

/// The text with a star for each digit of its card numbers but the last four; `None` if it has none. What comes out has
/// none, and no more characters than went in.
#[must_use]
pub fn masked(text: &str) -> Option<String> {
    let mut hidden = found(text, Asked::All).hidden;
    if hidden.is_empty() {
        return None;
    }
    let mut shown = without(text, &mut hidden);
    for _ in 1..MASKED_TIMES_MAX {
        let mut hidden = found(&shown, Asked::All).hidden;
        if hidden.is_empty() {
            return Some(shown);
        }
        shown = without(&shown, &mut hidden);
    }
    if holds_card_number(&shown) {
        shown = shown.chars().map(|c| if digit(c).is_some() { HIDDEN } else { c }).collect();
    }
    Some(shown)
}

fn found(text: &str, asked: Asked) -> Found {
    let mut found = Found::default();
    if !may_hold(text) {
        return found;
    }
    look(text, Reading::Plain, asked, &mut found);
    if (asked == Asked::All || !found.any) && Reading::is_markup(text) {
        look(text, Reading::Markup, asked, &mut found);
    }
    found
}

/// Whether a text has as many digits as a card number. Texts that have not are the usual ones.
fn may_hold(text: &str) -> bool {
    if text.len() < DIGITS_MIN {
        return false;
    }
    let count = |is: fn(&u8) -> bool| text.as_bytes().iter().filter(|byte| is(byte)).count();
    let plain = count(u8::is_ascii_digit);
    if plain >= DIGITS_MIN {
        return true;
    }
    // Each digit of another script begins with a byte like this.
    let others = count(|byte| *byte >= 0xc2);
    plain + others >= DIGITS_MIN && text.chars().filter(|c| digit(*c).is_some()).take(DIGITS_MIN).count() >= DIGITS_MIN
}

/// The text with a star for each of these ranges.
fn without(text: &str, hidden: &mut [Range<usize>]) -> String {
    hidden.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for range in hidden.iter() {
        // The same digit was found in both readings, or a part of what was.
        if range.start < at {
            continue;
        }
        shown.push_str(text.get(at..range.start).unwrap_or_default());
        shown.push(HIDDEN);
        at = range.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "4111/1111/1111/1111",
            "4111_1111_1111_1111",
            "4111 - 1111 - 1111 - 1111",
            "4111\u{a0}1111\u{2009}1111\u{202f}1111",
            "4111\u{200b}1111\u{200d}1111\u{feff}1111",
            "4\u{ad}1\u{ad}1\u{ad}1\u{ad}1111\u{ad}1111\u{ad}1111",
            "4111\n1111\n1111\n1111",
            "41111111\r\n    11111111",
            "4111111111\n111111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "41111 11111 11111 1",
            "4111 11111111 1111",
            "41111111111 11111",
            "card:4111111111111111",
            "CARD4111111111111111",
            "4111111111111111exp1226",
            "%B4111111111111111^DOE/JOHN^2512101",
            ";4111111111111111=2512101",
            "pay with 4111 1111 1111 1111 12/26 123",
            "12 4111 1111 1111 1111",
            "5555555555554444 4111111111111111",
            "3782 822463 10005",
            "378282246310005",
            "3056 930902 5904",
            "4000000000000000006",
            "6304000000000000",
            "<p>4111<b>1111</b>1111<i>1111</i></p>",
            "<td>41111111</td><td>11111111</td>",
            "<a href='x?n=4111111111111111'>",
            "4111&nbsp;1111&#160;1111&#x2009;1111",
            "&#52;&#49;&#49;&#49;111111111111",
            "{\"card\":\"4111111111111111\",\"x\":1}",
            "{\"card\":\"4111\\u00a01111\\n1111\\/1111\"}",
            "a,4111111111111111,b",
            "n=4111%201111%201111%201111",
            "n=4111+1111+1111+1111&m=%20",
            "４１１１１１１１１１１１１１１１",
            "٤١١١ ١١١١ ١١١١ ١١١١",
            "४१११११११११११११११",
            "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
            "4️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣1️⃣",
            "4111111111111111.00",
            "visa 4006381330060",
            "+4111111111111111",
        ] {
            assert!(holds_card_number(text), "{text}");
            assert!(!card_numbers(text).is_empty(), "{text}");
            let masked = masked(text).unwrap();
            assert!(!holds_card_number(&masked), "{text}: {masked}");
            assert!(masked.chars().count() <= text.chars().count());
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "",
            "call +49 711 1234567 or +1 (512) 555-0199",
            "+62 21 5790 12345",
            "4915112345678",
            "4006381330060",
            "5a0b1c2d-4111-4111-8111-411111111111",
            "DE89 3704 0044 0532 0130 00",
            "DE89370400440532013000",
            "2026-11-22T13:20:59.123456789Z",
            "20261122132059",
            "1700000000000",
            "1Z999AA10123456784",
            "0.4111111111111111",
            "40.65651334, -73.88182509",
            "10.0.19041.1234.567",
            "978-3-16-148410-0",
            "41111111111111111111",
            "4111111111111112",
            "a3f4111111111111111b2c4",
            "1234 5678 9012 3456",
            "2024 2025 2026 2027 2028",
            "**** **** **** 1111",
        ] {
            assert!(!holds_card_number(text), "{text}");
            assert_eq!(masked(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_four_digits_stay() {
        for (text, expected) in [
            ("4111111111111111", "************1111"),
            ("no. 4111-1111-1111-1111.", "no. ****-****-****-1111."),
            ("4111 1111 1111 1111 5555 5555 5555 4444", "**** **** **** 1111 **** **** **** 4444"),
            ("<b>4111</b>111111111111", "<b>****</b>********1111"),
            ("&#52;&#49;&#49;&#49;111111111111", "************1111"),
        ] {
            assert_eq!(masked(text).unwrap(), expected);
        }
        assert_eq!(card_numbers("x 4111111111111111, 5555555555554444"), [2..18, 20..36]);
    }

    #[test]
    fn hostile_texts_take_no_longer_than_others_of_their_length() {
        // A text that took time by the square of its length would not end here.
        for part in [
            "4",
            "4 ",
            "4111 ",
            "<a",
            "<",
            "&#",
            "%4",
            "4\u{200b}",
            "4\n",
            "DE89 ",
            "a4",
            "\\u00",
            "4.",
            "41111111111111111 ",
        ] {
            let text = part.repeat(40_000 / part.len());
            let masked = masked(&text).unwrap_or_else(|| text.clone());
            assert!(!holds_card_number(&masked), "{part}");
        }
    }
}
