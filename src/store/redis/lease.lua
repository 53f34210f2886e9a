#!lua
-- Takes a lease, goes on with it or gives it back; it ends by itself, by the server's clock.
-- KEYS: the root lane's meta, the lease. ARGV: dataset, holder, for how many milliseconds; 0 gives it back.
-- Answers {1, ''} if the holder has it (or has given it back); {0, ''} if another has; {-1, id} if the lane is another
-- dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then
  return {0, ''}
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
return {1, ''}
