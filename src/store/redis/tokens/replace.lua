#!lua
-- Replaces a token's bytes if they still are what was read. The same if it is sent twice.
-- KEYS: the root lane's meta, tokens of a kind by id. ARGV: dataset, id, what it was, what it becomes.
-- Answers {1 or 0, ''}; {-1, id} if the lane is another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
if redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then
  return {0, ''}
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return {1, ''}
