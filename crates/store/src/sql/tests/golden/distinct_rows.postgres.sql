WITH t1 AS (SELECT t0."address1_city" AS o0, t0."address1_city__f" AS f0, t0."primarycontactid" AS o1, t0."address1_city__f" AS k0
FROM "account" t0
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t2
WHERE t2."userid" = $1::uuid AND t2."principalid" = t0."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t3
INNER JOIN "custodia_member" t4 ON t4."userid" = $1::uuid AND t4."principalid" = t3."principalid"
WHERE t3."objectid" = t0."accountid" AND t3."objecttypecode" = $2::text AND ((t3."accessrightsmask" | t3."inheritedaccessrightsmask") & $3::integer) <> 0 OFFSET 0))) SELECT min(o0), o1
FROM t1 GROUP BY f0, o1, k0
ORDER BY k0 DESC NULLS LAST, f0 ASC NULLS FIRST, o1 ASC NULLS FIRST
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- outputs: [Text, Guid]
