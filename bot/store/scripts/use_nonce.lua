-- Use the nonce of a request that starts no run. Returns 1, or 0 if another arrival of it has used the nonce.
-- ARGV: nonce, arrival, TTL (ms)
allow_when_full()
return use_nonce(ARGV[1], ARGV[2], ARGV[3]) and 1 or 0
