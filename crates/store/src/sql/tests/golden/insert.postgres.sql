INSERT INTO "contact" ("contactid", "fullname", "fullname__f", "parentcustomerid", "parentcustomerid__t", "createdon", "creditlimit", "anniversary")
VALUES ($1::uuid, $2::text, $3::text, $4::uuid, $5::bigint, $6::timestamptz, $7::bigint, $8::date)
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("Zoë")
-- 3: Text("zoe")
-- 4: Lookup(TableId(1), 00000000-0000-0000-0000-000000000002)
-- 5: BigInt(1)
-- 6: DateTime(1)
-- 7: Null
-- 8: Null
