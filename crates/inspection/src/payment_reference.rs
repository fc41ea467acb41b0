//! What may be kept of a payment instead of a card number: the brand, the last four digits and the gateway's token.

use crate::card_number::holds_card_number;

/// Brands by their words.
const BRANDS: [&str; 15] = [
    "amex",
    "diners",
    "discover",
    "elo",
    "hipercard",
    "jcb",
    "maestro",
    "mastercard",
    "mir",
    "other",
    "rupay",
    "troy",
    "unionpay",
    "verve",
    "visa",
];
/// Characters of a token.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;
/// Digits in a row that a token may have: fewer than the shortest card number has.
const TOKEN_DIGITS_MAX: usize = 11;

/// A payment reference, written `visa:4242:tok_1Nq5XyZ`: brand, last four digits, token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentReference<'t> {
    /// The card scheme, in small letters.
    pub brand: &'t str,
    /// The last four digits of the card's number.
    pub last_four: &'t str,
    /// What the payment gateway knows the card by.
    pub token: &'t str,
}

/// Why a text is no payment reference. Says nothing of what the text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentReferenceError {
    /// It has other parts.
    #[error("a payment reference is written BRAND:LAST4:TOKEN, such as visa:4242:tok_1Nq5XyZ")]
    Parts,
    /// The brand is unknown.
    #[error(
        "the brand of a payment reference is one of amex, diners, discover, elo, hipercard, jcb, maestro, mastercard, mir, \
         rupay, troy, unionpay, verve, visa, or else 'other'"
    )]
    Brand,
    /// The last four digits are not four digits.
    #[error("the second part of a payment reference is the last four digits of the card's number and no more")]
    LastFour,
    /// The token is none.
    #[error(
        "the token of a payment reference has 8 to 128 letters, digits, hyphens and low lines, a letter among them, and no more \
         than 11 digits in a row: it is what the payment gateway calls the card, never its number"
    )]
    Token,
}

impl<'t> PaymentReference<'t> {
    /// Reads one.
    ///
    /// # Errors
    /// [`PaymentReferenceError`], for whatever is not of the form or could hold a card's number.
    pub fn read(text: &'t str) -> Result<Self, PaymentReferenceError> {
        let mut parts = text.split(':');
        let (Some(brand), Some(last_four), Some(token), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PaymentReferenceError::Parts);
        };
        if !BRANDS.contains(&brand) {
            return Err(PaymentReferenceError::Brand);
        }
        if last_four.len() != 4 || !last_four.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PaymentReferenceError::LastFour);
        }
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_token = TOKEN_LENGTHS.contains(&token.len())
            && token.bytes().all(may_stand)
            && token.bytes().any(|byte| byte.is_ascii_alphabetic())
            && token.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() <= TOKEN_DIGITS_MAX)
            && !holds_card_number(token);
        if !is_token {
            return Err(PaymentReferenceError::Token);
        }
        Ok(Self { brand, last_four, token })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_reference_has_brand_last_four_and_token() {
        let expected = PaymentReference { brand: "visa", last_four: "4242", token: "tok_1Nq5XyZ" };
        assert_eq!(PaymentReference::read("visa:4242:tok_1Nq5XyZ"), Ok(expected));
    }

    #[test]
    fn nothing_else_is_one() {
        use PaymentReferenceError::{Brand, LastFour, Parts, Token};
        for (text, why) in [
            ("", Parts),
            ("4111111111111111", Parts),
            ("visa:4242", Parts),
            ("visa:4242:tok_1Nq5XyZ:x", Parts),
            ("Visa:4242:tok_1Nq5XyZ", Brand),
            ("4111111111111111:4242:tok_1Nq5XyZ", Brand),
            ("visa:42424:tok_1Nq5XyZ", LastFour),
            ("visa:٤٢٤٢:tok_1Nq5XyZ", LastFour),
            ("visa:1111:4111111111111111", Token),
            ("visa:1111:tok_4111111111111111", Token),
            ("visa:1111:t4111-1111-1111-1111", Token),
            ("visa:1111:12345678", Token),
            ("visa:1111:tok 1Nq5XyZ", Token),
            ("visa:1111:short", Token),
        ] {
            assert_eq!(PaymentReference::read(text), Err(why), "{text}");
            assert!(!why.to_string().contains("4111"));
        }
    }
}
