#!lua flags=no-writes
-- Reads, at one moment, the lane's own hash and its totals.
-- KEYS: the lane's own hash; hashes of totals ...
-- ARGV: dataset; the only field that counts, or '' for all.
-- Gives {1, own hash, totals ...}; {-1, dataset} if it is another.
local own = redis.call('HGETALL', KEYS[1])
local id = redis.call('HGET', KEYS[1], 'id') or ''
if id ~= ARGV[1] then
  return {-1, id}
end
local out, n = {1, own}, 2
for k = 2, #KEYS do
  local some
  if ARGV[2] == '' then
    some = redis.call('HVALS', KEYS[k])
  else
    some = redis.call('HMGET', KEYS[k], ARGV[2])
  end
  for i = 1, #some do
    n = n + 1
    out[n] = some[i]
  end
end
return out
