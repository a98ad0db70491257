-- Returns the ids of runs that have something to show now, those that wait longest first.
-- ARGV: surface, limit
return redis.call('ZRANGE', base .. ':outbox:' .. ARGV[1], '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[2])
