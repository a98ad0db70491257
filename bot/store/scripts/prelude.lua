-- Shared by all transitions: key names, the clock, wake-ups, and the changes of a run that several of them make.
-- KEYS[1] is the prefix of one shard. All keys that a transition touches start with it and share its slot.
-- JSON stays text here: it is decoded where a rule needs it and never encoded, since cjson turns an empty list into an
-- object.
-- Each transition may run twice if its reply was lost: the second time it changes nothing and, where the caller needs
-- it, returns the same reply. `call` identifies one call for that.
local base = KEYS[1]
local topics = {}
local published, published_bytes = {}, 0

-- Up to this size the events of a transition are published along with its topics, so that nobody has to read them.
local MAX_PUBLISHED_BYTES = 16384

-- Milliseconds since the epoch, whole.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Let this transition run when Redis is full (maxmemory). Redis refuses a script at its first write that may need
-- memory, and never after another write, so no transition is half done. Transitions that people wait for, or that free
-- memory, start with a write that needs none; those that grow with the work of crews (start, ask, append_event, the
-- journal) fail until there is room.
local function allow_when_full() redis.call('DEL', base .. ':full') end

local function run_key(id) return base .. ':run:' .. id end
local function question_key(id, question) return run_key(id) .. ':question:' .. question end

-- The key that marks the id of a deleted run, so that a repeated start is refused. It contains only a hash of the id.
local function tombstone_key(id) return base .. ':tombstone:' .. redis.sha1hex(id) end

local function wake(topic) topics[#topics + 1] = topic end

-- Publish an event with the topics: a line `<run> <seq> <at> <body>`. JSON has no line breaks.
local function publish_event(id, seq, at, body)
  published[#published + 1] = string.format('%s %d %d %s', id, seq, at, body)
  published_bytes = published_bytes + #body
  if string.find(body, '\n', 1, true) then published_bytes = math.huge end
end

-- Publish the topics that changed, and in the lines after them the events: all of the transition's, or none if they are
-- large. Each transition ends with it.
local function publish()
  if #topics == 0 then return end
  local message = table.concat(topics, ' ')
  if #published > 0 and published_bytes <= MAX_PUBLISHED_BYTES then
    message = message .. '\n' .. table.concat(published, '\n')
  end
  redis.call('PUBLISH', 'crewdeck:wake', message)
end

local function shard() return string.match(base, '{s(%d+)}') end

-- Whether a newer release wrote a record (RECORD is the version that this one writes, see lua.py). Such records are
-- left unchanged.
local function is_newer_version(version) return (tonumber(version or 1) or math.huge) > RECORD end

-- Give a run the version of this release's records, since it has one of them now.
local function raise_version(id)
  local key = run_key(id)
  if not is_newer_version(redis.call('HGET', key, 'version')) then redis.call('HSET', key, 'version', RECORD) end
end

-- Whether a newer release wrote the run or one of its questions. A damaged question counts as newer.
local function has_newer_version(id)
  local key = run_key(id)
  if is_newer_version(redis.call('HGET', key, 'version')) then return true end
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local stored = redis.call('HMGET', question_key(id, question), 'version', 'rules')
    if is_newer_version(stored[1]) or not pcall(cjson.decode, stored[2]) then return true end
  end
  return false
end

local function is_finished(status) return status == 'completed' or status == 'failed' or status == 'cancelled' end

-- The surfaces that show a run: its own, and its followers.
local function surfaces_of(id)
  local run = redis.call('HMGET', run_key(id), 'surface', 'followers')
  local found = { run[1] or nil }
  for surface in string.gmatch(run[2] or '', '%S+') do found[#found + 1] = surface end
  return found
end

-- Whether a surface has something to show of a run: it lives there, or its question events are relayed there.
local function is_shown_on(id, surface)
  local key = run_key(id)
  return redis.call('HGET', key, 'surface') == surface or redis.call('SISMEMBER', key .. ':relays', surface) == 1
end

local function add_to_outbox(id, surface, at)
  redis.call('ZADD', base .. ':outbox:' .. surface, 'NX', at, id)
  wake('outbox:' .. surface .. ':' .. shard())
end

-- Add a run that lives on one chat surface to the outboxes of the others (`relays`, by until when they are listed):
-- people may be linked there who decide the run's questions.
local function relay(id, at)
  local home = redis.call('HGET', run_key(id), 'surface')
  if not home then return end
  for _, surface in ipairs(redis.call('ZRANGE', base .. ':relays', at, '+inf', 'BYSCORE')) do
    if surface ~= home then
      redis.call('SADD', run_key(id) .. ':relays', surface)
      add_to_outbox(id, surface, at)
    end
  end
end

-- Append an event with the next number, and add the run to the outboxes of its surfaces. A question event is also
-- added to the stream of all runs, and relayed. Returns its number, and its position in that stream.
-- NX: a run that is in an outbox keeps its turn, and a postponed run stays postponed.
local function append_event(id, body, at)
  local key = run_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', 1)
  redis.call('XADD', key .. ':events', seq .. '-0', 'at', at, 'body', body)
  wake('run:' .. id)
  publish_event(id, seq, at, body)
  local position
  if string.sub(body, 1, 21) == '{"type":"human_input_' then
    position = redis.call('XADD', base .. ':inbox', '*', 'run', id, 'seq', seq)
    redis.call('RPUSH', key .. ':inbox', position)
    wake('inbox:' .. shard())
    relay(id, at)
  end
  for _, surface in ipairs(surfaces_of(id)) do add_to_outbox(id, surface, at) end
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

-- Suffixes of the lists that contain a run: all runs, those of its requester, those of its group. There is one set of
-- lists for all runs and one for live runs.
local function lists_of(id)
  local run = redis.call('HMGET', run_key(id), 'requester', 'group')
  local found = { '', ':by:' .. run[1] }
  if run[2] then found[3] = ':in:' .. run[2] end
  return found
end

local function remove_from_lists(id, kind)
  for _, list in ipairs(lists_of(id)) do redis.call('ZREM', base .. kind .. list, id) end
end

-- ── states of a run ─────────────────────────────────────────────────────────────────────────────────────────
-- The field `state` says where a run is. The run is in the index of that state and in no other. Only `move` changes
-- both; `forget` removes a finished run.
--
--   state            index                                          score
--   awaiting_thread  none: its surface opens a thread for it
--   queued           a queue (below)                                when it was queued
--   delayed          `delayed`                                      when it is queued again
--   leased           `leases`                                       when the lease expires
--   parked           none: the answer to a question queues it
--   paused           `paused:<workspace>`                           when it was queued
--   finished         `finished`                                     when it ended
--
-- A queue holds runs of one crew. Its kind is `isolated` (two workers died with the run, so it is executed apart from
-- others), `resumed` (claimed before) or `new`. Requesters take turns in a queue (`queue:<queue>`, by the time of the
-- last turn or of arrival); each has a sorted set of runs (`queue:<queue>:of:<requester>`).

local function queue_of(id)
  local run = redis.call('HMGET', run_key(id), 'crew', 'crash_count', 'started_at')
  local kind = tonumber(run[2] or 0) >= 2 and 'isolated' or run[3] and 'resumed' or 'new'
  return kind .. ':' .. run[1]
end

-- The queue of a queued run, and when it was queued.
local function queue_position(id)
  local run = redis.call('HMGET', run_key(id), 'queue', 'requester')
  return run[1], redis.call('ZSCORE', base .. ':queue:' .. run[1] .. ':of:' .. run[2], id)
end

local function join_queue(id, since)
  local queue, requester = queue_of(id), redis.call('HGET', run_key(id), 'requester')
  redis.call('HSET', run_key(id), 'queue', queue)
  redis.call('ZADD', base .. ':queue:' .. queue .. ':of:' .. requester, since, id)
  redis.call('ZADD', base .. ':queue:' .. queue, 'NX', now(), requester)
  redis.call('ZADD', base .. ':queues', 'NX', now(), queue)
  redis.call('HINCRBY', base .. ':queue_lengths', queue, 1)
  wake('queue:' .. shard())
end

local function leave_queue(id)
  local run = redis.call('HMGET', run_key(id), 'queue', 'requester')
  local queue, requester = run[1], run[2]
  local requesters = base .. ':queue:' .. queue
  local own = requesters .. ':of:' .. requester
  redis.call('HDEL', run_key(id), 'queue')
  redis.call('ZREM', own, id)
  if redis.call('HINCRBY', base .. ':queue_lengths', queue, -1) == 0 then redis.call('HDEL', base .. ':queue_lengths', queue) end
  if redis.call('EXISTS', own) == 0 then
    redis.call('ZREM', requesters, requester)
    if redis.call('EXISTS', requesters) == 0 then redis.call('ZREM', base .. ':queues', queue) end
  end
end

local indexes = { delayed = ':delayed', leased = ':leases', finished = ':finished' }

-- The sorted set of a state; nil for queues and for states without one.
local function index_of(id, state)
  if state == 'paused' then return base .. ':paused:' .. redis.call('HGET', run_key(id), 'tenant') end
  return indexes[state] and base .. indexes[state]
end

local function leave(id, state)
  if state == 'queued' then leave_queue(id) end
  if state == 'leased' then
    local claim = redis.call('HGET', run_key(id), 'claim')
    if claim then redis.call('LREM', base .. ':claim:' .. claim, 0, id) end
    redis.call('HDEL', run_key(id), 'worker', 'claim', 'lease')
  end
  local index = index_of(id, state)
  if index then redis.call('ZREM', index, id) end
end

-- Derive the status of a live run from its state and its open questions.
local function update_status(id)
  local run = redis.call('HMGET', run_key(id), 'state', 'open')
  if run[1] == 'finished' then return end
  local resting = run[1] == 'leased' and 'running' or 'queued'
  set_status(id, tonumber(run[2]) > 0 and 'input_required' or resting)
end

-- Move a run to a state (perhaps the one that it has). `score` orders the index of that state, where there is one.
local function move(id, state, score)
  leave(id, redis.call('HGET', run_key(id), 'state'))
  redis.call('HSET', run_key(id), 'state', state)
  if state == 'queued' then join_queue(id, score) end
  local index = index_of(id, state)
  if index then redis.call('ZADD', index, score, id) end
  update_status(id)
end

-- Queue a run again, ahead of new ones, now or at the time `due`. Its former worker has been fenced off.
local function requeue(id, due)
  if due then
    move(id, 'delayed', due)
  else
    move(id, 'queued', redis.call('HGET', run_key(id), 'created_at'))
  end
  wake('run:' .. id)
end

-- Change the time at which a run is due in an index.
local function reschedule(id, index, due) redis.call('ZADD', base .. index, 'XX', due, id) end

local function renew_lease(id, ends) reschedule(id, ':leases', ends) end

-- The run has made progress: its earlier crashes no longer count.
local function reset_crashes(id) redis.call('HDEL', run_key(id), 'crash_count', 'expired_epochs') end

-- Record for how long a run has been executed (ms). It never decreases: a late heartbeat may report less.
local function set_worked(id, ms)
  local key = run_key(id)
  if tonumber(ms) > tonumber(redis.call('HGET', key, 'worked') or 0) then redis.call('HSET', key, 'worked', ms) end
end

-- The lists that contain an open question: all, and one for each of its deciders.
local function open_lists(id, question)
  local found = { base .. ':open' }
  for _, decider in ipairs(cjson.decode(redis.call('HGET', question_key(id, question), 'rules')).policy.deciders) do
    found[#found + 1] = base .. ':open:for:' .. decider
  end
  return found
end

-- Set the outcome of a question. The caller has checked that it has none.
local function settle_question(id, question, outcome, body, at)
  redis.call('HSET', question_key(id, question), 'outcome', outcome, 'settled_at', at)
  redis.call('HINCRBY', question_key(id, question), 'revision', 1)
  for _, list in ipairs(open_lists(id, question)) do redis.call('ZREM', list, id .. '/' .. question) end
  redis.call('ZREM', base .. ':timers', 'deadline/' .. id .. '/' .. question, 'remind/' .. id .. '/' .. question)
  reset_crashes(id)
  redis.call('HINCRBY', run_key(id), 'open', -1)
  if redis.call('HGET', run_key(id), 'state') == 'parked' then requeue(id) else update_status(id) end
  append_event(id, body, at)
  wake('question:' .. question)
end

-- End a run: withdraw its open questions, then append its last event. The caller has checked that no record is newer.
local function finish_run(id, status, body, at)
  local key = run_key(id)
  set_status(id, status)
  redis.call('HSET', key, 'finished_at', at)
  move(id, 'finished', at)
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local q = redis.call('HMGET', question_key(id, question), 'outcome', 'withdrawn', 'withdrawn_body', 'version')
    if not q[1] and not is_newer_version(q[4]) then settle_question(id, question, q[2], q[3], at) end
  end
  remove_from_lists(id, ':active')
  redis.call('ZADD', base .. ':journals', at, id)
  append_event(id, body, at)
end

-- ── claims and leases ───────────────────────────────────────────────────────────────────────────────────────

-- Invalidate the claim of a run: later transitions of its worker are refused.
local function fence(id)
  redis.call('HINCRBY', run_key(id), 'epoch', 1)
  wake('cancelled')
end

-- End the lease of a run whose worker died, and count the crash. The run is queued again: after the second crash
-- without progress `pause` ms later and isolated. After the third it fails, or is parked while a question is open.
-- `silent`: the lease expired and nobody saw the worker die. If the worker reports later, `undo_crash` reverts this.
local function expire_lease(id, error, body, at, pause, silent)
  local key = run_key(id)
  if silent then
    local run = redis.call('HMGET', key, 'expired_epochs', 'epoch')
    redis.call('HSET', key, 'expired_epochs', (run[1] or ' ') .. run[2] .. ' ')
  end
  fence(id)
  local crashes = redis.call('HINCRBY', key, 'crash_count', 1)
  if crashes < 3 then
    requeue(id, crashes == 2 and at + pause or nil)
  elseif tonumber(redis.call('HGET', key, 'open')) > 0 then
    move(id, 'parked')
  else
    redis.call('HSET', key, 'error', error)
    finish_run(id, 'failed', body, at)
  end
end

-- Called when the worker of an earlier claim reports. If the lease of that claim expired in silence, the worker was
-- suspended or disconnected, not dead: the crash is no longer counted.
local function undo_crash(id, epoch)
  local key = run_key(id)
  local run = redis.call('HMGET', key, 'expired_epochs', 'state')
  local from, to = string.find(run[1] or '', ' ' .. epoch .. ' ', 1, true)
  if not from then return end
  allow_when_full()
  redis.call('HSET', key, 'expired_epochs', string.sub(run[1], 1, from) .. string.sub(run[1], to + 1))
  if redis.call('HINCRBY', key, 'crash_count', -1) ~= 1 then return end
  -- It is no longer suspected.
  if run[2] == 'delayed' then requeue(id) end
  if run[2] == 'queued' then
    local _, since = queue_position(id)
    move(id, 'queued', since)
  end
  publish()
end

-- Whether this claim of a run is still valid.
local function holds_claim(id, epoch)
  local run = redis.call('HMGET', run_key(id), 'epoch', 'state')
  if run[1] == epoch and run[2] == 'leased' then return true end
  undo_crash(id, epoch)
  return false
end

-- Check the clock. If it was not checked for so long that workers may have been unable to renew their leases (the
-- machine was suspended, Redis was unavailable or failed over), or if the clock was set, all leases are renewed now. The
-- limit is half of a lease, since workers renew at a third of it.
-- Checks are recorded only while a run is leased, and at most twice a second.
local MAX_GAP_MS, MIN_INTERVAL_MS = 2000, 500
local function check_clock(at)
  local before = tonumber(redis.call('GET', base .. ':clock_checked') or nil)
  local gap = before and at - before
  if gap and gap >= 0 and gap < MIN_INTERVAL_MS then return end
  if not gap or gap < 0 or gap > MAX_GAP_MS then
    for _, id in ipairs(redis.call('ZRANGE', base .. ':leases', 0, -1)) do
      local lease = tonumber(redis.call('HGET', run_key(id), 'lease'))
      if not gap or gap < 0 or gap > lease / 2 then renew_lease(id, at + lease) end
    end
  end
  redis.call('SET', base .. ':clock_checked', at)
end
