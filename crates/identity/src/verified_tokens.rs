//! Tokens that were verified before: checking a signature again for each request would cost as much as a whole read.
//!
//! A token is found by the SHA-256 of its signature, the part that nobody can make up; a fast hash says whether the
//! rest is the text that was verified. (Who has the signature has the token, so altering the rest gains nothing, but
//! an altered token is refused all the same. Hashing the whole token with SHA-256 would double the cost of a hit.) A
//! hit takes well under a microsecond and allocates nothing. The cache holds digests, no tokens.
//!
//! Revocations are remembered here too, so that a token taken out of the cache does not come back.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use hashlink::{DefaultHashBuilder, LruCache};
use parking_lot::{Mutex, RwLock};

use crate::principal::{Guid, Principal};
use crate::token::{
    LEEWAY_SECONDS, LIFETIME_SECONDS_MAX, TOKEN_BYTES_MAX, TokenFault, TokenUse, is_over, verify_token,
};
use crate::{KeySet, SecretDigest};

/// Tokens remembered unless told otherwise: about 14 MB.
pub const TOKENS_MAX: usize = 64 * 1024;
/// Revocations remembered. With more, those of until now become one that counts for everybody: nobody's revocation is
/// forgotten, and everybody signs in again.
pub const REVOCATIONS_MAX: usize = 100_000;
/// Of these, those until a moment that lies ahead, as after a restore. With more, they become one for each organisation,
/// whose users then sign in when that moment has come: one for everybody would refuse all others' sign-ins too.
const REVOCATIONS_AHEAD_MAX: usize = REVOCATIONS_MAX / 2;

/// Locks the cache is spread over. A hit moves an entry, so it needs its lock alone.
const SHARDS: usize = 16;

/// The verified tokens of all organisations of this process. Share one.
pub struct VerifiedTokens {
    shards: [Mutex<Shard>; SHARDS],
    /// Hashes the text of tokens; differs from process to process.
    text_hasher: DefaultHashBuilder,
    revocations: RwLock<Revocations>,
    /// How often all were forgotten.
    cleared: AtomicU64,
}

type Digest = [u8; 32];
type Shard = LruCache<Digest, Verified>;

#[derive(Clone, Copy)]
struct Verified {
    principal: Principal,
    text_hash: u64,
}

impl VerifiedTokens {
    /// A cache of at most about `tokens_max` tokens; the least recently used leave first.
    #[must_use]
    pub fn new(tokens_max: usize) -> Self {
        let of_each = tokens_max.div_ceil(SHARDS).max(1);
        Self {
            shards: std::array::from_fn(|_| Mutex::new(LruCache::new(of_each))),
            text_hasher: DefaultHashBuilder::default(),
            revocations: RwLock::new(Revocations::default()),
            cleared: AtomicU64::new(0),
        }
    }

    /// Who bears this token at this organisation now: from the cache, or verified and remembered. `keys` says which ones are
    /// in use now; it is asked again where they were thrown away meanwhile.
    ///
    /// # Errors
    /// Why the token is refused. After [`TokenFault::UnknownKey`] it is worth loading the keys once and asking again:
    /// another node may have rotated them.
    pub fn authenticate<K: Deref<Target = KeySet>>(
        &self,
        token: &str,
        keys: impl Fn() -> K,
        used: &TokenUse<'_>,
        now: i64,
    ) -> Result<Principal, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Malformed);
        }
        let (_, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let digest: Digest = SecretDigest::of(signature).into();
        let text_hash = self.text_hasher.hash_one(token);
        let remembered = self.shard(&digest).lock().get(&digest).copied();
        if let Some(Verified { principal, .. }) = remembered.filter(|verified| verified.text_hash == text_hash) {
            if is_over(&principal, now) {
                return Err(TokenFault::Expired);
            }
            if principal.organization != used.organization {
                return Err(TokenFault::Organization);
            }
            return Ok(principal);
        }
        loop {
            let cleared = self.cleared.load(Ordering::Acquire);
            let principal = verify_token(token, &keys(), used, now)?;
            if let Some(admitted) = self.admit(digest, Verified { principal, text_hash }, cleared) {
                return admitted;
            }
        }
    }

    /// Ends the tokens of one user that were issued before `not_before` (seconds since 1970). To end all tokens given
    /// out until now, pass `now + 1` and store that as the user's `tokens_not_before`.
    pub fn revoke_user(&self, organization: Guid, user: Guid, not_before: i64, now: i64) {
        self.revoke(Scope::User(organization, user), not_before, now);
    }

    /// The same for everybody in an organisation.
    pub fn revoke_organization(&self, organization: Guid, not_before: i64, now: i64) {
        self.revoke(Scope::Organization(organization), not_before, now);
    }

    /// Whether the tokens of whoever bore this one have been ended since it was verified.
    #[must_use]
    pub fn is_revoked(&self, principal: &Principal) -> bool {
        self.revocations.read().covers(principal)
    }

    /// Forgets all tokens, not the revocations: each is verified again when it comes. For when keys were thrown away, and are
    /// in use no more.
    pub fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            shard.lock().clear();
        }
    }

    /// How many tokens are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers a verified token unless it is revoked. The revocations are looked at under the lock of the shard, and
    /// [`Self::revoke`] writes them before it takes that lock: so either the token is refused here, or it is thrown
    /// out there. In the same way nothing is remembered that was verified before all were forgotten: `None`, it was
    /// perhaps by keys that were thrown away.
    fn admit(&self, digest: Digest, verified: Verified, cleared: u64) -> Option<Result<Principal, TokenFault>> {
        let mut shard = self.shard(&digest).lock();
        if self.cleared.load(Ordering::Acquire) != cleared {
            return None;
        }
        if self.revocations.read().covers(&verified.principal) {
            return Some(Err(TokenFault::Revoked));
        }
        shard.insert(digest, verified);
        Some(Ok(verified.principal))
    }

    fn revoke(&self, scope: Scope, not_before: i64, now: i64) {
        self.revocations.write().add(scope, not_before, now);
        for shard in &self.shards {
            let mut shard = shard.lock();
            let revocations = self.revocations.read();
            shard.retain(|_, verified| !revocations.covers(&verified.principal));
        }
    }

    fn shard(&self, digest: &Digest) -> &Mutex<Shard> {
        let [first, ..] = digest;
        let [fallback, ..] = &self.shards;
        self.shards.get(usize::from(*first) % SHARDS).unwrap_or(fallback)
    }
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self::new(TOKENS_MAX)
    }
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedTokens").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    User(Guid, Guid),
    Organization(Guid),
}

/// Since when tokens count. What no living token can be older than is forgotten.
#[derive(Default)]
struct Revocations {
    by_scope: HashMap<Scope, i64>,
    of_all: Option<i64>,
}

impl Revocations {
    fn covers(&self, principal: &Principal) -> bool {
        let user = self.by_scope.get(&Scope::User(principal.organization, principal.user));
        let organization = self.by_scope.get(&Scope::Organization(principal.organization));
        [user, organization, self.of_all.as_ref()]
            .into_iter()
            .flatten()
            .any(|not_before| principal.issued < *not_before)
    }

    fn add(&mut self, scope: Scope, not_before: i64, now: i64) {
        if self.by_scope.len() >= REVOCATIONS_MAX {
            let oldest_living = now.saturating_sub(LIFETIME_SECONDS_MAX + 2 * LEEWAY_SECONDS);
            self.by_scope.retain(|_, not_before| *not_before > oldest_living);
        }
        let since = self.by_scope.entry(scope).or_insert(not_before);
        *since = not_before.max(*since);
        if self.by_scope.len() > REVOCATIONS_MAX {
            self.join(now);
        }
    }

    /// Makes few of many, so that nothing that was revoked counts again.
    fn join(&mut self, now: i64) {
        // What is given out in this second after a revocation says that it is of the next one.
        let is_ahead = |not_before: &i64| *not_before > now.saturating_add(1);
        let latest = self.by_scope.values().copied().filter(|not_before| !is_ahead(not_before)).max();
        self.of_all = self.of_all.max(latest);
        self.by_scope.retain(|_, not_before| is_ahead(not_before));
        if self.by_scope.len() <= REVOCATIONS_AHEAD_MAX {
            return;
        }
        for (scope, not_before) in std::mem::take(&mut self.by_scope) {
            let (Scope::User(organization, _) | Scope::Organization(organization)) = scope;
            let since = self.by_scope.entry(Scope::Organization(organization)).or_insert(not_before);
            *since = not_before.max(*since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{CountingRandom, NOW, Site, keys};
    use crate::{KeySet, SigningKey, issue_token};

    /// A set whose key signed none of the tokens: with it, only what is remembered is accepted.
    fn foreign_keys() -> KeySet {
        KeySet::new(SigningKey::generate().unwrap(), NOW)
    }

    fn token(site: &Site, user: u128, random: &CountingRandom, now: i64) -> String {
        let mut content = site.content();
        content.user = Guid::from_u128(user);
        issue_token(&content, keys(), random, now).unwrap().text
    }

    #[test]
    fn a_verified_token_is_not_verified_again() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::default());
        let token = token(&site, 1, &random, NOW);
        let foreign = foreign_keys();
        assert_eq!(cache.authenticate(&token, || &foreign, &site.used(), NOW), Err(TokenFault::UnknownKey));
        assert!(cache.is_empty(), "a refused token is not remembered");
        let principal = cache.authenticate(&token, keys, &site.used(), NOW).unwrap();
        assert_eq!(cache.authenticate(&token, || &foreign, &site.used(), NOW), Ok(principal));
        assert_eq!(cache.len(), 1);
        let other = format!("{token}x");
        assert!(cache.authenticate(&other, || &foreign, &site.used(), NOW).is_err());
    }

    /// A request has taken the keys when they are thrown away, and verifies its token by them afterwards.
    #[test]
    fn what_was_verified_by_keys_that_were_thrown_away_is_not_remembered() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::default());
        let (token, foreign) = (token(&site, 1, &random, NOW), foreign_keys());
        let taken = std::cell::Cell::new(0);
        let in_use = || {
            taken.set(taken.get() + 1);
            if taken.get() > 1 {
                return &foreign;
            }
            cache.clear();
            keys()
        };
        assert_eq!(cache.authenticate(&token, in_use, &site.used(), NOW), Err(TokenFault::UnknownKey));
        assert!(cache.is_empty());
    }

    #[test]
    fn a_remembered_token_cannot_be_altered() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::default());
        let anna = token(&site, 1, &random, NOW);
        let ben = token(&site, 2, &random, NOW);
        cache.authenticate(&anna, keys, &site.used(), NOW).unwrap();
        let signature = anna.rsplit_once('.').unwrap().1;
        let claims = ben.rsplit_once('.').unwrap().0;
        for altered in [format!("{claims}.{signature}"), format!("{}x.{signature}", &anna[..anna.len() / 2])] {
            assert!(cache.authenticate(&altered, keys, &site.used(), NOW).is_err());
        }
        assert_eq!(cache.authenticate(signature, keys, &site.used(), NOW), Err(TokenFault::Malformed));
        assert_eq!(cache.authenticate(&format!(".{signature}"), keys, &site.used(), NOW), Err(TokenFault::Malformed));
    }

    #[test]
    fn a_remembered_token_still_ends_and_still_opens_one_organisation() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::default());
        let token = token(&site, 1, &random, NOW);
        let principal = cache.authenticate(&token, keys, &site.used(), NOW).unwrap();
        let last = principal.expires + LEEWAY_SECONDS - 1;
        assert_eq!(cache.authenticate(&token, keys, &site.used(), last), Ok(principal));
        assert_eq!(cache.authenticate(&token, keys, &site.used(), last + 1), Err(TokenFault::Expired));
        let other = Site::other();
        assert_eq!(cache.authenticate(&token, keys, &other.used(), NOW), Err(TokenFault::Organization));
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::new(SHARDS * 2));
        let favourite = token(&site, 0, &random, NOW);
        cache.authenticate(&favourite, keys, &site.used(), NOW).unwrap();
        for user in 1..150 {
            let token = token(&site, user, &random, NOW);
            cache.authenticate(&token, keys, &site.used(), NOW).unwrap();
            cache.authenticate(&favourite, || Box::new(KeySet::clone(keys())), &site.used(), NOW).unwrap();
        }
        assert!(cache.len() <= SHARDS * 2, "{}", cache.len());
        let foreign = foreign_keys();
        assert!(cache.authenticate(&favourite, || &foreign, &site.used(), NOW).is_ok(), "the favourite stayed");
    }

    #[test]
    fn a_revoked_user_is_out_at_once_and_stays_out() {
        let (site, random, cache) = (Site::demo(), CountingRandom::default(), VerifiedTokens::default());
        let anna = token(&site, 1, &random, NOW);
        let ben = token(&site, 2, &random, NOW);
        let of_anna = cache.authenticate(&anna, keys, &site.used(), NOW).unwrap();
        let of_ben = cache.authenticate(&ben, keys, &site.used(), NOW).unwrap();
        assert!(!cache.is_revoked(&of_anna));
        cache.revoke_user(site.organization, Guid::from_u128(1), NOW + 1, NOW);
        for _ in 0..2 {
            assert_eq!(cache.authenticate(&anna, keys, &site.used(), NOW), Err(TokenFault::Revoked));
        }
        assert!(cache.is_revoked(&of_anna) && !cache.is_revoked(&of_ben));
        assert!(
            cache.authenticate(&ben, || Box::new(foreign_keys()), &site.used(), NOW).is_ok(),
            "others stay in the cache"
        );
        // Signing in again in the very second of the revocation works: the new token says it was issued after it.
        let mut content = site.content();
        content.user = Guid::from_u128(1);
        content.tokens_not_before = NOW + 1;
        let fresh = issue_token(&content, keys(), &random, NOW).unwrap().text;
        assert!(cache.authenticate(&fresh, keys, &site.used(), NOW).is_ok());
        // An older revocation that arrives late takes nothing back.
        cache.revoke_user(site.organization, Guid::from_u128(1), NOW - 100, NOW);
        assert_eq!(cache.authenticate(&anna, keys, &site.used(), NOW), Err(TokenFault::Revoked));
    }

    #[test]
    fn a_user_is_revoked_in_their_own_organisation_only() {
        let (site, other, random, cache) =
            (Site::demo(), Site::other(), CountingRandom::default(), VerifiedTokens::default());
        let here = token(&site, 1, &random, NOW);
        let there = token(&other, 1, &random, NOW);
        cache.revoke_user(site.organization, Guid::from_u128(1), NOW + 1, NOW);
        assert_eq!(cache.authenticate(&here, keys, &site.used(), NOW), Err(TokenFault::Revoked));
        assert!(cache.authenticate(&there, keys, &other.used(), NOW).is_ok());
        cache.revoke_organization(other.organization, NOW + 1, NOW);
        assert_eq!(cache.authenticate(&there, keys, &other.used(), NOW), Err(TokenFault::Revoked));
    }

    #[test]
    fn too_many_revocations_become_one_for_everybody() {
        let mut revocations = Revocations::default();
        let bystander = Principal {
            organization: Guid::from_u128(1),
            user: Guid::from_u128(u128::MAX),
            application: None,
            method: crate::SignInMethod::Password,
            token_id: Guid::nil(),
            issued: NOW,
            expires: NOW + 60,
        };
        for user in 0..REVOCATIONS_MAX {
            revocations.add(Scope::User(Guid::from_u128(1), Guid::from_u128(user as u128)), NOW + 1, NOW);
        }
        assert!(!revocations.covers(&bystander));
        revocations.add(Scope::Organization(Guid::from_u128(2)), NOW + 1, NOW);
        assert!(revocations.by_scope.is_empty() && revocations.covers(&bystander));
        let signed_in_again = Principal { issued: NOW + 1, ..bystander };
        assert!(!revocations.covers(&signed_in_again));
        // Those that no living token can be older than are forgotten first.
        let mut revocations = Revocations::default();
        for user in 0..REVOCATIONS_MAX {
            revocations.add(Scope::User(Guid::from_u128(1), Guid::from_u128(user as u128)), NOW, NOW);
        }
        revocations.add(Scope::Organization(Guid::from_u128(2)), NOW, NOW + 2 * LIFETIME_SECONDS_MAX);
        assert_eq!((revocations.by_scope.len(), revocations.of_all), (1, None));
    }

    #[test]
    fn what_is_revoked_until_a_moment_ahead_keeps_others_out_of_nothing() {
        let principal = |organization, user, issued| Principal {
            organization: Guid::from_u128(organization),
            user: Guid::from_u128(user),
            application: None,
            method: crate::SignInMethod::Password,
            token_id: Guid::nil(),
            issued,
            expires: NOW + 60,
        };
        let ahead = NOW + 3_600;
        let user = |organization, user| Scope::User(Guid::from_u128(organization), Guid::from_u128(user));
        let mut revocations = Revocations::default();
        revocations.add(Scope::Organization(Guid::from_u128(2)), ahead, NOW);
        revocations.add(user(3, 1), ahead, NOW);
        for one in 0..REVOCATIONS_MAX as u128 {
            revocations.add(user(1, one), NOW + 1, NOW);
        }
        assert!(revocations.covers(&principal(4, 1, NOW)) && !revocations.covers(&principal(4, 1, NOW + 1)));
        assert!(revocations.covers(&principal(2, 1, ahead - 1)) && !revocations.covers(&principal(2, 1, ahead)));
        assert!(revocations.covers(&principal(3, 1, ahead - 1)) && !revocations.covers(&principal(3, 2, NOW + 1)));
        // Too many of these become one for their organisation, and no more.
        for one in 0..=REVOCATIONS_MAX as u128 {
            revocations.add(user(3, one), ahead, NOW);
        }
        assert!(revocations.by_scope.len() < REVOCATIONS_AHEAD_MAX);
        assert!(revocations.covers(&principal(3, u128::MAX, ahead - 1)));
        assert!(revocations.covers(&principal(2, 1, ahead - 1)) && !revocations.covers(&principal(4, 1, NOW + 1)));
    }
}
