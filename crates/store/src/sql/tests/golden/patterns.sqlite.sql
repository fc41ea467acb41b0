SELECT t0."accountid"
FROM "account" t0
WHERE (t0."name__f" IS NOT NULL OR t0."name__f" = ?1 OR (t0."name__f" >= ?2 AND t0."name__f" < ?3) OR substr(t0."name__f", ?4) = ?5 OR custodia_matches(t0."name__f", ?6) OR (((t0."name__f" >= ?7 AND t0."name__f" < ?8) AND custodia_matches(t0."name__f", ?9))) IS NOT TRUE OR (custodia_matches(t0."name__f", ?10)))
ORDER BY t0."accountid"
LIMIT 51
-- 1: Text("a")
-- 2: Text("ab")
-- 3: Text("ac")
-- 4: BigInt(-2)
-- 5: Text("ab")
-- 6: Text("%a[%]b%")
-- 7: Text("a")
-- 8: Text("b")
-- 9: Text("a%*_[^a-f］]")
-- 10: Text("_[_]%")
-- outputs: [Guid]
