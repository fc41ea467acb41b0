//! What one organisation may ask of its database at once.

/// Bounds of one organisation; each is answered with a clear error when it is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Records that one request removes, unlinks or gives away through cascades; more is refused, and a delete is work for a job. While a request
    /// writes, no other of the organisation does.
    pub cascade_rows: u32,
    /// Jobs of the organisation that wait or run; more are refused.
    pub open_jobs: u32,
    /// How large a form, view or site map may be.
    pub definitions: custodia_interface::Limits,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self { cascade_rows: 20_000, open_jobs: 100, definitions: custodia_interface::Limits::default() }
    }
}
