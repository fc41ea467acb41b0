// What `odata` (o.js) does with the service: an OData client over the platform's own fetch, with `odata-query`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { promisify } from "node:util";
import { ORequest, o } from "odata";
import queryBuilder from "odata-query";
import { freshName, removedAfter } from "./client.mjs";
import { GUID, hostUrl, serviceRoot, token } from "./service.mjs";

const buildQuery = queryBuilder.default ?? queryBuilder;

/** The headers of a request with a body in JSON; given headers replace those of the client. */
function headers(more = {}) {
  return { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...more };
}

/** A handler that sends these headers with every request. */
function handler(more = {}) {
  return o(serviceRoot, { headers: headers(more) });
}

/** A handler whose batches carry the token too; its own settings for batches are replaced as a whole. */
function batchHandler(settings = {}) {
  return o(serviceRoot, {
    headers: headers(),
    batch: {
      endpoint: "$batch",
      boundaryPrefix: "batch_",
      changsetBoundaryPrefix: "changset_",
      headers: new Headers(headers()),
      useChangset: false,
      useRelativeURLs: false,
      ...settings,
    },
  });
}

const shown = { Prefer: "return=representation" };

/** Makes a record, gone again when the test ends, and answers with it as it is then. */
async function made(t, collection, data) {
  const record = await handler(shown).post(collection, data).query();
  removedAfter(t, collection, record[{ accounts: "accountid", contacts: "contactid", leads: "leadid" }[collection]]);
  return record;
}

/** The status and the code that a refused call has to carry. The client throws the response as it came. */
async function refused(call, status, code) {
  const response = await call.then(() => assert.fail("it was not refused"), (thrown) => thrown);
  assert.ok(response instanceof Response, String(response));
  const { error } = await response.json();
  assert.ok(error.message.length > 0, "an error says what is wrong");
  assert.equal(response.status, status, error.message);
  if (code !== undefined) assert.equal(error.code, code, error.message);
}

test("an account is created, read, updated, replaced in one column and deleted", async (t) => {
  const name = freshName("Žižkov & Söhne 'Ost' #1+2 東京 %");
  const account = await handler(shown).post("accounts", { name, revenue: 1234567.89 }).query();
  removedAfter(t, "accounts", account.accountid);
  assert.match(account.accountid, GUID);
  assert.equal(account.revenue, 1234567.89);
  const path = `accounts(${account.accountid})`;

  const read = await handler().get(path).query({ $select: "name,fax" });
  assert.deepEqual([read.accountid, read.name, read.fax], [account.accountid, name, null]);
  assert.ok(!("revenue" in read), "a column that was not selected is absent");
  assert.ok(read["@odata.context"].startsWith(`${serviceRoot}$metadata#accounts(`), read["@odata.context"]);

  const updated = await handler().patch(path, { fax: "1" }).query();
  assert.equal(updated.status, 204);
  await handler().put(`${path}/telephone1`, { value: "+420 123" }).query();
  const [fax, telephone] = await handler().get(`${path}/fax`).get(`${path}/telephone1`).query();
  assert.deepEqual([fax, telephone], ["1", "+420 123"]);

  const bare = await handler().get(`${path}/telephone1/$value`).fetch();
  assert.equal(await bare.text(), "+420 123");

  const deleted = await handler().delete(path).query();
  assert.equal(deleted.status, 204);
  await refused(handler().get(path).query(), 404, "0x80040217");
  await refused(handler().delete(path).query(), 404, "0x80040217");
});

test("without a preference the answer names what was made", async (t) => {
  const accountid = randomUUID();
  removedAfter(t, "accounts", accountid);
  const response = await handler().post("accounts", { accountid, name: freshName("Silent") }).query();
  assert.equal(response.status, 204);
  assert.equal(response.headers.get("OData-EntityId"), `${serviceRoot}accounts(${accountid})`);
});

test("open opportunities above 3,000 come with their accounts", async () => {
  const open = await (await handler().get("opportunities").fetch({ $filter: "statecode eq 0" })).json();
  assert.equal(open["@odata.nextLink"], undefined, "they are all on one page");
  const wanted = open.value.filter((row) => row.estimatedvalue > 3000);
  assert.ok(wanted.length > 3 && wanted.length < open.value.length, "the demo data has such opportunities and others");
  const asked = {
    $filter: "statecode eq 0 and estimatedvalue gt 3000",
    $select: "name,estimatedvalue,_customerid_value",
    $orderby: "estimatedvalue desc,name",
    $expand: "customerid_account($select=name,accountid)",
  };
  const large = await handler().get("opportunities").query(asked);
  assert.deepEqual(large.map((row) => row.opportunityid).sort(), wanted.map((row) => row.opportunityid).sort());
  large.reduce((previous, row) => {
    assert.ok(row.estimatedvalue <= previous, "sorted");
    if (row.customerid_account) assert.equal(row.customerid_account.accountid, row._customerid_value);
    return row.estimatedvalue;
  }, Infinity);
  assert.ok(large.some((row) => row.customerid_account?.name), "some of them belong to an account");

  const top = await handler().get("opportunities").query({ ...asked, $top: 3 });
  assert.deepEqual(top.map((row) => row.opportunityid), large.slice(0, 3).map((row) => row.opportunityid));
  const counted = await handler().get("opportunities").fetch({ ...asked, $count: true });
  assert.equal((await counted.json())["@odata.count"], wanted.length);
  assert.equal(await handler().get("opportunities/$count").query({ $filter: asked.$filter }), wanted.length);
  const text = await handler().get("opportunities").query(`$filter=${asked.$filter}&$select=name`);
  assert.equal(text.length, wanted.length, "a query may be given as text");
});

test("queries that odata-query builds", async (t) => {
  const name = freshName("Built");
  const account = await made(t, "accounts", {
    name,
    numberofemployees: 7,
    contact_customer_accounts: [{ firstname: "Jana", lastname: name }, { firstname: "Petr", lastname: name }],
  });
  const contacts = await handler().get("contacts" + buildQuery({ filter: { lastname: name } })).query();
  contacts.forEach((row) => removedAfter(t, "contacts", row.contactid));
  assert.equal(contacts.length, 2);

  const found = async (filter) => {
    const rows = await handler().get("accounts" + buildQuery({ filter: [{ name }, filter], select: ["name"] })).query();
    return rows.length === 1 && rows[0].accountid === account.accountid;
  };
  for (const filter of [
    { numberofemployees: { gt: 6, le: 7 } },
    { numberofemployees: { in: [6, 7] } },
    { or: [{ numberofemployees: 1 }, { name: { contains: name.slice(-12) } }] },
    { not: { numberofemployees: { lt: 7 } } },
    { name: { startswith: "Built" } },
    { name: { endswith: name.slice(-5) } },
    { fax: null },
    { accountid: { type: "guid", value: account.accountid } },
    { createdon: { gt: new Date("2020-01-01T00:00:00Z") } },
    { contact_customer_accounts: { any: { firstname: "Jana" } } },
    { contact_customer_accounts: { any: [{ firstname: "Petr" }, { lastname: name }] } },
    { contact_customer_accounts: { all: { lastname: name } } },
    { contact_customer_accounts: { any: {} } },
    { not: { contact_customer_accounts: { any: { firstname: "Eva" } } } },
  ]) {
    assert.equal(await found(filter), true, JSON.stringify(filter));
  }
  for (const filter of [
    { numberofemployees: { gt: 7 } },
    { fax: { ne: null } },
    { contact_customer_accounts: { any: [{ firstname: "Petr" }, { lastname: "another" }] } },
    { contact_customer_accounts: { all: { firstname: "Jana" } } },
  ]) {
    assert.equal(await found(filter), false, JSON.stringify(filter));
  }

  const key = { type: "guid", value: account.accountid };
  const one = await handler()
    .get("accounts" + buildQuery({ key, select: ["name"], expand: { contact_customer_accounts: {
      select: ["firstname"], filter: { lastname: name }, orderBy: "firstname desc", top: 1,
    } } }))
    .query();
  assert.deepEqual(one.contact_customer_accounts.map((row) => row.firstname), ["Petr"]);
  assert.equal(await handler().get("accounts" + buildQuery({ count: { name } })).query(), 1);
  const sums = await handler()
    .get("accounts" + buildQuery({
      transform: [
        { filter: { name } },
        { groupBy: { properties: ["name"], transform: [{ aggregate: { numberofemployees: { with: "sum", as: "total" } } }] } },
      ],
    }))
    .query();
  assert.deepEqual(sums, [{ name, total: 7 }]);
});

test("pages joined are the whole list", async () => {
  const query = { $select: "name", $orderby: "name" };
  const whole = await handler().get("accounts").query({ ...query });
  assert.ok(whole.length > 50, "the demo data has more accounts than a few pages hold");
  const paged = handler({ Prefer: "odata.maxpagesize=7" });
  const joined = [];
  let page = await (await paged.get("accounts").fetch({ ...query })).json();
  for (;;) {
    joined.push(...page.value);
    const next = page["@odata.nextLink"];
    if (!next) break;
    assert.equal(page.value.length, 7, "a page with a next one is full");
    assert.ok(next.startsWith(serviceRoot), next);
    page = await (await paged.get(next).fetch()).json();
  }
  assert.deepEqual(joined.map((row) => row.accountid), whole.map((row) => row.accountid));
});

test("a query in FetchXML gives what its twin gives", async () => {
  const fetchXml = `<fetch top="5"><entity name="account"><attribute name="name"/><order attribute="name"/>
    <filter><condition attribute="name" operator="like" value="%a%"/></filter></entity></fetch>`;
  const fetched = await handler().get("accounts").query({ fetchXml });
  const asked = await handler()
    .get("accounts")
    .query({ $filter: "contains(name,'a')", $orderby: "name", $select: "name", $top: 5 });
  assert.equal(asked.length, 5);
  assert.deepEqual(fetched.map((row) => row.accountid), asked.map((row) => row.accountid));
});

test("changes are followed", async (t) => {
  const tracked = await (await handler({ Prefer: "odata.track-changes" }).get("accounts").fetch({ $select: "name" })).json();
  const followed = async (link) => (await handler().get(link).fetch()).json();
  const name = freshName("Followed");
  const { accountid } = await made(t, "accounts", { name });
  const changed = await followed(tracked["@odata.deltaLink"]);
  assert.ok(changed.value.some((row) => row.accountid === accountid && row.name === name));
  await handler().delete(`accounts(${accountid})`).query();
  const deleted = await followed(changed["@odata.deltaLink"]);
  assert.ok(deleted.value.some((row) => row.id === accountid && row.reason === "deleted"), JSON.stringify(deleted.value));
});

test("several requests are made one after the other", async (t) => {
  const account = await made(t, "accounts", { name: freshName("First") });
  const path = `accounts(${account.accountid})`;
  const [changed, read, again] = await handler(shown)
    .patch(path, { fax: "1" })
    .get(path)
    .request(new ORequest(`${serviceRoot}${path}`, { headers: headers() }))
    .query({ $select: "fax" });
  assert.deepEqual([changed, read, again].map((row) => [row.fax, "name" in row]), Array(3).fill(["1", false]));
});

test("a batch reads and writes", async (t) => {
  const name = freshName("Batch");
  const kept = await made(t, "accounts", { name });
  const gone = await made(t, "accounts", { name });
  const keys = [randomUUID(), randomUUID()];
  keys.forEach((key) => removedAfter(t, "accounts", key));
  for (const [useRelativeURLs, accountid] of [[false, keys[0]], [true, keys[1]]]) {
    const answers = await batchHandler({ useRelativeURLs })
      .get("accounts")
      .post("accounts", { accountid, name, fax: "new" })
      .patch(`accounts(${kept.accountid})`, { fax: "changed" })
      .get(`accounts(${kept.accountid})`)
      .batch({ $select: "name,fax" });
    assert.deepEqual(answers.map((answer) => answer.status), [200, 204, 204, 200]);
    assert.deepEqual(answers.map((answer) => answer.contentId), [1, 2, 3, 4]);
    assert.ok(answers[0].body.some((row) => row.accountid === gone.accountid));
    assert.equal(answers[3].body.fax, "changed");
  }
  const there = await handler().get("accounts").query({ $filter: `name eq '${name}' and fax eq 'new'` });
  assert.deepEqual(there.map((row) => row.accountid).sort(), keys.sort());
  const [deleted] = await batchHandler().delete(`accounts(${gone.accountid})`).batch();
  assert.equal(deleted.status, 204);
  await refused(handler().get(`accounts(${gone.accountid})`).query(), 404, "0x80040217");
});

test("a change set is done as a whole or not at all", async (t) => {
  const [first, second] = [randomUUID(), randomUUID()];
  [first, second].forEach((key) => removedAfter(t, "accounts", key));
  const name = freshName("Change set");
  const answers = await batchHandler({ useChangset: true })
    .post("accounts", { accountid: first, name })
    .post("accounts", { accountid: second, name })
    .batch();
  assert.deepEqual(answers.map((answer) => [answer.contentId, answer.status]), [[1, 204], [2, 204]]);
  assert.equal(await handler().get("accounts/$count").query({ $filter: `name eq '${name}'` }), 2);

  const response = await batchHandler({ useChangset: true })
    .patch(`accounts(${first})`, { fax: "never" })
    .patch(`accounts(${second})`, { numberofemployees: -1 })
    .batch()
    .then(() => assert.fail("it was not refused"), (thrown) => thrown);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /Content-ID: 2\r\n[^]*"0x80044330"/);
  assert.equal((await handler().get(`accounts(${first})`).query()).fax, null);
});

test("the service, its types and its tables are described", async () => {
  const sets = await handler().get("").query();
  assert.ok(sets.some((set) => set.name === "accounts" && set.url === "accounts"));
  const types = await handler().get("$metadata").fetch();
  assert.equal(types.status, 200);
  assert.match(types.headers.get("Content-Type"), /^application\/xml/);
  assert.match(await types.text(), /<EntityType Name="account"/);
  const account = await handler().get("EntityDefinitions(LogicalName='account')").query({
    $select: "EntitySetName",
    $expand: "Attributes($select=LogicalName;$filter=IsPrimaryName eq true)",
  });
  assert.equal(account.EntitySetName, "accounts");
  assert.deepEqual(account.Attributes.map((column) => column.LogicalName), ["name"]);
});

test("functions and actions are called", async (t) => {
  const account = await made(t, "accounts", { name: freshName("Bulk") });
  assert.match((await handler().get("WhoAmI").query()).UserId, GUID);
  const type = { "@odata.type": "Microsoft.Dynamics.CRM.account" };
  await handler()
    .post("accounts/Microsoft.Dynamics.CRM.UpdateMultiple", {
      Targets: [{ ...type, accountid: account.accountid, fax: "1" }],
    })
    .query();
  assert.equal((await handler().get(`accounts(${account.accountid})`).query()).fax, "1");
});

test("a version, a key and a value that do not fit are refused", async (t) => {
  const account = await made(t, "accounts", { name: freshName("Versioned") });
  const path = `accounts(${account.accountid})`;
  const stale = { "If-Match": account["@odata.etag"] };
  assert.equal((await handler(stale).patch(path, { fax: "1" }).query()).status, 204);
  await refused(handler(stale).patch(path, { fax: "2" }).query(), 412, "0x80060882");
  await refused(handler(stale).delete(path).query(), 412, "0x80060882");
  assert.equal((await handler().get(path).query()).fax, "1");
  await refused(handler({ "If-Match": "*" }).patch(`accounts(${randomUUID()})`, { fax: "2" }).query(), 404, "0x80040217");
  await refused(handler().post("accounts", { accountid: account.accountid }).query(), 412, "0x80040237");
  await refused(handler().patch(path, { name: 1 }).query(), 400, "0x80048d19");
  await refused(handler().patch(path, { name: "x".repeat(161) }).query(), 400, "0x80044331");
});

test("a query that makes no sense is refused", async () => {
  await refused(handler().get("accounts").query({ $select: "nosuchcolumn" }), 400, "0x0");
  await refused(handler().get("accounts").query({ $filter: "name eq" }), 400, "0x80060888");
  await refused(handler().get("accounts").query({ $skip: 1 }), 400, "0x80060888");
  await refused(handler().get("nosuchtables").query(), 404, "0x8006088a");
});

test("a request without a good token is refused, and told where to get one", async () => {
  await refused(handler({ Authorization: "Bearer not.a.token" }).get("accounts").query(), 401);
  const response = await o(serviceRoot).get("accounts").fetch();
  assert.equal(response.status, 401);
  assert.match(response.headers.get("WWW-Authenticate"), /^Bearer .*authorization_uri=/);
});

// Over HTTPS this client, and with it the others, reaches the service because it knows the authority, not because it does
// without. Over plain HTTP there is nothing to know.
if (hostUrl.protocol === "https:") {
  test("who does not know the authority does not talk to the service", async () => {
    const program = "fetch(process.argv[1]).then(({ status }) => console.log(status), ({ cause }) => console.log(cause.code))";
    const asked = async (environment) =>
      (await promisify(execFile)(process.execPath, ["-e", program, serviceRoot], { env: environment })).stdout.trim();
    const { NODE_EXTRA_CA_CERTS, ...without } = process.env;
    assert.ok(!("NODE_TLS_REJECT_UNAUTHORIZED" in without), "nothing switches the check off");
    assert.equal(await asked(process.env), "401", "the authority is known, the caller is not");
    assert.equal(await asked(without), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });
}
