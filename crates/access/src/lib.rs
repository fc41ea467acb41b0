//! Who may: privileges × depth, sharing and column security as predicates. Pure functions over a snapshot of facts.
//!
//! [`Rights`] is what one user may do, computed from the facts the store read at one security version. [`Authority`]
//! is on whose behalf a request runs: one user's rights, or two when one acts for another. It answers with a
//! [`RowAccess`] (which rows, in terms a statement can carry), with column masks, and with [`Permit`]s, without which
//! the store writes nothing. Semantics: Dataverse's; where its documentation is silent, the choice and the function
//! that holds it stand in `docs/security-choices.md`.
//!
//! A read asks [`Authority::rows`] and [`Authority::reads_column`] and compiles the answers into its statement. A write
//! asks [`Authority::rows`] for each right it needs, has the store test the row against all of them in one statement, and
//! exchanges the outcome for a [`Permit`].
//!
//! This crate does no I/O and contains no SQL.

mod append;
mod authority;
mod columns;
mod denied;
mod facts;
mod followed;
mod mask;
mod masking;
mod organization_options;
mod owner;
mod permit;
mod place;
mod reports;
mod rights;
mod row_access;
mod ways;

pub use append::{append_kind, append_to_kind};
pub use authority::{ACT_ON_BEHALF, Authority};
pub use columns::{ColumnShare, SharedColumn, decides_rows};
pub use denied::Denied;
pub use facts::{FEW_TEAMS, Facts, FieldPermission, MaskedColumn, RoleGrant, RolePrivilege, TeamRole, UserFacts};
pub use mask::{RightsMask, RightsMaskError};
pub use masking::{Mask, MaskError, PATTERN_CHARACTERS_MAX, Unmasking};
pub use organization_options::{OrganizationOptions, OrganizationOptionsError};
pub use owner::{OwnerFacts, OwnerKind, UnitPath, new_owner_may_hold};
pub use permit::Permit;
pub use place::Place;
pub use reports::{Chain, Reports};
pub use rights::{Grant, Rights};
pub use row_access::{Own, ParentAccess, RowAccess, RowArms};
pub use ways::Way;
