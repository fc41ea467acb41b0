UPDATE "contact"
SET "fullname" = $1::text, "fullname__f" = $2::text, "parentcustomerid" = $3::uuid, "parentcustomerid__t" = $4::bigint, "creditonhold" = $5::boolean
WHERE "contactid" = $6::uuid
-- 1: Null
-- 2: Null
-- 3: Null
-- 4: Null
-- 5: Boolean(true)
-- 6: Guid(00000000-0000-0000-0000-000000000001)
