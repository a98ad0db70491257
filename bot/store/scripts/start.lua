-- Start a run, once.
-- ARGV: id, spec, crew, requester, place, place key, surface, tenant, group, held (1 or ''), body of run_started
local id = ARGV[1]
local key = run_key(id)
if redis.call('EXISTS', key) == 1 then return 0 end
local at = now()
redis.call('HSET', key, 'spec', ARGV[2], 'crew', ARGV[3], 'created_at', at, 'seq', 0, 'epoch', 0, 'open', 0, 'tenant', ARGV[8],
  'requester', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', key, 'place', ARGV[5], 'surface', ARGV[7], 'group', ARGV[9]) end
set_status(id, 'queued')
redis.call('ZADD', base .. ':runs', at, id)
redis.call('ZADD', base .. ':runs:by:' .. ARGV[4], at, id)
if ARGV[9] ~= '' then redis.call('ZADD', base .. ':runs:in:' .. ARGV[9], at, id) end
append(id, ARGV[11], at)
if ARGV[10] == '1' then
  redis.call('HSET', key, 'held', '1')
else
  if ARGV[6] ~= '' then
    redis.call('HSET', key, 'place_key', ARGV[6])
    redis.call('ZADD', base .. ':place:' .. ARGV[6], at, id)
  end
  enqueue(id, at)
end
publish()
return 1
