//! The security oracle: the rules of who may do what, written a second time by brute force over small worlds, so that
//! the real ones (the predicates of `custodia-access`, and the statements they become) can be compared with it.
//!
//! It is test support. It shares no rule with the code it judges: of the other crates it uses the names of privilege
//! kinds and levels, nothing else. Every rule here reads like the sentence of `docs/security-model.md` that it
//! comes from, or like the choice in `docs/security-choices.md`; speed does not count, worlds are small.
//!
//! - [`World::generate`] makes a world from a seed and a hierarchy: units, users, teams, roles, rows, shares, profiles, chosen so that
//!   every way to be allowed or refused is common. The same seed gives the same world for ever.
//! - [`may`] and its neighbours ([`may_on_behalf`], [`may_create`], [`may_link`], [`may_associate`], [`may_assign`],
//!   [`may_share`], [`column_open`], [`column_of_row_open`]) judge one question and say by which ways ([`GrantPath`]) or why not ([`Refusal`]).
//! - [`World::questions`] lists everything there is to ask, [`World::answer`] gives the verdict: a comparison is one loop.
//! - [`Coverage`] counts what was met, so that a comparison can show that it compared something.
//! - [`text_sight`] says what of a masked column somebody sees, and [`masked_text`] how it looks then.
//! - [`audit_events`] makes up what becomes of a world's records, [`told_history`] and [`audit_shows`] say who may know of it.
//! - [`forms_of`] says which of a world's forms a user gets.
//! - [`secured_standard`] is the standard schema with the columns secured that the worlds' profiles speak of.
//!
//! [`speech`] is another matter: it makes up questions that the query languages can say, and judges nobody.
//!
//! A world is loaded as plain rows, without a check of anybody's rights. Where the code that loads it makes the default
//! team of a unit or the copies of a role itself, let it take the world's ids, or translate them.
//!
//! Several worlds may be loaded into one organisation: hang each world's root unit under the organisation's root, and
//! compare over the world's own rows only (what Global reaches elsewhere does not concern the world).

mod audit;
mod column;
mod coverage;
mod create;
mod form;
mod generate;
mod give;
mod grant;
mod hierarchy;
mod inherit;
mod mask;
mod question;
mod random;
mod row;
mod schema;
mod sight;
pub mod speech;
mod verdict;
mod world;

pub use audit::{
    AuditEvent, READ_AUDIT, READ_HISTORY, ToldEntry, ToldValue, after_events, audit_events, audit_shows, entries_of,
    told_history,
};
pub use column::{
    ColumnRight, DERIVED_COLUMNS, SECURED_COLUMNS, column_of_row_open, column_open, opening_profiles, sharers_of_column,
};
pub use coverage::{Coverage, Operation};
pub use create::{NewRow, may_create, may_create_on_behalf};
pub use form::{WorldForm, forms_of, main_forms};
pub use give::{may_assign, may_associate, may_link, may_share, rights_on, team_rights_on};
pub use grant::{ACT_ON_BEHALF, Held, held};
pub use hierarchy::{Hierarchy, HierarchyModel};
pub use inherit::{inherited_shares, shares_run_along};
pub use mask::{MASKED_COLUMNS, MaskedColumn, Pattern, TextSight, masked_text, text_sight};
pub use question::{Asker, Question};
pub use row::{may, may_on_behalf};
pub use schema::secured_standard;
pub use verdict::{GrantPath, Refusal, Verdict};
pub use world::{
    ColumnShare, Link, Lookup, Permission, Position, Profile, Protection, Record, Role, RowView, Share, Team, TeamKind,
    Unit, Unmasked, User, World, WorldTable,
};
