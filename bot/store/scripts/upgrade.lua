-- Name the places of runs that were stored before each had a `state`. Returns how many.
local found = 0
for _, id in ipairs(redis.call('ZRANGE', base .. ':runs', 0, -1)) do
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'state', 'status', 'held', 'parked', 'line', 'tenant', 'crew', 'created_at')
  if not run[1] then
    local lease, delay = redis.call('ZSCORE', base .. ':leases', id), redis.call('ZSCORE', base .. ':delayed', id)
    local again = redis.call('ZSCORE', base .. ':timers', 'again/' .. id .. '/-')
    local paused = redis.call('ZSCORE', base .. ':paused:' .. run[6], id)
    redis.call('ZREM', base .. ':timers', 'again/' .. id .. '/-')
    redis.call('ZREM', base .. ':queue:' .. run[7], id)
    if over(run[2]) then
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
    found = found + 1
  end
end
publish()
return found
