-- Count something within a time that begins with the first. Returns how often it was counted, this time included.
-- ARGV: time (ms)
redis.call('GETEX', KEYS[1])
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
