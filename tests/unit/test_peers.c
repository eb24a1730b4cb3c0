#include "server/peers.h"
#include "unit.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage out = {0};
    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&out)->sin_addr) == 1)
        out.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&out)->sin6_addr) == 1)
        out.ss_family = AF_INET6;
    return out;
}

static bool add(struct peers *p, const char *text, int64_t limit, struct peer *out)
{
    struct sockaddr_storage a = address(text);
    return peers_add(p, &a, limit, out);
}

TEST(an_address_has_as_many_as_the_limit_says)
{
    struct peers *p = peers_create();
    struct peer one, two, three;
    CHECK(add(p, "1.2.3.4", 2, &one));
    CHECK(add(p, "1.2.3.4", 2, &two));
    CHECK(!add(p, "1.2.3.4", 2, &three));
    CHECK(add(p, "1.2.3.5", 2, &three));
    peers_remove(p, &one);
    CHECK(add(p, "1.2.3.4", 2, &one));
    CHECK(!add(p, "1.2.3.4", 2, &three));
    peers_destroy(p);
}

TEST(no_limit_is_no_limit_but_counts)
{
    struct peers *p = peers_create();
    struct peer peer;
    for (int i = 0; i < 1000; i++)
        CHECK(add(p, "::1", 0, &peer));
    CHECK(!add(p, "::1", 1000, &peer));
    peers_destroy(p);
}

TEST(ipv6_counts_by_its_first_64_bits)
{
    struct peers *p = peers_create();
    struct peer peer;
    CHECK(add(p, "2001:db8:1:2::1", 1, &peer));
    CHECK(!add(p, "2001:db8:1:2:ffff::9", 1, &peer));
    CHECK(add(p, "2001:db8:1:3::1", 1, &peer));
    peers_destroy(p);
}

TEST(ipv4_over_ipv6_counts_as_ipv4)
{
    struct peers *p = peers_create();
    struct peer peer;
    CHECK(add(p, "1.2.3.4", 1, &peer));
    CHECK(!add(p, "::ffff:1.2.3.4", 1, &peer));
    CHECK(add(p, "::ffff:1.2.3.5", 1, &peer));
    peers_destroy(p);
}
