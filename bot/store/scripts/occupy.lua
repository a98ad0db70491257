-- Let runs of one crew work, as far as its limit allows; one that works already goes on to, whatever the limit.
-- Returns the ids of those that may. The permission ends by itself after a lease, unless it is renewed.
-- ARGV: crew, worker, lease (ms), how many may work at once, id ...
local working, worker = base .. ':working:' .. ARGV[1], ARGV[2]
local at = now()
local number = 0
local mine = {}
local all = redis.call('HGETALL', working)
for n = 1, #all, 2 do
  local until_, who = string.match(all[n + 1], '^(%d+) (.*)$')
  if tonumber(until_) <= at then
    redis.call('HDEL', working, all[n])
  else
    number = number + 1
    mine[all[n]] = true
  end
end
local granted = {}
for n = 5, #ARGV do
  local id = ARGV[n]
  if mine[id] or number < tonumber(ARGV[4]) then
    if not mine[id] then number = number + 1 end
    redis.call('HSET', working, id, string.format('%d', at + ARGV[3]) .. ' ' .. worker)
    granted[#granted + 1] = id
  end
end
return granted
