"""Where sqlmap looks for an injection: requests that succeed, each with the mark `*` where a payload goes."""

import json
from urllib.parse import quote

from service import ORGANIZATION, PASSWORD, TOKEN, USER


# Where the short run looks.
SHORT = {
    "$filter, a text", "$filter, a number", "$orderby", "$expand", "$apply, a filter", "a key", "fetchXml, a value",
    "sql, a text", "a function's text", "the header Prefer", "a change", "signing in",
}  # fmt: skip


class Point:
    """A request with a mark. `short` says whether the short run looks there: at one place of each kind."""

    def __init__(self, name, path, method="GET", body=None, kind="application/json", headers=None, signed_in=True):
        self.name, self.method, self.body, self.kind = name, method, body, kind
        self.path, self.headers, self.signed_in = path, headers or {}, signed_in
        self.short = name in SHORT

    def request(self, host):
        """The request as sqlmap reads it from a file. The mark stays as it is, everything else is encoded."""
        path = "".join(part if part == "*" else quote(part, safe="/()'=,@:&?;") for part in split_at_mark(self.path))
        lines = [f"{self.method} /{path} HTTP/1.1", f"Host: {host}"]
        if self.signed_in:
            lines.append(f"Authorization: Bearer {TOKEN}")
        lines.append("Accept: application/json")
        lines.extend(f"{name}: {value}" for name, value in self.headers.items())
        if self.body is not None:
            lines.append(f"Content-Type: {self.kind}")
        return "\r\n".join(lines) + "\r\n\r\n" + (self.body or "")


def split_at_mark(text):
    """The parts of a text with the marks between them."""
    parts = []
    for index, part in enumerate(text.split("*")):
        if index:
            parts.append("*")
        parts.append(part)
    return parts


def points(tables, row):
    """All points. `row` is an account that is there, with its id and its name."""
    api = f"{ORGANIZATION}/api/data/v9.2"
    id, name = row["accountid"], row["name"]
    user = tables["systemuser"].own[0]
    own = tables["account"].own[0]
    view = tables["savedquery"].own[0]

    def fetch(value="", column="", table=""):
        """FetchXML with a mark behind a value, a column, or a table."""
        return (
            f"<fetch top='3'><entity name='account{table}'><attribute name='name'/><order attribute='name{column}'/>"
            f"<filter><condition attribute='name' operator='eq' value='{name}{value}'/></filter></entity></fetch>"
        )

    batch = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET accounts?$select=name&$filter=name%20eq%20'{name}*' HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    )
    share = {
        "Target": {"@odata.id": f"accounts({own})"},
        "PrincipalAccess": {"Principal": {"@odata.id": f"systemusers({user})"}, "AccessMask": "ReadAccess*"},
    }
    form = f"grant_type=password&client_id=scan&scope=openid&username={quote(USER)}*&password={quote(PASSWORD)}"
    chosen = "$select=name"
    get = [
        ("$filter, a text", f"accounts?{chosen}&$filter=name eq '{name}*'"),
        ("$filter, a number", f"accounts?{chosen}&$filter=numberofemployees gt 10*"),
        ("$filter, an id", f"accounts?{chosen}&$filter=accountid eq {id}*"),
        ("$filter, contains", f"accounts?{chosen}&$filter=contains(name,'{name[:4]}*')"),
        ("$filter, a lambda", f"accounts?{chosen}&$filter=contact_customer_accounts/any(o:o/fullname ne 'x*')"),
        (
            "$filter, a function",
            f"accounts?{chosen}&$filter=Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['{name}*'])",
        ),
        ("$filter, an alias", f"accounts?{chosen}&$filter=name eq @p&@p='{name}*'"),
        ("$orderby", "accounts?$select=name&$top=3&$orderby=name*"),
        ("$select", "accounts?$top=3&$select=name*"),
        ("$top", f"accounts?{chosen}&$top=3*"),
        ("$count", f"accounts?{chosen}&$top=3&$count=true*"),
        ("$expand", f"accounts?{chosen}&$top=3&$expand=primarycontactid($select=fullname*)"),
        ("$apply, a group", "accounts?$apply=groupby((name*))"),
        ("$apply, a filter", f"accounts?$apply=filter(name eq '{name}*')/aggregate($count as n)"),
        ("$count of a set", f"accounts/$count?$filter=name eq '{name}*'"),
        ("a key", f"accounts({id}*)?{chosen}"),
        ("an alternate key", "transactioncurrencies(isocurrencycode='EUR*')?$select=currencyname"),
        ("a set", f"accounts*?{chosen}&$top=1"),
        ("a column", f"accounts({id})/name*"),
        ("a navigation", f"accounts({id})/contact_customer_accounts*?$select=fullname"),
        ("fetchXml, a value", f"accounts?fetchXml={fetch(value='*')}"),
        ("fetchXml, a column", f"accounts?fetchXml={fetch(column='*')}"),
        ("fetchXml, a table", f"accounts?fetchXml={fetch(table='*')}"),
        ("a view", f"accounts?savedQuery={view}*"),
        ("sql, a text", f"accounts?sql=select name from account where name = '{name}*'"),
        ("sql, a number", "accounts?sql=select name from account where numberofemployees > 10*"),
        ("sql, an order", "accounts?sql=select name from account order by name*"),
        ("a function's text", "RetrieveEntity(EntityFilters=1,LogicalName='account*')"),
        ("a function's list", "RetrieveTotalRecordCount(EntityNames=@n)?@n=['account*']"),
        ("a function's record", f"RetrieveSharedPrincipalsAndAccess(Target=@t)?@t={{'@odata.id':'accounts({id}*)'}}"),
        ("descriptions", "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'account*'"),
        ("audits", "audits?$select=action&$top=3&$filter=objecttypecode eq 'account*'"),
    ]
    found = [Point(what, f"{api}/{path}") for what, path in get]
    page = f"{api}/accounts?{chosen}&$top=3"
    for header, value in (
        ("Prefer", "odata.maxpagesize=2*"),
        ("If-None-Match", 'W/"1"*'),
        ("x-ms-client-request-id", "00000000-0000-0000-0000-000000000001*"),
        ("User-Agent", "scan*"),
        ("X-Forwarded-For", "127.0.0.1*"),
    ):
        found.append(Point(f"the header {header}", page, headers={header: value}))
    parent = f'{{"lastname":"scan","parentcustomerid_account@odata.bind":"/accounts({id}*)"}}'
    found += [
        Point("the header MSCRMCallerID", page, headers={"MSCRMCallerID": f"{row['caller']}*"}),
        Point("an organisation", f"{ORGANIZATION}*/api/data/v9.2/accounts?{chosen}&$top=1"),
        Point("a new record", f"{api}/accounts", "POST", '{"name":"scan*"}'),
        Point("a change", f"{api}/accounts({own})", "PATCH", '{"name":"scan*"}'),
        Point("a column's value", f"{api}/accounts({own})/name", "PUT", '{"value":"scan*"}'),
        Point("a link", f"{api}/contacts", "POST", parent),
        Point("an action", f"{api}/GrantAccess", "POST", json.dumps(share)),
        Point("a batch", f"{api}/$batch", "POST", batch, "multipart/mixed; boundary=b"),
        Point(
            "signing in", f"{ORGANIZATION}/oauth2/v2.0/token", "POST", form, "application/x-www-form-urlencoded", signed_in=False
        ),
    ]
    return found
