//! Functions and actions: one file for each that is there.

mod members;
mod retrieve_principal_access;
mod retrieve_version;
mod roles;
mod sharing;
mod who_am_i;

use bytes::Bytes;
use custodia_query::odata::{Binding, ParameterValue};
use custodia_schema::TableId;
use http::{Method, Response};

use crate::call::Call;
use crate::failure::Failure;

/// Functions of the protocol that are not here yet.
const LATER_FUNCTIONS: &[&str] = &[
    "CalculateRollupField",
    "CanBeReferenced",
    "CanBeReferencing",
    "CanManyToMany",
    "ExpandCalendar",
    "FetchXmlToQueryExpression",
    "FormatAddress",
    "GetDefaultPriceLevel",
    "GetFileSasUrl",
    "GetTimeZoneCodeByLocalizedName",
    "GetValidManyToMany",
    "GetValidReferencedEntities",
    "GetValidReferencingEntities",
    "InitializeFrom",
    "IsComponentCustomizable",
    "LocalTimeFromUtcTime",
    "RetrieveAadUserRoles",
    "RetrieveAllEntities",
    "RetrieveAttributeChangeHistory",
    "RetrieveAuditDetails",
    "RetrieveAvailableLanguages",
    "RetrieveCurrentOrganization",
    "RetrieveDependenciesForDelete",
    "RetrieveDuplicates",
    "RetrieveEntity",
    "RetrieveMetadataChanges",
    "RetrieveProvisionedLanguages",
    "RetrieveRecordChangeHistory",
    "RetrieveSharedPrincipalsAndAccess",
    "RetrieveTimestamp",
    "RetrieveTotalRecordCount",
    "RetrieveUnpublished",
    "RetrieveUnpublishedMultiple",
    "RetrieveUserPrivilegeByPrivilegeName",
    "RetrieveUserPrivileges",
    "UtcTimeFromLocalTime",
];

/// Actions of the protocol that are not here yet.
const LATER_ACTIONS: &[&str] = &[
    "AddListMembersList",
    "AddSolutionComponent",
    "AddToQueue",
    "AddUserToRecordTeam",
    "Assign",
    "AssociateEntities",
    "BookingRequests",
    "BulkDelete",
    "BulkDetectDuplicates",
    "CalculateActualValueOpportunity",
    "CancelSalesOrder",
    "CloneAsSolution",
    "CloseIncident",
    "CloseQuote",
    "CommitFileBlocksUpload",
    "ConvertQuoteToSalesOrder",
    "ConvertSalesOrderToInvoice",
    "CreateCustomerRelationships",
    "CreateEntities",
    "CreateMultiple",
    "CreatePolymorphicLookupAttribute",
    "DeleteFile",
    "DeleteMultiple",
    "DeleteOptionValue",
    "DownloadBlock",
    "ExecuteBulkOperation",
    "ExecuteWorkflow",
    "ExportSolution",
    "ExportToExcel",
    "FulfillSalesOrder",
    "ImportSolution",
    "InitializeAttachmentBlocksUpload",
    "InitializeFileBlocksDownload",
    "InitializeFileBlocksUpload",
    "InsertOptionValue",
    "InsertStatusValue",
    "LoseOpportunity",
    "Merge",
    "OrderOption",
    "PickFromQueue",
    "PublishAllXml",
    "PublishXml",
    "QualifyLead",
    "ReassignObjectsOwner",
    "ReleaseToQueue",
    "ReviseQuote",
    "Rollup",
    "RouteTo",
    "SendEmail",
    "SendEmailFromTemplate",
    "SetBusinessSystemUser",
    "SetParentSystemUser",
    "SetState",
    "UpdateMultiple",
    "UpdateOptionValue",
    "UpdateStateValue",
    "UploadBlock",
    "UpsertMultiple",
    "WinOpportunity",
    "WinQuote",
];

/// Calls a function or an action.
pub(crate) async fn call(
    call: &Call<'_>,
    binding: &Binding,
    name: &str,
    parameters: &[(String, ParameterValue)],
) -> Result<Response<Bytes>, Failure> {
    let operation = Operation { call, binding, name, parameters };
    match name {
        "WhoAmI" => {
            operation.expect(&Method::GET, Bound::Nothing)?;
            who_am_i::answer(call).await
        }
        "RetrieveVersion" => {
            operation.expect(&Method::GET, Bound::Nothing)?;
            Ok(retrieve_version::answer(call))
        }
        "RetrievePrincipalAccess" => {
            operation.expect(&Method::GET, Bound::Record)?;
            retrieve_principal_access::answer(&operation).await
        }
        "GrantAccess" | "ModifyAccess" | "RevokeAccess" => {
            operation.expect(&Method::POST, Bound::Nothing)?;
            sharing::answer(&operation).await
        }
        "AddPrivilegesRole" | "ReplacePrivilegesRole" | "RemovePrivilegeRole" => {
            operation.expect(&Method::POST, Bound::Record)?;
            roles::change(&operation).await
        }
        "RetrieveRolePrivilegesRole" => {
            operation.expect(&Method::GET, Bound::Nothing)?;
            roles::retrieve(&operation).await
        }
        "AddMembersTeam" | "RemoveMembersTeam" => {
            operation.expect(&Method::POST, Bound::Record)?;
            members::answer(&operation).await
        }
        _ => Err(operation.absent()),
    }
}

/// What an operation is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Nothing,
    Record,
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
            Binding::Collection(_) => false,
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
            _ => Failure::no_such_resource(self.name),
        }
    }

    /// The record that a parameter stands for.
    fn reference(&self, name: &str) -> Result<custodia_org::Reference, Failure> {
        match self.parameters.iter().find(|(known, _)| known == name) {
            Some((_, ParameterValue::Reference(address))) => self.call.reference(address),
            Some(_) => {
                let message = format!("the parameter '{name}' of {} takes {{'@odata.id':'<set>(<id>)'}}", self.name);
                Err(Failure::invalid(message))
            }
            None => Err(Failure::invalid(format!("{} lacks the parameter '{name}'", self.name))),
        }
    }

    /// The logical name of a table.
    fn table_name(&self, table: TableId) -> &str {
        self.call.schema.table(table).map_or("", |table| &table.name)
    }
}

/// Begins the answer of an operation.
fn begin(call: &Call<'_>, response_type: &str) -> Vec<u8> {
    let mut body = Vec::new();
    call.begin_body(&mut body, &format!("Microsoft.Dynamics.CRM.{response_type}"));
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    body
}
