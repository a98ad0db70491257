-- Walk a list of runs, newest first, and return those that are of a crew and have one of some statuses. Changes nothing.
-- Returns the position where it stopped ('', '' at the end of the list), then those that it found: time, id, and so on.
-- ARGV: list, time and id behind which it begins ('+inf', '' for the newest), how many to find, how many to look at,
--       crew ('': any), statuses (separated by spaces)
local CHUNK = 100
local list, at, name, crew = base .. ARGV[1], ARGV[2], ARGV[3], ARGV[6]
local most_found, most_looked = 2 + 2 * ARGV[4], tonumber(ARGV[5])
-- How many runs have one of the statuses at most: once they are found, no other is looked at.
local wanted, left = {}, 0
for status in string.gmatch(ARGV[7], '%S+') do
  wanted[status] = true
  left = left + tonumber(redis.call('HGET', base .. ':counts', status) or 0)
end

local found, looked, offset = { '', '' }, 0, 0
if left <= 0 then return found end
while true do
  local entries = redis.call('ZRANGE', list, at, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, CHUNK, 'WITHSCORES')
  for n = 1, #entries, 2 do
    local id, created_at = entries[n], entries[n + 1]
    -- Of those of the same millisecond some came before.
    if created_at ~= at or id < name then
      looked = looked + 1
      found[1], found[2] = created_at, id
      local run = redis.call('HMGET', run_key(id), 'crew', 'status')
      if wanted[run[2]] then left = left - 1 end
      if wanted[run[2]] and (crew == '' or run[1] == crew) then
        found[#found + 1] = created_at
        found[#found + 1] = id
      end
      if left == 0 then
        found[1], found[2] = '', ''
        return found
      end
      if looked == most_looked or #found == most_found then return found end
    end
  end
  if #entries < 2 * CHUNK then
    found[1], found[2] = '', ''
    return found
  end
  offset = offset + CHUNK
end
