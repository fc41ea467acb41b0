//! The demonstration: two organisations with real data, brought in as anybody would bring in theirs. Data and mappings stand in
//! `demo` and are part of the program.

mod files;
mod people;

use custodia_org::{Caller, Organization};
use custodia_schema::Guid;
use futures::future::BoxFuture;

use crate::import::{Advance, Counts, Error as ImportError, Import, MappingError, Options, Progress, Source};
use files::File;

/// Name of the first demonstration organisation: a seller of computer hardware, and the calls to a city about animals.
pub const DEMO: &str = "demo";
/// Name of the second: a small one with companies of its own, to show that organisations see nothing of each other.
pub const DEMO2: &str = "demo2";

/// Makes people able to sign in. Implemented by who knows how passwords are kept.
pub trait PasswordSetter: Send + Sync {
    /// Fills the buffer with randomness fit for passwords.
    fn fill(&self, buffer: &mut [u8]);

    /// Gives a user a password, in place of any former one.
    fn set<'a>(&'a self, user: Guid, password: &'a str) -> BoxFuture<'a, Result<(), PasswordError>>;
}

/// Why a password was not set.
pub type PasswordError = Box<dyn std::error::Error + Send + Sync>;

/// Who can sign in to a demonstration, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoReport {
    /// People with a password, the administrator first.
    pub users: Vec<DemoUser>,
    /// What became of the rows of each mapping.
    pub counts: Vec<(&'static str, Counts)>,
}

/// Somebody who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct DemoUser {
    /// Sign-in name.
    pub user: String,
    /// Password, as it was made up.
    pub password: String,
    /// Name of the role.
    pub role: String,
}

impl std::fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoUser").field("user", &self.user).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Why a demonstration was not filled. Filling it again goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A mapping that is part of the program does not fit its schema.
    #[error("the demonstration's {0}")]
    Mapping(#[from] MappingError),
    /// An import stopped.
    #[error("filling the demonstration: {0}")]
    Import(#[from] ImportError),
    /// Rows of data that are part of the program could not be brought in.
    #[error("filling the demonstration: {file}:{line}: {reason} ({failed} rows failed)")]
    Rows {
        /// The data file.
        file: String,
        /// Line of the first row that failed.
        line: u64,
        /// Why.
        reason: String,
        /// Rows that failed.
        failed: u64,
    },
    /// A user or a role is not there.
    #[error("filling the demonstration: {0}")]
    Missing(String),
    /// The gate refused.
    #[error("filling the demonstration: {0}")]
    Gate(#[from] custodia_org::Error),
    /// A password was not set.
    #[error("setting the password of {user}: {source}")]
    Password {
        /// Sign-in name.
        user: String,
        /// Why.
        #[source]
        source: PasswordError,
    },
}

/// Fills the organisation `demo`. `caller` is its first administrator. May be run again: people get new passwords then,
/// records stay as they are.
///
/// # Errors
/// See [`Error`].
pub async fn fill_demo(
    organization: &Organization,
    caller: &Caller,
    passwords: &dyn PasswordSetter,
    progress: &mut dyn Progress,
) -> Result<DemoReport, Error> {
    fill(organization, caller, files::DEMO_PEOPLE, files::DEMO_RECORDS, people::DEMO_SIGN_INS, passwords, progress)
        .await
}

/// The same for the organisation `demo2`.
///
/// # Errors
/// See [`Error`].
pub async fn fill_demo2(
    organization: &Organization,
    caller: &Caller,
    passwords: &dyn PasswordSetter,
    progress: &mut dyn Progress,
) -> Result<DemoReport, Error> {
    fill(organization, caller, files::DEMO2_PEOPLE, files::DEMO2_RECORDS, people::DEMO2_SIGN_INS, passwords, progress)
        .await
}

async fn fill(
    organization: &Organization,
    caller: &Caller,
    people_files: &[File],
    record_files: &[File],
    sign_ins: &[&str],
    passwords: &dyn PasswordSetter,
    progress: &mut dyn Progress,
) -> Result<DemoReport, Error> {
    let mut counts = Vec::new();
    for file in people_files {
        counts.push((file.mapping_name, bring_in(organization, caller, file, progress).await?));
    }
    people::give_roles(organization, caller).await?;
    for file in record_files {
        counts.push((file.mapping_name, bring_in(organization, caller, file, progress).await?));
    }
    let users = people::give_passwords(organization, caller, sign_ins, passwords).await?;
    Ok(DemoReport { users, counts })
}

/// Brings one file in. Every row must come through: the data is part of the program.
async fn bring_in(
    organization: &Organization,
    caller: &Caller,
    file: &File,
    progress: &mut dyn Progress,
) -> Result<Counts, Error> {
    let import = Import::load(&organization.schema(), file.mapping, file.mapping_name)?;
    let source = Source::memory(file.data_name, file.data);
    let mut told = |advance: &Advance<'_>| progress.advanced(advance);
    let report = import.run(organization, caller, vec![source], &Options::default(), &mut told).await?;
    let counts = report.counts();
    match report.files.first().and_then(|file| file.samples.first()) {
        Some(reject) => Err(Error::Rows {
            file: file.data_name.to_owned(),
            line: reject.line,
            reason: reject.reason.clone(),
            failed: counts.failed + counts.incomplete,
        }),
        None => Ok(counts),
    }
}
