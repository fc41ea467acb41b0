SELECT t0."contactid", t0."fullname", t1."accountid", t2."contactid", t2."fullname"
FROM "contact" t0
LEFT JOIN "account" t1 ON t1."accountid" = t0."parentcustomerid" AND t0."parentcustomerid__t" = 1 AND (+t1."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = ?1 AND t3."principalid" = +t1."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
CROSS JOIN "custodia_member" t5 ON t5."userid" = ?1 AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = +t1."accountid" AND t4."objecttypecode" = ?2 AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & ?3) <> 0))
LEFT JOIN "contact" t2 ON t2."contactid" = t1."primarycontactid" AND (+t2."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t6
WHERE t6."userid" = ?1 AND t6."principalid" = +t2."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t7
CROSS JOIN "custodia_member" t8 ON t8."userid" = ?1 AND t8."principalid" = t7."principalid"
WHERE t7."objectid" = +t2."contactid" AND t7."objecttypecode" = ?4 AND ((t7."accessrightsmask" | t7."inheritedaccessrightsmask") & ?5) <> 0))
WHERE (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t9
WHERE t9."userid" = ?1 AND t9."principalid" = +t0."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t10
CROSS JOIN "custodia_member" t11 ON t11."userid" = ?1 AND t11."principalid" = t10."principalid"
WHERE t10."objectid" = +t0."contactid" AND t10."objecttypecode" = ?6 AND ((t10."accessrightsmask" | t10."inheritedaccessrightsmask") & ?7) <> 0))
ORDER BY t0."contactid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("contact")
-- 5: Integer(1)
-- 6: Text("contact")
-- 7: Integer(1)
-- outputs: [Guid, Text, Guid, Guid, Text]
