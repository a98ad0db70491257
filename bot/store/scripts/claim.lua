-- Take these runs, as far as they are still queued. What of them belongs to a paused workspace is set aside.
-- Who had a turn in a line waits there for the next one.
-- Returns {when, the ids of all that this call holds in this shard}: the same call again (its answer was lost) finds
-- what it had taken.
-- ARGV: worker, call, lease (ms), id ...
local worker, call, lease = ARGV[1], ARGV[2], ARGV[3]
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

local function take(id)
  local key = run_key(id)
  local line, requester, since = dequeue(id)
  local run = redis.call('HMGET', key, 'status', 'tenant', 'open')
  if not line or over(run[1]) or redis.call('ZSCORE', base .. ':leases', id) then return end
  if redis.call('HEXISTS', base .. ':paused', run[2]) == 1 then
    redis.call('ZADD', base .. ':paused:' .. run[2], since, id)
    return
  end
  redis.call('ZADD', base .. ':lines', 'XX', at, line)
  redis.call('ZADD', base .. ':line:' .. line, 'XX', at, requester)
  redis.call('ZADD', base .. ':leases', at + lease, id)
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSETNX', key, 'started_at', at)
  redis.call('HSET', key, 'worker', worker, 'claim', call)
  redis.call('RPUSH', taken, id)
  set_status(id, tonumber(run[3]) > 0 and 'input_required' or 'running')
  wake('run:' .. id)
  holds[#holds + 1] = id
end

for n = 4, #ARGV do
  if redis.call('EXISTS', run_key(ARGV[n])) == 1 then take(ARGV[n]) end
end
if #holds > 0 then redis.call('PEXPIRE', taken, lease) end
publish()
return { at, holds }
