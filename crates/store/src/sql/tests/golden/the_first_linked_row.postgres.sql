SELECT t0."accountid", t0."name", t1."fullname"
FROM "account" t0
LEFT JOIN "contact" t1 ON t1."contactid" = (SELECT t2."contactid"
FROM "contact" t2
WHERE t2."parentcustomerid" = t0."accountid" AND t2."parentcustomerid__t" = 1 AND (t2."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = $1::uuid AND t3."principalid" = t2."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
INNER JOIN "custodia_member" t5 ON t5."userid" = $1::uuid AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = t2."contactid" AND t4."objecttypecode" = $2::text AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & $3::integer) <> 0 OFFSET 0))
ORDER BY t2."createdon" DESC NULLS LAST, t2."contactid" ASC NULLS FIRST
LIMIT 1)
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = $1::uuid AND t6."principalid" = t0."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t7
INNER JOIN "custodia_member" t8 ON t8."userid" = $1::uuid AND t8."principalid" = t7."principalid"
WHERE t7."objectid" = t0."accountid" AND t7."objecttypecode" = $4::text AND ((t7."accessrightsmask" | t7."inheritedaccessrightsmask") & $5::integer) <> 0 OFFSET 0))
ORDER BY t0."accountid", t1."contactid" ASC NULLS FIRST
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("contact")
-- 3: Integer(1)
-- 4: Text("account")
-- 5: Integer(1)
-- outputs: [Guid, Text, Text]
