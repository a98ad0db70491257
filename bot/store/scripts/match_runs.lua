-- Returns those of these runs that are of a crew and have one of some statuses. Changes nothing.
-- ARGV: crew ('': any), statuses (separated by spaces), id ...
local wanted, found = {}, {}
for status in string.gmatch(ARGV[2], '%S+') do wanted[status] = true end
for n = 3, #ARGV do
  local run = redis.call('HMGET', run_key(ARGV[n]), 'crew', 'status')
  if wanted[run[2]] and (ARGV[1] == '' or run[1] == ARGV[1]) then found[#found + 1] = ARGV[n] end
end
return found
