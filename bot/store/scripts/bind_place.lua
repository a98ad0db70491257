-- Record the place of a run that is awaiting its thread, and queue it. The place of a run that was cancelled meanwhile
-- is recorded as well. Returns 1, or 0 if the run awaits no thread (any more) and nothing changed.
-- ARGV: id, place, place key, group
allow_when_full()
local id, group = ARGV[1], ARGV[4]
local key = run_key(id)
local run = redis.call('HMGET', key, 'state', 'created_at', 'status', 'place_key')
local awaits = run[1] == 'awaiting_thread'
if run[4] or not awaits and run[3] ~= 'cancelled' then return 0 end
redis.call('HSET', key, 'place', ARGV[2], 'place_key', ARGV[3])
redis.call('ZADD', base .. ':place:' .. ARGV[3], run[2], id)
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
publish()
return 1
