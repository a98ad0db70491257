-- Write a journal entry unless there is one. The announcement of this step is removed.
-- Returns the recorded value, or nothing if the claim is no longer valid.
-- ARGV: id, epoch, name, value
local journal = run_key(ARGV[1]) .. ':journal'
if not holds_claim(ARGV[1], ARGV[2]) then return false end
if redis.call('HSETNX', journal, ARGV[3], ARGV[4]) == 1 then
  redis.call('HDEL', journal, ARGV[3] .. '?')
  reset_crashes(ARGV[1])
  return ARGV[4]
end
return redis.call('HGET', journal, ARGV[3])
