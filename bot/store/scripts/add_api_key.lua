-- Store an API key. Returns 1 (also for a repeated call), or 0 if another key of this name is in use.
-- ARGV: name, key (JSON)
local keys, name = base .. ':apikeys', ARGV[1]
local known = redis.call('HGET', keys, name)
if known and redis.call('HEXISTS', keys .. ':revoked', name) == 0 then return known == ARGV[2] and 1 or 0 end
redis.call('HSET', keys, name, ARGV[2])
redis.call('HSET', keys .. ':created', name, now())
redis.call('HDEL', keys .. ':revoked', name)
redis.call('SET', keys .. ':locked', 1)
wake('keys')
publish()
return 1
