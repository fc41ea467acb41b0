//! Which numbers are given out for payment cards: the ranges of issuers with their lengths, and the check digit.
//!
//! Source of the ranges: what the card schemes publish for merchants, as collected under "Payment card number" in
//! Wikipedia, read in November 2026; numbering by ISO/IEC 7812-1. Only what begins a number matters here, not who gave it out.

/// How sure a range makes that a number is a card's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// Many other numbers begin so, telephone numbers among them: it takes a word for a card before it.
    Rare,
    /// A range of national schemes and of Maestro, wide and not listed in full.
    Wide,
    /// A range that one scheme alone has.
    Exact,
}

/// First six digits, from and to, with the lengths that are given out.
struct Range {
    from: u32,
    to: u32,
    lengths: u32,
    certainty: Certainty,
}

/// Lengths as bits.
const fn lengths(all: &[u32]) -> u32 {
    let (mut bits, mut at) = (0, 0);
    while at < all.len() {
        // A constant is worked out when the program is built: an index out of range would not build.
        #[allow(clippy::indexing_slicing)]
        let length = all[at];
        bits |= 1 << length;
        at += 1;
    }
    bits
}

const FROM_16: u32 = lengths(&[16, 17, 18, 19]);
const DINERS: u32 = lengths(&[14, 16, 17, 18, 19]);
const MAESTRO: u32 = lengths(&[12, 13, 14, 15, 16, 17, 18, 19]);
const SIXTEEN: u32 = lengths(&[16]);
const WIDE: u32 = lengths(&[16, 19]);

const fn exact(from: u32, to: u32, lengths: u32) -> Range {
    Range { from, to, lengths, certainty: Certainty::Exact }
}

const fn wide(from: u32, to: u32) -> Range {
    Range { from, to, lengths: WIDE, certainty: Certainty::Wide }
}

const fn rare(from: u32, to: u32, lengths: u32) -> Range {
    Range { from, to, lengths, certainty: Certainty::Rare }
}

const RANGES: [Range; 51] = [
    // Visa
    exact(400_000, 499_999, lengths(&[13, 16, 19])),
    // Mastercard
    exact(510_000, 559_999, SIXTEEN),
    exact(222_100, 272_099, SIXTEEN),
    // American Express
    exact(340_000, 349_999, lengths(&[15])),
    exact(370_000, 379_999, lengths(&[15])),
    // Diners Club
    exact(300_000, 305_999, DINERS),
    exact(309_500, 309_599, DINERS),
    exact(360_000, 369_999, DINERS),
    exact(380_000, 399_999, DINERS),
    // Discover
    exact(601_100, 601_199, FROM_16),
    exact(644_000, 659_999, FROM_16),
    // UnionPay
    exact(620_000, 629_999, FROM_16),
    exact(810_000, 817_199, FROM_16),
    // JCB
    exact(352_800, 358_999, FROM_16),
    exact(308_800, 309_499, SIXTEEN),
    exact(309_600, 310_299, SIXTEEN),
    exact(311_200, 312_099, SIXTEEN),
    exact(315_800, 315_999, SIXTEEN),
    exact(333_700, 334_999, SIXTEEN),
    exact(213_100, 213_199, lengths(&[15])),
    exact(180_000, 180_099, lengths(&[15])),
    // Maestro, and the British cards that became it
    exact(501_800, 501_899, MAESTRO),
    exact(502_000, 502_099, MAESTRO),
    exact(503_800, 503_899, MAESTRO),
    exact(589_300, 589_399, MAESTRO),
    exact(630_400, 630_499, MAESTRO),
    exact(675_900, 675_999, MAESTRO),
    exact(676_100, 676_399, MAESTRO),
    // Mir
    exact(220_000, 220_499, FROM_16),
    // RuPay
    exact(508_000, 508_999, SIXTEEN),
    exact(606_985, 607_984, SIXTEEN),
    exact(608_001, 608_500, SIXTEEN),
    exact(817_200, 820_199, SIXTEEN),
    // Elo, Hipercard, Verve, Troy, Dankort
    exact(506_699, 506_778, SIXTEEN),
    exact(509_000, 509_999, SIXTEEN),
    exact(636_297, 636_368, SIXTEEN),
    exact(606_282, 606_282, SIXTEEN),
    exact(506_099, 506_198, lengths(&[16, 18, 19])),
    exact(979_200, 979_289, SIXTEEN),
    exact(501_900, 501_999, SIXTEEN),
    // What else begins so: Maestro and national schemes
    wide(500_000, 509_999),
    wide(560_000, 589_999),
    wide(600_000, 699_999),
    // Beside JCB's, where devices have their numbers; short numbers of Maestro, air travel cards, Uzcard and Humo
    rare(350_000, 352_799, SIXTEEN),
    rare(359_000, 359_999, SIXTEEN),
    rare(60_400, 60_499, MAESTRO),
    rare(560_000, 589_999, MAESTRO),
    rare(639_000, 639_099, MAESTRO),
    rare(100_000, 199_999, lengths(&[15])),
    rare(860_000, 860_099, SIXTEEN),
    rare(986_000, 986_099, SIXTEEN),
];

/// Whether a card scheme gives out numbers of this length that begin so, and how sure that is.
pub(crate) fn certainty(digits: &[u8]) -> Option<Certainty> {
    let beginning = digits.get(..6)?.iter().fold(0, |number, digit| number * 10 + u32::from(*digit));
    let length = u32::try_from(digits.len()).ok().filter(|length| *length < u32::BITS)?;
    let fits = |range: &&Range| (range.from..=range.to).contains(&beginning) && range.lengths & (1 << length) != 0;
    RANGES.iter().filter(fits).map(|range| range.certainty).max()
}

/// Whether the last digit is the check digit of those before it, by Luhn (ISO/IEC 7812-1, annex B).
pub(crate) fn is_checked(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, value) => value,
            (_, value) if value > 4 => value * 2 - 9,
            (_, value) => value * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the last digit is the check digit of a GTIN: an EAN, UPC or ISBN (GS1 General Specifications).
pub(crate) fn is_article_number(digits: &[u8]) -> bool {
    let weighed =
        digits.iter().rev().enumerate().map(|(at, digit)| u32::from(*digit) * if at.is_multiple_of(2) { 1 } else { 3 });
    weighed.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn numbers_that_schemes_publish_for_tests_are_cards() {
        for text in [
            "4111111111111111",
            "4222222222222",
            "4000000000000000006",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "36227206271667",
            "38520000023237",
            "6011111111111117",
            "6205500000000000004",
            "3530111333300000",
            "6759649826438453",
            "6304000000000000",
            "2200000000000004",
            "6062826786276634",
            "5018000000000009",
        ] {
            let digits = digits(text);
            assert!(is_checked(&digits), "{text}");
            assert_eq!(certainty(&digits), Some(Certainty::Exact), "{text}");
        }
    }

    #[test]
    fn other_beginnings_and_lengths_are_not() {
        for text in ["1111111111111117", "0000000000000000", "9111111111111111", "411111111111116", "37828224631000"] {
            assert_eq!(certainty(&digits(text)), None, "{text}");
        }
        assert!(!is_checked(&digits("4111111111111112")));
        assert!(is_article_number(&digits("4006381333931")) && !is_article_number(&digits("4006381333932")));
        assert_eq!(certainty(&digits("5000000000000000")), Some(Certainty::Wide));
    }
}
