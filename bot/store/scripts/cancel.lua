-- Cancel a run. Returns '' (also when the same call comes again), or unknown_run, run_over, not_allowed.
-- ARGV: id, call, actor as the rules see it (JSON), actor (JSON, to keep), body of run_cancelled
even_when_full()
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local run = redis.call('HMGET', key, 'cancellers', 'status', 'end_call')
if not run[1] then return 'unknown_run' end
if run[3] == call then return '' end
if over(run[2]) then return 'run_over' end
if not may(cjson.decode(ARGV[3]), cjson.decode(run[1])) then return 'not_allowed' end
redis.call('HSET', key, 'cancelled_by', ARGV[4], 'end_call', call)
fence(id)
close(id, 'cancelled', ARGV[5], now())
publish()
return ''
