//! The memory for answers that are not sent yet, which the server has for all of them together.

/// Why there is no memory for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMemory {
    /// Others hold it.
    Now,
    /// The answer is longer than any may be, or than the rest of what the answers of one batch may hold together.
    Ever,
}

/// What the answer to one request holds.
pub trait AnswerMemory: Sync {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// There are not so many, and nothing is taken.
    fn take(&self, bytes: usize) -> Result<(), NoMemory>;

    /// Whether there is any more: asked before something is done that is told in any case.
    ///
    /// # Errors
    /// There is none.
    fn has_room(&self) -> Result<(), NoMemory>;
}

/// As much as there is: where nobody else asks.
pub struct Unbounded;

impl AnswerMemory for Unbounded {
    fn take(&self, _: usize) -> Result<(), NoMemory> {
        Ok(())
    }

    fn has_room(&self) -> Result<(), NoMemory> {
        Ok(())
    }
}
