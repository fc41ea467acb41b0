SELECT t0."quotedetailid", t0."quotedetailname"
FROM "quotedetail" t0
WHERE CASE WHEN t0."quoteid" IS NOT NULL THEN EXISTS (SELECT 1
FROM "quote" t1
WHERE t1."quoteid" = t0."quoteid" AND (t1."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t2
WHERE t2."userid" = $1::uuid AND t2."principalid" = t1."ownerid" OFFSET 0) OR t1."owningbusinessunit" IN ($2::uuid) OR EXISTS (SELECT 1
FROM "custodia_unit_closure" t3
WHERE t3."ancestor" IN ($3::uuid) AND t3."descendant" = t1."owningbusinessunit" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
INNER JOIN "custodia_member" t5 ON t5."userid" = $1::uuid AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = t1."quoteid" AND t4."objecttypecode" = $4::text AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & $5::integer) <> 0 OFFSET 0)) OFFSET 0) ELSE FALSE END AND t0."quotedetailid" = $6::uuid
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Guid(00000000-0000-0000-0000-000000000002)
-- 3: Guid(00000000-0000-0000-0000-000000000003)
-- 4: Text("quote")
-- 5: Integer(1)
-- 6: Guid(00000000-0000-0000-0000-000000000003)
-- outputs: [Guid, Text]
