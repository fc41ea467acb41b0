SELECT (SELECT count(*)
FROM (SELECT 1
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t2."principalid"
FROM "custodia_member" t2
WHERE t2."userid" = $1::uuid)
LIMIT 20000) t1) + (SELECT count(*)
FROM (SELECT 1
FROM "account" t3
WHERE t3."owningbusinessunit" IN (SELECT t5."descendant"
FROM "custodia_unit_closure" t5
WHERE t5."ancestor" IN ($2::uuid) OR (t5."ancestor" = t5."descendant" AND t5."descendant" IN ($3::uuid)))
LIMIT 20000) t4) + (SELECT count(*)
FROM (SELECT 1
FROM "account" t6
WHERE t6."accountid" IN (SELECT t9."objectid"
FROM "custodia_member" t8
INNER JOIN "principalobjectaccess" t9 ON t9."principalid" = t8."principalid"
WHERE t8."userid" = $1::uuid AND t9."objecttypecode" = $4::text AND ((t9."accessrightsmask" | t9."inheritedaccessrightsmask") & $5::integer) <> 0)
LIMIT 20000) t7), (SELECT greatest(t10.reltuples::bigint, pg_relation_size(t10.oid) / 500)
FROM pg_class t10
WHERE t10.oid = to_regclass($6::text))
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Guid(00000000-0000-0000-0000-000000000003)
-- 3: Guid(00000000-0000-0000-0000-000000000002)
-- 4: Text("account")
-- 5: Integer(1)
-- 6: Text("\"account\"")
-- outputs: [Integer, Integer]
