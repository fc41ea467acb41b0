//! Who may: privileges × depth, sharing and column security as predicates. Pure functions over a snapshot of facts.
//!
//! [`Rights`] is what one user may do, computed from the facts the store read at one security version. [`Authority`]
//! is on whose behalf a request runs: one user's rights, or two when one acts for another. It answers with a
//! [`RowAccess`] (which rows, in terms a statement can carry), with column masks, and with [`Permit`]s, without which
//! the store writes nothing. Semantics: Dataverse's, see `docs/security.md`.
//!
//! This crate does no I/O and contains no SQL.

mod authority;
mod facts;
mod mask;
mod permit;
mod rights;
mod row_access;

pub use authority::{Authority, Denied};
pub use facts::{Facts, FieldPermission, RoleGrant, RolePrivilege, TeamRole, UserFacts};
pub use mask::{RightsMask, RightsMaskError};
pub use permit::Permit;
pub use rights::{Grant, Rights};
pub use row_access::{Own, RowAccess, RowArms};
