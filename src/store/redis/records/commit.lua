#!lua
-- Writes records of one lane, if each is what it was when it was read: all of them or none.
-- KEYS: the lane's meta, its stream of changes, the hashes of the records.
-- ARGV: dataset, tag of this commit, channel, lane, all fields packed, entries to keep of the stream; then for each
-- record: which of KEYS, field, what it was ('' absent, '*' anything), what it becomes ('' nothing).
-- Answers {1, version, tag before}; {0} if a record is another; {-1, id} if the lane is another dataset's.
local meta = redis.call('HMGET', KEYS[1], 'id', 'v', 't')
if meta[1] ~= ARGV[1] then
  return {-1, meta[1] or ''}
end
for i = 7, #ARGV, 4 do
  local was = ARGV[i + 2]
  if was ~= '*' and (redis.call('HGET', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) or '') ~= was then
    return {0}
  end
end
local version = string.format('%d', (tonumber(meta[2]) or 0) + 1)
local before = meta[3] or '0000000000000000'
-- First what could be refused, so that nothing is written then.
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], version .. '-0', 't', ARGV[2], 'f', ARGV[5])
for i = 7, #ARGV, 4 do
  local key, field, becomes = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 3]
  if becomes == '' then
    redis.call('HDEL', key, field)
  else
    redis.call('HSET', key, field, becomes)
  end
end
redis.call('HSET', KEYS[1], 'v', version, 't', ARGV[2])
redis.call('PUBLISH', ARGV[3], table.concat({ARGV[4], version, before, ARGV[2], ARGV[5]}, ' '))
return {1, version, before}
