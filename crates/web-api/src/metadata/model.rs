//! What there is to describe, and how one description leads to others.

use std::collections::BTreeMap;

use custodia_schema::{
    AlternateKey, Column, ColumnKind, Guid, ManyToMany, OneToMany, Schema, Table, column_description_id, description_id,
};

use super::columns::kind_of;
use super::managed_properties::{self, ManagedProperty};
use super::sdk_messages::{self, Message};
use super::types::{
    BOOLEAN_OPTION_SET, ENTITY, KEY, Kind, MANAGED_PROPERTY, MANY_TO_MANY, ONE_TO_MANY, OPTION_SET, OPTION_SET_BASE,
    RELATIONSHIP, SDK_MESSAGE, SDK_MESSAGE_FILTER,
};

/// One thing that is described.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'s> {
    /// A table.
    Table(&'s Table),
    /// A column of a table.
    Column(&'s Table, &'s Column),
    /// An alternate key of a table.
    Key(&'s Table, &'s AlternateKey),
    /// A relationship with one row on one side.
    OneToMany(&'s OneToMany),
    /// A relationship with many on both.
    ManyToMany(&'s ManyToMany),
    /// The options of a column: its own ones, or those it shares with others.
    OptionSet(&'s Table, &'s Column),
    /// A switch of descriptions.
    ManagedProperty(&'static ManagedProperty),
    /// An operation on records.
    Message(&'static Message),
    /// That an operation is for a table.
    MessageFilter(&'s Table, &'static Message),
}

/// Where a navigation leads.
#[derive(Clone, Debug)]
pub(crate) enum Found<'s> {
    /// To one description at most.
    One(Option<Source<'s>>),
    /// To any number of them.
    Many(Vec<Source<'s>>),
}

/// Everything that is described, by the tables of an organisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model<'s> {
    pub schema: &'s Schema,
}

impl<'s> Model<'s> {
    /// A set at the service root: the type of its members, and they.
    pub(crate) fn set(self, name: &str) -> Option<(&'static Kind, Vec<Source<'s>>)> {
        Some(match name {
            "EntityDefinitions" => (&ENTITY, self.schema.tables().iter().map(|table| Source::Table(table)).collect()),
            "RelationshipDefinitions" => {
                let one_to_many = self.schema.one_to_many().iter().map(Source::OneToMany);
                (&RELATIONSHIP, one_to_many.chain(self.schema.many_to_many().iter().map(Source::ManyToMany)).collect())
            }
            "GlobalOptionSetDefinitions" => (&OPTION_SET_BASE, self.shared_option_sets()),
            "ManagedPropertyDefinitions" => {
                (&MANAGED_PROPERTY, managed_properties::ALL.iter().map(Source::ManagedProperty).collect())
            }
            "sdkmessages" => (&SDK_MESSAGE, sdk_messages::ALL.iter().map(Source::Message).collect()),
            "sdkmessagefilters" => {
                (&SDK_MESSAGE_FILTER, sdk_messages::ALL.iter().flat_map(|message| self.filters_of(message)).collect())
            }
            _ => return None,
        })
    }

    /// The tables that an operation is for.
    fn filters_of(self, message: &'static Message) -> impl Iterator<Item = Source<'s>> {
        let tables = self.schema.tables().iter().filter(|table| message.is_for(table));
        tables.map(move |table| Source::MessageFilter(table, message))
    }

    /// The option sets that columns share, each as the first column that has it shows it.
    fn shared_option_sets(self) -> Vec<Source<'s>> {
        let mut by_name: BTreeMap<&str, Source<'s>> = BTreeMap::new();
        for table in self.schema.tables() {
            for column in table.columns() {
                if let Some(name) = shared_name(column) {
                    by_name.entry(name).or_insert(Source::OptionSet(table, column));
                }
            }
        }
        by_name.into_values().collect()
    }

    /// What a navigation of a description leads to; nothing for a name that its type does not have.
    pub(crate) fn navigate(self, from: Source<'s>, name: &str) -> Option<Found<'s>> {
        Some(match (from, name) {
            (Source::Table(table), "Attributes") => {
                Found::Many(table.columns().iter().map(|column| Source::Column(table, column)).collect())
            }
            (Source::Table(table), "Keys") => {
                Found::Many(table.keys.iter().map(|key| Source::Key(table, key)).collect())
            }
            (Source::Table(table), "OneToManyRelationships") => {
                Found::Many(self.schema.children_of(table.id).map(Source::OneToMany).collect())
            }
            (Source::Table(table), "ManyToOneRelationships") => {
                Found::Many(self.schema.parents_of(table.id).map(Source::OneToMany).collect())
            }
            (Source::Table(table), "ManyToManyRelationships") => {
                Found::Many(self.schema.links_of(table.id).map(Source::ManyToMany).collect())
            }
            (Source::Column(table, column), "OptionSet") => Found::One(Some(Source::OptionSet(table, column))),
            (Source::Column(table, column), "GlobalOptionSet") => {
                Found::One(shared_name(column).map(|_| Source::OptionSet(table, column)))
            }
            (Source::Message(message), "sdkmessageid_sdkmessagefilter") => {
                Found::Many(self.filters_of(message).collect())
            }
            (Source::MessageFilter(_, message), "sdkmessageid") => Found::One(Some(Source::Message(message))),
            _ => return None,
        })
    }
}

/// The name of the option set that a column shares with others.
pub(crate) fn shared_name(column: &Column) -> Option<&str> {
    match &column.kind {
        ColumnKind::Choice { global, .. } | ColumnKind::Choices { global, .. } => global.as_deref(),
        _ => None,
    }
}

impl Source<'_> {
    /// Its type.
    pub(crate) fn kind(self) -> &'static Kind {
        match self {
            Self::Table(_) => &ENTITY,
            Self::Column(_, column) => kind_of(&column.kind),
            Self::Key(..) => &KEY,
            Self::OneToMany(_) => &ONE_TO_MANY,
            Self::ManyToMany(_) => &MANY_TO_MANY,
            Self::OptionSet(_, column) => match column.kind {
                ColumnKind::Boolean { .. } => &BOOLEAN_OPTION_SET,
                _ => &OPTION_SET,
            },
            Self::ManagedProperty(_) => &MANAGED_PROPERTY,
            Self::Message(_) => &SDK_MESSAGE,
            Self::MessageFilter(..) => &SDK_MESSAGE_FILTER,
        }
    }

    /// The id of its description.
    pub(crate) fn id(self) -> Guid {
        match self {
            Self::Table(table) => description_id("EntityMetadata", &table.name),
            Self::Column(table, column) => column_description_id(table, column),
            Self::Key(table, key) => description_id("EntityKeyMetadata", &format!("{}.{}", table.name, key.name)),
            Self::OneToMany(relationship) => description_id("RelationshipMetadata", &relationship.name),
            Self::ManyToMany(relationship) => description_id("RelationshipMetadata", &relationship.name),
            Self::OptionSet(..) => description_id("OptionSetMetadata", &self.name()),
            Self::ManagedProperty(property) => description_id("ManagedPropertyMetadata", property.name),
            Self::Message(message) => description_id("sdkmessage", message.name),
            Self::MessageFilter(..) => description_id("sdkmessagefilter", &self.name()),
        }
    }

    /// The name that it is found by, in the property [`Self::name_property`].
    pub(crate) fn name(self) -> String {
        match self {
            Self::Table(table) => table.name.clone(),
            Self::Column(_, column) => column.name.clone(),
            Self::Key(_, key) => key.name.clone(),
            Self::OneToMany(relationship) => relationship.name.clone(),
            Self::ManyToMany(relationship) => relationship.name.clone(),
            Self::OptionSet(table, column) => match shared_name(column) {
                Some(name) => name.to_owned(),
                None => format!("{}_{}", table.name, column.name),
            },
            Self::ManagedProperty(property) => property.name.to_owned(),
            Self::Message(message) => message.name.to_owned(),
            Self::MessageFilter(table, message) => format!("{}.{}", table.name, message.name),
        }
    }

    /// The property that holds its name.
    pub(crate) fn name_property(self) -> &'static str {
        match self {
            Self::Table(_) | Self::Column(..) | Self::Key(..) | Self::ManagedProperty(_) => "LogicalName",
            Self::OneToMany(_) | Self::ManyToMany(_) => "SchemaName",
            Self::OptionSet(..) => "Name",
            Self::Message(_) => "name",
            Self::MessageFilter(..) => SDK_MESSAGE_FILTER.id_property(),
        }
    }
}
