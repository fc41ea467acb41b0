//! What the business does, built on the gate alone: every record is read and written through
//! [`custodia_org::Organization`], with a caller and that caller's rights. Knows no SQL and no HTTP, and reads no clock.
//!
//! - [`import`]: rows of CSV files become records, as a mapping file says.

pub mod import;
