//! What answers hold until they are sent: a client that takes its answers slowly, or many of them, fills no more memory than there
//! is for it.

use bytes::Bytes;
use custodia_web_api::NoMemory;
use http::{Method, Response, StatusCode};
use parking_lot::Mutex;

use super::memory::{Bounds, Memory, Taken};
use super::respond;
use crate::config::Limits;
use crate::protection::User;

/// Bytes of an answer that is small: those have half as much memory again as the others may take, so that clients who take long
/// answers slowly are still told what is short.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Bytes that an answer counts as at least: it is held with its headers, its stream and its task.
const ANSWER_BYTES_MIN: usize = 8 << 10;
/// How much longer than the longest page an answer is at most: links to what does not fit take as much again, and the last
/// record may be a long one.
const PAGES: usize = 3;

/// The memory for answers.
pub struct Answers {
    memory: Memory,
}

/// An answer that is put together.
pub struct Answering {
    bounds: Bounds,
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
    ///
    /// # Errors
    /// The request is to be answered with this, and nothing done for it: there is no memory for any answer.
    pub fn begin(&self, user: User) -> Result<Answering, Box<Response<Bytes>>> {
        let taken = self.memory.begin(user);
        // What others hold is no reason to do nothing for those who hold little.
        let bounds = Bounds { all: usize::MAX, ..self.memory.bounds().half_more() };
        taken.has_room_within(bounds).map_err(|why| Box::new(respond::busy(&why)))?;
        Ok(Answering { bounds: self.memory.bounds(), at_work: Mutex::new(AtWork { taken, bytes: 0 }) })
    }
}

impl Answering {
    /// An answer as it is sent. What was only read is refused where there is no memory for it; what was done is told.
    pub fn send(self, method: &Method, response: Response<Bytes>) -> Response<Bytes> {
        let bytes = response.body().len();
        if bytes == 0 {
            return response;
        }
        let bounds = self.bounds_of(bytes);
        let held = bytes.max(ANSWER_BYTES_MIN.min(bounds.user));
        let mut taken = self.at_work.into_inner().taken;
        if !matches!(*method, Method::GET | Method::HEAD) {
            taken.count(held);
        } else if bytes > bounds.user {
            return too_long(bytes, bounds.user);
        } else if let Err(why) = taken.up_to_within(held, bounds) {
            return respond::busy(&why);
        }
        response.map(|bytes| Bytes::from_owner(Sent { bytes, _taken: taken }))
    }

    /// What may be held with an answer of this length.
    fn bounds_of(&self, bytes: usize) -> Bounds {
        if bytes <= SMALL_BYTES_MAX { self.bounds.half_more() } else { self.bounds }
    }
}

fn too_long(bytes: usize, bytes_max: usize) -> Response<Bytes> {
    let message = format!(
        "The answer has {bytes} bytes, and there are {bytes_max} for all answers to one user. Ask for less at one time, by \
         $select, $top or the preference odata.maxpagesize."
    );
    respond::error(StatusCode::PAYLOAD_TOO_LARGE, "0x80060888", &message)
}

impl custodia_web_api::AnswerMemory for Answering {
    fn take(&self, bytes: usize) -> Result<(), NoMemory> {
        let mut at_work = self.at_work.lock();
        let all = at_work.bytes.saturating_add(bytes);
        let bounds = self.bounds_of(all);
        // What this exchange holds itself it holds the next time, too.
        if all > bounds.user {
            return Err(NoMemory::Ever);
        }
        at_work.taken.up_to_within(all, bounds).map_err(|_| NoMemory::Now)?;
        at_work.bytes = all;
        Ok(())
    }

    fn has_room(&self) -> Result<(), NoMemory> {
        let at_work = self.at_work.lock();
        let bounds = self.bounds_of(at_work.bytes);
        if at_work.bytes >= bounds.user {
            return Err(NoMemory::Ever);
        }
        at_work.taken.has_room_within(bounds).map_err(|_| NoMemory::Now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use custodia_schema::Guid;
    use custodia_web_api::AnswerMemory;

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

    fn begin(answers: &Answers, user: User) -> Answering {
        answers.begin(user).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    #[test]
    fn an_answer_is_held_until_it_is_sent() {
        let answers = answers();
        let send = |user, method, bytes| begin(&answers, user).send(&method, of(bytes));
        let first = send(ANNE, Method::GET, 200_000);
        assert_eq!(first.body().len(), 200_000);
        assert_eq!(send(ANNE, Method::GET, 200_000).status(), StatusCode::SERVICE_UNAVAILABLE);
        // Small ones and those of others are sent; what was done is told.
        assert_eq!(send(ANNE, Method::GET, 60_000).status(), StatusCode::OK);
        assert_eq!(send(BEN, Method::GET, 200_000).status(), StatusCode::OK);
        let done = send(ANNE, Method::POST, 200_000);
        assert_eq!(done.status(), StatusCode::OK);
        drop((first, done));
        let part = send(ANNE, Method::GET, 200_000).into_body().slice(7..9);
        // A part of it that is not sent yet holds the whole.
        assert_eq!(send(ANNE, Method::GET, 200_000).status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(part);
        assert_eq!(send(ANNE, Method::GET, 200_000).status(), StatusCode::OK);
    }

    #[test]
    fn small_answers_count_too_and_nothing_is_done_without_room_for_one() {
        let answers = answers();
        // A user may hold 300,000, and 450,000 with small ones.
        let held: Vec<_> = (0..9).map(|_| begin(&answers, ANNE).send(&Method::GET, of(50_000))).collect();
        assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
        let refused = answers.begin(ANNE).err().unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(begin(&answers, BEN).send(&Method::GET, of(60_000)).status(), StatusCode::OK);
        drop(held);
        assert_eq!(begin(&answers, ANNE).send(&Method::GET, of(300_000)).status(), StatusCode::OK);
        // The smallest hold more than their bytes.
        let send = || begin(&answers, ANNE).send(&Method::GET, of(1));
        let held: Vec<_> =
            std::iter::repeat_with(send).take_while(|answer| answer.status() == StatusCode::OK).collect();
        assert_eq!(held.len(), 450_000 / ANSWER_BYTES_MIN);
    }

    #[test]
    fn an_answer_that_can_never_be_sent_is_not_to_be_asked_for_again() {
        let refused = begin(&answers(), ANNE).send(&Method::GET, of(300_001));
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(!refused.headers().contains_key("retry-after"));
    }

    #[test]
    fn parts_count_together() {
        let answers = answers();
        let held = begin(&answers, ANNE).send(&Method::GET, of(200_000));
        let batch = begin(&answers, ANNE);
        assert_eq!((batch.take(60_000), batch.take(40_000)), (Ok(()), Ok(())));
        assert_eq!(batch.has_room(), Err(NoMemory::Now));
        assert_eq!(batch.take(1), Err(NoMemory::Now), "a user may hold 300,000");
        drop(held);
        // What the batch holds itself it would hold again.
        assert_eq!((batch.take(200_001), batch.has_room()), (Err(NoMemory::Ever), Ok(())));
        assert_eq!((batch.take(200_000), batch.has_room()), (Ok(()), Err(NoMemory::Ever)));
        assert_eq!(batch.take(1), Err(NoMemory::Ever));
        // What was done is told, and counts.
        let sent = batch.send(&Method::POST, of(350_000));
        assert_eq!((sent.status(), begin(&answers, ANNE).take(100_000)), (StatusCode::OK, Err(NoMemory::Now)));
    }

    #[test]
    fn what_one_user_holds_does_not_stop_the_others() {
        let answers = answers();
        let held: Vec<_> = (0..6).map(|_| begin(&answers, ANNE)).collect();
        let held: Vec<_> = held.into_iter().map(|answering| answering.send(&Method::POST, of(300_000))).collect();
        assert!(answers.begin(ANNE).is_err());
        let elsewhere = User { organization: Guid::from_u128(9), ..ANNE };
        assert_eq!(begin(&answers, elsewhere).send(&Method::POST, of(1_000)).status(), StatusCode::OK);
        drop(held);
        assert!(answers.begin(ANNE).is_ok());
    }

    #[test]
    fn by_default_a_user_may_have_the_longest_answer() {
        let answers = Answers::new(&Limits::default(), 64 << 20);
        assert_eq!(answers.memory.of_user(), 192 << 20);
    }
}
