SELECT t2."accountid", t2."versionnumber", t2."name", t2."revenue"
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = ?1 AND t3."principalid" = +t0."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
CROSS JOIN "custodia_member" t5 ON t5."userid" = ?1 AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = +t0."accountid" AND t4."objecttypecode" = ?2 AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & ?3) <> 0)) AND t0."address1_city__f" = ?4
ORDER BY t0."name__f", t0."accountid"
LIMIT 51) t1
CROSS JOIN "account" t2 ON t2."accountid" = t1.k1
ORDER BY t1.k0, t1.k1
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
