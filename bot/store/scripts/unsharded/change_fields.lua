-- Change fields of a hash, all or none: only if each still has the value that was read. Returns 1, or 0.
-- HDEL is a write that needs no memory, so a full Redis lets the script run.
-- ARGV: field, value that was read ('': none, '*': whatever it is) and new value, in turn
redis.call('HDEL', KEYS[1], '')
for n = 1, #ARGV, 3 do
  if ARGV[n + 1] ~= '*' and (redis.call('HGET', KEYS[1], ARGV[n]) or '') ~= ARGV[n + 1] then return 0 end
end
for n = 1, #ARGV, 3 do redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 2]) end
return 1
