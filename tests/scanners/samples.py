"""The organisation as the scanners find it: its tables as the service describes them, and rows of each to ask for.

The demonstration fills what a salesperson uses; here every other table gets rows too, as far as callers may make them.
"""

import uuid

from service import ask, encoded

# What a row of these needs beyond what the description says is required.
NEEDED = {
    "attributemaskingrule": lambda tables: {"entityname": "contact", "attributelogicalname": "telephone1"},
    "role": lambda tables: {"businessunitid@odata.bind": f"/businessunits({tables['businessunit'].rows[0]})"},
    "savedquery": lambda tables: {"returnedtypecode": "account", **_view()},
    "systemform": lambda tables: {"type": 2, "objecttypecode": "account"},
    "userquery": lambda tables: {"returnedtypecode": "account", **_view()},
    "workflow": lambda tables: {"primaryentity": "account"},
}


def _view():
    """What a view of accounts shows."""
    return {
        "fetchxml": '<fetch><entity name="account"><attribute name="name"/></entity></fetch>',
        "layoutxml": '<grid name="resultset" object="1" jump="name" select="1"><row name="result" id="accountid">'
        '<cell name="name" width="200"/></row></grid>',
        "querytype": 0,
    }

# Columns that a scanner does not write, since a row would stop being what other calls need of it.
LEFT_ALONE = {
    "systemuser": ("isdisabled", "accessmode", "applicationid"),
    "team": ("teamtype", "membershiptype", "isdefault"),
    "businessunit": ("isdisabled",),
}


class Table:
    """A table: its description, and ids of rows."""

    def __init__(self, description):
        self.name = description["LogicalName"]
        self.set = description["EntitySetName"]
        self.key = description["PrimaryIdAttribute"]
        self.title = description["PrimaryNameAttribute"]
        self.columns = {column["LogicalName"]: column for column in description["Attributes"]}
        # By column: the navigation and the table of each target.
        self.lookups = {}
        for relationship in description["ManyToOneRelationships"]:
            self.lookups.setdefault(relationship["ReferencingAttribute"], []).append(
                (relationship["ReferencingEntityNavigationPropertyName"], relationship["ReferencedEntity"])
            )
        self.collections = [
            (relationship["ReferencedEntityNavigationPropertyName"], relationship["ReferencingEntity"])
            for relationship in description["OneToManyRelationships"]
            if relationship["ReferencedEntityNavigationPropertyName"]
        ]
        self.links = []
        for relationship in description["ManyToManyRelationships"]:
            first = (relationship["Entity1LogicalName"], relationship["Entity1NavigationPropertyName"])
            second = (relationship["Entity2LogicalName"], relationship["Entity2NavigationPropertyName"])
            other = second[0] if first[0] == self.name else first[0]
            name = first[1] if first[0] == self.name else second[1]
            self.links.append((name, other))
        # Rows that are there, rows that a scanner may change, rows that one may delete.
        self.rows, self.own, self.doomed = [], [], []
        self.refusal = None

    def property(self, column):
        """The property that shows a column."""
        if self.columns[column]["AttributeType"] in ("Lookup", "Customer", "Owner"):
            return f"_{column}_value"
        return column

    def readable(self):
        """The columns that are properties."""
        return [
            name
            for name, column in self.columns.items()
            if column["IsValidForRead"]
            and column["IsValidODataAttribute"]
            and column["AttributeOf"] is None
            and column["AttributeTypeName"]["Value"] not in ("ImageType", "FileType")
        ]


def is_day(column):
    """Whether a column of dates holds days alone."""
    return column.get("DateTimeBehavior", {}).get("Value") == "DateOnly" or column.get("Format") == "DateOnly"


def plain_value(table, name):
    """A value that a column takes; `None` where it takes no plain one."""
    column = table.columns[name]
    kind = column["AttributeType"]
    if kind in ("String", "Memo"):
        return f"s{uuid.uuid4().hex[:8]}"[: column.get("MaxLength") or 9]
    if kind in ("Integer", "BigInt", "Decimal", "Double", "Money"):
        lowest = column.get("MinValue")
        return max(1, int(lowest)) if lowest is not None else 1
    if kind == "Boolean":
        return False
    if kind == "DateTime":
        return "2026-03-04" if is_day(column) else "2026-03-04T05:06:07Z"
    if kind in ("Picklist", "Status"):
        options = (column.get("OptionSet") or column.get("GlobalOptionSet") or {}).get("Options") or []
        return options[0]["Value"] if options else None
    if kind == "Uniqueidentifier":
        return str(uuid.uuid4())
    return None


def smallest_row(table, tables):
    """The least that makes a row of a table, as its description has it; `None` while no row is there to point at."""
    body = {}
    for name, column in table.columns.items():
        required = column["RequiredLevel"]["Value"] in ("ApplicationRequired", "SystemRequired")
        if not required or not column["IsValidForCreate"] or name == table.key:
            continue
        if column["AttributeType"] == "Owner":
            continue
        if name in table.lookups:
            for navigation, target in table.lookups[name]:
                if target in tables and tables[target].rows:
                    body[f"{navigation}@odata.bind"] = f"/{tables[target].set}({tables[target].rows[0]})"
                    break
            else:
                return None
        else:
            value = plain_value(table, name)
            if value is not None:
                body[name] = value
    body.update(NEEDED.get(table.name, lambda tables: {})(tables))
    return body


def fixed(table, tables):
    """The columns whose value is one of a few that fit together."""
    return set(NEEDED.get(table.name, lambda tables: {})(tables))


def make(table, tables):
    """Makes a row; its id, or `None`, and then `table.refusal` says why not."""
    body = smallest_row(table, tables)
    if body is None:
        table.refusal = "it needs a row of a table that has none"
        return None
    answer = ask(table.set, "POST", body, {"Prefer": "return=representation"})
    if answer.status != 201:
        table.refusal = f"{answer.status} {answer.body[:300].decode(errors='replace')} for {body}"
        return None
    table.refusal = None
    return answer.json()[table.key]


def read_tables():
    """All tables of the organisation, by logical name, with rows in each that callers may make."""
    filters = "Microsoft.Dynamics.CRM.EntityFilters%27Entity,Attributes,Relationships%27"
    answer = ask(f"RetrieveAllEntities(EntityFilters=@e,RetrieveAsIfPublished=true)?@e={filters}")
    described = answer.expect("the description of all tables").json()["EntityMetadata"]
    sets = {entry["name"] for entry in ask("").expect("the list of sets").json()["value"]}
    tables = {entity["LogicalName"]: Table(entity) for entity in described if entity["EntitySetName"] in sets}
    for table in tables.values():
        page = ask(f"{table.set}?{encoded(select=table.key, top=5)}").expect(table.set).json()["value"]
        table.rows = [row[table.key] for row in page if row.get(table.key)]
    # What a row points at has to be there first: as many rounds as tables stand behind each other.
    waiting = list(tables.values())
    while waiting:
        left = []
        for table in waiting:
            made = make(table, tables)
            if made is None:
                left.append(table)
                continue
            table.own.append(made)
            table.rows.append(made)
        if len(left) == len(waiting):
            break
        waiting = left
    for table in tables.values():
        if table.own:
            table.doomed = [made for made in (make(table, tables) for _ in range(4)) if made]
    # Links, of those to be deleted too: what goes with a record is then more than the record.
    for table in tables.values():
        for navigation, other in table.links:
            if other in tables and tables[other].own:
                address = {"@odata.id": f"{tables[other].set}({tables[other].own[0]})"}
                for linked in table.own[:1] + table.doomed:
                    ask(f"{table.set}({linked})/{navigation}/$ref", "POST", address)
    return tables


def keep(tables):
    """What calls need besides rows: records that may be merged, changes that may be taken back, a privilege, the caller."""
    caller = ask("WhoAmI").expect("WhoAmI").json()["UserId"]
    account = tables["account"]
    merged = [made for made in (make(account, tables) for _ in range(3)) if made]
    definition = "EntityDefinitions(LogicalName='account')".replace("'", "%27")
    for path in (definition, f"{definition}/Attributes(LogicalName=%27name%27)"):
        ask(path, "PUT", {"IsAuditEnabled": {"Value": True}})
    for name in ("Before", "After"):
        ask(f"accounts({account.own[0]})", "PATCH", {"name": name}).expect("a change")
    found = ask(f"audits?{encoded(select='auditid', filter=f'objectid eq {account.own[0]} and operation eq 2', top=3)}")
    changes = [row["auditid"] for row in found.expect("changes").json()["value"]]
    role = tables["role"].rows[0]
    privileges = ask(f"systemusers({caller})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges").expect("privileges")
    named = [row for row in privileges.json()["RolePrivileges"] if row["PrivilegeName"] == "prvReadAccount"]
    return {"user": caller, "merged": merged, "changes": changes, "privilege": named[0]["PrivilegeId"], "role": role}


if __name__ == "__main__":
    for found in read_tables().values():
        if not found.own:
            print(found.name, len(found.rows), found.refusal)
