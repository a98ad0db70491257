-- Renew leases. Returns the ids of runs that are no longer this worker's.
-- ARGV: lease (ms), then run id, epoch and working time (ms) in turn
even_when_full()
local at = now()
local lost = {}
for n = 2, #ARGV, 3 do
  if holds(ARGV[n], ARGV[n + 1]) then
    renew(ARGV[n], at + ARGV[1])
    worked(ARGV[n], ARGV[n + 2])
  else
    lost[#lost + 1] = ARGV[n]
  end
end
return lost
