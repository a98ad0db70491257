-- Start a run, once. Returns 1 (new, also when the same call comes again) or 0 (it was there).
-- ARGV: id, call, spec, cancellers (JSON), crew, requester, held (1 or ''), body of run_started,
--       then, if it has a place: place, place key, surface, tenant, group
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local known = redis.call('HMGET', key, 'status', 'start_call')
if known[1] then return known[2] == call and 1 or 0 end
local at = now()
redis.call('HSET', key, 'spec', ARGV[3], 'start_call', call, 'cancellers', ARGV[4], 'crew', ARGV[5],
  'requester', ARGV[6], 'tenant', ARGV[12] or '', 'created_at', at, 'seq', 0, 'epoch', 0, 'open', 0)
if ARGV[9] then redis.call('HSET', key, 'place', ARGV[9], 'surface', ARGV[11]) end
if ARGV[13] and ARGV[13] ~= '' then redis.call('HSET', key, 'group', ARGV[13]) end
set_status(id, 'queued')
redis.call('ZADD', base .. ':ids', 0, id)
for _, list in ipairs(lists(id)) do
  redis.call('ZADD', base .. ':runs' .. list, at, id)
  redis.call('ZADD', base .. ':active' .. list, at, id)
end
append(id, ARGV[8], at)
if ARGV[7] == '1' then
  redis.call('HSET', key, 'held', '1')
else
  if ARGV[9] then
    redis.call('HSET', key, 'place_key', ARGV[10])
    redis.call('ZADD', base .. ':place:' .. ARGV[10], at, id)
  end
  enqueue(id, at)
end
publish()
return 1
