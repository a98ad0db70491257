-- Record a copy that turned up, unless one is recorded or the run is gone. Returns 1 if it was recorded.
-- ARGV: surface, id, name, reference
even_when_full()
local key = run_key(ARGV[2])
if redis.call('HGET', key, 'surface') ~= ARGV[1] then return 0 end
return redis.call('HSETNX', key .. ':shown:' .. ARGV[1], 'copy:' .. ARGV[3], ARGV[4])
