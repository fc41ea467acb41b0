//! What answers hold until they are sent: a client that takes its answers slowly, or many of them, fills no more memory than there
//! is for it.

use bytes::Bytes;
use http::{Method, Response};
use parking_lot::Mutex;

use super::memory::{Bounds, Memory, Taken};
use super::respond;
use crate::config::Limits;
use crate::protection::User;

/// Bytes of an answer that is sent whatever others hold.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// How much longer than the longest page an answer is at most: links to what does not fit take as much again, and the last
/// record may be a long one.
const PAGES: usize = 3;

/// The memory for answers.
pub struct Answers {
    memory: Memory,
}

/// An answer that is put together.
pub struct Answering {
    at_work: Mutex<AtWork>,
}

struct AtWork {
    taken: Taken,
    bytes: usize,
}

/// The bytes of an answer; its memory counts as taken until the last of them is sent.
struct Sent {
    bytes: Bytes,
    _taken: Taken,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answers {
    /// Nothing is taken yet. `page_bytes` is the length from which pages end.
    pub fn new(limits: &Limits, page_bytes: usize) -> Self {
        let longest = page_bytes.saturating_mul(PAGES);
        let Limits { answers_bytes, organization_answers_bytes, user_answers_bytes, .. } = *limits;
        let bounds = Bounds::of(answers_bytes, organization_answers_bytes, user_answers_bytes, longest);
        Self { memory: Memory::new(bounds) }
    }

    /// The answer to a request of a user.
    pub fn begin(&self, user: User) -> Answering {
        Answering { at_work: Mutex::new(AtWork { taken: self.memory.begin(user), bytes: 0 }) }
    }
}

impl Answering {
    /// An answer as it is sent. What was only read is refused where there is no memory for it; what was done is told.
    pub fn send(self, method: &Method, response: Response<Bytes>) -> Response<Bytes> {
        let bytes = response.body().len();
        if bytes <= SMALL_BYTES_MAX {
            return response;
        }
        let mut taken = self.at_work.into_inner().taken;
        if let Err(why) = taken.up_to(bytes) {
            if matches!(*method, Method::GET | Method::HEAD) {
                return respond::busy(&why);
            }
            taken.count(bytes);
        }
        response.map(|bytes| Bytes::from_owner(Sent { bytes, _taken: taken }))
    }
}

impl custodia_web_api::AnswerMemory for Answering {
    fn take(&self, bytes: usize) -> bool {
        let mut at_work = self.at_work.lock();
        let all = at_work.bytes.saturating_add(bytes);
        let has_room = all <= SMALL_BYTES_MAX || at_work.taken.up_to(all).is_ok();
        if has_room {
            at_work.bytes = all;
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use custodia_schema::Guid;
    use custodia_web_api::AnswerMemory;
    use http::StatusCode;

    use super::*;

    const ANNE: User = User { organization: Guid::from_u128(1), user: Guid::from_u128(2) };
    const BEN: User = User { user: Guid::from_u128(3), ..ANNE };

    fn answers() -> Answers {
        let limits = Limits {
            answers_bytes: 1_000_000,
            organization_answers_bytes: 500_000,
            user_answers_bytes: 300_000,
            ..Limits::default()
        };
        Answers::new(&limits, 100_000)
    }

    fn of(bytes: usize) -> Response<Bytes> {
        Response::new(Bytes::from(vec![b'x'; bytes]))
    }

    #[test]
    fn an_answer_is_held_until_it_is_sent() {
        let answers = answers();
        let first = answers.begin(ANNE).send(&Method::GET, of(200_000));
        assert_eq!(first.body().len(), 200_000);
        let refused = answers.begin(ANNE).send(&Method::GET, of(200_000));
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        // Small ones and those of others are sent; what was done is told.
        assert_eq!(answers.begin(ANNE).send(&Method::GET, of(60_000)).status(), StatusCode::OK);
        let other = answers.begin(BEN).send(&Method::GET, of(200_000));
        assert_eq!(other.status(), StatusCode::OK);
        let done = answers.begin(ANNE).send(&Method::POST, of(200_000));
        assert_eq!(done.status(), StatusCode::OK);
        drop((first, done));
        let part = answers.begin(ANNE).send(&Method::GET, of(200_000)).into_body().slice(7..9);
        // A part of it that is not sent yet holds the whole.
        assert_eq!(answers.begin(ANNE).send(&Method::GET, of(200_000)).status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(part);
        assert_eq!(answers.begin(ANNE).send(&Method::GET, of(200_000)).status(), StatusCode::OK);
    }

    #[test]
    fn parts_count_together() {
        let answers = answers();
        let held = answers.begin(ANNE).send(&Method::GET, of(200_000));
        let batch = answers.begin(ANNE);
        assert!(batch.take(60_000) && batch.take(40_000));
        assert!(!batch.take(1), "a user may hold 300,000");
        drop(held);
        assert!(batch.take(200_000));
        assert!(!batch.take(1));
        assert_eq!(batch.send(&Method::POST, of(300_000)).status(), StatusCode::OK);
    }

    #[test]
    fn by_default_a_user_may_have_the_longest_answer() {
        let answers = Answers::new(&Limits::default(), 64 << 20);
        assert_eq!(answers.memory.of_user(), 192 << 20);
    }
}
