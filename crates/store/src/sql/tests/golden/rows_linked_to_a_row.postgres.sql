SELECT t2."teamid", t2."name"
FROM (SELECT t0."teamid" AS k0
FROM "team" t0
WHERE t0."teamid" IN (SELECT t3."teamid"
FROM "teammembership" t3
WHERE t3."systemuserid" = $1::uuid)
ORDER BY t0."teamid"
LIMIT 51) t1
INNER JOIN "team" t2 ON t2."teamid" = t1.k0
ORDER BY t1.k0
-- 1: Guid(00000000-0000-0000-0000-000000000009)
-- outputs: [Guid, Text]
