-- Record the call that a gate let through, once. Returns 1, or -1 (fenced).
-- ARGV: id, epoch, question id, digests (JSON)
if not holds_claim(ARGV[1], ARGV[2]) then return -1 end
local key = question_key(ARGV[1], ARGV[3])
if redis.call('EXISTS', key) == 1 then
  redis.call('HSETNX', key, 'executed', string.format('%d', now()) .. ' ' .. ARGV[4])
end
return 1
