SELECT t3."contactid", t3."fullname", t3."parentcustomerid", t3."parentcustomerid__t", CASE t3."parentcustomerid__t" WHEN 1 THEN (SELECT t5."name"
FROM "account" t5
WHERE t5."accountid" = t3."parentcustomerid") WHEN 2 THEN (SELECT t6."fullname"
FROM "contact" t6
WHERE t6."contactid" = t3."parentcustomerid") END, CASE WHEN t3."createdby" IS NOT NULL THEN 8 END, (SELECT t7."fullname"
FROM "systemuser" t7
WHERE t7."systemuserid" = t3."createdby"), t4."accountid", t4."name", t2.v0
FROM (SELECT t1."name__f" AS k0, t0."fullname__f" AS k1, t0."contactid" AS k2, t1."name" AS v0
FROM "contact" t0
LEFT JOIN "account" t1 ON t1."accountid" = t0."parentcustomerid" AND t0."parentcustomerid__t" = 1 AND (+t1."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t8
WHERE t8."userid" = ?1 AND t8."principalid" = +t1."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t9
CROSS JOIN "custodia_member" t10 ON t10."userid" = ?1 AND t10."principalid" = t9."principalid"
WHERE t9."objectid" = +t1."accountid" AND t9."objecttypecode" = ?2 AND ((t9."accessrightsmask" | t9."inheritedaccessrightsmask") & ?3) <> 0))
WHERE t1."address1_city__f" = ?4 AND ((t1."name__f" = ?5 AND t0."fullname__f" IS NULL AND t0."contactid" > ?6) OR (t1."name__f" = ?5 AND t0."fullname__f" IS NOT NULL) OR (t1."name__f" < ?5) OR (t1."name__f" IS NULL))
ORDER BY t1."name__f" DESC, t0."fullname__f", t0."contactid"
LIMIT 51) t2
CROSS JOIN "contact" t3 ON t3."contactid" = t2.k2
LEFT JOIN "account" t4 ON t4."accountid" = t3."parentcustomerid" AND t3."parentcustomerid__t" = 1 AND (+t4."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t11
WHERE t11."userid" = ?1 AND t11."principalid" = +t4."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t12
CROSS JOIN "custodia_member" t13 ON t13."userid" = ?1 AND t13."principalid" = t12."principalid"
WHERE t12."objectid" = +t4."accountid" AND t12."objecttypecode" = ?7 AND ((t12."accessrightsmask" | t12."inheritedaccessrightsmask") & ?8) <> 0))
ORDER BY t2.k0 DESC, t2.k1, t2.k2
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("account")
-- 3: Integer(1)
-- 4: Text("wien")
-- 5: Text("a")
-- 6: Guid(00000000-0000-0000-0000-000000000007)
-- 7: Text("account")
-- 8: Integer(1)
-- outputs: [Guid, Text, Guid, Integer, Text, Integer, Text, Guid, Text, Text]
-- keys: [9, 1]
