-- Write into a run's journal what it has done and what it is about to do, then strike out what that makes superfluous.
-- A name that ends with `?` is what is about to be done. Under any other the first entry stays, and what was intended
-- under it is done with. Returns 1, or 0 if the claim is no longer valid.
-- ARGV: id, epoch, number of entries, name and value of each in turn, then what the names to be struck out start with
local journal = run_key(ARGV[1]) .. ':journal'
if not holds(ARGV[1], ARGV[2]) then return 0 end
local last = 3 + 2 * ARGV[3]
for n = 4, last, 2 do
  local name, value = ARGV[n], ARGV[n + 1]
  if string.sub(name, -1) == '?' then
    redis.call('HSET', journal, name, value)
  elseif redis.call('HSETNX', journal, name, value) == 1 then
    redis.call('HDEL', journal, name .. '?')
    progressed(ARGV[1])
  end
end
if #ARGV > last then
  for _, name in ipairs(redis.call('HKEYS', journal)) do
    for n = last + 1, #ARGV do
      if string.sub(name, 1, #ARGV[n]) == ARGV[n] then redis.call('HDEL', journal, name) end
    end
  end
end
return 1
