SELECT t0."contactid", t0."fullname"
FROM "contact" t0
WHERE t0."parentcustomerid" = ?1 AND t0."parentcustomerid__t" = 1
ORDER BY t0."fullname__f", t0."contactid"
LIMIT 51
-- 1: Guid(00000000-0000-0000-0000-000000000009)
-- outputs: [Guid, Text]
-- keys: [1]
