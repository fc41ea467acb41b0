//! The memory for answers that are not sent yet, which the server has for all of them together.

/// What the answer to one request holds.
pub trait AnswerMemory: Sync {
    /// Takes so many bytes more for an answer that is put together of several; `false`, and nothing is taken, where there are not
    /// so many.
    fn take(&self, bytes: usize) -> bool;

    /// The same for what is to be told in any case, whether there are so many or not.
    fn count(&self, bytes: usize);

    /// Whether there is any more: asked before something is done that is told in any case.
    fn has_room(&self) -> bool;
}

/// As much as there is: where nobody else asks.
pub struct Unbounded;

impl AnswerMemory for Unbounded {
    fn take(&self, _: usize) -> bool {
        true
    }

    fn count(&self, _: usize) {}

    fn has_room(&self) -> bool {
        true
    }
}
