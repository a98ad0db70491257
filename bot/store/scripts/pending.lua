-- The runs that have something to show now.
-- ARGV: surface, limit
return redis.call('ZRANGE', base .. ':outbox:' .. ARGV[1], '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[2])
