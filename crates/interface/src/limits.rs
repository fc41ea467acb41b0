//! How large a definition may be.

/// Upper bounds of one form, view or site map. One beyond is refused with the limit's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one XML text. 1,048,576: as long as the column that keeps it.
    pub definition_bytes_max: usize,
    /// Elements within each other. 50: a form nests a dozen.
    pub definition_depth_max: usize,
    /// Elements and texts. 20,000: hundreds of fields with labels in several languages.
    pub definition_nodes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { definition_bytes_max: 1 << 20, definition_depth_max: 50, definition_nodes_max: 20_000 }
    }
}
