-- Show nothing of a run for a while.
-- ARGV: surface, id, for how long (ms)
redis.call('ZADD', base .. ':outbox:' .. ARGV[1], 'XX', now() + ARGV[3], ARGV[2])
return 1
