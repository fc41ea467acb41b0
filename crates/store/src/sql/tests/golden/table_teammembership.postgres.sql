CREATE TABLE "teammembership" ("teammembershipid" uuid NOT NULL, "systemuserid" uuid NOT NULL, "teamid" uuid NOT NULL, "versionnumber" bigint, CONSTRAINT "pk_teammembership" PRIMARY KEY ("teammembershipid"));
CREATE UNIQUE INDEX "uq_teammembership__teamid__systemuserid" ON "teammembership" ("teamid", "systemuserid");
CREATE INDEX "ix_teammembership__systemuserid__teamid" ON "teammembership" ("systemuserid", "teamid")
