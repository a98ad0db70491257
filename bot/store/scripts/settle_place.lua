-- Record where a held run lives, and queue it. Again: nothing.
-- ARGV: id, place, place key
local key = run_key(ARGV[1])
if redis.call('HGET', key, 'held') ~= '1' then return 0 end
local at = now()
redis.call('HDEL', key, 'held')
redis.call('HSET', key, 'place', ARGV[2], 'place_key', ARGV[3])
redis.call('ZADD', base .. ':place:' .. ARGV[3], at, ARGV[1])
if redis.call('HGET', key, 'status') == 'queued' then enqueue(ARGV[1], at) end
publish()
return 1
