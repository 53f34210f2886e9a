#!lua
-- Adds deliveries of one webhook that wait; one that is there stays as it is. All keys end by themselves a while after
-- the last thing that happened, so that nothing is left of a webhook that is gone.
-- KEYS: the root lane's meta, deliveries by id, those that wait by time, all in order of creation.
-- ARGV: dataset, how many may wait, life in milliseconds, then for each: id, bytes, when it is due, its place.
-- Answers {1, added, refused, ''}; {-1, 0, 0, id} if the lane is another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, 0, 0, id or ''}
end
local added, refused = 0, 0
local waiting = redis.call('ZCARD', KEYS[3])
for i = 4, #ARGV, 4 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    if waiting >= tonumber(ARGV[2]) then
      refused = refused + 1
    else
      redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
      redis.call('ZADD', KEYS[3], ARGV[i + 2], ARGV[i])
      redis.call('ZADD', KEYS[4], 0, ARGV[i + 3])
      added = added + 1
      waiting = waiting + 1
    end
  end
end
for k = 2, 4 do
  redis.call('PEXPIRE', KEYS[k], ARGV[3])
end
return {1, added, refused, ''}
