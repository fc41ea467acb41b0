// What a client that people have already does with records: reads, writes, links, pages and preconditions.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  GUID,
  client,
  created,
  freshName,
  removedAfter,
  serviceRoot,
  strangerClient,
  strictClient,
} from "./client.mjs";

const VERSION_TAG = /^W\/"\d+"$/;

/** The status and code that a refused call has to carry; every error has a message to show. */
async function refused(call, status, code) {
  await assert.rejects(call, (error) => {
    assert.equal(error.status, status, error.message);
    if (code !== undefined) assert.equal(error.code, code, error.message);
    assert.ok(error.message.length > 0, "an error says what is wrong");
    return true;
  });
}

test("who am I", async () => {
  const answer = await client.callFunction("WhoAmI");
  for (const name of ["UserId", "BusinessUnitId", "OrganizationId"]) assert.match(answer[name], GUID, name);
});

test("which version is this", async () => {
  const answer = await client.callFunction("RetrieveVersion");
  assert.match(answer.Version, /^9\.2\.\d+\.\d+$/);
});

test("a token that nobody issued is refused", async () => {
  await refused(strangerClient.callFunction("WhoAmI"), 401);
});

test("open opportunities above 3,000 come with their accounts", async () => {
  const columns = {
    collection: "opportunities",
    select: ["name", "estimatedvalue", "statecode", "_customerid_value"],
    expand: [{ property: "customerid_account", select: ["name", "accountid"] }],
    includeAnnotations: "*",
  };
  const open = await client.retrieveAll({ ...columns, filter: "statecode eq 0" });
  const large = await client.retrieveAll({
    ...columns,
    filter: "statecode eq 0 and estimatedvalue gt 3000",
    orderBy: ["estimatedvalue desc"],
  });

  assert.ok(large.value.length > 0, "the demo data has such opportunities");
  assert.ok(large.value.length < open.value.length, "and open ones that are smaller");
  const ids = (rows) => rows.map((row) => row.opportunityid).sort();
  assert.deepEqual(ids(large.value), ids(open.value.filter((row) => row.estimatedvalue > 3000)));

  let previous = Infinity;
  let withAccount = 0;
  for (const opportunity of large.value) {
    assert.ok(opportunity.estimatedvalue > 3000 && opportunity.estimatedvalue <= previous);
    previous = opportunity.estimatedvalue;
    assert.equal(opportunity.statecode, 0);
    assert.equal(opportunity.statecode_Formatted, "Open");
    assert.match(opportunity["@odata.etag"], VERSION_TAG);
    if (opportunity._customerid_value_LogicalName !== "account") {
      assert.equal(opportunity.customerid_account, null);
      continue;
    }
    withAccount += 1;
    assert.equal(opportunity.customerid_account.accountid, opportunity._customerid_value);
    assert.equal(opportunity.customerid_account.name, opportunity._customerid_value_Formatted);
  }
  assert.ok(withAccount > 0, "some of them belong to an account");
});

test("an account is created, retrieved, updated and deleted", async (t) => {
  const name = freshName("Müller & Söhne 'Ost' #1+2 東京 %");
  const key = await created(t, "accounts", {
    name,
    revenue: 1234567.89,
    numberofemployees: 1500,
    creditonhold: true,
    telephone1: "+420 123",
  });
  assert.match(key, GUID);

  const select = ["name", "revenue", "numberofemployees", "creditonhold", "telephone1", "fax", "createdon", "_ownerid_value"];
  const account = await client.retrieve({ collection: "accounts", key, select, includeAnnotations: "*" });
  assert.equal(account.accountid, key);
  assert.equal(account.name, name);
  assert.equal(account.revenue, 1234567.89);
  assert.match(account.revenue_Formatted, /1,234,567\.89/);
  assert.equal(account.numberofemployees, 1500);
  assert.equal(account.numberofemployees_Formatted, "1,500");
  assert.equal(account.creditonhold, true);
  assert.equal(account.creditonhold_Formatted, "Yes");
  assert.equal(account.fax, null, "a selected column without a value is null");
  assert.ok(!("websiteurl" in account), "a column that was not selected is absent");
  assert.ok(account.createdon instanceof Date, "the client recognises the form of a date");
  assert.equal(account._ownerid_value, (await client.callFunction("WhoAmI")).UserId);
  assert.equal(account._ownerid_value_LogicalName, "systemuser");
  assert.match(account["@odata.etag"], VERSION_TAG);
  assert.ok(account.oDataContext.startsWith(`${serviceRoot}$metadata#accounts(`), account.oDataContext);

  assert.equal(await client.update({ collection: "accounts", key, data: { telephone1: null, fax: "1" } }), true);
  const updated = await client.update({
    collection: "accounts",
    key,
    data: { numberofemployees: 2 },
    select: ["telephone1", "fax", "numberofemployees", "name"],
    returnRepresentation: true,
  });
  assert.equal(updated.telephone1, null);
  assert.equal(updated.fax, "1");
  assert.equal(updated.numberofemployees, 2);
  assert.equal(updated.name, name, "a column that was not sent stays");
  assert.notEqual(updated["@odata.etag"], account["@odata.etag"]);

  await client.updateSingleProperty({ collection: "accounts", key, fieldValuePair: { fax: "2" } });
  assert.equal((await client.retrieve({ collection: "accounts", key, select: ["fax"] })).fax, "2");
  await client.deleteRecord({ collection: "accounts", key, property: "fax" });
  assert.equal((await client.retrieve({ collection: "accounts", key, select: ["fax"] })).fax, null);

  assert.equal(await client.deleteRecord({ collection: "accounts", key }), true);
  await refused(client.retrieve({ collection: "accounts", key }), 404, "0x80040217");
  await refused(client.deleteRecord({ collection: "accounts", key }), 404, "0x80040217");
  await refused(client.update({ collection: "accounts", key, data: { fax: "3" } }), 404, "0x80040217");
});

test("a created contact comes back whole when asked for", async (t) => {
  const account = await created(t, "accounts", { name: freshName("Employer") });
  const contact = await client.create({
    collection: "contacts",
    data: {
      firstname: "Jana",
      lastname: "Nováková",
      birthdate: "1984-02-29",
      "parentcustomerid_account@odata.bind": `/accounts(${account})`,
    },
    select: ["fullname", "birthdate", "_parentcustomerid_value"],
    returnRepresentation: true,
    includeAnnotations: "*",
  });
  removedAfter(t, "contacts", contact.contactid);
  assert.equal(contact.fullname, "Jana Nováková");
  assert.equal(contact.birthdate, "1984-02-29");
  assert.equal(contact._parentcustomerid_value, account);
  assert.equal(contact._parentcustomerid_value_LogicalName, "account");
  assert.equal(contact._parentcustomerid_value_NavigationProperty, "parentcustomerid_account");

  const parent = await client.retrieve({
    collection: "accounts",
    key: account,
    select: ["name"],
    expand: [{ property: "contact_customer_accounts", select: ["fullname"] }],
  });
  assert.deepEqual(parent.contact_customer_accounts.map((row) => row.fullname), ["Jana Nováková"]);
});

test("a record keeps the key that the client gave it, and the key is taken then", async (t) => {
  const accountid = randomUUID();
  assert.equal(await created(t, "accounts", { accountid, name: freshName("Own key") }), accountid);
  await refused(client.create({ collection: "accounts", data: { accountid, name: "twice" } }), 412, "0x80040237");
});

test("a name is found without regard to case and accents", async (t) => {
  const mark = randomUUID();
  const key = await created(t, "accounts", { name: `ŽLUŤOUČKÝ kůň's ${mark}` });
  for (const filter of [
    `name eq 'zlutoucky KUN''s ${mark}'`,
    `startswith(name,'Žluť') and contains(name,'${mark}')`,
    `endswith(name,'${mark.toUpperCase()}')`,
  ]) {
    const found = await client.retrieveMultiple({ collection: "accounts", select: ["name"], filter });
    assert.deepEqual(found.value.map((row) => row.accountid), [key], filter);
  }
});

test("pages joined are the whole list", async () => {
  const request = { collection: "accounts", select: ["name"], orderBy: ["name"] };
  const whole = await client.retrieveMultiple(request);
  assert.ok(whole.value.length > 50, "the demo data has more accounts than a few pages hold");
  assert.equal(whole.oDataNextLink, undefined);

  const joined = [];
  let page = await client.retrieveMultiple({ ...request, maxPageSize: 7, count: true });
  assert.equal(page.oDataCount, whole.value.length);
  for (;;) {
    joined.push(...page.value);
    if (!page.oDataNextLink) break;
    assert.equal(page.value.length, 7, "a page with a next one is full");
    assert.ok(page.oDataNextLink.startsWith(serviceRoot), page.oDataNextLink);
    page = await client.retrieveMultiple({ ...request, maxPageSize: 7 }, page.oDataNextLink);
  }
  const ids = (rows) => rows.map((row) => row.accountid);
  assert.deepEqual(ids(joined), ids(whole.value));

  const all = await client.retrieveAll({ ...request, maxPageSize: 20 });
  assert.deepEqual(ids(all.value), ids(whole.value));
});

test("records are counted", async () => {
  const accounts = await client.retrieveAll({ collection: "accounts", select: ["name"] });
  assert.equal(await client.count({ collection: "accounts" }), accounts.value.length);
  assert.equal(await client.count({ collection: "accounts", filter: "name eq null" }), 0);
});

test("a stale version is refused with 412", async (t) => {
  const key = await created(t, "accounts", { name: freshName("Versioned") });
  const stale = (await client.retrieve({ collection: "accounts", key, select: ["name"] }))["@odata.etag"];
  const current = (
    await client.update({ collection: "accounts", key, data: { fax: "1" }, ifmatch: stale, returnRepresentation: true })
  )["@odata.etag"];

  const update = { collection: "accounts", key, data: { fax: "2" }, ifmatch: stale };
  await refused(strictClient.update(update), 412, "0x80060882");
  assert.equal(await client.update(update), false, "the client's own word for it");
  await refused(strictClient.deleteRecord({ collection: "accounts", key, ifmatch: stale }), 412, "0x80060882");

  const unchanged = await client.retrieve({ collection: "accounts", key, select: ["fax"] });
  assert.equal(unchanged.fax, "1");
  assert.equal(unchanged["@odata.etag"], current);
  assert.equal(
    await client.retrieve({ collection: "accounts", key, select: ["fax"], ifnonematch: current }),
    undefined,
    "304 has no body",
  );
  assert.equal(await strictClient.deleteRecord({ collection: "accounts", key, ifmatch: current }), true);
});

test("an upsert creates, then updates, and obeys its preconditions", async (t) => {
  const key = randomUUID();
  const upsert = (data, preconditions = {}) => ({ collection: "accounts", key, data, ...preconditions });
  assert.equal(await client.upsert(upsert({ name: "never" }, { ifmatch: "*" })), null, "update only, and it is missing");

  removedAfter(t, "accounts", key);
  const name = freshName("Upserted");
  assert.equal(await client.upsert(upsert({ name })), key);
  assert.equal(await client.upsert(upsert({ fax: "1" })), key);
  assert.equal(await client.upsert(upsert({ fax: "2" }, { ifnonematch: "*" })), null, "create only, and it is there");
  await refused(strictClient.upsert(upsert({ fax: "2" }, { ifnonematch: "*" })), 412, "0x80040237");

  const account = await client.retrieve({ collection: "accounts", key, select: ["name", "fax"] });
  assert.deepEqual([account.name, account.fax], [name, "1"]);
});

test("a contact joins and leaves an account's contacts", async (t) => {
  const account = await created(t, "accounts", { name: freshName("Employer") });
  const contact = await created(t, "contacts", { lastname: freshName("Joiner") });
  const employer = async () =>
    (await client.retrieve({ collection: "contacts", key: contact, select: ["_parentcustomerid_value"] }))
      ._parentcustomerid_value;

  const relationship = {
    collection: "accounts",
    primaryKey: account,
    relationshipName: "contact_customer_accounts",
    relatedKey: contact,
  };
  await client.associate({ ...relationship, relatedCollection: "contacts" });
  assert.equal(await employer(), account);
  await client.disassociate(relationship);
  assert.equal(await employer(), null);
});

test("an account's primary contact is set and cleared", async (t) => {
  const account = await created(t, "accounts", { name: freshName("Employer") });
  const contact = await created(t, "contacts", { lastname: freshName("Primary") });
  const lookup = { collection: "accounts", primaryKey: account, navigationProperty: "primarycontactid" };

  await client.associateSingleValued({ ...lookup, relatedKey: contact, relatedCollection: "contacts" });
  const reference = await client.retrieve({ collection: "accounts", key: account, select: ["primarycontactid/$ref"] });
  assert.deepEqual([reference.id, reference.collection], [contact, "contacts"]);
  await client.disassociateSingleValued(lookup);
  const cleared = await client.retrieve({ collection: "accounts", key: account, select: ["_primarycontactid_value"] });
  assert.equal(cleared._primarycontactid_value, null);
});

test("a contact and a lead are linked once, and unlinked", async (t) => {
  const contact = await created(t, "contacts", { lastname: freshName("Linked") });
  const lead = await created(t, "leads", { lastname: freshName("Lead"), subject: "Linked" });
  const leads = async () =>
    (
      await client.retrieve({
        collection: "contacts",
        key: contact,
        select: ["lastname"],
        expand: [{ property: "contactleads_association", select: ["leadid"] }],
      })
    ).contactleads_association.map((row) => row.leadid);

  const link = {
    collection: "contacts",
    primaryKey: contact,
    relationshipName: "contactleads_association",
    relatedKey: lead,
  };
  await client.associate({ ...link, relatedCollection: "leads" });
  assert.deepEqual(await leads(), [lead]);
  await refused(client.associate({ ...link, relatedCollection: "leads" }), 412, "0x80040237");
  await client.disassociate(link);
  assert.deepEqual(await leads(), []);
});

test("what is wrong is refused with a code and a reason", async (t) => {
  const key = await created(t, "accounts", { name: freshName("Refusals") });
  await refused(client.retrieve({ collection: "accounts", key, select: ["nosuchcolumn"] }), 400);
  await refused(client.retrieveMultiple({ collection: "accounts", filter: "name eq" }), 400);
  await refused(client.retrieveMultiple({ collection: "nosuchtables" }), 404);
  await refused(client.update({ collection: "accounts", key, data: { nosuchcolumn: 1 } }), 400);
  await refused(client.update({ collection: "accounts", key, data: { name: 1 } }), 400);
  await refused(client.update({ collection: "accounts", key, data: { name: "x".repeat(161) } }), 400, "0x80044331");
  await refused(client.update({ collection: "accounts", key, data: { numberofemployees: -1 } }), 400, "0x80044330");
  await refused(client.update({ collection: "accounts", key, data: { industrycode: 987654 } }), 400, "0x8004431A");
});

test("a user acts for another one", async () => {
  const me = (await client.callFunction("WhoAmI")).UserId;
  const users = await client.retrieveMultiple({
    collection: "systemusers",
    select: ["fullname"],
    filter: `isdisabled eq false and systemuserid ne ${me}`,
    top: 1,
  });
  const other = users.value[0].systemuserid;
  assert.equal((await client.callFunction({ name: "WhoAmI", impersonate: other })).UserId, other);
});

test("search and background operations are not there yet, and say so", async () => {
  await refused(client.query({ query: { search: "custodia" } }), 501);
  await refused(client.suggest({ query: { search: "custodia" } }), 501);
  await refused(client.autocomplete({ query: { search: "custodia" } }), 501);
  await refused(client.getBackgroundOperationStatus(randomUUID()), 501);
});
