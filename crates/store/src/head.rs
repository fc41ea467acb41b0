//! The commit head: the one row of an organisation's database that every commit moves (decisions 0001.3, 0001.6).

/// The commit head as one statement saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Head {
    /// The last number given to a row change; also the version number of the row it wrote.
    pub number: i64,
    /// The last number given to an audit entry.
    pub audit_number: i64,
    /// What a caller's rights and the metadata depend on.
    pub versions: Versions,
    /// Time of the last commit, in seconds since 1970. Never goes back.
    pub commit_time: i64,
}

/// Counters that only grow; rights and compiled statements are valid for one value of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Versions {
    /// Grows with every change of users, teams, roles, units or profiles.
    pub security: i64,
    /// Grows with every change of tables and columns.
    pub metadata: i64,
    /// Grows when the organisation is moved, restored or failed over.
    pub epoch: i64,
}
