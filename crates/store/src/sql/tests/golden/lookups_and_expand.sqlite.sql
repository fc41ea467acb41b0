SELECT t0."contactid", t0."fullname", t0."parentcustomerid", t0."parentcustomerid__t", CASE t0."parentcustomerid__t" WHEN 1 THEN (SELECT t2."name"
FROM "account" t2
WHERE t2."accountid" = t0."parentcustomerid") WHEN 2 THEN (SELECT t3."fullname"
FROM "contact" t3
WHERE t3."contactid" = t0."parentcustomerid") END, CASE WHEN t0."createdby" IS NOT NULL THEN 8 END, (SELECT t4."fullname"
FROM "systemuser" t4
WHERE t4."systemuserid" = t0."createdby"), t1."accountid", t1."name"
FROM "contact" t0
LEFT JOIN "account" t1 ON t1."accountid" = t0."parentcustomerid" AND t0."parentcustomerid__t" = 1 AND (+t1."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t5
WHERE t5."userid" = ?1 AND t5."principalid" = +t1."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t6
CROSS JOIN "custodia_member" t7 ON t7."userid" = ?1 AND t7."principalid" = t6."principalid"
WHERE t6."objectid" = +t1."accountid" AND t6."objecttypecode" = ?2 AND ((t6."accessrightsmask" | t6."inheritedaccessrightsmask") & ?3) <> 0))
ORDER BY t0."fullname__f", t0."contactid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- outputs: [Guid, Text, Guid, Integer, Text, Integer, Text, Guid, Text]
-- keys: [1]
