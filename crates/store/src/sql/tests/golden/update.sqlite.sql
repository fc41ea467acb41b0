UPDATE "contact"
SET "fullname" = ?1, "fullname__f" = ?2, "parentcustomerid" = ?3, "parentcustomerid__t" = ?4, "creditonhold" = ?5
WHERE "contactid" = ?6
-- 1: Null
-- 2: Null
-- 3: Null
-- 4: Null
-- 5: Boolean(true)
-- 6: Guid(00000000-0000-0000-0000-000000000001)
