//! A part of the protocol, and what shows it.

use super::case::Case;

/// What shows a part.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A request with its answer.
    Asked(Case),
    /// A test, as `file: function`: a file of its own folder, or one from the root of the repository.
    Tested(&'static str),
    /// Nothing: it is not there, and no request is answered differently for it.
    Missing,
}

/// A part of the protocol with what shows it. A part may have several.
#[derive(Clone, Debug)]
pub struct Row {
    /// `area.name`; where the part can be withheld, the name it is withheld by.
    pub part: String,
    pub proof: Proof,
    /// What readers should know of the answer.
    pub remark: &'static str,
}

impl Row {
    pub fn asked(part: &str, case: Case) -> Self {
        Self { part: part.to_owned(), proof: Proof::Asked(case), remark: "" }
    }

    pub fn tested(part: &str, test: &'static str) -> Self {
        Self { part: part.to_owned(), proof: Proof::Tested(test), remark: "" }
    }

    pub fn missing(part: &str) -> Self {
        Self { part: part.to_owned(), proof: Proof::Missing, remark: "" }
    }

    pub fn but(mut self, remark: &'static str) -> Self {
        self.remark = remark;
        self
    }
}
