//! The standard CRM tables, compiled into the program.

use std::sync::{Arc, OnceLock};

use crate::Schema;

/// The standard tables, parsed on the first call and shared by the whole process.
#[must_use]
pub fn standard() -> Arc<Schema> {
    static STANDARD: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(STANDARD.get_or_init(|| Arc::new(Schema::default())))
}
