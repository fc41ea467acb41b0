//! Records, preferences and headers, batches, operations, descriptions, changes and errors.

use serde_json::{Value as Json, json};

use super::case::{Case, Expected, SOMETHING, letters};
use super::row::Row;

/// Functions of the protocol that are not there yet.
const LATER_FUNCTIONS: [&str; 101] = [
    "RetrieveAadUserRoles",
    "RetrieveDuplicates",
    "RetrieveDependenciesForDelete",
    "GetValidManyToMany",
    "GetValidReferencedEntities",
    "GetValidReferencingEntities",
    "FormatAddress",
    "ExpandCalendar",
    "GetDefaultPriceLevel",
    "UtcTimeFromLocalTime",
    "LocalTimeFromUtcTime",
    "GetTimeZoneCodeByLocalizedName",
    "RetrieveUnpublished",
    "RetrieveUnpublishedMultiple",
    "FetchXmlToQueryExpression",
    "IsComponentCustomizable",
    "CalculateRollupField",
    "CanBeReferenced",
    "CanBeReferencing",
    "CanManyToMany",
    "GetFileSasUrl",
    "CalculateTotalTimeIncident",
    "CheckIncomingEmail",
    "CheckPromoteEmail",
    "DownloadReportDefinition",
    "ExecuteCosmosSqlQuery",
    "ExportFieldTranslation",
    "FindParentResourceGroup",
    "GetAllTimeZonesWithDisplayName",
    "GetDistinctValuesImportFile",
    "GetHeaderColumnsImportFile",
    "GetPreferredSolution",
    "GetQuantityDecimal",
    "GetReportHistoryLimit",
    "IncrementKnowledgeArticleViewCount",
    "IsDataEncryptionActive",
    "IsValidStateTransition",
    "QueryMultipleSchedules",
    "QuerySchedule",
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
    "RetrieveDependenciesForUninstall",
    "RetrieveDependentComponents",
    "RetrieveDeploymentLicenseType",
    "RetrieveDeprovisionedLanguages",
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
    "RetrieveUserLicenseInfo",
    "RetrieveUserPrivilegeByPrivilegeId",
    "RetrieveUserQueues",
    "RetrieveUserSetOfPrivilegesByIds",
    "RetrieveUserSetOfPrivilegesByNames",
    "RetrieveUsersPrivilegesThroughTeams",
    "SearchByBodyKbArticle",
    "SearchByKeywordsKbArticle",
    "SearchByTitleKbArticle",
    "ValidateApp",
    "ValidateRecurrenceRule",
];

/// Actions of the protocol that are not there yet.
const LATER_ACTIONS: [&str; 164] = [
    "CalculatePrice",
    "WinOpportunity",
    "LoseOpportunity",
    "QualifyLead",
    "CloseIncident",
    "WinQuote",
    "CloseQuote",
    "ReviseQuote",
    "ConvertQuoteToSalesOrder",
    "ConvertSalesOrderToInvoice",
    "CancelSalesOrder",
    "FulfillSalesOrder",
    "CalculateActualValueOpportunity",
    "SendEmail",
    "SendEmailFromTemplate",
    "AddToQueue",
    "PickFromQueue",
    "RouteTo",
    "ReleaseToQueue",
    "AddListMembersList",
    "AssociateEntities",
    "SetState",
    "SetBusinessSystemUser",
    "SetParentSystemUser",
    "ReassignObjectsOwner",
    "Rollup",
    "BookingRequests",
    "BulkDetectDuplicates",
    "ExportToExcel",
    "ImportSolution",
    "ExportSolution",
    "AddSolutionComponent",
    "CloneAsSolution",
    "InsertOptionValue",
    "UpdateOptionValue",
    "DeleteOptionValue",
    "OrderOption",
    "InsertStatusValue",
    "UpdateStateValue",
    "CreateCustomerRelationships",
    "CreatePolymorphicLookupAttribute",
    "CreateEntities",
    "ExecuteWorkflow",
    "ExecuteBulkOperation",
    "InitializeFileBlocksUpload",
    "UploadBlock",
    "CommitFileBlocksUpload",
    "InitializeFileBlocksDownload",
    "DownloadBlock",
    "DeleteFile",
    "InitializeAttachmentBlocksUpload",
    "AddAppComponents",
    "AddItemCampaign",
    "AddItemCampaignActivity",
    "AddMemberList",
    "AddPrincipalToQueue",
    "AddRecurrence",
    "ApplyRecordCreationAndUpdateRule",
    "ApplyRoutingRule",
    "AutoMapEntity",
    "Book",
    "CancelContract",
    "CloneAsPatch",
    "CloneContract",
    "CloneMobileOfflineProfile",
    "CloneProduct",
    "CommitAnnotationBlocksUpload",
    "CommitAttachmentBlocksUpload",
    "CompoundUpdateDuplicateDetectionRule",
    "ConvertOwnerTeamToAccessTeam",
    "ConvertProductToKit",
    "CopyCampaign",
    "CopyCampaignResponse",
    "CopyDynamicListToStatic",
    "CopyMembersList",
    "CopySystemForm",
    "CreateActivitiesList",
    "CreateException",
    "CreateInstance",
    "CreateKnowledgeArticleTranslation",
    "CreateKnowledgeArticleVersion",
    "CreateWorkflowFromTemplate",
    "DeleteAndPromote",
    "DeleteAndPromoteAsync",
    "DeleteAuditData",
    "DeleteOpenInstances",
    "DeliverIncomingEmail",
    "DeliverPromoteEmail",
    "DeprovisionLanguage",
    "DistributeCampaignActivity",
    "DownloadSolutionExportData",
    "ExportMappingsImportMap",
    "ExportSolutionAsync",
    "ExportTranslation",
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
    "ImportSolutionAsync",
    "ImportTranslation",
    "InitializeAnnotationBlocksDownload",
    "InitializeAnnotationBlocksUpload",
    "InitializeAttachmentBlocksDownload",
    "InstallSampleData",
    "InstantiateFilters",
    "InstantiateTemplate",
    "LockInvoicePricing",
    "LockSalesOrderPricing",
    "ParseImport",
    "ProcessInboundEmail",
    "PropagateByExpression",
    "ProvisionLanguage",
    "PublishDuplicateRule",
    "PublishProductHierarchy",
    "PublishTheme",
    "QualifyMemberList",
    "QueryExpressionToFetchXml",
    "ReassignObjectsSystemUser",
    "Recalculate",
    "RemoveAppComponents",
    "RemoveFromQueue",
    "RemoveParent",
    "RemoveSolutionComponent",
    "RenewContract",
    "RenewEntitlement",
    "Reschedule",
    "ResetUserFilters",
    "RevertProduct",
    "RevokeSharedLink",
    "SaveSettingValue",
    "SendBulkMail",
    "SendFax",
    "SendTemplate",
    "SetBusinessEquipment",
    "SetDataEncryptionKey",
    "SetFeatureStatus",
    "SetLocLabels",
    "SetPreferredSolution",
    "SetProcess",
    "SetReportRelated",
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
    "UpdateProductProperties",
    "UpdateSolutionComponent",
    "Validate",
    "ValidateSavedQuery",
];

/// Parts that existing tests show: what it is, and where it is tested.
#[rustfmt::skip]
const TESTED: &[(&str, &str)] = &[
    ("url.service-root-as-the-client-used-it", "reading.rs: a_record_is_shown_with_all_its_columns_or_those_selected"),
    ("url.keys", "reading.rs: a_record_is_found_by_every_form_of_key"),
    ("url.methods", "refusing.rs: wrong_methods_are_told_the_right_ones"),
    ("header.accept", "reading.rs: a_record_is_shown_with_all_its_columns_or_those_selected"),
    ("header.odata-version", "querying.rs: what_is_not_supported_says_so"),
    ("header.if-match", "writing.rs: conditions_are_kept"),
    ("header.if-none-match", "reading.rs: a_known_version_is_not_sent_again"),
    ("header.mscrmcallerid", "operations.rs: another_user_is_named_by_headers"),
    ("header.callerobjectid", "operations.rs: another_user_is_named_by_headers"),
    ("record.create", "writing.rs: a_new_record_is_answered_by_its_address_or_as_a_whole"),
    ("record.create-nested", "nesting.rs: a_record_is_made_with_those_around_it"),
    ("record.create-linked", "nesting.rs: existing_records_are_linked_with_a_new_one"),
    ("record.create-below-another", "nesting.rs: records_are_made_below_another"),
    ("record.create-all-or-nothing", "nesting.rs: all_of_it_or_nothing_is_made"),
    ("record.retrieve", "reading.rs: a_record_is_shown_with_all_its_columns_or_those_selected"),
    ("record.retrieve-property", "reading.rs: single_properties_are_read_alone"),
    ("record.retrieve-navigation", "reading.rs: navigation_leads_to_records_and_collections"),
    ("record.retrieve-references", "reading.rs: addresses_of_records_are_read_alone"),
    ("record.update", "writing.rs: updates_change_only_what_is_sent"),
    ("record.upsert", "writing.rs: upserts_make_or_change"),
    ("record.alternate-key", "writing.rs: alternate_keys_name_records"),
    ("record.bind", "writing.rs: links_are_bound_in_every_form"),
    ("record.single-property", "writing.rs: single_properties_are_written_alone"),
    ("record.delete", "writing.rs: records_are_deleted_once"),
    ("record.state", "writing.rs: states_change_by_update"),
    ("record.wrong-bodies", "writing.rs: bodies_that_do_not_fit_are_refused"),
    ("record.associate-single", "linking.rs: single_links_are_set_and_cleared"),
    ("record.associate-collection", "linking.rs: links_of_collections_are_added_and_removed"),
    ("annotation.formatted-value", "annotations.rs: formatted_values_are_shown_where_asked"),
    ("annotation.dates", "annotations.rs: dates_follow_the_users_settings"),
    ("annotation.amounts", "annotations.rs: amounts_follow_their_currency_at_once"),
    ("annotation.collections", "annotations.rs: collections_say_more_where_asked"),
    ("paging.next-link", "paging.rs: pages_joined_are_the_list"),
    ("paging.total", "paging.rs: a_total_holds_over_pages"),
    ("paging.long-rows", "paging.rs: pages_of_long_texts_end_early"),
    ("paging.sealed-links", "paging.rs: links_carry_everything_and_are_sealed"),
    ("batch.shapes", "batch.rs: parts_are_understood_in_every_shape"),
    ("batch.answer", "batch.rs: the_answer_has_the_form_that_clients_take_apart"),
    ("batch.change-set", "batch.rs: a_change_set_is_stored_as_a_whole"),
    ("batch.change-set-fails", "batch.rs: a_change_set_that_fails_leaves_nothing"),
    ("batch.content-id", "batch.rs: requests_refer_to_earlier_ones"),
    ("batch.failure", "batch.rs: a_batch_ends_at_the_first_failure_unless_told_otherwise"),
    ("batch.headers", "batch.rs: a_part_may_act_for_another_user"),
    ("batch.rights", "batch.rs: every_part_is_authorised_for_itself"),
    ("batch.malformed", "batch.rs: what_is_no_batch_is_refused"),
    ("batch.limits", "batch.rs: a_batch_has_limits"),
    ("prefer.continue-on-error", "batch.rs: a_batch_ends_at_the_first_failure_unless_told_otherwise"),
    ("prefer.track-changes", "delta.rs: a_list_ends_in_the_link_to_its_changes"),
    ("changes.while-pages-are-read", "delta.rs: what_changes_while_pages_are_read_is_told"),
    ("changes.pages", "delta.rs: changes_come_in_pages"),
    ("changes.deletions", "delta.rs: what_was_deleted_and_made_again"),
    ("changes.rights", "delta.rs: changes_are_told_to_whom_they_may_be_told"),
    ("changes.count", "delta.rs: changes_are_counted"),
    ("changes.refused-options-and-old-tokens", "delta.rs: what_cannot_be_tracked_is_said"),
    ("function.WhoAmI", "operations.rs: the_caller_learns_who_it_is"),
    ("function.RetrievePrincipalAccess", "operations.rs: records_are_shared_and_rights_are_told"),
    ("function.RetrieveRolePrivilegesRole", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("function.RetrieveSharedPrincipalsAndAccess", "bulk.rs: shares_are_told"),
    ("function.RetrieveMetadataChanges", "metadata.rs: changes_of_descriptions"),
    ("function.RetrieveTimestamp", "metadata.rs: changes_of_descriptions"),
    ("function.RetrieveEntity", "metadata.rs: tables_are_described_whole"),
    ("function.RetrieveAllEntities", "metadata.rs: tables_are_described_whole"),
    ("function.RetrievePrincipalAccess", "rights.rs: rights_of_a_team_are_its_own"),
    ("function.RetrieveFilteredForms", "interface.rs: forms_are_told_by_role"),
    ("function.custodia_RetrieveUserInterface", "interface.rs: the_interface_is_told_as_far_as_it_may_be_seen"),
    ("function.RetrieveUserPrivileges", "rights.rs: privileges_of_a_user_are_told"),
    ("function.RetrieveUserPrivilegeByPrivilegeName", "rights.rs: privileges_of_a_user_are_told"),
    ("function.custodia_ExplainAccess", "rights.rs: why_a_user_may_is_explained"),
    ("function.custodia_ExplainAccess", "explaining.rs: teams_privileges_and_acting_are_explained"),
    ("function.custodia_LintRoles", "explaining.rs: roles_are_looked_over"),
    ("action.GrantAccess", "operations.rs: records_are_shared_and_rights_are_told"),
    ("action.ModifyAccess", "operations.rs: records_are_shared_and_rights_are_told"),
    ("action.RevokeAccess", "operations.rs: records_are_shared_and_rights_are_told"),
    ("action.AddMembersTeam", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("action.RemoveMembersTeam", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("action.AddUserToRecordTeam", "operations.rs: users_join_the_access_team_of_a_record"),
    ("action.RemoveUserFromRecordTeam", "operations.rs: users_join_the_access_team_of_a_record"),
    ("action.AddPrivilegesRole", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("action.ReplacePrivilegesRole", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("action.RemovePrivilegeRole", "operations.rs: teams_take_members_and_roles_take_privileges"),
    ("action.Merge", "merging.rs: the_lesser_is_closed_and_its_children_move"),
    ("action.Assign", "bulk.rs: a_record_is_given_away"),
    ("action.BulkDelete", "jobs.rs: a_bulk_delete_is_a_job_that_clients_follow"),
    ("action.BulkDelete", "jobs.rs: queries_are_taken_as_they_are_meant_or_not_at_all"),
    ("action.CreateMultiple", "bulk.rs: many_records_are_made_at_once"),
    ("action.UpdateMultiple", "bulk.rs: many_records_are_changed_at_once"),
    ("action.UpsertMultiple", "bulk.rs: many_records_are_made_or_changed_at_once"),
    ("action.DeleteMultiple", "bulk.rs: many_records_are_deleted_at_once"),
    ("function.RetrieveRecordChangeHistory", "auditing.rs: histories_tell_what_became_of_a_record"),
    ("function.RetrieveAttributeChangeHistory", "auditing.rs: histories_tell_what_became_of_a_record"),
    ("function.RetrieveAuditDetails", "auditing.rs: every_kind_of_entry_has_its_detail"),
    ("action.DeleteRecordChangeHistory", "auditing.rs: a_history_is_erased_by_whoever_may"),
    ("action.custodia_RestoreFromAudit", "auditing.rs: a_value_is_restored_from_its_history"),
    ("action.PublishXml", "auditing.rs: switches_are_set_by_descriptions"),
    ("action.PublishAllXml", "auditing.rs: switches_are_set_by_descriptions"),
    ("metadata.changing", "auditing.rs: switches_are_set_by_descriptions"),
    ("operation.wrong-method", "operations.rs: operations_that_are_not_there_say_so"),
    ("metadata.$metadata", "metadata.rs: the_metadata_document"),
    ("metadata.tables", "metadata.rs: tables_are_described"),
    ("metadata.columns-and-casts", "metadata.rs: columns_are_described"),
    ("metadata.options", "metadata.rs: options_are_described"),
    ("metadata.relationships-and-keys", "metadata.rs: relationships_are_described"),
    ("metadata.operations-by-table", "metadata.rs: operations_are_looked_up_by_table"),
    ("metadata.query-options", "metadata.rs: descriptions_are_chosen_and_expanded"),
    ("metadata.errors", "metadata.rs: what_is_not_there_is_said"),
    ("metadata.rights", "metadata.rs: who_may_do_nothing_reads_no_descriptions"),
    ("limit.requests", "crates/server/src/protection.rs: requests_count_for_five_minutes_and_for_one_user"),
    ("limit.seconds", "crates/server/src/protection.rs: time_at_work_counts"),
    ("limit.concurrent-requests", "crates/server/src/protection.rs: requests_at_one_time_are_counted_until_they_are_over"),
    ("error.0x80040220", "operations.rs: records_are_shared_and_rights_are_told"),
    ("error.0x80042f09", "querying.rs: rows_that_a_caller_may_not_read_are_absent"),
    ("error.0x80060892", "writing.rs: alternate_keys_name_records"),
    ("error.0x80044352", "delta.rs: what_cannot_be_tracked_is_said"),
    ("error.0x80041102", "fetchxml.rs: senseless_queries_are_refused"),
    ("error.0x80041103", "fetchxml.rs: senseless_queries_are_refused"),
    ("error.0x8004111A", "fetchxml.rs: senseless_queries_are_refused"),
    ("error.0x80040201", "fetchxml.rs: senseless_queries_are_refused"),
    ("error.0x8004E023", "fetchxml.rs: groups_are_aggregated"),
    ("sign-in.password-and-refresh-token", "crates/server/tests/service/sign_in.rs: by_password_and_refreshed"),
    ("sign-in.client-credentials", "crates/server/tests/service/sign_in.rs: an_application_by_its_secret"),
    ("sign-in.refusals", "crates/server/tests/service/sign_in.rs: what_is_refused_says_why"),
    ("sign-in.throttling", "crates/server/tests/service/sign_in.rs: guessing_is_slowed_down"),
    ("sign-in.keys", "crates/server/tests/service/sign_in.rs: keys_are_rotated"),
    ("sign-in.token-of-one-organisation", "crates/server/tests/service/sign_in.rs: a_token_is_good_for_one_organisation_and_as_it_was_signed"),
    ("limit.body", "crates/server/tests/service/limits.rs: a_body_has_a_longest_length"),
    ("limit.address", "crates/server/tests/service/limits.rs: an_address_and_a_head_have_a_longest_length"),
    ("error.415", "writing.rs: bodies_that_do_not_fit_are_refused"),
];

/// Everything that is no query language.
pub fn protocol() -> Vec<Row> {
    let mut rows: Vec<Row> = TESTED.iter().map(|(part, test)| Row::tested(part, test)).collect();
    rows.extend(preferences());
    rows.extend(operations());
    rows.extend(descriptions());
    rows.extend(errors());
    rows.extend(addresses_and_headers());
    rows.extend(missing());
    rows
}

fn preferences() -> Vec<Row> {
    let annotated = json!({"_primarycontactid_value": "{ann}",
        "_primarycontactid_value@OData.Community.Display.V1.FormattedValue": "Ann",
        "_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact"});
    let page = json!({"value": [{"accountnumber": "A"}, {"accountnumber": "C"}], "@odata.nextLink": SOMETHING});
    let changed = Case::send(
        "PATCH",
        "accounts({contoso})?$select=fax",
        &json!({"fax": "10"}),
        Expected::Body(json!({"fax": "10"})),
    );
    vec![
        Row::asked(
            "prefer.maxpagesize",
            Case::get("accounts?$orderby=accountnumber", Expected::Body(page)).with("prefer", "odata.maxpagesize=2"),
        ),
        Row::asked(
            "prefer.maxpagesize",
            Case::get("accounts", Expected::Refused(400, "0x8006088b")).with("prefer", "odata.maxpagesize=x"),
        ),
        Row::asked(
            "prefer.include-annotations",
            Case::get("accounts({contoso})?$select=_primarycontactid_value", Expected::Body(annotated))
                .with("prefer", "odata.include-annotations=*"),
        ),
        Row::asked("prefer.return", changed.with("prefer", "return=representation")),
        Row::asked(
            "prefer.track-changes",
            Case::get("letters", Expected::Body(json!({"value": [], "@odata.deltaLink": SOMETHING})))
                .with("prefer", "odata.track-changes"),
        ),
        Row::asked(
            "prefer.continue-on-error",
            Case {
                body: "--b\nContent-Type: application/http\n\nGET nothing HTTP/1.1\n\n\n--b\nContent-Type: application/http\n\n\
                    GET WhoAmI HTTP/1.1\n\n\n--b--\n"
                    .to_owned(),
                ..Case::send("POST", "$batch", &Json::Null, Expected::Parts(&[404, 200]))
            }
            .with("content-type", "multipart/mixed;boundary=b")
            .with("prefer", "odata.continue-on-error"),
        ),
        Row::asked(
            "prefer (unknown)",
            Case::get("accounts?$filter=accountnumber eq 'C'", letters("accountnumber", "C")).with("prefer", "wait=10"),
        )
        .but("passed over"),
        Row::asked(
            "prefer.respond-async",
            Case::get("accounts?$filter=accountnumber eq 'C'", letters("accountnumber", "C")).with("prefer", "respond-async"),
        )
        .but("answered at once"),
    ]
}

fn operations() -> Vec<Row> {
    let get = |part: &str, target: &str, expected: Json| {
        Row::asked(&format!("function.{part}"), Case::get(target, Expected::Body(expected)))
    };
    let target = "Target=@t)?@t={'@odata.id':'accounts({contoso})'}";
    let mut all = vec![
        get("WhoAmI", "WhoAmI", json!({"UserId": "{admin}", "BusinessUnitId": "{unit}", "OrganizationId": SOMETHING})),
        get("RetrieveVersion", "RetrieveVersion()", json!({"Version": SOMETHING})),
        get(
            "RetrieveCurrentOrganization",
            "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')",
            json!({"Detail": {"FriendlyName": "Demo", "UrlName": "demo", "State": "Enabled", "Endpoints": {"Count": 2}}}),
        )
        .but("the address of the SOAP service, which is not there, is not told"),
        get(
            "RetrievePrincipalAccess",
            &format!("systemusers({{admin}})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess({target}"),
            json!({"AccessRights": SOMETHING}),
        ),
        get(
            "custodia_ExplainAccess",
            "systemusers({admin})/Microsoft.Dynamics.CRM.custodia_ExplainAccess(Right='ReadAccess',\
             EntityLogicalName='account')",
            json!({"Allowed": true, "PrivilegeName": "prvReadAccount", "Missing": []}),
        ),
        get("custodia_LintRoles", "custodia_LintRoles()", json!({"Findings": SOMETHING})),
        get(
            "RetrieveSharedPrincipalsAndAccess",
            &format!("RetrieveSharedPrincipalsAndAccess({target}"),
            json!({"PrincipalAccesses": []}),
        ),
        get(
            "RetrieveFilteredForms",
            "RetrieveFilteredForms(EntityLogicalName='account',FormType=2)",
            json!({"SystemForms": [{"@odata.type": "#Microsoft.Dynamics.CRM.systemform", "name": "Account"}]}),
        ),
        get("custodia_RetrieveUserInterface", "custodia_RetrieveUserInterface()", json!({"Navigation": SOMETHING})),
        get(
            "RetrieveTotalRecordCount",
            "RetrieveTotalRecordCount(EntityNames=['account','task'])",
            json!({"EntityRecordCountCollection": {"Count": 2, "Keys": ["account", "task"], "Values": [4, 15]}}),
        ),
        get(
            "RetrieveRolePrivilegesRole",
            "RetrieveRolePrivilegesRole(RoleId={role})",
            json!({"RolePrivileges": SOMETHING}),
        ),
        get(
            "InitializeFrom",
            "InitializeFrom(EntityMoniker=@m,TargetEntityName='contact',TargetFieldType=Microsoft.Dynamics.CRM.TargetFieldType\
             'ValidForCreate')?@m={'@odata.id':'accounts({contoso})'}",
            json!({"@odata.type": "#Microsoft.Dynamics.CRM.contact", "address1_city": "Paris",
                "parentcustomerid_account@odata.bind": "/accounts({contoso})"}),
        ),
        get(
            "RetrieveMetadataChanges",
            "RetrieveMetadataChanges(Query=@q)?@q={\"Criteria\":{\"Conditions\":[{\"PropertyName\":\"LogicalName\",\
             \"ConditionOperator\":\"Equals\",\"Value\":{\"Value\":\"account\",\"Type\":\"System.String\"}}]},\
             \"Properties\":{\"AllProperties\":false,\"PropertyNames\":[\"SchemaName\"]}}",
            json!({"EntityMetadata": [{"LogicalName": "account", "SchemaName": "Account"}], "ServerVersionStamp": SOMETHING}),
        ),
        get("RetrieveAvailableLanguages", "RetrieveAvailableLanguages()", json!({"LocaleIds": [1033]})),
        get(
            "RetrieveProvisionedLanguages",
            "RetrieveProvisionedLanguages",
            json!({"RetrieveProvisionedLanguages": [1033]}),
        ),
        get("RetrieveTimestamp", "RetrieveTimestamp()", json!({"Timestamp": SOMETHING})),
        get(
            "RetrieveEntity",
            "RetrieveEntity(EntityFilters=1,LogicalName='account')",
            json!({"EntityMetadata": {"EntitySetName": "accounts"}}),
        ),
        get(
            "RetrieveAllEntities",
            "RetrieveAllEntities(EntityFilters=Microsoft.Dynamics.CRM.EntityFilters'Entity')",
            json!({"EntityMetadata": SOMETHING, "Timestamp": SOMETHING}),
        ),
    ];
    let assigned =
        json!({"Target": {"@odata.id": "accounts({contoso})"}, "Assignee": {"@odata.id": "systemusers({admin})"}});
    all.push(Row::asked("action.Assign", Case::send("POST", "Assign", &assigned, Expected::Done)));
    let updated =
        json!({"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": "{contoso}", "fax": "10"}]});
    let path = "accounts/Microsoft.Dynamics.CRM.UpdateMultiple";
    all.push(Row::asked("action.UpdateMultiple", Case::send("POST", path, &updated, Expected::Done)));
    for name in LATER_FUNCTIONS {
        let case = Case::get(&format!("{name}()"), Expected::Refused(501, "0x80060888"));
        all.push(Row::asked(&format!("function.{name}"), case));
    }
    for name in LATER_ACTIONS {
        let case = Case::send("POST", name, &json!({}), Expected::Refused(501, "0x80060888"));
        all.push(Row::asked(&format!("action.{name}"), case));
    }
    all.push(Row::asked("function (unknown)", Case::get("Nothing()", Expected::Refused(404, "0x8006088a"))));
    let action = Case::get("GrantAccess", Expected::Refused(404, "0x0"));
    all.push(Row::asked("action (by GET)", action));
    all
}

fn descriptions() -> Vec<Row> {
    let get = |part: &str, target: &str, expected: Json| {
        Row::asked(&format!("metadata.{part}"), Case::get(target, Expected::Body(expected)))
    };
    let column = "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='industrycode')";
    let cast = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata";
    let post = |target: &str| {
        Case::send("POST", target, &json!({"SchemaName": "new_x"}), Expected::Refused(501, "0x80060888"))
    };
    vec![
        Row::asked("metadata.service-document", Case::get("", Expected::Body(json!({"value": SOMETHING})))),
        get(
            "EntityDefinitions",
            "EntityDefinitions?$filter=LogicalName eq 'account'&$select=EntitySetName",
            json!({"value": [{"EntitySetName": "accounts"}]}),
        ),
        get(
            "EntityDefinitions(key)",
            "EntityDefinitions(LogicalName='account')?$select=PrimaryIdAttribute,ObjectTypeCode",
            json!({"PrimaryIdAttribute": "accountid", "ObjectTypeCode": 1}),
        ),
        get(
            "Attributes",
            &format!("{column}?$select=AttributeType"),
            json!({"AttributeType": "Picklist", "@odata.type": "#Microsoft.Dynamics.CRM.PicklistAttributeMetadata"}),
        ),
        get(
            "OptionSet",
            &format!("{column}/{cast}?$select=LogicalName&$expand=OptionSet($select=Options)"),
            json!({"LogicalName": "industrycode", "OptionSet": {"Options": SOMETHING}}),
        ),
        get(
            "Keys",
            "EntityDefinitions(LogicalName='transactioncurrency')/Keys?$select=LogicalName",
            json!({"value": SOMETHING}),
        ),
        get(
            "ManyToManyRelationships",
            "EntityDefinitions(LogicalName='account')/ManyToManyRelationships?$filter=SchemaName eq 'accountleads_association'&$select=IntersectEntityName",
            json!({"value": [{"IntersectEntityName": "accountleads"}]}),
        ),
        get(
            "RelationshipDefinitions",
            "RelationshipDefinitions(SchemaName='accountleads_association')",
            json!({"RelationshipType": "ManyToManyRelationship"}),
        ),
        get("GlobalOptionSetDefinitions", "GlobalOptionSetDefinitions?$select=Name", json!({"value": SOMETHING})),
        Row::asked("metadata (write tables)", post("EntityDefinitions")),
        Row::asked("metadata (write columns)", post("EntityDefinitions(LogicalName='account')/Attributes")),
        Row::asked("metadata (write relationships)", post("RelationshipDefinitions")),
        Row::asked("metadata (write choices)", post("GlobalOptionSetDefinitions")),
    ]
}

/// Forms of addresses, and headers that change nothing.
fn addresses_and_headers() -> Vec<Row> {
    let number = || letters("accountnumber", "C");
    let one = "accounts?$filter=accountnumber eq 'C'";
    let mut all = vec![
        Row::asked("record.count", Case::get("accounts/$count", Expected::Text("4"))),
        Row::asked("record.retrieve-value", Case::get("accounts({contoso})/name/$value", Expected::Text("Contoso"))),
        Row::asked(
            "record.retrieve-property",
            Case::get("accounts({contoso})/name", Expected::Body(json!({"value": "Contoso"}))),
        ),
        Row::asked("record.retrieve-property", Case::get("accounts({far})/address1_city", Expected::Done))
            .but("204 without a value"),
        Row::asked(
            "record.retrieve-navigation",
            Case::get("accounts({contoso})/primarycontactid", Expected::Body(json!({"lastname": "Ann"}))),
        ),
        Row::asked(
            "record.retrieve-references",
            Case::get("accounts({contoso})/primarycontactid/$ref", Expected::Body(json!({"@odata.id": SOMETHING}))),
        ),
        Row::asked(
            "url.keys",
            Case::get("accounts({CONTOSO})?$select=name", Expected::Body(json!({"name": "Contoso"}))),
        )
        .but("in any case"),
        Row::asked(
            "url.keys",
            Case::get("accounts(accountid={contoso})?$select=name", Expected::Body(json!({"name": "Contoso"}))),
        ),
        Row::asked(
            "url.keys",
            Case::get("accounts(accountid=@p)?$select=name&@p={contoso}", Expected::Body(json!({"name": "Contoso"}))),
        ),
        Row::asked("url.methods", Case::send("PUT", "accounts", &json!({}), Expected::Refused(405, "0x80060888"))),
    ];
    for (header, value) in [
        ("consistency", "Strong"),
        ("if-none-match", "null"),
        ("cache-control", "no-cache"),
        ("x-ms-client-request-id", "00000000-0000-0000-0000-000000000001"),
        ("x-ms-correlation-id", "00000000-0000-0000-0000-000000000001"),
        ("mscrm.suppressduplicatedetection", "false"),
        ("mscrm.mergelabels", "true"),
        ("mscrm.solutionuniquename", "x"),
        ("mscrm.bypasscustompluginexecution", "true"),
        ("mscrm.bypassbusinesslogicexecution", "CustomSync"),
    ] {
        let row = Row::asked(&format!("header.{header}"), Case::get(one, number()).with(header, value));
        all.push(row.but("taken, no effect"));
    }
    all
}

/// What answers nothing that a request could show.
fn missing() -> Vec<Row> {
    [
        ("header.accept-encoding", "answers are not compressed"),
        ("header.origin", "no CORS"),
        ("sign-in.authorization-code", "signing in by browser is not there"),
        ("sign-in.device-code", "not there"),
        ("prefer.respond-async", "no 202: no action that is there declares it"),
        ("record.duplicate-detection", "rules are not run"),
        ("record.parties-of-activities", "neither given nor read as a part of the activity"),
        ("record.files-and-pictures", "columns of these kinds are not stored"),
        ("metadata.labels-in-other-languages", "one language, 1033"),
    ]
    .into_iter()
    .map(|(part, what)| Row::missing(part).but(what))
    .collect()
}

fn errors() -> Vec<Row> {
    let refused = |part: &str, target: &str, status: u16, code: &'static str| {
        Row::asked(&format!("error.{part}"), Case::get(target, Expected::Refused(status, code)))
    };
    let gone = "00000000-0000-0000-0000-000000000009";
    let patched = |part: &str, body: &Json, status: u16, code: &'static str| {
        let case = Case::send("PATCH", "accounts({contoso})", body, Expected::Refused(status, code));
        Row::asked(&format!("error.{part}"), case)
    };
    vec![
        refused("0x80040217", &format!("accounts({gone})"), 404, "0x80040217"),
        refused("0x80060891", "transactioncurrencies(isocurrencycode='XXX')", 404, "0x80060891"),
        refused("0x8006088a", "nothing", 404, "0x8006088a"),
        refused("0x0", "accounts?$select=nothing", 400, "0x0"),
        refused("0x80060888", "accounts?$top=x", 400, "0x80060888"),
        patched("0x80048d19", &json!({"name": 1}), 400, "0x80048d19"),
        patched("0x80044331", &json!({"name": "x".repeat(161)}), 400, "0x80044331"),
        patched("0x80044330", &json!({"numberofemployees": -1}), 400, "0x80044330"),
        patched("0x8004431A", &json!({"industrycode": 9999}), 400, "0x8004431A"),
        patched("0x80048408", &json!({"statecode": 0, "statuscode": 2}), 400, "0x80048408"),
        Row::asked(
            "error.0x80040227",
            Case::get("transactioncurrencies({currency})", Expected::Refused(405, "0x80040227")).by("DELETE"),
        )
        .but("other records depend on it"),
        Row::asked(
            "error.0x80060882",
            Case::send("PATCH", "accounts({contoso})", &json!({"fax": "1"}), Expected::Refused(412, "0x80060882"))
                .with("if-match", "W/\"1\""),
        ),
        Row::asked(
            "error.0x80040237",
            Case::send("PATCH", "accounts({contoso})", &json!({"fax": "1"}), Expected::Refused(412, "0x80040237"))
                .with("if-none-match", "*"),
        ),
    ]
}
