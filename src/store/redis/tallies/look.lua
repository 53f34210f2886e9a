#!lua flags=no-writes
-- Reads, at one moment, fields of the lane's own hash and of hashes of numbers.
-- KEYS: the lane's own hash; hashes of numbers ...
-- ARGV: dataset; then for each key: how many fields, and those.
-- Gives {1, value ...} in the order of the question; {-1, dataset} if it is another.
local id = redis.call('HGET', KEYS[1], 'id') or ''
if id ~= ARGV[1] then
  return {-1, id}
end
local out, n, arg = {1}, 1, 2
for _, key in ipairs(KEYS) do
  local last = arg + tonumber(ARGV[arg])
  -- Lua passes a few thousand values at once.
  for first = arg + 1, last, 4000 do
    local some = redis.call('HMGET', key, unpack(ARGV, first, math.min(first + 3999, last)))
    for i = 1, #some do
      n = n + 1
      out[n] = some[i]
    end
  end
  arg = last + 1
end
return out
