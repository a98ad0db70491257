-- Expire the leases of a dead worker. Returns the ids of its runs.
-- ARGV: worker, error and body of run_failed for runs that are given up, delay of suspected runs (ms)
allow_when_full()
local at = now()
local lost = {}
for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
  if redis.call('HGET', run_key(id), 'worker') == ARGV[1] and not has_newer_version(id) then
    expire_lease(id, ARGV[2], ARGV[3], at, tonumber(ARGV[4]))
    lost[#lost + 1] = id
  end
end
publish()
return lost
