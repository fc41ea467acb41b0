//! Keys: one master key per installation wraps one data key per organisation.
//!
//! The master key is 32 bytes, kept in a file of the data folder (mode 0600) or given by the configuration. Losing it
//! loses every encrypted database and backup; there is no second way in.

use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use custodia_schema::Guid;
use custodia_sqlite::Key;

use crate::ambient::Random;
use crate::{Error, Result};

/// Length of every key here, in bytes.
pub const KEY_BYTES: usize = 32;

/// The key that wraps all others. Never printed.
pub struct MasterKey([u8; KEY_BYTES]);

/// A text that is no key.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits")]
pub struct MalformedKey;

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl MasterKey {
    /// The file of a data folder that holds the key unless the configuration names another place.
    #[must_use]
    pub fn file_in(folder: &Path) -> PathBuf {
        folder.join("master.key")
    }

    /// A new key.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; KEY_BYTES];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// From its 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else; the text is not repeated.
    pub fn parse(text: &str) -> std::result::Result<Self, MalformedKey> {
        let text = text.trim();
        if text.len() != KEY_BYTES * 2 || !text.is_ascii() {
            return Err(MalformedKey);
        }
        let mut bytes = [0; KEY_BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(at * 2..at * 2 + 2).ok_or(MalformedKey)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| MalformedKey)?;
        }
        Ok(Self(bytes))
    }

    /// As 64 hexadecimal digits: for the export that setup asks for.
    #[must_use]
    pub fn export(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads the key of a data folder.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a key.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |source| Error::File { path: path.display().to_string(), source };
        let text = std::fs::read_to_string(path).map_err(wrong)?;
        Self::parse(&text).map_err(|malformed| wrong(std::io::Error::new(std::io::ErrorKind::InvalidData, malformed)))
    }

    /// A key for one purpose, derived: the control database, page tokens.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        derive(&self.0, purpose)
    }

    /// Encrypts bytes for the control database, bound to what they belong to.
    ///
    /// # Errors
    /// [`Error::Key`] when the cipher refuses, which it does not for sane lengths.
    pub fn seal(&self, bytes: &[u8], owner: Guid, random: &dyn Random) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = bytes.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner.as_bytes()), &mut sealed)
            .map_err(|_| Error::Key("a key could not be wrapped".to_owned()))?;
        let mut output = nonce.to_vec();
        output.append(&mut sealed);
        Ok(output)
    }

    /// The bytes of [`Self::seal`].
    ///
    /// # Errors
    /// [`Error::Key`] when this is not the master key that sealed them, or they belong to something else.
    pub fn unseal(&self, sealed: &[u8], owner: Guid) -> Result<Vec<u8>> {
        let wrong = || {
            Error::Key(
                "the master key does not fit: it is not the one this data was made with (see docs/operations/keys.md)"
                    .to_owned(),
            )
        };
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut bytes = rest.to_vec();
        let length =
            self.cipher()?.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut bytes).map_err(|_| wrong())?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    fn cipher(&self) -> Result<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.derive("wrap"))
            .map(LessSafeKey::new)
            .map_err(|_| Error::Key("the cipher is not available".to_owned()))
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping the fill of memory that nobody reads again.
        std::hint::black_box(&self.0);
    }
}

/// A key for one purpose, derived from another key.
pub(crate) fn derive(key: &[u8; KEY_BYTES], purpose: &str) -> [u8; KEY_BYTES] {
    let salt = Salt::new(HKDF_SHA256, b"custodia");
    let mut bytes = [0; KEY_BYTES];
    let info = [purpose.as_bytes()];
    // Neither call can fail for an output of 32 bytes; a zero key would not open anything.
    if let Ok(okm) = salt.extract(key).expand(&info, Length(KEY_BYTES)) {
        let _ = okm.fill(&mut bytes);
    }
    bytes
}

/// A data key's bytes out of what was unsealed, which is wiped.
pub(crate) fn key_bytes(mut unsealed: Vec<u8>) -> Result<[u8; KEY_BYTES]> {
    let bytes =
        unsealed.as_slice().try_into().map_err(|_| Error::Corrupt("a data key has the wrong length".to_owned()));
    unsealed.fill(0);
    bytes
}

/// A data key to open files with.
pub(crate) fn data_key(bytes: &[u8; KEY_BYTES]) -> Key {
    Key::take(&mut bytes.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for byte in buffer {
                *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn a_key_comes_back_only_with_its_master_key_and_its_owner() {
        let random = Counting(0.into());
        let master = MasterKey::generate(&random);
        let sealed = master.seal(b"data key", Guid::from_u128(1), &random).unwrap();
        assert_eq!(master.unseal(&sealed, Guid::from_u128(1)).unwrap(), b"data key");
        assert!(matches!(master.unseal(&sealed, Guid::from_u128(2)), Err(Error::Key(_))));
        assert!(matches!(MasterKey::generate(&random).unseal(&sealed, Guid::from_u128(1)), Err(Error::Key(_))));
        assert!(matches!(master.unseal(&sealed[..5], Guid::from_u128(1)), Err(Error::Key(_))));
    }

    #[test]
    fn an_exported_key_reads_back_and_a_wrong_text_is_not_repeated() {
        let master = MasterKey::generate(&Counting(9.into()));
        assert_eq!(MasterKey::parse(&master.export()).unwrap().0, master.0);
        let error = MasterKey::parse("secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(format!("{master:?}"), "MasterKey(…)");
    }
}
