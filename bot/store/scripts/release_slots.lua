-- Release concurrency slots of a worker. Slots that another worker has taken over stay. Returns how many.
-- ARGV: crew, worker, id ...
allow_when_full()
local slots = base .. ':slots:' .. ARGV[1]
local ended = 0
for n = 3, #ARGV do
  local stored = redis.call('HGET', slots, ARGV[n])
  if stored and string.match(stored, '^%d+ (.*)$') == ARGV[2] then
    redis.call('HDEL', slots, ARGV[n])
    ended = ended + 1
  end
end
if ended > 0 then wake('queue:' .. shard()) end
publish()
return ended
