SELECT t0."subjectid", t0."title", t0."createdby", t0."createdbyexternalparty", t0."createdon", t0."createdonbehalfby", t0."description", t0."featuremask", t0."importsequencenumber", t0."modifiedby", t0."modifiedbyexternalparty", t0."modifiedon", t0."modifiedonbehalfby", t0."organizationid", t0."overriddencreatedon", t0."parentsubject", t0."versionnumber", TRUE IS TRUE
FROM "subject" t0
WHERE t0."title__f" = $1::text
-- 1: Text("strasse")
-- outputs: [Guid, Text, Guid, Guid, DateTime, Guid, Text, Integer, Integer, Guid, Guid, DateTime, Guid, Guid, DateTime, Guid, Integer, Boolean]
