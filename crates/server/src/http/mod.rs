//! The service over HTTP: listeners, routes, limits.

mod addresses;
mod answers;
mod bodies;
mod known;
mod listener;
mod memory;
mod operations;
mod respond;
mod route;
mod routes;
mod sign_in;
mod strangers;
mod stream;
mod traffic;
mod web_api;

pub use answers::Answers;
pub use bodies::Bodies;
pub use listener::{Holding, Listener, serve};
pub use operations::operations;
#[cfg(test)]
pub use route::{OF_OPERATIONS, OF_ORGANIZATIONS, Route, WELCOME};
pub use routes::public;
pub use strangers::{Stranger, Strangers, TooManyOpenings};
