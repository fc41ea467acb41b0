// What a client that people have already does with many records at once: batches, change sets, bulk actions.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { DynamicsWebApi } from "dynamics-web-api";
import { GUID, client, created, freshName, removedAfter, serverUrl } from "./client.mjs";

/** A client of its own, since between `startBatch` and `executeBatch` a client gathers every request. */
function batchClient() {
  return new DynamicsWebApi({ serverUrl, onTokenRefresh: async () => process.env.CUSTODIA_TOKEN });
}

/** How many accounts have that name. */
async function named(name) {
  return client.count({ collection: "accounts", filter: `name eq '${name}'` });
}

test("a batch reads and writes", async (t) => {
  const name = freshName("Batch");
  const key = await created(t, "accounts", { name });
  const batch = batchClient();
  batch.startBatch();
  batch.retrieve({ collection: "accounts", key, select: ["name"] });
  // First of all that follows, since this client counts a change set as one answer.
  batch.count({ collection: "accounts", filter: `name eq '${name}'` });
  batch.create({ collection: "accounts", data: { name } });
  batch.update({ collection: "accounts", key, data: { fax: "1" } });
  batch.retrieveMultiple({ collection: "accounts", select: ["fax"], filter: `accountid eq ${key}` });
  const [read, count, made, updated, list] = await batch.executeBatch();
  assert.equal(read.name, name);
  assert.match(made, GUID);
  removedAfter(t, "accounts", made);
  assert.equal(updated, true);
  assert.equal(list.value[0].fax, "1");
  assert.equal(count, 1);
});

test("a change set refers to what it makes", async (t) => {
  const batch = batchClient();
  batch.startBatch();
  batch.create({ collection: "accounts", data: { name: freshName("Change set") }, contentId: "1" });
  batch.create({
    collection: "contacts",
    data: { lastname: "Change set", "parentcustomerid_account@odata.bind": "$1" },
    contentId: "2",
  });
  const [account, contact] = await batch.executeBatch();
  removedAfter(t, "accounts", account);
  removedAfter(t, "contacts", contact);
  const row = await client.retrieve({ collection: "contacts", key: contact, select: ["_parentcustomerid_value"] });
  assert.equal(row._parentcustomerid_value, account);
});

test("a change set that fails leaves nothing, and says why", async () => {
  const name = freshName("Nothing");
  const batch = batchClient();
  batch.startBatch();
  batch.create({ collection: "accounts", data: { name } });
  batch.create({ collection: "accounts", data: { name, numberofemployees: -1 } });
  await assert.rejects(batch.executeBatch(), (errors) => {
    const error = Array.isArray(errors) ? errors.find((found) => found instanceof Error) : errors;
    assert.equal(error.status, 400);
    // What failed within a batch, this client leaves as the service said it.
    assert.equal(error.error.code, "0x80044330");
    return true;
  });
  assert.equal(await named(name), 0);
});

test("a batch goes on after a failure when told so", async (t) => {
  const name = freshName("Goes on");
  const batch = batchClient();
  batch.startBatch();
  batch.retrieve({ collection: "accounts", key: randomUUID() });
  batch.create({ collection: "accounts", data: { name }, inChangeSet: false });
  const results = await batch.executeBatch({ continueOnError: true }).catch((results) => results);
  assert.equal(results[0].status, 404);
  assert.match(results[1], GUID);
  removedAfter(t, "accounts", results[1]);
  assert.equal(await named(name), 1);
});

test("an address that is too long for a request travels in a batch", async (t) => {
  const name = freshName("Long");
  await created(t, "accounts", { name });
  const names = Array.from({ length: 100 }, () => `name eq '${randomUUID()}'`);
  const found = await client.retrieveMultiple({
    collection: "accounts",
    select: ["name"],
    filter: `name eq '${name}' or ${names.join(" or ")}`,
  });
  assert.deepEqual(found.value.map((row) => row.name), [name]);
});

test("many records are made, changed and deleted at once", async (t) => {
  const name = freshName("Bulk");
  const bulk = (actionName, Targets) =>
    client.callAction({ collection: "accounts", actionName: `Microsoft.Dynamics.CRM.${actionName}`, action: { Targets } });
  const type = { "@odata.type": "Microsoft.Dynamics.CRM.account" };
  const { Ids } = await bulk("CreateMultiple", [1, 2, 3].map(() => ({ ...type, name })));
  Ids.forEach((key) => removedAfter(t, "accounts", key));
  assert.equal(Ids.length, 3);
  assert.equal(await named(name), 3);
  await bulk("UpdateMultiple", Ids.slice(0, 2).map((accountid) => ({ ...type, accountid, name: `${name} B` })));
  assert.equal(await named(`${name} B`), 2);
  const { Results } = await bulk("UpsertMultiple", [{ ...type, accountid: Ids[0], name }, { ...type, name }]);
  assert.deepEqual(Results.map((result) => result.RecordCreated), [false, true]);
  removedAfter(t, "accounts", Results[1].Target.accountid);
  await bulk("DeleteMultiple", Ids.map((accountid) => ({ ...type, accountid })));
  assert.equal(await named(name), 1);
});

test("a record is made with those around it", async (t) => {
  const account = await client.create({
    collection: "accounts",
    data: {
      name: freshName("Nested"),
      primarycontactid: { lastname: "Primary" },
      contact_customer_accounts: [{ lastname: "One" }, { lastname: "Two" }],
    },
  });
  removedAfter(t, "accounts", account);
  const shown = await client.retrieve({
    collection: "accounts",
    key: account,
    select: ["name"],
    expand: [
      { property: "primarycontactid", select: ["lastname"] },
      { property: "contact_customer_accounts", select: ["lastname"] },
    ],
  });
  removedAfter(t, "contacts", shown.primarycontactid.contactid);
  shown.contact_customer_accounts.forEach((row) => removedAfter(t, "contacts", row.contactid));
  assert.equal(shown.primarycontactid.lastname, "Primary");
  assert.deepEqual(shown.contact_customer_accounts.map((row) => row.lastname).sort(), ["One", "Two"]);
});

test("two accounts are merged", async (t) => {
  const [greater, lesser] = [
    await created(t, "accounts", { name: freshName("Greater") }),
    await created(t, "accounts", { name: freshName("Lesser") }),
  ];
  const record = (accountid) => ({ "@odata.type": "Microsoft.Dynamics.CRM.account", accountid });
  await client.callAction({
    actionName: "Merge",
    action: {
      Target: record(greater),
      Subordinate: record(lesser),
      UpdateContent: { "@odata.type": "Microsoft.Dynamics.CRM.account", fax: "1" },
      PerformParentingChecks: false,
    },
  });
  const row = await client.retrieve({ collection: "accounts", key: lesser, select: ["merged", "_masterid_value", "statecode"] });
  assert.deepEqual([row.merged, row._masterid_value, row.statecode], [true, greater, 1]);
  assert.equal((await client.retrieve({ collection: "accounts", key: greater, select: ["fax"] })).fax, "1");
});

test("the organisation and its tables are described", async () => {
  const { Detail } = await client.callFunction({
    name: "RetrieveCurrentOrganization",
    parameters: { AccessType: "Microsoft.Dynamics.CRM.EndpointAccessType'Default'" },
  });
  assert.match(Detail.OrganizationId, GUID);
  const { EntityRecordCountCollection } = await client.callFunction({
    name: "RetrieveTotalRecordCount",
    parameters: { EntityNames: ["account", "contact"] },
  });
  assert.deepEqual(EntityRecordCountCollection.Keys, ["account", "contact"]);
  assert.ok(EntityRecordCountCollection.Values.every((count) => count > 0));
});
