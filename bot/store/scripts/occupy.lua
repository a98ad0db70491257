-- Let runs of one crew work, as far as its limit allows; without a limit they do already, and go on to.
-- Returns the ids of those that may. The permission ends by itself after a lease, unless it is renewed.
-- A run that has a place needs no second one. Two workers may want to claim the same run: the place stays with who had
-- it until the one who got the run says so.
-- ARGV: crew, worker, lease (ms), how many may work at once (or ''), id ...
even_when_full()
local working, worker, most = base .. ':working:' .. ARGV[1], ARGV[2], tonumber(ARGV[4])
local at = now()
local number = 0
local holder = {}
local all = redis.call('HGETALL', working)
for n = 1, #all, 2 do
  local ends, who = string.match(all[n + 1], '^(%d+) (.*)$')
  if tonumber(ends) <= at then
    redis.call('HDEL', working, all[n])
  else
    number = number + 1
    holder[all[n]] = who
  end
end
local granted = {}
for n = 5, #ARGV do
  local id = ARGV[n]
  if not most or holder[id] or number < most then
    if not holder[id] then number = number + 1 end
    if not most or not holder[id] or holder[id] == worker then
      holder[id] = worker
      redis.call('HSET', working, id, string.format('%d', at + ARGV[3]) .. ' ' .. worker)
    end
    granted[#granted + 1] = id
  end
end
return granted
