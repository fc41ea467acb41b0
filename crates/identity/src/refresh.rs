//! Refresh tokens: each is used once and gives its successor; who uses an old one ends the whole family.
//!
//! A family is everything that came from one sign-in. Its state is a value here; where it is kept, and that two
//! requests do not change it at once, is the caller's to see to (compare [`RefreshFamily::generation`] when storing).
//!
//! A client that lost the answer, or asked twice at once, may repeat its request for [`REPEAT_SECONDS`] and gets the
//! *same* successor again: the successor is computed from the presented token and a stored nonce, neither of which is
//! enough alone.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::random::{random_bytes, random_guid};
use crate::{Error, Guid, RandomSource, SecretDigest, SignInMethod};

/// How long a family lives after its last use: 14 days.
pub const IDLE_SECONDS_MAX: i64 = 14 * 24 * 3600;
/// How long a family lives after the sign-in, however much it is used: 90 days.
pub const FAMILY_SECONDS_MAX: i64 = 90 * 24 * 3600;
/// How long a used token may be repeated by a client that did not get the answer.
pub const REPEAT_SECONDS: i64 = 30;

const SECRET_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;
const TOKEN_BYTES: usize = 16 + SECRET_BYTES;

/// A refresh token in the clear: the family's id and a secret. Wiped when dropped, never shown by `Debug`.
pub struct RefreshToken {
    family: Guid,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl RefreshToken {
    /// Reads a token as a client sent it; `None` if it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        if URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) != Ok(TOKEN_BYTES) {
            return None;
        }
        let (family, rest) = bytes.split_first_chunk::<16>()?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        *secret = *rest.first_chunk()?;
        Some(Self { family: Guid::from_bytes(*family), secret })
    }

    /// Whose state has to be looked up.
    #[must_use]
    pub fn family(&self) -> Guid {
        self.family
    }

    /// The token as the client gets it.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        for (target, source) in bytes.iter_mut().zip(self.family.as_bytes().iter().chain(self.secret.iter())) {
            *target = *source;
        }
        Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
    }

    fn digest(&self) -> SecretDigest {
        SecretDigest::of_bytes(self.secret.as_slice())
    }

    fn successor(&self, nonce: &[u8; NONCE_BYTES]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_slice());
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        for (target, source) in secret.iter_mut().zip(hmac::sign(&key, nonce).as_ref()) {
            *target = *source;
        }
        Self { family: self.family, secret }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").field("family", &self.family).finish_non_exhaustive()
    }
}

/// Everything that came from one sign-in, as it is stored. It holds no token, only digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshFamily {
    /// The family's id; a part of its tokens, so it is treated as a secret.
    pub id: Guid,
    /// The organisation that was signed in to. Those of older programs do not tell.
    #[serde(default)]
    pub organization: Option<Guid>,
    /// The era of the installation's sessions in which it was begun, see [`crate::TokenEndpoint::era`].
    #[serde(default)]
    pub era: u32,
    /// Whose sign-in it was.
    pub user: Guid,
    /// The application that proved itself at the sign-in, and has to at each refresh.
    pub application: Option<Guid>,
    /// How the sign-in was proved.
    pub method: SignInMethod,
    /// The address the first token was for; the default of later ones.
    pub audience: String,
    /// When the sign-in was, in seconds since 1970.
    pub signed_in: i64,
    /// When the present token was given out, in seconds since 1970.
    pub used: i64,
    /// Grows by one with each use and with the end. Whoever stores a changed family does so only if the stored
    /// one still has the generation before it.
    pub generation: u32,
    /// Whether the family was ended: by reuse of an old token, or by an administrator.
    pub revoked: bool,
    current: SecretDigest,
    previous: Option<Previous>,
}

/// The token that was used last, while it may still be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Previous {
    digest: SecretDigest,
    nonce: [u8; NONCE_BYTES],
}

/// A sign-in that a family begins with.
#[derive(Clone, Debug)]
pub struct FirstSignIn {
    /// See [`RefreshFamily::organization`].
    pub organization: Guid,
    /// See [`RefreshFamily::era`].
    pub era: u32,
    /// See [`RefreshFamily::user`].
    pub user: Guid,
    /// See [`RefreshFamily::application`].
    pub application: Option<Guid>,
    /// See [`RefreshFamily::method`].
    pub method: SignInMethod,
    /// See [`RefreshFamily::audience`].
    pub audience: String,
}

/// What presenting a token to its family means.
#[derive(Debug)]
pub enum Presented {
    /// It is the present token. Store the changed family, then hand out the successor; if the stored family has
    /// meanwhile another generation, load it and present the token again.
    Rotated {
        /// The state to store.
        family: RefreshFamily,
        /// The token to hand out.
        successor: RefreshToken,
    },
    /// It was used moments ago: hand out the same successor as then. Nothing is to be stored.
    Repeated {
        /// The token to hand out.
        successor: RefreshToken,
    },
    /// It is an old token: somebody has a copy. Store the ended family; the user signs in again.
    Reused {
        /// The state to store.
        family: RefreshFamily,
    },
    /// The family had been ended before.
    Revoked,
    /// The family's time is over.
    Expired,
}

impl RefreshFamily {
    /// Begins a family.
    #[must_use]
    pub fn begin(sign_in: FirstSignIn, random: &dyn RandomSource, now: i64) -> (Self, RefreshToken) {
        let token = RefreshToken { family: random_guid(random), secret: random_bytes(random) };
        let family = Self {
            id: token.family,
            organization: Some(sign_in.organization),
            era: sign_in.era,
            user: sign_in.user,
            application: sign_in.application,
            method: sign_in.method,
            audience: sign_in.audience,
            signed_in: now,
            used: now,
            generation: 0,
            revoked: false,
            current: token.digest(),
            previous: None,
        };
        (family, token)
    }

    /// Decides what a presented token means. Pure: the outcome says what has to be stored.
    #[must_use]
    pub fn present(&self, token: &RefreshToken, random: &dyn RandomSource, now: i64) -> Presented {
        if self.revoked {
            return Presented::Revoked;
        }
        if now >= self.expires() {
            return Presented::Expired;
        }
        let digest = token.digest();
        if self.current.is(&digest) {
            let nonce = *random_bytes::<NONCE_BYTES>(random);
            let successor = token.successor(&nonce);
            let family = Self {
                used: now,
                generation: self.generation.saturating_add(1),
                current: successor.digest(),
                previous: Some(Previous { digest, nonce }),
                ..self.clone()
            };
            return Presented::Rotated { family, successor };
        }
        match &self.previous {
            Some(previous) if previous.digest.is(&digest) && now <= self.used.saturating_add(REPEAT_SECONDS) => {
                Presented::Repeated { successor: token.successor(&previous.nonce) }
            }
            _ => Presented::Reused { family: self.end() },
        }
    }

    /// The family, ended: for signing out, a disabled user, a changed password.
    #[must_use]
    pub fn end(&self) -> Self {
        Self { generation: self.generation.saturating_add(1), revoked: true, ..self.clone() }
    }

    /// When the family ends if it is not used again, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> i64 {
        let idle = self.used.saturating_add(IDLE_SECONDS_MAX);
        idle.min(self.signed_in.saturating_add(FAMILY_SECONDS_MAX))
    }

    /// The family as text for the store.
    ///
    /// # Errors
    /// [`Error::Failed`] never in practice: the form has no map with other keys than text.
    pub fn to_stored(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|_| Error::Failed { what: "write a refresh family" })
    }

    /// Reads what [`RefreshFamily::to_stored`] wrote.
    ///
    /// # Errors
    /// [`Error::Stored`] if it is something else.
    pub fn from_stored(text: &str) -> Result<Self, Error> {
        let why = "it does not have the fields of this version";
        serde_json::from_str(text).map_err(|_| Error::Stored { what: "refresh family", why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::CountingRandom;

    const NOW: i64 = 1_700_000_000;

    fn begin(random: &CountingRandom) -> (RefreshFamily, RefreshToken) {
        let sign_in = FirstSignIn {
            organization: Guid::from_u128(1),
            era: 0,
            user: Guid::from_u128(7),
            application: None,
            method: SignInMethod::Password,
            audience: "http://h/demo".to_owned(),
        };
        RefreshFamily::begin(sign_in, random, NOW)
    }

    fn rotate(
        family: &RefreshFamily,
        token: &RefreshToken,
        random: &CountingRandom,
        now: i64,
    ) -> (RefreshFamily, RefreshToken) {
        match family.present(token, random, now) {
            Presented::Rotated { family, successor } => (family, successor),
            other => panic!("expected a rotation, not {other:?}"),
        }
    }

    #[test]
    fn each_token_is_used_once_and_gives_another() {
        let random = CountingRandom::default();
        let (mut family, mut token) = begin(&random);
        let mut seen = vec![token.expose().to_string()];
        for step in 1..=5 {
            (family, token) = rotate(&family, &token, &random, NOW + step * 3600);
            assert_eq!(family.generation, u32::try_from(step).unwrap());
            assert!(!seen.contains(&token.expose()), "a successor is new");
            seen.push(token.expose().to_string());
        }
    }

    #[test]
    fn a_lost_answer_can_be_asked_for_again_for_a_short_while() {
        let random = CountingRandom::default();
        let (family, first) = begin(&random);
        let (family, second) = rotate(&family, &first, &random, NOW + 100);
        for later in [100, 100 + REPEAT_SECONDS] {
            match family.present(&first, &random, NOW + later) {
                Presented::Repeated { successor } => assert_eq!(successor.expose(), second.expose()),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(family.present(&first, &random, NOW + 101 + REPEAT_SECONDS), Presented::Reused { .. }));
    }

    #[test]
    fn an_old_token_ends_the_family_for_everybody() {
        let random = CountingRandom::default();
        let (family, first) = begin(&random);
        let (family, second) = rotate(&family, &first, &random, NOW + 10);
        let (family, third) = rotate(&family, &second, &random, NOW + 11);
        // The first is two uses old: no time of grace, although little time has passed.
        let Presented::Reused { family: ended } = family.present(&first, &random, NOW + 12) else {
            panic!("an old token has to be noticed");
        };
        assert!(ended.revoked && ended.generation == family.generation + 1);
        for token in [&first, &second, &third] {
            assert!(matches!(ended.present(token, &random, NOW + 13), Presented::Revoked));
        }
    }

    #[test]
    fn a_made_up_token_of_a_known_family_ends_it() {
        let random = CountingRandom::default();
        let (family, token) = begin(&random);
        let forged = RefreshToken { family: token.family, secret: Zeroizing::new([0xAA; 32]) };
        assert!(matches!(family.present(&forged, &random, NOW), Presented::Reused { .. }));
    }

    #[test]
    fn a_family_ends_when_idle_and_at_the_latest_after_its_time() {
        let random = CountingRandom::default();
        let (family, token) = begin(&random);
        assert!(matches!(family.present(&token, &random, NOW + IDLE_SECONDS_MAX - 1), Presented::Rotated { .. }));
        assert!(matches!(family.present(&token, &random, NOW + IDLE_SECONDS_MAX), Presented::Expired));
        let (mut family, mut token) = (family, token);
        let mut now = NOW;
        while now + IDLE_SECONDS_MAX / 2 < NOW + FAMILY_SECONDS_MAX {
            now += IDLE_SECONDS_MAX / 2;
            (family, token) = rotate(&family, &token, &random, now);
        }
        assert!(now > NOW + FAMILY_SECONDS_MAX - IDLE_SECONDS_MAX, "it was used to the last");
        assert!(matches!(family.present(&token, &random, NOW + FAMILY_SECONDS_MAX), Presented::Expired));
    }

    #[test]
    fn the_stored_family_is_not_enough_to_make_a_token() {
        let random = CountingRandom::default();
        let (family, first) = begin(&random);
        let (family, second) = rotate(&family, &first, &random, NOW);
        let stored = family.to_stored().unwrap();
        assert_eq!(RefreshFamily::from_stored(&stored).unwrap(), family);
        for token in [&first, &second] {
            let secret = URL_SAFE_NO_PAD.encode(token.secret.as_slice());
            assert!(!stored.contains(&secret) && !stored.contains(token.expose().as_str()));
            assert!(!format!("{token:?}").contains(&secret));
        }
    }

    #[test]
    fn what_is_not_a_token_is_told_at_once() {
        let (_, token) = begin(&CountingRandom::default());
        let text = token.expose();
        assert_eq!(RefreshToken::parse(&text).unwrap().expose(), text);
        assert_eq!(text.len(), 64);
        for wrong in
            ["", "x", &text[1..], &format!("{}A", text.as_str()), &format!("{}=", &text[..63]), &"\u{e9}".repeat(32)]
        {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_damaged_family_is_an_error() {
        for text in ["", "{}", "null", "[1,2,3]"] {
            assert!(matches!(RefreshFamily::from_stored(text), Err(Error::Stored { .. })));
        }
    }
}
