-- Renew leases. Returns the ids of runs that this worker has lost.
-- ARGV: lease (ms), then run id, epoch and execution time (ms) in turn
allow_when_full()
local at = now()
local lost = {}
for n = 2, #ARGV, 3 do
  if holds_claim(ARGV[n], ARGV[n + 1]) then
    renew_lease(ARGV[n], at + ARGV[1])
    set_worked(ARGV[n], ARGV[n + 2])
  else
    lost[#lost + 1] = ARGV[n]
  end
end
return lost
