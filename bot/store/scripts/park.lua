-- Take a waiting run out of its worker's memory.
-- Returns 1 (parked), 0 (a question was settled meanwhile: it is queued again) or -1 (fenced).
-- ARGV: id, epoch, working time (ms), then the questions that it waits for
even_when_full()
local id = ARGV[1]
local run = redis.call('HMGET', run_key(ARGV[1]), 'epoch', 'status')
if run[1] ~= ARGV[2] or over(run[2]) then return -1 end
redis.call('HINCRBY', run_key(id), 'epoch', 1)
progressed(id)
worked(id, ARGV[3])
for n = 4, #ARGV do
  if redis.call('HEXISTS', question_key(id, ARGV[n]), 'outcome') == 1 then
    requeue(id)
    publish()
    return 0
  end
end
park(id)
return 1
