"""Functions and actions as a scanner can call them: for each that $metadata tells of, addresses, parameters and bodies.

$metadata says what an operation takes by type; here stand values that exist. An operation without an entry ends the scan, so
that none is left out that the service begins to have.
"""

MICROSOFT = "Microsoft.Dynamics.CRM"


def text(*values):
    """A parameter that is one of these."""
    return {"type": "string", "enum": list(values)}


def literal(*values):
    """A parameter that is one of these as a literal in quotes."""
    return text(*(f"'{value}'" for value in values))


def one_of(table):
    """Some records of a table by their addresses, as values of a parameter."""
    return [f"{{'@odata.id':'{table.set}({row})'}}" for row in table.rows[:3]]


def address(table):
    """A record of a table as a parameter, by its address."""
    return text(*one_of(table))


def body(required=(), **properties):
    """The body of an action."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or properties),
        "additionalProperties": False,
    }


def pointing(table, rows=None):
    """A record within a body, by its address."""
    return {
        "type": "object",
        "properties": {"@odata.id": text(*(f"{table.set}({row})" for row in (rows or table.rows)[:3]))},
        "required": ["@odata.id"],
        "additionalProperties": False,
    }


def several(items, most=2):
    """One or more of these."""
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def functions(tables):
    """By name: `(path, parameters)` for each way to call it. A parameter whose name begins with `@` goes into the query."""
    account, user, team, role, audit = (
        tables[name] for name in ("account", "systemuser", "team", "role", "audit")
    )
    user_id, team_id = {"id": text(*user.rows[:3])}, {"id": text(*team.rows[:3])}
    names = literal("account", "contact", "opportunity", "task", "lead")
    target = {"@t": address(account)}
    filters = text("1", "3", "15", f"{MICROSOFT}.EntityFilters'Entity'", f"{MICROSOFT}.EntityFilters'Attributes'")
    query = text(
        '{"Criteria":{"Conditions":[{"PropertyName":"LogicalName","ConditionOperator":"Equals","Value":{"Value":"account",'
        '"Type":"System.String"}}]},"Properties":{"AllProperties":false,"PropertyNames":["SchemaName"]}}'
    )
    paging = text('{"PageNumber":1,"Count":10,"ReturnTotalRecordCount":true}', '{"PageNumber":2,"Count":1}')
    access = f"{MICROSOFT}.RetrievePrincipalAccess(Target=@t)"
    explain = f"/systemusers({{id}})/{MICROSOFT}.custodia_ExplainAccess"
    explain_team = f"/teams({{id}})/{MICROSOFT}.custodia_ExplainAccess"
    asked, roles = f"{explain}(Right={{right}},EntityLogicalName={{name}}", text(*(f'["{row}"]' for row in role.rows[:3]))
    right = literal("ReadAccess", "WriteAccess", "DeleteAccess", "ShareAccess")
    return {
        "InitializeFrom": [
            (
                "/InitializeFrom(EntityMoniker=@m,TargetEntityName={name},"
                f"TargetFieldType={MICROSOFT}.TargetFieldType{{kind}})",
                {"@m": address(account), "name": literal("contact", "opportunity"), "kind": literal("ValidForCreate")},
            )
        ],
        "RetrieveAllEntities": [("/RetrieveAllEntities(EntityFilters={filters})", {"filters": text("1")})],
        "RetrieveAttributeChangeHistory": [
            (
                "/RetrieveAttributeChangeHistory(Target=@t,AttributeLogicalName={name},PagingInfo=@p)",
                {**target, "name": literal("name", "revenue"), "@p": paging},
            )
        ],
        "RetrieveAuditDetails": [
            (f"/audits({{id}})/{MICROSOFT}.RetrieveAuditDetails", {"id": text(*audit.rows[:5])})
        ],
        "RetrieveAvailableLanguages": [("/RetrieveAvailableLanguages()", {})],
        "RetrieveCurrentOrganization": [
            (
                f"/RetrieveCurrentOrganization(AccessType={MICROSOFT}.EndpointAccessType{{kind}})",
                {"kind": literal("Default")},
            )
        ],
        "RetrieveEntity": [
            (
                "/RetrieveEntity(EntityFilters={filters},LogicalName={name},RetrieveAsIfPublished={published})",
                {"filters": filters, "name": names, "published": text("true", "false")},
            )
        ],
        "RetrieveFilteredForms": [
            (
                "/RetrieveFilteredForms(EntityLogicalName={name},FormType={type})",
                {"name": names, "type": {"type": "integer", "enum": [2, 7]}},
            )
        ],
        "RetrieveMetadataChanges": [("/RetrieveMetadataChanges(Query=@q)", {"@q": query})],
        "RetrievePrincipalAccess": [
            (f"/systemusers({{id}})/{access}", {**user_id, **target}),
            (f"/teams({{id}})/{access}", {**team_id, **target}),
        ],
        "RetrieveProvisionedLanguages": [("/RetrieveProvisionedLanguages()", {})],
        "RetrieveRecordChangeHistory": [
            ("/RetrieveRecordChangeHistory(Target=@t,PagingInfo=@p)", {**target, "@p": paging})
        ],
        "RetrieveRolePrivilegesRole": [
            ("/RetrieveRolePrivilegesRole(RoleId={id})", {"id": text(*role.rows[:3])})
        ],
        "RetrieveSharedPrincipalsAndAccess": [("/RetrieveSharedPrincipalsAndAccess(Target=@t)", target)],
        "RetrieveTimestamp": [("/RetrieveTimestamp()", {})],
        "RetrieveTotalRecordCount": [
            ("/RetrieveTotalRecordCount(EntityNames=@n)", {"@n": text("['account','task']", "[\"contact\"]")})
        ],
        "custodia_RetrieveUserInterface": [
            ("/custodia_RetrieveUserInterface()", {}),
            ("/custodia_RetrieveUserInterface(EntityLogicalName={name})", {"name": literal("account", "contact")}),
        ],
        "RetrieveUserPrivilegeByPrivilegeName": [
            (
                f"/systemusers({{id}})/{MICROSOFT}.RetrieveUserPrivilegeByPrivilegeName(PrivilegeName={{name}})",
                {**user_id, "name": literal("prvReadAccount", "prvWriteContact")},
            )
        ],
        "RetrieveUserPrivileges": [(f"/systemusers({{id}})/{MICROSOFT}.RetrieveUserPrivileges", user_id)],
        "RetrieveVersion": [("/RetrieveVersion()", {})],
        "WhoAmI": [("/WhoAmI", {})],
        "custodia_LintRoles": [("/custodia_LintRoles()", {})],
        "custodia_ExplainAccess": [
            (f"{explain}(Right={{right}},Target=@t)", {**user_id, "right": right, **target}),
            (f"{explain}(Right={{right}},EntityLogicalName={{name}})", {**user_id, "right": right, "name": names}),
            (
                f"{explain}(Right={{right}},EntityLogicalName={{name}},AttributeLogicalName={{column}})",
                {**user_id, "right": right, "name": literal("account"), "column": literal("name", "revenue")},
            ),
            (f"{asked},WithRoles=@r)", {**user_id, "right": right, "name": names, "@r": roles}),
            (f"{asked},WithoutRoles=@r)", {**user_id, "right": right, "name": names, "@r": roles}),
            (
                f"{explain}(Right={{right}},Target=@t,NewOwner=@o)",
                {**user_id, "right": literal("AssignAccess"), **target, "@o": text(*one_of(user), *one_of(team))},
            ),
            (f"{explain}(PrivilegeName={{name}})", {**user_id, "name": literal("prvMerge", "prvExportToExcel")}),
            (f"{explain}(ActingFor=@u)", {**user_id, "@u": address(user)}),
            (f"{explain_team}(Right={{right}},Target=@t)", {**team_id, "right": right, **target}),
        ],
    }


def actions(tables, kept):
    """By name: `(path, parameters, body)`. `kept` is what samples.keep made."""
    account, user, team, role, contact, audit = (
        tables[name] for name in ("account", "systemuser", "team", "role", "contact", "audit")
    )
    template = tables["teamtemplate"]
    privilege = {
        "type": "object",
        "properties": {"PrivilegeId": text(kept["privilege"]), "Depth": text("Basic", "Local", "Deep", "Global")},
        "required": ["PrivilegeId", "Depth"],
        "additionalProperties": False,
    }
    members = body(Members=several(pointing(user, user.own)))
    share = body(
        Target=pointing(account),
        PrincipalAccess=body(Principal=pointing(user, user.own), AccessMask=text("ReadAccess", "ReadAccess, WriteAccess")),
    )
    joining = body(Record=pointing(account, account.own), TeamTemplate=pointing(template))
    kind = f"{MICROSOFT}.account"

    def targets(**properties):
        item = body(required=["@odata.type", *properties], **{"@odata.type": text(kind)}, **properties)
        return body(Targets=several(item, 3))

    name = {"type": "string", "pattern": "^[A-Za-z ]{1,20}$"}
    own = text(*account.own)
    bulk = f"/accounts/{MICROSOFT}."
    criteria = {
        "EntityName": "account",
        "Criteria": {
            "FilterOperator": "And",
            "Conditions": [{"AttributeName": "name", "Operator": "Equal", "Values": ["nobody is called this"]}],
        },
    }
    merged = body(
        required=["accountid", "@odata.type"], **{"accountid": text(*kept["merged"]), "@odata.type": text(kind)}
    )
    return {
        "AddMembersTeam": [(f"/teams({{id}})/{MICROSOFT}.AddMembersTeam", {"id": text(*team.own)}, members)],
        "AddPrivilegesRole": [
            (f"/roles({{id}})/{MICROSOFT}.AddPrivilegesRole", {"id": text(*role.own)}, body(Privileges=several(privilege, 1)))
        ],
        "AddUserToRecordTeam": [
            (f"/systemusers({{id}})/{MICROSOFT}.AddUserToRecordTeam", {"id": text(*user.own)}, joining)
        ],
        "Assign": [("/Assign", {}, body(Target=pointing(contact), Assignee=pointing(user, [kept["user"]])))],
        "BulkDelete": [
            (
                "/BulkDelete",
                {},
                body(required=["QuerySet"], QuerySet=several({"enum": [criteria]}, 1), JobName=text("scan")),
            )
        ],
        "CreateMultiple": [(f"{bulk}CreateMultiple", {}, targets(name=name))],
        "DeleteMultiple": [(f"{bulk}DeleteMultiple", {}, targets(accountid=text(*account.doomed[2:])))],
        "DeleteRecordChangeHistory": [("/DeleteRecordChangeHistory", {}, body(Target=pointing(account)))],
        "GrantAccess": [("/GrantAccess", {}, share)],
        "Merge": [
            ("/Merge", {}, body(Target=merged, Subordinate=merged, PerformParentingChecks={"type": "boolean"}))
        ],
        "ModifyAccess": [("/ModifyAccess", {}, share)],
        "PublishAllXml": [("/PublishAllXml", {}, None)],
        "PublishXml": [
            (
                "/PublishXml",
                {},
                body(
                    ParameterXml=text(
                        "<importexportxml><entities><entity>account</entity></entities></importexportxml>"
                    )
                ),
            )
        ],
        "RemoveMembersTeam": [(f"/teams({{id}})/{MICROSOFT}.RemoveMembersTeam", {"id": text(*team.own)}, members)],
        "RemovePrivilegeRole": [
            (
                f"/roles({{id}})/{MICROSOFT}.RemovePrivilegeRole",
                {"id": text(*role.own)},
                body(PrivilegeId=text(kept["privilege"])),
            )
        ],
        "RemoveUserFromRecordTeam": [
            (f"/systemusers({{id}})/{MICROSOFT}.RemoveUserFromRecordTeam", {"id": text(*user.own)}, joining)
        ],
        "ReplacePrivilegesRole": [
            (
                f"/roles({{id}})/{MICROSOFT}.ReplacePrivilegesRole",
                {"id": text(*role.own)},
                body(Privileges=several(privilege, 1)),
            )
        ],
        "custodia_RestoreFromAudit": [
            (
                f"/audits({{id}})/{MICROSOFT}.custodia_RestoreFromAudit",
                {"id": text(*(kept["changes"] or audit.rows[:1]))},
                body(required=["AttributeLogicalNames"], AttributeLogicalNames=several(text("name"), 1)),
            )
        ],
        "RevokeAccess": [("/RevokeAccess", {}, body(Target=pointing(account), Revokee=pointing(user, user.own)))],
        "UpdateMultiple": [(f"{bulk}UpdateMultiple", {}, targets(accountid=own, name=name))],
        "UpsertMultiple": [(f"{bulk}UpsertMultiple", {}, targets(accountid=own, name=name))],
    }
