#include "server/proxy.h"

#include "base/str.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { V1_MAX = 107, V2_HEAD = 16 }; /* haproxy's proxy-protocol.txt, 2.1 and 2.2 */

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* An address in digits into a sockaddr; false when it is none. */
static bool parse_address(hb_str text, struct sockaddr_storage *out)
{
    char digits[INET6_ADDRSTRLEN];
    if (text.n >= sizeof digits || !text.n || memchr(text.p, 0, text.n))
        return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = 0;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, digits, &v4->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, digits, &v6->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    else
        return false;
    return true;
}

static bool port_ok(hb_str text)
{
    uint64_t port;
    return str_u64(text, &port) && port <= 65535;
}

/* "PROXY TCP4 source destination sport dport\r\n" */
static int parse_v1(hb_str bytes, struct sockaddr_storage *client)
{
    hb_str line = {bytes.p, 0};
    while (line.n < bytes.n && line.n < V1_MAX && bytes.p[line.n] != '\n')
        line.n++;
    if (line.n == V1_MAX)
        return PROXY_BAD;
    if (line.n == bytes.n)
        return PROXY_INCOMPLETE;
    int length = (int)line.n + 1;
    if (line.p[line.n - 1] != '\r')
        return PROXY_BAD;
    line.n--;
    hb_str rest = line, field[6] = {{0}};
    size_t n = 0;
    while (n < 6 && str_split(&rest, ' ', &field[n]))
        n++;
    if (n >= 2 && str_eq(field[1], HB_STR("UNKNOWN")))
        return length;
    bool v4 = str_eq(field[1], HB_STR("TCP4")), v6 = str_eq(field[1], HB_STR("TCP6"));
    struct sockaddr_storage source, target;
    if (n != 6 || rest.p || !(v4 || v6) || !port_ok(field[4]) || !port_ok(field[5])
        || !parse_address(field[2], &source) || !parse_address(field[3], &target)
        || source.ss_family != (v4 ? AF_INET : AF_INET6) || target.ss_family != source.ss_family)
        return PROXY_BAD;
    *client = source;
    return length;
}

static int parse_v2(hb_str bytes, struct sockaddr_storage *client)
{
    if (bytes.n < V2_HEAD)
        return PROXY_INCOMPLETE;
    const uint8_t *b = (const uint8_t *)bytes.p;
    size_t length = V2_HEAD + ((size_t)b[14] << 8 | b[15]);
    uint8_t command = b[12] & 15, family = b[13];
    if (b[12] >> 4 != 2 || command > 1 || length > PROXY_HEADER_MAX)
        return PROXY_BAD;
    if (bytes.n < length)
        return PROXY_INCOMPLETE;
    if (command == 0) /* LOCAL: the proxy speaks for itself */
        return (int)length;
    if (family == 0x11 && length >= V2_HEAD + 12) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)client;
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, b + V2_HEAD, 4);
    } else if (family == 0x21 && length >= V2_HEAD + 36) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)client;
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, b + V2_HEAD, 16);
    } else if (family == 0x11 || family == 0x21) {
        return PROXY_BAD;
    }
    return (int)length;
}

int proxy_parse(hb_str bytes, struct sockaddr_storage *client)
{
    memset(client, 0, sizeof *client);
    if (!bytes.n)
        return PROXY_INCOMPLETE;
    size_t n = bytes.n < sizeof v2_signature ? bytes.n : sizeof v2_signature;
    if (!memcmp(bytes.p, v2_signature, n))
        return n == sizeof v2_signature ? parse_v2(bytes, client) : PROXY_INCOMPLETE;
    n = bytes.n < 6 ? bytes.n : 6;
    if (!memcmp(bytes.p, "PROXY ", n))
        return n == 6 ? parse_v1(bytes, client) : PROXY_INCOMPLETE;
    return PROXY_BAD;
}

/* One entry of X-Forwarded-For: an address, maybe with a port, maybe in brackets. */
static bool parse_hop(hb_str text, struct sockaddr_storage *out)
{
    text = str_trim(text);
    if (text.n && text.p[0] == '[') {
        const char *close = memchr(text.p, ']', text.n);
        return close && parse_address((hb_str){text.p + 1, (size_t)(close - text.p) - 1}, out);
    }
    if (parse_address(text, out))
        return true;
    const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
    return colon && parse_address((hb_str){text.p, (size_t)(colon - text.p)}, out);
}

struct sockaddr_storage proxy_client(const struct config *config,
    const struct sockaddr_storage *peer, hb_str forwarded_for)
{
    struct sockaddr_storage client = *peer;
    hb_str rest = forwarded_for;
    for (int hops = 0; hops < PROXY_HOPS_MAX && rest.n; hops++) {
        if (!config_trusts_proxy(config, (const struct sockaddr *)&client))
            break;
        const char *comma = memrchr(rest.p, ',', rest.n);
        size_t start = comma ? (size_t)(comma - rest.p) + 1 : 0;
        struct sockaddr_storage hop;
        if (!parse_hop(str_sub(rest, start, SIZE_MAX), &hop))
            break;
        client = hop;
        rest.n = comma ? start - 1 : 0;
    }
    return client;
}

void proxy_text(const struct sockaddr_storage *address, char out[static 46])
{
    const void *bytes = &((const struct sockaddr_in *)address)->sin_addr;
    int family = address->ss_family;
    if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        bytes = v6;
        if (IN6_IS_ADDR_V4MAPPED(v6)) {
            bytes = v6->s6_addr + 12;
            family = AF_INET;
        }
    }
    if ((family != AF_INET && family != AF_INET6) || !inet_ntop(family, bytes, out, 46))
        strcpy(out, "unknown");
}
