-- What the clock brings about: deadlines and reminders that passed, leases that ran out, runs to forget.
-- Returns how many.
-- ARGV: error and body of run_failed for a run that is given up, retention (ms), how many of each at most
even_when_full()
local at = now()
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
  lose(id, ARGV[1], ARGV[2], at)
  changed = changed + 1
end

local function forget(id)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'place_key', 'status')
  unlist(id, ':runs')
  redis.call('ZREM', base .. ':ids', id)
  redis.call('ZREM', base .. ':over', id)
  redis.call('HINCRBY', base .. ':counts', run[2], -1)
  if run[1] then redis.call('ZREM', base .. ':place:' .. run[1], id) end
  for _, place in ipairs(redis.call('SMEMBERS', key .. ':also')) do
    redis.call('ZREM', base .. ':place:' .. place, id)
  end
  for _, surface in ipairs(showing(id)) do
    local shown = key .. ':shown:' .. surface
    for _, field in ipairs(redis.call('HKEYS', shown)) do
      local seq = string.match(field, '^failed:(%d+)$')
      if seq then redis.call('ZREM', base .. ':failed:' .. surface, id .. '/' .. seq) end
    end
    redis.call('ZREM', base .. ':outbox:' .. surface, id)
    redis.call('ZREM', base .. ':failing:' .. surface, id)
    redis.call('DEL', shown, shown .. ':again')
  end
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    redis.call('DEL', question_key(id, question), question_key(id, question) .. ':responses')
    redis.call('HDEL', base .. ':askers', question)
  end
  redis.call('DEL', key, key .. ':events', key .. ':asked', key .. ':recorded', key .. ':also', key .. ':journal')
  wake('run:' .. id)
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
