-- Claim these runs, if they are still queued. Runs of a paused workspace are moved to `paused`.
-- The queue and the requester of a claimed run have had their turn.
-- Returns {time, the ids of all runs of this call in this shard, what is known of each}: a repeated call (its reply was
-- lost) finds its runs. What is known is these fields, and whether steps or questions are recorded.
-- ARGV: worker, call, lease (ms), number of fields, field ..., id ...
allow_when_full()
local worker, call, lease = ARGV[1], ARGV[2], ARGV[3]
local at = now()
local taken = base .. ':claim:' .. call
local held = {}

-- A lease is measured from a look at the clock.
check_clock(at)
for _, id in ipairs(redis.call('LRANGE', taken, 0, -1)) do
  renew_lease(id, at + lease)
  held[#held + 1] = id
end

local function take(id)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'state', 'tenant', 'requester')
  if run[1] ~= 'queued' then return end
  if has_newer_version(id) then return end -- it waits for a worker of that release
  local queue, since = queue_position(id)
  if redis.call('HEXISTS', base .. ':paused', run[2]) == 1 then
    move(id, 'paused', since)
    return
  end
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSETNX', key, 'started_at', at)
  move(id, 'leased', at + lease)
  redis.call('HSET', key, 'worker', worker, 'claim', call, 'lease', lease)
  redis.call('RPUSH', taken, id)
  redis.call('ZADD', base .. ':queues', 'XX', at, queue)
  redis.call('ZADD', base .. ':queue:' .. queue, 'XX', at, run[3])
  wake('run:' .. id)
  held[#held + 1] = id
end

local last = 4 + ARGV[4]
for n = last + 1, #ARGV do take(ARGV[n]) end
if #held > 0 then redis.call('PEXPIRE', taken, lease) end
publish()
local known = {}
for n, id in ipairs(held) do
  local key = run_key(id)
  known[n] = { redis.call('HMGET', key, unpack(ARGV, 5, last)), redis.call('EXISTS', key .. ':journal', key .. ':asked') }
end
return { at, held, known }
