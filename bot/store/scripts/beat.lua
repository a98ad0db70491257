-- Renew leases. Returns the ids of runs that are no longer this worker's.
-- ARGV: lease (ms), then run id, epoch and working time (ms) in turn
even_when_full()
local at = now()
local lost = {}
for n = 2, #ARGV, 3 do
  local run = redis.call('HMGET', run_key(ARGV[n]), 'epoch', 'status')
  if run[1] == ARGV[n + 1] and not over(run[2]) then
    redis.call('ZADD', base .. ':leases', at + ARGV[1], ARGV[n])
    worked(ARGV[n], ARGV[n + 2])
  else
    lost[#lost + 1] = ARGV[n]
  end
end
return lost
