-- Record a key outside of the shards that mentions a run, so that it is deleted with the run.
-- Returns 1, or 0 if there is no such run.
-- ARGV: id, key
allow_when_full()
if redis.call('EXISTS', run_key(ARGV[1])) == 0 then return 0 end
redis.call('SADD', run_key(ARGV[1]) .. ':references', ARGV[2])
return 1
