-- Record a question of a claimed run and announce it, once. Returns 1 (new), 0 (known) or -1 (fenced).
-- ARGV: id, epoch, question id, spec, what the rules need of it (JSON), body of human_input_required,
--       outcome and body at the deadline, outcome and body if withdrawn, body of the reminder,
--       deadline (ms or ''), remind after (ms or '')
local id, question = ARGV[1], ARGV[3]
if not holds(ARGV[1], ARGV[2]) then return -1 end
local key = question_key(id, question)
if redis.call('EXISTS', key) == 1 then return 0 end
local at = now()
local deadline, remind = ARGV[12], ARGV[13]
redis.call('HSET', key, 'spec', ARGV[4], 'rules', ARGV[5], 'created_at', at,
  'silence', ARGV[7], 'silence_body', ARGV[8], 'withdrawn', ARGV[9], 'withdrawn_body', ARGV[10],
  'reminder_body', ARGV[11])
progressed(id)
redis.call('RPUSH', run_key(id) .. ':asked', question)
for _, list in ipairs(open_lists(id, question)) do redis.call('ZADD', list, at, id .. '/' .. question) end
if deadline ~= '' then
  redis.call('HSET', key, 'deadline_at', at + deadline)
  redis.call('ZADD', base .. ':timers', at + deadline, 'deadline/' .. id .. '/' .. question)
end
if remind ~= '' then redis.call('ZADD', base .. ':timers', at + remind, 'remind/' .. id .. '/' .. question) end
redis.call('HINCRBY', run_key(id), 'open', 1)
show_status(id)
local seq, position = append(id, ARGV[6], at)
-- So that the stream of all runs can begin with what is open, and a question's id is enough to find it.
redis.call('HSET', key, 'seq', seq, 'position', position)
redis.call('HSET', base .. ':askers', question, id)
publish()
return 1
