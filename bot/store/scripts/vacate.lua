-- These runs of a crew don't work any more, so others may. What another worker has taken over stays.
-- ARGV: crew, worker, id ... Returns how many.
even_when_full()
local working = base .. ':working:' .. ARGV[1]
local ended = 0
for n = 3, #ARGV do
  local stored = redis.call('HGET', working, ARGV[n])
  if stored and string.match(stored, '^%d+ (.*)$') == ARGV[2] then
    redis.call('HDEL', working, ARGV[n])
    ended = ended + 1
  end
end
if ended > 0 then wake('queue:' .. shard()) end
publish()
return ended
