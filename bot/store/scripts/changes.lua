-- What a claimed run has done: entries of its journal, and events, in their order.

-- Append an event, once. Returns its number and its time.
-- It is no progress: progress is what the journal records; an event may well announce a step that then kills the worker.
local function append_event_once(id, name, body, at)
  local recorded = run_key(id) .. ':recorded'
  local seen = redis.call('HGET', recorded, name)
  if seen then
    local seq, first = string.match(seen, '^(%d+)/(%d+)$')
    return tonumber(seq), tonumber(first)
  end
  local seq = append_event(id, body, at)
  redis.call('HSET', recorded, name, seq .. '/' .. string.format('%d', at))
  return seq, at
end

-- A name that ends with `?` announces a step. Under any other name the first value stays, and the announcement is
-- removed.
local function write_entry(id, name, value)
  local journal = run_key(id) .. ':journal'
  if string.sub(name, -1) == '?' then
    redis.call('HSET', journal, name, value)
  elseif redis.call('HSETNX', journal, name, value) == 1 then
    redis.call('HDEL', journal, name .. '?')
    reset_crashes(id)
  end
end

-- Remove the entries whose names start with one of ARGV[from] to ARGV[to].
local function remove_entries(id, from, to)
  local journal = run_key(id) .. ':journal'
  for _, name in ipairs(redis.call('HKEYS', journal)) do
    for n = from, to do
      if string.sub(name, 1, #ARGV[n]) == ARGV[n] then redis.call('HDEL', journal, name) end
    end
  end
end

-- Make the changes from ARGV[n] on: `entry` name value, `event` key body, `remove` number prefix ...
local function make_changes(id, n, at)
  while n <= #ARGV do
    local kind = ARGV[n]
    if kind == 'remove' then
      local last = n + 1 + ARGV[n + 1]
      remove_entries(id, n + 2, last)
      n = last + 1
    else
      if kind == 'entry' then write_entry(id, ARGV[n + 1], ARGV[n + 2]) else append_event_once(id, ARGV[n + 1], ARGV[n + 2], at) end
      n = n + 3
    end
  end
end
