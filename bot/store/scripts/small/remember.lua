-- Keep a value for a while. Returns 1.
-- ARGV: value, for how long (ms)
redis.call('GETEX', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
