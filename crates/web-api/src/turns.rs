//! Whose turn it is: what the server has requests wait for, for those that come within another one.

use std::future::Future;
use std::pin::Pin;

use http::Method;

/// Work that begins with a turn. The turn ends when this is dropped.
pub type Turn<'t> = Box<dyn Send + 't>;

/// Waits for a turn.
pub type Waiting<'t> = Pin<Box<dyn Future<Output = Turn<'t>> + Send + 't>>;

/// Gives the requests of one organisation their turns among those of others.
pub trait Turns: Sync {
    /// Waits until a request of this method may be worked on, as one that came alone; what is ready meanwhile is worked on
    /// first. `None` where nobody else asks.
    fn take(&self, method: &Method) -> Option<Waiting<'_>>;
}

/// Every request may be worked on at once: where nobody else asks.
pub struct AtOnce;

impl Turns for AtOnce {
    fn take(&self, _: &Method) -> Option<Waiting<'_>> {
        None
    }
}
