//! The types that descriptions are made of, as `$metadata` declares them: entity types with their properties and
//! navigations, complex types and enumerations.
//!
//! A type name without a dot is one of the namespace `Microsoft.Dynamics.CRM`.

/// The namespace of the protocol's own types.
pub(crate) const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// A property: its name and the name of its type.
pub(crate) type Property = (&'static str, &'static str);

/// An entity type of descriptions.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name.
    pub name: &'static str,
    /// The type it extends.
    pub base: Option<&'static Kind>,
    /// Nothing is of this type without being of one that extends it.
    pub is_abstract: bool,
    /// Its own properties, beside those of its base.
    pub properties: &'static [Property],
    /// Its own navigations.
    pub navigations: &'static [Navigation],
}

/// A navigation from one description to others.
#[derive(Debug)]
pub(crate) struct Navigation {
    /// Its name.
    pub name: &'static str,
    /// The type of what it leads to.
    pub kind: &'static Kind,
    /// It leads to any number of them.
    pub collection: bool,
}

impl Kind {
    /// The type itself and those it extends.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |kind| kind.base)
    }

    /// Whether it is that type or extends it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.chain().any(|kind| kind.name == other.name)
    }

    /// The property that holds the id: the first that is declared.
    pub(crate) fn id_property(&self) -> &'static str {
        let declared = self.chain().flat_map(|kind| kind.base.map(|_| kind.properties.first()));
        declared.flatten().last().map_or("MetadataId", |(name, _)| name)
    }

    /// The type of a property.
    pub(crate) fn property(&self, name: &str) -> Option<&'static str> {
        self.chain().flat_map(|kind| kind.properties).find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// A navigation.
    pub(crate) fn navigation(&self, name: &str) -> Option<&'static Navigation> {
        self.chain().flat_map(|kind| kind.navigations).find(|navigation| navigation.name == name)
    }
}

/// The entity type of that name, without namespace.
pub(crate) fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// The members of a complex type, those of its base included; none for a name that is none.
pub(crate) fn members_of(name: &str) -> impl Iterator<Item = &'static Property> {
    let found = COMPLEX_TYPES.iter().find(|complex| complex.name == name);
    let base = found
        .and_then(|complex| complex.base)
        .and_then(|base| COMPLEX_TYPES.iter().find(|complex| complex.name == base));
    base.into_iter().chain(found).flat_map(|complex| complex.members)
}

/// The enumeration of that name.
pub(crate) fn enumeration(name: &str) -> Option<&'static Enumeration> {
    ENUMERATIONS.iter().find(|known| known.name == name)
}

/// Anything with an id of its own.
pub(crate) static METADATA_BASE: Kind = Kind {
    name: "MetadataBase",
    base: Some(&MODEL_ENTITY),
    is_abstract: true,
    properties: &[("MetadataId", "Edm.Guid"), ("HasChanged", "Edm.Boolean")],
    navigations: &[],
};

/// The base of all entity types.
pub(crate) static MODEL_ENTITY: Kind =
    Kind { name: "crmmodelbaseentity", base: None, is_abstract: true, properties: &[], navigations: &[] };

/// A table.
pub(crate) static ENTITY: Kind = Kind {
    name: "EntityMetadata",
    base: Some(&METADATA_BASE),
    is_abstract: false,
    properties: &[
        ("ActivityTypeMask", "Edm.Int32"),
        ("AutoCreateAccessTeams", "Edm.Boolean"),
        ("AutoRouteToOwnerQueue", "Edm.Boolean"),
        ("CanBeInCustomEntityAssociation", "BooleanManagedProperty"),
        ("CanBeInManyToMany", "BooleanManagedProperty"),
        ("CanBePrimaryEntityInRelationship", "BooleanManagedProperty"),
        ("CanBeRelatedEntityInRelationship", "BooleanManagedProperty"),
        ("CanChangeHierarchicalRelationship", "BooleanManagedProperty"),
        ("CanChangeTrackingBeEnabled", "BooleanManagedProperty"),
        ("CanCreateAttributes", "BooleanManagedProperty"),
        ("CanCreateCharts", "BooleanManagedProperty"),
        ("CanCreateForms", "BooleanManagedProperty"),
        ("CanCreateViews", "BooleanManagedProperty"),
        ("CanEnableSyncToExternalSearchIndex", "BooleanManagedProperty"),
        ("CanModifyAdditionalSettings", "BooleanManagedProperty"),
        ("CanTriggerWorkflow", "Edm.Boolean"),
        ("ChangeTrackingEnabled", "Edm.Boolean"),
        ("CollectionSchemaName", "Edm.String"),
        ("CreatedOn", "Edm.DateTimeOffset"),
        ("DataProviderId", "Edm.Guid"),
        ("DataSourceId", "Edm.Guid"),
        ("DaysSinceRecordLastModified", "Edm.Int32"),
        ("Description", "Label"),
        ("DisplayCollectionName", "Label"),
        ("DisplayName", "Label"),
        ("EnforceStateTransitions", "Edm.Boolean"),
        ("EntityColor", "Edm.String"),
        ("EntityHelpUrl", "Edm.String"),
        ("EntityHelpUrlEnabled", "Edm.Boolean"),
        ("EntitySetName", "Edm.String"),
        ("ExternalCollectionName", "Edm.String"),
        ("ExternalName", "Edm.String"),
        ("HasActivities", "Edm.Boolean"),
        ("HasEmailAddresses", "Edm.Boolean"),
        ("HasFeedback", "Edm.Boolean"),
        ("HasNotes", "Edm.Boolean"),
        ("IconLargeName", "Edm.String"),
        ("IconMediumName", "Edm.String"),
        ("IconSmallName", "Edm.String"),
        ("IconVectorName", "Edm.String"),
        ("IntroducedVersion", "Edm.String"),
        ("IsActivity", "Edm.Boolean"),
        ("IsActivityParty", "Edm.Boolean"),
        ("IsAIRUpdated", "Edm.Boolean"),
        ("IsAuditEnabled", "BooleanManagedProperty"),
        ("IsAvailableOffline", "Edm.Boolean"),
        ("IsBPFEntity", "Edm.Boolean"),
        ("IsBusinessProcessEnabled", "Edm.Boolean"),
        ("IsChildEntity", "Edm.Boolean"),
        ("IsConnectionsEnabled", "BooleanManagedProperty"),
        ("IsCustomEntity", "Edm.Boolean"),
        ("IsCustomizable", "BooleanManagedProperty"),
        ("IsDocumentManagementEnabled", "Edm.Boolean"),
        ("IsDuplicateDetectionEnabled", "BooleanManagedProperty"),
        ("IsEnabledForCharts", "Edm.Boolean"),
        ("IsEnabledForExternalChannels", "Edm.Boolean"),
        ("IsImportable", "Edm.Boolean"),
        ("IsInteractionCentricEnabled", "Edm.Boolean"),
        ("IsIntersect", "Edm.Boolean"),
        ("IsKnowledgeManagementEnabled", "Edm.Boolean"),
        ("IsLogicalEntity", "Edm.Boolean"),
        ("IsMailMergeEnabled", "BooleanManagedProperty"),
        ("IsManaged", "Edm.Boolean"),
        ("IsMappable", "BooleanManagedProperty"),
        ("IsOfflineInMobileClient", "BooleanManagedProperty"),
        ("IsOneNoteIntegrationEnabled", "Edm.Boolean"),
        ("IsOptimisticConcurrencyEnabled", "Edm.Boolean"),
        ("IsPrivate", "Edm.Boolean"),
        ("IsQuickCreateEnabled", "Edm.Boolean"),
        ("IsReadOnlyInMobileClient", "BooleanManagedProperty"),
        ("IsReadingPaneEnabled", "Edm.Boolean"),
        ("IsRenameable", "BooleanManagedProperty"),
        ("IsRetrieveAuditEnabled", "Edm.Boolean"),
        ("IsRetrieveMultipleAuditEnabled", "Edm.Boolean"),
        ("IsSLAEnabled", "Edm.Boolean"),
        ("IsSolutionAware", "Edm.Boolean"),
        ("IsStateModelAware", "Edm.Boolean"),
        ("IsValidForAdvancedFind", "Edm.Boolean"),
        ("IsValidForQueue", "BooleanManagedProperty"),
        ("IsVisibleInMobile", "BooleanManagedProperty"),
        ("IsVisibleInMobileClient", "BooleanManagedProperty"),
        ("LogicalCollectionName", "Edm.String"),
        ("LogicalName", "Edm.String"),
        ("MobileOfflineFilters", "Edm.String"),
        ("ModifiedOn", "Edm.DateTimeOffset"),
        ("ObjectTypeCode", "Edm.Int32"),
        ("OwnershipType", "OwnershipTypes"),
        ("PrimaryIdAttribute", "Edm.String"),
        ("PrimaryImageAttribute", "Edm.String"),
        ("PrimaryNameAttribute", "Edm.String"),
        ("Privileges", "Collection(SecurityPrivilegeMetadata)"),
        ("RecurrenceBaseEntityLogicalName", "Edm.String"),
        ("ReportViewName", "Edm.String"),
        ("SchemaName", "Edm.String"),
        ("SettingOf", "Edm.String"),
        ("SyncToExternalSearchIndex", "Edm.Boolean"),
        ("TableType", "Edm.String"),
        ("UsesBusinessDataLabelTable", "Edm.Boolean"),
    ],
    navigations: &[
        Navigation { name: "Attributes", kind: &ATTRIBUTE, collection: true },
        Navigation { name: "Keys", kind: &KEY, collection: true },
        Navigation { name: "ManyToManyRelationships", kind: &MANY_TO_MANY, collection: true },
        Navigation { name: "ManyToOneRelationships", kind: &ONE_TO_MANY, collection: true },
        Navigation { name: "OneToManyRelationships", kind: &ONE_TO_MANY, collection: true },
    ],
};

/// A column.
pub(crate) static ATTRIBUTE: Kind = Kind {
    name: "AttributeMetadata",
    base: Some(&METADATA_BASE),
    is_abstract: false,
    properties: &[
        ("AttributeOf", "Edm.String"),
        ("AttributeType", "AttributeTypeCode"),
        ("AttributeTypeName", "AttributeTypeDisplayName"),
        ("AutoNumberFormat", "Edm.String"),
        ("CanBeSecuredForCreate", "Edm.Boolean"),
        ("CanBeSecuredForRead", "Edm.Boolean"),
        ("CanBeSecuredForUpdate", "Edm.Boolean"),
        ("CanModifyAdditionalSettings", "BooleanManagedProperty"),
        ("ColumnNumber", "Edm.Int32"),
        ("CreatedOn", "Edm.DateTimeOffset"),
        ("DeprecatedVersion", "Edm.String"),
        ("Description", "Label"),
        ("DisplayName", "Label"),
        ("EntityLogicalName", "Edm.String"),
        ("ExternalName", "Edm.String"),
        ("InheritsFrom", "Edm.String"),
        ("IntroducedVersion", "Edm.String"),
        ("IsAuditEnabled", "BooleanManagedProperty"),
        ("IsCustomAttribute", "Edm.Boolean"),
        ("IsCustomizable", "BooleanManagedProperty"),
        ("IsDataSourceSecret", "Edm.Boolean"),
        ("IsFilterable", "Edm.Boolean"),
        ("IsGlobalFilterEnabled", "BooleanManagedProperty"),
        ("IsLogical", "Edm.Boolean"),
        ("IsManaged", "Edm.Boolean"),
        ("IsPrimaryId", "Edm.Boolean"),
        ("IsPrimaryName", "Edm.Boolean"),
        ("IsRenameable", "BooleanManagedProperty"),
        ("IsRequiredForForm", "Edm.Boolean"),
        ("IsRetrievable", "Edm.Boolean"),
        ("IsSearchable", "Edm.Boolean"),
        ("IsSecured", "Edm.Boolean"),
        ("IsSortableEnabled", "BooleanManagedProperty"),
        ("IsValidForAdvancedFind", "BooleanManagedProperty"),
        ("IsValidForCreate", "Edm.Boolean"),
        ("IsValidForForm", "Edm.Boolean"),
        ("IsValidForGrid", "Edm.Boolean"),
        ("IsValidForRead", "Edm.Boolean"),
        ("IsValidForUpdate", "Edm.Boolean"),
        ("IsValidODataAttribute", "Edm.Boolean"),
        ("LinkedAttributeId", "Edm.Guid"),
        ("LogicalName", "Edm.String"),
        ("ModifiedOn", "Edm.DateTimeOffset"),
        ("RequiredLevel", "AttributeRequiredLevelManagedProperty"),
        ("SchemaName", "Edm.String"),
        ("SettingOf", "Edm.String"),
        ("SourceType", "Edm.Int32"),
    ],
    navigations: &[],
};

/// A column type that extends [`ATTRIBUTE`] without navigations.
const fn column_kind(name: &'static str, properties: &'static [Property]) -> Kind {
    Kind { name, base: Some(&ATTRIBUTE), is_abstract: false, properties, navigations: &[] }
}

/// A column type with options.
const fn option_kind(name: &'static str, properties: &'static [Property]) -> Kind {
    Kind { name, base: Some(&ENUM), is_abstract: false, properties, navigations: OPTION_SETS }
}

const OPTION_SETS: &[Navigation] = &[
    Navigation { name: "GlobalOptionSet", kind: &OPTION_SET, collection: false },
    Navigation { name: "OptionSet", kind: &OPTION_SET, collection: false },
];

const FORMULA: [Property; 2] = [("FormulaDefinition", "Edm.String"), ("SourceTypeMask", "Edm.Int32")];

pub(crate) static STRING: Kind = column_kind(
    "StringAttributeMetadata",
    &[
        ("DatabaseLength", "Edm.Int32"),
        ("Format", "StringFormat"),
        ("FormatName", "StringFormatName"),
        ("FormulaDefinition", "Edm.String"),
        ("ImeMode", "ImeMode"),
        ("IsLocalizable", "Edm.Boolean"),
        ("MaxLength", "Edm.Int32"),
        ("SourceTypeMask", "Edm.Int32"),
        ("YomiOf", "Edm.String"),
    ],
);
pub(crate) static MEMO: Kind = column_kind(
    "MemoAttributeMetadata",
    &[
        ("Format", "StringFormat"),
        ("FormatName", "MemoFormatName"),
        ("ImeMode", "ImeMode"),
        ("IsLocalizable", "Edm.Boolean"),
        ("MaxLength", "Edm.Int32"),
    ],
);
pub(crate) static INTEGER: Kind = column_kind(
    "IntegerAttributeMetadata",
    &[("Format", "IntegerFormat"), FORMULA[0], ("MaxValue", "Edm.Int32"), ("MinValue", "Edm.Int32"), FORMULA[1]],
);
pub(crate) static BIG_INT: Kind =
    column_kind("BigIntAttributeMetadata", &[("MaxValue", "Edm.Int64"), ("MinValue", "Edm.Int64")]);
pub(crate) static DECIMAL: Kind = column_kind(
    "DecimalAttributeMetadata",
    &[
        FORMULA[0],
        ("ImeMode", "ImeMode"),
        ("MaxValue", "Edm.Decimal"),
        ("MinValue", "Edm.Decimal"),
        ("Precision", "Edm.Int32"),
        FORMULA[1],
    ],
);
pub(crate) static DOUBLE: Kind = column_kind(
    "DoubleAttributeMetadata",
    &[("ImeMode", "ImeMode"), ("MaxValue", "Edm.Double"), ("MinValue", "Edm.Double"), ("Precision", "Edm.Int32")],
);
pub(crate) static MONEY: Kind = column_kind(
    "MoneyAttributeMetadata",
    &[
        ("CalculationOf", "Edm.String"),
        FORMULA[0],
        ("ImeMode", "ImeMode"),
        ("IsBaseCurrency", "Edm.Boolean"),
        ("MaxValue", "Edm.Double"),
        ("MinValue", "Edm.Double"),
        ("Precision", "Edm.Int32"),
        ("PrecisionSource", "Edm.Int32"),
        FORMULA[1],
    ],
);
pub(crate) static BOOLEAN: Kind = Kind {
    name: "BooleanAttributeMetadata",
    base: Some(&ATTRIBUTE),
    is_abstract: false,
    properties: &[("DefaultValue", "Edm.Boolean"), FORMULA[0], FORMULA[1]],
    navigations: &[
        Navigation { name: "GlobalOptionSet", kind: &BOOLEAN_OPTION_SET, collection: false },
        Navigation { name: "OptionSet", kind: &BOOLEAN_OPTION_SET, collection: false },
    ],
};
pub(crate) static DATE_TIME: Kind = column_kind(
    "DateTimeAttributeMetadata",
    &[
        ("CanChangeDateTimeBehavior", "BooleanManagedProperty"),
        ("DateTimeBehavior", "DateTimeBehavior"),
        ("Format", "DateTimeFormat"),
        FORMULA[0],
        ("ImeMode", "ImeMode"),
        ("MaxSupportedValue", "Edm.DateTimeOffset"),
        ("MinSupportedValue", "Edm.DateTimeOffset"),
        FORMULA[1],
    ],
);
pub(crate) static ENUM: Kind = Kind {
    name: "EnumAttributeMetadata",
    base: Some(&ATTRIBUTE),
    is_abstract: true,
    properties: &[("DefaultFormValue", "Edm.Int32")],
    navigations: &[],
};
pub(crate) static PICKLIST: Kind = option_kind(
    "PicklistAttributeMetadata",
    &[
        ("ChildPicklistLogicalNames", "Collection(Edm.String)"),
        FORMULA[0],
        ("ParentPicklistLogicalName", "Edm.String"),
        FORMULA[1],
    ],
);
pub(crate) static MULTI_SELECT: Kind = option_kind(
    "MultiSelectPicklistAttributeMetadata",
    &[
        ("ChildPicklistLogicalNames", "Collection(Edm.String)"),
        FORMULA[0],
        ("ParentPicklistLogicalName", "Edm.String"),
        FORMULA[1],
    ],
);
pub(crate) static STATE: Kind = option_kind("StateAttributeMetadata", &[]);
pub(crate) static STATUS: Kind = option_kind("StatusAttributeMetadata", &[]);
pub(crate) static TABLE_NAME: Kind = Kind {
    name: "EntityNameAttributeMetadata",
    base: Some(&ENUM),
    is_abstract: false,
    properties: &[("IsEntityReferenceStored", "Edm.Boolean")],
    navigations: &[],
};
pub(crate) static UNIQUE_IDENTIFIER: Kind = column_kind("UniqueIdentifierAttributeMetadata", &[]);
pub(crate) static LOOKUP: Kind =
    column_kind("LookupAttributeMetadata", &[("Format", "LookupFormat"), ("Targets", "Collection(Edm.String)")]);
pub(crate) static IMAGE: Kind = column_kind(
    "ImageAttributeMetadata",
    &[
        ("CanStoreFullImage", "Edm.Boolean"),
        ("IsPrimaryImage", "Edm.Boolean"),
        ("MaxHeight", "Edm.Int16"),
        ("MaxSizeInKB", "Edm.Int32"),
        ("MaxWidth", "Edm.Int16"),
    ],
);
pub(crate) static FILE: Kind = column_kind("FileAttributeMetadata", &[("MaxSizeInKB", "Edm.Int32")]);
pub(crate) static MANAGED: Kind = column_kind(
    "ManagedPropertyAttributeMetadata",
    &[
        ("ManagedPropertyLogicalName", "Edm.String"),
        ("ParentAttributeName", "Edm.String"),
        ("ParentComponentType", "Edm.Int32"),
        ("ValueAttributeTypeCode", "AttributeTypeCode"),
    ],
);

/// An alternate key.
pub(crate) static KEY: Kind = Kind {
    name: "EntityKeyMetadata",
    base: Some(&METADATA_BASE),
    is_abstract: false,
    properties: &[
        ("DisplayName", "Label"),
        ("EntityKeyIndexStatus", "EntityKeyIndexStatus"),
        ("EntityLogicalName", "Edm.String"),
        ("IntroducedVersion", "Edm.String"),
        ("IsCustomizable", "BooleanManagedProperty"),
        ("IsExportKey", "Edm.Boolean"),
        ("IsManaged", "Edm.Boolean"),
        ("IsSecondaryKey", "Edm.Boolean"),
        ("IsSynchronous", "Edm.Boolean"),
        ("KeyAttributes", "Collection(Edm.String)"),
        ("LogicalName", "Edm.String"),
        ("SchemaName", "Edm.String"),
    ],
    navigations: &[],
};

/// A relationship of either kind.
pub(crate) static RELATIONSHIP: Kind = Kind {
    name: "RelationshipMetadataBase",
    base: Some(&METADATA_BASE),
    is_abstract: true,
    properties: &[
        ("IntroducedVersion", "Edm.String"),
        ("IsCustomRelationship", "Edm.Boolean"),
        ("IsCustomizable", "BooleanManagedProperty"),
        ("IsManaged", "Edm.Boolean"),
        ("IsValidForAdvancedFind", "Edm.Boolean"),
        ("RelationshipType", "RelationshipType"),
        ("SchemaName", "Edm.String"),
        ("SecurityTypes", "SecurityTypes"),
    ],
    navigations: &[],
};
pub(crate) static ONE_TO_MANY: Kind = Kind {
    name: "OneToManyRelationshipMetadata",
    base: Some(&RELATIONSHIP),
    is_abstract: false,
    properties: &[
        ("AssociatedMenuConfiguration", "AssociatedMenuConfiguration"),
        ("CascadeConfiguration", "CascadeConfiguration"),
        ("DenormalizedAttributeName", "Edm.String"),
        ("EntityKey", "Edm.String"),
        ("IsDenormalizedLookup", "Edm.Boolean"),
        ("IsHierarchical", "Edm.Boolean"),
        ("IsRelationshipAttributeDenormalized", "Edm.Boolean"),
        ("ReferencedAttribute", "Edm.String"),
        ("ReferencedEntity", "Edm.String"),
        ("ReferencedEntityNavigationPropertyName", "Edm.String"),
        ("ReferencingAttribute", "Edm.String"),
        ("ReferencingEntity", "Edm.String"),
        ("ReferencingEntityNavigationPropertyName", "Edm.String"),
        ("RelationshipBehavior", "Edm.Int32"),
    ],
    navigations: &[],
};
pub(crate) static MANY_TO_MANY: Kind = Kind {
    name: "ManyToManyRelationshipMetadata",
    base: Some(&RELATIONSHIP),
    is_abstract: false,
    properties: &[
        ("Entity1AssociatedMenuConfiguration", "AssociatedMenuConfiguration"),
        ("Entity1IntersectAttribute", "Edm.String"),
        ("Entity1LogicalName", "Edm.String"),
        ("Entity1NavigationPropertyName", "Edm.String"),
        ("Entity2AssociatedMenuConfiguration", "AssociatedMenuConfiguration"),
        ("Entity2IntersectAttribute", "Edm.String"),
        ("Entity2LogicalName", "Edm.String"),
        ("Entity2NavigationPropertyName", "Edm.String"),
        ("IntersectEntityName", "Edm.String"),
    ],
    navigations: &[],
};

/// A list of options.
pub(crate) static OPTION_SET_BASE: Kind = Kind {
    name: "OptionSetMetadataBase",
    base: Some(&METADATA_BASE),
    is_abstract: true,
    properties: &[
        ("Description", "Label"),
        ("DisplayName", "Label"),
        ("ExternalTypeName", "Edm.String"),
        ("IntroducedVersion", "Edm.String"),
        ("IsCustomOptionSet", "Edm.Boolean"),
        ("IsCustomizable", "BooleanManagedProperty"),
        ("IsGlobal", "Edm.Boolean"),
        ("IsManaged", "Edm.Boolean"),
        ("Name", "Edm.String"),
        ("OptionSetType", "OptionSetType"),
    ],
    navigations: &[],
};
pub(crate) static OPTION_SET: Kind = Kind {
    name: "OptionSetMetadata",
    base: Some(&OPTION_SET_BASE),
    is_abstract: false,
    properties: &[("Options", "Collection(OptionMetadata)"), ("ParentOptionSetName", "Edm.String")],
    navigations: &[],
};
pub(crate) static BOOLEAN_OPTION_SET: Kind = Kind {
    name: "BooleanOptionSetMetadata",
    base: Some(&OPTION_SET_BASE),
    is_abstract: false,
    properties: &[("FalseOption", "OptionMetadata"), ("TrueOption", "OptionMetadata")],
    navigations: &[],
};

/// A switch of descriptions that a publisher may take away.
pub(crate) static MANAGED_PROPERTY: Kind = Kind {
    name: "ManagedPropertyMetadata",
    base: Some(&METADATA_BASE),
    is_abstract: false,
    properties: &[
        ("Description", "Label"),
        ("DisplayName", "Label"),
        ("EnablesEntityName", "Edm.String"),
        ("EnablesAttributeName", "Edm.String"),
        ("ErrorCode", "Edm.Int32"),
        ("IntroducedVersion", "Edm.String"),
        ("IsGlobalForOperation", "Edm.Boolean"),
        ("IsPrivate", "Edm.Boolean"),
        ("LogicalName", "Edm.String"),
        ("ManagedPropertyType", "ManagedPropertyType"),
    ],
    navigations: &[],
};

/// An operation on records.
pub(crate) static SDK_MESSAGE: Kind = Kind {
    name: "sdkmessage",
    base: Some(&MODEL_ENTITY),
    is_abstract: false,
    properties: &[("sdkmessageid", "Edm.Guid"), ("name", "Edm.String"), ("isprivate", "Edm.Boolean")],
    navigations: &[Navigation { name: "sdkmessageid_sdkmessagefilter", kind: &SDK_MESSAGE_FILTER, collection: true }],
};

/// That an operation is for a table.
pub(crate) static SDK_MESSAGE_FILTER: Kind = Kind {
    name: "sdkmessagefilter",
    base: Some(&MODEL_ENTITY),
    is_abstract: false,
    properties: &[
        ("sdkmessagefilterid", "Edm.Guid"),
        ("_sdkmessageid_value", "Edm.Guid"),
        ("isvisible", "Edm.Boolean"),
        ("primaryobjecttypecode", "Edm.String"),
        ("secondaryobjecttypecode", "Edm.String"),
    ],
    navigations: &[Navigation { name: "sdkmessageid", kind: &SDK_MESSAGE, collection: false }],
};

/// All entity types, each after the one it extends.
pub(crate) static KINDS: &[&Kind] = &[
    &MODEL_ENTITY,
    &METADATA_BASE,
    &ENTITY,
    &ATTRIBUTE,
    &STRING,
    &MEMO,
    &INTEGER,
    &BIG_INT,
    &DECIMAL,
    &DOUBLE,
    &MONEY,
    &BOOLEAN,
    &DATE_TIME,
    &ENUM,
    &PICKLIST,
    &MULTI_SELECT,
    &STATE,
    &STATUS,
    &TABLE_NAME,
    &UNIQUE_IDENTIFIER,
    &LOOKUP,
    &IMAGE,
    &FILE,
    &MANAGED,
    &KEY,
    &RELATIONSHIP,
    &ONE_TO_MANY,
    &MANY_TO_MANY,
    &OPTION_SET_BASE,
    &OPTION_SET,
    &BOOLEAN_OPTION_SET,
    &MANAGED_PROPERTY,
    &SDK_MESSAGE,
    &SDK_MESSAGE_FILTER,
];

/// A type of values with members.
#[derive(Debug)]
pub(crate) struct Complex {
    /// Its name.
    pub name: &'static str,
    /// The complex type it extends.
    pub base: Option<&'static str>,
    /// Its own members.
    pub members: &'static [Property],
}

/// All complex types, each after the one it extends.
pub(crate) static COMPLEX_TYPES: &[Complex] = &[
    complex(
        "LocalizedLabel",
        &[
            ("HasChanged", "Edm.Boolean"),
            ("IsManaged", "Edm.Boolean"),
            ("Label", "Edm.String"),
            ("LanguageCode", "Edm.Int32"),
            ("MetadataId", "Edm.Guid"),
        ],
    ),
    complex("Label", &[("LocalizedLabels", "Collection(LocalizedLabel)"), ("UserLocalizedLabel", "LocalizedLabel")]),
    complex(
        "BooleanManagedProperty",
        &[("CanBeChanged", "Edm.Boolean"), ("ManagedPropertyLogicalName", "Edm.String"), ("Value", "Edm.Boolean")],
    ),
    complex(
        "AttributeRequiredLevelManagedProperty",
        &[
            ("CanBeChanged", "Edm.Boolean"),
            ("ManagedPropertyLogicalName", "Edm.String"),
            ("Value", "AttributeRequiredLevel"),
        ],
    ),
    complex("AttributeTypeDisplayName", &[("Value", "Edm.String")]),
    complex("StringFormatName", &[("Value", "Edm.String")]),
    complex("MemoFormatName", &[("Value", "Edm.String")]),
    complex("DateTimeBehavior", &[("Value", "Edm.String")]),
    complex(
        "OptionMetadata",
        &[
            ("Color", "Edm.String"),
            ("Description", "Label"),
            ("ExternalValue", "Edm.String"),
            ("HasChanged", "Edm.Boolean"),
            ("IsHidden", "Edm.Boolean"),
            ("IsManaged", "Edm.Boolean"),
            ("Label", "Label"),
            ("MetadataId", "Edm.Guid"),
            ("ParentValues", "Collection(Edm.Int32)"),
            ("Tag", "Edm.String"),
            ("Value", "Edm.Int32"),
        ],
    ),
    Complex {
        name: "StateOptionMetadata",
        base: Some("OptionMetadata"),
        members: &[("DefaultStatus", "Edm.Int32"), ("InvariantName", "Edm.String")],
    },
    Complex {
        name: "StatusOptionMetadata",
        base: Some("OptionMetadata"),
        members: &[("State", "Edm.Int32"), ("TransitionData", "Edm.String")],
    },
    complex(
        "CascadeConfiguration",
        &[
            ("Archive", "CascadeType"),
            ("Assign", "CascadeType"),
            ("Delete", "CascadeType"),
            ("Merge", "CascadeType"),
            ("Reparent", "CascadeType"),
            ("RollupView", "CascadeType"),
            ("Share", "CascadeType"),
            ("Unshare", "CascadeType"),
        ],
    ),
    complex(
        "AssociatedMenuConfiguration",
        &[
            ("AvailableOffline", "Edm.Boolean"),
            ("Behavior", "AssociatedMenuBehavior"),
            ("Group", "AssociatedMenuGroup"),
            ("Icon", "Edm.String"),
            ("IsCustomizable", "Edm.Boolean"),
            ("Label", "Label"),
            ("MenuId", "Edm.String"),
            ("Order", "Edm.Int32"),
            ("QueryApi", "Edm.String"),
            ("ViewId", "Edm.Guid"),
        ],
    ),
    complex(
        "SecurityPrivilegeMetadata",
        &[
            ("CanBeBasic", "Edm.Boolean"),
            ("CanBeDeep", "Edm.Boolean"),
            ("CanBeEntityReference", "Edm.Boolean"),
            ("CanBeGlobal", "Edm.Boolean"),
            ("CanBeLocal", "Edm.Boolean"),
            ("CanBeParentEntityReference", "Edm.Boolean"),
            ("Name", "Edm.String"),
            ("PrivilegeId", "Edm.Guid"),
            ("PrivilegeType", "PrivilegeType"),
        ],
    ),
];

const fn complex(name: &'static str, members: &'static [Property]) -> Complex {
    Complex { name, base: None, members }
}

/// A type whose values are some names.
#[derive(Debug)]
pub(crate) struct Enumeration {
    /// Its name.
    pub name: &'static str,
    /// A value may have several members at once.
    pub is_flags: bool,
    /// The names and their numbers.
    pub members: &'static [(&'static str, i32)],
}

impl Enumeration {
    /// The member of that number.
    pub(crate) fn member(&self, number: i64) -> Option<&'static str> {
        self.members.iter().find(|(_, value)| i64::from(*value) == number).map(|(name, _)| *name)
    }

    /// The number of a member.
    pub(crate) fn number(&self, member: &str) -> Option<i64> {
        self.members.iter().find(|(name, _)| *name == member).map(|(_, value)| i64::from(*value))
    }
}

const fn names(name: &'static str, members: &'static [(&'static str, i32)]) -> Enumeration {
    Enumeration { name, is_flags: false, members }
}

/// All enumerations.
pub(crate) static ENUMERATIONS: &[Enumeration] = &[
    Enumeration {
        name: "OwnershipTypes",
        is_flags: true,
        members: &[
            ("None", 0),
            ("UserOwned", 1),
            ("TeamOwned", 2),
            ("BusinessOwned", 4),
            ("OrganizationOwned", 8),
            ("BusinessParented", 16),
        ],
    },
    names(
        "AttributeTypeCode",
        &[
            ("Boolean", 0),
            ("Customer", 1),
            ("DateTime", 2),
            ("Decimal", 3),
            ("Double", 4),
            ("Integer", 5),
            ("Lookup", 6),
            ("Memo", 7),
            ("Money", 8),
            ("Owner", 9),
            ("PartyList", 10),
            ("Picklist", 11),
            ("State", 12),
            ("Status", 13),
            ("String", 14),
            ("Uniqueidentifier", 15),
            ("CalendarRules", 16),
            ("Virtual", 17),
            ("BigInt", 18),
            ("ManagedProperty", 19),
            ("EntityName", 20),
        ],
    ),
    names(
        "AttributeRequiredLevel",
        &[("None", 0), ("SystemRequired", 1), ("ApplicationRequired", 2), ("Recommended", 3)],
    ),
    names(
        "StringFormat",
        &[
            ("Email", 0),
            ("Text", 1),
            ("TextArea", 2),
            ("Url", 3),
            ("TickerSymbol", 4),
            ("PhoneticGuide", 5),
            ("VersionNumber", 6),
            ("Phone", 7),
            ("Json", 8),
            ("RichText", 9),
        ],
    ),
    names("IntegerFormat", &[("None", 0), ("Duration", 1), ("TimeZone", 2), ("Language", 3), ("Locale", 4)]),
    names("DateTimeFormat", &[("DateOnly", 0), ("DateAndTime", 1)]),
    names("LookupFormat", &[("None", 0), ("Connection", 1), ("Regarding", 2), ("Text", 3)]),
    names("ImeMode", &[("Auto", 0), ("Inactive", 1), ("Active", 2), ("Disabled", 3)]),
    names(
        "CascadeType",
        &[("NoCascade", 0), ("Cascade", 1), ("Active", 2), ("UserOwned", 3), ("RemoveLink", 4), ("Restrict", 5)],
    ),
    names("AssociatedMenuBehavior", &[("UseCollectionName", 0), ("UseLabel", 1), ("DoNotDisplay", 2)]),
    names("AssociatedMenuGroup", &[("Details", 0), ("Sales", 1), ("Service", 2), ("Marketing", 3)]),
    Enumeration {
        name: "SecurityTypes",
        is_flags: true,
        members: &[("None", 0), ("Append", 1), ("ParentChild", 2), ("Pointer", 4), ("Inheritance", 8)],
    },
    names("RelationshipType", &[("OneToManyRelationship", 0), ("ManyToManyRelationship", 1)]),
    names("OptionSetType", &[("Picklist", 0), ("State", 1), ("Status", 2), ("Boolean", 3)]),
    names("EntityKeyIndexStatus", &[("Pending", 0), ("InProgress", 1), ("Active", 2), ("Failed", 3)]),
    names(
        "PrivilegeType",
        &[
            ("None", 0),
            ("Create", 1),
            ("Read", 2),
            ("Write", 3),
            ("Delete", 4),
            ("Assign", 5),
            ("Share", 6),
            ("Append", 7),
            ("AppendTo", 8),
        ],
    ),
    names("ManagedPropertyType", &[("Operation", 0), ("Attribute", 1), ("CustomEvaluator", 2), ("Custom", 3)]),
    names("EndpointAccessType", &[("Default", 0), ("Internet", 1), ("Intranet", 2)]),
];
