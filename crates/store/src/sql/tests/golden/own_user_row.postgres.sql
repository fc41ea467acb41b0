SELECT t0."systemuserid", t0."fullname"
FROM "systemuser" t0
WHERE (t0."systemuserid" = $1::uuid OR t0."businessunitid" IN ($2::uuid)) AND t0."systemuserid" = $3::uuid
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Guid(00000000-0000-0000-0000-000000000002)
-- 3: Guid(00000000-0000-0000-0000-000000000003)
-- outputs: [Guid, Text]
