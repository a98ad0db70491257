-- Pause the claims of a workspace's runs, or resume them. Returns 1.
-- Claims move its runs to `paused`, so that they block no others; resuming queues them at their former position.
-- ARGV: tenant, 1 (pause) or '' (resume), reason
allow_when_full()
local tenant = ARGV[1]
if ARGV[2] == '1' then
  redis.call('HSET', base .. ':paused', tenant, ARGV[3])
  return 1
end
redis.call('HDEL', base .. ':paused', tenant)
local aside = redis.call('ZRANGE', base .. ':paused:' .. tenant, 0, -1, 'WITHSCORES')
for n = 1, #aside, 2 do move(aside[n], 'queued', aside[n + 1]) end
publish()
return 1
