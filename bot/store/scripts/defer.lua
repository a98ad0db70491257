-- Give up a run that this worker can't continue, and queue it again after a while. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, delay (ms)
allow_when_full()
local id = ARGV[1]
if not holds_claim(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
requeue(id, now() + ARGV[3])
publish()
return 1
