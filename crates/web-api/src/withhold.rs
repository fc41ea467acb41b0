//! Which parts of the protocol and of its query languages a service may do without.

use custodia_query::{Withheld, language_parts};

use crate::functions::{ACTIONS, FUNCTIONS};
use crate::prefer::{PREFERENCE_AREA, PREFERENCES};

/// What options of a query string are called where they are withheld.
pub(crate) const OPTION_AREA: &str = "odata.option";

/// What functions are called where they are withheld.
pub(crate) const FUNCTION_AREA: &str = "function";

/// What actions are called where they are withheld.
pub(crate) const ACTION_AREA: &str = "action";

/// Options that ask for something. Those that links to further pages and changes carry are no choice of a caller.
const OPTIONS: [&str; 11] = [
    "$select",
    "$filter",
    "$orderby",
    "$top",
    "$count",
    "$expand",
    "$apply",
    "fetchXml",
    "savedQuery",
    "userQuery",
    "sql",
];

/// No part has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPart(pub String);

impl std::fmt::Display for UnknownPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "no part of the protocol is called '{}'; docs/api-coverage.md lists them", self.0)
    }
}

impl std::error::Error for UnknownPart {}

/// The names of all parts that can be withheld: `odata.function.contains`, `function.WhoAmI`.
#[must_use]
pub fn parts() -> Vec<String> {
    let mut parts = language_parts();
    let mut area = |area: &str, names: &mut dyn Iterator<Item = &'static str>| {
        parts.extend(names.map(|name| format!("{area}.{name}")));
    };
    area(OPTION_AREA, &mut OPTIONS.into_iter());
    area(PREFERENCE_AREA, &mut PREFERENCES.into_iter());
    area(FUNCTION_AREA, &mut FUNCTIONS.iter().map(|(name, ..)| *name));
    area(ACTION_AREA, &mut ACTIONS.iter().map(|(name, ..)| *name));
    parts
}

/// Withholds the parts of these names.
///
/// # Errors
/// A name that no part has.
pub fn withhold<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Withheld, UnknownPart> {
    let known = parts();
    let checked = names.into_iter().map(|name| match known.iter().any(|part| part == name) {
        true => Ok(name.to_owned()),
        false => Err(UnknownPart(name.to_owned())),
    });
    Ok(Withheld::of(checked.collect::<Result<Vec<_>, _>>()?))
}
