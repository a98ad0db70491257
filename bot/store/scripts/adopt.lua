-- Record a copy that turned up, unless one is recorded or the run is gone. Returns 1 if it was recorded.
-- The run is pending from then on, until its surface records a copy of that name itself.
-- ARGV: surface, id, name, reference
even_when_full()
local key = run_key(ARGV[2])
if redis.call('HGET', key, 'surface') ~= ARGV[1] then return 0 end
local shown = key .. ':shown:' .. ARGV[1]
if redis.call('HSETNX', shown, 'copy:' .. ARGV[3], ARGV[4]) == 0 then return 0 end
redis.call('HSET', shown, 'adopted:' .. ARGV[3], 1)
redis.call('HINCRBY', shown, 'adopted', 1)
redis.call('ZADD', base .. ':outbox:' .. ARGV[1], 'NX', now(), ARGV[2])
wake('outbox:' .. ARGV[1] .. ':' .. shard())
publish()
return 1
