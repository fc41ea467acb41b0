SELECT t0."accountid"
FROM "account" t0
WHERE (t0."name__f" IS NOT NULL OR t0."name__f" = $1::text OR (t0."name__f" >= $2::text AND t0."name__f" < $3::text) OR right(t0."name__f", $4::integer) = $5::text OR strpos(t0."name__f", $6::text) > 0 OR (((t0."name__f" >= $7::text AND t0."name__f" < $8::text) AND t0."name__f" ~ $9::text)) IS NOT TRUE OR (t0."name__f" LIKE $10::text))
ORDER BY t0."accountid"
LIMIT 51
-- 1: Text("a")
-- 2: Text("ab")
-- 3: Text("ac")
-- 4: Integer(2)
-- 5: Text("ab")
-- 6: Text("a%b")
-- 7: Text("a")
-- 8: Text("b")
-- 9: Text("^a.*\\*.[^a-f\\]]$")
-- 10: Text("_\\_%")
-- outputs: [Guid]
