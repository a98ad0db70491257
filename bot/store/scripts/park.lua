-- Park a run that waits for people.
-- Returns 1 (parked), 0 (one of the questions is settled: the run is queued again) or -1 (fenced).
-- ARGV: id, epoch, execution time (ms), then the ids of the questions
allow_when_full()
local id = ARGV[1]
if not holds_claim(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
reset_crashes(id)
set_worked(id, ARGV[3])
local waits = #ARGV > 3
for n = 4, #ARGV do
  local asked = redis.call('HMGET', question_key(id, ARGV[n]), 'created_at', 'outcome')
  waits = waits and asked[1] and not asked[2]
end
if waits then
  move(id, 'parked')
else
  requeue(id)
end
publish()
return waits and 1 or 0
