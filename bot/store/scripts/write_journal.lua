-- Write journal entries, then remove those that they make superfluous.
-- A name that ends with `?` announces a step. Under any other name the first value stays, and the announcement is
-- removed. Returns 1, or 0 if the claim is no longer valid.
-- ARGV: id, epoch, number of entries, name and value of each in turn, then prefixes of the names to remove
local journal = run_key(ARGV[1]) .. ':journal'
if not holds_claim(ARGV[1], ARGV[2]) then return 0 end
local last = 3 + 2 * ARGV[3]
for n = 4, last, 2 do
  local name, value = ARGV[n], ARGV[n + 1]
  if string.sub(name, -1) == '?' then
    redis.call('HSET', journal, name, value)
  elseif redis.call('HSETNX', journal, name, value) == 1 then
    redis.call('HDEL', journal, name .. '?')
    reset_crashes(ARGV[1])
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
