-- Take the runs that a dead worker holds away from it. Returns their ids.
-- ARGV: worker, error and body of run_failed for those that are given up,
--       after how long a suspect is queued again (ms)
even_when_full()
local at = now()
local lost = {}
for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
  if redis.call('HGET', run_key(id), 'worker') == ARGV[1] and not newer(id) then
    lose(id, ARGV[2], ARGV[3], at, tonumber(ARGV[4]))
    lost[#lost + 1] = id
  end
end
publish()
return lost
