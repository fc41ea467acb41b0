// What `@odata/client` does with the service: an OData client that knows nothing of Dataverse.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { EdmV4, OData, defaultProxy } from "@odata/client";
import { freshName, removedAfter } from "./client.mjs";
import { GUID, required, serverUrl, serviceRoot, token } from "./service.mjs";

const authorization = { Authorization: `Bearer ${token}` };

/** A client that sends these headers with every request. */
function clientWith(headers) {
  return OData.New4({ serviceEndpoint: serviceRoot, commonHeaders: { ...authorization, ...headers } });
}

const client = clientWith({});
/** A client that is answered with what it wrote, as its documentation expects of a service. */
const shown = clientWith({ Prefer: "return=representation" });
const guid = (id) => EdmV4.Guid.from(id);
const options = () => OData.newOptions();

/** Makes a record, gone again when the test ends, and answers with it as it is then. */
async function made(t, collection, entity) {
  const record = await shown.getEntitySet(collection).create(entity);
  removedAfter(t, collection, record[{ accounts: "accountid", contacts: "contactid", leads: "leadid" }[collection]]);
  return record;
}

/** The status of a refused request and what the service says of it; the client itself shows the second alone. */
async function refusal(request, headers = {}) {
  let status;
  const watched = OData.New4({
    serviceEndpoint: serviceRoot,
    commonHeaders: { ...authorization, ...headers },
    fetchProxy: async (url, init) => {
      const answer = await defaultProxy(url, init);
      status = answer.response.status;
      return answer;
    },
  });
  const { error } = await watched.newRequest(request);
  assert.ok(error.message.length > 0, "an error says what is wrong");
  return [status, error.code];
}

for (const tokenRetrieveType of ["header", "form"]) {
  test(`an application signs in with its secret in the ${tokenRetrieveType}`, async () => {
    const clientId = required("CUSTODIA_CLIENT_ID");
    const application = OData.New4({
      serviceEndpoint: serviceRoot,
      credential: {
        tokenUrl: `${serverUrl}oauth2/v2.0/token`,
        clientId,
        clientSecret: required("CUSTODIA_CLIENT_SECRET"),
        scope: `${serverUrl}.default`,
        tokenRetrieveType,
      },
    });
    const { UserId } = await application.functionImport("WhoAmI");
    const users = await client.getEntitySet("systemusers").query(OData.newFilter().property("applicationid").eq(guid(clientId)));
    assert.deepEqual(users.map((user) => user.systemuserid), [UserId]);
    // The parts of a batch have no token of their own then.
    const [answer] = await application.execBatchRequests([application.newBatchRequest({ collection: "WhoAmI" })]);
    assert.equal((await answer.json()).UserId, UserId);
  });
}

test("an application with a wrong secret gets no token", async () => {
  const stranger = OData.New4({
    serviceEndpoint: serviceRoot,
    credential: {
      tokenUrl: `${serverUrl}oauth2/v2.0/token`,
      clientId: required("CUSTODIA_CLIENT_ID"),
      clientSecret: "a guess",
      scope: `${serverUrl}.default`,
    },
  });
  await assert.rejects(stranger.functionImport("WhoAmI"), { message: "invalid_client" });
});

test("an account is created, retrieved, found, updated and deleted", async (t) => {
  const accounts = shown.getEntitySet("accounts");
  const name = freshName("Žižkov & Söhne #1+2 東京 %");
  const account = await accounts.create({ name, revenue: 1234567.89, creditonhold: true });
  removedAfter(t, "accounts", account.accountid);
  assert.match(account.accountid, GUID);
  assert.equal(account.name, name);
  assert.match(account["@odata.etag"], /^W\/"\d+"$/);

  const key = guid(account.accountid);
  const read = await accounts.retrieve(key, options().select(["name", "revenue", "fax"]));
  assert.deepEqual(
    { ...read, "@odata.context": undefined, "@odata.etag": undefined, _transactioncurrencyid_value: undefined },
    {
      "@odata.context": undefined,
      "@odata.etag": undefined,
      _transactioncurrencyid_value: undefined,
      accountid: account.accountid,
      name,
      revenue: 1234567.89,
      fax: null,
    },
  );
  assert.ok(read["@odata.context"].startsWith(`${serviceRoot}$metadata#accounts(`), read["@odata.context"]);

  await accounts.update(key, { fax: "1", creditonhold: null });
  // What the client finds it asks for without escaping it, so by a name that needs none.
  await accounts.update(key, { name: account.accountid });
  const found = await accounts.find({ name: account.accountid, fax: "1" });
  assert.deepEqual(found.map((row) => [row.accountid, row.creditonhold]), [[account.accountid, null]]);

  // Its documentation hands on an id as it came, and the client puts it in quotes.
  assert.equal((await accounts.retrieve(account.accountid)).fax, "1");
  await accounts.delete(account.accountid);
  await assert.rejects(accounts.retrieve(key), { message: /Does Not Exist/ });
  assert.deepEqual(await accounts.find({ name: account.accountid }), []);
});

test("without a preference what is made is not shown", async (t) => {
  const accountid = randomUUID();
  assert.equal(await client.getEntitySet("accounts").create({ accountid, name: freshName("Silent") }), "");
  removedAfter(t, "accounts", accountid);
  assert.equal((await client.getEntitySet("accounts").retrieve(guid(accountid))).accountid, accountid);
});

test("days, times and links are written and read", async (t) => {
  const account = await made(t, "accounts", { name: freshName("Employer") });
  const contact = await made(t, "contacts", {
    lastname: freshName("Employed"),
    birthdate: EdmV4.Date.from(new Date("1984-02-29")),
    lastonholdtime: EdmV4.DateTimeOffset.from(new Date("2024-03-31T01:30:00Z")),
    "parentcustomerid_account@odata.bind": `/accounts(${account.accountid})`,
  });
  assert.equal(contact.birthdate, "1984-02-29");
  assert.equal(contact.lastonholdtime, "2024-03-31T01:30:00Z");
  assert.equal(contact._parentcustomerid_value, account.accountid);
  const found = await client.getEntitySet("contacts").query(
    options().filter(
      OData.newFilter()
        .property("_parentcustomerid_value").eq(guid(account.accountid))
        .property("birthdate").between(EdmV4.Date.from(new Date("1984-02-29")), EdmV4.Date.from(new Date("1984-03-01")))
        .property("lastonholdtime").lt(EdmV4.DateTimeOffset.from(new Date("2024-03-31T01:30:01Z"))),
    ),
  );
  assert.deepEqual(found.map((row) => row.contactid), [contact.contactid]);
});

test("records are linked and unlinked, and read by an alternate key", async (t) => {
  const account = await made(t, "accounts", { name: freshName("Employer") });
  const contact = await made(t, "contacts", { lastname: freshName("Joiner") });
  const path = `accounts(${account.accountid})/contact_customer_accounts`;
  const employed = async () => (await client.getEntitySet(path).query()).map((row) => row.contactid);
  await client.newRequest({
    collection: `${path}/$ref`,
    method: "POST",
    entity: { "@odata.id": `${serviceRoot}contacts(${contact.contactid})` },
  });
  assert.deepEqual(await employed(), [contact.contactid]);
  await client.newRequest({ collection: `${path}(${contact.contactid})/$ref`, method: "DELETE" });
  assert.deepEqual(await employed(), []);

  const currencies = client.getEntitySet("transactioncurrencies");
  const [currency] = await currencies.query(options().top(1));
  const { isocurrencycode } = currency;
  assert.equal((await currencies.retrieve({ isocurrencycode })).transactioncurrencyid, currency.transactioncurrencyid);
});

test("open opportunities above 3,000 come with their accounts", async () => {
  const opportunities = client.getEntitySet("opportunities");
  const open = await client.newRequest({
    collection: "opportunities",
    params: options().filter(OData.newFilter().property("statecode").eq(0)),
  });
  assert.equal(open["@odata.nextLink"], undefined, "they are all on one page");
  const wanted = open.value.filter((row) => row.estimatedvalue > 3000);
  assert.ok(wanted.length > 3 && wanted.length < open.value.length, "the demo data has such opportunities and others");

  const filter = OData.newFilter().property("statecode").eq(0).property("estimatedvalue").gt(3000);
  const columns = () =>
    options()
      .filter(filter)
      .select(["name", "estimatedvalue", "_customerid_value"])
      .orderby([{ field: "estimatedvalue", order: "desc" }, { field: "name", order: "asc" }])
      .expand("customerid_account($select=name,accountid)");
  const large = await opportunities.query(columns());
  assert.deepEqual(large.map((row) => row.opportunityid).sort(), wanted.map((row) => row.opportunityid).sort());
  large.reduce((previous, row) => {
    assert.ok(row.estimatedvalue <= previous, "sorted");
    if (row.customerid_account) assert.equal(row.customerid_account.accountid, row._customerid_value);
    return row.estimatedvalue;
  }, Infinity);
  assert.ok(large.some((row) => row.customerid_account?.name), "some of them belong to an account");

  const top = await client.newRequest({ collection: "opportunities", params: columns().top(3).count() });
  assert.deepEqual(top.value.map((row) => row.opportunityid), large.slice(0, 3).map((row) => row.opportunityid));
  assert.equal(await opportunities.count(filter), wanted.length);
  assert.ok((await opportunities.count()) > open.value.length, "some are closed");
});

test("filters of every kind that the client builds", async (t) => {
  const name = freshName("Filtered");
  const keys = [];
  for (const numberofemployees of [1, 2, 3, null]) {
    keys.push((await made(t, "accounts", { name, numberofemployees, creditonhold: numberofemployees === 2 })).accountid);
  }
  const found = async (narrowed) => {
    const filter = narrowed(OData.newFilter().property("name").eq(name));
    const rows = await client.getEntitySet("accounts").query(options().filter(filter).select("numberofemployees"));
    return rows.map((row) => keys.indexOf(row.accountid) + 1).sort();
  };
  assert.deepEqual(await found((filter) => filter), [1, 2, 3, 4]);
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").in([1, 3])), [1, 3]);
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").between(2, 3)), [2, 3]);
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").between(1, 3, false)), [2]);
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").ge(2)), [2, 3]);
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").ne(2)), [1, 3, 4], "null is not 2 either");
  assert.deepEqual(await found((filter) => filter.property("numberofemployees").eq(null)), [4]);
  assert.deepEqual(await found((filter) => filter.property("creditonhold").eq(true)), [2]);
  assert.deepEqual(await found((filter) => filter.property("accountid").eq(guid(keys[2]))), [3]);
});

test("groups are summed up", async (t) => {
  const name = freshName("Grouped");
  for (const numberofemployees of [1, 2, 4]) await made(t, "accounts", { name, numberofemployees });
  const filter = OData.newFilter().property("name").eq(name);
  const applied = async (expression) =>
    (await client.newRequest({ collection: "accounts", params: options().apply(expression) })).value;
  const sum = OData.newTransformation().aggregate("numberofemployees with sum as total");
  assert.deepEqual(await applied([OData.newTransformation().filter(filter), sum]), [{ total: 7 }]);
  assert.deepEqual(
    await applied(`filter(${filter})/groupby((name),aggregate($count as accounts,numberofemployees with max as most))`),
    [{ name, accounts: 3, most: 4 }],
  );
});

test("a query in FetchXML gives what its twin gives", async () => {
  const fetched = await client.getEntitySet("accounts").query(
    options().custom("fetchXml", encodeURIComponent(
      `<fetch top="5"><entity name="account"><attribute name="name"/><order attribute="name"/>
        <filter><condition attribute="name" operator="like" value="%a%"/></filter></entity></fetch>`,
    )),
  );
  const asked = await client
    .getEntitySet("accounts")
    .query(options().filter("contains(name,'a')").orderby("name", "asc").select("name").top(5));
  assert.equal(asked.length, 5);
  assert.deepEqual(fetched.map((row) => row.accountid), asked.map((row) => row.accountid));
});

test("pages joined are the whole list", async () => {
  const whole = await client.newRequest({ collection: "accounts", params: options().select("name").orderby("name", "asc") });
  assert.ok(whole.value.length > 50, "the demo data has more accounts than a few pages hold");
  assert.equal(whole["@odata.nextLink"], undefined);

  const paged = clientWith({ Prefer: "odata.maxpagesize=7" });
  let page = await paged.newRequest({ collection: "accounts", params: options().select("name").orderby("name", "asc").count() });
  assert.equal(page["@odata.count"], whole.value.length);
  const joined = [...page.value];
  while (page["@odata.nextLink"]) {
    assert.equal(page.value.length, 7, "a page with a next one is full");
    const next = page["@odata.nextLink"];
    assert.ok(next.startsWith(serviceRoot), next);
    page = await paged.newRequest({ collection: next.slice(serviceRoot.length) });
    joined.push(...page.value);
  }
  assert.deepEqual(joined.map((row) => row.accountid), whole.value.map((row) => row.accountid));
});

test("a batch reads and writes", async (t) => {
  const name = freshName("Batch");
  const kept = await made(t, "accounts", { name });
  const gone = await made(t, "accounts", { name });
  const accountid = randomUUID();
  removedAfter(t, "accounts", accountid);
  const filter = OData.newFilter().property("name").eq(name);
  const list = () => client.newBatchRequest({ collection: "accounts", params: options().filter(filter).select("fax") });
  const answers = await client.execBatchRequests([
    list(),
    client.newBatchRequest({ collection: "accounts", method: "POST", entity: { accountid, name, fax: "new" } }),
    client.newBatchRequest({ collection: "accounts", id: guid(kept.accountid), method: "PATCH", entity: { fax: "changed" } }),
    client.newBatchRequest({ collection: "accounts", id: guid(gone.accountid), method: "DELETE" }),
    list(),
  ]);
  assert.deepEqual(answers.map((answer) => answer.status), [200, 204, 204, 204, 200]);
  assert.equal(answers[1].headers["OData-EntityId"], `${serviceRoot}accounts(${accountid})`);
  assert.equal((await answers[0].json()).value.length, 2);
  const after = (await answers[4].json()).value.map((row) => [row.accountid, row.fax]).sort();
  assert.deepEqual(after, [[accountid, "new"], [kept.accountid, "changed"]].sort());
});

test("a batch ends at its first failure, and says why", async () => {
  const accountid = randomUUID();
  const answers = await client.execBatchRequests([
    client.newBatchRequest({ collection: "accounts", method: "POST", entity: { accountid, numberofemployees: -1 } }),
    client.newBatchRequest({ collection: "accounts" }),
  ]);
  assert.deepEqual(answers.map((answer) => answer.status), [400]);
  assert.equal((await answers[0].json()).error.code, "0x80044330");
  assert.deepEqual(await refusal({ collection: "accounts", id: guid(accountid) }), [404, "0x80040217"]);
});

test("a batch in JSON, which Dataverse does not take, is refused with a reason", async () => {
  await assert.rejects(client.execBatchRequestsJson([client.newBatchRequest({ collection: "accounts" })]), {
    message: /multipart\/mixed/,
  });
});

test("functions and actions are called", async (t) => {
  const me = (await client.functionImport("WhoAmI")).UserId;
  assert.match(me, GUID);
  const account = await made(t, "accounts", { name: freshName("Shared") });
  const others = await client
    .getEntitySet("systemusers")
    .query(options().filter(`isdisabled eq false and systemuserid ne ${me} and applicationid eq null`).top(1));
  const other = others[0].systemuserid;
  const target = JSON.stringify({ "@odata.id": `accounts(${account.accountid})` });
  const rights = async () => {
    const answer = await client
      .getEntitySet("systemusers")
      .function("Microsoft.Dynamics.CRM.RetrievePrincipalAccess", guid(me), { Target: EdmV4.RawString.from("@t") },
        options().custom("@t", target));
    return answer.AccessRights.split(",").map((right) => right.trim());
  };
  assert.ok((await rights()).includes("DeleteAccess"));

  const sharedWith = async () => {
    const parameters = { Target: EdmV4.RawString.from("@t") };
    const answer = await client.functionImport("RetrieveSharedPrincipalsAndAccess", parameters, options().custom("@t", target));
    return answer.PrincipalAccesses.map((access) => access.Principal.systemuserid ?? access.Principal.ownerid);
  };
  assert.deepEqual(await sharedWith(), []);
  const granted = await client.actionImport("GrantAccess", {
    Target: { "@odata.type": "Microsoft.Dynamics.CRM.account", accountid: account.accountid },
    PrincipalAccess: {
      Principal: { "@odata.type": "Microsoft.Dynamics.CRM.systemuser", systemuserid: other },
      AccessMask: "ReadAccess",
    },
  });
  assert.equal(granted, "", "an action without a result answers nothing");
  assert.deepEqual(await sharedWith(), [other]);

  // A bound one, of a record.
  const { BusinessUnitId } = await client.functionImport("WhoAmI");
  const team = await shown.getEntitySet("teams").create({
    name: freshName("Team"),
    teamtype: 0,
    "businessunitid@odata.bind": `/businessunits(${BusinessUnitId})`,
  });
  removedAfter(t, "teams", team.teamid);
  await client.getEntitySet("teams").action("Microsoft.Dynamics.CRM.AddMembersTeam", guid(team.teamid), {
    Members: [{ "@odata.type": "Microsoft.Dynamics.CRM.systemuser", systemuserid: other }],
  });
  const read = await client
    .getEntitySet("teams")
    .retrieve(guid(team.teamid), options().expand("teammembership_association($select=systemuserid)"));
  assert.deepEqual(read.teammembership_association.map((user) => user.systemuserid), [other]);
});

test("tables are described", async () => {
  const definitions = client.getEntitySet("EntityDefinitions");
  const account = await definitions.retrieve(
    { LogicalName: "account" },
    options().select(["LogicalName", "EntitySetName"]).expand("Attributes($select=LogicalName;$filter=IsPrimaryName eq true)"),
  );
  assert.equal(account.EntitySetName, "accounts");
  assert.deepEqual(account.Attributes.map((column) => column.LogicalName), ["name"]);
  const found = await definitions.query(
    options().select("LogicalName").filter(OData.newFilter().property("EntitySetName").in(["accounts", "contacts"])),
  );
  assert.deepEqual(found.map((table) => table.LogicalName).sort(), ["account", "contact"]);
  await assert.rejects(definitions.retrieve({ LogicalName: "nosuchtable" }));
});

test("the service and its types are described, whatever form the client prefers", async () => {
  const sets = (await client.newRequest({ collection: "" })).value;
  assert.ok(sets.some((set) => set.name === "accounts" && set.url === "accounts"));
  const types = await client.newRequest({ collection: "$metadata" });
  assert.match(types, /<EntityType Name="account"/);
});

test("a version, a key and a value that do not fit are refused", async (t) => {
  const account = await made(t, "accounts", { name: freshName("Versioned") });
  const key = guid(account.accountid);
  const stale = { "If-Match": account["@odata.etag"] };
  await clientWith(stale).getEntitySet("accounts").update(key, { fax: "1" });
  const patch = (entity) => ({ collection: "accounts", id: key, method: "PATCH", entity });
  assert.deepEqual(await refusal(patch({ fax: "2" }), stale), [412, "0x80060882"]);
  assert.deepEqual(await refusal({ collection: "accounts", id: key, method: "DELETE" }, stale), [412, "0x80060882"]);
  assert.equal((await client.getEntitySet("accounts").retrieve(key)).fax, "1");

  assert.deepEqual(await refusal(patch({ nosuchcolumn: 1 })), [400, "0x80060888"]);
  assert.deepEqual(await refusal(patch({ name: 1 })), [400, "0x80048d19"]);
  assert.deepEqual(await refusal(patch({ name: "x".repeat(161) })), [400, "0x80044331"]);
  const twice = { collection: "accounts", method: "POST", entity: { accountid: account.accountid } };
  assert.deepEqual(await refusal(twice), [412, "0x80040237"]);
});

test("a query that makes no sense is refused", async () => {
  const asked = (params) => refusal({ collection: "accounts", params });
  assert.deepEqual(await asked(options().select("nosuchcolumn")), [400, "0x0"]);
  assert.deepEqual(await asked(options().filter("name eq")), [400, "0x80060888"]);
  assert.deepEqual(await asked(options().top(1).skip(1)), [400, "0x80060888"]);
  assert.deepEqual(await asked(options().search("custodia")), [400, "0x80060888"]);
  assert.deepEqual(await asked(options().format("json")), [501, "0x80060888"]);
  // The protocol's word is groupby; the client capitalises it.
  assert.deepEqual(await asked(options().apply(OData.newTransformation().groupBy(["name"]))), [400, "0x80060888"]);
  assert.deepEqual(await refusal({ collection: "nosuchtables" }), [404, "0x8006088a"]);
  assert.deepEqual(await refusal({ collection: "accounts", id: guid(randomUUID()) }), [404, "0x80040217"]);
});

test("a request without a good token is refused", async () => {
  const [status] = await refusal({ collection: "accounts" }, { Authorization: "Bearer not.a.token" });
  assert.equal(status, 401);
});
