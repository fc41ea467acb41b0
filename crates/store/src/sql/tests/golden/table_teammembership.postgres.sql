CREATE TABLE "teammembership" ("teammembershipid" uuid NOT NULL, "systemuserid" uuid, "teamid" uuid, "versionnumber" bigint, CONSTRAINT "pk_teammembership" PRIMARY KEY ("teammembershipid"));
CREATE UNIQUE INDEX "uq_teammembership__teamid__systemuserid" ON "teammembership" ("teamid" NULLS FIRST, "systemuserid" NULLS FIRST);
CREATE INDEX "ix_teammembership__systemuserid__teamid" ON "teammembership" ("systemuserid" NULLS FIRST, "teamid" NULLS FIRST)
