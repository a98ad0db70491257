-- Take these runs, as far as they are still queued. What of them belongs to a paused workspace is set aside.
-- Who had a turn in a line waits there for the next one.
-- Returns {when, the ids of all that this call holds in this shard}: the same call again (its answer was lost) finds
-- what it had taken.
-- ARGV: worker, call, lease (ms), id ...
even_when_full()
local worker, call, lease = ARGV[1], ARGV[2], ARGV[3]
local at = now()
local taken = base .. ':claim:' .. call
local held = {}

-- A lease is measured from a look at the clock.
look(at)
for _, id in ipairs(redis.call('LRANGE', taken, 0, -1)) do
  renew(id, at + lease)
  held[#held + 1] = id
end

local function take(id)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'state', 'tenant', 'requester')
  if run[1] ~= 'queued' then return end
  if newer(id) then return end -- it waits for a worker of that release
  local line, since = stands(id)
  if redis.call('HEXISTS', base .. ':paused', run[2]) == 1 then
    move(id, 'paused', since)
    return
  end
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSETNX', key, 'started_at', at)
  move(id, 'leased', at + lease)
  redis.call('HSET', key, 'worker', worker, 'claim', call, 'lease', lease)
  redis.call('RPUSH', taken, id)
  redis.call('ZADD', base .. ':lines', 'XX', at, line)
  redis.call('ZADD', base .. ':line:' .. line, 'XX', at, run[3])
  wake('run:' .. id)
  held[#held + 1] = id
end

for n = 4, #ARGV do take(ARGV[n]) end
if #held > 0 then redis.call('PEXPIRE', taken, lease) end
publish()
return { at, held }
