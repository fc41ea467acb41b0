SELECT t2."accountid", t2."versionnumber", t2."name", t2."revenue"
FROM (SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t3."principalid"
FROM "custodia_member" t3
WHERE t3."userid" = $1::uuid) AND t0."address1_city__f" = $2::text AND (t0."name__f", t0."accountid") > ($3::text, $4::uuid)
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51) t4
UNION ALL SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."accountid" IN (SELECT t6."objectid"
FROM "custodia_member" t5
INNER JOIN "principalobjectaccess" t6 ON t6."principalid" = t5."principalid"
WHERE t5."userid" = $1::uuid AND t6."objecttypecode" = $5::text AND ((t6."accessrightsmask" | t6."inheritedaccessrightsmask") & $6::integer) <> 0) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t7
WHERE t7."userid" = $1::uuid AND t7."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE AND t0."address1_city__f" = $7::text AND (t0."name__f", t0."accountid") > ($3::text, $4::uuid)
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51) t8
ORDER BY k0 ASC NULLS FIRST, k1
LIMIT 51) t1
INNER JOIN "account" t2 ON t2."accountid" = t1.k1
ORDER BY t1.k0 ASC NULLS FIRST, t1.k1
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("wien")
-- 3: Text("ahre")
-- 4: Guid(00000000-0000-0000-0000-000000000007)
-- 5: Text("account")
-- 6: Integer(1)
-- 7: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
