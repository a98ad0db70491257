-- Apply a due timer of a question: settle the question, or append a reminder. Returns 1, or 0 if nothing was left to do
-- or if the question has changed since it was evaluated: then the timer stays and is tried again.
-- ARGV: timer, id, question id, evaluated revision, outcome ('': a reminder), body
allow_when_full()
local list, timer, id, question = base .. ':timers', ARGV[1], ARGV[2], ARGV[3]
local stored = redis.call('HMGET', question_key(id, question), 'spec', 'outcome', 'revision', 'version')
if not stored[1] or stored[2] then
  redis.call('ZREM', list, timer)
  return 0
end
if is_newer_version(stored[4]) or (stored[3] or '0') ~= ARGV[4] then return 0 end
if redis.call('ZREM', list, timer) == 0 then return 0 end
if ARGV[5] == '' then
  append_event(id, ARGV[6], now())
else
  settle_question(id, question, ARGV[5], ARGV[6], now())
  redis.call('HINCRBY', base .. ':answers', 'expire', 1)
end
publish()
return 1
