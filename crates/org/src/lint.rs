//! Looking over who may do what, for what somebody who looks after rights would want to know of: roles that reach further than
//! they need to, columns that nobody reads, people and teams with rights that nobody meant. It changes nothing.
//!
//! Each rule has a code that stays. What a rule says of use is what can be computed from what is stored now: which roles are
//! held, which tables have records, in which business units records sit. How often a privilege was used is not known.

mod picture;
mod rules;

use custodia_access::Authority;
use custodia_schema::Table;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::explaining::Named;
use crate::organization::Organization;
use picture::Picture;

/// The privilege that looking over everybody's rights takes; of the built-in roles System Administrator alone has it.
pub(crate) const LOOKS_OVER: &str = "prvConfigureHierarchySecurity";

/// From how many of a kind on they are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LintBounds {
    /// Roles of one user, also through teams, that are not too many.
    pub roles_of_user_max: usize,
    /// Enabled System Administrators that are not too many.
    pub administrators_max: usize,
}

impl Default for LintBounds {
    fn default() -> Self {
        Self { roles_of_user_max: 5, administrators_max: 5 }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody may do more than their own part of the work.
    High,
    /// Something is open, or closed, that was hardly meant to be.
    Medium,
    /// Something to tidy up.
    Low,
}

impl Severity {
    /// `high`, `medium` or `low`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule; it stays the same in later versions.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The role, user, team or form that it is about; `None` where it is about a column or the organisation.
    pub subject: Option<Named>,
    /// Where: `role Salesperson`, `account.creditlimit`.
    pub place: String,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Organization {
    /// Looks over who may do what. Findings are in the order of severity, then of code and place.
    ///
    /// # Errors
    /// [`Error::Denied`] without the privilege to configure hierarchy security, which of the built-in roles System
    /// Administrator alone has; [`Error::Invalid`] in an organisation of which a table of the security model has more rows
    /// than `looked_over_rows` of its limits; store errors.
    pub async fn lint_roles(&self, caller: &Caller, bounds: LintBounds) -> Result<Vec<Finding>> {
        self.told_fresh(&caller.users(), || Box::pin(self.lint_roles_once(caller, bounds))).await
    }

    async fn lint_roles_once(&self, caller: &Caller, bounds: LintBounds) -> Result<Vec<Finding>> {
        let authority: Authority = self.authority(caller).await?;
        let head = self.shared.database.head().await?;
        self.check_fresh(&authority, head.versions)?;
        authority.check_privilege(LOOKS_OVER)?;
        let picture = Picture::read(self, caller).await?;
        if self.shared.database.head().await?.versions.security != head.versions.security {
            return Err(Error::Store(custodia_store::Error::Stale));
        }
        let mut findings = rules::findings(&picture, bounds);
        findings.sort_by(|a, b| (a.severity, a.code, &a.place).cmp(&(b.severity, b.code, &b.place)));
        Ok(findings)
    }
}

/// The refusal of looking over more rows of a table than the limit: nothing is left out without a word.
pub(crate) fn too_many(table: &Table, limit: u32) -> Error {
    Error::Invalid(format!(
        "there are more than {limit} records of table '{}', so that they are not looked over at once; the limit is \
         limits.looked_over_rows",
        table.name
    ))
}
