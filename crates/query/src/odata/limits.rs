//! How much a request may ask for. Each limit has a default and the reason for it.

use crate::Withheld;

/// Upper bounds of what one request may ask. A request beyond one is refused with the limit's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a query string or a resource path, as received. 65,536: Dataverse takes requests of 64 KB within
    /// `$batch`, where clients move the long ones.
    pub query_bytes_max: usize,
    /// Options of a query string, parameter aliases among them. 100: the protocol has a dozen, functions take few
    /// parameters.
    pub options_max: usize,
    /// Parentheses and `not` within each other in `$filter`. 100: far above what people and programs write, far below
    /// what would exhaust the stack of a parser or an engine.
    pub filter_depth_max: usize,
    /// Tests in one `$filter`. 500, as in Dataverse; engines build a tree of that depth.
    pub filter_nodes_max: usize,
    /// Values in all `in (…)` lists of one `$filter` together. 2,000: more than fit in 64 KB as GUIDs; each is a
    /// statement parameter, of which SQLite takes 32,766.
    pub in_values_max: usize,
    /// Bytes of what parameter aliases stand for in one `$filter`, each use counted. 1,048,576: a GUID for every value that
    /// lists may have, many times over, and no thousand copies of a long text.
    pub alias_bytes_max: usize,
    /// Steps of one path (`a/b/c/name` has three). 10: each is a join.
    pub path_steps_max: usize,
    /// Different steps of all paths of `$filter` and `$orderby` together, and collections tested. 15, as many linked
    /// tables as Dataverse takes; planners grow slow beyond.
    pub joins_max: usize,
    /// Sort keys. 10: seek paging cuts the order into two parts per key.
    pub order_keys_max: usize,
    /// Navigations in `$expand`, on all its levels together. 15, as in Dataverse.
    pub expand_max: usize,
    /// Expanded collections that are read for one answer, each by a statement of its own; of those beyond only the link is
    /// shown. 75,000: as many as a whole page has on one level.
    pub collections_max: usize,
    /// Bytes of a FetchXML document. 1,048,576: as long as the column that a saved view keeps it in.
    pub fetchxml_bytes_max: usize,
    /// Elements of a FetchXML document within each other. 50: far above what designers and people write.
    pub fetchxml_depth_max: usize,
    /// Elements and texts of a FetchXML document. 20,000: room for all values and conditions there may be.
    pub fetchxml_nodes_max: usize,
    /// Conditions of one FetchXML document. 500, as in Dataverse.
    pub conditions_max: usize,
    /// `link-entity` elements of one FetchXML document. 15, as in Dataverse.
    pub links_max: usize,
    /// Rows that may be passed over to reach a page that no cookie leads to. 50,000, as in Dataverse: they are read.
    pub skip_max: u32,
    /// What rows are grouped by and what is told of each group, together, in `$apply`. 100: engines group by far more.
    pub group_columns_max: usize,
    /// Rows that one aggregation takes in. 50,000, as in Dataverse.
    pub aggregate_rows_max: u32,
    /// Rows of one page when the caller does not ask for less. 5,000, as in Dataverse.
    pub page_rows_max: u32,
    /// Bytes of an answer after which a page ends, however many rows it has. 64 MiB: an answer is put together in memory, and
    /// a page of long texts would take gigabytes.
    pub answer_bytes_max: usize,
    /// Parts of the languages and of the protocol that are refused as if there were none. None: the whole is offered.
    pub withheld: Withheld,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_bytes_max: 65_536,
            options_max: 100,
            filter_depth_max: 100,
            filter_nodes_max: 500,
            in_values_max: 2_000,
            alias_bytes_max: 1 << 20,
            path_steps_max: 10,
            joins_max: 15,
            order_keys_max: 10,
            expand_max: 15,
            collections_max: 75_000,
            fetchxml_bytes_max: 1 << 20,
            fetchxml_depth_max: 50,
            fetchxml_nodes_max: 20_000,
            conditions_max: 500,
            links_max: 15,
            skip_max: 50_000,
            group_columns_max: 100,
            aggregate_rows_max: 50_000,
            page_rows_max: 5_000,
            answer_bytes_max: 64 << 20,
            withheld: Withheld::default(),
        }
    }
}
