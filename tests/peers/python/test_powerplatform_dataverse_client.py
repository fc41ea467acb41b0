"""PowerPlatform-Dataverse-Client, the official client: it speaks HTTPS only, and signs in with azure-identity."""

import asyncio
import datetime
import time
import unittest
import uuid
import warnings

import pandas
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError, ValidationError
from PowerPlatform.Dataverse.models import ExpandOption, UpsertItem, col, raw

from service import (
    CLIENT_ID,
    CLIENT_SECRET,
    HOST,
    ORGANIZATION,
    ORGANIZATION_URL,
    SERVICE_ROOT,
    credential,
    currency_code,
    fresh_name,
    only_https,
)

FORMATTED = "OData.Community.Display.V1.FormattedValue"


class Stranger:
    """Somebody with a token that nobody issued."""

    def get_token(self, *scopes, **options):
        return AccessToken("not.a.token", 2**40)


@only_https
class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.credential = credential()
        cls.client = cls.enterClassContext(DataverseClient(ORGANIZATION_URL, cls.credential))
        cls.addClassCleanup(cls.credential.close)
        # What is deprecated is still sent, and so still tested.
        cls.enterClassContext(warnings.catch_warnings(action="ignore", category=DeprecationWarning))

    def setUp(self):
        self.mark = str(uuid.uuid4())[:18]
        self.mine = col("accountnumber") == self.mark

    def tearDown(self):
        ids = [row["accountid"] for row in self.client.records.list("account", filter=self.mine, select=["accountid"])]
        self.client.records.delete("account", ids, use_bulk_delete=False)

    def make(self, count):
        rows = [{"name": f"Row {n}", "accountnumber": self.mark, "numberofemployees": n} for n in range(1, count + 1)]
        return self.client.records.create("account", rows)

    def builder(self):
        return self.client.query.builder("account").select("name", "numberofemployees").where(self.mine).order_by("name")

    def names(self):
        return [row["name"] for row in self.builder().execute()]

    def currency(self):
        """A code that no currency has; the currency is gone when the test ends."""
        code = currency_code()

        def remove():
            found = self.client.records.list("transactioncurrency", filter=col("isocurrencycode") == code)
            self.client.records.delete(
                "transactioncurrency", [row["transactioncurrencyid"] for row in found], use_bulk_delete=False
            )

        self.addCleanup(remove)
        return code


class Records(ClientTest):
    def test_a_record_is_created_read_changed_and_deleted(self):
        records = self.client.records
        # Names of columns may be written in any case, options by their labels.
        account_id = records.create("Account", {"Name": "Contoso", "AccountNumber": self.mark, "industrycode": "Accounting"})
        self.assertEqual(str(uuid.UUID(account_id)), account_id)
        account = records.retrieve(
            "account", account_id, select=["Name", "industrycode"], include_annotations=FORMATTED
        )
        self.assertEqual((account["name"], account["industrycode"]), ("Contoso", 1))
        self.assertEqual(account[f"industrycode@{FORMATTED}"], "Accounting")
        records.update("account", account_id, {"telephone1": "555-0199", "industrycode": None})
        account = records.retrieve("account", account_id, select=["telephone1", "industrycode"])
        self.assertEqual((account["telephone1"], account["industrycode"]), ("555-0199", None))
        records.delete("account", account_id)
        self.assertIsNone(records.retrieve("account", account_id))

    def test_a_record_points_at_another(self):
        account_id = self.make(1)[0]
        contact_id = self.client.records.create(
            "contact", {"lastname": fresh_name("Contact"), **self.client.query.odata_bind("contact", "account", account_id)}
        )
        self.addCleanup(self.client.records.delete, "contact", contact_id)
        self.client.records.update("account", account_id, {"primarycontactid@odata.bind": f"/contacts({contact_id})"})
        account = self.client.records.retrieve(
            "account", account_id, select=["name"], expand=["primarycontactid($select=lastname)"]
        )
        self.assertEqual(account["primarycontactid"]["contactid"], contact_id)

    def test_many_records_at_once(self):
        records = self.client.records
        ids = self.make(3)
        self.assertEqual(len(set(ids)), 3)
        self.assertEqual(self.names(), ["Row 1", "Row 2", "Row 3"])
        records.update("account", ids, {"numberofemployees": 50})
        self.assertEqual({row["numberofemployees"] for row in self.builder().execute()}, {50})
        records.update("account", ids, [{"name": f"Line {n}"} for n in range(3)])
        self.assertEqual(self.names(), ["Line 0", "Line 1", "Line 2"])
        records.delete("account", ids, use_bulk_delete=False)
        self.assertEqual(self.names(), [])

    def test_all_of_many_or_none(self):
        ids = self.make(2)
        with self.assertRaises(HttpError) as refused:
            self.client.records.update("account", [ids[0], str(uuid.uuid4())], {"numberofemployees": 50})
        self.assertEqual(refused.exception.status_code, 404)
        self.assertEqual([row["numberofemployees"] for row in self.builder().execute()], [1, 2])

    def test_lists_are_deleted_in_the_background(self):
        records = self.client.records
        ids = self.make(5)
        job_id = records.delete("account", ids[:4])
        job = self.ended(job_id)
        self.assertEqual((job["statecode"], job["statuscode"], job["operationtype"]), (3, 30, 13))
        self.assertTrue(job["name"].startswith("Bulk delete account records @ "))
        operation, = records.list("bulkdeleteoperation", filter=col("_asyncoperationid_value") == uuid.UUID(job_id))
        self.assertEqual((operation["successcount"], operation["failurecount"]), (4, 0))
        self.assertEqual(self.names(), ["Row 5"])

    def ended(self, job_id):
        """The record of a job, once it has ended."""
        for _ in range(600):
            job = self.client.records.retrieve("asyncoperation", job_id)
            if job["statecode"] == 3:
                return job
            time.sleep(0.1)
        self.fail(f"the job {job_id} does not end: {job}")

    def test_alternate_keys(self):
        codes = [self.currency(), self.currency()]
        common = {"currencysymbol": "x", "exchangerate": 2, "currencyprecision": 2}

        def upsert(codes, **values):
            items = [UpsertItem({"isocurrencycode": code}, {"currencyname": f"The {code}", **values}) for code in codes]
            self.client.records.upsert("transactioncurrency", items)

        def rates():
            found = self.client.records.list("transactioncurrency", filter=col("isocurrencycode").in_(codes))
            return {row["isocurrencycode"]: row["exchangerate"] for row in found}

        upsert(codes[:1], **common)
        self.assertEqual(rates(), {codes[0]: 2})
        upsert(codes, **{**common, "exchangerate": 3})
        self.assertEqual(rates(), {codes[0]: 3, codes[1]: 3})
        upsert(codes[1:], exchangerate=4)
        self.assertEqual(rates(), {codes[0]: 3, codes[1]: 4})


class Queries(ClientTest):
    def setUp(self):
        super().setUp()
        self.ids = self.make(7)

    def found(self, test):
        return [int(row["name"][-1]) for row in self.builder().where(test).execute()]

    def test_filters(self):
        staff, name, made = col("numberofemployees"), col("name"), col("createdon")
        every = list(range(1, 8))
        today = datetime.datetime.now(datetime.timezone.utc)
        for expected, test in (
            ([3], staff == 3),
            ([1, 2, 4, 5, 6, 7], staff != 3),
            ([6, 7], staff > 5),
            ([5, 6, 7], staff >= 5),
            ([1], staff < 2),
            ([1, 2], staff <= 2),
            ([2, 4], staff.in_([2, 4, 9])),
            ([1, 3, 5, 6, 7], staff.not_in([2, 4, 9])),
            ([2, 3, 4], staff.between(2, 4)),
            ([1, 5, 6, 7], staff.not_between(2, 4)),
            ([4], name.in_(["Row 4", "It's"])),
            ([], name == "It's"),
            ([5], name.contains("w 5")),
            ([5], name.endswith("5")),
            (every, name.startswith("Row")),
            (every, name.like("row%")),
            ([6], name.like("%6")),
            ([], name.not_like("%ow%")),
            (every, col("websiteurl").is_null()),
            ([], col("websiteurl").is_not_null()),
            ([7], col("accountid") == uuid.UUID(self.ids[6])),
            ([1, 7], (staff == 1) | (name == "Row 7")),
            ([2], (staff > 1) & (staff < 3)),
            ([1, 2], ~(staff > 2)),
            (every, made > today - datetime.timedelta(days=1)),
            ([], made < datetime.date(2020, 1, 1)),
            (every, col("statecode") == 0),
            (every, raw("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')")),
            ([], raw("contact_customer_accounts/any()")),
        ):
            with self.subTest(test.to_odata()):
                self.assertEqual(self.found(test), expected)

    def test_order_top_count_and_data_frames(self):
        first = self.client.query.builder("account").select("name").where(self.mine)
        found = first.order_by("numberofemployees", descending=True).top(2).count().execute()
        self.assertEqual([row["name"] for row in found], ["Row 7", "Row 6"])
        frame = self.builder().execute().to_dataframe()
        self.assertEqual(list(frame["numberofemployees"]), list(range(1, 8)))
        found = self.builder().include_formatted_values().execute()
        self.assertEqual(found.first()[f"numberofemployees@{FORMATTED}"], "1")

    def test_expanded_records(self):
        for person in ("Adams", "Brown", "Clark"):
            contact = {"lastname": person, "parentcustomerid_account@odata.bind": f"/accounts({self.ids[0]})"}
            self.client.records.create("contact", contact)
        people = ExpandOption("contact_customer_accounts").select("lastname").filter("lastname ne 'Brown'")
        people = people.order_by("lastname", descending=True).top(2)
        account = self.builder().expand(people, "owninguser").execute().first()
        self.assertEqual([row["lastname"] for row in account["contact_customer_accounts"]], ["Clark", "Adams"])
        self.assertEqual(account["owninguser"]["applicationid"], CLIENT_ID)

    def test_pages(self):
        pages = [[row["name"] for row in page] for page in self.builder().page_size(3).execute_pages()]
        self.assertEqual(pages, [["Row 1", "Row 2", "Row 3"], ["Row 4", "Row 5", "Row 6"], ["Row 7"]])
        options = {"filter": self.mine, "select": ["name"], "orderby": ["name desc"], "page_size": 4}
        pages = [len(page) for page in self.client.records.list_pages("account", **options)]
        self.assertEqual(pages, [4, 3])
        rows = self.client.records.list("account", **options, count=True, include_annotations="*")
        self.assertEqual([row["name"] for row in rows], [f"Row {n}" for n in range(7, 0, -1)])
        pages = self.client.records.get("account", filter=self.mine.to_odata(), select=["name"], page_size=5)
        self.assertEqual([len(page) for page in pages], [5, 2])

    def test_sql(self):
        where = f"accountnumber = '{self.mark}'"
        rows = self.client.query.sql(f"SELECT name, numberofemployees AS staff FROM account WHERE {where} ORDER BY name DESC")
        self.assertEqual([(row["name"], row["staff"]) for row in rows], [(f"Row {n}", n) for n in range(7, 0, -1)])
        rows = self.client.query.sql(f"SELECT TOP 2 name FROM account WHERE {where} AND numberofemployees BETWEEN 2 AND 4 ORDER BY name")
        self.assertEqual([row["name"] for row in rows], ["Row 2", "Row 3"])
        rows = self.client.query.sql(
            f"SELECT name FROM account WHERE {where} AND (name LIKE 'Row 1%' OR numberofemployees IN (3, 5)) "
            "AND websiteurl IS NULL AND name <> 'Row 5'"
        )
        self.assertEqual({row["name"] for row in rows}, {"Row 1", "Row 3"})
        frame = self.client.dataframe.sql(
            f"SELECT COUNT(*) AS n, SUM(numberofemployees) AS total, MAX(numberofemployees) AS most FROM account WHERE {where}"
        )
        self.assertEqual(frame.iloc[0].to_dict(), {"n": 7, "total": 28, "most": 7})

    def test_sql_over_joins(self):
        contact = {"lastname": self.mark, "parentcustomerid_account@odata.bind": f"/accounts({self.ids[1]})"}
        self.client.records.create("contact", contact)
        rows = self.client.query.sql(
            "SELECT a.name, c.lastname AS person FROM account a JOIN contact c ON a.accountid = c.parentcustomerid "
            f"WHERE a.accountnumber = '{self.mark}'"
        )
        self.assertEqual([(row["name"], row["person"]) for row in rows], [("Row 2", self.mark)])
        rows = self.client.query.sql(
            "SELECT a.name, COUNT(c.contactid) AS people FROM account a LEFT JOIN contact c ON a.accountid = c.parentcustomerid "
            f"WHERE a.accountnumber = '{self.mark}' GROUP BY a.name"
        )
        self.assertEqual({row["name"]: row["people"] for row in rows}, {f"Row {n}": int(n == 2) for n in range(1, 8)})

    def test_sql_over_pages(self):
        # More rows than a page has.
        total = self.client.query.sql("SELECT COUNT(*) AS n FROM opportunity")[0]["n"]
        self.assertGreater(total, 5000)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = self.client.query.sql("SELECT opportunityid, name FROM opportunity")
        self.assertEqual(len({row["opportunityid"] for row in rows}), total)

    def test_columns_for_sql(self):
        columns = {column["name"]: column for column in self.client.query.sql_columns("account")}
        self.assertTrue(columns["accountid"]["is_pk"])
        self.assertTrue(columns["name"]["is_name"])
        self.assertEqual(columns["numberofemployees"]["label"], "Number of Employees")
        self.assertEqual(columns["numberofemployees"]["type"], "Integer")
        # All of them that can be read may be asked for.
        described = self.client.tables.list_columns("account", select=["LogicalName", "IsValidForRead"])
        readable = sorted(columns.keys() & {column["LogicalName"] for column in described if column["IsValidForRead"]})
        self.assertGreater(len(readable), 100)
        rows = self.client.query.sql(f"SELECT {', '.join(readable)} FROM account WHERE accountnumber = '{self.mark}'")
        self.assertEqual({row["name"] for row in rows}, {f"Row {n}" for n in range(1, 8)})
        self.assertEqual(sorted(self.client.query.odata_select("account")), sorted(columns))

    def test_fetchxml(self):
        xml = f"""
            <fetch><entity name='account'><attribute name='name'/><order attribute='name'/>
              <filter><condition attribute='accountnumber' operator='eq' value='{self.mark}'/></filter>
            </entity></fetch>"""
        self.assertEqual([row["name"] for row in self.client.query.fetchxml(xml).execute()], [f"Row {n}" for n in range(1, 8)])
        paged = xml.replace("<fetch>", "<fetch count='3'>")
        pages = [[row["name"] for row in page] for page in self.client.query.fetchxml(paged).execute_pages()]
        self.assertEqual(pages, [["Row 1", "Row 2", "Row 3"], ["Row 4", "Row 5", "Row 6"], ["Row 7"]])

    def test_fetchxml_pages_without_a_cookie(self):
        # The order is one of another table, so that pages are counted; the client says that it noticed.
        xml = f"""
            <fetch count='4'><entity name='account'><attribute name='name'/>
              <filter><condition attribute='accountnumber' operator='eq' value='{self.mark}'/></filter>
              <link-entity name='systemuser' from='systemuserid' to='owninguser' alias='u'><order attribute='fullname'/></link-entity>
            </entity></fetch>"""
        with self.assertWarns(UserWarning):
            rows = self.client.query.fetchxml(xml).execute()
        self.assertEqual({row["name"] for row in rows}, {f"Row {n}" for n in range(1, 8)})

    def test_data_frames(self):
        frame = pandas.DataFrame([{"name": "Frame 1", "accountnumber": self.mark}, {"name": "Frame 2", "accountnumber": self.mark}])
        frame["accountid"] = self.client.dataframe.create("account", frame)
        frame["telephone1"] = ["555-0100", None]
        self.client.dataframe.update("account", frame[["accountid", "telephone1"]], id_column="accountid", clear_nulls=True)
        where = (self.mine & col("name").startswith("Frame")).to_odata()
        found = self.client.dataframe.get("account", select=["name", "telephone1"], filter=where, orderby=["name"])
        self.assertEqual(list(found["telephone1"].fillna("nothing")), ["555-0100", "nothing"])
        self.client.dataframe.delete("account", frame["accountid"], use_bulk_delete=False)
        self.assertEqual(len(self.client.dataframe.get("account", filter=where)), 0)


class Descriptions(ClientTest):
    def test_tables(self):
        table = self.client.tables.get("Account")
        self.assertEqual(
            (table.schema_name, table.logical_name, table.entity_set_name), ("Account", "account", "accounts")
        )
        self.assertEqual((table.primary_name_attribute, table.primary_id_attribute), ("name", "accountid"))
        self.assertIsNone(self.client.tables.get("nothing"))
        found = self.client.tables.list(filter="SchemaName eq 'Account'", select=["LogicalName", "DisplayName"])
        self.assertEqual([table["LogicalName"] for table in found], ["account"])
        self.assertGreater(len(self.client.tables.list()), 50)

    def test_columns(self):
        tables = self.client.tables
        texts = tables.list_columns("account", select=["LogicalName", "AttributeType"], filter="AttributeType eq 'String'")
        self.assertIn("name", {column["LogicalName"] for column in texts})
        self.assertEqual({column["AttributeType"] for column in texts}, {"String"})
        self.assertGreater(len(tables.list_columns("account")), len(texts))
        self.assertEqual(tables.get_column("account", "Name")["SchemaName"], "Name")
        self.assertIsNone(tables.get_column("account", "nothing"))

    def test_columns_with_what_only_their_type_has(self):
        column = self.client.tables.get_column("Account", "Name", typed=True)
        self.assertEqual((column["LogicalName"], column["MaxLength"]), ("name", 160))
        self.assertIsNone(self.client.tables.get_column("account", "nothing", typed=True))
        columns = {column["LogicalName"]: column for column in self.client.tables.list_columns("account", typed=True)}
        self.assertEqual(columns["numberofemployees"]["MinValue"], 0)
        self.assertEqual(columns["exchangerate"]["Precision"], 12)
        self.assertNotIn("MaxLength", columns["numberofemployees"])

    def test_relationships(self):
        tables = self.client.tables
        one_to_many = "RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'OneToManyRelationship'"
        found = tables.list_relationships(filter=one_to_many)
        self.assertIn("contact_customer_accounts", {relationship["SchemaName"] for relationship in found})
        self.assertEqual({relationship["RelationshipType"] for relationship in found}, {"OneToManyRelationship"})
        of_account = tables.list_table_relationships("account", select=["SchemaName"])
        self.assertIn("accountleads_association", {relationship["SchemaName"] for relationship in of_account})
        relationship = tables.get_relationship("contact_customer_accounts")
        self.assertEqual((relationship.referenced_entity, relationship.referencing_entity), ("account", "contact"))
        self.assertIsNone(tables.get_relationship("nothing"))
        expands = self.client.query.odata_expands("contact")
        self.assertIn(("parentcustomerid_account", "accounts"), {(e["nav_property"], e["target_entity_set"]) for e in expands})
        self.assertIn(self.client.query.odata_expand("contact", "account"), {e["nav_property"] for e in expands})

    def test_alternate_keys(self):
        keys = self.client.tables.get_alternate_keys("transactioncurrency")
        self.assertEqual([(key.schema_name, key.key_attributes, key.status) for key in keys], [("isocurrencycode", ["isocurrencycode"], "Active")])
        self.assertEqual(self.client.tables.get_alternate_keys("account"), [])

    def test_changing_them_is_refused_by_name(self):
        for attempt in (
            lambda: self.client.tables.create("new_Thing", {"new_Size": "int"}),
            lambda: self.client.tables.delete("account"),
            lambda: self.client.tables.add_columns("account", {"new_Size": "int"}),
            lambda: self.client.tables.create_alternate_key("account", "new_key", ["name"]),
        ):
            with self.assertRaisesRegex(HttpError, "not supported yet") as refused:
                attempt()
            self.assertEqual(refused.exception.status_code, 501)


class Batches(ClientTest):
    def test_requests_of_all_kinds(self):
        ids = self.make(2)
        code = self.currency()
        batch = self.client.batch.new()
        batch.records.create("account", {"name": "Row 3", "accountnumber": self.mark, "industrycode": 1})
        batch.records.create("account", [{"name": f"Row {n}", "accountnumber": self.mark} for n in (4, 5)])
        batch.records.update("account", ids[0], {"telephone1": "555"})
        batch.records.update("account", ids, {"numberofemployees": 9})
        batch.records.upsert(
            "transactioncurrency",
            [
                UpsertItem(
                    {"isocurrencycode": code},
                    {"currencyname": code, "currencysymbol": "x", "exchangerate": 2, "currencyprecision": 2},
                )
            ],
        )
        batch.records.retrieve("account", ids[0], select=["telephone1", "numberofemployees"], include_annotations="*")
        batch.records.list("account", filter=self.mine.to_odata(), select=["name"], orderby=["name"], count=True, page_size=2)
        batch.query.sql(f"SELECT name FROM account WHERE accountnumber = '{self.mark}' ORDER BY name")
        batch.tables.get("account")
        batch.tables.list(filter="SchemaName eq 'Contact'", select=["LogicalName"])
        batch.tables.get_relationship("contact_customer_accounts")
        batch.records.delete("account", ids[1])
        batch.records.delete("account", [ids[0]], use_bulk_delete=False)
        result = batch.execute()
        self.assertFalse(result.has_errors, result.failed)
        self.assertEqual(
            [response.status_code for response in result.responses],
            [204, 200, 204, 204, 204, 200, 200, 200, 200, 200, 200, 204, 204],
        )
        self.assertEqual(len(result.responses[1].data["Ids"]), 2)
        account = result.responses[5].data
        self.assertEqual((account["telephone1"], account["numberofemployees"]), ("555", 9))
        self.assertEqual((result.responses[6].data["@odata.count"], len(result.responses[6].data["value"])), (5, 2))
        self.assertEqual([row["name"] for row in result.responses[7].data["value"]], [f"Row {n}" for n in range(1, 6)])
        self.assertEqual(result.responses[8].data["value"][0]["EntitySetName"], "accounts")
        self.assertEqual([table["LogicalName"] for table in result.responses[9].data["value"]], ["contact"])
        self.assertEqual(self.names(), ["Row 3", "Row 4", "Row 5"])

    def test_a_change_set(self):
        batch = self.client.batch.new()
        with batch.changeset() as changes:
            contact = changes.records.create("contact", {"lastname": self.mark})
            account = changes.records.create(
                "account", {"name": "Row 1", "accountnumber": self.mark, "primarycontactid@odata.bind": contact}
            )
            changes.records.update("account", account, {"numberofemployees": 5})
        result = batch.execute()
        self.assertFalse(result.has_errors, result.failed)
        self.addCleanup(self.client.records.delete, "contact", result.entity_ids[0])
        row = self.client.records.list("account", filter=self.mine, expand=["primarycontactid"]).first()
        self.assertEqual((row["numberofemployees"], row["primarycontactid"]["lastname"]), (5, self.mark))

    def test_all_of_a_change_set_or_nothing(self):
        ids = self.make(1)
        batch = self.client.batch.new()
        with batch.changeset() as changes:
            changes.records.create("account", {"name": "Row 2", "accountnumber": self.mark})
            changes.records.delete("account", ids[0])
            changes.records.update("account", str(uuid.uuid4()), {"name": "nobody"})
        result = batch.execute()
        self.assertEqual([response.status_code for response in result.failed], [404])
        self.assertEqual(result.failed[0].error_code, "0x80040217")
        self.assertEqual(self.names(), ["Row 1"])

    def test_a_batch_ends_at_the_first_failure_unless_told_otherwise(self):
        for told, statuses in ((False, [404]), (True, [404, 204])):
            with self.subTest(continue_on_error=told):
                batch = self.client.batch.new()
                batch.records.update("account", str(uuid.uuid4()), {"name": "nobody"})
                batch.records.create("account", {"name": "Row 1", "accountnumber": self.mark})
                result = batch.execute(continue_on_error=told)
                self.assertEqual([response.status_code for response in result.responses], statuses)
        self.assertEqual(self.names(), ["Row 1"])

    def test_data_frames_in_a_batch(self):
        batch = self.client.batch.new()
        batch.dataframe.create("account", pandas.DataFrame([{"name": "Row 1", "accountnumber": self.mark}]))
        account_id = batch.execute().responses[0].data["Ids"][0]
        batch = self.client.batch.new()
        batch.dataframe.update("account", pandas.DataFrame([{"accountid": account_id, "name": "Row 2"}]), id_column="accountid")
        self.assertFalse(batch.execute().has_errors)
        self.assertEqual(self.names(), ["Row 2"])


class Errors(ClientTest):
    def test_what_is_refused_says_what(self):
        account_id = self.make(1)[0]
        for status, code, attempt in (
            (404, "0x80040217", lambda: self.client.records.update("account", str(uuid.uuid4()), {"name": "nobody"})),
            (404, "0x80040217", lambda: self.client.records.delete("account", str(uuid.uuid4()))),
            (400, "0x80060888", lambda: self.client.records.create("account", {"nothing": 1})),
            (400, "0x80048d19", lambda: self.client.records.create("account", {"numberofemployees": "many"})),
            (400, "0x80044331", lambda: self.client.records.update("account", account_id, {"name": "x" * 200})),
            (400, "0x0", lambda: self.client.records.list("account", select=["nothing"])),
            (400, "0x80060888", lambda: self.client.records.list("account", filter="name eq")),
            (400, "0x80041103", lambda: self.client.query.fetchxml(
                "<fetch><entity name='account'><attribute name='nothing'/></entity></fetch>"
            ).execute()),
        ):
            with self.subTest(code), self.assertRaises(HttpError) as refused:
                attempt()
            error = refused.exception
            self.assertEqual((error.status_code, error.details.get("service_error_code")), (status, code), error.message)
            self.assertTrue(error.details["service_request_id"])
            self.assertFalse(error.is_transient)

    def test_what_is_not_there(self):
        with self.assertRaises(MetadataError):
            self.client.records.create("nothing", {"name": "x"})
        with self.assertRaises(HttpError) as refused:
            self.client.query.sql("SELECT nothing FROM account")
        self.assertEqual(refused.exception.status_code, 400)
        with self.assertRaises(ValidationError):
            self.client.query.sql("DELETE FROM account")

    def test_who_is_not_signed_in_gets_nothing(self):
        with DataverseClient(ORGANIZATION_URL, Stranger()) as client, self.assertRaises(HttpError) as refused:
            client.records.retrieve("account", str(uuid.uuid4()))
        self.assertEqual(refused.exception.status_code, 401)


class Asynchronous(ClientTest):
    def test_the_same_without_waiting(self):
        from azure.identity.aio import ClientSecretCredential
        from PowerPlatform.Dataverse.aio import AsyncDataverseClient

        async def run():
            signing_in = ClientSecretCredential(
                ORGANIZATION, CLIENT_ID, CLIENT_SECRET, authority=HOST, disable_instance_discovery=True
            )
            async with signing_in, AsyncDataverseClient(ORGANIZATION_URL, signing_in) as client:
                rows = [{"name": f"Row {n}", "accountnumber": self.mark} for n in (1, 2)]
                ids = await asyncio.gather(*(client.records.create("account", row) for row in rows))
                found = await client.query.builder("account").select("name").where(self.mine).order_by("name").execute()
                self.assertEqual([row["name"] for row in found], ["Row 1", "Row 2"])
                found = await client.query.sql(f"SELECT name FROM account WHERE accountnumber = '{self.mark}'")
                self.assertEqual(len(found), 2)
                batch = client.batch.new()
                batch.records.update("account", ids[0], {"name": "Row 3"})
                batch.records.delete("account", ids[1])
                self.assertFalse((await batch.execute()).has_errors)
                self.assertEqual((await client.tables.get("account")).entity_set_name, "accounts")
                self.assertEqual((await client.records.retrieve("account", ids[0], select=["name"]))["name"], "Row 3")

        asyncio.run(run())
        self.assertEqual(self.names(), ["Row 3"])
