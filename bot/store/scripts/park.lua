-- Take a waiting run out of its worker's memory.
-- Returns 1 (parked), 0 (there is no open question to wait for, since one was settled meanwhile: it is queued again) or
-- -1 (fenced).
-- ARGV: id, epoch, working time (ms), then the questions that it waits for
even_when_full()
local id = ARGV[1]
if not holds(id, ARGV[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
progressed(id)
worked(id, ARGV[3])
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
