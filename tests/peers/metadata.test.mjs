// What a client that people have already reads of tables, columns, relationships and choices.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { GUID, client } from "./client.mjs";

const account = "LogicalName='account'";

test("tables are described", async () => {
  const table = await client.retrieveEntity({
    key: account,
    select: ["LogicalName", "EntitySetName", "PrimaryIdAttribute", "PrimaryNameAttribute", "ObjectTypeCode", "DisplayName"],
    expand: [{ property: "Attributes", select: ["LogicalName"], filter: "IsPrimaryId eq true" }],
  });
  assert.deepEqual(
    [table.EntitySetName, table.PrimaryIdAttribute, table.PrimaryNameAttribute, table.ObjectTypeCode],
    ["accounts", "accountid", "name", 1],
  );
  assert.equal(table.DisplayName.UserLocalizedLabel.Label, "Account");
  assert.deepEqual(table.Attributes.map((column) => column.LogicalName), ["accountid"]);
  // The same by its id.
  const again = await client.retrieveEntity({ key: table.MetadataId, select: ["LogicalName"] });
  assert.equal(again.LogicalName, "account");

  const some = await client.retrieveEntities({
    select: ["LogicalName"],
    filter: "LogicalName eq 'account' or EntitySetName eq 'contacts'",
  });
  assert.deepEqual(some.value.map((row) => row.LogicalName).sort(), ["account", "contact"]);
  const all = await client.retrieveEntities({ select: ["LogicalName"] });
  assert.ok(all.value.length > 50);
  await assert.rejects(client.retrieveEntity({ key: "LogicalName='nosuchtable'" }), { status: 404 });
  await assert.rejects(client.retrieveEntity({ key: account, select: ["NoSuchProperty"] }), { status: 400 });
});

test("columns are described, with what is particular to their type", async () => {
  const columns = await client.retrieveAttributes({ entityKey: account, select: ["LogicalName", "AttributeType"] });
  const type = (name) => columns.value.find((column) => column.LogicalName === name).AttributeType;
  assert.deepEqual(["name", "revenue", "primarycontactid", "createdon"].map(type), ["String", "Money", "Lookup", "DateTime"]);

  const name = await client.retrieveAttribute({ entityKey: account, attributeKey: "LogicalName='name'" });
  assert.equal(name.MaxLength, 160);
  const texts = await client.retrieveAttributes({
    entityKey: account,
    castType: "Microsoft.Dynamics.CRM.StringAttributeMetadata",
    select: ["LogicalName", "MaxLength"],
  });
  assert.ok(texts.value.some((column) => column.LogicalName === "name" && column.MaxLength === 160));
  assert.ok(!texts.value.some((column) => column.LogicalName === "revenue"), "amounts are no texts");

  const industry = await client.retrieveAttribute({
    entityKey: account,
    attributeKey: "LogicalName='industrycode'",
    castType: "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
    select: ["LogicalName"],
    expand: [{ property: "OptionSet", select: ["Options"] }, { property: "GlobalOptionSet", select: ["Name"] }],
  });
  const option = industry.OptionSet.Options.find((option) => option.Value === 1);
  assert.equal(option.Label.UserLocalizedLabel.Label, "Accounting");
  await assert.rejects(
    client.retrieveAttribute({ entityKey: account, attributeKey: "LogicalName='nosuchcolumn'" }),
    { status: 404 },
  );
});

test("relationships are described", async () => {
  const all = await client.retrieveRelationships({ select: ["SchemaName", "RelationshipType"] });
  assert.ok(all.value.length > 100);
  const found = await client.retrieveRelationships({
    castType: "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
    filter: "SchemaName eq 'contact_customer_accounts'",
  });
  assert.deepEqual(
    found.value.map((row) => [row.ReferencedEntity, row.ReferencingEntity, row.ReferencingAttribute]),
    [["account", "contact", "parentcustomerid"]],
  );
  const one = await client.retrieveRelationship({
    key: found.value[0].MetadataId,
    castType: "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
  });
  assert.equal(one.SchemaName, "contact_customer_accounts");
  const many = await client.retrieveRelationship({ key: "SchemaName='contactleads_association'" });
  assert.equal(many.RelationshipType, "ManyToManyRelationship");
  await assert.rejects(client.retrieveRelationship({ key: randomUUID() }), { status: 404 });
});

test("choices are described", async () => {
  const all = await client.retrieveGlobalOptionSets({ select: ["Name"] });
  assert.ok(all.value.length > 3);
  const { MetadataId, Name } = all.value.find((choice) => choice.Name === "budgetstatus");
  assert.match(MetadataId, GUID);
  const one = await client.retrieveGlobalOptionSet({
    key: MetadataId,
    castType: "Microsoft.Dynamics.CRM.OptionSetMetadata",
    select: ["Name", "Options"],
  });
  assert.equal(one.Name, Name);
  assert.ok(one.Options.length > 1 && one.Options.every((option) => Number.isInteger(option.Value)));
  const named = await client.retrieveGlobalOptionSet({ key: "Name='budgetstatus'" });
  assert.equal(named.MetadataId, MetadataId);
  await assert.rejects(client.retrieveGlobalOptionSet({ key: "Name='nosuchchoice'" }), { status: 404 });
});

test("the types are described in XML", async () => {
  const plain = await client.retrieveCsdlMetadata();
  assert.match(plain, /<EntityType Name="account"/);
  const annotated = await client.retrieveCsdlMetadata({ addAnnotations: true });
  assert.ok(annotated.length > plain.length && /<Annotation /.test(annotated));
});

test("what changed of the descriptions is asked for", async () => {
  const Query = {
    Criteria: {
      FilterOperator: "And",
      Conditions: [{ PropertyName: "LogicalName", ConditionOperator: "Equals", Value: { Value: "account", Type: "System.String" } }],
    },
    Properties: { AllProperties: false, PropertyNames: ["LogicalName"] },
  };
  const changes = async (parameters) => {
    const answer = await client.callFunction({ name: "RetrieveMetadataChanges", parameters });
    return [answer.EntityMetadata.map((table) => table.LogicalName), answer.ServerVersionStamp];
  };
  const [known, stamp] = await changes({ Query });
  assert.deepEqual(known, ["account"]);
  assert.deepEqual((await changes({ Query, ClientVersionStamp: stamp }))[0], [], "nothing changed since");
});

test("changing descriptions is not there yet, and says so", async () => {
  const label = { LocalizedLabels: [{ Label: "Ship", LanguageCode: 1033 }] };
  await assert.rejects(client.createEntity({ data: { SchemaName: "new_ship", DisplayName: label } }), { status: 501 });
  await assert.rejects(client.deleteRelationship({ key: randomUUID() }), { status: 501 });
});
