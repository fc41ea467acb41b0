SELECT count(*)
FROM (SELECT 1
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t1."principalid"
FROM "custodia_member" t1
WHERE t1."userid" = $1::uuid) AND t0."statecode" = $2::integer
UNION ALL SELECT 1
FROM "account" t0
WHERE t0."owningbusinessunit" IN (SELECT t2."descendant"
FROM "custodia_unit_closure" t2
WHERE t2."ancestor" IN ($3::uuid) OR (t2."ancestor" = t2."descendant" AND t2."descendant" IN ($4::uuid))) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = $1::uuid AND t3."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE AND t0."statecode" = $5::integer
UNION ALL SELECT 1
FROM "account" t0
WHERE t0."accountid" IN (SELECT t5."objectid"
FROM "custodia_member" t4
INNER JOIN "principalobjectaccess" t5 ON t5."principalid" = t4."principalid"
WHERE t4."userid" = $1::uuid AND t5."objecttypecode" = $6::text AND ((t5."accessrightsmask" | t5."inheritedaccessrightsmask") & $7::integer) <> 0) AND (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = $1::uuid AND t6."principalid" = t0."ownerid" OFFSET 0)) IS NOT TRUE AND (t0."owningbusinessunit" IN ($8::uuid) OR EXISTS (SELECT 1
FROM "custodia_unit_closure" t7
WHERE t7."ancestor" IN ($9::uuid) AND t7."descendant" = t0."owningbusinessunit" OFFSET 0)) IS NOT TRUE AND t0."statecode" = $10::integer
LIMIT 5001) t8
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Integer(0)
-- 3: Guid(00000000-0000-0000-0000-000000000003)
-- 4: Guid(00000000-0000-0000-0000-000000000002)
-- 5: Integer(0)
-- 6: Text("account")
-- 7: Integer(1)
-- 8: Guid(00000000-0000-0000-0000-000000000002)
-- 9: Guid(00000000-0000-0000-0000-000000000003)
-- 10: Integer(0)
-- outputs: [Integer]
