#!lua
-- Puts a day's key unless there is one; it ends by itself.
-- KEYS: the lane's meta, the day's key. ARGV: dataset, ours, when it ends in milliseconds since 1970.
-- Answers {1, the key that is there}; {0, ''} if the server's clock says that it has ended; {-1, id} if the lane is
-- another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PXAT', ARGV[3])
local is = redis.call('GET', KEYS[2])
if is then
  return {1, is}
end
return {0, ''}
