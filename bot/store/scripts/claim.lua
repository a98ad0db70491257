-- Take queued runs of some crews, oldest first, leaving out those of paused workspaces.
-- ARGV: worker, lease (ms), limit, crew ...
local at = now()
local waiting = {}
for i = 4, #ARGV do
  local found = redis.call('ZRANGE', base .. ':queue:' .. ARGV[i], 0, 999, 'WITHSCORES')
  for n = 1, #found, 2 do
    local tenant = redis.call('HGET', run_key(found[n]), 'tenant')
    if redis.call('HEXISTS', base .. ':paused', tenant or '') == 0 then
      waiting[#waiting + 1] = { id = found[n], at = tonumber(found[n + 1]), crew = ARGV[i] }
    end
    if #waiting >= 1000 then break end
  end
end
table.sort(waiting, function(a, b) return a.at < b.at end)
local claimed = {}
for n = 1, math.min(#waiting, tonumber(ARGV[3])) do
  local id = waiting[n].id
  local key = run_key(id)
  redis.call('ZREM', base .. ':queue:' .. waiting[n].crew, id)
  redis.call('ZADD', base .. ':leases', at + ARGV[2], id)
  redis.call('HINCRBY', key, 'epoch', 1)
  redis.call('HSETNX', key, 'started_at', at)
  redis.call('HSET', key, 'worker', ARGV[1])
  set_status(id, 'running')
  wake('run:' .. id)
  claimed[n] = id
end
publish()
return claimed
