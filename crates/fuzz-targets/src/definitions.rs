//! What people are shown and how an organisation is set up, as texts that callers write: forms, views, site maps, options.

use std::sync::{Arc, LazyLock};

use custodia_access::OrganizationOptions;
use custodia_interface::{
    DefinitionError, FormHead, FormKind, Limits, Purpose, ViewHead, ViewKind, ViewTexts, read_form, read_navigation,
    read_view,
};
use custodia_schema::{Guid, Schema, standard};

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(standard);

/// A text, read as each of them; behind a line of two hyphens the columns of a view.
pub(crate) fn definitions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, layout) = match text.split_once("\n--\n") {
        Some((text, layout)) => (text, Some(layout)),
        None => (text, None),
    };
    let limits = Limits::default();
    let table = SCHEMA.table_named("account").unwrap();
    let form = FormHead { id: Guid::nil(), table, kind: FormKind::Main, name: "Account" };
    let view = ViewHead { id: Guid::nil(), table, name: "Accounts", kind: ViewKind::Public, default: false };
    let texts = ViewTexts { fetch: text, layout };
    agrees(|purpose| read_form(&SCHEMA, form, text, purpose, &limits).map(|_| ()));
    agrees(|purpose| read_view(&SCHEMA, view, texts, purpose, &limits).map(|_| ()));
    agrees(|purpose| read_navigation(&SCHEMA, text, purpose, &limits).map(|_| ()));
    if let Err(error) = OrganizationOptions::read(text) {
        assert!(!error.to_string().is_empty());
    }
}

/// What is taken when it is written is shown afterwards, and what is refused says why.
fn agrees(read: impl Fn(Purpose) -> Result<(), DefinitionError>) {
    let (checked, shown) = (read(Purpose::Check), read(Purpose::Show));
    assert!(checked.is_err() || shown.is_ok(), "taken, and not shown: {shown:?}");
    for error in [checked, shown].into_iter().filter_map(Result::err) {
        assert!(!error.to_string().is_empty());
    }
}
