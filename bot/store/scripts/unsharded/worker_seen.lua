-- Record that a worker is alive, and remove workers that were not seen for long. Returns 1.
-- ARGV: worker, removed after (ms)
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', (time[1] - ARGV[2] / 1000) * 1000)
redis.call('ZADD', KEYS[1], time[1] * 1000, ARGV[1])
return 1
