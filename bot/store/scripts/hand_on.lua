-- Give a run that is yet to be started a part of another one's journal. Returns 1, or 0 if it has been started.
-- Who dies in between leaves nothing for long: what is not started within a while is forgotten.
-- ARGV: id, for how long it is kept (ms), then name and value in turn
local key = run_key(ARGV[1])
if redis.call('EXISTS', key) == 1 then return 0 end
for n = 3, #ARGV, 2 do redis.call('HSET', key .. ':journal', ARGV[n], ARGV[n + 1]) end
redis.call('PEXPIRE', key .. ':journal', ARGV[2])
return 1
