//! The ways in over the Web API, and what each asks of its caller.
//!
//! An address has a [`Shape`]; the shape says which methods there are and what each asks for, and a method that is not there is
//! refused before anything else looks at it. Functions and actions say theirs beside their names (`functions/mod.rs`), where
//! one without does not compile. The gate decides; that it asks for what is declared here, for all of it and for nothing else,
//! is what `crates/web-api/tests/protocol/entrances.rs` holds. `docs/attack-surface.md` is written from here.

use custodia_query::odata::{Navigation, RelatedPart, Resource};
use custodia_schema::PrivilegeKind;
use http::Method;

use crate::failure::Failure;
use crate::functions::{ACTIONS, Bound, FUNCTIONS};

/// What a way in asks of whoever comes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Nothing, not even a token; and why that is enough.
    Nothing(&'static str),
    /// A token of the organisation whose user has a role, and no privilege; and why that is enough.
    Token(&'static str),
    /// A token, and each of these.
    Rights(&'static [Need]),
    /// The same where it is about somebody else; about oneself a token and a role.
    RightsUnlessOwn(&'static [Need]),
}

/// One thing that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The privilege of this name, at any level.
    Privilege(&'static str),
    /// This right, at a level that reaches the row.
    Right(PrivilegeKind, On),
    /// What depends on the request, in words.
    Said(&'static str),
}

/// What a right is a right on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The records that the address or the request names first, or finds.
    Record,
    /// The records that these are linked with.
    Other,
    /// Rows of this table.
    Table(&'static str),
}

/// What kind of way in it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntranceKind {
    /// An address.
    Address,
    /// A function, called with GET.
    Function,
    /// An action, called with POST.
    Action,
}

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Its kind.
    pub kind: EntranceKind,
    /// The address below the service root, with `…` for keys; or the operation's name.
    pub name: &'static str,
    /// What an operation is called on: nothing, `record` or `collection`; nothing of an address.
    pub bound: &'static str,
    /// The method.
    pub method: &'static str,
    /// What it asks for.
    pub asks: Asks,
}

/// All ways in, addresses first.
#[must_use]
pub fn entrances() -> Vec<Entrance> {
    let addresses = Shape::ALL.iter().flat_map(|shape| {
        shape.ways().iter().map(|(method, asks)| Entrance {
            kind: EntranceKind::Address,
            name: shape.address(),
            bound: "",
            method,
            asks: *asks,
        })
    });
    let of = |kind, method, offered: &'static [(&'static str, Bound, Asks)]| {
        offered.iter().map(move |(name, bound, asks)| Entrance {
            kind,
            name,
            bound: match bound {
                Bound::Nothing => "",
                Bound::Record => "record",
                Bound::Collection => "collection",
            },
            method,
            asks: *asks,
        })
    };
    let functions = of(EntranceKind::Function, "GET", FUNCTIONS);
    addresses.chain(functions).chain(of(EntranceKind::Action, "POST", ACTIONS)).collect()
}

/// What addresses look like. Those of operations know their methods themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    ServiceDocument,
    Metadata,
    Batch,
    Definitions,
    Collection,
    CollectionCount,
    Record,
    Property,
    PropertyValue,
    RelatedRecord,
    RelatedReference,
    RelatedRecords,
    RelatedCount,
    RelatedReferences,
    OneOfRelated,
    ReferenceOfRelated,
    Operation,
}

/// Why nothing is asked for beyond a token.
mod enough {
    pub(super) const DESCRIPTIONS: &str = "tables and columns are described, and no record";
    pub(super) const PARTS: &str = "each request in it asks for itself";
    pub(super) const LATER: &str = "it is not there yet (501)";
}

/// The rights that are asked for most.
pub(crate) const READ: Need = Need::Right(PrivilegeKind::Read, On::Record);
pub(crate) const READ_OTHER: Need = Need::Right(PrivilegeKind::Read, On::Other);
pub(crate) const CREATE: Need = Need::Right(PrivilegeKind::Create, On::Record);
const CREATE_OTHER: Need = Need::Right(PrivilegeKind::Create, On::Other);
pub(crate) const WRITE: Need = Need::Right(PrivilegeKind::Write, On::Record);
const WRITE_OTHER: Need = Need::Right(PrivilegeKind::Write, On::Other);
pub(crate) const DELETE: Need = Need::Right(PrivilegeKind::Delete, On::Record);
pub(crate) const SHARE: Need = Need::Right(PrivilegeKind::Share, On::Record);
pub(crate) const CUSTOMIZE: Need = Need::Privilege("prvPublishCustomization");
pub(crate) const APPEND: Need = Need::Right(PrivilegeKind::Append, On::Record);
const APPEND_OTHER: Need = Need::Right(PrivilegeKind::Append, On::Other);
const APPEND_TO: Need = Need::Right(PrivilegeKind::AppendTo, On::Record);
const APPEND_TO_OTHER: Need = Need::Right(PrivilegeKind::AppendTo, On::Other);
pub(crate) const LINKS: Need = Need::Said("Append, and AppendTo on what is linked, for each link that is given");

impl Shape {
    pub(crate) const ALL: [Self; 16] = [
        Self::ServiceDocument,
        Self::Metadata,
        Self::Batch,
        Self::Definitions,
        Self::Collection,
        Self::CollectionCount,
        Self::Record,
        Self::Property,
        Self::PropertyValue,
        Self::RelatedRecord,
        Self::RelatedReference,
        Self::RelatedRecords,
        Self::RelatedCount,
        Self::RelatedReferences,
        Self::OneOfRelated,
        Self::ReferenceOfRelated,
    ];

    /// The shape of an address.
    pub(crate) fn of(resource: &Resource) -> Self {
        match resource {
            Resource::ServiceDocument => Self::ServiceDocument,
            Resource::Metadata => Self::Metadata,
            Resource::Batch => Self::Batch,
            Resource::Definitions { .. } => Self::Definitions,
            Resource::Collection { .. } => Self::Collection,
            Resource::CollectionCount { .. } => Self::CollectionCount,
            Resource::Record { .. } => Self::Record,
            Resource::Property { .. } => Self::Property,
            Resource::PropertyValue { .. } => Self::PropertyValue,
            Resource::Related { navigation: Navigation::Single(_), part, .. } => match part {
                RelatedPart::References => Self::RelatedReference,
                _ => Self::RelatedRecord,
            },
            Resource::Related { navigation: Navigation::Collection(_), part, .. } => match part {
                RelatedPart::Records => Self::RelatedRecords,
                RelatedPart::Count => Self::RelatedCount,
                RelatedPart::References => Self::RelatedReferences,
                RelatedPart::Record(_) => Self::OneOfRelated,
                RelatedPart::Reference(_) => Self::ReferenceOfRelated,
            },
            Resource::Operation { .. } => Self::Operation,
        }
    }

    /// What it looks like below the service root.
    fn address(self) -> &'static str {
        match self {
            Self::ServiceDocument => "(the service root)",
            Self::Metadata => "$metadata",
            Self::Batch => "$batch",
            Self::Definitions => "EntityDefinitions… and the other descriptions",
            Self::Collection => "accounts",
            Self::CollectionCount => "accounts/$count",
            Self::Record => "accounts(…)",
            Self::Property => "accounts(…)/name",
            Self::PropertyValue => "accounts(…)/name/$value",
            Self::RelatedRecord => "accounts(…)/primarycontactid",
            Self::RelatedReference => "accounts(…)/primarycontactid/$ref",
            Self::RelatedRecords => "accounts(…)/contact_customer_accounts",
            Self::RelatedCount => "accounts(…)/contact_customer_accounts/$count",
            Self::RelatedReferences => "accounts(…)/contact_customer_accounts/$ref",
            Self::OneOfRelated => "accounts(…)/contact_customer_accounts(…)",
            Self::ReferenceOfRelated => "accounts(…)/contact_customer_accounts(…)/$ref",
            Self::Operation => "",
        }
    }

    /// The methods that there are, and what each asks for.
    fn ways(self) -> &'static [(&'static str, Asks)] {
        match self {
            Self::ServiceDocument | Self::Metadata => &[("GET", Asks::Token(enough::DESCRIPTIONS))],
            Self::Batch => &[("POST", Asks::Token(enough::PARTS))],
            Self::Definitions => &[
                ("GET", Asks::Token(enough::DESCRIPTIONS)),
                ("POST", Asks::Token(enough::LATER)),
                ("PUT", Asks::Rights(&[CUSTOMIZE])),
                ("PATCH", Asks::Rights(&[CUSTOMIZE])),
                ("DELETE", Asks::Token(enough::LATER)),
            ],
            Self::Collection => &[("GET", Asks::Rights(&[READ])), ("POST", Asks::Rights(&[CREATE, LINKS]))],
            Self::CollectionCount | Self::PropertyValue => &[("GET", Asks::Rights(&[READ]))],
            Self::Record => &[
                ("GET", Asks::Rights(&[READ])),
                ("PATCH", Asks::Rights(&[WRITE, LINKS, Need::Said("Create where there was no such record")])),
                ("DELETE", Asks::Rights(&[DELETE])),
            ],
            Self::Property => {
                &[("GET", Asks::Rights(&[READ])), ("PUT", Asks::Rights(&[WRITE])), ("DELETE", Asks::Rights(&[WRITE]))]
            }
            Self::RelatedRecord | Self::RelatedCount | Self::OneOfRelated => {
                &[("GET", Asks::Rights(&[READ, READ_OTHER]))]
            }
            Self::RelatedReference => &[
                ("GET", Asks::Rights(&[READ])),
                ("PUT", Asks::Rights(&[WRITE, APPEND, APPEND_TO_OTHER])),
                ("DELETE", Asks::Rights(&[WRITE])),
            ],
            Self::RelatedRecords => &[
                ("GET", Asks::Rights(&[READ, READ_OTHER])),
                ("POST", Asks::Rights(&[CREATE_OTHER, APPEND_OTHER, APPEND_TO])),
            ],
            Self::RelatedReferences => &[
                ("GET", Asks::Rights(&[READ, READ_OTHER])),
                ("POST", Asks::Rights(&[WRITE_OTHER, APPEND_OTHER, APPEND_TO])),
                ("DELETE", Asks::Rights(&[WRITE_OTHER])),
            ],
            Self::ReferenceOfRelated => &[("DELETE", Asks::Rights(&[WRITE_OTHER]))],
            Self::Operation => &[],
        }
    }

    /// Whether there is such a method: what declares nothing is not there. Operations say it themselves.
    pub(crate) fn knows(self, method: &Method) -> bool {
        self == Self::Operation || self.ways().iter().any(|(known, _)| *known == method.as_str())
    }

    /// The refusal of a method that is not there, which names those that are.
    pub(crate) fn wrong_method(self, method: &Method) -> Failure {
        let methods: Vec<&str> = self.ways().iter().map(|(method, _)| *method).collect();
        Failure::method(method.as_str(), methods.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn what_is_asked_for_is_there_to_be_held() {
        let schema = custodia_schema::standard();
        for entrance in entrances() {
            let needs = match entrance.asks {
                Asks::Rights(needs) | Asks::RightsUnlessOwn(needs) => needs,
                Asks::Nothing(because) | Asks::Token(because) => {
                    assert!(!because.is_empty(), "{entrance:?}");
                    continue;
                }
            };
            assert!(!needs.is_empty(), "{entrance:?}");
            for need in needs {
                match need {
                    Need::Privilege(name) => assert!(schema.privilege_named(name).is_some(), "{entrance:?}"),
                    Need::Right(kind, On::Table(name)) => {
                        let table = schema.table_named(name).unwrap();
                        assert!(table.privilege(*kind).is_some(), "{entrance:?}");
                    }
                    Need::Right(_, On::Record | On::Other) => {}
                    Need::Said(words) => assert!(!words.is_empty(), "{entrance:?}"),
                }
            }
        }
    }
}
