-- Append an event of a claimed run, once. Returns {seq, at}, or nothing if the claim is no longer valid.
-- ARGV: id, epoch, key of the event, body
if not holds_claim(ARGV[1], ARGV[2]) then return false end
local seq, at = append_event_once(ARGV[1], ARGV[3], ARGV[4], now())
publish()
return { seq, at }
