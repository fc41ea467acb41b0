SELECT t2."accountid", t2."versionnumber", t2."name", t2."revenue"
FROM (SELECT *
FROM (SELECT t0."name__f" AS k0, t0."revenue" AS k1, t0."accountid" AS k2
FROM "account" t0
WHERE t0."address1_city__f" = ?1 AND t0."name__f" IS NULL AND t0."revenue" IS NULL AND t0."accountid" < ?2
ORDER BY t0."name__f", t0."revenue" DESC, t0."accountid" DESC
LIMIT 3) t3
UNION ALL SELECT *
FROM (SELECT t0."name__f" AS k0, t0."revenue" AS k1, t0."accountid" AS k2
FROM "account" t0
WHERE t0."address1_city__f" = ?3 AND t0."name__f" IS NOT NULL
ORDER BY t0."name__f", t0."revenue" DESC, t0."accountid" DESC
LIMIT 3) t4
ORDER BY k0, k1 DESC, k2 DESC
LIMIT 3) t1
CROSS JOIN "account" t2 ON t2."accountid" = t1.k2
ORDER BY t1.k0, t1.k1 DESC, t1.k2 DESC
-- 1: Text("wien")
-- 2: Guid(00000000-0000-0000-0000-000000000007)
-- 3: Text("wien")
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2, 3]
