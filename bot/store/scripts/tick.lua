-- What the clock brings about: deadlines and reminders that passed, leases that ran out, runs to forget.
-- ARGV: error and body of run_failed for a lost run, retention (ms), how many of each at most
local at = now()
local most = tonumber(ARGV[4])
local changed = 0

for _, timer in ipairs(redis.call('ZRANGE', base .. ':timers', '-inf', at, 'BYSCORE', 'LIMIT', 0, most)) do
  redis.call('ZREM', base .. ':timers', timer)
  local kind, id, question = string.match(timer, '^(%a+)/([^/]+)/(.+)$')
  local stored = redis.call('HMGET', question_key(id, question), 'outcome', 'silence', 'silence_body')
  if not stored[1] and stored[2] then
    if kind == 'deadline' then
      settle(id, question, stored[2], stored[3], at)
      redis.call('HINCRBY', base .. ':answers', 'expire', 1)
    else
      append(id, '{"type":"human_input_reminded","question_id":"' .. question .. '"}', at)
    end
    changed = changed + 1
  end
end

for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', '-inf', at, 'BYSCORE', 'LIMIT', 0, most)) do
  local key = run_key(id)
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSET', key, 'error', ARGV[1])
  close(id, 'failed', ARGV[2], at)
  changed = changed + 1
end

local function forget(id)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'place_key', 'status', 'requester', 'group', 'surface')
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    redis.call('DEL', question_key(id, question), question_key(id, question) .. ':responses')
  end
  redis.call('ZREM', base .. ':runs', id)
  redis.call('ZREM', base .. ':over', id)
  if run[1] then redis.call('ZREM', base .. ':place:' .. run[1], id) end
  if run[2] then redis.call('HINCRBY', base .. ':counts', run[2], -1) end
  if run[3] then redis.call('ZREM', base .. ':runs:by:' .. run[3], id) end
  if run[4] then redis.call('ZREM', base .. ':runs:in:' .. run[4], id) end
  if run[5] then
    redis.call('ZREM', base .. ':outbox:' .. run[5], id)
    redis.call('DEL', key .. ':shown:' .. run[5])
  end
  redis.call('DEL', key, key .. ':events', key .. ':asked', key .. ':recorded')
end

for _, id in ipairs(redis.call('ZRANGE', base .. ':over', '-inf', at - ARGV[3], 'BYSCORE', 'LIMIT', 0, most)) do
  forget(id)
  changed = changed + 1
end
publish()
return changed
