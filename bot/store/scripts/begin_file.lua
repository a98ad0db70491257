-- Make room for a file. Returns `known` (it is there completely), `full` (the owner has too many files or too much in
-- them), `new`, or nothing if the claim is no longer valid, or without a claim if the run was started.
-- Parts that an earlier writer left are of the same content, since the file's id is made of its digest.
-- ARGV: owner, epoch (or ''), file, size, record, bytes of all files at most, files at most, expires after (ms, or '')
local key, epoch, file = run_key(ARGV[1]), ARGV[2], ARGV[3]
local files = key .. ':files'
if epoch ~= '' and not holds_claim(ARGV[1], epoch) then return false end
if epoch == '' and redis.call('EXISTS', key) == 1 then return false end
local size, many = tonumber(ARGV[4]), 1
local all = redis.call('HGETALL', files)
for n = 1, #all, 2 do
  if all[n] == file then
    if string.sub(all[n + 1], 1, 1) == '+' then return 'known' end
  else
    size, many = size + tonumber(string.match(all[n + 1], '^.(%d+) ')), many + 1
  end
end
if size > tonumber(ARGV[6]) or many > tonumber(ARGV[7]) then return 'full' end
redis.call('HSET', files, file, '-' .. ARGV[4] .. ' ' .. ARGV[5])
if ARGV[8] ~= '' then redis.call('PEXPIRE', files, ARGV[8]) end
return 'new'
