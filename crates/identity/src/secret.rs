//! Secrets made here: of applications, of one-time links, temporary passwords.
//!
//! Such a secret is random enough that nobody guesses it, so a plain SHA-256 of it is what is stored: a slow hash
//! protects what people choose, not 256 random bits.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::random::random_bytes;
use crate::{Error, RandomSource};

/// Random bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// Crockford's base 32 in lower case: no letter that is taken for a digit or another letter when read aloud or typed.
const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a readable secret: 20 of 5 bits, 100 bits in all.
const READABLE_CHARACTERS: usize = 20;
/// Characters between two hyphens of a readable secret.
const READABLE_GROUP: usize = 5;

/// A secret in the clear, shown once to whom it belongs: wiped from memory when dropped, never shown by `Debug`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret for machines: 43 characters that need no encoding in a URL, a form or a header.
    #[must_use]
    pub fn generate(random: &dyn RandomSource) -> Self {
        let bytes = random_bytes::<SECRET_BYTES>(random);
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    /// A secret that people can read and type, such as a first password: `7k2mq-9hd3w-x0t5c-vb8ja`. It passes the
    /// password policy.
    #[must_use]
    pub fn generate_readable(random: &dyn RandomSource) -> Self {
        let bytes = random_bytes::<READABLE_CHARACTERS>(random);
        let mut text = Zeroizing::new(String::with_capacity(READABLE_CHARACTERS * 2));
        for (position, byte) in bytes.iter().enumerate() {
            if position > 0 && position % READABLE_GROUP == 0 {
                text.push('-');
            }
            // 256 is a multiple of 32, so each character is equally likely.
            let letter = READABLE.get(usize::from(byte % 32)).copied().unwrap_or(b'0');
            text.push(char::from(letter));
        }
        Self(text)
    }

    /// The secret itself, to be handed out once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret. Only good for secrets made here; a password that a person chose needs
/// [`crate::Password::hash`].
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of a secret's text.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self::of_bytes(secret.as_bytes())
    }

    pub(crate) fn of_bytes(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (target, source) in bytes.iter_mut().zip(digest(&SHA256, secret).as_ref()) {
            *target = *source;
        }
        Self(bytes)
    }

    /// Whether this is the digest of that secret; takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, secret: &str) -> bool {
        self.is(&Self::of(secret))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl From<[u8; 32]> for SecretDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<SecretDigest> for [u8; 32] {
    fn from(digest: SecretDigest) -> Self {
        digest.0
    }
}

impl From<SecretDigest> for String {
    fn from(digest: SecretDigest) -> Self {
        URL_SAFE_NO_PAD.encode(digest.0)
    }
}

impl TryFrom<String> for SecretDigest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(Error::Stored { what: "digest of a secret", why: "it is not 32 bytes in base64url" }),
        }
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// A secret as it is kept: of an application (which may have several, so that one can be replaced without a pause) or
/// of a one-time link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// What the presented secret is compared with.
    pub digest: SecretDigest,
    /// When it ends, in seconds since 1970; `None` is never.
    pub expires: Option<i64>,
}

/// What comparing a presented secret found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretAnswer {
    /// It is the right one.
    Right,
    /// It is the right one, but its time is over.
    Expired,
    /// It is another.
    Wrong,
}

impl StoredSecret {
    /// Compares a presented secret with this one.
    #[must_use]
    pub fn check(&self, presented: &str, now: i64) -> SecretAnswer {
        if !self.digest.matches(presented) {
            SecretAnswer::Wrong
        } else if self.expires.is_some_and(|expires| now >= expires) {
            SecretAnswer::Expired
        } else {
            SecretAnswer::Right
        }
    }

    /// Compares a presented secret with several; the best answer counts.
    #[must_use]
    pub fn check_any(stored: &[Self], presented: &str, now: i64) -> SecretAnswer {
        let mut best = SecretAnswer::Wrong;
        for secret in stored {
            match secret.check(presented, now) {
                SecretAnswer::Right => return SecretAnswer::Right,
                SecretAnswer::Expired => best = SecretAnswer::Expired,
                SecretAnswer::Wrong => {}
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Password;
    use crate::tests::CountingRandom;

    #[test]
    fn the_digest_is_sha256() {
        // FIPS 180-4's example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let bytes: [u8; 32] = SecretDigest::of("abc").into();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn only_the_secret_itself_matches() {
        let random = CountingRandom::default();
        let secret = Secret::generate(&random);
        let other = Secret::generate(&random);
        assert_eq!(secret.expose().len(), 43);
        assert!(secret.digest().matches(secret.expose()));
        assert!(!secret.digest().matches(other.expose()));
        assert!(!secret.digest().matches(""));
        assert!(!secret.digest().matches(&format!("{}=", secret.expose())));
    }

    #[test]
    fn a_stored_secret_ends_when_it_says() {
        let secret = Secret::generate(&CountingRandom::default());
        let ending = StoredSecret { digest: secret.digest(), expires: Some(100) };
        assert_eq!(ending.check(secret.expose(), 99), SecretAnswer::Right);
        assert_eq!(ending.check(secret.expose(), 100), SecretAnswer::Expired);
        assert_eq!(ending.check("other", 100), SecretAnswer::Wrong, "expiry is told only to who has the secret");
        let lasting = StoredSecret { digest: secret.digest(), expires: None };
        assert_eq!(lasting.check(secret.expose(), i64::MAX), SecretAnswer::Right);
        assert_eq!(StoredSecret::check_any(&[ending, lasting], secret.expose(), 100), SecretAnswer::Right);
        assert_eq!(StoredSecret::check_any(&[ending], secret.expose(), 100), SecretAnswer::Expired);
        assert_eq!(StoredSecret::check_any(&[], secret.expose(), 0), SecretAnswer::Wrong);
    }

    #[test]
    fn a_readable_secret_reads_well_and_passes_the_policy() {
        let random = CountingRandom::default();
        for _ in 0..50 {
            let secret = Secret::generate_readable(&random);
            let groups: Vec<&str> = secret.expose().split('-').collect();
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [5, 5, 5, 5]);
            assert!(!secret.expose().contains(['i', 'l', 'o', 'u']), "{}", secret.expose());
            assert_eq!(Password::new(secret.expose()).check_policy(&["anna@example.com"]), Ok(()));
        }
    }

    #[test]
    fn a_stored_secret_survives_storing_and_a_damaged_one_is_an_error() {
        let stored = StoredSecret { digest: SecretDigest::of("x"), expires: Some(7) };
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<StoredSecret>(&text).unwrap(), stored);
        let shorter: String = String::from(stored.digest).chars().skip(4).collect();
        assert!(SecretDigest::try_from(shorter).is_err());
        assert!(SecretDigest::try_from(format!("{}AAAA", String::from(stored.digest))).is_err());
    }

    #[test]
    fn nothing_shows_a_secret() {
        let secret = Secret::generate(&CountingRandom::default());
        let shown = format!("{secret:?} {:?}", secret.digest());
        assert!(!shown.contains(secret.expose()) && !shown.contains(&String::from(secret.digest())));
    }
}
