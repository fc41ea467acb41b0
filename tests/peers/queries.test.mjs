// What a client that people have already asks: FetchXML in pages, views, groups, changes, nested expansions.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { DynamicsWebApi } from "dynamics-web-api";
import { client, created, freshName, removedAfter, serverUrl } from "./client.mjs";

const ids = (rows) => rows.map((row) => row.accountid);

test("FetchXML is read in pages, all of them joined the whole list", async () => {
  const fetchXml = `<fetch count="40"><entity name="account"><attribute name="name"/><order attribute="name"/></entity></fetch>`;
  const twin = await client.retrieveAll({ collection: "accounts", select: ["name"], orderBy: ["name"] });
  const first = await client.fetch({ collection: "accounts", fetchXml, includeAnnotations: "*" });
  assert.deepEqual(ids(first.value), ids(twin.value.slice(0, 40)));
  assert.equal(first.PagingInfo.nextPage, 2);
  const second = await client.fetch({
    collection: "accounts",
    fetchXml,
    includeAnnotations: "*",
    pageNumber: first.PagingInfo.nextPage,
    pagingCookie: first.PagingInfo.cookie,
  });
  assert.deepEqual(ids(second.value), ids(twin.value.slice(40, 80)));
  const all = await client.fetchAll({ collection: "accounts", fetchXml, includeAnnotations: "*" });
  assert.ok(all.value.length > 80, "the demo data has more than two pages of accounts");
  assert.deepEqual(ids(all.value), ids(twin.value));
});

test("FetchXML joins, filters and groups", async (t) => {
  const name = freshName("Joined");
  const account = await created(t, "accounts", { name });
  for (const firstname of ["Jana", "Petr", "Petr"]) {
    await created(t, "contacts", { firstname, lastname: name, "parentcustomerid_account@odata.bind": `/accounts(${account})` });
  }
  const joined = await client.fetch({
    collection: "contacts",
    fetchXml: `<fetch><entity name="contact"><attribute name="firstname"/>
      <link-entity name="account" from="accountid" to="parentcustomerid" alias="employer"><attribute name="name"/>
        <filter><condition attribute="name" operator="eq" value="${name}"/></filter></link-entity>
      <filter><condition attribute="firstname" operator="begins-with" value="p"/></filter></entity></fetch>`,
    includeAnnotations: "*",
  });
  // The client hides what begins with an alias; both forms are there.
  assert.deepEqual(joined.value.map((row) => [row.firstname, row["employer.name"]]), [["Petr", name], ["Petr", name]]);
  const grouped = await client.fetch({
    collection: "contacts",
    fetchXml: `<fetch aggregate="true"><entity name="contact">
      <attribute name="firstname" groupby="true" alias="first"/><attribute name="contactid" aggregate="count" alias="people"/>
      <filter><condition attribute="lastname" operator="eq" value="${name}"/></filter>
      <order alias="first"/></entity></fetch>`,
  });
  assert.deepEqual(grouped.value.map((row) => [row.first, row.people]), [["Jana", 1], ["Petr", 2]]);
  const applied = await client.retrieveMultiple({
    collection: "contacts",
    apply: `filter(lastname eq '${name}')/groupby((firstname),aggregate($count as people))`,
  });
  assert.deepEqual(applied.value.map((row) => [row.firstname, row.people]).sort(), [["Jana", 1], ["Petr", 2]]);
});

test("a view is run, one of everybody and one of one's own", async (t) => {
  const name = freshName("Viewed");
  const account = await created(t, "accounts", { name });
  const fetchxml = `<fetch><entity name="account"><attribute name="name"/>
    <filter><condition attribute="name" operator="eq" value="${name}"/></filter></entity></fetch>`;
  for (const [collection, option] of [["savedqueries", "savedQuery"], ["userqueries", "userQuery"]]) {
    const view = await created(t, collection, { name, returnedtypecode: "account", fetchxml, querytype: 0 });
    const shown = await client.retrieveMultiple({ collection: "accounts", [option]: view });
    assert.deepEqual(ids(shown.value), [account], option);
    await assert.rejects(client.retrieveMultiple({ collection: "accounts", [option]: randomUUID() }), { status: 404 });
  }
});

test("changes are followed", async (t) => {
  const tracked = await client.retrieveMultiple({ collection: "accounts", select: ["name"], trackChanges: true });
  const name = freshName("Followed");
  const account = await created(t, "accounts", { name });
  const changed = await client.retrieveMultiple({ collection: "accounts" }, tracked.oDataDeltaLink);
  assert.ok(changed.value.some((row) => row.accountid === account && row.name === name));
  await client.deleteRecord({ collection: "accounts", key: account });
  const deleted = await client.retrieveMultiple({ collection: "accounts" }, changed.oDataDeltaLink);
  assert.ok(deleted.value.some((row) => row.id === account && row.reason === "deleted"));
});

test("expansions have options, on every level", async (t) => {
  const name = freshName("Expanded");
  const account = await created(t, "accounts", { name });
  const contacts = {};
  for (const firstname of ["Eva", "Jana", "Petr"]) {
    contacts[firstname] = await created(t, "contacts", {
      firstname,
      lastname: name,
      "parentcustomerid_account@odata.bind": `/accounts(${account})`,
    });
  }
  await client.update({
    collection: "accounts",
    key: account,
    data: { "primarycontactid@odata.bind": `/contacts(${contacts.Eva})` },
  });
  const row = await client.retrieve({
    collection: "accounts",
    key: account,
    select: ["name"],
    expand: [
      { property: "primarycontactid", select: ["firstname"], expand: [{ property: "parentcustomerid_account", select: ["name"] }] },
      {
        property: "contact_customer_accounts",
        select: ["firstname"],
        filter: "firstname ne 'Eva'",
        orderBy: ["firstname desc"],
        top: 1,
      },
    ],
  });
  assert.equal(row.primarycontactid.parentcustomerid_account.name, name);
  assert.deepEqual(row.contact_customer_accounts.map((contact) => contact.firstname), ["Petr"]);

  const related = await client.retrieve({ collection: "accounts", key: account, navigationProperty: "primarycontactid", select: ["firstname"] });
  assert.equal(related.contactid, contacts.Eva);
  const counted = await client.countAll({ collection: "contacts", filter: `lastname eq '${name}'`, select: ["firstname"] });
  assert.equal(counted, 3);
});

test("conditions reach into collections, lists and lookups", async (t) => {
  const name = freshName("Conditions");
  const account = await created(t, "accounts", { name, numberofemployees: 7 });
  await created(t, "contacts", { firstname: "Jana", lastname: name, "parentcustomerid_account@odata.bind": `/accounts(${account})` });
  const found = async (filter) =>
    (await client.retrieveMultiple({ collection: "accounts", select: ["name"], filter: `name eq '${name}' and (${filter})` }))
      .value.length === 1;
  assert.equal(await found("contact_customer_accounts/any(c:c/firstname eq 'Jana' and c/lastname eq 'nobody')"), false);
  assert.equal(await found("contact_customer_accounts/any(c:c/firstname eq 'Jana')"), true);
  assert.equal(await found("contact_customer_accounts/all(c:c/firstname ne 'Jana')"), false);
  assert.equal(await found("Microsoft.Dynamics.CRM.In(PropertyName='numberofemployees',PropertyValues=['6','7'])"), true);
  assert.equal(await found("Microsoft.Dynamics.CRM.Between(PropertyName='numberofemployees',PropertyValues=['8','9'])"), false);
  assert.equal(await found("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')"), true);
  assert.equal(await found("numberofemployees in (1,2)"), false);
  assert.equal(await found("owninguser/isdisabled eq false and not (fax ne null)"), true);
});

test("tables may go by their logical names, which the client looks up", async (t) => {
  const named = new DynamicsWebApi({ serverUrl, onTokenRefresh: async () => process.env.CUSTODIA_TOKEN, useEntityNames: true });
  const name = freshName("Named");
  const key = await named.create({ collection: "account", data: { name } });
  removedAfter(t, "accounts", key);
  assert.equal((await named.retrieve({ collection: "account", key, select: ["name"] })).name, name);
});

test("what is not understood is refused, and says where", async () => {
  const fetch = (fetchXml) => client.fetch({ collection: "accounts", fetchXml });
  const one = (content) => fetch(`<fetch><entity name="account">${content}</entity></fetch>`);
  await assert.rejects(fetch("<fetch><entity"), { status: 400, code: "0x80040201" });
  await assert.rejects(one(`<attribute name="nosuchcolumn"/>`), { status: 400, code: "0x80041103" });
  await assert.rejects(one(`<filter><condition attribute="name" operator="nosuchoperator"/></filter>`), { status: 400 });
  await assert.rejects(client.retrieveMultiple({ collection: "accounts", filter: "contact_customer_accounts/any(c:c/nosuchcolumn eq 1)" }), {
    status: 400,
  });
});
