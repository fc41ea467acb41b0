//! Functions and actions: one file for each that is there.

mod assign;
mod audit_history;
mod bulk_delete;
mod explain_access;
mod initialize_from;
mod lint_roles;
mod members;
mod merge;
mod multiple;
mod publish;
mod record_team;
mod retrieve_current_organization;
mod retrieve_principal_access;
mod retrieve_total_record_count;
mod retrieve_version;
mod roles;
mod sharing;
mod user_interface;
mod user_privileges;
mod who_am_i;

pub(crate) use audit_history::erased as history_erased;
pub(crate) use bulk_delete::made as job_made;
use bytes::Bytes;
use custodia_query::RowKey;
use custodia_query::odata::{Binding, ParameterValue, hint_of_set};
use custodia_schema::{Guid, PrivilegeKind, TableId};
pub use explain_access::{explanation_json, privilege_change_json};
use http::{Method, Response};
pub use lint_roles::finding_json;
pub(crate) use record_team::joined as record_team_joined;

use crate::body::Object;
use crate::call::Call;
use crate::entrance::{APPEND, Asks, CREATE, CUSTOMIZE, DELETE, LINKS, Need, On, READ, READ_OTHER, SHARE, WRITE};
use crate::failure::Failure;
use crate::media::Media;
use crate::metadata;
use crate::prepared::PreparedWrite;
use crate::reads::record_id;
use crate::withhold::{ACTION_AREA, FUNCTION_AREA};

/// Functions of the protocol that are not here yet.
const LATER_FUNCTIONS: &[&str] = &[
    "CalculateRollupField",
    "CalculateTotalTimeIncident",
    "CanBeReferenced",
    "CanBeReferencing",
    "CanManyToMany",
    "CheckIncomingEmail",
    "CheckPromoteEmail",
    "DownloadReportDefinition",
    "ExecuteCosmosSqlQuery",
    "ExpandCalendar",
    "ExportFieldTranslation",
    "FetchXmlToQueryExpression",
    "FindParentResourceGroup",
    "FormatAddress",
    "GetAllTimeZonesWithDisplayName",
    "GetDefaultPriceLevel",
    "GetDistinctValuesImportFile",
    "GetFileSasUrl",
    "GetHeaderColumnsImportFile",
    "GetPreferredSolution",
    "GetQuantityDecimal",
    "GetReportHistoryLimit",
    "GetTimeZoneCodeByLocalizedName",
    "GetValidManyToMany",
    "GetValidReferencedEntities",
    "GetValidReferencingEntities",
    "IncrementKnowledgeArticleViewCount",
    "IsComponentCustomizable",
    "IsDataEncryptionActive",
    "IsValidStateTransition",
    "LocalTimeFromUtcTime",
    "QueryMultipleSchedules",
    "QuerySchedule",
    "RetrieveAadUserRoles",
    "RetrieveAbsoluteAndSiteCollectionUrl",
    "RetrieveActivePath",
    "RetrieveAllChildUsersSystemUser",
    "RetrieveAnalyticsStoreDetails",
    "RetrieveAppComponents",
    "RetrieveAppSettingList",
    "RetrieveApplicationRibbon",
    "RetrieveAuditPartitionList",
    "RetrieveBusinessHierarchyBusinessUnit",
    "RetrieveByGroupResource",
    "RetrieveByResourceResourceGroup",
    "RetrieveByResourcesService",
    "RetrieveByTopIncidentProductKbArticle",
    "RetrieveByTopIncidentSubjectKbArticle",
    "RetrieveDataEncryptionKey",
    "RetrieveDependenciesForDelete",
    "RetrieveDependenciesForUninstall",
    "RetrieveDependentComponents",
    "RetrieveDeploymentLicenseType",
    "RetrieveDeprovisionedLanguages",
    "RetrieveDuplicates",
    "RetrieveEntityChanges",
    "RetrieveEntityRibbon",
    "RetrieveEnvironmentVariableValue",
    "RetrieveExchangeAppointments",
    "RetrieveExchangeRate",
    "RetrieveFormattedImportJobResults",
    "RetrieveInstalledLanguagePackVersion",
    "RetrieveInstalledLanguagePacks",
    "RetrieveLicenseInfo",
    "RetrieveLocLabels",
    "RetrieveMailboxTrackingFolders",
    "RetrieveMembersBulkOperation",
    "RetrieveMissingComponents",
    "RetrieveMissingDependencies",
    "RetrieveOrganizationInfo",
    "RetrieveOrganizationResources",
    "RetrieveParentGroupsResourceGroup",
    "RetrieveParsedDataImportFile",
    "RetrievePersonalWall",
    "RetrievePrincipalAttributePrivileges",
    "RetrievePrincipalSyncAttributeMappings",
    "RetrievePrivilegeSet",
    "RetrieveProcessInstances",
    "RetrieveProductProperties",
    "RetrieveProvisionedLanguagePackVersion",
    "RetrieveRecordWall",
    "RetrieveRequiredComponents",
    "RetrieveSetting",
    "RetrieveSettingList",
    "RetrieveSharedLinks",
    "RetrieveSubGroupsResourceGroup",
    "RetrieveTeamPrivileges",
    "RetrieveUnpublished",
    "RetrieveUnpublishedMultiple",
    "RetrieveUserLicenseInfo",
    "RetrieveUserPrivilegeByPrivilegeId",
    "RetrieveUserQueues",
    "RetrieveUserSetOfPrivilegesByIds",
    "RetrieveUserSetOfPrivilegesByNames",
    "RetrieveUsersPrivilegesThroughTeams",
    "SearchByBodyKbArticle",
    "SearchByKeywordsKbArticle",
    "SearchByTitleKbArticle",
    "UtcTimeFromLocalTime",
    "ValidateApp",
    "ValidateRecurrenceRule",
];

/// Actions of the protocol that are not here yet.
const LATER_ACTIONS: &[&str] = &[
    "AddAppComponents",
    "AddItemCampaign",
    "AddItemCampaignActivity",
    "AddListMembersList",
    "AddMemberList",
    "AddPrincipalToQueue",
    "AddRecurrence",
    "AddSolutionComponent",
    "AddToQueue",
    "ApplyRecordCreationAndUpdateRule",
    "ApplyRoutingRule",
    "AssociateEntities",
    "AutoMapEntity",
    "Book",
    "BookingRequests",
    "BulkDetectDuplicates",
    "CalculateActualValueOpportunity",
    "CalculatePrice",
    "CancelContract",
    "CancelSalesOrder",
    "CloneAsPatch",
    "CloneAsSolution",
    "CloneContract",
    "CloneMobileOfflineProfile",
    "CloneProduct",
    "CloseIncident",
    "CloseQuote",
    "CommitAnnotationBlocksUpload",
    "CommitAttachmentBlocksUpload",
    "CommitFileBlocksUpload",
    "CompoundUpdateDuplicateDetectionRule",
    "ConvertOwnerTeamToAccessTeam",
    "ConvertProductToKit",
    "ConvertQuoteToSalesOrder",
    "ConvertSalesOrderToInvoice",
    "CopyCampaign",
    "CopyCampaignResponse",
    "CopyDynamicListToStatic",
    "CopyMembersList",
    "CopySystemForm",
    "CreateActivitiesList",
    "CreateCustomerRelationships",
    "CreateEntities",
    "CreateException",
    "CreateInstance",
    "CreateKnowledgeArticleTranslation",
    "CreateKnowledgeArticleVersion",
    "CreatePolymorphicLookupAttribute",
    "CreateWorkflowFromTemplate",
    "DeleteAndPromote",
    "DeleteAndPromoteAsync",
    "DeleteAuditData",
    "DeleteFile",
    "DeleteOpenInstances",
    "DeleteOptionValue",
    "DeliverIncomingEmail",
    "DeliverPromoteEmail",
    "DeprovisionLanguage",
    "DistributeCampaignActivity",
    "DownloadBlock",
    "DownloadSolutionExportData",
    "ExecuteBulkOperation",
    "ExecuteWorkflow",
    "ExportMappingsImportMap",
    "ExportSolution",
    "ExportSolutionAsync",
    "ExportToExcel",
    "ExportTranslation",
    "FulfillSalesOrder",
    "FullTextSearchKnowledgeArticle",
    "GenerateInvoiceFromOpportunity",
    "GenerateQuoteFromOpportunity",
    "GenerateSalesOrderFromOpportunity",
    "GenerateSharedLink",
    "GenerateSocialProfile",
    "GetInvoiceProductsFromOpportunity",
    "GetQuoteProductsFromOpportunity",
    "GetSalesOrderProductsFromOpportunity",
    "GetTrackingTokenEmail",
    "GrantAccessUsingSharedLink",
    "ImportFieldTranslation",
    "ImportMappingsImportMap",
    "ImportRecordsImport",
    "ImportSolution",
    "ImportSolutionAsync",
    "ImportTranslation",
    "InitializeAnnotationBlocksDownload",
    "InitializeAnnotationBlocksUpload",
    "InitializeAttachmentBlocksDownload",
    "InitializeAttachmentBlocksUpload",
    "InitializeFileBlocksDownload",
    "InitializeFileBlocksUpload",
    "InsertOptionValue",
    "InsertStatusValue",
    "InstallSampleData",
    "InstantiateFilters",
    "InstantiateTemplate",
    "LockInvoicePricing",
    "LockSalesOrderPricing",
    "LoseOpportunity",
    "OrderOption",
    "ParseImport",
    "PickFromQueue",
    "ProcessInboundEmail",
    "PropagateByExpression",
    "ProvisionLanguage",
    "PublishDuplicateRule",
    "PublishProductHierarchy",
    "PublishTheme",
    "QualifyLead",
    "QualifyMemberList",
    "QueryExpressionToFetchXml",
    "ReassignObjectsOwner",
    "ReassignObjectsSystemUser",
    "Recalculate",
    "ReleaseToQueue",
    "RemoveAppComponents",
    "RemoveFromQueue",
    "RemoveParent",
    "RemoveSolutionComponent",
    "RenewContract",
    "RenewEntitlement",
    "Reschedule",
    "ResetUserFilters",
    "RevertProduct",
    "ReviseQuote",
    "RevokeSharedLink",
    "Rollup",
    "RouteTo",
    "SaveSettingValue",
    "SendBulkMail",
    "SendEmail",
    "SendEmailFromTemplate",
    "SendFax",
    "SendTemplate",
    "SetBusinessEquipment",
    "SetBusinessSystemUser",
    "SetDataEncryptionKey",
    "SetFeatureStatus",
    "SetLocLabels",
    "SetParentSystemUser",
    "SetPreferredSolution",
    "SetProcess",
    "SetReportRelated",
    "SetState",
    "StageAndUpgrade",
    "StageAndUpgradeAsync",
    "StageSolution",
    "TransformImport",
    "TriggerServiceEndpointCheck",
    "UninstallSampleData",
    "UnlockInvoicePricing",
    "UnlockSalesOrderPricing",
    "UnpublishDuplicateRule",
    "UpdateFeatureConfig",
    "UpdateOptionValue",
    "UpdateProductProperties",
    "UpdateSolutionComponent",
    "UpdateStateValue",
    "UploadBlock",
    "Validate",
    "ValidateSavedQuery",
    "WinOpportunity",
    "WinQuote",
];

/// Parameters of functions that are here which change nothing yet, with their types: null, false of a switch and an id of zeros
/// say as much as leaving them out.
const LATER_PARAMETERS: &[(&str, &str, LaterType)] = &[
    ("InitializeFrom", "RetrieveConsumableRecord", LaterType::Boolean),
    ("RetrieveMetadataChanges", "AppModuleId", LaterType::Guid),
    ("RetrieveMetadataChanges", "RetrieveAllSettings", LaterType::Boolean),
];

/// What a parameter that is not there yet takes.
#[derive(Clone, Copy)]
enum LaterType {
    Boolean,
    Guid,
}

/// Refuses a value of a parameter that is not there yet, where it says something.
fn check_later(function: &str, parameter: &str, value: &ParameterValue) -> Result<(), Failure> {
    let known = LATER_PARAMETERS.iter().find(|(of, name, _)| (*of, *name) == (function, parameter));
    let Some((.., expected)) = known else { return Ok(()) };
    match (expected, value) {
        (_, ParameterValue::Null) | (LaterType::Boolean, ParameterValue::Boolean(false)) => Ok(()),
        (LaterType::Guid, ParameterValue::Guid(id)) if id.is_nil() => Ok(()),
        (LaterType::Boolean, ParameterValue::Boolean(true)) | (LaterType::Guid, ParameterValue::Guid(_)) => {
            Err(Failure::unsupported(format!("the parameter '{parameter}' of the function {function}")))
        }
        (LaterType::Boolean, _) => Err(Failure::invalid(format!("'{parameter}' of {function} takes true or false"))),
        (LaterType::Guid, _) => Err(Failure::invalid(format!("'{parameter}' of {function} takes a GUID"))),
    }
}

/// Calls a function. An action is called with POST, and read by [`prepare`].
pub(crate) async fn call(
    call: &Call<'_>,
    binding: &Binding,
    name: &str,
    parameters: &[(String, ParameterValue)],
) -> Result<Response<Bytes>, Failure> {
    let operation = Operation { call, binding, name, parameters };
    let Some(bound) = bound_of(name, FUNCTIONS).filter(|_| !withheld(call, FUNCTION_AREA, name)) else {
        return Err(if bound_of(name, ACTIONS).is_some() { operation.wrong_method() } else { operation.absent() });
    };
    operation.expect(&Method::GET, bound)?;
    if let Some((unknown, _)) = parameters.iter().find(|(parameter, _)| !metadata::csdl::has_parameter(name, parameter))
    {
        return Err(Failure::invalid(format!("the function {name} has no parameter '{unknown}'")));
    }
    for (parameter, value) in parameters {
        check_later(name, parameter, value)?;
    }
    match name {
        // Boxed: it is large, and the future of every request has room for the largest.
        "custodia_ExplainAccess" => Box::pin(explain_access::answer(&operation)).await,
        "custodia_LintRoles" => Box::pin(lint_roles::answer(call)).await,
        "custodia_RetrieveUserInterface" => user_interface::interface(&operation).await,
        "InitializeFrom" => initialize_from::answer(&operation).await,
        "RetrieveAttributeChangeHistory" | "RetrieveAuditDetails" | "RetrieveRecordChangeHistory" => {
            audit_history::answer(&operation).await
        }
        "RetrieveCurrentOrganization" => retrieve_current_organization::answer(&operation).await,
        "RetrieveFilteredForms" => user_interface::forms(&operation).await,
        "RetrievePrincipalAccess" => retrieve_principal_access::answer(&operation).await,
        "RetrieveRolePrivilegesRole" => roles::retrieve(&operation).await,
        "RetrieveSharedPrincipalsAndAccess" => sharing::retrieve(&operation).await,
        "RetrieveTotalRecordCount" => retrieve_total_record_count::answer(&operation).await,
        "RetrieveUserPrivileges" | "RetrieveUserPrivilegeByPrivilegeName" => user_privileges::answer(&operation).await,
        "RetrieveVersion" => Ok(retrieve_version::answer(call)),
        "RetrieveMetadataChanges" => metadata::changes::answer(call, parameters).await,
        "RetrieveEntity" | "RetrieveAllEntities" => metadata::entities::answer(call, name, parameters).await,
        "RetrieveAvailableLanguages" | "RetrieveProvisionedLanguages" | "RetrieveTimestamp" => {
            metadata::languages::answer(call, name).await
        }
        "WhoAmI" => who_am_i::answer(call).await,
        _ => Err(operation.absent()),
    }
}

/// Reads the call of an action.
pub(crate) async fn prepare(
    call: &Call<'_>,
    binding: &Binding,
    name: &str,
    parameters: &[(String, ParameterValue)],
) -> Result<PreparedWrite, Failure> {
    let operation = Operation { call, binding, name, parameters };
    let Some(bound) = bound_of(name, ACTIONS).filter(|_| !withheld(call, ACTION_AREA, name)) else {
        return Err(if bound_of(name, FUNCTIONS).is_some() { operation.wrong_method() } else { operation.absent() });
    };
    operation.expect(&Method::POST, bound)?;
    let numbers_quoted = Media::sent_numbers_are_quoted(call.request.headers)?;
    let body = Object::read_parameters(&call.request.body)?;
    match name {
        "AddMembersTeam" | "RemoveMembersTeam" => members::prepare(&operation, &body).await,
        "AddUserToRecordTeam" | "RemoveUserFromRecordTeam" => record_team::prepare(&operation, &body).await,
        "AddPrivilegesRole" | "ReplacePrivilegesRole" | "RemovePrivilegeRole" => {
            roles::prepare(&operation, &body).await
        }
        "Assign" => assign::prepare(call, &body),
        "BulkDelete" => bulk_delete::prepare(&operation, &body).await,
        "CreateMultiple" | "UpdateMultiple" | "UpsertMultiple" | "DeleteMultiple" => {
            multiple::prepare(&operation, &body, numbers_quoted)
        }
        "DeleteRecordChangeHistory" => audit_history::erase(&operation, &body),
        "GrantAccess" | "ModifyAccess" | "RevokeAccess" => sharing::prepare(&operation, &body).await,
        "PublishAllXml" | "PublishXml" => publish::prepare(&operation, &body).await,
        "custodia_RestoreFromAudit" => audit_history::restore(&operation, &body).await,
        "Merge" => merge::prepare(call, &body, numbers_quoted),
        _ => Err(operation.absent()),
    }
}

const READ_HISTORY: Need = Need::Privilege("prvReadRecordAuditHistory");
const ERASE_HISTORY: Need = Need::Privilege("prvDeleteRecordChangeHistory");
const READ_AUDIT: Need = Need::Right(PrivilegeKind::Read, On::Table("audit"));
const READ_USER: Need = Need::Right(PrivilegeKind::Read, On::Table("systemuser"));
const READ_ROLE: Need = Need::Right(PrivilegeKind::Read, On::Table("role"));

/// What describes tables or the service.
const DESCRIBES: Asks = Asks::Token("tables or the service are described, and no record");
/// What tells what became of a record.
const HISTORY: Asks = Asks::Rights(&[READ_HISTORY, READ_AUDIT, READ]);
/// What tells what a user may do or gets.
const OF_A_USER: Asks = Asks::RightsUnlessOwn(&[READ_USER, READ_ROLE]);
/// What tells why a user or a team may do something.
const OF_SOMEBODY: Asks = Asks::RightsUnlessOwn(&[
    READ_USER,
    READ_ROLE,
    Need::Said("of teams Read on `team`, not on `systemuser`"),
    Need::Said("what supposes roles asks for Read on `role` of oneself, too"),
]);
/// What says which access team is meant.
const TEMPLATE: Need = Need::Right(PrivilegeKind::Read, On::Table("teamtemplate"));
/// What gives rights on a record.
const SHARES: Asks = Asks::Rights(&[SHARE, Need::Said("each right that is given, on the record")]);
/// What says who belongs to a team.
const MEMBERS: Asks = Asks::Rights(&[APPEND, Need::Right(PrivilegeKind::Append, On::Other)]);

/// The functions that are here, what each is called on, and what it asks for.
pub(crate) const FUNCTIONS: &[(&str, Bound, Asks)] = &[
    ("InitializeFrom", Bound::Nothing, Asks::Rights(&[READ])),
    ("RetrieveAllEntities", Bound::Nothing, DESCRIBES),
    ("RetrieveAttributeChangeHistory", Bound::Nothing, HISTORY),
    ("RetrieveAuditDetails", Bound::Record, HISTORY),
    ("RetrieveAvailableLanguages", Bound::Nothing, DESCRIBES),
    ("RetrieveCurrentOrganization", Bound::Nothing, DESCRIBES),
    ("RetrieveEntity", Bound::Nothing, DESCRIBES),
    ("RetrieveFilteredForms", Bound::Nothing, OF_A_USER),
    ("RetrieveMetadataChanges", Bound::Nothing, DESCRIBES),
    ("RetrievePrincipalAccess", Bound::Record, Asks::Rights(&[READ, READ_OTHER])),
    ("RetrieveProvisionedLanguages", Bound::Nothing, DESCRIBES),
    ("RetrieveRecordChangeHistory", Bound::Nothing, HISTORY),
    ("RetrieveRolePrivilegesRole", Bound::Nothing, Asks::Rights(&[READ])),
    ("RetrieveSharedPrincipalsAndAccess", Bound::Nothing, Asks::Rights(&[READ])),
    ("RetrieveTimestamp", Bound::Nothing, DESCRIBES),
    ("RetrieveTotalRecordCount", Bound::Nothing, Asks::Rights(&[READ])),
    ("RetrieveUserPrivilegeByPrivilegeName", Bound::Record, OF_A_USER),
    ("RetrieveUserPrivileges", Bound::Record, OF_A_USER),
    ("RetrieveVersion", Bound::Nothing, DESCRIBES),
    ("WhoAmI", Bound::Nothing, Asks::Token("it tells the caller who the caller is")),
    ("custodia_ExplainAccess", Bound::Record, OF_SOMEBODY),
    ("custodia_LintRoles", Bound::Nothing, Asks::Rights(&[Need::Privilege("prvConfigureHierarchySecurity")])),
    (
        "custodia_RetrieveUserInterface",
        Bound::Nothing,
        Asks::Token("it leaves out what leads to tables that the caller may not read"),
    ),
];

/// The actions that are here, what each is called on, and what it asks for.
pub(crate) const ACTIONS: &[(&str, Bound, Asks)] = &[
    ("AddMembersTeam", Bound::Record, MEMBERS),
    (
        "AddPrivilegesRole",
        Bound::Record,
        Asks::Rights(&[WRITE, Need::Said("each privilege that is given, as far as it is given")]),
    ),
    (
        "AddUserToRecordTeam",
        Bound::Record,
        Asks::Rights(&[SHARE, TEMPLATE, Need::Said("each right that the template gives, on the record")]),
    ),
    ("Assign", Bound::Nothing, Asks::Rights(&[WRITE, Need::Right(PrivilegeKind::Assign, On::Record)])),
    (
        "BulkDelete",
        Bound::Nothing,
        Asks::Rights(&[Need::Privilege("prvBulkDelete"), Need::Said("Delete, when the job comes to a record")]),
    ),
    ("CreateMultiple", Bound::Collection, Asks::Rights(&[CREATE, LINKS])),
    ("DeleteMultiple", Bound::Collection, Asks::Rights(&[DELETE])),
    ("DeleteRecordChangeHistory", Bound::Nothing, Asks::Rights(&[READ_HISTORY, READ_AUDIT, READ, ERASE_HISTORY])),
    ("GrantAccess", Bound::Nothing, SHARES),
    ("Merge", Bound::Nothing, Asks::Rights(&[Need::Privilege("prvMerge"), WRITE])),
    ("ModifyAccess", Bound::Nothing, SHARES),
    ("PublishAllXml", Bound::Nothing, Asks::Rights(&[CUSTOMIZE])),
    ("PublishXml", Bound::Nothing, Asks::Rights(&[CUSTOMIZE])),
    ("RemoveMembersTeam", Bound::Record, MEMBERS),
    ("RemovePrivilegeRole", Bound::Record, Asks::Rights(&[WRITE])),
    ("RemoveUserFromRecordTeam", Bound::Record, Asks::Rights(&[SHARE, TEMPLATE])),
    (
        "ReplacePrivilegesRole",
        Bound::Record,
        Asks::Rights(&[WRITE, Need::Said("each privilege that is given, as far as it is given")]),
    ),
    ("RevokeAccess", Bound::Nothing, Asks::Rights(&[SHARE])),
    ("UpdateMultiple", Bound::Collection, Asks::Rights(&[WRITE, LINKS])),
    ("UpsertMultiple", Bound::Collection, Asks::Rights(&[WRITE, CREATE, LINKS])),
    ("custodia_RestoreFromAudit", Bound::Record, Asks::Rights(&[READ_HISTORY, READ_AUDIT, READ, WRITE])),
];

fn withheld(call: &Call<'_>, area: &str, name: &str) -> bool {
    call.request.limits.withheld.has(area, name)
}

fn bound_of(name: &str, operations: &[(&str, Bound, Asks)]) -> Option<Bound> {
    operations.iter().find(|(known, ..)| *known == name).map(|(_, bound, _)| *bound)
}

/// What an operation is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Nothing,
    Record,
    Collection,
}

/// An operation as it was called.
struct Operation<'o> {
    call: &'o Call<'o>,
    binding: &'o Binding,
    name: &'o str,
    parameters: &'o [(String, ParameterValue)],
}

impl Operation<'_> {
    /// A function is called with GET, an action with POST, each on what it is for.
    fn expect(&self, method: &Method, bound: Bound) -> Result<(), Failure> {
        let fits = match self.binding {
            Binding::Unbound => bound == Bound::Nothing,
            Binding::Record(..) => bound == Bound::Record,
            Binding::Collection(_) => bound == Bound::Collection,
        };
        if !fits {
            return Err(Failure::no_such_resource(self.name));
        }
        if self.call.request.method == method {
            return Ok(());
        }
        Err(self.wrong_method())
    }

    fn wrong_method(&self) -> Failure {
        Failure::no_matching_operation(self.name, self.call.request.method.as_str())
    }

    /// Why an operation that is not here is not: it comes later, or there is no such thing.
    fn absent(&self) -> Failure {
        let (function, action) = (LATER_FUNCTIONS.contains(&self.name), LATER_ACTIONS.contains(&self.name));
        match *self.call.request.method {
            Method::GET if function => Failure::unsupported(format!("the function {}", self.name)),
            Method::POST if action => Failure::unsupported(format!("the action {}", self.name)),
            _ if function || action => self.wrong_method(),
            _ if *self.binding == Binding::Unbound => {
                Failure::no_such_resource_but(self.name, &hint_of_set(&self.call.schema, self.name))
            }
            _ => Failure::no_such_resource(self.name),
        }
    }

    /// What was given for a parameter.
    fn parameter(&self, name: &str) -> Option<&ParameterValue> {
        parameter(self.parameters, name)
    }

    /// The record that a parameter stands for.
    fn reference(&self, name: &str) -> Result<custodia_org::Reference, Failure> {
        match self.parameter(name) {
            Some(ParameterValue::Reference(address)) => self.call.reference(address),
            Some(_) => {
                let message = format!("the parameter '{name}' of {} takes {{'@odata.id':'<set>(<id>)'}}", self.name);
                Err(Failure::invalid(message))
            }
            None => Err(Failure::invalid(format!("{} lacks the parameter '{name}'", self.name))),
        }
    }

    /// The id that a key says; one that says it otherwise is of a record that the caller may read. Whether a record of that id
    /// may be known of is for the operation to say.
    async fn id_of(&self, table: TableId, key: &RowKey) -> Result<Guid, Failure> {
        match key {
            RowKey::Id(id) => Ok(*id),
            key @ RowKey::Alternate(_) => record_id(self.call, self.call.table(table)?, key).await,
        }
    }

    /// The logical name of a table.
    fn table_name(&self, table: TableId) -> &str {
        self.call.schema.table(table).map_or("", |table| &table.name)
    }
}

/// What was given for a parameter of an operation.
pub(crate) fn parameter<'p>(parameters: &'p [(String, ParameterValue)], name: &str) -> Option<&'p ParameterValue> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Begins the answer of an operation.
pub(crate) fn begin(call: &Call<'_>, response_type: &str) -> Vec<u8> {
    let mut body = Vec::new();
    call.begin_body(&mut body, &format!("Microsoft.Dynamics.CRM.{response_type}"));
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    body
}
