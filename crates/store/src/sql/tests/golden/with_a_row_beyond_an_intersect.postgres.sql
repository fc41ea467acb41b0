SELECT t0."accountid", t0."name"
FROM "account" t0
WHERE EXISTS (SELECT 1
FROM "accountleads" t1
INNER JOIN "lead" t2 ON t2."leadid" = t1."leadid"
WHERE t1."accountid" = t0."accountid" AND t2."subject" IS NOT NULL)
ORDER BY t0."name__f" ASC NULLS FIRST, t0."accountid"
LIMIT 51
-- outputs: [Guid, Text]
-- keys: [1]
