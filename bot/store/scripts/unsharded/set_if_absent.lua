-- Store a value with a TTL unless there is one. Returns the stored value.
-- ARGV: value, TTL (ms)
redis.call('GETEX', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return redis.call('GET', KEYS[1])
