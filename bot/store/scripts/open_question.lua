-- Record that a person had all of a question before them, once for each version. Returns 1, or 0 if it is not there.
-- ARGV: id, question id, principal and digest, who and what (JSON), most entries
allow_when_full()
local key = question_key(ARGV[1], ARGV[2])
local stored = redis.call('HMGET', key, 'spec', 'version')
if not stored[1] or is_newer_version(stored[2]) then return 0 end
if redis.call('HLEN', key .. ':opened') < tonumber(ARGV[5]) then
  redis.call('HSETNX', key .. ':opened', ARGV[3], string.format('%d', now()) .. ' ' .. ARGV[4])
end
return 1
