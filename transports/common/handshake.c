#include "handshake.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#define KEY_SIZE 24u /* base64 of 16 bytes */

static bool is(hb_str s, const char *text)
{
    return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static hb_str strip(hb_str s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = (hb_str){s.p + 1, s.n - 1};
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Takes the next element off a list; quoted strings hide separators. False at the end. */
static bool next_element(hb_str *list, char separator, hb_str *element)
{
    if (list->n == 0)
        return false;
    size_t i = 0;
    bool quoted = false;
    for (; i < list->n && (quoted || list->p[i] != separator); i++) {
        if (list->p[i] == '"')
            quoted = !quoted;
        else if (quoted && list->p[i] == '\\' && i + 1 < list->n)
            i++;
    }
    *element = strip((hb_str){list->p, i});
    size_t gone = i < list->n ? i + 1 : i;
    *list = (hb_str){list->p + gone, list->n - gone};
    return true;
}

static bool lists(hb_str list, const char *token)
{
    hb_str element;
    while (next_element(&list, ',', &element))
        if (is(element, token))
            return true;
    return false;
}

bool handshake_wanted(const struct handshake_request *r)
{
    return lists(r->upgrade, "websocket");
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
        c == '+' || c == '/';
}

static bool key_valid(hb_str key)
{
    if (key.n != KEY_SIZE || memcmp(key.p + KEY_SIZE - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_SIZE - 2; i++)
        if (!is_base64(key.p[i]))
            return false;
    return true;
}

enum handshake_result handshake_check(const struct handshake_request *r, const char **why)
{
    if (r->method.n != 3 || memcmp(r->method.p, "GET", 3) != 0) {
        *why = "A WebSocket is opened with GET.";
        return HANDSHAKE_WRONG_METHOD;
    }
    if (r->http_minor < 1 || !handshake_wanted(r) || !lists(r->connection, "upgrade")) {
        *why = "This address speaks WebSocket: the request needs the headers Upgrade: websocket "
               "and Connection: Upgrade.";
        return HANDSHAKE_NO_UPGRADE;
    }
    if (!is(strip(r->version), "13")) {
        *why = "This server speaks version 13 of the WebSocket protocol.";
        return HANDSHAKE_NO_UPGRADE;
    }
    if (!key_valid(strip(r->key))) {
        *why = "Sec-WebSocket-Key must be 16 bytes in base64.";
        return HANDSHAKE_BAD;
    }
    return HANDSHAKE_OK;
}

bool handshake_subprotocol(hb_str protocol)
{
    hb_str element;
    while (next_element(&protocol, ',', &element))
        if (element.n == strlen(HANDSHAKE_SUBPROTOCOL) &&
            memcmp(element.p, HANDSHAKE_SUBPROTOCOL, element.n) == 0)
            return true;
    return false;
}

static bool is_credential(hb_str element)
{
    const size_t prefix = strlen(HANDSHAKE_BEARER);
    return element.n > prefix && memcmp(element.p, HANDSHAKE_BEARER, prefix) == 0;
}

hb_str handshake_offer(hb_str protocol)
{
    hb_str element;
    while (next_element(&protocol, ',', &element))
        if (element.n > 0 && !is_credential(element))
            return element;
    return (hb_str){NULL, 0};
}

hb_str handshake_token(hb_str protocol)
{
    const size_t prefix = strlen(HANDSHAKE_BEARER);
    hb_str element;
    while (next_element(&protocol, ',', &element))
        if (is_credential(element))
            return (hb_str){element.p + prefix, element.n - prefix};
    return (hb_str){NULL, 0};
}

static hb_str unquote(hb_str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        return (hb_str){s.p + 1, s.n - 2};
    return s;
}

/* 8 to 15, in decimal without leading zeros (section 7.1.2); 0: anything else. */
static int window_bits(hb_str s)
{
    if (s.n == 1 && (s.p[0] == '8' || s.p[0] == '9'))
        return s.p[0] - '0';
    if (s.n == 2 && s.p[0] == '1' && s.p[1] >= '0' && s.p[1] <= '5')
        return 10 + s.p[1] - '0';
    return 0;
}

enum { SERVER_ALONE = 1, CLIENT_ALONE = 2, SERVER_BITS = 4, CLIENT_BITS = 8, DECLINE = 16 };

/* One parameter of an offer: its bit. The server compresses once for all, with the full window, so
 * an offer that wants a smaller one is declined; the client may use any. */
static int parameter(hb_str text)
{
    hb_str rest = text, name = {NULL, 0};
    next_element(&rest, '=', &name);
    bool given = name.n < text.n;
    int bits = window_bits(unquote(strip(rest)));
    if (is(name, "server_no_context_takeover") && !given)
        return SERVER_ALONE;
    if (is(name, "client_no_context_takeover") && !given)
        return CLIENT_ALONE;
    if (is(name, "server_max_window_bits") && bits == 15)
        return SERVER_BITS;
    if (is(name, "client_max_window_bits") && (!given || bits))
        return CLIENT_BITS;
    return DECLINE;
}

/* The parameters of an offer as bits, with DECLINE where section 7.1 wants it declined. */
static int read_offer(hb_str offer)
{
    hb_str element;
    if (!next_element(&offer, ';', &element) || !is(element, "permessage-deflate"))
        return DECLINE;
    int seen = 0;
    while (next_element(&offer, ';', &element)) {
        int bit = parameter(element);
        seen |= seen & bit ? DECLINE : bit;
    }
    return seen;
}

#define ALONE "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

hb_str handshake_deflate(hb_str extensions)
{
    hb_str offer;
    while (next_element(&extensions, ',', &offer)) {
        int seen = read_offer(offer);
        if (!(seen & DECLINE))
            return seen & SERVER_BITS ? HB_STR(ALONE "; server_max_window_bits=15") : HB_STR(ALONE);
    }
    return (hb_str){NULL, 0};
}

void handshake_accept(hb_str key, char out[HANDSHAKE_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* section 1.3 */
    unsigned char text[KEY_SIZE + sizeof(guid) - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, strip(key).p, KEY_SIZE);
    memcpy(text + KEY_SIZE, guid, sizeof(guid) - 1);
    SHA1(text, sizeof(text), digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
}
