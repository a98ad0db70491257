-- Append a response and let the question's policy decide. Returns {verdict, code}.
-- Today one valid response settles; a policy that needs several changes this rule, not the flow.
-- ARGV: id, question id, response with its actor's principals (JSON), response (JSON, to keep), its key,
--       outcome, body of human_input_completed, action
local id, question = ARGV[1], ARGV[2]
local key = question_key(id, question)
local stored = redis.call('HMGET', key, 'spec', 'outcome', 'created_at')
if not stored[1] then return { 'refused', 'unknown_question' } end
if redis.call('HEXISTS', key, 'response:' .. ARGV[5]) == 1 then return { 'repeated', '' } end
if stored[2] then return { 'refused', 'settled' } end

local spec, response = cjson.decode(stored[1]), cjson.decode(ARGV[3])
if not may(response.actor, spec.policy) then return { 'refused', 'not_allowed' } end

-- core/rules.py: admissible
local function admissible()
  local action = response.action
  if action == 'choose' then
    if spec.kind ~= 'choice' then return false end
    for _, option in ipairs(spec.options) do
      if option.id == response.value then return true end
    end
    return false
  elseif action == 'respond' then
    return string.find(response.comment, '%S') ~= nil
  end
  return (action == 'approve' or action == 'reject') and (spec.kind == 'approval' or spec.kind == 'review')
end
if not admissible() then return { 'refused', 'invalid_answer' } end

local at = now()
redis.call('RPUSH', key .. ':responses', ARGV[4])
redis.call('HSET', key, 'response:' .. ARGV[5], at)
settle(id, question, ARGV[6], ARGV[7], at)

local waited = (at - stored[3]) / 1000
redis.call('HINCRBY', base .. ':answers', ARGV[8], 1)
redis.call('HINCRBYFLOAT', base .. ':waited', 'sum', waited)
for _, bound in ipairs({ 10, 60, 300, 1800, 7200, 28800, 86400 }) do
  if waited <= bound then redis.call('HINCRBY', base .. ':waited', bound, 1) end
end
publish()
return { 'settled', '' }
