//! How programs talk to an organisation: the OData protocol, as Dataverse's Web API speaks it, over the gate.
//!
//! It knows HTTP messages and nothing of sockets, tokens or SQL: the server hands it a request whose caller is known, and
//! sends what it answers. Records are reached through [`custodia_org::Organization`] only.
//!
//! Start at [`handle`]: `routes.rs` says which file answers which path and method. Rows become bytes in `rows.rs`, errors
//! become answers in `failure.rs`. What is supported stands in docs/api.md.

mod answer;
mod apply;
mod batch;
mod body;
mod call;
mod entrance;
mod etag;
mod failure;
mod fetch;
mod formatted;
mod functions;
mod header;
mod impersonation;
mod input;
mod json;
mod kept;
mod links;
mod locale;
mod media;
mod memory;
mod metadata;
mod paging;
mod prefer;
mod prepared;
mod query_expression;
mod reads;
mod routes;
mod rows;
mod sql_select;
mod time_zone;
mod tracking;
mod turns;
mod withhold;
mod writes;

pub use batch::reading_cost;
pub use call::ApiRequest;
pub use custodia_query::odata::Limits;
pub use entrance::{Asks, Entrance, EntranceKind, Need, On, entrances};
pub use failure::with_causes;
pub use functions::{explanation_json, finding_json, privilege_change_json};
pub use header::encoding_refused;
pub use impersonation::acting_for;
pub use kept::KeptQuestions;
pub use memory::{AnswerMemory, NoMemory, Unbounded};
pub use routes::handle;
pub use time_zone::clock;
pub use turns::{AtOnce, Turn, Turns, Waiting};
pub use withhold::{UnknownPart, parts, withhold};
