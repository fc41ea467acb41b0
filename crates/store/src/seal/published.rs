//! Heads of audits as they are published: signed with a key of the installation, as lines of JSON outside of every
//! database.
//!
//! What is signed with Ed25519 is: a label, a line feed, the key's id, a line feed, and the facts as JSON without blanks, in
//! the order in which the published line has them. Labels: `custodia audit head 1`, `custodia audit key 1`,
//! `custodia audit gap 1`, `custodia audit restore 1`. A key's id is the first 16 hexadecimal digits of the SHA-256 of its 32 public bytes. A new key is
//! endorsed by the one before it: whoever knows the first knows them all.

use std::collections::HashMap;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use custodia_schema::Guid;
use serde::{Deserialize, Serialize};

use super::{Chain, Place, hash};
use crate::ambient::Random;
use crate::{Error, Result, hex};

/// Length of an Ed25519 seed in bytes.
const SEED_BYTES: usize = 32;
/// Hexadecimal digits of a key's id.
const KEY_ID_DIGITS: usize = 16;

/// Facts that are signed.
pub trait Facts: Serialize {
    /// What kind of facts they are, so that a signature of one is none of another.
    const LABEL: &'static str;
}

/// Where an organisation's audit stood at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadFacts {
    /// The organisation.
    pub organization: Guid,
    /// Its epoch: it grows with every restore.
    pub epoch: i64,
    /// The last audit entry.
    pub number: i64,
    /// The chain up to it, in hexadecimal digits.
    pub chain: String,
    /// When that was said, seconds since 1970.
    pub time: i64,
    /// Whether the program that said so signs restores: then one that nobody signed did not happen since. Left out where
    /// it does not, as programs before that did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restores_signed: bool,
}

impl Facts for HeadFacts {
    const LABEL: &'static str = "custodia audit head 1";
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Its id.
    pub id: String,
    /// Its 32 bytes in hexadecimal digits.
    pub public: String,
    /// When it was made, seconds since 1970.
    pub made: i64,
}

impl Facts for KeyFacts {
    const LABEL: &'static str = "custodia audit key 1";
}

/// Facts with a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<F> {
    /// What is said.
    #[serde(flatten)]
    pub facts: F,
    /// The key that signed.
    pub key: String,
    /// Its signature in hexadecimal digits.
    pub signature: String,
}

fn signed_bytes<F: Facts>(facts: &F, key: &str) -> Result<Vec<u8>> {
    let mut bytes = format!("{}\n{key}\n", F::LABEL).into_bytes();
    serde_json::to_writer(&mut bytes, facts).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(bytes)
}

/// A line of a file of publications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// A key, signed by the one before it; the first one by itself.
    Key(Signed<KeyFacts>),
    /// A head.
    Head(Signed<HeadFacts>),
}

impl Line {
    /// The line as text, without the line feed.
    ///
    /// # Errors
    /// None that is known.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Corrupt(error.to_string()))
    }
}

/// The keys of an installation: the present one to sign with, and all that ever were to be known by.
pub struct KeyRing {
    seed: [u8; SEED_BYTES],
    pair: Ed25519KeyPair,
    keys: Vec<Signed<KeyFacts>>,
}

/// How a ring is kept, sealed by the master key.
#[derive(Serialize, Deserialize)]
struct StoredRing {
    seed: String,
    keys: Vec<Signed<KeyFacts>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        self.seed.fill(0);
        std::hint::black_box(&self.seed);
    }
}

impl KeyRing {
    /// A ring with a first key.
    ///
    /// # Errors
    /// [`Error::Key`] when the algorithm is not available.
    pub fn generate(random: &dyn Random, now: i64) -> Result<Self> {
        let (seed, pair) = draw(random)?;
        let facts = facts_of(&pair, now);
        let id = facts.id.clone();
        let first = sign_with(&pair, &id, facts)?;
        Ok(Self { seed, pair, keys: vec![first] })
    }

    /// The same with a new key, which the present one endorses.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn rotated(&self, random: &dyn Random, now: i64) -> Result<Self> {
        let (seed, pair) = draw(random)?;
        let endorsed = self.sign(facts_of(&pair, now))?;
        let keys = self.keys.iter().cloned().chain([endorsed]).collect();
        Ok(Self { seed, pair, keys })
    }

    /// Reads what [`Self::to_stored`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for anything else.
    pub fn from_stored(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::Corrupt("the keys that audits are signed with cannot be read".to_owned());
        let stored: StoredRing = serde_json::from_slice(bytes).map_err(|_| wrong())?;
        let seed: [u8; SEED_BYTES] =
            hex::decode(&stored.seed).and_then(|seed| seed.try_into().ok()).ok_or_else(wrong)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| wrong())?;
        let present = stored.keys.last().map(|key| key.facts.public.as_str());
        if present != Some(&hex::encode(pair.public_key().as_ref())) {
            return Err(wrong());
        }
        Ok(Self { seed, pair, keys: stored.keys })
    }

    /// The ring with its secret, to be kept sealed.
    ///
    /// # Errors
    /// None that is known.
    pub fn to_stored(&self) -> Result<Vec<u8>> {
        let stored = StoredRing { seed: hex::encode(&self.seed), keys: self.keys.clone() };
        serde_json::to_vec(&stored).map_err(|error| Error::Corrupt(error.to_string()))
    }

    /// All public keys, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[Signed<KeyFacts>] {
        &self.keys
    }

    /// Signs with the present key.
    ///
    /// # Errors
    /// None that is known.
    pub fn sign<F: Facts>(&self, facts: F) -> Result<Signed<F>> {
        let id = self.keys.last().map(|key| key.facts.id.as_str()).unwrap_or_default();
        sign_with(&self.pair, id, facts)
    }

    /// Signs where an organisation's audit stands.
    ///
    /// # Errors
    /// None that is known.
    pub fn sign_head(&self, organization: Guid, epoch: i64, place: Place, now: i64) -> Result<Signed<HeadFacts>> {
        let chain = place.chain.to_string();
        self.sign(HeadFacts { organization, epoch, number: place.number, chain, time: now, restores_signed: true })
    }
}

fn draw(random: &dyn Random) -> Result<([u8; SEED_BYTES], Ed25519KeyPair)> {
    let mut seed = [0; SEED_BYTES];
    random.fill(&mut seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|_| Error::Key("a key to sign audits with cannot be made".to_owned()))?;
    Ok((seed, pair))
}

fn facts_of(pair: &Ed25519KeyPair, made: i64) -> KeyFacts {
    let public = pair.public_key().as_ref();
    KeyFacts { id: id_of(public), public: hex::encode(public), made }
}

fn id_of(public: &[u8]) -> String {
    let mut id = hex::encode(&hash(public));
    id.truncate(KEY_ID_DIGITS);
    id
}

fn sign_with<F: Facts>(pair: &Ed25519KeyPair, id: &str, facts: F) -> Result<Signed<F>> {
    let signature = hex::encode(pair.sign(&signed_bytes(&facts, id)?).as_ref());
    Ok(Signed { facts, key: id.to_owned(), signature })
}

/// Public keys by their ids.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(HashMap<String, Vec<u8>>);

impl PublicKeys {
    /// The keys of a ring.
    #[must_use]
    pub fn of(ring: &KeyRing) -> Self {
        let keys = ring.keys().iter();
        Self(keys.filter_map(|key| Some((key.facts.id.clone(), hex::decode(&key.facts.public)?))).collect())
    }

    /// Takes a key in, if one that is known endorses it. The first one endorses itself.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn take(&mut self, key: &Signed<KeyFacts>) -> std::result::Result<(), &'static str> {
        let public = hex::decode(&key.facts.public).filter(|public| id_of(public) == key.facts.id);
        let public = public.ok_or("the key's id does not belong to the key")?;
        match self.0.get(&key.facts.id) {
            Some(known) if *known == public => return Ok(()),
            Some(_) => return Err("two keys have one id"),
            None => {}
        }
        let trusted = self.0.is_empty();
        let mut keys = self.clone();
        if trusted {
            keys.0.insert(key.facts.id.clone(), public.clone());
        }
        // The first key of a file that begins later was endorsed by one that is not there.
        if !(trusted && key.key != key.facts.id) {
            keys.check(key)?;
        }
        self.0.insert(key.facts.id.clone(), public);
        Ok(())
    }

    /// Whether a known key signed these facts.
    ///
    /// # Errors
    /// Why not.
    pub fn check<F: Facts>(&self, signed: &Signed<F>) -> std::result::Result<(), &'static str> {
        let public = self.0.get(&signed.key).ok_or("the key that signed is not known")?;
        let signature = hex::decode(&signed.signature).ok_or("the signature cannot be read")?;
        let bytes = signed_bytes(&signed.facts, &signed.key).map_err(|_| "what is signed cannot be read")?;
        UnparsedPublicKey::new(&ED25519, public).verify(&bytes, &signature).map_err(|_| "the signature does not fit")
    }

    /// Whether no key is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key is known.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }
}

/// What a file of publications holds of one organisation.
#[derive(Debug, Default)]
pub struct Publications {
    /// The keys.
    pub keys: PublicKeys,
    /// The heads, in the order of the file.
    pub heads: Vec<HeadFacts>,
    /// Lines, from 1, that are not one: a node that was stopped by force may leave a part of a line.
    pub broken_lines: Vec<usize>,
}

impl Publications {
    /// Takes the next line of the file, which has that number.
    ///
    /// # Errors
    /// Why it is refused: it is signed, but not as it should be.
    pub fn take(&mut self, number: usize, line: &str, organization: Guid) -> std::result::Result<(), &'static str> {
        if line.trim().is_empty() {
            return Ok(());
        }
        match serde_json::from_str(line) {
            Ok(Line::Key(key)) => self.keys.take(&key)?,
            Ok(Line::Head(head)) if head.facts.organization == organization => {
                self.keys.check(&head)?;
                self.heads.push(head.facts);
            }
            Ok(Line::Head(_)) => {}
            Err(_) => self.broken_lines.push(number),
        }
        Ok(())
    }
}

impl HeadFacts {
    /// The chain.
    #[must_use]
    pub fn chain(&self) -> Option<Chain> {
        self.chain.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::site::Dice;

    fn lines(ring: &KeyRing, heads: &[Signed<HeadFacts>]) -> String {
        let keys = ring.keys().iter().cloned().map(Line::Key);
        let all = keys.chain(heads.iter().cloned().map(Line::Head));
        all.map(|line| line.text().unwrap() + "\n").collect()
    }

    const ORGANIZATION: Guid = Guid::from_u128(1);

    fn read(text: &str) -> std::result::Result<Publications, (usize, &'static str)> {
        let mut found = Publications::default();
        for (number, line) in (1..).zip(text.lines()) {
            found.take(number, line, ORGANIZATION).map_err(|why| (number, why))?;
        }
        Ok(found)
    }

    #[test]
    fn heads_of_old_and_new_keys_are_read_and_a_ring_comes_back() {
        let dice = Dice::new(1);
        let ring = KeyRing::generate(&dice, 7).unwrap();
        let place = |number| Place { number, chain: Chain::BEGINNING };
        let first = ring.sign_head(ORGANIZATION, 1, place(5), 8).unwrap();
        let other = ring.sign_head(Guid::from_u128(2), 1, place(7), 8).unwrap();
        let rotated = ring.rotated(&dice, 9).unwrap();
        let rotated = KeyRing::from_stored(&rotated.to_stored().unwrap()).unwrap();
        let second = rotated.sign_head(ORGANIZATION, 1, place(6), 10).unwrap();
        let text = lines(&rotated, &[second, first, other]) + "{\"kind\":\"he";
        let found = read(&text).unwrap();
        assert_eq!(found.heads.iter().map(|head| head.number).collect::<Vec<_>>(), [6, 5]);
        assert_eq!(found.broken_lines, [6]);
        assert!(!format!("{rotated:?}").contains("seed"));
        // The keys' own order matters: the second is known by the first.
        let mut backwards = PublicKeys::default();
        backwards.take(&rotated.keys()[1]).unwrap();
        assert!(backwards.take(&rotated.keys()[0]).is_err());
    }

    #[test]
    fn what_is_not_signed_by_a_known_key_is_refused() {
        let dice = Dice::new(2);
        let (ring, other) = (KeyRing::generate(&dice, 7).unwrap(), KeyRing::generate(&dice, 7).unwrap());
        let head = ring.sign_head(ORGANIZATION, 1, Place { number: 5, chain: Chain::BEGINNING }, 8).unwrap();
        let changed = |change: &dyn Fn(&mut Signed<HeadFacts>)| {
            let mut changed = head.clone();
            change(&mut changed);
            read(&lines(&ring, &[head.clone(), changed])).map(drop)
        };
        assert_eq!(changed(&|_| {}), Ok(()));
        for change in [
            &(|head: &mut Signed<HeadFacts>| head.facts.number = 6) as &dyn Fn(&mut Signed<HeadFacts>),
            &|head| head.facts.epoch = 2,
            &|head| head.facts.time += 1,
            &|head| head.facts.chain = "00".repeat(31) + "01",
            &|head| head.signature = "00".repeat(64),
            &|head| head.key = "0123456789abcdef".into(),
            &|head| head.signature = "x".into(),
        ] {
            assert_eq!(changed(change).unwrap_err().0, 3);
        }
        let foreign = lines(&ring, &[]) + &lines(&other, &[]);
        assert_eq!(read(&foreign).unwrap_err(), (2, "the key that signed is not known"));
        assert!(KeyRing::from_stored(b"{}").is_err());
    }
}
