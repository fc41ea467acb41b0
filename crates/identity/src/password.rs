//! Passwords: which are allowed, how they are kept, how one is checked.
//!
//! A password is kept as an argon2id hash in the PHC string form, which carries its own parameters. When the
//! parameters here change, the next successful sign-in of each user gives a hash with the new ones.
//!
//! Checking takes tens of milliseconds and 19 MiB by design: a [`PasswordCheck`] is a job to be run on a thread that may
//! block, a bounded number of them at a time.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use crate::random::random_bytes;
use crate::{Error, RandomSource};

/// Memory of one hash in KiB. With [`HASH_PASSES`] and [`HASH_LANES`] the recommendation of the OWASP Password Storage
/// Cheat Sheet for argon2id (19 MiB, 2 passes, 1 lane).
pub const HASH_MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
pub const HASH_PASSES: u32 = 2;
/// Lanes: one, since the server's cores are kept busy by other requests.
pub const HASH_LANES: u32 = 1;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Bytes of a salt (RFC 9106 asks for 16).
pub const SALT_BYTES: usize = 16;

/// A stored hash that asks for more memory than this is refused: it was not made here, and would let a damaged or
/// planted row exhaust the machine.
const STORED_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// The same for passes.
const STORED_PASSES_MAX: u32 = 16;
/// The same for lanes.
const STORED_LANES_MAX: u32 = 16;

/// The shortest password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The longest password, in bytes of UTF-8: longer than any passphrase, short enough to be no burden.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// A password has at least this many different characters.
pub const PASSWORD_DIFFERENT_CHARACTERS_MIN: usize = 5;
/// A part of the user's name this long or longer may not make up the password.
const NAME_PART_CHARACTERS_MIN: usize = 4;

/// Why a new password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`PASSWORD_CHARACTERS_MIN`] characters.
    #[error("it has fewer than {PASSWORD_CHARACTERS_MIN} characters: choose a longer one")]
    TooShort,
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("it has more than {PASSWORD_BYTES_MAX} bytes: choose a shorter one")]
    TooLong,
    /// Fewer than [`PASSWORD_DIFFERENT_CHARACTERS_MIN`] different characters.
    #[error("it has fewer than {PASSWORD_DIFFERENT_CHARACTERS_MIN} different characters: choose a less uniform one")]
    TooUniform,
    /// It is little more than the user's own name.
    #[error("it is little more than the user's name: choose one that does not follow from it")]
    LikeName,
}

/// A password in the clear: wiped from memory when dropped, never shown.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as it was typed. It is brought to Unicode's composed form (NFC), so that keyboards which
    /// compose letters differently give the same password.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        // Room for the longest composed form (three times the bytes), so that no half-filled copy is left behind.
        let mut text = Zeroizing::new(String::with_capacity(typed.len().saturating_mul(3)));
        text.extend(typed.nfc());
        Self(text)
    }

    /// Whether this may become the password of the user who goes by `names` (e-mail, domain name, full name).
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check_policy(&self, names: &[&str]) -> Result<(), PasswordFault> {
        if self.0.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordFault::TooLong);
        }
        if self.0.chars().count() < PASSWORD_CHARACTERS_MIN {
            return Err(PasswordFault::TooShort);
        }
        let mut different = Zeroizing::new([None::<char>; PASSWORD_DIFFERENT_CHARACTERS_MIN]);
        let mut seen = 0;
        for character in self.0.chars() {
            if different.contains(&Some(character)) {
                continue;
            }
            if let Some(slot) = different.get_mut(seen) {
                *slot = Some(character);
            }
            seen += 1;
        }
        if seen < PASSWORD_DIFFERENT_CHARACTERS_MIN {
            return Err(PasswordFault::TooUniform);
        }
        if names.iter().any(|name| self.follows_from(name)) {
            return Err(PasswordFault::LikeName);
        }
        Ok(())
    }

    /// Hashes the password with the parameters of today. Takes tens of milliseconds.
    ///
    /// # Errors
    /// [`Error::Failed`] if the memory for it cannot be had.
    pub fn hash(&self, random: &dyn RandomSource) -> Result<String, Error> {
        self.hash_with_salt(&random_bytes(random))
    }

    fn hash_with_salt(&self, salt: &[u8; SALT_BYTES]) -> Result<String, Error> {
        let hash: PasswordHash = todays_hasher()?
            .hash_password_with_salt(self.0.as_bytes(), salt)
            .map_err(|_| Error::Failed { what: "hash a password" })?;
        Ok(hash.to_string())
    }

    /// Whether what remains of the password without the parts of a name is too little to stand alone.
    fn follows_from(&self, name: &str) -> bool {
        let mut rest = Zeroizing::new(self.0.to_lowercase());
        for part in name.to_lowercase().split(|character: char| !character.is_alphanumeric()) {
            if part.chars().count() >= NAME_PART_CHARACTERS_MIN {
                let shorter = rest.replace(part, "");
                rest.zeroize();
                *rest = shorter;
            }
        }
        rest.chars().filter(|character| character.is_alphanumeric()).count() < PASSWORD_CHARACTERS_MIN / 2
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What checking a password found.
#[derive(Debug, PartialEq, Eq)]
pub enum PasswordAnswer {
    /// It is the right one.
    Right {
        /// A hash to store in place of the old one, if that has other parameters than today's.
        replacement: Option<String>,
    },
    /// It is not, or there is nothing to compare it with.
    Wrong,
}

/// One password to be checked: a job for a thread that may block.
#[derive(Debug)]
pub struct PasswordCheck {
    password: Password,
    stored: Option<StoredHash>,
    salt: Zeroizing<[u8; SALT_BYTES]>,
}

/// A PHC string; its own type so that `Debug` does not show it.
struct StoredHash(String);

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(…)")
    }
}

impl PasswordCheck {
    /// A check against the stored hash. `None` means that there is no such user or no password: the job then takes
    /// as long as a real one, so that time does not tell which names exist.
    #[must_use]
    pub fn new(password: Password, stored: Option<&str>, random: &dyn RandomSource) -> Self {
        Self { password, stored: stored.map(|phc| StoredHash(phc.to_owned())), salt: random_bytes(random) }
    }

    /// Does the work: tens of milliseconds and [`HASH_MEMORY_KIB`] of memory; twice the time when the stored hash
    /// has to be replaced.
    ///
    /// # Errors
    /// [`Error::Stored`] if the stored hash is not one we make; [`Error::Failed`] if memory cannot be had.
    pub fn run(self) -> Result<PasswordAnswer, Error> {
        let Some(stored) = self.stored else {
            let mut unused = Zeroizing::new([0; HASH_BYTES]);
            hash_into(&todays_hasher()?, &self.password, self.salt.as_slice(), unused.as_mut_slice())?;
            // The result is looked at, so that no compiler finds the work superfluous.
            std::hint::black_box(unused.as_slice());
            return Ok(PasswordAnswer::Wrong);
        };
        let stored = StoredPassword::parse(&stored.0)?;
        let mut computed = Zeroizing::new(vec![0; stored.hash.len()]);
        hash_into(&stored.hasher, &self.password, &stored.salt, &mut computed)?;
        if verify_slices_are_equal(&computed, &stored.hash).is_err() {
            return Ok(PasswordAnswer::Wrong);
        }
        let replacement = if stored.is_of_today { None } else { Some(self.password.hash_with_salt(&self.salt)?) };
        Ok(PasswordAnswer::Right { replacement })
    }
}

/// A PHC string taken apart.
struct StoredPassword {
    hasher: Argon2<'static>,
    salt: Vec<u8>,
    hash: Vec<u8>,
    is_of_today: bool,
}

impl StoredPassword {
    fn parse(phc: &str) -> Result<Self, Error> {
        let fault = |why| Error::Stored { what: "password hash", why };
        let parsed = PasswordHash::new(phc).map_err(|_| fault("it is not a PHC string"))?;
        if parsed.algorithm != Algorithm::Argon2id.ident() {
            return Err(fault("its algorithm is not argon2id"));
        }
        let version = match parsed.version.map(Version::try_from) {
            Some(Ok(version)) => version,
            _ => return Err(fault("its version of argon2 is not known")),
        };
        let params = Params::try_from(&parsed).map_err(|_| fault("its parameters are not those of argon2"))?;
        if params.m_cost() > STORED_MEMORY_KIB_MAX
            || params.t_cost() > STORED_PASSES_MAX
            || params.p_cost() > STORED_LANES_MAX
        {
            return Err(fault("its parameters ask for more than this program allows"));
        }
        let salt = parsed.salt.ok_or(fault("it has no salt"))?.as_ref().to_vec();
        let hash = parsed.hash.ok_or(fault("it has no hash"))?.as_bytes().to_vec();
        let is_of_today = version == Version::V0x13
            && params.m_cost() == HASH_MEMORY_KIB
            && params.t_cost() == HASH_PASSES
            && params.p_cost() == HASH_LANES
            && hash.len() == HASH_BYTES
            && salt.len() == SALT_BYTES;
        Ok(Self { hasher: Argon2::new(Algorithm::Argon2id, version, params), salt, hash, is_of_today })
    }
}

fn todays_hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES, Some(HASH_BYTES))
        .map_err(|_| Error::Failed { what: "accept the parameters of the password hash" })?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_into(hasher: &Argon2<'_>, password: &Password, salt: &[u8], hash: &mut [u8]) -> Result<(), Error> {
    hasher.hash_password_into(password.0.as_bytes(), salt, hash).map_err(|_| Error::Failed { what: "hash a password" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::CountingRandom;

    /// From the reference implementation's test program: password "password", salt "somesalt", 64 MiB, 2 passes.
    const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    fn check(password: &str, stored: Option<&str>) -> Result<PasswordAnswer, Error> {
        PasswordCheck::new(Password::new(password), stored, &CountingRandom::default()).run()
    }

    #[test]
    fn the_hash_agrees_with_the_reference_implementation() {
        let Ok(PasswordAnswer::Right { replacement: Some(replacement) }) = check("password", Some(REFERENCE)) else {
            panic!("the known password is right, and its parameters are not ours");
        };
        assert!(replacement.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{replacement}");
        assert_eq!(check("password", Some(&replacement)), Ok(PasswordAnswer::Right { replacement: None }));
        assert_eq!(check("Password", Some(REFERENCE)), Ok(PasswordAnswer::Wrong));
    }

    #[test]
    fn a_hash_that_differs_in_any_parameter_is_replaced() {
        let random = CountingRandom::default();
        let today = (HASH_MEMORY_KIB, HASH_PASSES, HASH_LANES, HASH_BYTES, SALT_BYTES);
        let (memory, passes, lanes, bytes, salt) = today;
        for (parameters, is_replaced) in [
            (today, false),
            ((memory + 8, passes, lanes, bytes, salt), true),
            ((memory, passes + 1, lanes, bytes, salt), true),
            ((memory, passes, lanes + 1, bytes, salt), true),
            ((memory, passes, lanes, bytes - 4, salt), true),
            ((memory, passes, lanes, bytes, salt - 1), true),
        ] {
            let (memory, passes, lanes, bytes, salt) = parameters;
            let params = Params::new(memory, passes, lanes, Some(bytes)).unwrap();
            let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let salt = &random_bytes::<SALT_BYTES>(&random)[..salt];
            let stored: PasswordHash = hasher.hash_password_with_salt(b"correct horse battery", salt).unwrap();
            match check("correct horse battery", Some(&stored.to_string())) {
                Ok(PasswordAnswer::Right { replacement }) => {
                    assert_eq!(replacement.is_some(), is_replaced, "{parameters:?}")
                }
                other => panic!("{parameters:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn only_the_right_password_matches() {
        let stored = Password::new("correct horse battery").hash(&CountingRandom::default()).unwrap();
        assert_eq!(check("correct horse battery", Some(&stored)), Ok(PasswordAnswer::Right { replacement: None }));
        for wrong in ["correct horse batterz", "correct horse battery ", "", "Correct horse battery"] {
            assert_eq!(check(wrong, Some(&stored)), Ok(PasswordAnswer::Wrong), "{wrong:?}");
        }
    }

    #[test]
    fn each_hash_has_its_own_salt() {
        let random = CountingRandom::default();
        let password = Password::new("correct horse battery");
        assert_ne!(password.hash(&random).unwrap(), password.hash(&random).unwrap());
    }

    #[test]
    fn keyboards_that_compose_differently_give_the_same_password() {
        let stored = Password::new("caf\u{e9} au lait, s'il vous pla\u{ee}t").hash(&CountingRandom::default()).unwrap();
        let decomposed = check("cafe\u{301} au lait, s'il vous plai\u{302}t", Some(&stored));
        assert_eq!(decomposed, Ok(PasswordAnswer::Right { replacement: None }));
    }

    #[test]
    fn without_a_stored_hash_no_password_is_right() {
        assert_eq!(check("", None), Ok(PasswordAnswer::Wrong));
        assert_eq!(check("correct horse battery", None), Ok(PasswordAnswer::Wrong));
    }

    #[test]
    fn a_hash_that_was_not_made_here_is_an_error_and_not_a_refusal() {
        for stored in [
            "",
            "plain",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
            "$argon2id$v=18$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=4000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=65536,t=2,p=1",
        ] {
            let answer = check("password", Some(stored));
            assert!(matches!(answer, Err(Error::Stored { what: "password hash", .. })), "{stored}: {answer:?}");
        }
    }

    #[test]
    fn the_policy_names_the_rule_that_is_broken() {
        let names = ["anna.lindqvist@example.com", "EXAMPLE\\alindqvist"];
        for (password, expected) in [
            ("elevenchars", Err(PasswordFault::TooShort)),
            ("twelve chars", Ok(())),
            ("\u{e4}\u{f6}\u{fc}\u{e4}\u{f6}\u{fc}abcdef", Ok(())),
            ("", Err(PasswordFault::TooShort)),
            ("abababababababab", Err(PasswordFault::TooUniform)),
            ("aaaabbbbccccdddd", Err(PasswordFault::TooUniform)),
            ("aaaabbbbccccddde", Ok(())),
            ("anna.lindqvist@example.com", Err(PasswordFault::LikeName)),
            ("Lindqvist2026", Err(PasswordFault::LikeName)),
            ("lindqvist likes red herrings", Ok(())),
        ] {
            assert_eq!(Password::new(password).check_policy(&names), expected, "{password}");
        }
        let longest = "abcdefgh".repeat(32);
        assert_eq!(longest.len(), PASSWORD_BYTES_MAX);
        assert_eq!(Password::new(&longest).check_policy(&names), Ok(()));
        assert_eq!(Password::new(&format!("{longest}x")).check_policy(&names), Err(PasswordFault::TooLong));
    }

    #[test]
    fn nothing_shows_a_password() {
        let check = PasswordCheck::new(Password::new("hunter2hunter2"), Some(REFERENCE), &CountingRandom::default());
        let shown = format!("{check:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("CTFhFd"), "{shown}");
    }
}
