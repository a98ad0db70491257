-- Upgrade a shard from schema 1 (runs without a `state`) or 2 (other names). Returns the number of runs it changed.
-- It may run twice: what has its new name already stays as it is.
local function rename(from, to)
  if redis.call('EXISTS', from) == 1 and redis.call('EXISTS', to) == 0 then redis.call('RENAME', from, to) end
end

local function rename_field(key, from, to, value)
  local old = redis.call('HGET', key, from)
  if old then redis.call('HSETNX', key, to, value or old) end
  redis.call('HDEL', key, from)
end

local kinds = { alone = 'isolated', again = 'resumed', new = 'new' }

-- The name of a queue, by the name of the line that it was in schema 2.
local function renamed(line)
  local kind, crew = string.match(line or '', '^(%l+):(.*)$')
  return kind and kinds[kind] and kinds[kind] .. ':' .. crew
end

for _, line in ipairs(redis.call('ZRANGE', base .. ':lines', 0, -1)) do
  local old, new = base .. ':line:' .. line, base .. ':queue:' .. renamed(line)
  for _, requester in ipairs(redis.call('ZRANGE', old, 0, -1)) do rename(old .. ':of:' .. requester, new .. ':of:' .. requester) end
  rename(old, new)
  redis.call('ZADD', base .. ':queues', redis.call('ZSCORE', base .. ':lines', line), renamed(line))
  local length = redis.call('HGET', base .. ':queued', line)
  if length then redis.call('HSET', base .. ':queue_lengths', renamed(line), length) end
end
redis.call('DEL', base .. ':lines', base .. ':queued', base .. ':looked')
rename(base .. ':over', base .. ':finished')
rename(base .. ':askers', base .. ':question_runs')
for _, key in ipairs(redis.call('KEYS', base .. ':gone:*')) do rename(key, base .. ':tombstone:' .. string.match(key, ':gone:(.*)$')) end

local found = 0
for _, id in ipairs(redis.call('ZRANGE', base .. ':runs', 0, -1)) do
  local key = run_key(id)
  rename(key .. ':also', key .. ':places')
  rename(key .. ':noted', key .. ':references')
  rename(key .. ':said', key .. ':answered')
  rename_field(key, 'deaths', 'crash_count')
  rename_field(key, 'silent', 'expired_epochs')
  rename_field(key, 'line', 'queue', renamed(redis.call('HGET', key, 'line')))
  for _, surface in ipairs(surfaces_of(id)) do
    rename(key .. ':shown:' .. surface .. ':again', key .. ':shown:' .. surface .. ':resend')
  end
  local run = redis.call('HMGET', key, 'state', 'status', 'held', 'parked', 'queue', 'tenant', 'crew', 'created_at')
  if not run[1] then
    local lease, delay = redis.call('ZSCORE', base .. ':leases', id), redis.call('ZSCORE', base .. ':delayed', id)
    local again = redis.call('ZSCORE', base .. ':timers', 'again/' .. id .. '/-')
    local paused = redis.call('ZSCORE', base .. ':paused:' .. run[6], id)
    redis.call('ZREM', base .. ':timers', 'again/' .. id .. '/-')
    redis.call('ZREM', base .. ':queue:' .. run[7], id)
    if is_finished(run[2]) then
      redis.call('HSET', key, 'state', 'finished')
    elseif lease then
      redis.call('HSET', key, 'state', 'leased', 'lease', math.max(1000, math.floor(lease - now())))
    elseif paused then
      redis.call('HSET', key, 'state', 'paused')
    elseif run[5] then
      redis.call('HSET', key, 'state', 'queued')
    elseif delay then
      redis.call('HSET', key, 'state', 'delayed')
    elseif again then
      move(id, 'delayed', again)
    elseif run[3] then
      move(id, 'awaiting_thread')
    elseif run[4] then
      move(id, 'parked')
    else
      move(id, 'queued', run[8])
    end
    redis.call('HDEL', key, 'held', 'parked')
  end
  found = found + 1
end
publish()
return found
