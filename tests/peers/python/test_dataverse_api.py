"""dataverse-api: tables by their descriptions, records one by one, in batches and many at once."""

import unittest
import uuid

import msal
import pandas
import requests
from dataverse_api import DataverseAPIError, DataverseClient, DataverseError
from dataverse_api.utils.batching import BatchCommand, RequestMethod
from msal_requests_auth.auth import ClientCredentialAuth

from service import CLIENT_ID, CLIENT_SECRET, ORGANIZATION_URL, SCOPE, SECURED, TOKEN, currency_code, fresh_name


def signed_in():
    """A session as the client's documentation makes it. The library that signs in does so over HTTPS only."""
    session = requests.Session()
    if SECURED:
        application = msal.ConfidentialClientApplication(
            client_id=CLIENT_ID,
            client_credential=CLIENT_SECRET,
            oidc_authority=f"{ORGANIZATION_URL}/v2.0",
        )
        session.auth = ClientCredentialAuth(client=application, scopes=[SCOPE])
    else:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
    return session


def statuses(responses):
    """The statuses of the parts of batches, in their order."""
    lines = [line for response in responses for line in response.text.splitlines()]
    return [int(line.split()[1]) for line in lines if line.startswith("HTTP/1.1 ")]


class EntityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = signed_in()
        cls.addClassCleanup(cls.session.close)
        # The organisation's name is a part of the address; without the slash at the end the client drops it.
        cls.client = DataverseClient(session=cls.session, environment_url=f"{ORGANIZATION_URL}/")
        cls.accounts = cls.client.entity(logical_name="account")

    def setUp(self):
        self.mark = str(uuid.uuid4())[:18]
        self.mine = f"accountnumber eq '{self.mark}'"
        self.addCleanup(lambda: self.accounts.delete(mode="batch", filter=self.mine) if self.read() else None)

    def rows(self, count):
        return [{"name": f"Row {n}", "accountnumber": self.mark, "numberofemployees": n} for n in range(1, count + 1)]

    def read(self, **options):
        given = {"filter": self.mine, "select": ["name", "numberofemployees"], "order_by": "name", **options}
        return self.accounts.read(**given)

    def names(self, **options):
        return [row["name"] for row in self.read(**options)]


class Descriptions(EntityTest):
    def test_a_table_says_what_it_is(self):
        self.assertEqual(self.accounts.entity_set_name, "accounts")
        self.assertEqual(self.accounts.primary_id_attr, "accountid")
        self.assertEqual(self.accounts.alternate_keys, {})
        self.assertTrue(self.accounts.supports_create_multiple)
        self.assertTrue(self.accounts.supports_update_multiple)
        self.assertIn("primarycontactid", self.accounts.relationships.single_valued)
        self.assertIn("contact_customer_accounts", self.accounts.relationships.collection_valued)
        currencies = self.client.entity(logical_name="transactioncurrency")
        self.assertEqual(currencies.alternate_keys, {"isocurrencycode": ["isocurrencycode"]})

    def test_a_table_that_nobody_writes_takes_no_records_at_once(self):
        audit = self.client.entity(logical_name="audit")
        self.assertFalse(audit.supports_create_multiple)
        with self.assertRaises(DataverseError):
            audit.create([{"action": 1}], mode="multiple")

    def test_a_table_that_is_not_there(self):
        with self.assertRaisesRegex(DataverseAPIError, "nothing") as refused:
            self.client.entity(logical_name="nothing")
        self.assertEqual(refused.exception.response.status_code, 404)

    def test_definitions_are_read_whole(self):
        account = self.client.get_entity_definition("account")
        self.assertEqual(account.display_name.localized_labels[0].label, "Account")
        self.assertEqual(account.schema_name, "Account")
        self.assertEqual(account.ownership_type.value, "UserOwned")
        relationship = self.client.get_relationship_definition("contact_customer_accounts")
        self.assertEqual(relationship.referenced_entity, "account")
        self.assertEqual(self.client.get_language_codes(), [1033])

    def test_one_that_is_sent_back_as_it_was_changes_nothing(self):
        account = self.client.get_entity_definition("account")
        self.client.update_entity(account)
        self.assertEqual(self.client.get_entity_definition("account").schema_name, account.schema_name)

    def test_changing_them_is_refused_by_name(self):
        for attempt in (
            lambda: self.client.delete_entity("account"),
            lambda: self.accounts.remove_attribute(logical_name="name"),
        ):
            with self.assertRaisesRegex(DataverseAPIError, "not supported yet") as refused:
                attempt()
            self.assertEqual(refused.exception.response.status_code, 501)


class Records(EntityTest):
    def test_records_are_created_one_by_one(self):
        for threading in (False, True):
            with self.subTest(threading=threading):
                made = self.accounts.create(self.rows(3), return_created=True, threading=threading)
                self.assertEqual([response.status_code for response in made], [201] * 3)
                self.assertEqual({response.json()["accountnumber"] for response in made}, {self.mark})
                self.assertEqual(self.names(), ["Row 1", "Row 2", "Row 3"])
                gone = self.accounts.delete(ids=[response.json()["accountid"] for response in made])
                self.assertEqual([response.status_code for response in gone], [204] * 3)
                self.assertEqual(self.names(), [])

    def test_records_are_created_in_batches(self):
        made = self.accounts.create(self.rows(5), mode="batch", batch_size=2)
        self.assertEqual([response.status_code for response in made], [200] * 3)
        self.assertEqual(statuses(made), [204] * 5)
        self.assertEqual(len(self.names()), 5)
        self.assertEqual(statuses(self.accounts.delete(mode="batch", filter=self.mine, batch_size=3)), [204] * 5)
        self.assertEqual(self.names(), [])

    def test_records_are_created_at_once(self):
        made = self.accounts.create(self.rows(5), mode="multiple", batch_size=3)
        self.assertEqual([len(response.json()["Ids"]) for response in made], [3, 2])
        self.assertEqual(len(self.names()), 5)

    def test_records_come_from_a_data_frame(self):
        self.accounts.create(pandas.DataFrame(self.rows(2)), mode="multiple", batch_size=10)
        self.assertEqual(self.names(), ["Row 1", "Row 2"])

    def test_what_a_batch_refuses(self):
        rows = self.rows(2)
        rows[1]["numberofemployees"] = "many"
        # The answer has the parts so far, as in Dataverse, and the client expects an error by itself.
        with self.assertRaises(requests.exceptions.JSONDecodeError) as refused:
            self.accounts.create(rows, mode="batch")
        self.assertIn("HTTP/1.1 400 ", refused.exception.doc)
        self.assertIn("0x80048d19", refused.exception.doc)
        self.assertEqual(self.names(), ["Row 1"])

    def test_records_are_changed_by_their_ids(self):
        self.accounts.create(self.rows(2))
        rows = self.read()
        changed = [{"accountid": row["accountid"], "numberofemployees": row["numberofemployees"] + 10} for row in rows]
        self.assertEqual([response.status_code for response in self.accounts.upsert(changed)], [204] * 2)
        self.assertEqual([row["numberofemployees"] for row in self.read()], [11, 12])
        new = {"accountid": str(uuid.uuid4()), "name": "Row 3", "accountnumber": self.mark}
        self.assertEqual(statuses(self.accounts.upsert([*changed, new], mode="batch")), [204] * 3)
        self.assertEqual(self.names(), ["Row 1", "Row 2", "Row 3"])

    def test_records_are_changed_by_an_alternate_key(self):
        currencies = self.client.entity(logical_name="transactioncurrency")
        codes = [currency_code(), currency_code()]
        common = {"currencysymbol": "x", "exchangerate": 2, "currencyprecision": 2}
        rows = [{"isocurrencycode": code, "currencyname": f"The {code}", **common} for code in codes]
        where = " or ".join(f"isocurrencycode eq '{code}'" for code in codes)
        self.addCleanup(lambda: currencies.delete(filter=where))
        made = currencies.upsert(rows, altkey_name="isocurrencycode")
        self.assertEqual([response.status_code for response in made], [204] * 2)
        again = [{"isocurrencycode": code, "exchangerate": 3} for code in codes]
        self.assertEqual(statuses(currencies.upsert(again, mode="batch", altkey_name="isocurrencycode")), [204] * 2)
        found = currencies.read(filter=where, select=["currencyname", "exchangerate"], order_by="currencyname")
        self.assertEqual([(row["currencyname"], row["exchangerate"]) for row in found], [(f"The {c}", 3) for c in sorted(codes)])

    def test_values_are_emptied(self):
        self.accounts.create(self.rows(3))
        ids = [row["accountid"] for row in self.read()]
        self.accounts.delete_columns(["numberofemployees"], ids=ids[:1])
        self.assertEqual([row["numberofemployees"] for row in self.read()], [None, 2, 3])
        emptied = self.accounts.delete_columns(["numberofemployees"], mode="batch", filter=f"{self.mine} and name eq 'Row 2'")
        self.assertEqual(statuses(emptied), [204])
        self.assertEqual([row["numberofemployees"] for row in self.read()], [None, None, 3])

    def test_a_batch_of_ones_own(self):
        self.accounts.create(self.rows(1))
        key = f"accounts({self.read()[0]['accountid']})"
        answer = self.client.submit_batch(
            [
                BatchCommand(key, RequestMethod.PUT, data={"numberofemployees": 77}),
                BatchCommand(f"{key}?$select=numberofemployees", RequestMethod.GET),
                BatchCommand(key, RequestMethod.PATCH, data={"name": "Row 9"}),
            ]
        )
        self.assertEqual(statuses(answer), [204, 200, 204])
        self.assertIn('"numberofemployees":77', answer[0].text)
        self.assertEqual(self.names(), ["Row 9"])


class Queries(EntityTest):
    def setUp(self):
        super().setUp()
        self.accounts.create(self.rows(7), mode="multiple", batch_size=10)

    def test_queries(self):
        self.assertEqual(self.names(filter=f"{self.mine} and numberofemployees gt 5"), ["Row 6", "Row 7"])
        self.assertEqual(self.names(top=2, order_by="numberofemployees desc"), ["Row 7", "Row 6"])
        row = self.read(top=1, return_formatted_values=True, select=["statecode"])[0]
        self.assertEqual(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active")
        row = self.read(top=1, expand="owninguser($select=fullname),contact_customer_accounts($select=lastname)")[0]
        self.assertEqual(row["contact_customer_accounts"], [])
        self.assertTrue(row["owninguser"]["fullname"])

    def test_pages(self):
        pages = self.read(page_size=3, return_responses=True)
        self.assertEqual([len(page.json()["value"]) for page in pages], [3, 3, 1])
        self.assertEqual(self.names(page_size=2, return_formatted_values=True), [f"Row {n}" for n in range(1, 8)])

    def test_what_is_wrong_is_said(self):
        for options, said in (
            ({"filter": "nothing eq 1"}, "nothing"),
            ({"filter": "name eq"}, r"\$filter"),
            ({"select": ["nothing"]}, "nothing"),
            ({"order_by": "nothing"}, "nothing"),
            ({"expand": "nothing"}, "nothing"),
        ):
            with self.subTest(options), self.assertRaisesRegex(DataverseAPIError, said) as refused:
                self.read(**options)
            self.assertEqual(refused.exception.response.status_code, 400)
            self.assertRegex(refused.exception.response.json()["error"]["code"], "^0x[0-9a-f]+$")

    def test_who_is_not_signed_in_gets_nothing(self):
        with requests.Session() as session, self.assertRaises(DataverseAPIError) as refused:
            DataverseClient(session=session, environment_url=f"{ORGANIZATION_URL}/").entity(logical_name="account")
        self.assertEqual(refused.exception.response.status_code, 401)


class SigningIn(unittest.TestCase):
    @unittest.skipUnless(SECURED, "the library signs in over HTTPS only")
    def test_a_wrong_secret_is_refused(self):
        application = msal.ConfidentialClientApplication(
            client_id=CLIENT_ID, client_credential=fresh_name("no"), oidc_authority=f"{ORGANIZATION_URL}/v2.0"
        )
        self.assertEqual(application.acquire_token_for_client(scopes=[SCOPE])["error"], "invalid_client")
