-- Record what a surface has shown. Returns 1, or 0 if another process holds the shard by now.
-- A run stays pending while it has events after `cursor`, or adopted messages that are not recorded here yet. Of a
-- deleted run nothing is recorded.
-- With a place, that is the run's, whose thread was opened there, and the run is queued. The place of a run that was
-- cancelled meanwhile is recorded as well; that of one that awaits no thread (any more) is not.
-- ARGV: surface, owner, id, cursor, place, place key, group (the last three: '' without a place), then name and
--       reference of messages in turn

local function bind_place(id, place, place_key, group)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'state', 'created_at', 'status', 'place_key')
  local awaits = run[1] == 'awaiting_thread'
  if run[4] or not awaits and run[3] ~= 'cancelled' then return end
  redis.call('HSET', key, 'place', place, 'place_key', place_key)
  redis.call('ZADD', base .. ':place:' .. place_key, run[2], id)
  if group ~= '' and redis.call('HGET', key, 'group') ~= group then
    remove_from_lists(id, ':runs')
    remove_from_lists(id, ':active')
    redis.call('HSET', key, 'group', group)
    for _, list in ipairs(lists_of(id)) do
      redis.call('ZADD', base .. ':runs' .. list, run[2], id)
      if awaits then redis.call('ZADD', base .. ':active' .. list, run[2], id) end
    end
  end
  if awaits then move(id, 'queued', now()) end
  wake('run:' .. id)
  wake('placed:' .. id)
end

allow_when_full()
local surface, id, cursor = ARGV[1], ARGV[3], tonumber(ARGV[4])
if redis.call('GET', base .. ':shard:' .. surface) ~= ARGV[2] then return 0 end
local key = run_key(id)
local newest = tonumber(redis.call('HGET', key, 'seq') or 0)
local adopted = 0
if is_shown_on(id, surface) then
  local shown = key .. ':shown:' .. surface
  cursor = math.max(cursor, (tonumber(redis.call('HGET', shown, 'cursor') or 0) or 0))
  redis.call('HSET', shown, 'cursor', cursor)
  for n = 8, #ARGV, 2 do
    redis.call('HSET', shown, 'copy:' .. ARGV[n], ARGV[n + 1])
    if redis.call('HDEL', shown, 'adopted:' .. ARGV[n]) == 1 then redis.call('HINCRBY', shown, 'adopted', -1) end
  end
  adopted = tonumber(redis.call('HGET', shown, 'adopted') or 0)
  if ARGV[5] ~= '' then bind_place(id, ARGV[5], ARGV[6], ARGV[7]) end
end
if adopted == 0 and cursor >= newest then redis.call('ZREM', base .. ':outbox:' .. surface, id) end
publish()
return 1
