//! What one organisation may ask of its database at once.

/// Bounds of one organisation; each is answered with a clear error when it is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Records and links that one request changes by name: the requests of a change set, the targets of an action and records
    /// within records, all together; more is refused before anything is done. What goes with them is counted by `cascade_rows`.
    pub change_records: u32,
    /// Records that one request removes, unlinks or gives away through cascades, of all its changes together; more is refused, and a delete is work for a job. While a request
    /// writes, no other of the organisation does.
    pub cascade_rows: u32,
    /// Jobs of the organisation that wait or run; more are refused.
    pub open_jobs: u32,
    /// Bytes of values and words that a page of a record's history holds: it ends before the entry that would make it
    /// larger, but has one at least.
    pub history_bytes: usize,
    /// Entries of one record that a page of its history is looked for in, or that are counted; more are to be asked of the set
    /// `audits`. They are read in parts, so that a part beyond it may be gone through.
    pub history_entries: usize,
    /// Teams, shares and permissions each that an explanation of a right goes through; with more, nothing is explained.
    pub explained_rows: u32,
    /// Roles that one question supposes to be held or not; each is looked up, and tried by itself.
    pub supposed_roles: usize,
    /// Records of one table of the security model that are looked over for what is unusual, and users for what nobody is to
    /// hold together; with more, nothing is looked over.
    pub looked_over_rows: u32,
    /// Rules that separate duties; another one is refused. All of them are looked at whenever somebody gets a role.
    pub duty_rules: usize,
    /// Active forms of one table; another one is refused.
    pub table_forms: u32,
    /// Views of one table that a user is told of: of the organisation and of the user so many each. That there are more is
    /// told as well.
    pub table_views: u32,
    /// Indexes of the organisation's own on one table; another one is refused. Each costs every new record.
    pub own_indexes: usize,
    /// How large a form, view or site map may be.
    pub definitions: custodia_interface::Limits,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            // A change set has 1,000 requests at most, an action 5,000 targets.
            change_records: 10_000,
            cascade_rows: 20_000,
            open_jobs: 100,
            history_bytes: 8 << 20,
            history_entries: 50_000,
            explained_rows: 5_000,
            supposed_roles: 50,
            looked_over_rows: 50_000,
            duty_rules: 100,
            table_forms: 1_000,
            table_views: 1_000,
            own_indexes: custodia_store::OWN_INDEXES_PER_TABLE_MAX,
            definitions: custodia_interface::Limits::default(),
        }
    }
}
