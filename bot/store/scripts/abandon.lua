-- Fail the runs that a dead worker holds. Returns their ids.
-- ARGV: worker, error, body of run_failed
local at = now()
local failed = {}
for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
  local key = run_key(id)
  if redis.call('HGET', key, 'worker') == ARGV[1] then
    redis.call('HSET', key, 'error', ARGV[2])
    fence(id)
    close(id, 'failed', ARGV[3], at)
    failed[#failed + 1] = id
  end
end
publish()
return failed
