-- Start a run, once. Returns 1 (new, also when the same call comes again) or 0 (it was there).
-- ARGV: id, call, spec, cancellers (JSON), crew, requester, held (1 or ''), body of run_started,
--       followers (surfaces, separated by spaces), then, if it has a place: place, place key, surface, tenant, group
local id, call = ARGV[1], ARGV[2]
local key = run_key(id)
local known = redis.call('HMGET', key, 'status', 'start_call')
if known[1] then return known[2] == call and 1 or 0 end
local at = now()
redis.call('HSET', key, 'version', RECORD, 'spec', ARGV[3], 'start_call', call, 'cancellers', ARGV[4], 'crew', ARGV[5],
  'requester', ARGV[6], 'tenant', ARGV[13] or '', 'created_at', at, 'seq', 0, 'epoch', 0, 'open', 0)
if ARGV[10] then redis.call('HSET', key, 'place', ARGV[10], 'surface', ARGV[12]) end
if ARGV[14] and ARGV[14] ~= '' then redis.call('HSET', key, 'group', ARGV[14]) end
-- The journal that it was given to go on from.
redis.call('PERSIST', key .. ':journal')
local following = redis.call('SMEMBERS', base .. ':followers')
if ARGV[9] ~= '' then following[#following + 1] = ARGV[9] end
if #following > 0 then redis.call('HSET', key, 'followers', table.concat(following, ' ')) end
redis.call('ZADD', base .. ':ids', 0, id)
for _, list in ipairs(lists(id)) do
  redis.call('ZADD', base .. ':runs' .. list, at, id)
  redis.call('ZADD', base .. ':active' .. list, at, id)
end
append(id, ARGV[8], at)
if ARGV[7] == '1' then
  move(id, 'awaiting_thread')
else
  if ARGV[10] then
    redis.call('HSET', key, 'place_key', ARGV[11])
    redis.call('ZADD', base .. ':place:' .. ARGV[11], at, id)
  end
  move(id, 'queued', at)
end
publish()
return 1
