#include "script.h"

/*
 * Who is present in a room, by user and by session:
 *   <prefix>:u:<room>   hash: user → "sessions since until last-session data" (data: "+" and JSON, or "-");
 *                       until: the end of the grace of those who went since the last one came, 0: none went
 *   <prefix>:p:<room>   hash: session → "owner user"
 *   <prefix>:v:<room>   counts the room's changes: who misses one sees it by the next
 * and for all rooms:
 *   <prefix>:g          sorted by time: "room NUL user", whose grace ends then
 *   <prefix>:o          sorted by time: owners (workers of nodes), whose lease ends then
 *   <prefix>:h:<owner>  set: "room NUL session", what goes when its owner dies
 * Changes are pushed on the room's channel: "p version count kind length-of-user length-of-session ", user,
 * session, data; kind j, l or u.
 */
#define COMMON \
    "local P = ARGV[1]\n" \
    "local t = redis.call('TIME')\n" \
    "local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)\n" \
    "local function tell(room, kind, user, session, data)\n" \
    "  local v = redis.call('INCR', P .. ':v:' .. room)\n" \
    "  if v == 1 then v = now * 1000; redis.call('SET', P .. ':v:' .. room, string.format('%.0f', v)) end\n" \
    "  redis.call('PEXPIRE', P .. ':v:' .. room, 86400000)\n" \
    "  local count = redis.call('HLEN', P .. ':u:' .. room)\n" \
    "  redis.call('PUBLISH', P .. ':r:' .. room, string.format('p %.0f %d %s %d %d ', v, count, kind, #user,\n" \
    "    #session) .. user .. session .. data)\n" \
    "end\n" \
    "local function get(room, user)\n" \
    "  local s = redis.call('HGET', P .. ':u:' .. room, user)\n" \
    "  if not s then return nil end\n" \
    "  local n, since, til, last, data = string.match(s, '^(%d+) (%d+) (%d+) (%S+) (.*)$')\n" \
    "  if not n then return nil end\n" \
    "  return {n = tonumber(n), since = since, til = tonumber(til), last = last, data = data}\n" \
    "end\n" \
    "local function put(room, user, u)\n" \
    "  redis.call('HSET', P .. ':u:' .. room, user, string.format('%d %s %.0f %s ', u.n, u.since, u.til, u.last) .. u.data)\n" \
    "end\n" \
    "local function gone(room, user, u)\n" \
    "  redis.call('HDEL', P .. ':u:' .. room, user)\n" \
    "  redis.call('ZREM', P .. ':g', room .. '\\0' .. user)\n" \
    "  tell(room, 'l', user, u.last, '-')\n" \
    "end\n" \
    "local function drop(room, session, grace, of)\n" \
    "  local known = redis.call('HGET', P .. ':p:' .. room, session)\n" \
    "  if not known then return end\n" \
    "  local owner, user = string.match(known, '^(%S+) (.*)$')\n" \
    "  if of and owner ~= of then return end\n" \
    "  redis.call('HDEL', P .. ':p:' .. room, session)\n" \
    "  redis.call('SREM', P .. ':h:' .. owner, room .. '\\0' .. session)\n" \
    "  local u = get(room, user)\n" \
    "  if not u then return end\n" \
    "  u.n = math.max(u.n - 1, 0)\n" \
    "  u.til = math.max(u.til, now + grace)\n" \
    "  u.last = session\n" \
    "  if u.n > 0 then put(room, user, u); return end\n" \
    "  if u.til <= now then gone(room, user, u); return end\n" \
    "  put(room, user, u)\n" \
    "  redis.call('ZADD', P .. ':g', u.til, room .. '\\0' .. user)\n" \
    "end\n"

/* ARGV prefix, room, owner, user, session, data ('' as they are) */
const char script_present[] = COMMON
    "local room, owner, user, session, data = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]\n"
    "local u = get(room, user)\n"
    "local came = not u\n"
    "u = u or {n = 0, since = string.format('%.0f', now), til = 0, last = '-', data = '-'}\n"
    "local known = redis.call('HGET', P .. ':p:' .. room, session)\n"
    "if not known then\n"
    "  u.n = u.n + 1\n"
    "else\n"
    "  redis.call('SREM', P .. ':h:' .. string.match(known, '^%S+'), room .. '\\0' .. session)\n"
    "end\n"
    "redis.call('HSET', P .. ':p:' .. room, session, owner .. ' ' .. user)\n"
    "redis.call('SADD', P .. ':h:' .. owner, room .. '\\0' .. session)\n"
    "if u.til > 0 then redis.call('ZREM', P .. ':g', room .. '\\0' .. user); u.til = 0 end\n"
    "local changed = data ~= '' and u.data ~= '+' .. data\n"
    "if data ~= '' then u.data = '+' .. data end\n"
    "put(room, user, u)\n"
    "if came then tell(room, 'j', user, session, u.data)\n"
    "elseif changed then tell(room, 'u', user, session, u.data) end\n"
    "return 1\n";

/* ARGV prefix, room, session, grace */
const char script_absent[] = COMMON
    "drop(ARGV[2], ARGV[3], tonumber(ARGV[4]))\n"
    "return 1\n";

/* ARGV prefix, room, how many at most are to be looked at → version, count, user, value, … */
const char script_who[] =
    "local P, room = ARGV[1], ARGV[2]\n"
    "local count = redis.call('HLEN', P .. ':u:' .. room)\n"
    "local out = {redis.call('GET', P .. ':v:' .. room) or '0', count}\n"
    "local all = count <= tonumber(ARGV[3]) and redis.call('HGETALL', P .. ':u:' .. room)\n"
    "  or redis.call('HSCAN', P .. ':u:' .. room, 0, 'COUNT', ARGV[3])[2]\n"
    "for i = 1, #all do out[#out + 1] = all[i] end\n"
    "return out\n";

/*
 * What is due: ends of grace, owners whose lease is over. Whoever comes first does it, the others find
 * nothing left. ARGV prefix, owner, lease (0: not to be renewed now), an owner that is no more ('': none)
 * → 1 when the lease had not run out, and 2 more when not all that is due was done
 */
const char script_tick[] = COMMON
    "local alive, more = 1, 0\n"
    "if tonumber(ARGV[3]) > 0 then\n"
    "  if not redis.call('ZSCORE', P .. ':o', ARGV[2]) then alive = 0 end\n"
    "  redis.call('ZADD', P .. ':o', now + ARGV[3], ARGV[2])\n"
    "end\n"
    "if ARGV[4] ~= '' then redis.call('ZADD', P .. ':o', 0, ARGV[4]) end\n"
    "for _, owner in ipairs(redis.call('ZRANGEBYSCORE', P .. ':o', '-inf', now, 'LIMIT', 0, 8)) do\n"
    "  for _, held in ipairs(redis.call('SPOP', P .. ':h:' .. owner, 200)) do\n"
    "    local room, session = string.match(held, '^(%Z+)%z(.*)$')\n"
    "    if room then drop(room, session, 0, owner) end\n"
    "  end\n"
    "  if redis.call('SCARD', P .. ':h:' .. owner) == 0 then redis.call('ZREM', P .. ':o', owner) else more = 2 end\n"
    "end\n"
    "local ends = redis.call('ZRANGEBYSCORE', P .. ':g', '-inf', now, 'LIMIT', 0, 200)\n"
    "if #ends == 200 then more = 2 end\n"
    "for _, due in ipairs(ends) do\n"
    "  local room, user = string.match(due, '^(%Z+)%z(.*)$')\n"
    "  local u = room and get(room, user)\n"
    "  if u and u.n == 0 and u.til <= now then gone(room, user, u) end\n"
    "  redis.call('ZREM', P .. ':g', due)\n"
    "end\n"
    "return alive + more\n";
