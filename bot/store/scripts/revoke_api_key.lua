-- Revoke an API key, which stays in the list. Returns 1 (also if it was revoked), or 0 if there is none of this name.
-- ARGV: name
local keys = base .. ':apikeys'
if redis.call('HEXISTS', keys, ARGV[1]) == 0 then return 0 end
redis.call('HSETNX', keys .. ':revoked', ARGV[1], now())
wake('keys')
publish()
return 1
