//! The text of a file that is kept as base64: found by what its bytes are, whatever they are said to be.

use base64::Engine;
use base64::engine::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, GeneralPurpose, general_purpose};

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text that a file holds, if it is one: UTF-8, or UTF-16 with a mark of its byte order.
#[must_use]
pub fn file_text(base64: &str) -> Option<String> {
    let packed;
    let plain = if base64.bytes().any(|byte| byte.is_ascii_whitespace()) {
        packed = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>();
        packed.as_str()
    } else {
        base64
    };
    let bytes = BASE64.decode(plain).ok()?;
    let wide = |order: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.get(2..)?.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| order(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    match bytes.first_chunk::<2>() {
        Some([0xff, 0xfe]) => wide(u16::from_le_bytes),
        Some([0xfe, 0xff]) => wide(u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// A file of that text, in UTF-8, as base64.
#[must_use]
pub fn file_text_of(text: &str) -> String {
    general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn texts_are_read_and_pictures_are_not() {
        assert_eq!(file_text("SGVsbG8=").unwrap(), "Hello");
        assert_eq!(file_text("SGVs\r\nbG8").unwrap(), "Hello");
        assert_eq!(file_text(&general_purpose::STANDARD.encode(b"\xff\xfeH\0i\0")).unwrap(), "Hi");
        assert_eq!(file_text(&general_purpose::STANDARD.encode(b"\xfe\xff\0H\0i")).unwrap(), "Hi");
        assert_eq!(file_text(&general_purpose::STANDARD.encode(b"\x89PNG\r\n\x1a\n")), None);
        assert_eq!(file_text("no base64!"), None);
        assert_eq!(file_text(&file_text_of("Käse")).unwrap(), "Käse");
    }
}
