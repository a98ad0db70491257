-- Cancel a run. Returns '' (also for a repeated call), or unknown_run, run_over, newer.
-- The caller has checked that the actor may cancel it, and that its questions can be withdrawn.
-- ARGV: id, call, actor (JSON), body of run_cancelled
allow_when_full()
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local run = redis.call('HMGET', key, 'status', 'end_call')
if not run[1] then return 'unknown_run' end
if run[2] == call then return '' end
if is_finished(run[1]) then return 'run_over' end
if has_newer_version(id) then return 'newer' end
redis.call('HSET', key, 'cancelled_by', ARGV[3], 'end_call', call)
fence(id)
finish_run(id, 'cancelled', ARGV[4], now())
publish()
return ''
