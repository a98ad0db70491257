-- Copy part of a journal to a run that is not started yet. Returns 1, or 0 if it was started.
-- The journal expires if the run is not started within a while.
-- ARGV: id, expires after (ms), then name and value in turn
local key = run_key(ARGV[1])
if redis.call('EXISTS', key) == 1 then return 0 end
for n = 3, #ARGV, 2 do redis.call('HSET', key .. ':journal', ARGV[n], ARGV[n + 1]) end
redis.call('PEXPIRE', key .. ':journal', ARGV[2])
return 1
