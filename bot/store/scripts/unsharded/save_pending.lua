-- Store pending work. Returns 1.
-- ARGV: key, value
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
