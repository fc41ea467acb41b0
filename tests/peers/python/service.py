"""The service that the tests talk to, as the environment names it: scripts/peers starts one and sets it."""

import os
import unittest
import uuid

from azure.identity import ClientSecretCredential


def _required(name):
    """A variable of the environment; without it there is nothing to test against."""
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"{name} is not set: run scripts/peers, which starts a server and sets it")
    return value


HOST = _required("CUSTODIA_URL").rstrip("/")
ORGANIZATION = _required("CUSTODIA_ORG")
CLIENT_ID = _required("CUSTODIA_CLIENT_ID")
CLIENT_SECRET = _required("CUSTODIA_CLIENT_SECRET")
TOKEN = _required("CUSTODIA_TOKEN")

ORGANIZATION_URL = f"{HOST}/{ORGANIZATION}"
SERVICE_ROOT = f"{ORGANIZATION_URL}/api/data/v9.2"
SCOPE = f"{ORGANIZATION_URL}/.default"
SECURED = HOST.startswith("https://")

only_https = unittest.skipUnless(SECURED, "this client speaks HTTPS only")


def credential(secret=CLIENT_SECRET, tenant=ORGANIZATION, **options):
    """The application's credential, as the documentation of azure-identity has it for an authority of one's own."""
    return ClientSecretCredential(
        tenant_id=tenant,
        client_id=CLIENT_ID,
        client_secret=secret,
        authority=HOST,
        disable_instance_discovery=True,
        **options,
    )


def fresh_name(what):
    """A name that no other record has."""
    return f"{what} {uuid.uuid4()}"


def currency_code():
    """A code that no currency has: five letters and digits, as many as the column holds."""
    return f"X{uuid.uuid4().hex[:4].upper()}"
