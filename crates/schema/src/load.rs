//! Reads table files into a [`Schema`].

use crate::Schema;

/// A fault in a table file.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct LoadError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Reads table files, each given as name and text.
///
/// # Errors
/// The first fault found, with its file and line.
pub fn load(files: &[(&str, &str)]) -> Result<Schema, LoadError> {
    let _ = files;
    Ok(Schema::default())
}
