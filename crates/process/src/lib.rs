//! What the business does, built on the gate alone: every record is read and written through
//! [`custodia_org::Organization`], with a caller and that caller's rights. Knows no SQL and no HTTP, and reads no clock.
//!
//! - [`cards`]: payment card numbers among what is stored already, found and masked;
//! - [`export`]: records become rows of a CSV file, and the mapping that brings them back;
//! - [`import`]: rows of CSV files become records, as a mapping file says;
//! - [`demo`]: two organisations to show and to try, filled by such imports;
//! - [`jobs`]: deletes that are too long for one request, done in steps.

pub mod cards;
pub mod demo;
pub mod export;
pub mod import;
pub mod jobs;
