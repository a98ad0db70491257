-- Keep a run out of `pending` for a while. Returns 1.
-- ARGV: surface, id, for how long (ms)
allow_when_full()
redis.call('ZADD', base .. ':outbox:' .. ARGV[1], 'XX', now() + ARGV[3], ARGV[2])
return 1
