-- Record what a claimed run did last, and end it. Returns 1 (also for a repeated call), or 0 if the claim is no longer
-- valid. A full Redis lets a run end, but not grow before that.
-- ARGV: id, epoch, status, field (result or error), its value, body of the last event, then changes (changes.lua)
local first = 7
if #ARGV < first then allow_when_full() end
local id, status = ARGV[1], ARGV[3]
local key = run_key(id)
local run = redis.call('HMGET', key, 'epoch', 'status')
if run[1] == ARGV[2] and is_finished(run[2]) then return run[2] == status and 1 or 0 end
if not holds_claim(id, ARGV[2]) then return 0 end
local at = now()
make_changes(id, first, at)
redis.call('HSET', key, ARGV[4], ARGV[5])
finish_run(id, status, ARGV[6], at)
publish()
return 1
