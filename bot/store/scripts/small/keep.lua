-- Keep a value for a while unless one is there. Returns the value that is kept, the first one.
-- ARGV: value, for how long (ms)
redis.call('GETEX', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return redis.call('GET', KEYS[1])
