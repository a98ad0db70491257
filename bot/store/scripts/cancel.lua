-- Cancel a run for somebody who may, and whose questions can be withdrawn. Returns '' (also when the same call comes
-- again), or unknown_run, run_over, newer.
-- ARGV: id, call, actor (JSON, to keep), body of run_cancelled
even_when_full()
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local run = redis.call('HMGET', key, 'status', 'end_call')
if not run[1] then return 'unknown_run' end
if run[2] == call then return '' end
if over(run[1]) then return 'run_over' end
if newer(id) then return 'newer' end
redis.call('HSET', key, 'cancelled_by', ARGV[3], 'end_call', call)
fence(id)
close(id, 'cancelled', ARGV[4], now())
publish()
return ''
