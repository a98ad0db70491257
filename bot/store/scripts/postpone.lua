-- Keep a run out of `pending` for a while. Returns 1, or 0 if another process holds the shard by now.
-- ARGV: surface, owner, id, for how long (ms)
allow_when_full()
if redis.call('GET', base .. ':shard:' .. ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', base .. ':outbox:' .. ARGV[1], 'XX', now() + ARGV[4], ARGV[3])
return 1
