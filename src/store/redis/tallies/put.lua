#!lua
-- Changes a lane's numbers, if they still are what the caller read; else nothing.
-- KEYS: the lane's own hash; all other keys that are changed ...
-- ARGV: dataset; the field of an ordinal, or ''; what that must be; the tag that was read; the new tag;
--       then steps: command, number of its key, how many arguments, and those.
-- Gives {1}; {0, ordinal} if that is another; {2} if the tag is another; {-1, dataset} if that is another.
local had = redis.call('HMGET', KEYS[1], 'id', 'w', ARGV[2])
local id, tag, ordinal = had[1] or '', had[2] or '', had[3] or '0'
if id ~= ARGV[1] then
  return {-1, id}
end
if tag == ARGV[5] then
  -- This very call, which the client sent again.
  return {1}
end
if ARGV[2] ~= '' and ordinal ~= ARGV[3] then
  return {0, ordinal}
end
if tag ~= ARGV[4] then
  return {2}
end
-- The first step is the lane's own hash: ordinal and tag go before the numbers they stand for.
local arg = 6
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
return {1}
