-- Use a code once: by the first that does. Returns its value and 1 (used now or by the same before) or 0 (by another);
-- nil if there is none. HDEL is a write that needs no memory (add.lua).
-- ARGV: who uses it
redis.call('HDEL', KEYS[1], '')
local code = redis.call('HMGET', KEYS[1], 'value', 'used_by')
if not code[1] then return nil end
if code[2] and code[2] ~= ARGV[1] then return { code[1], 0 } end
redis.call('HSET', KEYS[1], 'used_by', ARGV[1])
return { code[1], 1 }
