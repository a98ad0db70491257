-- Note which crews a source can run. Returns 1.
-- Fields of the hash: `source <source>`: when it announced last, and since when just this; `crew <source> <name>`: what
-- it says of a crew; `problems <source>`: what it can't offer; `version`: another one whenever something of that has changed.
-- A source is forgotten when it has been silent for a while and others announce all of its crews. The last one that
-- knew a crew stays for longer, since its workers may come back.
-- ARGV: source, version, complete (1) or '' (there may be more: what it announced before stays), silent after (ms),
--       forgotten after (ms), problems (a JSON list; '' for none), then name and card (JSON) of each crew in turn
redis.call('HDEL', KEYS[1], '')
local source, complete = ARGV[1], ARGV[3] == '1'
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
local changed = not complete

local given = {}
for n = 7, #ARGV, 2 do
  local field = 'crew ' .. source .. ' ' .. ARGV[n]
  given[field] = true
  if redis.call('HGET', KEYS[1], field) ~= ARGV[n + 1] then
    redis.call('HSET', KEYS[1], field, ARGV[n + 1])
    changed = true
  end
end

local function forget(field)
  if redis.call('HDEL', KEYS[1], field) == 1 then changed = true end
end

if ARGV[6] ~= '' and redis.call('HGET', KEYS[1], 'problems ' .. source) ~= ARGV[6] then
  redis.call('HSET', KEYS[1], 'problems ' .. source, ARGV[6])
  changed = true
elseif ARGV[6] == '' and complete then
  forget('problems ' .. source)
end

-- By source: when it announced last, and the names of its crews.
local seen, names = {}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local whose, name = string.match(field, '^crew (%S+) (.+)$')
  if whose == source and complete and not given[field] then
    forget(field)
  elseif whose then
    names[whose] = names[whose] or {}
    names[whose][#names[whose] + 1] = name
  elseif string.match(field, '^source %S+$') then
    seen[string.sub(field, 8)] = tonumber(string.match(redis.call('HGET', KEYS[1], field), '^%d+'))
  elseif string.match(field, '^[^ ]+:' .. string.rep('%x', 12) .. '$') then
    forget(field) -- Whole sources were kept so before.
  end
end

seen[source] = at
local since = string.match(redis.call('HGET', KEYS[1], 'source ' .. source) or '', '%d+$')
redis.call('HSET', KEYS[1], 'source ' .. source, string.format('%d %s', at, not changed and since or string.format('%d', at)))

local sources = {}
for each in pairs(seen) do sources[#sources + 1] = each end
table.sort(sources, function(a, b) return seen[a] > seen[b] or seen[a] == seen[b] and a < b end)
local known = {}
for _, each in ipairs(sources) do
  local needed = at - seen[each] <= tonumber(ARGV[4])
  for _, name in ipairs(names[each] or {}) do
    needed = needed or not known[name] and at - seen[each] <= tonumber(ARGV[5])
  end
  for _, name in ipairs(names[each] or {}) do
    if needed then known[name] = true else forget('crew ' .. each .. ' ' .. name) end
  end
  if not needed then
    forget('source ' .. each)
    forget('problems ' .. each)
  end
end
if changed then
  redis.call('HSET', KEYS[1], 'version', ARGV[2])
  redis.call('PUBLISH', 'crewdeck:wake', 'crews')
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
