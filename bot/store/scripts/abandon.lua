-- Fail the runs that a dead worker holds.
-- ARGV: worker, error, body of run_failed
local at = now()
local failed = {}
for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
  local key = run_key(id)
  if redis.call('HGET', key, 'worker') == ARGV[1] then
    redis.call('HINCRBY', key, 'epoch', 1)
    redis.call('HSET', key, 'error', ARGV[2])
    close(id, 'failed', ARGV[3], at)
    failed[#failed + 1] = id
  end
end
publish()
return failed
