-- Read queues. Returns for each of them a list: requester, time of the last turn, number of runs, and so on.
-- ARGV: queue ...
local found = {}
for n, queue in ipairs(ARGV) do
  local requesters = base .. ':queue:' .. queue
  local waiting = redis.call('ZRANGE', requesters, 0, -1, 'WITHSCORES')
  local each = {}
  for m = 1, #waiting, 2 do
    each[#each + 1] = waiting[m]
    each[#each + 1] = waiting[m + 1]
    each[#each + 1] = redis.call('ZCARD', requesters .. ':of:' .. waiting[m])
  end
  found[n] = each
end
return found
