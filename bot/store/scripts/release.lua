-- Give a run back to the queue. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, execution time (ms)
allow_when_full()
local id = ARGV[1]
if not holds_claim(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
set_worked(id, ARGV[3])
requeue(id)
publish()
return 1
