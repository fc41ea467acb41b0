//! The keys that tokens are signed with.
//!
//! Tokens are signed with RS256 (RSA 2048, PKCS #1 v1.5, SHA-256): every client library that looks into a published
//! key set knows it, and checking a signature costs a fraction of what it does with elliptic curves. Making one is
//! dearer, but a token is made once and checked on every node that meets it.
//!
//! One key is active; the ones before it stay until the last token they signed has ended. A set is an immutable
//! value: rotating gives a new one, to be stored (encrypted) and then put in the place of the old.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaParameters,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::Error;
use crate::token::{LEEWAY_SECONDS, LIFETIME_SECONDS_MAX};

/// How long a key signs before it should be replaced: 90 days.
pub const ROTATION_SECONDS: i64 = 90 * 24 * 3600;
/// How many keys a set keeps at most. Rotating more often than that in the life of a token drops the oldest, whose
/// tokens then end early.
pub const KEYS_MAX: usize = 16;

/// The first bytes of a stored set; the last one counts the versions of the form.
const STORED_MAGIC: &[u8; 4] = b"CKS\x01";
/// A stored private key is no longer than this: RSA 8192 in PKCS #8 is about 4.7 KB.
const STORED_KEY_BYTES_MAX: usize = 8 * 1024;
/// What the end of the active key is stored as.
const NEVER: i64 = i64::MAX;

/// How signatures are checked: RS256, with keys of 2048 bits or more.
const VERIFICATION: &RsaParameters = &RSA_PKCS1_2048_8192_SHA256;

/// One RSA key with its name. The private half is never shown.
pub struct SigningKey {
    id: String,
    pair: KeyPair,
    public: ParsedPublicKey,
    modulus: String,
    exponent: String,
}

impl SigningKey {
    /// Makes a key of 2048 bits; takes up to a second. The randomness is the cryptographic library's own, since RSA
    /// keys cannot be made from handed-in bytes: call this where randomness is drawn.
    ///
    /// # Errors
    /// [`Error::Failed`] if the library fails.
    pub fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Failed { what: "make an RSA key" })?;
        Self::from_pair(pair)
    }

    /// Reads a private key in PKCS #8 (DER). Keys under 2048 bits are refused.
    ///
    /// # Errors
    /// [`Error::Stored`] if it is not such a key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        let fault =
            || Error::Stored { what: "signing key", why: "it is not an RSA key of 2048 bits or more in PKCS #8" };
        let pair = KeyPair::from_pkcs8(der).map_err(|_| fault())?;
        Self::from_pair(pair)
    }

    fn from_pair(pair: KeyPair) -> Result<Self, Error> {
        let public = ParsedPublicKey::new(VERIFICATION, pair.public_key().as_ref())
            .map_err(|_| Error::Failed { what: "read the public half of an RSA key" })?;
        let modulus = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
        let exponent = URL_SAFE_NO_PAD.encode(pair.public_key().exponent().big_endian_without_leading_zero());
        Ok(Self { id: thumbprint(&modulus, &exponent), pair, public, modulus, exponent })
    }

    /// The key's name: its RFC 7638 thumbprint, so that the same key has the same name everywhere.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign_digest(&RSA_PKCS1_SHA256, &digest(&SHA256, message), &mut signature)
            .map_err(|_| Error::Failed { what: "sign a token" })?;
        Ok(signature)
    }

    pub(crate) fn is_signature(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    fn published(&self) -> PublishedKey<'_> {
        PublishedKey { kty: "RSA", usage: "sig", alg: "RS256", kid: &self.id, n: &self.modulus, e: &self.exponent }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys at one moment. Cloning shares them.
#[derive(Clone, Debug)]
pub struct KeySet {
    active: Arc<SigningKey>,
    active_since: i64,
    /// The newest first.
    previous: Vec<PreviousKey>,
}

#[derive(Clone, Debug)]
struct PreviousKey {
    key: Arc<SigningKey>,
    active_since: i64,
    /// When the last token it signed has ended.
    ends: i64,
}

impl KeySet {
    /// A set of one key that is active from `now` on.
    #[must_use]
    pub fn new(key: SigningKey, now: i64) -> Self {
        Self { active: Arc::new(key), active_since: now, previous: Vec::new() }
    }

    /// Whether the active key has served its time.
    #[must_use]
    pub fn is_rotation_due(&self, now: i64) -> bool {
        now.saturating_sub(self.active_since) >= ROTATION_SECONDS
    }

    /// The set with `fresh` as the active key. The old one stays until its last token has ended; keys whose time is
    /// over are left out. To distrust all keys at once, make a [`KeySet::new`] instead: every token then ends.
    #[must_use]
    pub fn rotate(&self, fresh: SigningKey, now: i64) -> Self {
        let ends = now.saturating_add(LIFETIME_SECONDS_MAX).saturating_add(LEEWAY_SECONDS);
        let replaced = PreviousKey { key: Arc::clone(&self.active), active_since: self.active_since, ends };
        let previous = std::iter::once(replaced)
            .chain(self.previous.iter().filter(|previous| now < previous.ends).cloned())
            .take(KEYS_MAX - 1)
            .collect();
        Self { active: Arc::new(fresh), active_since: now, previous }
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The key of that name, if tokens signed with it can still be good.
    #[must_use]
    pub fn find(&self, id: &str, now: i64) -> Option<&SigningKey> {
        if self.active.id == id {
            return Some(&self.active);
        }
        self.previous
            .iter()
            .find(|previous| previous.key.id == id && now < previous.ends)
            .map(|previous| &*previous.key)
    }

    /// The public halves as a JSON Web Key Set (RFC 7517), the active key first.
    ///
    /// # Errors
    /// [`Error::Failed`] never in practice: the form has only text.
    pub fn published(&self, now: i64) -> Result<Vec<u8>, Error> {
        let previous = self.previous.iter().filter(|previous| now < previous.ends).map(|previous| &previous.key);
        let keys = std::iter::once(&self.active).chain(previous).map(|key| key.published()).collect();
        serde_json::to_vec(&PublishedKeySet { keys }).map_err(|_| Error::Failed { what: "write the key set" })
    }

    /// The set with its private keys, to be stored encrypted and nowhere else. Wiped when dropped.
    ///
    /// The form: four bytes of magic and version, then for each key, the active one first: `active_since` and `ends`
    /// as 8 bytes each, the length of the private key as 4 bytes, the private key in PKCS #8. Numbers are big-endian.
    ///
    /// # Errors
    /// [`Error::Failed`] if the library cannot write a key.
    pub fn to_stored(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let fault = || Error::Failed { what: "write a signing key" };
        let active = (&self.active, self.active_since, NEVER);
        let previous = self.previous.iter().map(|previous| (&previous.key, previous.active_since, previous.ends));
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEYS_MAX * STORED_KEY_BYTES_MAX));
        bytes.extend_from_slice(STORED_MAGIC);
        for (key, active_since, ends) in std::iter::once(active).chain(previous) {
            let der: Pkcs8V1Der<'_> = key.pair.as_der().map_err(|_| fault())?;
            let length = u32::try_from(der.as_ref().len()).map_err(|_| fault())?;
            bytes.extend_from_slice(&active_since.to_be_bytes());
            bytes.extend_from_slice(&ends.to_be_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(der.as_ref());
        }
        Ok(bytes)
    }

    /// Reads what [`KeySet::to_stored`] wrote.
    ///
    /// # Errors
    /// [`Error::Stored`] if it is something else or damaged.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, Error> {
        let fault = |why| Error::Stored { what: "key set", why };
        let mut rest = bytes.strip_prefix(STORED_MAGIC).ok_or(fault("it is not a key set of a version known here"))?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if keys.len() == KEYS_MAX {
                return Err(fault("it has too many keys"));
            }
            let (key, after) = PreviousKey::read(rest)?;
            keys.push(key);
            rest = after;
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(fault("it has no key"))?;
        if active.ends != NEVER {
            return Err(fault("its first key is not the active one"));
        }
        Ok(Self { active: active.key, active_since: active.active_since, previous: keys.collect() })
    }
}

impl PreviousKey {
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let fault = Error::Stored { what: "key set", why: "it is cut off" };
        let (active_since, bytes) = bytes.split_first_chunk().ok_or(fault.clone())?;
        let (ends, bytes) = bytes.split_first_chunk().ok_or(fault.clone())?;
        let (length, bytes) = bytes.split_first_chunk().ok_or(fault.clone())?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| fault.clone())?;
        if length > STORED_KEY_BYTES_MAX {
            return Err(Error::Stored { what: "key set", why: "one of its keys is too long" });
        }
        let (der, bytes) = bytes.split_at_checked(length).ok_or(fault)?;
        let key = Self {
            key: Arc::new(SigningKey::from_pkcs8(der)?),
            active_since: i64::from_be_bytes(*active_since),
            ends: i64::from_be_bytes(*ends),
        };
        Ok((key, bytes))
    }
}

#[derive(Serialize)]
struct PublishedKeySet<'a> {
    keys: Vec<PublishedKey<'a>>,
}

#[derive(Serialize)]
struct PublishedKey<'a> {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: &'a str,
    n: &'a str,
    e: &'a str,
}

/// RFC 7638: SHA-256 of the required members in alphabetical order.
fn thumbprint(modulus: &str, exponent: &str) -> String {
    let canonical = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests;
