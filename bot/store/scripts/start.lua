-- Start a run, once. Returns 1 (new, also for a repeated call), 0 (it exists), -1 (it was deleted) or -2 (its nonce was
-- used before: nothing is changed).
-- ARGV: id, call, spec, crew, requester, awaits its thread (1 or ''), body of run_started,
--       followers (surfaces, separated by spaces), nonce ('' for none), arrival, TTL of the nonce (ms),
--       then, if it has a place: place, place key, surface, tenant, group
local id, call = ARGV[1], ARGV[2]
if ARGV[9] ~= '' and not use_nonce(ARGV[9], ARGV[10], ARGV[11]) then return -2 end
local key = run_key(id)
local known = redis.call('HMGET', key, 'status', 'start_call')
if known[1] then return known[2] == call and 1 or 0 end
if redis.call('EXISTS', tombstone_key(id)) == 1 then return -1 end
local at = now()
redis.call('HSET', key, 'version', RECORD, 'spec', ARGV[3], 'start_call', call, 'crew', ARGV[4],
  'requester', ARGV[5], 'tenant', ARGV[15] or '', 'created_at', at, 'seq', 0, 'epoch', 0, 'open', 0)
if ARGV[12] then redis.call('HSET', key, 'place', ARGV[12], 'surface', ARGV[14]) end
if ARGV[16] and ARGV[16] ~= '' then redis.call('HSET', key, 'group', ARGV[16]) end
-- The journal that it was given to go on from, and its files.
redis.call('PERSIST', key .. ':journal')
redis.call('PERSIST', key .. ':files')
for _, file in ipairs(redis.call('HKEYS', key .. ':files')) do redis.call('PERSIST', key .. ':file:' .. file) end
local following = redis.call('SMEMBERS', base .. ':followers')
if ARGV[8] ~= '' then following[#following + 1] = ARGV[8] end
if #following > 0 then redis.call('HSET', key, 'followers', table.concat(following, ' ')) end
redis.call('ZADD', base .. ':ids', 0, id)
for _, list in ipairs(lists_of(id)) do
  redis.call('ZADD', base .. ':runs' .. list, at, id)
  redis.call('ZADD', base .. ':active' .. list, at, id)
end
append_event(id, ARGV[7], at)
if ARGV[6] == '1' then
  move(id, 'awaiting_thread')
else
  if ARGV[12] then
    redis.call('HSET', key, 'place_key', ARGV[13])
    redis.call('ZADD', base .. ':place:' .. ARGV[13], at, id)
  end
  move(id, 'queued', at)
end
publish()
return 1
