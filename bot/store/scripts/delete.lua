-- Delete a run that is over, with everything in it. Returns '' (also when the same call comes again), or unknown_run,
-- run_live, newer.
-- ARGV: id, call, for how long that call may come again (ms)
even_when_full()
local id, done = ARGV[1], base .. ':deleted:' .. ARGV[2]
local run = redis.call('HMGET', run_key(id), 'status', 'created_at', 'claim')
if not run[1] then return redis.call('EXISTS', done) == 1 and '' or 'unknown_run' end
if not over(run[1]) then return 'run_live' end
if newer(id) then return 'newer' end

-- Its questions in the stream of all runs: they are as old as itself at most.
local after = run[2]
while true do
  local page = redis.call('XRANGE', base .. ':inbox', after, '+', 'COUNT', 1000)
  for _, entry in ipairs(page) do
    if entry[2][2] == id then redis.call('XDEL', base .. ':inbox', entry[1]) end
  end
  if #page < 1000 then break end
  after = '(' .. page[#page][1]
end
if run[3] then redis.call('LREM', base .. ':claim:' .. run[3], 0, id) end
forget(id)
redis.call('SET', done, '1', 'PX', ARGV[3])
publish()
return ''
