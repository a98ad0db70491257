-- Append a response and let the question's policy decide. Returns {verdict, code}:
-- {settled, ''}, {repeated, ''} (this person has said just this before), or {refused, why}.
-- Today one valid response settles; a policy that needs several changes this rule, not the flow.
-- ARGV: id, question id, response as the rules see it (JSON), response (JSON, to keep), its key with who gave it,
--       outcome, body of human_input_completed, action
even_when_full()
local id, question = ARGV[1], ARGV[2]
local key = question_key(id, question)
local stored = redis.call('HMGET', key, 'rules', 'outcome', 'created_at', 'response:' .. ARGV[5])
if not stored[1] then return { 'refused', 'unknown_question' } end
-- Or somebody presses again, as they were asked to when it could not be confirmed in time.
if stored[4] or stored[2] == ARGV[6] then return { 'repeated', '' } end
if stored[2] then return { 'refused', 'settled' } end
local rules, response = cjson.decode(stored[1]), cjson.decode(ARGV[3])
if not may(response.actor, rules.policy) then return { 'refused', 'not_allowed' } end
if not admissible(rules, response) then return { 'refused', 'invalid_answer' } end

local at = now()
redis.call('HSET', key, 'response:' .. ARGV[5], at)
redis.call('RPUSH', key .. ':responses', ARGV[4])
settle(id, question, ARGV[6], ARGV[7], at)

local waited = (at - stored[3]) / 1000
redis.call('HINCRBY', base .. ':answers', ARGV[8], 1)
redis.call('HINCRBYFLOAT', base .. ':waited', 'sum', waited)
for _, bound in ipairs({ 10, 60, 300, 1800, 7200, 28800, 86400 }) do
  if waited <= bound then redis.call('HINCRBY', base .. ':waited', bound, 1) end
end
publish()
return { 'settled', '' }
