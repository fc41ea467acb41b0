//! The clock and the source of randomness, given to the store by whoever runs it.

/// Time. Implemented over the machine's clocks in `server`, by hand in tests.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC; may jump.
    fn now_ms(&self) -> i64;
    /// Milliseconds since some fixed moment; never goes back.
    fn monotonic_ms(&self) -> u64;

    /// The moment that ids are made of: as [`Self::now_ms`], but what says it goes back is not believed where that is known.
    fn id_ms(&self) -> i64 {
        self.now_ms()
    }
}

/// Randomness fit for keys.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// A time-ordered GUID (UUIDv7) of this moment. Those that one process makes stay in order when its clock goes back.
#[must_use]
pub fn new_id(clock: &dyn Clock, random: &dyn Random) -> custodia_schema::Guid {
    let mut noise = [0u8; 10];
    random.fill(&mut noise);
    let millis = u64::try_from(clock.id_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &noise).into_uuid()
}
