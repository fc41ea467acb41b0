//! Where randomness comes from: it is handed in, so that a test can choose it.

use zeroize::Zeroizing;

/// Randomness fit for keys and secrets. A closure that fills a buffer is one.
pub trait RandomSource: Send + Sync {
    /// Fills the whole buffer with bytes nobody can foretell.
    fn fill(&self, buffer: &mut [u8]);
}

impl<F: Fn(&mut [u8]) + Send + Sync> RandomSource for F {
    fn fill(&self, buffer: &mut [u8]) {
        self(buffer);
    }
}

/// `N` fresh bytes, wiped when dropped.
pub(crate) fn random_bytes<const N: usize>(random: &dyn RandomSource) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    random.fill(bytes.as_mut_slice());
    bytes
}

/// A fresh random GUID. Not ordered by time: it names a token or a family, never a record.
pub(crate) fn random_guid(random: &dyn RandomSource) -> uuid::Uuid {
    uuid::Builder::from_random_bytes(*random_bytes(random)).into_uuid()
}
