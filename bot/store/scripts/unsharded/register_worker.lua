-- Record the crews that a worker runs, and remove workers that have not registered for long. Returns 1.
-- ARGV: worker, crews (JSON), removed after (ms)
local time = redis.call('TIME')
local at = time[1] * 1000
local all = redis.call('HGETALL', KEYS[1])
for n = 1, #all, 2 do
  if tonumber(string.match(all[n + 1], '^%d+')) < at - ARGV[3] then redis.call('HDEL', KEYS[1], all[n]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', at) .. ' ' .. ARGV[2])
return 1
