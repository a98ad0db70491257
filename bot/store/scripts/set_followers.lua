-- Set the surfaces that follow the runs that start in this shard from now on. Returns 1.
-- ARGV: surface ...
redis.call('DEL', base .. ':followers')
for _, surface in ipairs(ARGV) do redis.call('SADD', base .. ':followers', surface) end
return 1
