-- Delete a run that is over, with everything in it. Returns '' (also when the same call comes again), or unknown_run,
-- run_live, newer.
-- ARGV: id, call, for how long that call may come again (ms), for how long the run can't be started again (ms)
even_when_full()
local id, done = ARGV[1], base .. ':deleted:' .. ARGV[2]
local key = run_key(id)
local status = redis.call('HGET', key, 'status')
if not status then return redis.call('EXISTS', done) == 1 and '' or 'unknown_run' end
if not over(status) then return 'run_live' end
if newer(id) then return 'newer' end
for _, position in ipairs(redis.call('LRANGE', key .. ':inbox', 0, -1)) do
  redis.call('XDEL', base .. ':inbox', position)
end
forget(id, tonumber(ARGV[4]))
redis.call('SET', done, '1', 'PX', ARGV[3])
publish()
return ''
