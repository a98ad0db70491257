-- Write into a run's journal what is about to be done. Returns 1, or 0 if the claim is no longer valid.
-- ARGV: id, epoch, name, value
local run = redis.call('HMGET', run_key(ARGV[1]), 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return 0 end
redis.call('HSET', run_key(ARGV[1]) .. ':journal', ARGV[3] .. '?', ARGV[4])
return 1
