#!lua
-- Sets a string if it is what it was when it was read; it ends by itself.
-- KEYS: the lane's meta, the string. ARGV: dataset, what it was ('' absent), what it becomes ('' nothing), its life
-- in milliseconds. Answers {1}; {0, what it is} if it is another; {-1, id} if the lane is another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
local is = redis.call('GET', KEYS[2]) or ''
if is ~= ARGV[2] then
  return {0, is}
end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
end
return {1, ''}
