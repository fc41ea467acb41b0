"""Writes what the service takes and answers as an OpenAPI document, out of what the running service says of itself: its sets,
the descriptions of its tables, and $metadata for functions and actions. What is asked for exists, so that calls can succeed.

Options that exclude each other are told apart by the version in the address, since all versions are the same service: v9.2 has
the options of OData, v9.1 FetchXML, v9.0 the selection in SQL.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

import operations
import samples
from operations import literal, several, text
from service import ORGANIZATION, PASSWORD, ROOT, USER, ask, encoded

# Tables whose every kind of address is asked; of the others the set, its number, and one record.
WHOLE = ("account", "contact", "opportunity", "incident", "task", "team", "role", "systemuser", "product", "transactioncurrency")

# What every address may answer besides its successes. 500 and 503 are not among them; 501 is, and counted by itself.
REFUSALS = ("400", "401", "403", "404", "405", "410", "412", "413", "414", "415", "429", "501")

LOOKUPS = ("Lookup", "Customer", "Owner")
NUMBERS = ("Integer", "BigInt", "Decimal", "Double", "Money")

V92, V91, V90 = (f"/api/data/{version}" for version in ("v9.2", "v9.1", "v9.0"))


class Document:
    """The document as it grows."""

    def __init__(self):
        self.paths = {}
        self.schemas = {
            "error": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {"code": {"type": "string", "pattern": "^0x"}, "message": {"type": "string"}},
                    }
                },
            },
            "refusal": {
                "type": "object",
                "required": ["error", "error_description"],
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
            },
            "any": {"type": "object"},
            "page": {
                "type": "object",
                "required": ["value"],
                "properties": {"value": {"type": "array", "items": {"type": "object"}}},
            },
        }

    def add(self, method, path, answers, parameters=(), body=None, kind="application/json", tag="", open_to_all=False):
        """An operation. `answers` has a schema by status: the name of one, a media type for texts, or `None` for no body."""
        responses = {}
        for status, schema in answers.items():
            responses[status] = {"description": "done"}
            if schema and "/" in schema:
                responses[status]["content"] = {schema: {"schema": {"type": "string"}}}
            elif schema:
                reference = {"$ref": f"#/components/schemas/{schema}"}
                responses[status]["content"] = {"application/json": {"schema": reference}}
        refused = {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
        for status in REFUSALS:
            responses.setdefault(status, {"description": "refused", "content": refused})
        operation = {"operationId": f"{method} {path}", "tags": [tag], "responses": responses, "parameters": list(parameters)}
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {kind: {"schema": body}}}
        if open_to_all:
            operation["security"] = []
        self.paths.setdefault(path, {})[method.lower()] = operation


def in_path(name, schema):
    return {"name": name, "in": "path", "required": True, "schema": schema}


def in_query(name, schema, required=False):
    parameter = {"name": name, "in": "query", "required": required, "schema": schema}
    if schema.get("type") == "array":
        parameter.update(style="form", explode=False)
    return parameter


def shown(table):
    """The schema of a record in an answer."""
    properties = {}
    for name in table.readable():
        kind = table.columns[name]["AttributeType"]
        if kind in ("Boolean",):
            types = ["boolean", "null"]
        elif kind in ("Integer", "Picklist", "State", "Status", "BigInt"):
            types = ["integer", "null"]
        elif kind in ("Decimal", "Double", "Money"):
            types = ["number", "null"]
        elif kind in ("String", "Memo", "DateTime", "Uniqueidentifier", "EntityName", *LOOKUPS):
            types = ["string", "null"]
        else:
            continue
        properties[table.property(name)] = {"type": types}
    return {"type": "object", "properties": properties}


def taken(table, tables, changing):
    """The schema of a body that makes or changes a record: what is required, and a few columns of each kind besides."""
    properties, required, seen = {}, [], {}
    smallest = samples.smallest_row(table, tables) if not changing else {}
    for name, value in (smallest or {}).items():
        properties[name] = value_schema(table, name) if name in table.columns else {"enum": [value]}
        if name in samples.fixed(table, tables):
            properties[name] = {"enum": [value]}
        required.append(name)
    for name, column in table.columns.items():
        open_now = column["IsValidForUpdate" if changing else "IsValidForCreate"]
        if not open_now or name == table.key or name in properties or column["AttributeOf"]:
            continue
        kind = column["AttributeType"]
        if kind in ("State", "Status", *LOOKUPS) or name in samples.LEFT_ALONE.get(table.name, ()):
            continue
        schema = value_schema(table, name)
        if schema is None or seen.get(kind, 0) >= 3:
            continue
        seen[kind] = seen.get(kind, 0) + 1
        properties[name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **({"minProperties": 1} if changing and properties else {}),
    }


def value_schema(table, name):
    """The schema of a value that a column takes; `None` where it takes none by itself."""
    column = table.columns[name]
    kind = column["AttributeType"]
    if kind in ("String", "Memo"):
        longest = min(column.get("MaxLength") or 40, 40)
        # Of Unicode what a person could type: letters, signs, no control characters.
        return {"type": "string", "pattern": f"^[A-Za-zäßñ日本 .,'\"%_()<>;-]{{1,{longest}}}$"}
    if kind in NUMBERS:
        lowest, highest = column.get("MinValue"), column.get("MaxValue")
        lowest = max(int(lowest if lowest is not None else 0), -1000000)
        highest = min(int(highest if highest is not None else 1000000), 1000000)
        return {"type": "integer", "minimum": lowest, "maximum": highest}
    if kind == "Boolean":
        return {"type": "boolean"}
    if kind == "DateTime":
        day = "^20[0-4][0-9]-0[1-9]-[12][0-9]"
        day_only = column.get("DateTimeBehavior", {}).get("Value") == "DateOnly" or column.get("Format") == "DateOnly"
        return {"type": "string", "pattern": f"{day}$" if day_only else f"{day}T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z$"}
    if kind in ("Picklist", "Status"):
        options = (column.get("OptionSet") or column.get("GlobalOptionSet") or {}).get("Options") or []
        return {"type": "integer", "enum": [option["Value"] for option in options]} if options else None
    if kind == "Uniqueidentifier":
        return {"type": "string", "format": "uuid"}
    return None


def options(table, tables, alone=False):
    """The options of OData for a set, or for one record."""
    readable = [table.property(name) for name in table.readable()]
    simple = ("String", "DateTime", "Boolean", *NUMBERS)
    plain = [name for name in table.readable() if table.columns[name]["AttributeType"] in simple]
    chosen = {"type": "array", "items": text(*readable[:40]), "minItems": 1, "maxItems": 5, "uniqueItems": True}
    navigations = [
        found[0][0]
        for name, found in table.lookups.items()
        if len(found) == 1 and found[0][0] and found[0][1] in tables and name in table.columns
    ]
    given = [in_query("$select", chosen)]
    if navigations:
        expanded = {"type": "array", "items": text(*navigations[:6]), "minItems": 1, "maxItems": 2, "uniqueItems": True}
        given.append(in_query("$expand", expanded))
    if alone:
        return given
    tests = conditions(table)
    if tests:
        given.append(in_query("$filter", {"anyOf": [{"type": "string", "pattern": f"^{test}$"} for test in tests]}))
    if plain:
        orders = text(*(f"{name} {way}" for name in plain[:6] for way in ("asc", "desc")))
        given.append(in_query("$orderby", {"type": "array", "items": orders, "minItems": 1, "maxItems": 1}))
    given.append(in_query("$top", {"type": "integer", "minimum": 1, "maximum": 5}))
    given.append(in_query("$count", {"type": "boolean"}))
    return given


def conditions(table):
    """Patterns of conditions, one or two of each kind of column."""
    found, seen = [], {}
    word = "[A-Za-z0-9 %_.]{0,12}"
    for name in table.readable():
        kind = table.columns[name]["AttributeType"]
        if seen.get(kind, 0) >= 2:
            continue
        if kind == "String":
            found.append(f"{name} (eq|ne|gt|lt|ge|le) '{word}'")
            found.append(f"(contains|startswith|endswith)\\({name},'[a-z%_]{{1,8}}'\\)")
            found.append(f"not \\({name} eq '{word}'\\) (and|or) {name} (ne|eq) null")
        elif kind in ("Integer", "Decimal", "Money", "Double", "BigInt"):
            found.append(f"{name} (eq|ne|gt|ge|lt|le) [1-9][0-9]{{0,3}}")
        elif kind == "Boolean":
            found.append(f"{name} (eq|ne) (true|false)")
        elif kind == "DateTime":
            found.append(f"{name} (gt|ge|lt|le) 20[0-3][0-9]-0[1-9]-[12][0-9]")
        elif kind in LOOKUPS:
            found.append(f"{table.property(name)} (eq|ne) null")
        elif kind == "Uniqueidentifier" and name == table.key and table.rows:
            found.append(f"{name} eq {table.rows[0]}")
        else:
            continue
        seen[kind] = seen.get(kind, 0) + 1
    return found


def add_table(document, table, tables):
    """A set: its page, its number, one record, and making, changing and deleting one."""
    name, where = table.set, f"{V92}/{table.set}"
    document.schemas[table.name] = shown(table)
    document.schemas[f"{table.name}.page"] = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "array", "items": {"$ref": f"#/components/schemas/{table.name}"}}},
    }
    tests = options(table, tables)
    document.add("GET", where, {"200": f"{table.name}.page"}, tests, tag=name)
    counting = [option for option in tests if option["name"] == "$filter"]
    document.add("GET", f"{where}/$count", {"200": "text/plain"}, counting, tag=name)
    key = f"{where}({{key}})"
    if table.rows:
        readable = in_path("key", text(*table.rows[:3]))
        document.add("GET", key, {"200": table.name}, [readable, *options(table, tables, alone=True)], tag=name)
    if table.own:
        changed = in_path("key", text(*table.own))
        document.add("POST", where, {"204": None}, body=taken(table, tables, changing=False), tag=name)
        document.add("PATCH", key, {"204": None}, [changed], body=taken(table, tables, changing=True), tag=name)
        document.add("DELETE", key, {"204": None}, [in_path("key", text(*(table.doomed[:2] or table.own)))], tag=name)


def add_languages(document, table):
    """The other languages of queries."""
    if not table.title:
        return
    name, where, title = table.set, table.set, table.title
    fetch = (
        f'^<fetch( top="[1-9]")?( distinct="true")?><entity name="{table.name}"><attribute name="{title}"/>'
        f'<order attribute="{title}"( descending="true")?/>'
        f'<filter type="(and|or)"><condition attribute="{title}" operator="(eq|ne|like|not-like|begins-with|ends-with)" '
        'value="[a-z%_]{1,9}"/>'
        f'<condition attribute="{table.key}" operator="(null|not-null)"/></filter></entity></fetch>$'
    )
    given = in_query("fetchXml", {"type": "string", "pattern": fetch}, required=True)
    document.add("GET", f"{V91}/{where}", {"200": "page"}, [given], tag=name)
    selection = (
        f"^select (distinct |top [1-9] )?{title} from {table.name} where {title} (=|<>|<|>|like) '[a-z%_]{{1,9}}'"
        f"( (and|or) {title} is (not )?null)? order by {title}( desc)?$"
    )
    given = in_query("sql", {"type": "string", "pattern": selection}, required=True)
    document.add("GET", f"{V90}/{where}", {"200": "page"}, [given], tag=name)


def add_whole(document, table, tables):
    """Columns, links and related records of a set."""
    name, where = table.set, f"{V92}/{table.set}"
    key, own = in_path("key", text(*table.rows[:3])), in_path("key", text(*table.own))
    one = f"{where}({{key}})"
    title = table.title
    document.add("GET", f"{one}/{title}", {"200": "any", "204": None}, [key], tag=name)
    document.add("GET", f"{one}/{title}/$value", {"200": "text/plain", "204": None}, [key], tag=name)
    if table.columns[title]["IsValidForUpdate"]:
        value = {
            "type": "object",
            "properties": {"value": value_schema(table, title)},
            "required": ["value"],
            "additionalProperties": False,
        }
        document.add("PUT", f"{one}/{title}", {"204": None}, [own], body=value, tag=name)
    cleared = next(
        (
            column
            for column, told in table.columns.items()
            if told["AttributeType"] in ("String", "Memo")
            and told["IsValidForUpdate"]
            and told["RequiredLevel"]["Value"] == "None"
        ),
        None,
    )
    if cleared:
        document.add("DELETE", f"{one}/{cleared}", {"204": None}, [own], tag=name)
    pointing = [
        (found[0][0], tables[found[0][1]], column)
        for column, found in table.lookups.items()
        if len(found) == 1 and found[0][1] in tables and column in table.columns
    ]
    if pointing:
        navigation = pointing[0][0]
        document.add("GET", f"{one}/{navigation}", {"200": "any", "204": None}, [key], tag=name)
        document.add("GET", f"{one}/{navigation}/$ref", {"200": "any", "204": None}, [key], tag=name)
    writable = [
        (navigation, target, column)
        for navigation, target, column in pointing
        if table.columns[column]["IsValidForUpdate"]
        and target.rows
        and target.name not in ("systemuser", "businessunit", table.name)
        and table.columns[column]["RequiredLevel"]["Value"] == "None"
    ]
    if writable:
        navigation, target, _ = writable[0]
        address = operations.pointing(target)
        document.add("PUT", f"{one}/{navigation}/$ref", {"204": None}, [own], body=address, tag=name)
        document.add("DELETE", f"{one}/{navigation}/$ref", {"204": None}, [own], tag=name)
    reached = [(navigation, tables[other]) for navigation, other in table.collections if other in tables]
    if reached:
        navigation, other = next(((n, o) for n, o in reached if o.name in ("task", "contact", "account")), reached[0])
        document.add("GET", f"{one}/{navigation}", {"200": "page"}, [key, *options(other, tables)], tag=name)
        document.add("GET", f"{one}/{navigation}/$count", {"200": "text/plain"}, [key], tag=name)
        document.add("GET", f"{one}/{navigation}/$ref", {"200": "page"}, [key], tag=name)
        if other.own:
            made = taken(other, tables, changing=False)
            document.add("POST", f"{one}/{navigation}", {"204": None}, [own], body=made, tag=name)
    if table.links:
        linked = [(navigation, tables[other]) for navigation, other in table.links if other in tables and tables[other].own]
        if linked:
            navigation, other = linked[0]
            address = operations.pointing(other, other.own)
            member = in_path("member", text(*other.own))
            document.add("GET", f"{one}/{navigation}", {"200": "page"}, [key], tag=name)
            document.add("POST", f"{one}/{navigation}/$ref", {"204": None}, [own], body=address, tag=name)
            document.add("DELETE", f"{one}/{navigation}({{member}})/$ref", {"204": None}, [own, member], tag=name)
            document.add("GET", f"{one}/{navigation}({{member}})", {"200": "any"}, [own, member], tag=name)


def add_definitions(document, tables):
    """What describes tables, relationships, choices and messages."""
    chosen = lambda *names: in_query("$select", several(text(*names)), required=True)
    names = in_path("name", literal("account", "contact", "task"))
    one = f"{V92}/EntityDefinitions(LogicalName={{name}})"
    where = in_query("$filter", text("LogicalName eq 'account'", "IsPrivate eq false", "OwnershipType eq 'UserOwned'"))
    add = lambda method, path, answers, given=(), **more: document.add(method, path, answers, given, tag="descriptions", **more)
    add("GET", f"{V92}/EntityDefinitions", {"200": "page"}, [chosen("LogicalName", "EntitySetName", "SchemaName"), where])
    add("GET", one, {"200": "any"}, [names, in_query("$select", several(text("LogicalName", "ObjectTypeCode", "SchemaName")))])
    add("GET", f"{one}/DisplayName", {"200": "any"}, [names])
    add("GET", f"{one}/EntitySetName/$value", {"200": "text/plain"}, [names])
    add("GET", f"{one}/Attributes", {"200": "page"}, [names, chosen("LogicalName", "AttributeType")])
    column = in_path("column", literal("createdon", "ownerid", "statecode"))
    add("GET", f"{one}/Attributes(LogicalName={{column}})", {"200": "any"}, [names, column])
    cast = f"{operations.MICROSOFT}.PicklistAttributeMetadata"
    expanded = in_query("$expand", text("OptionSet"))
    add("GET", f"{one}/Attributes/{cast}", {"200": "page"}, [names, chosen("LogicalName"), expanded])
    for collection in ("Keys", "ManyToManyRelationships", "ManyToOneRelationships", "OneToManyRelationships"):
        add("GET", f"{one}/{collection}", {"200": "page"}, [names, chosen("SchemaName")])
    add("GET", f"{V92}/RelationshipDefinitions", {"200": "page"}, [chosen("SchemaName")])
    named = in_path("name", literal("contact_customer_accounts", "accountleads_association"))
    add("GET", f"{V92}/RelationshipDefinitions(SchemaName={{name}})", {"200": "any"}, [named])
    add("GET", f"{V92}/GlobalOptionSetDefinitions", {"200": "page"}, [chosen("Name")])
    choices = ask(f"GlobalOptionSetDefinitions?{encoded(select='Name')}").expect("choices").json()["value"]
    if choices:
        named = in_path("name", literal(*(choice["Name"] for choice in choices[:3])))
        add("GET", f"{V92}/GlobalOptionSetDefinitions(Name={{name}})", {"200": "any"}, [named])
    add("GET", f"{V92}/ManagedPropertyDefinitions", {"200": "page"}, [chosen("LogicalName")])
    for found in ("sdkmessages", "sdkmessagefilters"):
        add("GET", f"{V92}/{found}", {"200": "page"}, [in_query("$top", {"type": "integer", "minimum": 1, "maximum": 5})])
    switch = operations.body(IsAuditEnabled=operations.body(Value={"type": "boolean"}))
    for method in ("PUT", "PATCH"):
        add(method, one, {"204": None}, [names], body=switch)
    switched = in_path("column", literal("createdon"))
    add("PUT", f"{one}/Attributes(LogicalName={{column}})", {"204": None}, [names, switched], body=switch)
    made = operations.body(SchemaName=text("new_x"))
    for missing in ("EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"):
        add("POST", f"{V92}/{missing}", {"501": "error"}, body=made)


def add_operations(document, tables, kept):
    """Functions and actions, each that $metadata tells of."""
    told = ElementTree.fromstring(ask("$metadata").expect("$metadata").body)
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"
    functions, actions = operations.functions(tables), operations.actions(tables, kept)
    for kind, known in (("Function", functions), ("Action", actions)):
        unknown = {element.get("Name") for element in told.iter(f"{edm}{kind}")} ^ set(known)
        if unknown:
            raise SystemExit(f"$metadata and tests/scanners/operations.py have not the same {kind}s: {sorted(unknown)}")
    for name, ways in functions.items():
        for path, given in ways:
            parameters = [
                in_query(parameter, schema, required=True) if parameter.startswith("@") else in_path(parameter, schema)
                for parameter, schema in given.items()
            ]
            document.add("GET", f"{V92}{path}", {"200": "any"}, parameters, tag=name)
    for name, ways in actions.items():
        for path, given, body in ways:
            parameters = [in_path(parameter, schema) for parameter, schema in given.items()]
            document.add("POST", f"{V92}{path}", {"200": "any", "204": None}, parameters, body=body, tag=name)


def add_service(document, tables):
    """The service itself: its root, $metadata, batches, and signing in."""
    document.add("GET", f"{V92}/", {"200": "page"}, tag="service")
    document.add("GET", f"{V92}/$metadata", {"200": "application/xml"}, tag="service")
    account = tables["account"]
    part = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET accounts({account.rows[0]})?$select=name HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n--b--\r\n"
    )
    change = (
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n"
        "Content-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\n"
        f"PATCH accounts({account.own[0]}) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
        '{"name":"by a batch"}\r\n--c--\r\n--b--\r\n'
    )
    document.add(
        "POST", f"{V92}/$batch", {"200": "multipart/mixed"}, body=text(part, change), kind="multipart/mixed", tag="service"
    )
    form = operations.body(
        grant_type=text("password"), username=text(USER), password=text(PASSWORD), client_id=text("scan"), scope=text("openid")
    )
    answers = {"200": "any", "400": "refusal", "401": "refusal", "429": "refusal"}
    kind = "application/x-www-form-urlencoded"
    for path in ("oauth2/v2.0/token", "oauth2/token"):
        document.add("POST", f"/{path}", answers, body=form, kind=kind, tag="sign-in", open_to_all=True)
    for path in ("openid-configuration", "keys"):
        folder = ".well-known" if path == "openid-configuration" else "discovery"
        newer = f"v2.0/{folder}" if folder == ".well-known" else f"{folder}/v2.0"
        for address in (f"/{newer}/{path}", f"/{folder}/{path}"):
            document.add("GET", address, {"200": "any"}, tag="sign-in", open_to_all=True)


def described(tables, kept, whole=None):
    """The document. `whole` names the tables whose every kind of address is in it; without it those of `WHOLE`."""
    document = Document()
    add_service(document, tables)
    for table in tables.values():
        add_table(document, table, tables)
        if table.name in (whole or WHOLE) and table.rows and table.own and table.title in table.columns:
            add_whole(document, table, tables)
            add_languages(document, table)
    add_definitions(document, tables)
    add_operations(document, tables, kept)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Custodia, as it describes itself", "version": "1"},
        "servers": [{"url": ROOT.split("/api/data/")[0]}],
        "security": [{"bearer": []}],
        "paths": document.paths,
        "components": {
            "schemas": document.schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def main():
    tables = samples.read_tables()
    kept = samples.keep(tables)
    json.dump(described(tables, kept), sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
