-- Append an event of a claimed run, once. Returns {seq, at}, or nothing if the claim is no longer valid.
-- ARGV: id, epoch, key of the event, body
local key = run_key(ARGV[1])
local run = redis.call('HMGET', key, 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return false end
local at = now()
local seen = redis.call('HGET', key .. ':recorded', ARGV[3])
if seen then return { tonumber(seen), at } end
local seq = append(ARGV[1], ARGV[4], at)
redis.call('HSET', key .. ':recorded', ARGV[3], seq)
publish()
return { seq, at }
