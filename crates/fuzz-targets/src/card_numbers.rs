//! Card numbers in any text, against what must hold of masking.

use custodia_inspection::{PaymentReference, card_numbers, file_text, holds_card_number, masked};

/// A text that may hold card numbers.
pub(crate) fn card_numbers_of(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let spans = card_numbers(text);
    let holds = holds_card_number(text);
    assert_eq!(holds, !spans.is_empty(), "{text:?}");
    let mut end = 0;
    for span in &spans {
        assert!(span.start >= end && span.start < span.end && text.get(span.clone()).is_some(), "{spans:?}");
        end = span.end;
    }
    match masked(text) {
        None => assert!(!holds, "{text:?}"),
        Some(masked) => {
            assert!(holds, "{text:?}");
            assert!(!holds_card_number(&masked), "{text:?} became {masked:?}");
            assert!(masked.chars().count() <= text.chars().count() && masked.len() <= text.len());
        }
    }
    if PaymentReference::read(text).is_ok() {
        assert!(!holds, "{text:?}");
    }
    let _text = file_text(text);
}
