-- Record what a surface has shown. Returns 0 if the shard is another process's by now.
-- ARGV: surface, owner, id, cursor, then name and reference of copies in turn
if redis.call('GET', base .. ':shard:' .. ARGV[1]) ~= ARGV[2] then return 0 end
local key = run_key(ARGV[3])
local shown = key .. ':shown:' .. ARGV[1]
redis.call('HSET', shown, 'cursor', ARGV[4])
for n = 5, #ARGV, 2 do redis.call('HSET', shown, 'copy:' .. ARGV[n], ARGV[n + 1]) end
local outbox = base .. ':outbox:' .. ARGV[1]
if tonumber(ARGV[4]) >= tonumber(redis.call('HGET', key, 'seq') or 0) then
  redis.call('ZREM', outbox, ARGV[3])
end
return 1
