#include "script.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/*
 * A room has a stream, and a key that holds the position of its last entry. That key is there from
 * the first join or publish on, with a position made from the clock, so that an empty room has a
 * position of its own too, and a Redis that was emptied never has the same one again. Each entry
 * holds the position before it: a reader believes what continues its own position, and nothing else.
 * Into a Redis that was emptied a node with members puts their position back: who is there too has
 * missed nothing, everybody else finds out. With the history the keys of publishes went, though: a
 * publish that is repeated without knowing its outcome would be heard twice by who stays. So beside
 * the last position (under its name, NUL and b) stands where the stream was last broken off; 0-0 when
 * it was put back and not broken off since.
 */
#define NOW \
    "local t = redis.call('TIME')\n" \
    "local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)\n"

#define BROKEN_MS "3600000" /* for longer than a publish waits */

/* KEYS stream, last, call. ARGV channel, messages, age, how long positions are kept, how long a call is
 * remembered, where our members are (''), then for each publish: "window digest token key" or '', and
 * its entry. → for each: "0 id prev" stored, "1 id token" its key is known already, of whom, "2 id
 * token" with another digest. A call that is repeated has the answer that it had; one of a single
 * publish is known by its key, or stands in place of one ("1 id -"). */
static const char publish[] =
    "local call, t = redis.call, redis.call('TIME')\n"
    "local now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000\n"
    "local several = #ARGV > 8\n"
    "local seen = several and call('GET', KEYS[3])\n"
    "if seen then return seen end\n"
    "local prev, ms, seq = call('GET', KEYS[2]), nil, nil\n"
    "if prev then ms, seq = string.match(prev, '^(%d+)-(%d+)$') end\n"
    "if not ms then\n"
    "  prev = ARGV[6] ~= '' and ARGV[6] or string.format('%.0f-0', now)\n"
    "  if ARGV[6] ~= '' then call('SET', KEYS[2] .. '\\0b', '0-0', 'PX', " BROKEN_MS ") end\n"
    "  ms, seq = string.match(prev, '^(%d+)-(%d+)$')\n"
    "end\n"
    "if tonumber(ms) < now then ms, seq = string.format('%.0f', now), -1 end\n"
    "local id, key, window, mark, line\n"
    "local function known()\n"
    "  if call('SET', key, id .. ' ' .. mark, 'NX', 'PX', window) then return nil end\n"
    "  local first, digest, token = string.match(call('GET', key) or '', '^(%S+) (%S+) (%S+)$')\n"
    "  if first then return (digest == string.match(mark, '^%S+') and '1 ' or '2 ') .. first .. ' ' .. token end\n"
    "  call('SET', key, id .. ' ' .. mark, 'PX', window)\n"
    "end\n"
    "local answers, stored = {}, {}\n"
    "for i = 7, #ARGV, 2 do\n"
    "  id = string.format('%s-%.0f', ms, seq + 1)\n"
    "  key = nil\n"
    "  if ARGV[i] ~= '' then window, mark, key = string.match(ARGV[i], '^(%d+) (%x+ %x+) (.+)$')\n"
    "  elseif not several then window, mark, key = ARGV[5], '- -', KEYS[3] end\n"
    "  local answer = key and known()\n"
    "  if not answer then\n"
    "    local made = redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[2], id, 'p', prev, 'm', ARGV[i + 1])\n"
    "    if type(made) == 'table' then\n" /* the stream outlived its last position, and is ahead of it? */
    "      local ahead = not line and string.find(made.err, 'equal or smaller', 1, true)\n"
    "      if ahead then made = redis.pcall('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'p', prev, 'm', ARGV[i + 1]) end\n"
    "      if type(made) == 'table' then if key then call('PEXPIRE', key, 0) end; return made end\n"
    "      id = made\n"
    "      ms = string.match(id, '^%d+')\n"
    "      if key then call('SET', key, id .. ' ' .. mark, 'PX', window) end\n"
    "    end\n"
    "    seq = string.match(id, '%d+$')\n"
    "    answer = '0 ' .. id .. ' ' .. prev\n"
    "    line = line or id .. ' ' .. prev .. ' '\n"
    "    stored[#stored + 1] = ARGV[i + 1]\n"
    "    prev = id\n"
    "  end\n"
    "  answers[#answers + 1] = answer\n"
    "end\n"
    "if line then\n"
    "  if now % 16 == 0 then\n" /* readers leave out what is too old; this is for the memory */
    "    call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f-0', now - ARGV[3]))\n"
    "  end\n"
    "  call('PEXPIRE', KEYS[1], ARGV[3])\n"
    "  call('SET', KEYS[2], prev, 'PX', ARGV[4])\n"
    "  call('PUBLISH', ARGV[1], line .. table.concat(stored))\n"
    "end\n"
    "local answer = table.concat(answers, ' ')\n"
    "if several then call('SET', KEYS[3], answer, 'PX', ARGV[5]) end\n"
    "return answer\n";

/* KEYS stream, last. ARGV since ('' for the newest), how many, how many bytes, age, how long
 * positions are kept, where our members are (''). → {last, 1 when nothing more is behind, id, prev, entry, id, prev, entry, …} */
static const char read_page[] =
    NOW
    "local head = redis.call('GET', KEYS[2])\n"
    "if not head or not string.match(head, '^%d+-%d+$') then\n"
    "  head = ARGV[6] ~= '' and ARGV[6] or string.format('%.0f-0', now)\n"
    "  if ARGV[6] ~= '' then redis.call('SET', KEYS[2] .. '\\0b', '0-0', 'PX', " BROKEN_MS ") end\n"
    "  redis.call('SET', KEYS[2], head, 'PX', ARGV[5])\n"
    "end\n"
    "local since, limit, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local min = now - tonumber(ARGV[4])\n"
    "if min < 0 then min = 0 end\n"
    "local oldest, back = string.format('%.0f-0', min), since == ''\n"
    "local from, got, size, ended = back and '+' or oldest, {}, 0, true\n"
    "if not back and tonumber(string.match(since, '^%d+')) >= min then from = '(' .. since end\n"
    "while #got < limit do\n"
    "  local want = math.min(32, limit - #got)\n"
    "  local part = back and redis.call('XREVRANGE', KEYS[1], from, oldest, 'COUNT', want)\n"
    "    or redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', want)\n"
    "  for _, e in ipairs(part) do\n"
    "    size = size + #(e[2][4] or '')\n"
    "    if #got > 0 and size > bytes then want = 0; ended = false; break end\n"
    "    got[#got + 1] = e\n"
    "  end\n"
    "  if #part < want or want == 0 then break end\n"
    "  from = '(' .. part[#part][1]\n"
    "  if #got >= limit then ended = false end\n"
    "end\n"
    "local out = {head, ended and 1 or 0}\n"
    "for i = 1, #got do\n"
    "  local e = got[back and #got + 1 - i or i]\n"
    "  out[#out + 1] = e[1]; out[#out + 1] = e[2][2] or ''; out[#out + 1] = e[2][4] or ''\n"
    "end\n"
    "return out\n";

/* Nobody's position continues from here on, so that all are told: the stream has lost what stood
 * behind a position, and was not broken off since; or, with '' for it, it was put back into an empty
 * Redis, and somebody does not know what became of a publish. KEYS last. ARGV that position, how long
 * positions are kept, where our members are (''). → the last position */
static const char break_off[] =
    "local function parts(pos) local ms, seq = string.match(pos or '', '^(%d+)-(%d+)$')\n"
    "  return tonumber(ms or 0), tonumber(seq or 0) end\n"
    "local head, broken = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[1] .. '\\0b')\n"
    "if ARGV[1] == '' then\n"
    "  if head and broken ~= '0-0' then return head end\n"
    "elseif head and broken then\n"
    "  local bm, bs = parts(broken)\n"
    "  local sm, ss = parts(ARGV[1])\n"
    "  if bm > sm or (bm == sm and bs > ss) then return head end\n"
    "end\n"
    NOW
    "local ms, seq = now, 0\n"
    "for _, pos in ipairs({head or '', ARGV[3]}) do\n"
    "  local pm, ps = parts(pos)\n"
    "  if pm > ms or (pm == ms and ps >= seq) then ms = pm; seq = ps + 1 end\n"
    "end\n"
    "head = string.format('%.0f-%.0f', ms, seq)\n"
    "redis.call('SET', KEYS[1], head, 'PX', ARGV[2])\n"
    "redis.call('SET', KEYS[1] .. '\\0b', head, 'PX', " BROKEN_MS ")\n"
    "return head\n";

static const char *const texts[SCRIPT_COUNT] = {publish, read_page, break_off, script_present, script_absent,
    script_who, script_tick, script_keep, script_kept};
static char shas[SCRIPT_COUNT][SCRIPT_SHA];

const char *script_text(enum script which)
{
    return texts[which];
}

const char *script_sha(enum script which)
{
    return shas[which];
}

void script_init(void)
{
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        unsigned char raw[SHA_DIGEST_LENGTH];
        SHA1((const unsigned char *)texts[i], strlen(texts[i]), raw);
        for (int k = 0; k < SHA_DIGEST_LENGTH; k++)
            snprintf(shas[i] + 2 * k, 3, "%02x", raw[k]);
    }
}
