-- Keep a key for the first caller. Returns 1 for it (also when the same call comes again), else 0.
-- The reading that counts as a write lets it through when Redis is full (prelude.lua); so in all of these.
-- ARGV: call, for how long (ms)
redis.call('GETEX', KEYS[1])
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
