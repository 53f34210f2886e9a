#!lua
-- Makes the root lane's meta unless it is there, and answers all that is there then.
-- KEYS: the meta. ARGV: field, value, field, value ...; the first field is `id`.
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV))
end
return redis.call('HGETALL', KEYS[1])
