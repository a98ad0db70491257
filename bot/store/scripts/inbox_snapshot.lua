-- Returns the open questions of this shard, and the newest position of its stream of question events:
-- {position, {{run id, seq of human_input_required, its position}, ...}}.
local newest = redis.call('XREVRANGE', base .. ':inbox', '+', '-', 'COUNT', 1)[1]
local waiting = {}
for _, name in ipairs(redis.call('ZRANGE', base .. ':open', 0, -1)) do
  local id, question = string.match(name, '^([^/]+)/(.+)$')
  local asked = id and redis.call('HMGET', question_key(id, question), 'seq', 'position') or {}
  if asked[1] and asked[2] then waiting[#waiting + 1] = { id, asked[1], asked[2] } end
end
return { newest and newest[1] or redis.call('GET', base .. ':inbox:trimmed') or '0-0', waiting }
