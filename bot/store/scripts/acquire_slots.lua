-- Acquire or renew concurrency slots of a crew. Returns the ids of the runs that have a slot.
-- Slots expire after the lease unless they are renewed.
-- A run never has two slots. If two workers want to claim the same run, its slot stays with the first one until the
-- worker that got the run takes it over. Renewing takes over nothing: a worker may have lost the run meanwhile.
-- ARGV: crew, worker, lease (ms), limit (or '' to renew, `claimed` to take over), id ...
allow_when_full()
local slots, worker, limit = base .. ':slots:' .. ARGV[1], ARGV[2], tonumber(ARGV[4])
local takes_over = ARGV[4] == 'claimed'
local at = now()
local number = 0
local holder = {}
local all = redis.call('HGETALL', slots)
for n = 1, #all, 2 do
  local ends, who = string.match(all[n + 1], '^(%d+) (.*)$')
  if tonumber(ends) <= at then
    redis.call('HDEL', slots, all[n])
  else
    number = number + 1
    holder[all[n]] = who
  end
end
local granted = {}
for n = 5, #ARGV do
  local id = ARGV[n]
  if not limit or holder[id] or number < limit then
    if not holder[id] then number = number + 1 end
    if takes_over or not holder[id] or holder[id] == worker then
      holder[id] = worker
      redis.call('HSET', slots, id, string.format('%d', at + ARGV[3]) .. ' ' .. worker)
    end
    granted[#granted + 1] = id
  end
end
return granted
