-- Note where something is kept outside of the shards that speaks of a run, so that it can be deleted with the run.
-- Returns 1, or 0 if there is no such run.
-- ARGV: id, name
even_when_full()
if redis.call('EXISTS', run_key(ARGV[1])) == 0 then return 0 end
redis.call('SADD', run_key(ARGV[1]) .. ':noted', ARGV[2])
return 1
