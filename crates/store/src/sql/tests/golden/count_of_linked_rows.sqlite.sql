SELECT count(*)
FROM (SELECT 1
FROM "account" t0
LEFT JOIN ("contact" t1
INNER JOIN "systemuser" t2 ON t2."systemuserid" = t1."ownerid" AND t1."ownerid__t" = 8) ON t1."parentcustomerid" = t0."accountid" AND t1."parentcustomerid__t" = 1 AND (+t1."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t3
WHERE t3."userid" = ?1 AND t3."principalid" = +t1."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t4
CROSS JOIN "custodia_member" t5 ON t5."userid" = ?1 AND t5."principalid" = t4."principalid"
WHERE t4."objectid" = +t1."contactid" AND t4."objecttypecode" = ?2 AND ((t4."accessrightsmask" | t4."inheritedaccessrightsmask") & ?3) <> 0)) AND t1."lastname__f" = ?4
WHERE t0."_rowid_" IN (SELECT t6."_rowid_"
FROM "account" t6
WHERE t6."ownerid" IN (SELECT t7."principalid"
FROM "custodia_member" t7
WHERE t7."userid" = ?1)
UNION ALL SELECT t8."_rowid_"
FROM "account" t8
WHERE t8."accountid" IN (SELECT t10."objectid"
FROM "custodia_member" t9
CROSS JOIN "principalobjectaccess" t10 ON t10."principalid" = t9."principalid"
WHERE t9."userid" = ?1 AND t10."objecttypecode" = ?5 AND ((t10."accessrightsmask" | t10."inheritedaccessrightsmask") & ?6) <> 0))
LIMIT 5001) t11
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("contact")
-- 3: Integer(1)
-- 4: Text("kern")
-- 5: Text("account")
-- 6: Integer(1)
-- outputs: [Integer]
