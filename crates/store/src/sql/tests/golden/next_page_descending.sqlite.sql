SELECT t2."accountid", t2."versionnumber", t2."name", t2."revenue"
FROM (SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."address1_city__f" = ?1 AND (t0."name__f", t0."accountid") < (?2, ?3)
ORDER BY t0."name__f" DESC, t0."accountid" DESC
LIMIT 51) t3
UNION ALL SELECT *
FROM (SELECT t0."name__f" AS k0, t0."accountid" AS k1
FROM "account" t0
WHERE t0."address1_city__f" = ?4 AND t0."name__f" IS NULL
ORDER BY t0."name__f" DESC, t0."accountid" DESC
LIMIT 51) t4
ORDER BY k0 DESC, k1 DESC
LIMIT 51) t1
CROSS JOIN "account" t2 ON t2."accountid" = t1.k1
ORDER BY t1.k0 DESC, t1.k1 DESC
-- 1: Text("wien")
-- 2: Text("ahre")
-- 3: Guid(00000000-0000-0000-0000-000000000007)
-- 4: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
