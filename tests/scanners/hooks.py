"""What schemathesis is told besides the document: what is a finding, how a batch goes over the wire, and where each call is kept.

Loaded by schemathesis itself (SCHEMATHESIS_HOOKS). Each answer becomes a line of JSON in the file that CALLS names.
"""

import json
import os
import re

import schemathesis
from schemathesis.core.failures import Failure

CALLS = open(os.environ["CALLS"], "a", encoding="utf-8")

# What docs/api.md says is not there yet, as the service says it.
NOT_THERE_YET = tuple(
    re.compile(expression)
    for expression in (
        r"column '\w+' is not supported yet$",
        r"column '\w+', which holds a file or a picture, is not supported yet$",
        r"writing column '\w+'( of table '\w+')? is not supported yet$",
        r"making and removing descriptions of tables and columns is not supported yet$",
        r"changing anything but the description of one table or column is not supported yet$",
        r"the (function|action) \w+ is not supported yet$",
        r"\$filter: lambdas and counts over descriptions is not supported yet$",
        r"addresses of descriptions \(\$ref\) is not supported yet$",
        r"\$expand=.* of descriptions is not supported yet$",
        r"(QueryExpression|FilterExpression|ConditionExpression|LinkEntity|BulkDelete)'? is not supported yet$",
        r"\$(compute|format)\b.* is not supported yet$",
        r"types in paths.* is not supported yet$",
        r"aggregate in the condition.* is not supported yet$",
    )
)


class Broken(Failure):
    """A 5xx that is no declared 501, or an answer that lacks what HTTP asks of it."""

    __slots__ = ()


def message_of(response):
    """The message of a refusal; empty where there is none."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def declared(response):
    """Whether a 501 names what the documentation says is not there yet."""
    return any(expression.search(message_of(response)) for expression in NOT_THERE_YET)


@schemathesis.check
def nothing_breaks(ctx, response, case):
    """No 5xx but a declared 501, every 405 with `Allow`, nothing shown of what is inside."""
    label = case.operation.label
    if response.status_code >= 500 and not (response.status_code == 501 and declared(response)):
        raise Broken(operation=label, title="A fault of the service", message=f"{response.status_code}: {message_of(response)}")
    if response.status_code == 405 and "allow" not in response.headers and "0x80040227" not in message_and_code(response):
        raise Broken(operation=label, title="405 without Allow", message=message_of(response))
    if response.status_code >= 400 and INSIDE.search(message_of(response)):
        raise Broken(operation=label, title="An answer that shows the inside", message=message_of(response))


# Words of the engines and of the program that no client should meet.
INSIDE = re.compile(
    r"sqlite|postgres|syntax error at|no such (table|column):|panicked|\.rs:\d+|SELECT .* FROM .*custodia_", re.IGNORECASE
)


def message_and_code(response):
    return response.content.decode(errors="replace")[:200]


@schemathesis.hook
def after_call(context, case, response):
    """Keeps what this call came to."""
    meta = case.meta
    mode = meta.generation.mode.value if meta is not None else ""
    told = {"route": case.operation.label, "mode": mode, "status": response.status_code, "method": case.method}
    if response.status_code >= 400:
        told["message"] = message_of(response)[:300]
    CALLS.write(json.dumps(told) + "\n")
    CALLS.flush()


@schemathesis.serializer("multipart/mixed")
def batch(ctx, value):
    """A batch as it stands."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Names the boundary of a batch, which the document writes as `b`."""
    if case.media_type == "multipart/mixed":
        case.headers = {**(case.headers or {}), "Content-Type": "multipart/mixed; boundary=b"}
