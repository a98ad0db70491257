-- Take or renew a surface's shard.
-- ARGV: surface, owner, lease (ms; 0 gives it back)
local key = base .. ':shard:' .. ARGV[1]
local owner = redis.call('GET', key)
if owner and owner ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then
  redis.call('DEL', key)
else
  redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
end
return 1
