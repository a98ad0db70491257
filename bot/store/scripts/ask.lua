-- Record and announce a question of a claimed run, once. Returns 1 (new), 0 (known) or -1 (fenced).
-- The run gets the version of its newest record, so that an older release leaves all of it unchanged.
-- ARGV: id, epoch, question id, spec, its deciders (JSON), body of human_input_required, outcome and body if withdrawn,
--       deadline (ms or ''), remind after (ms or ''), progress
local id, question = ARGV[1], ARGV[3]
if not holds_claim(ARGV[1], ARGV[2]) then return -1 end
local key = question_key(id, question)
if redis.call('EXISTS', key) == 1 then return 0 end
local at = now()
local deadline, remind = ARGV[9], ARGV[10]
redis.call('HSET', key, 'version', RECORD, 'revision', 0, 'spec', ARGV[4], 'progress', ARGV[11], 'rules', ARGV[5], 'created_at', at,
  'withdrawn', ARGV[7], 'withdrawn_body', ARGV[8])
raise_version(id)
reset_crashes(id)
redis.call('RPUSH', run_key(id) .. ':asked', question)
for _, list in ipairs(open_lists(id, question)) do redis.call('ZADD', list, at, id .. '/' .. question) end
if deadline ~= '' then
  redis.call('HSET', key, 'deadline_at', at + deadline)
  redis.call('ZADD', base .. ':timers', at + deadline, 'deadline/' .. id .. '/' .. question)
end
if remind ~= '' then redis.call('ZADD', base .. ':timers', at + remind, 'remind/' .. id .. '/' .. question) end
redis.call('HINCRBY', run_key(id), 'open', 1)
update_status(id)
local seq, position = append_event(id, ARGV[6], at)
-- So that the stream of all runs can begin with what is open, and a question's id is enough to find it.
redis.call('HSET', key, 'seq', seq, 'position', position)
redis.call('HSET', base .. ':question_runs', question, id)
publish()
return 1
