//! What the tests of this crate share.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};

use crate::address::{Address, Addresses, ProtocolVersion};
use crate::principal::{Guid, SignInMethod};
use crate::token::{LIFETIME_SECONDS, TokenContent, TokenUse};
use crate::{KeySet, RandomSource, SigningKey};

/// The time of most tests.
pub(crate) const NOW: i64 = 1_700_000_000;

/// Bytes that differ each time and are the same in each run.
#[derive(Default)]
pub(crate) struct CountingRandom(AtomicU64);

impl RandomSource for CountingRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let block = digest(&SHA256, &count.to_be_bytes());
            for (target, source) in chunk.iter_mut().zip(block.as_ref()) {
                *target = *source;
            }
        }
    }
}

/// One key set for all tests: making a key takes long.
pub(crate) fn keys() -> &'static KeySet {
    static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::new(SigningKey::generate().unwrap(), NOW));
    &KEYS
}

/// An organisation and its addresses.
pub(crate) struct Site {
    pub(crate) organization: Guid,
    pub(crate) root: Address,
    pub(crate) addresses: Addresses,
}

impl Site {
    /// `demo`, reached below two bases and at a host of its own.
    pub(crate) fn demo() -> Self {
        Self::new("demo", 0xD)
    }

    /// `other`, in the same service.
    pub(crate) fn other() -> Self {
        Self::new("other", 0xE)
    }

    fn new(name: &str, organization: u128) -> Self {
        let bases = ["http://127.0.0.1:8080", "https://crm.example"].map(|base| Address::parse(base).unwrap());
        let own = Address::parse(&format!("https://{name}.crm.example")).unwrap();
        Self {
            organization: Guid::from_u128(organization),
            root: Address::parse(&format!("http://127.0.0.1:8080/{name}")).unwrap(),
            addresses: Addresses::new(&[name], &bases, &[own]).unwrap(),
        }
    }

    pub(crate) fn used(&self) -> TokenUse<'_> {
        TokenUse { organization: self.organization, addresses: &self.addresses }
    }

    pub(crate) fn content(&self) -> TokenContent<'_> {
        TokenContent {
            organization: self.organization,
            root: &self.root,
            version: ProtocolVersion::V2,
            audience: &self.root,
            user: Guid::from_u128(0xA),
            user_name: "anna@example.com",
            application: None,
            method: SignInMethod::Password,
            lifetime_seconds: LIFETIME_SECONDS,
            tokens_not_before: 0,
        }
    }
}
