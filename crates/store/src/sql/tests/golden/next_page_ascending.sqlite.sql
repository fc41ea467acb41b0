SELECT t0."accountid", t0."versionnumber", t0."name", t0."revenue"
FROM "account" t0
WHERE t0."address1_city__f" = ?1 AND (t0."name__f", t0."accountid") > (?2, ?3)
ORDER BY t0."name__f", t0."accountid"
LIMIT 51
-- 1: Text("wien")
-- 2: Text("ahre")
-- 3: Guid(00000000-0000-0000-0000-000000000007)
-- outputs: [Guid, Integer, Text, Money]
-- keys: [2]
