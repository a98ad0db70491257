-- Record what a claimed run has done. Returns 1, or 0 if the claim is no longer valid.
-- ARGV: id, epoch, then changes (changes.lua)
if not holds_claim(ARGV[1], ARGV[2]) then return 0 end
make_changes(ARGV[1], 3, now())
publish()
return 1
