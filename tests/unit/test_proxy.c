#include "server/proxy.h"
#include "unit.h"
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define S(literal) HB_STR(literal)
#define V2 "\r\n\r\n\0\r\nQUIT\n"

static struct sockaddr_storage client;

static const char *text(void)
{
    static char out[46];
    proxy_text(&client, out);
    return out;
}

static hb_str str(const char *s)
{
    return (hb_str){s, strlen(s)};
}

TEST(version_1_names_the_client)
{
    CHECK_INT(proxy_parse(S("PROXY TCP4 1.2.3.4 5.6.7.8 10 20\r\nGET"), &client), 34);
    CHECK_STR(str(text()), "1.2.3.4");
    CHECK_INT(proxy_parse(S("PROXY TCP6 2001:db8::1 ::1 10 20\r\n"), &client), 34);
    CHECK_STR(str(text()), "2001:db8::1");
}

TEST(every_beginning_of_a_header_is_incomplete)
{
    hb_str v1 = S("PROXY TCP4 1.2.3.4 5.6.7.8 10 20\r\n");
    hb_str v2 = S(V2 "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\1\0\2");
    for (size_t n = 0; n < v1.n; n++)
        CHECK_INT(proxy_parse((hb_str){v1.p, n}, &client), PROXY_INCOMPLETE);
    for (size_t n = 0; n < v2.n; n++)
        CHECK_INT(proxy_parse((hb_str){v2.p, n}, &client), PROXY_INCOMPLETE);
    CHECK_INT(proxy_parse(v2, &client), (int)v2.n);
    CHECK_STR(str(text()), "1.2.3.4");
}

TEST(a_proxy_may_not_know_or_speak_for_itself)
{
    CHECK_INT(proxy_parse(S("PROXY UNKNOWN\r\n"), &client), 15);
    CHECK_INT(client.ss_family, AF_UNSPEC);
    CHECK_INT(proxy_parse(S("PROXY UNKNOWN ff ff 1 2\r\n"), &client), 25);
    CHECK_INT(proxy_parse(S(V2 "\x20\0\0\0"), &client), 16);
    CHECK_INT(client.ss_family, AF_UNSPEC);
}

TEST(version_2_skips_what_it_does_not_know)
{
    CHECK_INT(proxy_parse(S(V2 "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\0\1\0\2tlvs"), &client), 32);
    CHECK_STR(str(text()), "1.2.3.4");
    CHECK_INT(proxy_parse(S(V2 "\x21\x31\0\2ab"), &client), 18); /* a UNIX socket */
    CHECK_INT(client.ss_family, AF_UNSPEC);
}

TEST(what_is_no_header_is_bad)
{
    CHECK_INT(proxy_parse(S("GET / HTTP/1.1\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY TCP4 1.2.3.4.5 5.6.7.8 1 2\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY TCP4 ::1 ::1 1 2\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S("PROXY \n"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S(V2 "\x31\x11\0\x0c"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S(V2 "\x21\x11\0\4abcd"), &client), PROXY_BAD);
    CHECK_INT(proxy_parse(S(V2 "\x21\x11\xff\xff"), &client), PROXY_BAD);
}

TEST(a_line_without_an_end_is_bad_in_time)
{
    char line[200] = "PROXY TCP4 ";
    memset(line + 11, '1', sizeof line - 11);
    CHECK_INT(proxy_parse((hb_str){line, 100}, &client), PROXY_INCOMPLETE);
    CHECK_INT(proxy_parse((hb_str){line, sizeof line}, &client), PROXY_BAD);
}

/* ---- X-Forwarded-For ---- */

static struct cidr trusted[2];

static const char *through(const char *peer, const char *forwarded)
{
    static char out[46];
    struct config c = {0};
    cidr_parse("10.0.0.0/8", &trusted[0]);
    cidr_parse("::1", &trusted[1]);
    c.trusted_proxies.items = trusted;
    c.trusted_proxies.n = 2;
    char line[80];
    snprintf(line, sizeof line, "PROXY TCP%d %s %s 1 2\r\n", strchr(peer, ':') ? 6 : 4, peer, peer);
    CHECK(proxy_parse(str(line), &client) > 0);
    hb_str entries = forwarded ? str(forwarded) : (hb_str){0};
    struct sockaddr_storage got = proxy_client(&c, &client, entries);
    proxy_text(&got, out);
    return out;
}

TEST(an_untrusted_peer_is_not_believed)
{
    CHECK_STR(str(through("9.9.9.9", "1.1.1.1")), "9.9.9.9");
}

TEST(the_last_address_that_no_trusted_proxy_has_is_the_clients)
{
    CHECK_STR(str(through("10.0.0.1", "6.6.6.6, 1.1.1.1")), "1.1.1.1");
    CHECK_STR(str(through("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.3.4")), "1.1.1.1");
    CHECK_STR(str(through("::1", "2001:db8::7")), "2001:db8::7");
    CHECK_STR(str(through("10.0.0.1", "10.0.0.9, 10.0.0.2")), "10.0.0.9");
}

TEST(entries_may_carry_ports)
{
    CHECK_STR(str(through("10.0.0.1", "1.1.1.1:555")), "1.1.1.1");
    CHECK_STR(str(through("10.0.0.1", "[2001:db8::7]:555")), "2001:db8::7");
}

TEST(an_entry_that_is_no_address_ends_the_way_back)
{
    CHECK_STR(str(through("10.0.0.1", "1.1.1.1, unknown")), "10.0.0.1");
    CHECK_STR(str(through("10.0.0.1", "1.1.1.1, ")), "10.0.0.1");
    CHECK_STR(str(through("10.0.0.1", "")), "10.0.0.1");
    CHECK_STR(str(through("10.0.0.1", NULL)), "10.0.0.1");
}

TEST(ipv4_over_ipv6_is_written_as_ipv4)
{
    CHECK(proxy_parse(S("PROXY TCP6 ::ffff:1.2.3.4 ::1 10 20\r\n"), &client) > 0);
    CHECK_STR(str(text()), "1.2.3.4");
    client.ss_family = AF_UNIX;
    CHECK_STR(str(text()), "unknown");
}
