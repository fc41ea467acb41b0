//! What the store keeps as bytes of its own: change records and audit entries.

use custodia_schema::{Decimal, Guid, Value};
use custodia_store::{
    Publications, Published, decode_audit, decode_payload, encode_audit, encode_payload, verify_export,
};

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

/// An exported audit, and a file of published heads.
pub(crate) fn audit_files(data: &[u8]) {
    if let Ok(report) = verify_export(data, |_| Published::default(), &mut |_: &str| {}) {
        assert!(report.fault.as_ref().is_none_or(|fault| !fault.to_string().is_empty()), "{report:?}");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut found = Publications::default();
    for (number, line) in (1..).zip(text.lines()) {
        if let Err(why) = found.take(number, line, Guid::nil()) {
            assert!(!why.is_empty(), "{line}");
        }
    }
}
