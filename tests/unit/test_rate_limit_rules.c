/* Rules, addresses, patterns. */
#include "../../plugins/rate-limit/address.h"
#include "../../plugins/common/pattern.h"
#include "../../plugins/rate-limit/rules.h"
#include "unit.h"
#include <string.h>

static hb_str str(const char *s)
{
    return (hb_str){s, strlen(s)};
}

static bool same_network(const char *a, const char *b, int v6_bits)
{
    struct address x = address_network(str(a), 32, v6_bits),
                   y = address_network(str(b), 32, v6_bits);
    return x.n == y.n && memcmp(x.bytes, y.bytes, x.n) == 0;
}

TEST(ipv6_addresses_of_one_network_are_one)
{
    CHECK(same_network("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", 64));
    CHECK(!same_network("2001:db8:1:2::1", "2001:db8:1:3::1", 64));
    CHECK(same_network("2001:db8:1:2::1", "2001:db8:1:3::1", 63));
    CHECK(same_network("2001:db8:1:2::1", "2001:db8:1:3::1", 56));
    CHECK(!same_network("2001:db8::1", "2001:db8::2", 128));
}

TEST(ipv4_addresses_are_one_each_however_they_are_written)
{
    CHECK(same_network("192.0.2.1", "::ffff:192.0.2.1", 64));
    CHECK(!same_network("::ffff:192.0.2.1", "::ffff:192.0.2.2", 64));
    struct address a = address_network(str("10.1.2.3"), 16, 64),
                   b = address_network(str("10.1.9.9"), 16, 64);
    CHECK(a.n == b.n && memcmp(a.bytes, b.bytes, a.n) == 0);
}

TEST(what_is_no_address_counts_as_it_is_written)
{
    CHECK(same_network("unix", "unix", 64));
    CHECK(!same_network("unix", "other", 64));
    CHECK(!same_network("", "0.0.0.0", 64));
}

TEST(a_star_matches_any_run)
{
    CHECK(pattern_matches("news:*", str("news:sport")));
    CHECK(pattern_matches("news:*", str("news:")));
    CHECK(!pattern_matches("news:*", str("new")));
    CHECK(pattern_matches("*a*b", str("xxaybaab")));
    CHECK(!pattern_matches("*a*b", str("xxaybaac")));
    CHECK(pattern_matches("*", str("")));
    CHECK(!pattern_matches("", str("x")));
    CHECK(!pattern_matches("a", str("A")));
    CHECK(pattern_matches("a*", str("a*b")));
}

static const hb_str session_word = {"session", 7}, user_word = {"user", 4}, room_word = {"room", 4},
                    bad_word = {"rooms", 5};

static struct rule_options rule(enum rule_of of, const hb_str *per)
{
    return (struct rule_options){.of = of, .room = "", .event = "", .per = {per, 1}, .rate = 5};
}

static struct options with(const struct rule_options *rules, size_t n)
{
    return (struct options){.rules = {rules, n}};
}

static const char *fault_of(struct rule_options r)
{
    static char error[128];
    struct options o = with(&r, 1);
    struct rules out;
    return rules_make(&o, &out, error, sizeof(error)) ? NULL : error;
}

static void check_fault(struct rule_options r, const char *sentence)
{
    const char *fault = fault_of(r);
    CHECK(fault);
    CHECK_STR(str(fault), sentence);
}

TEST(options_without_a_rate_make_no_rules)
{
    struct options o = {0};
    struct rules out;
    char error[64];
    CHECK(rules_make(&o, &out, error, sizeof(error)));
    CHECK_INT(out.n, 0);
}

TEST(rules_that_mean_nothing_are_refused)
{
    struct rule_options r = rule(OF_MESSAGES, &bad_word);
    check_fault(r, "rules, entry 1: per: takes session, user, ip, room and event");
    check_fault(rule(OF_CALLS, &room_word),
        "rules, entry 1: only messages, publishes and joins have a room");
    r = rule(OF_JOINS, &session_word);
    r.event = "x";
    check_fault(r, "rules, entry 1: only messages, publishes and calls have an event");
    check_fault(
        rule(OF_CONNECTS, &session_word), "rules, entry 1: connects are counted per ip or user");
    r = rule(OF_REFRESHES, &session_word);
    r.action = ACTION_CLOSE;
    check_fault(r, "rules, entry 1: action: connects and refreshes can only be refused");
    r = rule(OF_MESSAGES, &session_word);
    r.rate = 0;
    r.burst = 5;
    check_fault(r, "rules, entry 1: a burst takes a rate");
}

TEST(a_burst_that_is_not_given_is_a_second)
{
    struct rule_options r[] = {rule(OF_MESSAGES, &session_word), rule(OF_MESSAGES, &user_word)};
    r[0].rate = 50;
    r[1].rate = 0.1;
    struct options o = with(r, 2);
    struct rules out;
    char error[64];
    CHECK(rules_make(&o, &out, error, sizeof(error)));
    CHECK_INT(out.items[0].count.limit.depth_ns, 1000000000);
    CHECK_INT(out.items[0].strikes, 500);
    CHECK_INT(out.items[1].count.limit.depth_ns, 10000000000);
}

TEST(a_connect_per_user_is_judged_when_the_user_is_known)
{
    struct rule_options r = rule(OF_CONNECTS, &user_word);
    struct options o = with(&r, 1);
    struct rules out;
    char error[64];
    CHECK(rules_make(&o, &out, error, sizeof(error)));
    CHECK_INT(out.items[0].kinds, KIND_OPENED);
}

TEST(a_rule_is_the_same_with_other_numbers_and_another_one_beside_its_like)
{
    struct rule_options a[] = {rule(OF_MESSAGES, &user_word), rule(OF_MESSAGES, &user_word)};
    struct rule_options b[] = {rule(OF_MESSAGES, &room_word), rule(OF_MESSAGES, &user_word)};
    struct options before = with(a, 2), after = with(b, 2);
    struct rules x, y;
    char error[64];
    a[0].bytes = 1000;
    b[1].rate = 77;
    CHECK(rules_make(&before, &x, error, sizeof(error)) &&
          rules_make(&after, &y, error, sizeof(error)));
    CHECK(x.items[0].count.id == y.items[1].count.id);
    CHECK(x.items[0].count.id != x.items[1].count.id);
    CHECK(x.items[0].bytes.id != x.items[0].count.id && x.items[0].bytes.id != x.items[1].count.id);
    CHECK(y.items[0].count.id != y.items[1].count.id);
}
