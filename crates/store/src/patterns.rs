//! Text patterns on SQLite: a function that matches them as [`LikePattern`] does. SQLite's own `GLOB` and `instr` take the
//! length of the text times that of the pattern within one step, which no deadline interrupts: minutes for a long text.

use custodia_query::LikePattern;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

/// Whether a folded text matches a pattern, as [`LikePattern::to_text`] writes it; null for null.
pub(crate) const MATCHES: &str = "custodia_matches";

/// Texts of so many bytes are looked through only after a look at the clock: 0.1 ms each.
const LONG_TEXT_BYTES: usize = 65_536;

/// Makes the function known to a connection. `is_over` tells whether the time of the statement is over: it ends as if it
/// had been interrupted between two steps.
pub(crate) fn register(connection: &Connection, is_over: impl Fn() -> bool + Send + 'static) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(MATCHES, 2, flags, move |context| matches(context, &is_over))
}

fn matches(context: &Context<'_>, is_over: &impl Fn() -> bool) -> Result<Option<bool>> {
    let ValueRef::Text(text) = context.get_raw(0) else { return Ok(None) };
    let text = std::str::from_utf8(text).map_err(|error| Error::UserFunctionError(error.into()))?;
    // Kept as long as the statement runs with this pattern.
    let pattern = context.get_or_create_aux(1, |value| value.as_str().map(LikePattern::parse))?;
    if text.len() >= LONG_TEXT_BYTES && is_over() {
        return Err(interrupted());
    }
    pattern.matches_while(text, || !is_over()).map(Some).ok_or_else(interrupted)
}

fn interrupted() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rusqlite::ErrorCode;

    use super::*;

    /// A connection on which a statement's time is over at the look at the clock with this number, and the looks there were.
    fn connection(over_at: u32) -> (Connection, Arc<AtomicU32>) {
        let connection = Connection::open_in_memory().unwrap();
        let looks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&looks);
        register(&connection, move || counted.fetch_add(1, Ordering::Relaxed) + 1 >= over_at).unwrap();
        (connection, looks)
    }

    fn ask(connection: &Connection, text: &str, pattern: &LikePattern) -> Result<Option<bool>> {
        connection.query_row("SELECT custodia_matches(?1, ?2)", [text, &pattern.to_text()], |row| row.get(0))
    }

    #[test]
    fn a_match_that_takes_long_ends_within_its_row() {
        let long = "a".repeat(1 << 20);
        // A million characters times 4,000: seconds, of which this one is given some hundredths.
        let costly = LikePattern::contains(&format!("a_{}b", "a".repeat(4_000)));
        let (connection, looks) = connection(50);
        let error = ask(&connection, &long, &costly).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::OperationInterrupted), "{error}");
        assert_eq!(looks.load(Ordering::Relaxed), 50);
        // So does one that passes over many long texts quickly.
        assert!(ask(&connection, &long, &LikePattern::contains("b")).is_err());
        assert_eq!(ask(&connection, "short", &LikePattern::contains("or")).unwrap(), Some(true), "nobody looks");
        assert_eq!(looks.load(Ordering::Relaxed), 51);
    }

    #[test]
    fn nothing_matches_null_and_what_is_no_text() {
        let (connection, _) = connection(u32::MAX);
        for value in ["NULL", "1", "x'61'"] {
            let sql = format!("SELECT custodia_matches({value}, '%')");
            assert_eq!(connection.query_row(&sql, [], |row| row.get::<_, Option<bool>>(0)).unwrap(), None, "{value}");
        }
    }
}
