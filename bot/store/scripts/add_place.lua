-- Add a place in which a run is found. Returns 1, or 0 if there is no such run.
-- ARGV: id, place key
allow_when_full()
local key = run_key(ARGV[1])
local created_at = redis.call('HGET', key, 'created_at')
if not created_at then return 0 end
redis.call('SADD', key .. ':places', ARGV[2])
redis.call('ZADD', base .. ':place:' .. ARGV[2], created_at, ARGV[1])
return 1
