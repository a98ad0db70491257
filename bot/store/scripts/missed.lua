-- A follower's next event of a run was tried in vain. Returns 1, or 0 if the shard is another process's by now.
-- ARGV: surface, owner, id, tries by now, why, due again after (ms)
even_when_full()
local surface, id = ARGV[1], ARGV[3]
if redis.call('GET', base .. ':shard:' .. surface) ~= ARGV[2] then return 0 end
if redis.call('EXISTS', run_key(id)) == 0 then return 1 end
redis.call('HSET', run_key(id) .. ':shown:' .. surface, 'tries', ARGV[4], 'why', ARGV[5])
redis.call('ZADD', base .. ':failing:' .. surface, 'NX', now(), id)
redis.call('ZADD', base .. ':outbox:' .. surface, 'XX', now() + ARGV[6], id)
return 1
