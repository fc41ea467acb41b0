WITH t1 AS (SELECT 1 AS c, t0."address1_city" AS g0, t0."address1_city__f" AS f0, (SELECT CAST(strftime('%m', t2.d) AS INTEGER)
FROM (SELECT date(((SELECT (t3.s + 0 + 86400000000) / 86400 - 1000000
FROM (SELECT CASE WHEN t0."createdon" < -62104060800 THEN -62104060800 WHEN t0."createdon" > 253402214399 THEN 253402214399 ELSE t0."createdon" END AS s) t3) - 0) * 86400, 'unixepoch') AS d) t2) AS g1, t0."primarycontactid" AS v1, t0."revenue" AS v2, t0."exchangerate" AS v3, t0."numberofemployees" AS v4, t0."createdon" AS v5
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t4."principalid"
FROM "custodia_member" t4
WHERE t4."userid" = ?1)
UNION ALL SELECT 1 AS c, t0."address1_city" AS g0, t0."address1_city__f" AS f0, (SELECT CAST(strftime('%m', t5.d) AS INTEGER)
FROM (SELECT date(((SELECT (t6.s + 0 + 86400000000) / 86400 - 1000000
FROM (SELECT CASE WHEN t0."createdon" < -62104060800 THEN -62104060800 WHEN t0."createdon" > 253402214399 THEN 253402214399 ELSE t0."createdon" END AS s) t6) - 0) * 86400, 'unixepoch') AS d) t5) AS g1, t0."primarycontactid" AS v1, t0."revenue" AS v2, t0."exchangerate" AS v3, t0."numberofemployees" AS v4, t0."createdon" AS v5
FROM "account" t0
WHERE t0."accountid" IN (SELECT t8."objectid"
FROM "custodia_member" t7
CROSS JOIN "principalobjectaccess" t8 ON t8."principalid" = t7."principalid"
WHERE t7."userid" = ?1 AND t8."objecttypecode" = ?2 AND ((t8."accessrightsmask" | t8."inheritedaccessrightsmask") & ?3) <> 0) AND (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t9
WHERE t9."userid" = ?1 AND t9."principalid" = +t0."ownerid")) IS NOT TRUE
LIMIT 50001) SELECT min(g0), g1, count(*), count(DISTINCT v1), custodia_whole_sum(v2), custodia_decimal_average(v3, 12), custodia_average_cut(v4), max(v5), sum(count(*)) OVER ()
FROM t1 GROUP BY f0, g1
ORDER BY 3 DESC, f0, g1
LIMIT 5001 OFFSET 10
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- outputs: [Text, Integer, Integer, Integer, Money, Decimal, Integer, DateTime, Integer]
