#!lua
-- Replaces a delivery if it still is what was read, notes its webhook's health, and lets ended ones go that are too
-- old or too many.
-- KEYS: the root lane's meta, deliveries by id, those that wait by time, all in order of creation, those that ended by
-- time, since when the webhook fails.
-- ARGV: dataset, id, what it was, what it becomes, its place, when it is due ('' if it has ended), when it ended,
-- health ('' nothing, '0' good, else since when it fails), life in milliseconds, ended ones older than this go, as many
-- of them stay, as many go at once.
-- Answers {1 or 0, since when it fails or ''}; 0 if it was not what was read; {-1, id} if the lane is another dataset's.
-- A place is 14 digits and the id, so that the one gives the other.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
local is = redis.call('HGET', KEYS[2], ARGV[2])
if is ~= ARGV[3] then
  -- Its own work, sent twice.
  local done = 0
  if is == ARGV[4] then
    done = 1
  end
  return {done, redis.call('GET', KEYS[6]) or ''}
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
if ARGV[6] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[2])
  redis.call('ZREM', KEYS[5], ARGV[5])
else
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('ZADD', KEYS[5], ARGV[7], ARGV[5])
end
if ARGV[8] == '0' then
  redis.call('DEL', KEYS[6])
elseif ARGV[8] ~= '' then
  redis.call('SET', KEYS[6], ARGV[8], 'NX')
end
local function go(places)
  for _, place in ipairs(places) do
    redis.call('HDEL', KEYS[2], string.sub(place, 15))
    redis.call('ZREM', KEYS[4], place)
    redis.call('ZREM', KEYS[5], place)
  end
end
go(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', '(' .. ARGV[10], 'LIMIT', 0, ARGV[12]))
local over = redis.call('ZCARD', KEYS[5]) - tonumber(ARGV[11])
if over > 0 then
  go(redis.call('ZRANGE', KEYS[5], 0, math.min(over, tonumber(ARGV[12])) - 1))
end
for k = 2, 6 do
  redis.call('PEXPIRE', KEYS[k], ARGV[9])
end
return {1, redis.call('GET', KEYS[6]) or ''}
