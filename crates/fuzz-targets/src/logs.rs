//! What the store keeps as bytes of its own: change records and audit entries.

use custodia_schema::{Decimal, Value};
use custodia_store::{decode_audit, decode_payload, encode_audit, encode_payload};

/// The payload of a change record.
pub(crate) fn change_record(data: &[u8]) {
    match decode_payload(data) {
        Ok(values) => {
            let written = encode_payload(values.iter().map(|(column, value)| (*column, value)));
            let again = decode_payload(&written).unwrap_or_else(|error| panic!("{error}: {written:02x?}"));
            // As bytes, since a number that is none is not equal to itself.
            assert_eq!(encode_payload(again.iter().map(|(column, value)| (*column, value))), written);
            for (_, value) in &values {
                check_number(value);
            }
        }
        Err(error) => assert!(error.at <= data.len() && !error.why.is_empty(), "{error}"),
    }
}

/// That a number can be shown, and comes back from what is shown.
fn check_number(value: &Value) {
    if let Value::Decimal(number) = value {
        assert_eq!(number.to_string().parse::<Decimal>().as_ref(), Ok(number));
    }
}

/// The changes of an audit entry.
pub(crate) fn audit_record(data: &[u8]) {
    match decode_audit(data) {
        Ok(changes) => {
            let written = encode_audit(&changes);
            let again = decode_audit(&written).unwrap_or_else(|error| panic!("{error}: {written:02x?}"));
            assert_eq!(encode_audit(&again), written);
        }
        Err(error) => assert!(error.at <= data.len() && !error.why.is_empty(), "{error}"),
    }
}
