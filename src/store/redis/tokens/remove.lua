#!lua
-- Removes tokens of a kind; tells what the first of them was. Sent twice, the second finds nothing: who took a token
-- and lost the answer has not got it, and nobody else has.
-- KEYS: the root lane's meta, tokens of a kind by id, their ids by when they end. ARGV: dataset, id ...
-- Answers {1, bytes or ''}; {-1, id} if the lane is another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
local was = redis.call('HGET', KEYS[2], ARGV[2])
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end
return {1, was or ''}
