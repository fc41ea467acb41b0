//! Text shown to people, in one or more languages.

/// A text in the base language (1033, English). Other languages are a later layer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Label(pub String);

impl Label {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}
