SELECT count(*)
FROM (SELECT 1
FROM "account" t0
WHERE t0."ownerid" IN (SELECT t1."principalid"
FROM "custodia_member" t1
WHERE t1."userid" = ?1) AND +t0."statecode" = ?2
UNION ALL SELECT 1
FROM "account" t0
WHERE t0."owningbusinessunit" IN (SELECT t2."descendant"
FROM "custodia_unit_closure" t2
WHERE t2."ancestor" IN (?3) OR (t2."ancestor" = t2."descendant" AND t2."descendant" IN (?4))) AND (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = ?1 AND t3."principalid" = +t0."ownerid")) IS NOT TRUE AND +t0."statecode" = ?5
UNION ALL SELECT 1
FROM "account" t0
WHERE t0."accountid" IN (SELECT t5."objectid"
FROM "custodia_member" t4
CROSS JOIN "principalobjectaccess" t5 ON t5."principalid" = t4."principalid"
WHERE t4."userid" = ?1 AND t5."objecttypecode" = ?6 AND ((t5."accessrightsmask" | t5."inheritedaccessrightsmask") & ?7) <> 0) AND (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = ?1 AND t6."principalid" = +t0."ownerid")) IS NOT TRUE AND (+t0."owningbusinessunit" IN (?8) OR EXISTS (SELECT 1
FROM "custodia_unit_closure" t7
WHERE t7."ancestor" IN (?9) AND t7."descendant" = +t0."owningbusinessunit")) IS NOT TRUE AND +t0."statecode" = ?10
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
