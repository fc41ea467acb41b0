SELECT t0."accountid", t0."versionnumber", t0."name", t0."revenue"
FROM "account" t0
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t1
WHERE t1."userid" = $1::uuid AND t1."principalid" = t0."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t2
INNER JOIN "custodia_member" t3 ON t3."userid" = $1::uuid AND t3."principalid" = t2."principalid"
WHERE t2."objectid" = t0."accountid" AND t2."objecttypecode" = $2::text AND ((t2."accessrightsmask" | t2."inheritedaccessrightsmask") & $3::integer) <> 0 OFFSET 0)) AND t0."address1_city__f" = $4::text
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
