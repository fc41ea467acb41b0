CREATE TABLE "queueitem" ("queueitemid" BLOB NOT NULL, "title" TEXT, "title__f" TEXT, "createdby" BLOB, "createdon" INTEGER, "createdonbehalfby" BLOB, "enteredon" INTEGER, "exchangerate" BLOB, "importsequencenumber" INTEGER, "modifiedby" BLOB, "modifiedon" INTEGER, "modifiedonbehalfby" BLOB, "objectid" BLOB, "objectid__t" INTEGER, "objecttypecode" TEXT, "organizationid" BLOB, "overriddencreatedon" INTEGER, "ownerid" BLOB, "ownerid__t" INTEGER, "owningbusinessunit" BLOB, "owninguser" BLOB, "queueid" BLOB, "statecode" INTEGER NOT NULL, "statuscode" INTEGER NOT NULL, "timezoneruleversionnumber" INTEGER, "transactioncurrencyid" BLOB, "utcconversiontimezonecode" INTEGER, "versionnumber" INTEGER, "workerid" BLOB, "workerid__t" INTEGER, "workeridmodifiedon" INTEGER, CONSTRAINT "pk_queueitem" PRIMARY KEY ("queueitemid")) STRICT;
CREATE INDEX "ix_queueitem__queueid__enteredon__queueitemid" ON "queueitem" ("queueid", "enteredon", "queueitemid");
CREATE INDEX "ix_queueitem__workerid__enteredon__queueitemid" ON "queueitem" ("workerid", "enteredon", "queueitemid");
CREATE INDEX "ix_queueitem__title__queueitemid" ON "queueitem" ("title__f", "queueitemid");
CREATE INDEX "ix_queueitem__objectid__queueitemid" ON "queueitem" ("objectid", "queueitemid")
WHERE "objectid" IS NOT NULL;
CREATE INDEX "ix_queueitem__transactioncurrencyid__queueitemid" ON "queueitem" ("transactioncurrencyid", "queueitemid")
WHERE "transactioncurrencyid" IS NOT NULL
