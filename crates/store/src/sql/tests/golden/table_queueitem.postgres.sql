CREATE TABLE "queueitem" ("queueitemid" uuid NOT NULL, "title" text COLLATE "C", "title__f" text COLLATE "C", "createdby" uuid, "createdon" timestamptz, "createdonbehalfby" uuid, "enteredon" timestamptz, "exchangerate" numeric, "importsequencenumber" integer, "modifiedby" uuid, "modifiedon" timestamptz, "modifiedonbehalfby" uuid, "objectid" uuid, "objectid__t" bigint, "objecttypecode" text COLLATE "C", "organizationid" uuid, "overriddencreatedon" timestamptz, "ownerid" uuid, "ownerid__t" bigint, "owningbusinessunit" uuid, "owninguser" uuid, "queueid" uuid, "statecode" integer NOT NULL, "statuscode" integer NOT NULL, "timezoneruleversionnumber" integer, "transactioncurrencyid" uuid, "utcconversiontimezonecode" integer, "versionnumber" bigint, "workerid" uuid, "workerid__t" bigint, "workeridmodifiedon" timestamptz, CONSTRAINT "pk_queueitem" PRIMARY KEY ("queueitemid"));
CREATE INDEX "ix_queueitem__queueid__enteredon__queueitemid" ON "queueitem" ("queueid" NULLS FIRST, "enteredon" NULLS FIRST, "queueitemid");
CREATE INDEX "ix_queueitem__workerid__enteredon__queueitemid" ON "queueitem" ("workerid" NULLS FIRST, "enteredon" NULLS FIRST, "queueitemid");
CREATE INDEX "ix_queueitem__title__queueitemid" ON "queueitem" ("title__f" NULLS FIRST, "queueitemid");
CREATE INDEX "ix_queueitem__objectid__queueitemid" ON "queueitem" ("objectid" NULLS FIRST, "queueitemid")
WHERE "objectid" IS NOT NULL;
CREATE INDEX "ix_queueitem__transactioncurrencyid__queueitemid" ON "queueitem" ("transactioncurrencyid" NULLS FIRST, "queueitemid")
WHERE "transactioncurrencyid" IS NOT NULL
