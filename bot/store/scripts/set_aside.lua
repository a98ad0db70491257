-- Give a run back that this worker can't go on with, and queue it again after a while. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, for how long (ms)
even_when_full()
local id = ARGV[1]
if not holds(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
requeue(id, now() + ARGV[3])
publish()
return 1
