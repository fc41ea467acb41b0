SELECT t0."teamtemplateid", t0."teamtemplatename", t0."createdby", t0."createdon", t0."createdonbehalfby", t0."defaultaccessrightsmask", t0."description", t0."issystem", t0."modifiedby", t0."modifiedon", t0."modifiedonbehalfby", t0."objecttypecode", t0."versionnumber", TRUE IS TRUE
FROM "teamtemplate" t0
WHERE t0."teamtemplateid" = ?1
-- 1: Guid(00000000-0000-0000-0000-000000000009)
-- outputs: [Guid, Text, Guid, DateTime, Guid, Integer, Text, Boolean, Guid, DateTime, Guid, Integer, Integer, Boolean]
