-- Add a key unless it is there. Returns 1 to the first caller (also for a repeated call), else 0.
-- GETEX is a write that needs no memory, so a full Redis lets the script run (prelude.lua); so in all of these.
-- ARGV: call, TTL (ms)
redis.call('GETEX', KEYS[1])
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
