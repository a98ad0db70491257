-- Send events of a run to a follower again. Returns how many of them the run has.
-- ARGV: surface, id, seq ...
local surface, id = ARGV[1], ARGV[2]
local follows = false
for _, each in ipairs(surfaces_of(id)) do follows = follows or each == surface end
if not follows then return 0 end
local key = run_key(id)
local shown = key .. ':shown:' .. surface
local newest, cursor = tonumber(redis.call('HGET', key, 'seq')), (tonumber(redis.call('HGET', shown, 'cursor') or 0) or 0)
local at, found = now(), 0
for n = 3, #ARGV do
  local seq = tonumber(ARGV[n])
  if seq >= 1 and seq <= newest then
    found = found + 1
    -- What it has not seen yet comes anyway.
    if seq <= cursor then redis.call('ZADD', shown .. ':resend', at, seq) end
  end
end
if found > 0 then
  redis.call('HDEL', shown, 'gone', 'tries')
  redis.call('ZADD', base .. ':outbox:' .. surface, at, id)
  wake('outbox:' .. surface .. ':' .. shard())
end
publish()
return found
