#!lua
-- Sets fields of a lane's meta, if the lane is of this dataset: 1, else 0.
-- KEYS: the meta. ARGV: dataset, then field, value, field, value ...
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
