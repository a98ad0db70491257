-- Record where a held run lives, and queue it. Returns 1, or 0 if it wasn't held (any more) and nothing changed.
-- ARGV: id, place, place key, group
even_when_full()
local id, group = ARGV[1], ARGV[4]
local key = run_key(id)
local run = redis.call('HMGET', key, 'held', 'status', 'created_at')
if run[1] ~= '1' then return 0 end
redis.call('HDEL', key, 'held')
redis.call('HSET', key, 'place', ARGV[2], 'place_key', ARGV[3])
redis.call('ZADD', base .. ':place:' .. ARGV[3], run[3], id)
if group ~= '' and redis.call('HGET', key, 'group') ~= group then
  unlist(id, ':runs')
  unlist(id, ':active')
  redis.call('HSET', key, 'group', group)
  for _, list in ipairs(lists(id)) do
    redis.call('ZADD', base .. ':runs' .. list, run[3], id)
    if not over(run[2]) then redis.call('ZADD', base .. ':active' .. list, run[3], id) end
  end
end
if run[2] == 'queued' then enqueue(id, now()) end
wake('run:' .. id)
publish()
return 1
