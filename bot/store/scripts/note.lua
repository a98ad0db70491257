-- Write into a run's journal what is not there yet. What was intended under this name is done with.
-- Returns what is there now, or nothing if the claim is no longer valid.
-- ARGV: id, epoch, name, value
local journal = run_key(ARGV[1]) .. ':journal'
if not holds(ARGV[1], ARGV[2]) then return false end
if redis.call('HSETNX', journal, ARGV[3], ARGV[4]) == 1 then
  redis.call('HDEL', journal, ARGV[3] .. '?')
  progressed(ARGV[1])
  return ARGV[4]
end
return redis.call('HGET', journal, ARGV[3])
