-- Append an event of a claimed run, once. Returns {seq, at}, or nothing if the claim is no longer valid.
-- It is no progress: progress is what the journal records; an event may well announce a step that then kills the worker.
-- ARGV: id, epoch, key of the event, body
local id, name = ARGV[1], ARGV[3]
local key = run_key(id)
if not holds_claim(ARGV[1], ARGV[2]) then return false end
local seen = redis.call('HGET', key .. ':recorded', name)
if seen then
  local seq, at = string.match(seen, '^(%d+)/(%d+)$')
  return { tonumber(seq), tonumber(at) }
end
local at = now()
local seq = append_event(id, ARGV[4], at)
redis.call('HSET', key .. ':recorded', name, seq .. '/' .. string.format('%d', at))
publish()
return { seq, at }
