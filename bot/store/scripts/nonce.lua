-- Shared by the transitions that use a nonce.

-- Use a nonce, before anything else is written. False if another arrival of its request has used it.
local function use_nonce(name, arrival, ttl)
  local key = base .. ':nonce:' .. name
  return redis.call('SET', key, arrival, 'NX', 'PX', ttl) or redis.call('GET', key) == arrival
end
