-- Who waits in some lines. Returns for each of them a list: requester, when they had their last turn, how many runs.
-- ARGV: line ...
local found = {}
for n, line in ipairs(ARGV) do
  local ring = base .. ':line:' .. line
  local waiting = redis.call('ZRANGE', ring, 0, -1, 'WITHSCORES')
  local each = {}
  for m = 1, #waiting, 2 do
    each[#each + 1] = waiting[m]
    each[#each + 1] = waiting[m + 1]
    each[#each + 1] = redis.call('ZCARD', ring .. ':of:' .. waiting[m])
  end
  found[n] = each
end
return found
