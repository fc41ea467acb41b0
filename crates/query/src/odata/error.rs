//! Why a request cannot be understood.

use std::fmt;

/// Where in a request something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The part of the request: `$filter`, `@p1`, `path`, …
    pub part: String,
    /// The character within that part, percent-decoded, from 1; 0 where it is about the part as a whole.
    pub character: usize,
}

impl Place {
    /// A part of the request as a whole.
    pub(super) fn whole(part: &str) -> Self {
        Self { part: part.to_owned(), character: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.character {
            0 => write!(f, "{}", self.part),
            character => write!(f, "{}, character {character}", self.part),
        }
    }
}

/// Why a request cannot be understood. Its text may be shown to the caller: it repeats nothing but the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ODataError {
    /// The request is wrong: its author corrects it (400).
    #[error("{place}: {problem}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The table has no such column, or none that may be read (400). Clients know the text.
    #[error("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.{hint}")]
    UnknownProperty {
        /// Where.
        place: Place,
        /// The name as it was asked.
        name: String,
        /// Logical name of the table.
        table: String,
        /// What was meant, as a sentence behind the text; empty where nothing comes near.
        hint: String,
    },
    /// The path names nothing (404). Clients know the text.
    #[error("Resource not found for the segment '{segment}'.{hint}")]
    UnknownSegment {
        /// Where.
        place: Place,
        /// The segment as it was asked.
        segment: String,
        /// What was meant, as a sentence behind the text; empty where nothing comes near.
        hint: String,
    },
    /// The protocol has it, this service does not yet (501).
    #[error("{place}: {what} is not supported yet")]
    Unsupported {
        /// Where.
        place: Place,
        /// What was asked for.
        what: String,
    },
    /// More than the service takes in one request: its author splits it (400).
    #[error("{place}: more than this service takes in one request ({limit} is {max})")]
    TooMuch {
        /// Where it became too much.
        place: Place,
        /// The name of the limit, a field of [`crate::odata::Limits`].
        limit: &'static str,
        /// Its value.
        max: usize,
    },
}

impl ODataError {
    /// Where in the request.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Invalid { place, .. }
            | Self::UnknownProperty { place, .. }
            | Self::UnknownSegment { place, .. }
            | Self::Unsupported { place, .. }
            | Self::TooMuch { place, .. } => place,
        }
    }
}
