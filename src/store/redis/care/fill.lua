#!lua
-- Fills a lane that has no dataset: only who began it goes on, until nothing was heard of it for a while.
-- KEYS: the lane's meta; all keys that are changed ...
-- ARGV: who; seconds after which another may take over; then steps: command, number of its key, how many
-- arguments, and those.
-- Answers 1; 0 if the lane has a dataset; 2 if somebody else is at it.
local meta = KEYS[1]
local had = redis.call('HMGET', meta, 'id', 'making', 'made', 'maker')
if had[1] then
  -- The last step, which the client sent again.
  return had[4] == ARGV[1] and 1 or 0
end
local now = tonumber(redis.call('TIME')[1])
if had[2] and had[2] ~= ARGV[1] and now - tonumber(had[3] or '0') < tonumber(ARGV[2]) then
  return 2
end
redis.call('HSET', meta, 'making', ARGV[1], 'made', now)
local arg = 3
while ARGV[arg] do
  local command, key, last = ARGV[arg], KEYS[tonumber(ARGV[arg + 1])], arg + 2 + tonumber(ARGV[arg + 2])
  if last == arg + 2 then
    redis.call(command, key)
  end
  -- Lua passes a few thousand values at once; fields and their values stay together.
  for first = arg + 3, last, 4000 do
    redis.call(command, key, unpack(ARGV, first, math.min(first + 3999, last)))
  end
  arg = last + 1
end
return 1
