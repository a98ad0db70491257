-- Give a run back that this worker can't go on with, and queue it again after a while. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, for how long (ms)
even_when_full()
local id = ARGV[1]
local run = redis.call('HMGET', run_key(id), 'epoch', 'status', 'open')
if run[1] ~= ARGV[2] or over(run[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
park(id)
if run[3] == '0' then set_status(id, 'queued') end
redis.call('ZADD', base .. ':timers', now() + ARGV[3], 'again/' .. id .. '/-')
wake('run:' .. id)
publish()
return 1
