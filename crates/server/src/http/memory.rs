//! Memory that requests hold: all of them together have so much, of which one organisation and one user have a part.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use custodia_schema::Guid;
use parking_lot::Mutex;

use crate::protection::User;

/// So much memory, and what is taken of it.
#[derive(Clone)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
    bounds: Bounds,
}

/// Bytes that may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub all: usize,
    pub organization: usize,
    pub user: usize,
}

/// Bytes that are held; only who holds some is kept.
#[derive(Default)]
struct Held {
    all: usize,
    organizations: HashMap<Guid, usize>,
    users: HashMap<User, usize>,
}

/// Memory that is taken for a user, until it is dropped.
pub struct Taken {
    memory: Memory,
    user: User,
    bytes: usize,
}

impl Memory {
    /// Nothing is taken yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { held: Arc::default(), bounds }
    }

    /// What one user may hold.
    pub fn of_user(&self) -> usize {
        self.bounds.user
    }

    /// What may be held.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A place for what a user takes.
    pub fn begin(&self, user: User) -> Taken {
        Taken { memory: self.clone(), user, bytes: 0 }
    }
}

impl Bounds {
    /// A quarter for an organisation and an eighth for a user, unless they were given (0: they were not); but never less than
    /// `longest`, which could not be had at all else, nor more than there is.
    pub fn of(all: usize, organization: usize, user: usize, longest: usize) -> Self {
        let part = |given: usize, usual: usize| if given == 0 { usual.max(longest) } else { given };
        let organization = part(organization, all / 4).min(all);
        Self { all, organization, user: part(user, all / 8).min(organization) }
    }

    /// Half as much again, each.
    pub fn half_more(self) -> Self {
        let more = |bytes: usize| bytes.saturating_add(bytes / 2);
        Self { all: more(self.all), organization: more(self.organization), user: more(self.user) }
    }
}

impl Held {
    /// Takes so much for a user; else who would hold too much.
    fn take(&mut self, user: User, bytes: usize, bounds: Bounds) -> Result<(), &'static str> {
        self.has_room(user, bytes, bounds)?;
        self.add(user, bytes);
        Ok(())
    }

    fn has_room(&self, user: User, bytes: usize, bounds: Bounds) -> Result<(), &'static str> {
        let held = |count: Option<&usize>| count.copied().unwrap_or(0).saturating_add(bytes);
        if held(self.users.get(&user)) > bounds.user {
            return Err("Requests of this user");
        }
        if held(self.organizations.get(&user.organization)) > bounds.organization {
            return Err("Requests of this organisation");
        }
        if held(Some(&self.all)) > bounds.all {
            return Err("Requests");
        }
        Ok(())
    }

    fn add(&mut self, user: User, bytes: usize) {
        self.all += bytes;
        *self.organizations.entry(user.organization).or_default() += bytes;
        *self.users.entry(user).or_default() += bytes;
    }

    fn give_back(&mut self, user: User, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
        less(&mut self.organizations, user.organization, bytes);
        less(&mut self.users, user, bytes);
    }
}

fn less<K: Eq + Hash + Copy>(counts: &mut HashMap<K, usize>, of: K, bytes: usize) {
    let Some(count) = counts.get_mut(&of) else { return };
    *count = count.saturating_sub(bytes);
    if *count == 0 {
        counts.remove(&of);
    }
}

impl Taken {
    /// Sees to it that so much is taken altogether.
    ///
    /// # Errors
    /// Why there is not so much, to be told; nothing more is taken then.
    pub fn up_to(&mut self, bytes: usize) -> Result<(), String> {
        self.up_to_within(bytes, self.memory.bounds)
    }

    /// The same within other bounds.
    ///
    /// # Errors
    /// The same.
    pub fn up_to_within(&mut self, bytes: usize, bounds: Bounds) -> Result<(), String> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        self.memory.held.lock().take(self.user, more, bounds).map_err(full)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Whether there is anything more within these bounds, however little.
    ///
    /// # Errors
    /// Why there is not, to be told.
    pub fn has_room_within(&self, bounds: Bounds) -> Result<(), String> {
        self.memory.held.lock().has_room(self.user, 1, bounds).map_err(full)
    }

    /// The same for what is there already, whether there is so much or not.
    pub fn count(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.memory.held.lock().add(self.user, more);
            self.bytes = bytes;
        }
    }
}

fn full(who: &str) -> String {
    format!("{who} hold as much memory as there is for them. Try again shortly.")
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.held.lock().give_back(self.user, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNE: User = User { organization: Guid::from_u128(1), user: Guid::from_u128(2) };
    const BEN: User = User { user: Guid::from_u128(3), ..ANNE };
    const CY: User = User { user: Guid::from_u128(4), ..ANNE };
    const ELSEWHERE: User = User { organization: Guid::from_u128(9), ..ANNE };

    #[test]
    fn each_has_a_part_and_what_was_refused_holds_nothing() {
        let bounds = Bounds { all: 400, organization: 100, user: 60 };
        let mut held = Held::default();
        assert_eq!(held.take(ANNE, 60, bounds), Ok(()));
        assert_eq!(held.take(ANNE, 1, bounds), Err("Requests of this user"));
        assert_eq!(held.take(BEN, 40, bounds), Ok(()));
        assert_eq!(held.take(CY, 1, bounds), Err("Requests of this organisation"));
        assert_eq!(held.take(ELSEWHERE, 60, bounds), Ok(()));
        assert_eq!(held.take(ELSEWHERE, 60, Bounds { all: 170, organization: 200, user: 200 }), Err("Requests"));
        for (user, bytes) in [(ANNE, 60), (BEN, 40), (ELSEWHERE, 60)] {
            held.give_back(user, bytes);
        }
        assert_eq!((held.all, held.organizations.len(), held.users.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_there_already_counts_beyond_the_bounds() {
        let memory = Memory::new(Bounds { all: 100, organization: 100, user: 100 });
        let (mut done, mut asked) = (memory.begin(ANNE), memory.begin(ANNE));
        assert_eq!(asked.up_to(60), Ok(()));
        done.count(80);
        done.count(70);
        assert_eq!(memory.held.lock().all, 140);
        assert!(asked.up_to(61).unwrap_err().starts_with("Requests of this user hold"));
        drop(done);
        assert_eq!(asked.up_to(100), Ok(()));
        drop(asked);
        assert_eq!(memory.held.lock().all, 0);
    }
}
