-- Record that a follower is done with an event. Returns 1, or 0 if another process holds the shard by now.
-- The run stays pending while there are more. Of a deleted run nothing is recorded.
-- ARGV: surface, owner, id, seq, why it was given up ('' if it wasn't), 1 if the endpoint is gone (or '')
allow_when_full()
local surface, id, seq, why = ARGV[1], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('GET', base .. ':shard:' .. surface) ~= ARGV[2] then return 0 end
local key = run_key(id)
local shown, failed = key .. ':shown:' .. surface, base .. ':failed:' .. surface
redis.call('ZREM', base .. ':failing:' .. surface, id)
local newest = tonumber(redis.call('HGET', key, 'seq') or 0)
if newest == 0 then
  redis.call('ZREM', base .. ':outbox:' .. surface, id)
  return 1
end
local cursor = math.max(seq, (tonumber(redis.call('HGET', shown, 'cursor') or 0) or 0))
redis.call('HSET', shown, 'cursor', cursor)
redis.call('HDEL', shown, 'tries', 'why')
redis.call('ZREM', shown .. ':resend', seq)
if why == '' then
  redis.call('HDEL', shown, 'failed:' .. seq)
  redis.call('ZREM', failed, id .. '/' .. seq)
else
  redis.call('HSET', shown, 'failed:' .. seq, why)
  redis.call('ZADD', failed, 'NX', now(), id .. '/' .. seq)
end
if ARGV[6] ~= '' then redis.call('HSET', shown, 'gone', '1') end
if cursor >= newest and redis.call('EXISTS', shown .. ':resend') == 0 then
  redis.call('ZREM', base .. ':outbox:' .. surface, id)
end
return 1
