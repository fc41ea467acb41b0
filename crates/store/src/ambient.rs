//! The clock and the source of randomness, given to the store by whoever runs it.

/// Time. Implemented over the machine's clocks in `server`, by hand in tests.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC; may jump.
    fn now_ms(&self) -> i64;
    /// Milliseconds since some fixed moment; never goes back.
    fn monotonic_ms(&self) -> u64;
}

/// Randomness fit for keys.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// A time-ordered GUID (UUIDv7) of this moment.
#[must_use]
pub fn new_id(clock: &dyn Clock, random: &dyn Random) -> custodia_schema::Guid {
    let mut noise = [0u8; 10];
    random.fill(&mut noise);
    let millis = u64::try_from(clock.now_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &noise).into_uuid()
}
