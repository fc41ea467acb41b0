//! A file being read, and the faults found in it.

use std::ops::Range;

use super::LoadError;

/// A file being read.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Reads the file's shape.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, LoadError> {
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            self.fault(&span, error.message())
        })
    }

    /// A fault at a place of the file.
    pub fn fault(&self, span: &Range<usize>, problem: impl Into<String>) -> LoadError {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        LoadError { file: self.name.to_owned(), line, problem: problem.into() }
    }
}
