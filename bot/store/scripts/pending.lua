-- Returns the ids of runs that have events to show now, the longest waiting first.
-- ARGV: surface, limit
return redis.call('ZRANGE', base .. ':outbox:' .. ARGV[1], '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[2])
