SELECT t0."accountid", t0."name"
FROM "account" t0
WHERE (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t1
WHERE t1."userid" = ?1 AND t1."principalid" = +t0."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t2
CROSS JOIN "custodia_member" t3 ON t3."userid" = ?1 AND t3."principalid" = t2."principalid"
WHERE t2."objectid" = +t0."accountid" AND t2."objecttypecode" = ?2 AND ((t2."accessrightsmask" | t2."inheritedaccessrightsmask") & ?3) <> 0)) AND NOT EXISTS (SELECT 1
FROM "contact" t4
WHERE t4."parentcustomerid" = t0."accountid" AND t4."parentcustomerid__t" = 1 AND (+t4."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t5
WHERE t5."userid" = ?1 AND t5."principalid" = +t4."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t6
CROSS JOIN "custodia_member" t7 ON t7."userid" = ?1 AND t7."principalid" = t6."principalid"
WHERE t6."objectid" = +t4."contactid" AND t6."objecttypecode" = ?4 AND ((t6."accessrightsmask" | t6."inheritedaccessrightsmask") & ?5) <> 0)) AND t4."fullname__f" = ?6)
ORDER BY t0."name__f", t0."accountid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("contact")
-- 5: Integer(1)
-- 6: Text("zoe")
-- outputs: [Guid, Text]
-- keys: [1]
