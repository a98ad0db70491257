-- Returns the milliseconds until `apply_due` has something to do in this shard: 0 if it has now. Timers of questions are read
-- in bot/store/timers.py. It also checks the clock (prelude.lua).
-- ARGV: retention (ms), upper bound of the result, retention of journals (ms)
allow_when_full()
local at, soonest = now(), tonumber(ARGV[2])
if redis.call('EXISTS', base .. ':leases') == 1 then check_clock(at) end

local function consider(list, later)
  local first = redis.call('ZRANGE', base .. list, 0, 0, 'WITHSCORES')
  if first[2] then soonest = math.min(soonest, first[2] + later - at) end
end

consider(':leases', 0)
consider(':delayed', 0)
consider(':finished', ARGV[1])
consider(':journals', ARGV[3])
return math.max(soonest, 0)
