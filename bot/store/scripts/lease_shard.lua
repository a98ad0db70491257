-- Take, renew or release a shard of a surface. Returns 1, or 0 while another process holds it.
-- ARGV: surface, owner, lease (ms; 0 releases it), for how long question events of runs that live on other surfaces are
--       relayed to this one (ms; '' if they are not)
allow_when_full()
local key = base .. ':shard:' .. ARGV[1]
local owner = redis.call('GET', key)
if owner and owner ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then
  redis.call('DEL', key)
  -- Others wait for it.
  wake('outbox:' .. ARGV[1] .. ':' .. shard())
else
  redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
  if ARGV[4] ~= '' then redis.call('ZADD', base .. ':relays', now() + ARGV[4], ARGV[1]) end
end
publish()
return 1
