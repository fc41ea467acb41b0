SELECT count(*)
FROM (SELECT 1
FROM "account" t0
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t1
WHERE t1."userid" = $1::uuid AND t1."principalid" = t0."ownerid" OFFSET 0) OR t0."owningbusinessunit" IN ($2::uuid) OR EXISTS (SELECT 1
FROM "custodia_unit_closure" t2
WHERE t2."ancestor" IN ($3::uuid) AND t2."descendant" = t0."owningbusinessunit" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t3
INNER JOIN "custodia_member" t4 ON t4."userid" = $1::uuid AND t4."principalid" = t3."principalid"
WHERE t3."objectid" = t0."accountid" AND t3."objecttypecode" = $4::text AND ((t3."accessrightsmask" | t3."inheritedaccessrightsmask") & $5::integer) <> 0 OFFSET 0)) AND t0."address1_city__f" = $6::text
LIMIT 5001) t5
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Guid(00000000-0000-0000-0000-000000000002)
-- 3: Guid(00000000-0000-0000-0000-000000000003)
-- 4: Text("account")
-- 5: Integer(1)
-- 6: Text("wien")
-- outputs: [Integer]
