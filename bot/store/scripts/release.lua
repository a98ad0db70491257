-- Give a run back that this worker doesn't finish. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, working time (ms)
even_when_full()
local id = ARGV[1]
if not holds(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
worked(id, ARGV[3])
requeue(id)
publish()
return 1
