-- Fail a run that could not be placed.
-- ARGV: id, error, body of run_failed
local key = run_key(ARGV[1])
if redis.call('HGET', key, 'held') ~= '1' or over(redis.call('HGET', key, 'status')) then return 0 end
redis.call('HSET', key, 'error', ARGV[2])
redis.call('HDEL', key, 'held')
close(ARGV[1], 'failed', ARGV[3], now())
publish()
return 1
