//! The service over HTTP: listeners, routes, limits.

mod listener;
mod operations;
mod respond;
mod routes;
mod sign_in;
mod stream;
mod web_api;

pub use listener::{Holding, Listener, serve};
pub use operations::operations;
pub use routes::public;
