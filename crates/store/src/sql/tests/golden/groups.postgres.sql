WITH t1 AS (SELECT 1 AS c, t0."address1_city" AS g0, t0."address1_city__f" AS f0, (SELECT extract(month
FROM t2.d)::integer
FROM (SELECT date '1970-01-01' + ((SELECT (t3.s + 0 + 86400000000) / 86400 - 1000000
FROM (SELECT CASE WHEN floor(extract(epoch
FROM t0."createdon"))::bigint < -62104060800 THEN -62104060800 WHEN floor(extract(epoch
FROM t0."createdon"))::bigint > 253402214399 THEN 253402214399 ELSE floor(extract(epoch
FROM t0."createdon"))::bigint END AS s) t3) - 0)::integer AS d) t2) AS g1, t0."primarycontactid" AS v1, t0."revenue" AS v2, t0."exchangerate" AS v3, t0."numberofemployees" AS v4, t0."createdon" AS v5
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t4."principalid"
FROM "custodia_member" t4
WHERE t4."userid" = $1::uuid)
UNION ALL SELECT 1 AS c, t0."address1_city" AS g0, t0."address1_city__f" AS f0, (SELECT extract(month
FROM t5.d)::integer
FROM (SELECT date '1970-01-01' + ((SELECT (t6.s + 0 + 86400000000) / 86400 - 1000000
FROM (SELECT CASE WHEN floor(extract(epoch
FROM t0."createdon"))::bigint < -62104060800 THEN -62104060800 WHEN floor(extract(epoch
FROM t0."createdon"))::bigint > 253402214399 THEN 253402214399 ELSE floor(extract(epoch
FROM t0."createdon"))::bigint END AS s) t6) - 0)::integer AS d) t5) AS g1, t0."primarycontactid" AS v1, t0."revenue" AS v2, t0."exchangerate" AS v3, t0."numberofemployees" AS v4, t0."createdon" AS v5
FROM "account" t0
WHERE t0."accountid" IN (SELECT t8."objectid"
FROM "custodia_member" t7
INNER JOIN "principalobjectaccess" t8 ON t8."principalid" = t7."principalid"
WHERE t7."userid" = $1::uuid AND t8."objecttypecode" = $2::text AND ((t8."accessrightsmask" | t8."inheritedaccessrightsmask") & $3::integer) <> 0) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t9
WHERE t9."userid" = $1::uuid AND t9."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE
LIMIT 50001) SELECT min(g0), g1, count(*), count(DISTINCT v1), sum(v2)::bigint, (sign(sum(v3)) * div(2000000000000 * abs(sum(v3))::numeric + count(v3), 2 * count(v3))) * 0.000000000001, div(sum(v4)::numeric, count(v4)::numeric)::bigint, max(v5), sum(count(*)) OVER ()::bigint
FROM t1 GROUP BY f0, g1
ORDER BY 3 DESC NULLS LAST, f0 ASC NULLS FIRST, g1 ASC NULLS FIRST
LIMIT 5001 OFFSET 10
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- outputs: [Text, Integer, Integer, Integer, Money, Decimal, Integer, DateTime, Integer]
