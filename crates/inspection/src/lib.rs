//! What must not be stored, found in texts: payment card numbers, however they are written. Pure functions over what they
//! are handed: no I/O, no settings, no tables.
//!
//! Start at [`masked`] and [`holds_card_number`]. Which forms are found, and which numbers are taken for something else, is
//! told in `docs/cards.md`.

mod card_number;
mod digit;
mod file_text;
mod identifier;
mod issuer;
mod payment_reference;
mod piece;
mod run;

pub use card_number::{DIGITS_MAX, DIGITS_MIN, card_numbers, holds_card_number, masked};
pub use file_text::{file_text, file_text_of};
pub use payment_reference::{PaymentReference, PaymentReferenceError};
