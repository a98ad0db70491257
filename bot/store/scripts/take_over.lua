-- Queue in lines what an older release has queued by crew alone. Returns how many.
-- ARGV: crew ...
local found = 0
for _, crew in ipairs(ARGV) do
  local queue = base .. ':queue:' .. crew
  local waiting = redis.call('ZRANGE', queue, 0, -1, 'WITHSCORES')
  for n = 1, #waiting, 2 do
    local id = waiting[n]
    local run = redis.call('HMGET', run_key(id), 'status', 'line')
    if run[1] and not run[2] and not over(run[1]) and not redis.call('ZSCORE', base .. ':leases', id) then
      enqueue(id, waiting[n + 1])
      found = found + 1
    end
  end
  redis.call('DEL', queue)
end
publish()
return found
