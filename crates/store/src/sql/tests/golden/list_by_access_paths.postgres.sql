SELECT t2."accountid", t2."versionnumber", t2."name", t2."revenue"
FROM (SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t3."principalid"
FROM "custodia_member" t3
WHERE t3."userid" = $1::uuid) AND t0."address1_city__f" = $2::text
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51) t4
UNION ALL SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."owningbusinessunit" IN (SELECT t5."descendant"
FROM "custodia_unit_closure" t5
WHERE t5."ancestor" IN ($3::uuid) OR (t5."ancestor" = t5."descendant" AND t5."descendant" IN ($4::uuid))) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = $1::uuid AND t6."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE AND t0."address1_city__f" = $5::text
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51) t7
UNION ALL SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."accountid" IN (SELECT t9."objectid"
FROM "custodia_member" t8
INNER JOIN "principalobjectaccess" t9 ON t9."principalid" = t8."principalid"
WHERE t8."userid" = $1::uuid AND t9."objecttypecode" = $6::text AND ((t9."accessrightsmask" | t9."inheritedaccessrightsmask") & $7::integer) <> 0) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t10
WHERE t10."userid" = $1::uuid AND t10."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE AND (t0."owningbusinessunit" IN ($8::uuid) OR EXISTS (SELECT 1
FROM "custodia_unit_closure" t11
WHERE t11."ancestor" IN ($9::uuid) AND t11."descendant" = t0."owningbusinessunit" OFFSET 0)) IS NOT TRUE AND t0."address1_city__f" = $10::text
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51) t12
ORDER BY k0 ASC NULLS FIRST, k1
LIMIT 51) t1
INNER JOIN "account" t2 ON t2."accountid" = t1.k1
ORDER BY t1.k0 ASC NULLS FIRST, t1.k1
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("wien")
-- 3: Guid(00000000-0000-0000-0000-000000000003)
-- 4: Guid(00000000-0000-0000-0000-000000000002)
-- 5: Text("wien")
-- 6: Text("account")
-- 7: Integer(1)
-- 8: Guid(00000000-0000-0000-0000-000000000002)
-- 9: Guid(00000000-0000-0000-0000-000000000003)
-- 10: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
