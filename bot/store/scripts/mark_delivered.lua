-- Record what a surface has shown. Returns 1, or 0 if another process holds the shard by now.
-- A run stays pending while it has events after `cursor`, or adopted messages that are not recorded here yet. Of a
-- deleted run nothing is recorded.
-- ARGV: surface, owner, id, cursor, then name and reference of messages in turn
allow_when_full()
local surface, id, cursor = ARGV[1], ARGV[3], tonumber(ARGV[4])
if redis.call('GET', base .. ':shard:' .. surface) ~= ARGV[2] then return 0 end
local key = run_key(id)
local newest = tonumber(redis.call('HGET', key, 'seq') or 0)
local adopted = 0
if is_shown_on(id, surface) then
  local shown = key .. ':shown:' .. surface
  cursor = math.max(cursor, (tonumber(redis.call('HGET', shown, 'cursor') or 0) or 0))
  redis.call('HSET', shown, 'cursor', cursor)
  for n = 5, #ARGV, 2 do
    redis.call('HSET', shown, 'copy:' .. ARGV[n], ARGV[n + 1])
    if redis.call('HDEL', shown, 'adopted:' .. ARGV[n]) == 1 then redis.call('HINCRBY', shown, 'adopted', -1) end
  end
  adopted = tonumber(redis.call('HGET', shown, 'adopted') or 0)
end
if adopted == 0 and cursor >= newest then redis.call('ZREM', base .. ':outbox:' .. surface, id) end
return 1
