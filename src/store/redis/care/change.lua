#!lua
-- Changes what a lane says of itself, if it is this dataset's. Done twice it is done once.
-- KEYS: the lane's meta.
-- ARGV: dataset; then `note`, a field, what it says ('' takes it away); or `rename`, the field that has the
-- dataset, its new name.
-- Answers 1; 0 for a lane that is not this dataset's.
local meta, field, to = KEYS[1], ARGV[3], ARGV[4]
if ARGV[2] == 'note' then
  if redis.call('HGET', meta, 'id') ~= ARGV[1] then
    return 0
  end
  if to == '' then
    redis.call('HDEL', meta, field)
  else
    redis.call('HSET', meta, field, to)
  end
  return 1
end
local had = redis.call('HMGET', meta, field, to)
if had[2] == ARGV[1] then
  return 1
end
if had[1] ~= ARGV[1] then
  return 0
end
redis.call('HDEL', meta, field)
redis.call('HSET', meta, to, ARGV[1])
return 1
