#include "wire.h"
#include <stdio.h>
#include <string.h>

enum { FLAG_SERVER = 1, FLAG_USER = 2, NAME_MAX_BYTES = 256 };

static char *digits(uint64_t n, char *out)
{
    char text[20];
    int at = 20;
    do
        text[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    memcpy(out, text + at, (size_t)(20 - at));
    return out + (20 - at);
}

hb_str text_decimal(uint64_t n, char out[static 20])
{
    return (hb_str){out, (size_t)(digits(n, out) - out)};
}

hb_str text_positive(int64_t n, char out[static 20])
{
    return text_decimal(n > 0 ? (uint64_t)n : 0, out);
}

hb_str text_hex(uint64_t n, char out[static 16])
{
    for (int i = 15; i >= 0; i--, n >>= 4)
        out[i] = "0123456789abcdef"[n & 15];
    return (hb_str){out, 16};
}

static size_t count_digits(uint64_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

size_t word_size(size_t n)
{
    return count_digits(n) + n + 5;
}

size_t command_size(int n, const hb_str *words)
{
    size_t size = count_digits((uint64_t)n) + 3;
    for (int i = 0; i < n; i++)
        size += word_size(words[i].n);
    return size;
}

static char *line_end(char *out)
{
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
}

static char *word_begin(size_t n, char *out)
{
    *out++ = '$';
    return line_end(digits(n, out));
}

void command_write(int n, const hb_str *words, char *out)
{
    *out++ = '*';
    out = line_end(digits((uint64_t)n, out));
    for (int i = 0; i < n; i++) {
        out = word_begin(words[i].n, out);
        if (words[i].n)
            memcpy(out, words[i].p, words[i].n);
        out = line_end(out + words[i].n);
    }
}

char *command_add(char *command, size_t size, size_t n)
{
    int words = (command[1] - '0') * 10 + command[2] - '0' + 1;
    command[1] = (char)('0' + words / 10);
    command[2] = (char)('0' + words % 10);
    char *at = word_begin(n, command + size);
    line_end(at + n);
    return at;
}

size_t pos_text(hb_pos pos, char out[static POS_TEXT_MAX])
{
    char *end = digits(pos.hi, out);
    *end++ = '-';
    end = digits(pos.lo, end);
    *end = '\0';
    return (size_t)(end - out);
}

static bool number(const char **at, const char *end, uint64_t *out)
{
    const char *start = *at;
    uint64_t n = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        unsigned digit = (unsigned)(**at - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return *at > start;
}

bool pos_parse(hb_str text, hb_pos *out)
{
    hb_pos pos;
    if (!text.p)
        return false;
    const char *at = text.p, *end = text.p + text.n;
    if (!number(&at, end, &pos.hi) || at == end || *at++ != '-' || !number(&at, end, &pos.lo) || at != end)
        return false;
    *out = pos;
    return true;
}

int pos_compare(hb_pos a, hb_pos b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/* Against junk and damage, not against malice: who may write to Redis may publish. */
static uint32_t checksum(const unsigned char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; n > 0; p++, n--)
        h = (h ^ *p) * 0x100000001b3u;
    return (uint32_t)(h ^ h >> 32);
}

size_t entry_size(const hb_message *m)
{
    return ENTRY_HEAD + m->event.n + m->user.n + m->data.n;
}

void entry_write(const hb_message *m, struct token token, char *out)
{
    uint16_t event = (uint16_t)m->event.n, user = (uint16_t)m->user.n;
    uint32_t data = (uint32_t)m->data.n;
    size_t n = entry_size(m);
    memcpy(out, "hb2", 3);
    out[3] = (char)((m->server ? FLAG_SERVER : 0) | (m->user.p ? FLAG_USER : 0));
    memcpy(out + 8, &token, 16);
    memcpy(out + 24, &event, 2);
    memcpy(out + 26, &user, 2);
    memcpy(out + 28, &data, 4);
    char *at = out + ENTRY_HEAD;
    memcpy(at, m->event.p, m->event.n);
    if (m->user.n)
        memcpy(at + m->event.n, m->user.p, m->user.n);
    memcpy(at + m->event.n + m->user.n, m->data.p, m->data.n);
    uint32_t sum = checksum((unsigned char *)out + 8, n - 8) ^ (unsigned char)out[3];
    memcpy(out + 4, &sum, 4);
}

bool entry_cut(hb_str *bytes, struct entry *out)
{
    const char *p = bytes->p;
    uint16_t event, user;
    uint32_t sum, data;
    if (!p || bytes->n < ENTRY_HEAD || memcmp(p, "hb2", 3) != 0)
        return false;
    memcpy(&sum, p + 4, 4);
    memcpy(&event, p + 24, 2);
    memcpy(&user, p + 26, 2);
    memcpy(&data, p + 28, 4);
    size_t n = (size_t)ENTRY_HEAD + event + user + data;
    if (event > NAME_MAX_BYTES || user > NAME_MAX_BYTES || n > bytes->n || event == 0 || data == 0 ||
        sum != (checksum((const unsigned char *)p + 8, n - 8) ^ (unsigned char)p[3]))
        return false;
    memcpy(&out->token, p + 8, 16);
    out->server = p[3] & FLAG_SERVER;
    out->event = (hb_str){p + ENTRY_HEAD, event};
    out->user = p[3] & FLAG_USER ? (hb_str){p + ENTRY_HEAD + event, user} : (hb_str){NULL, 0};
    out->data = (hb_str){p + ENTRY_HEAD + event + user, data};
    *bytes = (hb_str){p + n, bytes->n - n};
    return true;
}

bool entry_parse(hb_str bytes, struct entry *out)
{
    return entry_cut(&bytes, out) && bytes.n == 0;
}

bool word_cut(hb_str *text, hb_str *out)
{
    size_t most = text->n < POS_TEXT_MAX ? text->n : POS_TEXT_MAX;
    const char *space = most ? memchr(text->p, ' ', most) : NULL;
    if (!most || (!space && most < text->n))
        return false;
    *out = (hb_str){text->p, space ? (size_t)(space - text->p) : most};
    size_t past = out->n + (space ? 1 : 0);
    *text = (hb_str){text->p + past, text->n - past};
    return true;
}

bool push_cut(hb_str *payload, struct entry *first)
{
    hb_str id, prev;
    return word_cut(payload, &id) && word_cut(payload, &prev) && pos_parse(id, &first->id) && pos_parse(prev, &first->prev);
}
