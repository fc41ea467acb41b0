DELETE
FROM "contact"
WHERE "contactid" = $1::uuid
-- 1: Guid(00000000-0000-0000-0000-000000000001)
