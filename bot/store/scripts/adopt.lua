-- Record an orphaned message, unless one of its name is recorded or the run is deleted; or (without reference) that a
-- question is to be shown anew. Returns 1 if it was recorded.
-- The run stays pending until its surface records a message of that name itself.
-- ARGV: surface, id, name, reference
allow_when_full()
local key = run_key(ARGV[2])
if not is_shown_on(ARGV[2], ARGV[1]) then return 0 end
local shown = key .. ':shown:' .. ARGV[1]
if redis.call('HSETNX', shown, 'copy:' .. ARGV[3], ARGV[4]) == 0 then return 0 end
redis.call('HSET', shown, 'adopted:' .. ARGV[3], 1)
redis.call('HINCRBY', shown, 'adopted', 1)
add_to_outbox(ARGV[2], ARGV[1], now())
publish()
return 1
