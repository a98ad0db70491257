-- Write one part of a file that was begun; with the last one it is complete. Returns 1, or 0 if the claim is no longer
-- valid, or without a claim if the run was started.
-- ARGV: owner, epoch (or ''), file, number of the part, part, is it the last (1 or ''), expires after (ms, or '')
local key, epoch, file = run_key(ARGV[1]), ARGV[2], ARGV[3]
local files = key .. ':files'
if epoch ~= '' and not holds_claim(ARGV[1], epoch) then return 0 end
if epoch == '' and redis.call('EXISTS', key) == 1 then return 0 end
local record = redis.call('HGET', files, file)
if not record then return 0 end
redis.call('HSET', key .. ':file:' .. file, ARGV[4], ARGV[5])
if ARGV[6] == '1' then redis.call('HSET', files, file, '+' .. string.sub(record, 2)) end
if ARGV[7] ~= '' then
  redis.call('PEXPIRE', files, ARGV[7])
  redis.call('PEXPIRE', key .. ':file:' .. file, ARGV[7])
end
return 1
