SELECT t0."accountid"
FROM "account" t0
WHERE ((t0."name__f" IS DISTINCT FROM $1::text AND (t0."revenue" >= $2::bigint OR t0."revenue" IS NULL) AND t0."telephone1" IS NOT NULL AND (t0."industrycode" IN ($3::integer, $4::integer)) IS NOT TRUE) AND t0."exchangerate" > $5::numeric AND ((t0."ownerid" = $6::uuid AND t0."ownerid__t" = 9) IS NOT TRUE) AND t0."creditonhold" IS DISTINCT FROM $7::boolean AND ((t0."address1_city__f" = t0."address2_city__f") IS NOT TRUE) AND t0."createdon" > $8::timestamptz)
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
