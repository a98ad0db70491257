-- Delete a finished run with everything in it. Returns '' (also for a repeated call), or unknown_run, run_live, newer.
-- ARGV: id, call, for how long the call may be repeated (ms), for how long the run can't be started again (ms)
allow_when_full()
local id, done = ARGV[1], base .. ':deleted:' .. ARGV[2]
local key = run_key(id)
local status = redis.call('HGET', key, 'status')
if not status then return redis.call('EXISTS', done) == 1 and '' or 'unknown_run' end
if not is_finished(status) then return 'run_live' end
if has_newer_version(id) then return 'newer' end
for _, position in ipairs(redis.call('LRANGE', key .. ':inbox', 0, -1)) do
  redis.call('XDEL', base .. ':inbox', position)
end
forget(id, tonumber(ARGV[4]))
redis.call('SET', done, '1', 'PX', ARGV[3])
publish()
return ''
