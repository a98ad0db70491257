-- Cancel a run. Returns '' or why not.
-- ARGV: id, actor with principals (JSON), actor (JSON, to keep), body of run_cancelled
local key = run_key(ARGV[1])
local run = redis.call('HMGET', key, 'spec', 'status')
if not run[1] then return 'unknown_run' end
if over(run[2]) then return 'run_over' end
if not may(cjson.decode(ARGV[2]), cjson.decode(run[1]).cancellers) then return 'not_allowed' end
redis.call('HSET', key, 'cancelled_by', ARGV[3])
redis.call('HINCRBY', key, 'epoch', 1)
close(ARGV[1], 'cancelled', ARGV[4], now())
wake('cancelled')
publish()
return ''
