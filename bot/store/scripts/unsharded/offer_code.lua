-- Store a code that can be used once (use_code.lua). Returns 1.
-- ARGV: value, TTL (ms)
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'value', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
