-- Take queued runs of some crews, oldest first, until this call holds as many of this shard as it wants.
-- Returns the ids of all that it holds: the same call again (its answer was lost) finds what it had taken.
-- ARGV: worker, call, lease (ms), how many it wants to hold, crew ...
local worker, call, lease, wanted = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local at = now()
local taken = base .. ':claim:' .. call
local holds = {}

for _, id in ipairs(redis.call('LRANGE', taken, 0, -1)) do
  local run = redis.call('HMGET', run_key(id), 'claim', 'status')
  if run[1] == call and not over(run[2]) then
    redis.call('ZADD', base .. ':leases', at + lease, id)
    holds[#holds + 1] = id
  end
end

local function head(crew)
  local found = redis.call('ZRANGE', base .. ':queue:' .. crew, 0, 0, 'WITHSCORES')
  return found[1] and { id = found[1], at = tonumber(found[2]), score = found[2], crew = crew }
end

local function take(waiting)
  local id = waiting.id
  local key = run_key(id)
  redis.call('ZREM', base .. ':queue:' .. waiting.crew, id)
  local run = redis.call('HMGET', key, 'status', 'tenant', 'open')
  if not run[1] or over(run[1]) or redis.call('ZSCORE', base .. ':leases', id) then return end
  if redis.call('HEXISTS', base .. ':paused', run[2]) == 1 then
    redis.call('ZADD', base .. ':paused:' .. run[2], waiting.score, id)
    return
  end
  redis.call('ZADD', base .. ':leases', at + lease, id)
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSETNX', key, 'started_at', at)
  redis.call('HSET', key, 'worker', worker, 'claim', call)
  redis.call('RPUSH', taken, id)
  set_status(id, tonumber(run[3]) > 0 and 'input_required' or 'running')
  wake('run:' .. id)
  holds[#holds + 1] = id
end

local heads = {}
for n = 5, #ARGV do heads[#heads + 1] = head(ARGV[n]) or nil end
while #holds < wanted and #heads > 0 do
  local oldest = 1
  for n = 2, #heads do
    if heads[n].at < heads[oldest].at then oldest = n end
  end
  local waiting = heads[oldest]
  take(waiting)
  local following = head(waiting.crew)
  if following then heads[oldest] = following else table.remove(heads, oldest) end
end
if #holds > 0 then redis.call('PEXPIRE', taken, lease) end
publish()
return holds
