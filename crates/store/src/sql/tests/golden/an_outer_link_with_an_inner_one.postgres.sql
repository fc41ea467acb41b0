SELECT t0."accountid", t0."name", t1."fullname"
FROM "account" t0
LEFT JOIN ("contact" t1
INNER JOIN "systemuser" t2 ON t2."systemuserid" = t1."ownerid" AND t1."ownerid__t" = 8) ON t1."parentcustomerid" = t0."accountid" AND t1."parentcustomerid__t" = 1 AND (t1."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = $1::uuid AND t3."principalid" = t1."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
INNER JOIN "custodia_member" t5 ON t5."userid" = $1::uuid AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = t1."contactid" AND t4."objecttypecode" = $2::text AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & $3::integer) <> 0 OFFSET 0)) AND t1."lastname__f" = $4::text
WHERE (t0."ownerid" = $1::uuid OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = $1::uuid AND t6."principalid" = t0."ownerid" OFFSET 0) OR EXISTS (SELECT 1
FROM "principalobjectaccess" t7
INNER JOIN "custodia_member" t8 ON t8."userid" = $1::uuid AND t8."principalid" = t7."principalid"
WHERE t7."objectid" = t0."accountid" AND t7."objecttypecode" = $5::text AND ((t7."accessrightsmask" | t7."inheritedaccessrightsmask") & $6::integer) <> 0 OFFSET 0))
ORDER BY (SELECT t9."fullname__f"
FROM "contact" t9
WHERE t9."contactid" = t0."primarycontactid") DESC NULLS LAST, CASE t0."statecode" WHEN 1 THEN 0 WHEN 0 THEN 1 ELSE CASE WHEN t0."statecode" IS NOT NULL THEN 2 END END, t0."accountid", t1."contactid" ASC NULLS FIRST, t2."systemuserid" ASC NULLS FIRST
LIMIT 51 OFFSET 50
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("contact")
-- 3: Integer(1)
-- 4: Text("kern")
-- 5: Text("account")
-- 6: Integer(1)
-- outputs: [Guid, Text, Text]
