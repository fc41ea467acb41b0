CREATE TABLE "teammembership" ("teammembershipid" BLOB NOT NULL, "systemuserid" BLOB NOT NULL, "teamid" BLOB NOT NULL, "versionnumber" INTEGER, CONSTRAINT "pk_teammembership" PRIMARY KEY ("teammembershipid")) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX "uq_teammembership__teamid__systemuserid" ON "teammembership" ("teamid", "systemuserid");
CREATE INDEX "ix_teammembership__systemuserid__teamid" ON "teammembership" ("systemuserid", "teamid")
