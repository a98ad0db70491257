-- Fail a run that could not be placed. Returns 1 (also for a repeated call), or 0 if it was placed or is over.
-- ARGV: id, call, error, body of run_failed
allow_when_full()
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local run = redis.call('HMGET', key, 'state', 'end_call')
if run[2] == call then return 1 end
if run[1] ~= 'awaiting_thread' then return 0 end
redis.call('HSET', key, 'error', ARGV[3], 'end_call', call)
finish_run(id, 'failed', ARGV[4], now())
publish()
return 1
