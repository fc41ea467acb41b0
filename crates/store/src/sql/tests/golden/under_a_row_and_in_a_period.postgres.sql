SELECT t0."accountid", (SELECT count(*)
FROM "account" t1
WHERE t1."parentaccountid" = t0."accountid" AND (t1."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t2
WHERE t2."userid" = $1::uuid AND t2."principalid" = t1."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t3
INNER JOIN "custodia_member" t4 ON t4."userid" = $1::uuid AND t4."principalid" = t3."principalid"
WHERE t3."objectid" = t1."accountid" AND t3."objecttypecode" = $2::text AND ((t3."accessrightsmask" | t3."inheritedaccessrightsmask") & $3::integer) <> 0 OFFSET 0)))
FROM "account" t0
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t5
WHERE t5."userid" = $1::uuid AND t5."principalid" = t0."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t6
INNER JOIN "custodia_member" t7 ON t7."userid" = $1::uuid AND t7."principalid" = t6."principalid"
WHERE t6."objectid" = t0."accountid" AND t6."objecttypecode" = $4::text AND ((t6."accessrightsmask" | t6."inheritedaccessrightsmask") & $5::integer) <> 0 OFFSET 0)) AND ((t0."accountid" IN (WITH RECURSIVE t8(id, level) AS (SELECT $6::uuid, 0 UNION SELECT t9."accountid", t8.level + 1
FROM t8
INNER JOIN "account" t9 ON t9."parentaccountid" = t8.id
WHERE t8.level < 100 AND t9."parentaccountid" IS NOT NULL) SELECT t8.id
FROM t8
WHERE t8.id <> $6::uuid)) AND (SELECT ((extract(month
FROM t10.d)::integer + 8) % 12) / 3 + 1
FROM (SELECT date '1970-01-01' + ((SELECT (t11.s + CASE WHEN t11.s < 200 THEN CASE WHEN t11.s < 100 THEN 3600 ELSE 7200 END ELSE 3600 END + 86400000000) / 86400 - 1000000
FROM (SELECT CASE WHEN floor(extract(epoch
FROM t0."createdon"))::bigint < -62104060800 THEN -62104060800 WHEN floor(extract(epoch
FROM t0."createdon"))::bigint > 253402214399 THEN 253402214399 ELSE floor(extract(epoch
FROM t0."createdon"))::bigint END AS s) t11) - 5)::integer AS d) t10) = $7::bigint)
ORDER BY t0."accountid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("account")
-- 5: Integer(1)
-- 6: Guid(00000000-0000-0000-0000-000000000009)
-- 7: BigInt(2)
-- outputs: [Guid, Integer]
