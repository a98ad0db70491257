-- Append a response, with the outcome that bot/core/questions/decision.py evaluated: this only compares and sets.
-- Returns {done, time}; {repeated, the question that this key has answered}; {conflict, ''} if the question has changed
-- since it was evaluated or its deadline has passed; or {unknown_question, ''}.
-- ARGV: id, question id, evaluated revision, key of the response with its principal, response (JSON), its action,
--       outcome ('' if more people are needed), body of the event, progress, edited spec ('' if nothing was edited)
allow_when_full()
local id, question, said = ARGV[1], ARGV[2], ARGV[4]
local key, answers = question_key(id, question), run_key(id) .. ':answered'
local stored = redis.call('HMGET', key, 'spec', 'revision', 'outcome', 'version', 'created_at', 'deadline_at')
if not stored[1] then return { 'unknown_question', '' } end
local answered = redis.call('HGET', answers, said)
if answered then return { 'repeated', answered } end
if stored[3] or (stored[2] or '0') ~= ARGV[3] or is_newer_version(stored[4]) then return { 'conflict', '' } end

local at = now()
if stored[6] and at >= tonumber(stored[6]) then return { 'conflict', '' } end
redis.call('HSET', answers, said, question)
redis.call('RPUSH', key .. ':responses', ARGV[5])
redis.call('HSET', key, 'progress', ARGV[9])
if ARGV[10] ~= '' then
  redis.call('RPUSH', key .. ':versions', stored[1])
  redis.call('HSET', key, 'spec', ARGV[10], 'version', RECORD)
  raise_version(id)
end
if ARGV[7] == '' then
  redis.call('HINCRBY', key, 'revision', 1)
  append_event(id, ARGV[8], at)
  wake('question:' .. question)
  publish()
  return { 'done', at }
end
settle_question(id, question, ARGV[7], ARGV[8], at)

local waited = (at - stored[5]) / 1000
redis.call('HINCRBY', base .. ':answers', ARGV[6], 1)
redis.call('HINCRBYFLOAT', base .. ':waited', 'sum', waited)
for _, bound in ipairs({ 10, 60, 300, 1800, 7200, 28800, 86400 }) do
  if waited <= bound then redis.call('HINCRBY', base .. ':waited', bound, 1) end
end
publish()
return { 'done', at }
