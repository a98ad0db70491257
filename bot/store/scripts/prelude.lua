-- Shared by all transitions. KEYS[1] is the base of one shard; all keys a transition touches start with it.
-- Values that people or programs made stay strings here: JSON is read where a rule needs it, and never written,
-- since cjson would turn an empty list into an object.
local base = KEYS[1]
local topics = {}

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function run_key(id) return base .. ':run:' .. id end
local function question_key(id, question) return run_key(id) .. ':question:' .. question end

local function wake(topic) topics[#topics + 1] = topic end

-- Tell all processes what changed; the last thing a transition does.
local function publish()
  if #topics > 0 then redis.call('PUBLISH', 'crewdeck:wake', table.concat(topics, ' ')) end
end

local function shard() return string.match(base, '{s(%d+)}') end

-- Append an event, numbered without gaps, and put the run into its surface's outbox.
local function append(id, body, at)
  local key = run_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', 1)
  redis.call('XADD', key .. ':events', seq .. '-0', 'at', at, 'body', body)
  wake('run:' .. id)
  local surface = redis.call('HGET', key, 'surface')
  if surface then
    redis.call('ZADD', base .. ':outbox:' .. surface, 'NX', at, id)
    wake('outbox:' .. surface .. ':' .. shard())
  end
  return seq
end

local function set_status(id, status)
  local key = run_key(id)
  local before = redis.call('HGET', key, 'status')
  if before == status then return end
  if before then redis.call('HINCRBY', base .. ':counts', before, -1) end
  redis.call('HINCRBY', base .. ':counts', status, 1)
  redis.call('HSET', key, 'status', status)
end

local function over(status) return status == 'completed' or status == 'failed' or status == 'cancelled' end

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

-- core/rules.py: may
local function may(actor, policy)
  if actor.admin then return true end
  if not contains(policy.admits, actor.standing) then return false end
  if contains(policy.deciders, '*') then return true end
  for _, principal in ipairs(actor.principals) do
    if contains(policy.deciders, principal) then return true end
  end
  return false
end

local function enqueue(id, at)
  redis.call('ZADD', base .. ':queue:' .. redis.call('HGET', run_key(id), 'crew'), at, id)
  wake('queue:' .. shard())
end

-- Give a question its one outcome.
local function settle(id, question, outcome, body, at)
  local key = question_key(id, question)
  redis.call('HSET', key, 'outcome', outcome, 'settled_at', at)
  redis.call('ZREM', base .. ':open', id .. '/' .. question)
  redis.call('ZREM', base .. ':timers', 'deadline/' .. id .. '/' .. question, 'remind/' .. id .. '/' .. question)
  if redis.call('HINCRBY', run_key(id), 'open', -1) == 0
    and redis.call('HGET', run_key(id), 'status') == 'input_required' then
    set_status(id, 'running')
  end
  append(id, body, at)
  wake('question:' .. question)
end

-- End a run: withdraw what is still open, then append its last event.
local function close(id, status, body, at)
  local key = run_key(id)
  for _, question in ipairs(redis.call('LRANGE', key .. ':asked', 0, -1)) do
    local q = question_key(id, question)
    if redis.call('HEXISTS', q, 'outcome') == 0 then
      local withdrawn = redis.call('HMGET', q, 'withdrawn', 'withdrawn_body')
      settle(id, question, withdrawn[1], withdrawn[2], at)
    end
  end
  set_status(id, status)
  redis.call('HSET', key, 'finished_at', at)
  redis.call('ZREM', base .. ':queue:' .. redis.call('HGET', key, 'crew'), id)
  redis.call('ZREM', base .. ':leases', id)
  redis.call('ZADD', base .. ':over', at, id)
  append(id, body, at)
end
