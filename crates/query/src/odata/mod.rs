//! OData's URLs into what they mean: query options into a [`crate::Query`], paths into a [`Resource`], page tokens.
//!
//! Nothing here reads records or knows who asks. Every name is looked up in a schema, every literal takes the type of
//! the column it is compared with, everything is bounded by [`Limits`], and every [`ODataError`] says where.
//!
//! Start at [`parse_resource`] for the path and [`parse_options`] for what follows the `?`; [`write_options`] and [`write_apply`]
//! go the other way.

mod apply;
mod error;
mod expand;
mod filter;
mod hint;
mod lexer;
mod limits;
pub(crate) mod literal;
mod moment;
mod names;
pub(crate) mod number;
mod options;
mod order;
mod parse;
mod path;
mod print;
mod resource;
mod select;
mod shape;
mod skip_token;
mod write;

pub use apply::{Applied, parse_apply};
pub use error::{ODataError, Place};
pub(crate) use filter::comparable;
pub use hint::hint_of_set;
pub use limits::Limits;
pub use moment::parse_moment;
pub use names::{
    CollectionNavigation, Navigation, OWNER_ID, SingleNavigation, Tie, navigation, owner_id, property, property_name,
};
pub use options::{query_options, query_string};
pub use parse::{Parsed, depends_on_asker, parse, parse_options, parse_record_options};
pub(crate) use path::is_ordered;
pub use print::print;
pub use resource::{
    Binding, ParameterValue, RecordReference, RelatedPart, Resource, below_root, parse_reference, parse_resource,
};
pub use shape::{ExpandShape, Shape};
pub use skip_token::{CountedPage, SkipToken, SkipTokenBinding, SkipTokenError};
pub use write::{write_apply, write_options};
