-- Record a failed delivery of the next event to a follower. Returns 1, or 0 if another process holds the shard by now.
-- ARGV: surface, owner, id, number of tries, reason, retry after (ms)
allow_when_full()
local surface, id = ARGV[1], ARGV[3]
if redis.call('GET', base .. ':shard:' .. surface) ~= ARGV[2] then return 0 end
if redis.call('EXISTS', run_key(id)) == 0 then return 1 end
redis.call('HSET', run_key(id) .. ':shown:' .. surface, 'tries', ARGV[4], 'why', ARGV[5])
redis.call('ZADD', base .. ':failing:' .. surface, 'NX', now(), id)
redis.call('ZADD', base .. ':outbox:' .. surface, 'XX', now() + ARGV[6], id)
return 1
