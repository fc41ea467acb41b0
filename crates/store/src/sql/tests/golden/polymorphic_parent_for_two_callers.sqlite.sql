SELECT t0."annotationid", t0."subject"
FROM "annotation" t0
WHERE (CASE WHEN t0."objectid" IS NOT NULL AND t0."objectid__t" = 1 THEN TRUE WHEN t0."objectid" IS NOT NULL AND t0."objectid__t" = 2 THEN FALSE WHEN t0."objectid" IS NOT NULL THEN FALSE ELSE FALSE END AND (+t0."ownerid" = ?1 OR EXISTS (SELECT 1
FROM "custodia_member" t1
WHERE t1."userid" = ?1 AND t1."principalid" = +t0."ownerid") OR EXISTS (SELECT 1
FROM "principalobjectaccess" t2
CROSS JOIN "custodia_member" t3 ON t3."userid" = ?1 AND t3."principalid" = t2."principalid"
WHERE t2."objectid" = +t0."annotationid" AND t2."objecttypecode" = ?2 AND ((t2."accessrightsmask" | t2."inheritedaccessrightsmask") & ?3) <> 0))) AND t0."annotationid" = ?4
-- 1: Guid(00000000-0000-0000-0000-000000000001)
-- 2: Text("annotation")
-- 3: Integer(1)
-- 4: Guid(00000000-0000-0000-0000-000000000003)
-- outputs: [Guid, Text]
