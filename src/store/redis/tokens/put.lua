#!lua
-- Keeps a token; those that have ended go, and of too many those that would end first. Both keys end by themselves a
-- day after the last token does.
-- KEYS: the root lane's meta, tokens of a kind by id, their ids by when they end.
-- ARGV: dataset, now, how many are kept, a day (times in milliseconds), then id, bytes, when it ends.
-- Answers {1, ''}; {-1, id} if the lane is another dataset's.
local id = redis.call('HGET', KEYS[1], 'id')
if id ~= ARGV[1] then
  return {-1, id or ''}
end
redis.call('HSET', KEYS[2], ARGV[5], ARGV[6])
redis.call('ZADD', KEYS[3], ARGV[7], ARGV[5])
local function go(ids)
  for _, gone in ipairs(ids) do
    redis.call('HDEL', KEYS[2], gone)
    redis.call('ZREM', KEYS[3], gone)
  end
end
go(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[2], 'LIMIT', 0, 100))
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[3])
if over > 0 then
  go(redis.call('ZRANGE', KEYS[3], 0, math.min(over, 100) - 1))
end
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
if last then
  -- By the span and not by the server's clock: the token's times are the node's.
  local life = math.max(last - ARGV[2], 0) + ARGV[4]
  for k = 2, 3 do
    redis.call('PEXPIRE', KEYS[k], string.format('%.0f', life))
  end
end
return {1, ''}
