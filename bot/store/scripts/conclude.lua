-- Write into a run's journal what a finished part of it came to, and strike out what led there.
-- Returns 1, or 0 if the claim is no longer valid.
-- ARGV: id, epoch, name ('' for none), value, then what the names to be struck out start with
local journal = run_key(ARGV[1]) .. ':journal'
local run = redis.call('HMGET', run_key(ARGV[1]), 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return 0 end
if ARGV[3] ~= '' then
  redis.call('HSET', journal, ARGV[3], ARGV[4])
  progressed(ARGV[1])
end
if #ARGV > 4 then
  for _, name in ipairs(redis.call('HKEYS', journal)) do
    for n = 5, #ARGV do
      if string.sub(name, 1, #ARGV[n]) == ARGV[n] then redis.call('HDEL', journal, name) end
    end
  end
end
return 1
