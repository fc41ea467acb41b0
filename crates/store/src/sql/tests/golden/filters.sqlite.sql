SELECT t0."accountid"
FROM "account" t0
WHERE ((t0."name__f" IS NOT ?1 AND (t0."revenue" >= ?2 OR t0."revenue" IS NULL) AND t0."telephone1" IS NOT NULL AND (t0."industrycode" IN (?3, ?4)) IS NOT TRUE) AND t0."exchangerate" > ?5 AND ((t0."ownerid" = ?6 AND t0."ownerid__t" = 9) IS NOT TRUE) AND t0."creditonhold" IS NOT ?7 AND ((t0."address1_city__f" = t0."address2_city__f") IS NOT TRUE) AND t0."createdon" > ?8)
ORDER BY t0."accountid"
LIMIT 51
-- 1: Text("grosse")
-- 2: Money(Money(5))
-- 3: Integer(1)
-- 4: Integer(2)
-- 5: Decimal(0.000000000000)
-- 6: Lookup(TableId(9), 00000000-0000-0000-0000-000000000005)
-- 7: Boolean(true)
-- 8: DateTime(0)
-- outputs: [Guid]
