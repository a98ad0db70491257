-- Record a question of a claimed run and announce it, once. Returns 1 (new), 0 (known) or -1 (fenced).
-- ARGV: id, epoch, question id, spec, body of human_input_required, outcome and body at the deadline,
--       outcome and body if withdrawn, deadline (ms or ''), remind after (ms or '')
local id, question = ARGV[1], ARGV[3]
local run = redis.call('HMGET', run_key(id), 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return -1 end
local key = question_key(id, question)
if redis.call('EXISTS', key) == 1 then return 0 end
local at = now()
redis.call('HSET', key, 'spec', ARGV[4], 'created_at', at, 'silence', ARGV[6], 'silence_body', ARGV[7],
  'withdrawn', ARGV[8], 'withdrawn_body', ARGV[9])
redis.call('RPUSH', run_key(id) .. ':asked', question)
redis.call('ZADD', base .. ':open', at, id .. '/' .. question)
if ARGV[10] ~= '' then
  redis.call('HSET', key, 'deadline_at', at + ARGV[10])
  redis.call('ZADD', base .. ':timers', at + ARGV[10], 'deadline/' .. id .. '/' .. question)
end
if ARGV[11] ~= '' then redis.call('ZADD', base .. ':timers', at + ARGV[11], 'remind/' .. id .. '/' .. question) end
redis.call('HINCRBY', run_key(id), 'open', 1)
set_status(id, 'input_required')
append(id, ARGV[5], at)
publish()
return 1
