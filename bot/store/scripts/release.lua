-- Give a run back that this worker doesn't finish. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, working time (ms)
even_when_full()
local run = redis.call('HMGET', run_key(ARGV[1]), 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return -1 end
redis.call('HINCRBY', run_key(ARGV[1]), 'epoch', 1)
worked(ARGV[1], ARGV[3])
requeue(ARGV[1])
publish()
return 1
