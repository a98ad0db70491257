-- Apply what is due for runs: expired leases, delayed runs, journals and runs to delete. Timers of questions are applied
-- by `fire_timer`. Returns how many, and the runs that a newer release wrote, which were left unchanged.
-- ARGV: error and body of run_failed for a run that is given up, retention (ms), limit of each kind, retention of
--       journals (ms), delay of suspected runs (ms), for how long from its start a deleted run can't be started again (ms)
allow_when_full()
local at = now()
check_clock(at)
local most = tonumber(ARGV[4])
local changed = 0
local left = {}
local AGAIN = 60000 -- milliseconds after which what is left alone is looked at again

local function due(list, before)
  return redis.call('ZRANGE', base .. list, '-inf', before, 'BYSCORE', 'LIMIT', 0, most)
end

-- Do something with each run of a list that is due. One that a newer release wrote is looked at again later.
local function each(list, before, act)
  for _, id in ipairs(due(list, before)) do
    if redis.call('EXISTS', run_key(id)) == 0 then
      redis.call('ZREM', base .. list, id)
    elseif has_newer_version(id) then
      reschedule(id, list, before + AGAIN)
      left[#left + 1] = id
    else
      act(id)
      changed = changed + 1
    end
  end
end

each(':leases', at, function(id) expire_lease(id, ARGV[1], ARGV[2], at, tonumber(ARGV[6]), true) end)

each(':delayed', at, function(id) requeue(id) end)

each(':journals', at - ARGV[5], function(id)
  redis.call('ZREM', base .. ':journals', id)
  redis.call('DEL', run_key(id) .. ':journal')
  redis.call('HSET', run_key(id), 'journal_gone', '1')
end)

each(':finished', at - ARGV[3], function(id)
  forget(id, redis.call('HGET', run_key(id), 'created_at') + ARGV[7] - at)
end)

-- What was asked and answered longer ago leaves the stream of all runs; how far that went is kept, to tell a gap.
local old = redis.call('XREVRANGE', base .. ':inbox', at - ARGV[3], '-', 'COUNT', 1)[1]
if old then
  redis.call('SET', base .. ':inbox:trimmed', old[1])
  redis.call('XTRIM', base .. ':inbox', 'MINID', at - ARGV[3] + 1)
end
publish()
return { changed, left }
