//! Which edition of the forms, views and navigation the program brings along.

/// The number of the edition: one more with every change of what [`crate::initial_rows`] gives. An organisation that has
/// another one is given the new rows when it is opened.
pub const EDITION: u32 = 1;
