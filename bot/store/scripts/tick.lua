-- What the clock brings about: deadlines and reminders that passed, leases that ran out, runs to be tried again, runs
-- to forget.
-- Returns how many.
-- ARGV: error and body of run_failed for a run that is given up, retention (ms), how many of each at most,
--       for how long the journals of runs that are over are kept (ms),
--       after how long a suspect is queued again (ms)
even_when_full()
local at = now()
look(at)
local most = tonumber(ARGV[4])
local changed = 0

local function due(list, before)
  return redis.call('ZRANGE', base .. list, '-inf', before, 'BYSCORE', 'LIMIT', 0, most)
end

for _, timer in ipairs(due(':timers', at)) do
  redis.call('ZREM', base .. ':timers', timer)
  local kind, id, question = string.match(timer, '^(%a+)/([^/]+)/(.+)$')
  local stored = redis.call('HMGET', question_key(id, question), 'outcome', 'silence', 'silence_body', 'reminder_body')
  if stored[2] and not stored[1] then
    if kind == 'deadline' then
      settle(id, question, stored[2], stored[3], at)
      redis.call('HINCRBY', base .. ':answers', 'expire', 1)
    else
      append(id, stored[4], at)
    end
    changed = changed + 1
  end
end

for _, id in ipairs(due(':leases', at)) do
  lose(id, ARGV[1], ARGV[2], at, tonumber(ARGV[6]), true)
  changed = changed + 1
end

for _, id in ipairs(due(':delayed', at)) do
  requeue(id)
  changed = changed + 1
end

for _, id in ipairs(due(':journals', at - ARGV[5])) do
  redis.call('ZREM', base .. ':journals', id)
  redis.call('DEL', run_key(id) .. ':journal')
  redis.call('HSET', run_key(id), 'journal_gone', '1')
  changed = changed + 1
end

for _, id in ipairs(due(':over', at - ARGV[3])) do
  forget(id)
  changed = changed + 1
end

-- What was asked and answered longer ago leaves the stream of all runs; how far that went is kept, to tell a gap.
local old = redis.call('XREVRANGE', base .. ':inbox', at - ARGV[3], '-', 'COUNT', 1)[1]
if old then
  redis.call('SET', base .. ':inbox:trimmed', old[1])
  redis.call('XTRIM', base .. ':inbox', 'MINID', at - ARGV[3] + 1)
end
publish()
return changed
