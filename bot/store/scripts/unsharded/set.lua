-- Store a value with a TTL. Returns 1.
-- ARGV: value, TTL (ms)
redis.call('GETEX', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
