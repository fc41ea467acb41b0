//! The memory for answers that are not sent yet, which the server has for all of them together.

/// What the answer to one request holds.
pub trait AnswerMemory: Sync {
    /// Takes so many bytes more for an answer that is put together of several; `false`, and nothing is taken, where there are not
    /// so many.
    fn take(&self, bytes: usize) -> bool;
}

/// As much as there is: where nobody else asks.
pub struct Unbounded;

impl AnswerMemory for Unbounded {
    fn take(&self, _: usize) -> bool {
        true
    }
}
