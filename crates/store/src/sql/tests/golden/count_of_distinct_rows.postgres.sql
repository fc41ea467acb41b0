SELECT count(*)
FROM (SELECT 1
FROM (SELECT t0."address1_city" AS o0, t0."address1_city__f" AS f0, t0."primarycontactid" AS o1
FROM "account" t0) t1 GROUP BY f0, o1
LIMIT 5001) t2
-- outputs: [Integer]
