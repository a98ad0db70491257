-- Shared by all transitions: names, the clock, wake-ups, and what several of them do to a run.
-- KEYS[1] is the base of one shard; all keys that a transition touches start with it, and share its slot.
-- Values that people or programs made stay strings here: JSON is read where a rule needs it, and never written,
-- since cjson would turn an empty list into an object.
-- Each transition may run twice, when its answer was lost on the way: the second time it changes nothing and, where
-- the caller needs it, answers the same. `call` names one call for that.
local base = KEYS[1]
local topics = {}

-- Milliseconds since the epoch, whole.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A full Redis (maxmemory) refuses a script at its first write that may need memory, and not after any other write:
-- no transition is ever half done. What people wait for and what gives room back is let through, by beginning with a
-- write that needs none; what grows with the crews' work (start, ask, record, the journal) waits until there is room.
local function even_when_full() redis.call('DEL', base .. ':full') end

local function run_key(id) return base .. ':run:' .. id end
local function question_key(id, question) return run_key(id) .. ':question:' .. question end

-- Where it is noted for a while that there was a run of this id, which is not to be started again by whatever started
-- it. Nothing is left by which the run could be found.
local function gone(id) return base .. ':gone:' .. redis.sha1hex(id) end

local function wake(topic) topics[#topics + 1] = topic end

-- Tell all processes what changed; the last thing a transition does.
local function publish()
  if #topics > 0 then redis.call('PUBLISH', 'crewdeck:wake', table.concat(topics, ' ')) end
end

local function shard() return string.match(base, '{s(%d+)}') end

-- Whether a newer release wrote a record (RECORD is what this one writes, lua.py). What isn't understood is left alone.
local function above(version) return (tonumber(version or 1) or math.huge) > RECORD end

-- Whether that holds for a run or anything that it asks. A damaged question counts as well.
local function newer(id)
  local key = run_key(id)
  if above(redis.call('HGET', key, 'version')) then return true end
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local stored = redis.call('HMGET', question_key(id, question), 'version', 'rules')
    if above(stored[1]) or not pcall(cjson.decode, stored[2]) then return true end
  end
  return false
end

local function over(status) return status == 'completed' or status == 'failed' or status == 'cancelled' end

-- The surfaces that show a run: the one where it lives, and those that follow it.
local function showing(id)
  local run = redis.call('HMGET', run_key(id), 'surface', 'followers')
  local found = { run[1] or nil }
  for surface in string.gmatch(run[2] or '', '%S+') do found[#found + 1] = surface end
  return found
end

-- Append an event, numbered without gaps, and put the run into the outboxes of its surfaces; a question's event
-- also into the stream of all runs. Returns its number, and its position there.
-- NX: a run that waits there keeps its turn, and one that is postponed stays so.
local function append(id, body, at)
  local key = run_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', 1)
  redis.call('XADD', key .. ':events', seq .. '-0', 'at', at, 'body', body)
  wake('run:' .. id)
  local position
  if string.sub(body, 1, 21) == '{"type":"human_input_' then
    position = redis.call('XADD', base .. ':inbox', '*', 'run', id, 'seq', seq)
    redis.call('RPUSH', key .. ':inbox', position)
    wake('inbox:' .. shard())
  end
  for _, surface in ipairs(showing(id)) do
    redis.call('ZADD', base .. ':outbox:' .. surface, 'NX', at, id)
    wake('outbox:' .. surface .. ':' .. shard())
  end
  return seq, position
end

local function set_status(id, status)
  local key = run_key(id)
  local before = redis.call('HGET', key, 'status')
  if before == status then return end
  if before then redis.call('HINCRBY', base .. ':counts', before, -1) end
  redis.call('HINCRBY', base .. ':counts', status, 1)
  redis.call('HSET', key, 'status', status)
end

-- The lists that a run stands in: all, those of its requester, those of its group. Each has a twin of live runs.
local function lists(id)
  local run = redis.call('HMGET', run_key(id), 'requester', 'group')
  local found = { '', ':by:' .. run[1] }
  if run[2] then found[3] = ':in:' .. run[2] end
  return found
end

local function unlist(id, kind)
  for _, list in ipairs(lists(id)) do redis.call('ZREM', base .. kind .. list, id) end
end

-- ── where a run is ──────────────────────────────────────────────────────────────────────────────────────────
-- A run is in exactly one place. Its field `state` names the place, and the run stands in the index of that state and
-- in no other. `move` alone changes them; `forget` takes a finished run out for good.
--
--   state            index                                          score
--   awaiting_thread  none: its surface opens a thread for it
--   queued           a line (below)                                 since when it waits there
--   delayed          `delayed`                                      when it is queued again
--   leased           `leases`                                       when the lease runs out
--   parked           none: the answer to a question queues it
--   paused           `paused:<workspace>`                           since when it waited in its line
--   finished         `over`                                         when it ended
--
-- A line holds the runs of one crew that wait for the same reason. `alone`: two workers died of it, so it is executed
-- apart from others. `again`: it was claimed before. `new`: it was not. In a line the requesters take turns
-- (`line:<line>`, by when each had its last turn or came), and each has a queue of their own (`line:<line>:of:<...>`).

local function line_of(id)
  local run = redis.call('HMGET', run_key(id), 'crew', 'deaths', 'started_at')
  local kind = tonumber(run[2] or 0) >= 2 and 'alone' or run[3] and 'again' or 'new'
  return kind .. ':' .. run[1]
end

-- The line in which a queued run stands, and since when.
local function stands(id)
  local run = redis.call('HMGET', run_key(id), 'line', 'requester')
  return run[1], redis.call('ZSCORE', base .. ':line:' .. run[1] .. ':of:' .. run[2], id)
end

local function join_line(id, since)
  local line, requester = line_of(id), redis.call('HGET', run_key(id), 'requester')
  redis.call('HSET', run_key(id), 'line', line)
  redis.call('ZADD', base .. ':line:' .. line .. ':of:' .. requester, since, id)
  redis.call('ZADD', base .. ':line:' .. line, 'NX', now(), requester)
  redis.call('ZADD', base .. ':lines', 'NX', now(), line)
  redis.call('HINCRBY', base .. ':queued', line, 1)
  wake('queue:' .. shard())
end

local function leave_line(id)
  local run = redis.call('HMGET', run_key(id), 'line', 'requester')
  local line, requester = run[1], run[2]
  local ring = base .. ':line:' .. line
  local own = ring .. ':of:' .. requester
  redis.call('HDEL', run_key(id), 'line')
  redis.call('ZREM', own, id)
  if redis.call('HINCRBY', base .. ':queued', line, -1) == 0 then redis.call('HDEL', base .. ':queued', line) end
  if redis.call('EXISTS', own) == 0 then
    redis.call('ZREM', ring, requester)
    if redis.call('EXISTS', ring) == 0 then redis.call('ZREM', base .. ':lines', line) end
  end
end

local indexes = { delayed = ':delayed', leased = ':leases', finished = ':over' }

-- The sorted set in which runs of a state stand; nothing for states without one, and for lines.
local function index_of(id, state)
  if state == 'paused' then return base .. ':paused:' .. redis.call('HGET', run_key(id), 'tenant') end
  return indexes[state] and base .. indexes[state]
end

local function leave(id, state)
  if state == 'queued' then leave_line(id) end
  if state == 'leased' then
    local claim = redis.call('HGET', run_key(id), 'claim')
    if claim then redis.call('LREM', base .. ':claim:' .. claim, 0, id) end
    redis.call('HDEL', run_key(id), 'worker', 'claim', 'lease')
  end
  local index = index_of(id, state)
  if index then redis.call('ZREM', index, id) end
end

-- What people see of a live run follows from its place and from whether a question is open.
local function show_status(id)
  local run = redis.call('HMGET', run_key(id), 'state', 'open')
  if run[1] == 'finished' then return end
  local resting = run[1] == 'leased' and 'running' or 'queued'
  set_status(id, tonumber(run[2]) > 0 and 'input_required' or resting)
end

-- Take a run out of the place where it is, and put it into another one (or into the same one anew).
-- `score`: what the index of that state is ordered by; the states without an index need none.
local function move(id, state, score)
  leave(id, redis.call('HGET', run_key(id), 'state'))
  redis.call('HSET', run_key(id), 'state', state)
  if state == 'queued' then join_line(id, score) end
  local index = index_of(id, state)
  if index then redis.call('ZADD', index, score, id) end
  show_status(id)
end

-- Queue a run again, ahead of new ones, at once or when the store's clock says so. Whoever held it has been fenced off.
local function requeue(id, due)
  if due then
    move(id, 'delayed', due)
  else
    move(id, 'queued', redis.call('HGET', run_key(id), 'created_at'))
  end
  wake('run:' .. id)
end

-- Leave a run where it is, in an index whose score is when it is due, but have it due then.
local function put_off(id, index, due) redis.call('ZADD', base .. index, 'XX', due, id) end

-- Let the lease of a leased run last until then.
local function renew(id, ends) put_off(id, ':leases', ends) end

-- Something new is known of a run: that its workers died before is forgotten.
local function progressed(id) redis.call('HDEL', run_key(id), 'deaths', 'silent') end

-- For how long a run has worked (ms). Who comes late has counted less.
local function worked(id, ms)
  local key = run_key(id)
  if tonumber(ms) > tonumber(redis.call('HGET', key, 'worked') or 0) then redis.call('HSET', key, 'worked', ms) end
end

-- The lists of open questions that a question stands in: all, and one for each of its deciders.
local function open_lists(id, question)
  local found = { base .. ':open' }
  for _, decider in ipairs(cjson.decode(redis.call('HGET', question_key(id, question), 'rules')).policy.deciders) do
    found[#found + 1] = base .. ':open:for:' .. decider
  end
  return found
end

-- Give a question its one outcome. The caller has seen that it has none.
local function settle(id, question, outcome, body, at)
  redis.call('HSET', question_key(id, question), 'outcome', outcome, 'settled_at', at)
  redis.call('HINCRBY', question_key(id, question), 'revision', 1)
  for _, list in ipairs(open_lists(id, question)) do redis.call('ZREM', list, id .. '/' .. question) end
  redis.call('ZREM', base .. ':timers', 'deadline/' .. id .. '/' .. question, 'remind/' .. id .. '/' .. question)
  progressed(id)
  redis.call('HINCRBY', run_key(id), 'open', -1)
  if redis.call('HGET', run_key(id), 'state') == 'parked' then requeue(id) else show_status(id) end
  append(id, body, at)
  wake('question:' .. question)
end

-- End a run: withdraw what is still open, then append its last event. The caller has seen that no record is newer.
local function close(id, status, body, at)
  local key = run_key(id)
  set_status(id, status)
  redis.call('HSET', key, 'finished_at', at)
  move(id, 'finished', at)
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local q = redis.call('HMGET', question_key(id, question), 'outcome', 'withdrawn', 'withdrawn_body', 'version')
    if not q[1] and not above(q[4]) then settle(id, question, q[2], q[3], at) end
  end
  unlist(id, ':active')
  redis.call('ZADD', base .. ':journals', at, id)
  append(id, body, at)
end

-- ── whose it is ─────────────────────────────────────────────────────────────────────────────────────────────

-- Take a run from its worker, whose further transitions are then fenced off.
local function fence(id)
  redis.call('HINCRBY', run_key(id), 'epoch', 1)
  wake('cancelled')
end

-- A run's worker died. Another one takes the run up: after the second death with nothing new in between a while (ms)
-- later, and apart from others. After the third it fails, or, while people are asked, leaves memory until they have
-- answered.
-- `silent`: nobody saw it die, its lease ran out. Should it speak again, this is taken back (`spoke`).
local function lose(id, error, body, at, pause, silent)
  local key = run_key(id)
  if silent then
    local run = redis.call('HMGET', key, 'silent', 'epoch')
    redis.call('HSET', key, 'silent', (run[1] or ' ') .. run[2] .. ' ')
  end
  fence(id)
  local deaths = redis.call('HINCRBY', key, 'deaths', 1)
  if deaths < 3 then
    requeue(id, deaths == 2 and at + pause or nil)
  elseif tonumber(redis.call('HGET', key, 'open')) > 0 then
    move(id, 'parked')
  else
    redis.call('HSET', key, 'error', error)
    close(id, 'failed', body, at)
  end
end

-- Who held an earlier claim of a run speaks. If that claim's lease had run out in silence, its worker was suspended or
-- cut off and had not died: that death doesn't count.
local function spoke(id, epoch)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'silent', 'state')
  local from, to = string.find(run[1] or '', ' ' .. epoch .. ' ', 1, true)
  if not from then return end
  even_when_full()
  redis.call('HSET', key, 'silent', string.sub(run[1], 1, from) .. string.sub(run[1], to + 1))
  if redis.call('HINCRBY', key, 'deaths', -1) ~= 1 then return end
  -- It is no suspect any more.
  if run[2] == 'delayed' then requeue(id) end
  if run[2] == 'queued' then
    local _, since = stands(id)
    move(id, 'queued', since)
  end
  publish()
end

-- Whether this claim of a run is still the valid one.
local function holds(id, epoch)
  local run = redis.call('HMGET', run_key(id), 'epoch', 'state')
  if run[1] == epoch and run[2] == 'leased' then return true end
  spoke(id, epoch)
  return false
end

-- Look at the clock. If nobody has looked for so long that workers may have been unable to renew their leases (all was
-- suspended, Redis was away or failed over), or if the clock was set, each lease lasts as long from now as if it had
-- just been renewed. Such a gap is measured against half of the lease, since workers renew it every third.
-- Looks are noted only while somebody holds a run, and twice a second at most.
local LATE, NOTED = 2000, 500
local function look(at)
  local before = tonumber(redis.call('GET', base .. ':looked') or nil)
  local gap = before and at - before
  if gap and gap >= 0 and gap < NOTED then return end
  if not gap or gap < 0 or gap > LATE then
    for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
      local lease = tonumber(redis.call('HGET', run_key(id), 'lease'))
      if not gap or gap < 0 or gap > lease / 2 then renew(id, at + lease) end
    end
  end
  redis.call('SET', base .. ':looked', at)
end
