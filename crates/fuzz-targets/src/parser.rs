//! Every parser of the program: what it reads, who sends that, what bounds it, and which target tries it.
//!
//! The test `parsers` of this crate finds the parsers by their names and looks for each here; `docs/attack-surface.md` is
//! written from here, and a test of `server` sees that every bound is a key of the configuration.

/// A parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parser {
    /// Its file and its name.
    pub function: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Who sends that.
    pub of: Sender,
    /// What bounds its input: keys of the configuration, or in words.
    pub bounds: &'static [&'static str],
    /// What tries it.
    pub fuzzed: Fuzzed,
}

/// Who sends what a parser reads, from the least trusted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Anybody.
    Stranger,
    /// Whoever has a token.
    User,
    /// Whoever gives commands and files to the program.
    Operator,
    /// The program itself: what it reads was written by it, into a database, a file or a token.
    Itself,
}

/// What tries a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuzzed {
    /// The target of this name.
    By(&'static str),
    /// None, and why.
    Not(&'static str),
}

use Fuzzed::{By, Not};
use Sender::{Itself, Operator, Stranger, User};

/// What an address is bounded by.
const ADDRESS: &[&str] = &["limits.target_bytes"];
/// What a body is bounded by.
const BODY: &[&str] = &["limits.body_bytes"];
/// What a definition is bounded by.
const DEFINITION: &[&str] = &["limits.definition_bytes", "limits.definition_depth", "limits.definition_nodes"];
/// What the row of a file is bounded by.
const ROW: &[&str] = &["bytes and fields of a row"];

const fn parser(
    function: &'static str,
    reads: &'static str,
    of: Sender,
    bounds: &'static [&'static str],
    fuzzed: Fuzzed,
) -> Parser {
    Parser { function, reads, of, bounds, fuzzed }
}

/// All of them, by file.
pub const PARSERS: &[Parser] = &[
    parser(
        "crates/access/src/organization_options.rs: read",
        "`orgdborgsettings` of an organisation",
        User,
        &["limits.body_bytes", "nodes of the text"],
        By("definitions"),
    ),
    parser(
        "crates/identity/src/address.rs: parse",
        "addresses of the service, `Host`",
        Stranger,
        &["bytes of a head"],
        By("address"),
    ),
    parser(
        "crates/identity/src/challenge.rs: bearer_token",
        "`Authorization`",
        Stranger,
        &["bytes of a head"],
        By("access_token"),
    ),
    parser("crates/identity/src/key_set.rs: from_stored", "signing keys", Itself, &[], By("stored_credential")),
    parser(
        "crates/identity/src/refresh.rs: from_stored",
        "families of refresh tokens",
        Itself,
        &[],
        By("stored_credential"),
    ),
    parser(
        "crates/identity/src/refresh.rs: parse",
        "refresh tokens",
        Stranger,
        &["64 KiB of a stranger's body"],
        By("token_request"),
    ),
    parser("crates/identity/src/secret.rs: try_from", "digests of secrets", Itself, &[], By("stored_credential")),
    parser(
        "crates/identity/src/token.rs: verify_token",
        "access tokens",
        Stranger,
        &["bytes of a token"],
        By("access_token"),
    ),
    parser(
        "crates/identity/src/token_request.rs: read",
        "requests for tokens",
        Stranger,
        &["64 KiB of a stranger's body"],
        By("token_request"),
    ),
    parser(
        "crates/inspection/src/payment_reference.rs: read",
        "payment references in columns of that format",
        User,
        &["the length of the column"],
        By("record_body"),
    ),
    parser(
        "crates/inspection/src/card_number.rs: card_numbers",
        "card numbers in texts and files",
        User,
        BODY,
        By("card_numbers"),
    ),
    parser("crates/interface/src/form_xml.rs: read_form", "`FormXml`", User, DEFINITION, By("definitions")),
    parser(
        "crates/interface/src/layout_xml.rs: read_view",
        "`LayoutXml` with its FetchXML",
        User,
        DEFINITION,
        By("definitions"),
    ),
    parser("crates/interface/src/site_map.rs: read_navigation", "`SiteMap`", User, DEFINITION, By("definitions")),
    parser(
        "crates/org/src/caller.rs: read_origin",
        "the origin in entries of the audit",
        Itself,
        &[],
        By("audit_record"),
    ),
    parser(
        "crates/process/src/import/convert.rs: read",
        "cells of files that are imported",
        Operator,
        ROW,
        By("csv_rows"),
    ),
    parser(
        "crates/process/src/import/date_pattern.rs: parse",
        "patterns of dates in mappings",
        Operator,
        &[],
        By("csv_mapping"),
    ),
    parser("crates/process/src/import/csv_file.rs: next", "rows of CSV files", Operator, ROW, By("csv_rows")),
    parser("crates/process/src/import/date_pattern.rs: read", "dates in cells", Operator, ROW, By("csv_rows")),
    parser("crates/process/src/import/document.rs: parse", "mapping files (TOML)", Operator, &[], By("csv_mapping")),
    parser(
        "crates/process/src/import/journal.rs: read",
        "how far an import got",
        Itself,
        &[],
        Not("the program wrote it, and a line that is none counts as not written"),
    ),
    parser("crates/process/src/import/number.rs: read", "numbers in cells", Operator, ROW, By("csv_rows")),
    parser(
        "crates/process/src/import/text.rs: parse",
        "what a mapping does with texts",
        Operator,
        &[],
        By("csv_mapping"),
    ),
    parser(
        "crates/query/src/fetchxml/read.rs: read",
        "FetchXML",
        User,
        &["limits.target_bytes", "limits.body_bytes", "bytes, depth and nodes of a query"],
        By("fetchxml"),
    ),
    parser("crates/query/src/like.rs: parse", "patterns of `like`", User, ADDRESS, By("pattern")),
    parser("crates/query/src/odata/apply.rs: parse_apply", "`$apply`", User, ADDRESS, By("odata_apply")),
    parser("crates/query/src/odata/lexer.rs: parse_guid", "GUIDs", User, ADDRESS, By("odata_path")),
    parser("crates/query/src/odata/moment.rs: parse", "dates and times", User, ADDRESS, By("odata_options")),
    parser("crates/query/src/odata/moment.rs: parse_moment", "dates and times", User, BODY, By("record_body")),
    parser("crates/query/src/odata/number.rs: parse", "numbers", User, ADDRESS, By("odata_options")),
    parser(
        "crates/query/src/odata/parse.rs: parse",
        "query options",
        User,
        &["limits.target_bytes", "depth, nodes, links and values of a query"],
        By("odata_options"),
    ),
    parser("crates/query/src/odata/parse.rs: parse_options", "query options", User, ADDRESS, By("odata_options")),
    parser(
        "crates/query/src/odata/parse.rs: parse_record_options",
        "query options of one record",
        User,
        ADDRESS,
        By("request"),
    ),
    parser("crates/query/src/odata/path.rs: read", "paths over navigations", User, ADDRESS, By("odata_options")),
    parser(
        "crates/query/src/odata/path.rs: read_logical",
        "paths in FetchXML's terms",
        User,
        ADDRESS,
        By("odata_options"),
    ),
    parser(
        "crates/query/src/odata/resource.rs: parse_reference",
        "addresses of records in bodies",
        User,
        BODY,
        By("record_body"),
    ),
    parser("crates/query/src/odata/resource.rs: parse_resource", "addresses", User, ADDRESS, By("odata_path")),
    parser("crates/query/src/odata/skip_token.rs: decode", "links to further pages", User, ADDRESS, By("page_token")),
    parser(
        "crates/query/src/odata/skip_token.rs: decode_counted",
        "links to further pages found by counting",
        User,
        ADDRESS,
        By("page_token"),
    ),
    parser("crates/query/src/odata/skip_token.rs: is_unsealed", "cookies of FetchXML", User, ADDRESS, By("page_token")),
    parser("crates/query/src/sql_select/resolve.rs: parse_select", "`?sql=`", User, ADDRESS, By("sql_select")),
    parser("crates/query/src/sql_select/statement.rs: read", "`?sql=`", User, ADDRESS, By("sql_select")),
    parser("crates/server/src/audit_heads.rs: read", "files of published heads", Operator, &[], By("audit_files")),
    parser("crates/store/src/audit.rs: decode", "entries of the audit", Itself, &[], By("audit_record")),
    parser("crates/store/src/change_log.rs: decode", "entries of the change log", Itself, &[], By("change_record")),
    parser(
        "crates/store/src/container.rs: open",
        "the manifest of a backup",
        Operator,
        &["bytes of a manifest"],
        By("backup_manifest"),
    ),
    parser(
        "crates/store/src/decimal.rs: decode",
        "decimals as they are stored",
        Itself,
        &["16 bytes"],
        By("change_record"),
    ),
    parser("crates/store/src/hex.rs: decode", "hexadecimal digits in files", Operator, &[], By("audit_files")),
    parser(
        "crates/store/src/keys.rs: parse",
        "an exported master key",
        Operator,
        &["one line"],
        Not("its owner alone writes the file: hexadecimal digits of one length"),
    ),
    parser(
        "crates/store/src/keys.rs: unseal",
        "wrapped keys",
        Itself,
        &[],
        Not("sealed by AES-GCM: what was changed is refused before it is read"),
    ),
    parser(
        "crates/store/src/postgres.rs: parse",
        "the address of a PostgreSQL server",
        Operator,
        &[],
        Not("a library reads it, from the configuration"),
    ),
    parser("crates/store/src/seal/published.rs: take", "a line of published heads", Operator, &[], By("audit_files")),
    parser(
        "crates/store/src/seal/published.rs: from_stored",
        "the keys that heads are signed with",
        Itself,
        &[],
        Not("sealed by the master key: what was changed is refused before it is read"),
    ),
    parser("crates/store/src/seal/export.rs: verify_export", "exported audits", Operator, &[], By("audit_files")),
    parser("crates/web-api/src/batch/multipart.rs: parts", "`$batch`", User, BODY, By("batch")),
    parser("crates/web-api/src/body.rs: read", "bodies (JSON)", User, BODY, By("record_body")),
    parser(
        "crates/web-api/src/body.rs: read_parameters",
        "parameters of actions (JSON)",
        User,
        BODY,
        By("record_body"),
    ),
    parser("crates/web-api/src/metadata/filter.rs: read", "`$filter` on descriptions", User, ADDRESS, By("request")),
    parser("crates/web-api/src/prefer.rs: read", "`Prefer`", User, &["bytes of a head"], By("request")),
    parser(
        "crates/web-api/src/query_expression.rs: read",
        "`QueryExpression` in bodies",
        User,
        BODY,
        By("record_body"),
    ),
];
