-- Milliseconds until the script `tick` has something to do in this shard: 0 if it has now. Timers of questions are looked
-- at in bot/store/timers.py.
-- It is also the look at the clock by which leases are judged (prelude.lua).
-- ARGV: retention (ms), how many to say at most, for how long the journals of runs that are over are kept (ms)
even_when_full()
local at, soonest = now(), tonumber(ARGV[2])
if redis.call('EXISTS', base .. ':leases') == 1 then look(at) end

local function look(list, later)
  local first = redis.call('ZRANGE', base .. list, 0, 0, 'WITHSCORES')
  if first[2] then soonest = math.min(soonest, first[2] + later - at) end
end

look(':leases', 0)
look(':delayed', 0)
look(':over', ARGV[1])
look(':journals', ARGV[3])
return math.max(soonest, 0)
