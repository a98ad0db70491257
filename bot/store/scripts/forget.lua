-- Delete a finished run with everything in it, except its entries in the stream of all runs, which are trimmed by age.
-- It can't be started again for `barred` ms.
local function forget(id, barred)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'place_key', 'status')
  remove_from_lists(id, ':runs')
  redis.call('ZREM', base .. ':ids', id)
  leave(id, 'finished')
  redis.call('ZREM', base .. ':journals', id)
  redis.call('HINCRBY', base .. ':counts', run[2], -1)
  if run[1] then redis.call('ZREM', base .. ':place:' .. run[1], id) end
  for _, place in ipairs(redis.call('SMEMBERS', key .. ':places')) do
    redis.call('ZREM', base .. ':place:' .. place, id)
  end
  local shown_on = surfaces_of(id)
  for _, surface in ipairs(redis.call('SMEMBERS', key .. ':relays')) do shown_on[#shown_on + 1] = surface end
  for _, surface in ipairs(shown_on) do
    local shown = key .. ':shown:' .. surface
    for _, field in ipairs(redis.call('HKEYS', shown)) do
      local seq = string.match(field, '^failed:(%d+)$')
      if seq then redis.call('ZREM', base .. ':failed:' .. surface, id .. '/' .. seq) end
    end
    redis.call('ZREM', base .. ':outbox:' .. surface, id)
    redis.call('ZREM', base .. ':failing:' .. surface, id)
    redis.call('DEL', shown, shown .. ':resend')
  end
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local asked = question_key(id, question)
    redis.call('DEL', asked, asked .. ':responses', asked .. ':versions', asked .. ':opened')
    redis.call('HDEL', base .. ':question_runs', question)
  end
  for _, file in ipairs(redis.call('HKEYS', key .. ':files')) do redis.call('UNLINK', key .. ':file:' .. file) end
  redis.call('DEL', key, key .. ':files', key .. ':events', key .. ':asked', key .. ':recorded', key .. ':places', key .. ':journal',
    key .. ':answered', key .. ':inbox', key .. ':references', key .. ':relays')
  if barred > 0 then redis.call('SET', tombstone_key(id), '1', 'PX', barred) end
  wake('run:' .. id)
end
