#!lua
-- Says until when somebody watches, if the lane is of this dataset: 1, else 0. It ends by itself.
-- KEYS: the lane's own hash, the watch. ARGV: dataset, until when in milliseconds since 1970.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PXAT', ARGV[2])
return 1
