-- Returns the last position that this shard's stream of question events has issued, also if its entry is gone.
if redis.call('EXISTS', base .. ':inbox') == 0 then return '0-0' end
local about = redis.call('XINFO', 'STREAM', base .. ':inbox')
for i = 1, #about, 2 do
  if about[i] == 'last-generated-id' then return about[i + 1] end
end
return '0-0'
