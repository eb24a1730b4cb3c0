/* The module rate-limit as a host sees it. */
#include "module_host.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static struct module_answer publish(hb_session *s)
{
    return module_host_publish(s, "lobby", "message", "{}");
}

static int publishes(hb_session *s, int n)
{
    int passed = 0;
    for (int i = 0; i < n; i++)
        passed += publish(s).verdict == HB_NEXT;
    return passed;
}

static void start(const char *yaml)
{
    if (!module_host_start(yaml))
        unit_fail(__FILE__, __LINE__, "did not start: %s", mh.error);
}

TEST(without_options_nothing_is_limited)
{
    start("{}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    for (int i = 0; i < 1000; i++)
        CHECK_INT(module_host_connect(s, NULL, false).verdict, HB_NEXT);
    CHECK_INT(publishes(s, 10000), 10000);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(one_message_too_many_is_refused_with_the_time_to_wait)
{
    start("messages: {rate: 2/s, burst: 5}");
    hb_session *s = module_host_session(NULL, "192.0.2.1");
    CHECK_INT(publishes(s, 5), 5);
    struct module_answer a = publish(s);
    CHECK_INT(a.verdict, HB_DENY);
    CHECK_INT(a.code, HB_RATE_LIMITED);
    CHECK_INT(a.retry_after_ms, 500);
    module_host_advance(499);
    CHECK_INT(publish(s).retry_after_ms, 1);
    module_host_advance(1);
    CHECK_INT(publish(s).verdict, HB_NEXT);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(calls_count_as_messages_and_joins_do_not)
{
    start("messages: {rate: 1/s, burst: 2}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publish(s).verdict, HB_NEXT);
    CHECK_INT(module_host_call(s, "rename", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_call(s, "rename", "1").code, HB_RATE_LIMITED);
    CHECK_INT(module_host_join(s, "lobby", NULL).verdict, HB_NEXT);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(sessions_have_buckets_of_their_own_and_a_user_one_for_all)
{
    start("{messages: {rate: 1/s, burst: 3}, rules: [{per: user, rate: 1/s, burst: 4}]}");
    hb_session *a = module_host_session("alice", "192.0.2.1"),
               *b = module_host_session("alice", "192.0.2.2");
    hb_session *c = module_host_session("bob", "192.0.2.1");
    CHECK_INT(publishes(a, 10), 3);
    CHECK_INT(publishes(b, 10), 1);
    CHECK_INT(publishes(c, 10), 3);
    module_host_stop();
    module_host_close(a, HB_END_CLIENT);
    module_host_close(b, HB_END_CLIENT);
    module_host_close(c, HB_END_CLIENT);
}

TEST(what_one_rule_refuses_costs_nothing_in_the_others)
{
    start("{messages: {rate: 1/s, burst: 10}, rules: [{per: user, rate: 1/s, burst: 1}]}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publishes(s, 50), 1);
    hb_session *other = module_host_session("alice", "192.0.2.1");
    for (int i = 0; i < 9; i++) { /* the tenth would have to wait for the first one */
        module_host_advance(1);
        CHECK_INT(publish(s).code, HB_RATE_LIMITED);
    }
    CHECK_INT(module_host_call(other, "x", "1").code, HB_RATE_LIMITED);
    CHECK(module_host_reload("{messages: {rate: 1/s, burst: 10}}"));
    CHECK_INT(publishes(s, 50), 9);
    module_host_close(s, HB_END_CLIENT);
    module_host_close(other, HB_END_CLIENT);
    module_host_stop();
}

TEST(anonymous_sessions_of_one_address_share_the_bucket_of_a_user)
{
    start("{rules: [{per: user, rate: 1/s, burst: 4}]}");
    hb_session *a = module_host_session(NULL, "192.0.2.1"),
               *b = module_host_session(NULL, "192.0.2.1");
    hb_session *c = module_host_session(NULL, "192.0.2.9");
    CHECK_INT(publishes(a, 3), 3);
    CHECK_INT(publishes(b, 3), 1);
    CHECK_INT(publishes(c, 9), 4);
    module_host_close(a, HB_END_CLIENT);
    module_host_close(b, HB_END_CLIENT);
    module_host_close(c, HB_END_CLIENT);
    module_host_stop();
}

TEST(rules_may_be_about_rooms_and_events_by_pattern)
{
    start("rules:\n- {per: room, room: 'news:*', rate: 1/s, burst: 2}\n- {per: [session, event], "
          "event: 'typing*', rate: 1/s, burst: 1}");
    hb_session *a = module_host_session("alice", "192.0.2.1"),
               *b = module_host_session("bob", "192.0.2.2");
    CHECK_INT(module_host_publish(a, "news:1", "message", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(b, "news:1", "message", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(b, "news:1", "message", "1").code, HB_RATE_LIMITED);
    CHECK_INT(module_host_publish(b, "news:2", "message", "1").verdict, HB_NEXT);
    CHECK_INT(publishes(a, 20), 20);
    CHECK_INT(module_host_publish(a, "lobby", "typing", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(a, "lobby", "typing", "1").code, HB_RATE_LIMITED);
    CHECK_INT(module_host_publish(b, "lobby", "typing", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_call(a, "typing-too", "1").verdict, HB_NEXT);
    module_host_close(a, HB_END_CLIENT);
    module_host_close(b, HB_END_CLIENT);
    module_host_stop();
}

TEST(bytes_are_counted_beside_messages)
{
    start("messages: {bytes: 10, bytes_burst: 100}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    char data[102];
    memset(data, '1', sizeof(data));
    data[60] = '\0';
    CHECK_INT(module_host_publish(s, "lobby", "message", data).verdict, HB_NEXT);
    struct module_answer a = module_host_publish(s, "lobby", "message", data);
    CHECK_INT(a.code, HB_RATE_LIMITED);
    CHECK_INT(a.retry_after_ms, 2000);
    data[60] = '1';
    data[101] = '\0';
    CHECK_INT(module_host_publish(s, "lobby", "message", data).code, HB_TOO_LARGE);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(ten_bursts_of_refusals_in_a_row_end_the_session)
{
    start("messages: {rate: 1/s, burst: 3}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publishes(s, 3 + 29), 3);
    module_host_advance(1000);
    CHECK_INT(publishes(s, 1), 1); /* forgiven */
    CHECK_INT(publishes(s, 29), 0);
    CHECK_INT(s->kicked, -1);
    CHECK_INT(publishes(s, 1), 0);
    CHECK_INT(s->kicked, HB_END_RATE);
    module_host_close(s, HB_END_RATE);
    module_host_stop();
}

TEST(the_action_close_ends_the_session_at_once)
{
    start("messages: {rate: 1/s, burst: 1, action: close}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publishes(s, 1), 1);
    CHECK_INT(s->kicked, -1);
    CHECK_INT(publish(s).code, HB_RATE_LIMITED);
    CHECK_INT(s->kicked, HB_END_RATE);
    module_host_close(s, HB_END_RATE);
    module_host_stop();
}

TEST(the_action_delay_holds_back_as_long_as_it_must)
{
    start("messages: {rate: 10/s, burst: 1, action: delay, delay: 150ms}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publish(s).verdict, HB_NEXT);
    struct module_answer a = publish(s);
    CHECK_INT(a.verdict, HB_LATER);
    module_host_advance(99);
    CHECK(!a.ticket->answer.given);
    module_host_advance(1);
    CHECK(a.ticket->answer.given);
    CHECK_INT(a.ticket->answer.verdict, HB_NEXT);
    CHECK_INT(module_host_metric("hubbub_rate_limit_delayed_total"), 1);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(who_would_wait_too_long_is_refused)
{
    start("rules: [{per: room, rate: 10/s, burst: 1, action: delay, delay: 250ms}]");
    hb_session *s[4];
    for (int i = 0; i < 4; i++)
        s[i] = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publish(s[0]).verdict, HB_NEXT);
    CHECK_INT(publish(s[1]).verdict, HB_LATER);
    CHECK_INT(publish(s[2]).verdict, HB_LATER);
    CHECK_INT(publish(s[3]).code, HB_RATE_LIMITED);
    module_host_advance(200);
    CHECK_INT(mh.tickets[1].answer.verdict, HB_NEXT);
    CHECK(mh.tickets[1].answer.given);
    for (int i = 0; i < 4; i++)
        module_host_close(s[i], HB_END_CLIENT);
    module_host_stop();
}

TEST(a_session_that_ends_takes_its_delayed_message_along)
{
    start("messages: {rate: 1/s, burst: 1, action: delay}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(publishes(s, 1), 1);
    struct module_answer a = publish(s);
    CHECK_INT(a.verdict, HB_LATER);
    module_host_close(s, HB_END_CLIENT);
    CHECK(a.ticket->answer.given);
    CHECK_INT(a.ticket->answer.verdict, HB_DENY);
    CHECK_INT(module_host_timers(), 0);
    module_host_stop();
}

TEST(connects_are_counted_by_address_before_anything_else)
{
    start("connects: {rate: 1/s, burst: 3, per: ip}");
    for (int i = 0; i < 3; i++)
        CHECK_INT(
            module_host_connect(module_host_session(NULL, "192.0.2.1"), "token", false).verdict,
            HB_NEXT);
    hb_session *s = module_host_session(NULL, "192.0.2.1");
    struct module_answer a = module_host_connect(s, "token", false);
    CHECK_INT(a.code, HB_RATE_LIMITED);
    CHECK_INT(a.retry_after_ms, 1000);
    CHECK_INT(
        module_host_connect(module_host_session(NULL, "192.0.2.2"), NULL, false).verdict, HB_NEXT);
    module_host_stop();
}

TEST(an_ipv6_network_counts_as_one)
{
    start("{connects: {rate: 1/s, burst: 2}, ipv6_prefix: 48}");
    char remote[64];
    int passed = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(remote, sizeof(remote), "2001:db8:7:%x::%x", i, i * 77);
        passed +=
            module_host_connect(module_host_session(NULL, remote), NULL, false).verdict == HB_NEXT;
    }
    CHECK_INT(passed, 2);
    CHECK_INT(module_host_connect(module_host_session(NULL, "2001:db8:8::1"), NULL, false).verdict,
        HB_NEXT);
    module_host_stop();
}

TEST(a_session_is_one_connect_though_its_token_comes_later)
{
    start("connects: {rate: 1/s, burst: 2}");
    hb_session *s = module_host_session(NULL, "192.0.2.1");
    CHECK_INT(module_host_connect(s, NULL, false).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(s, "token", false).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(s, "token", true).verdict, HB_NEXT);
    CHECK_INT(
        module_host_connect(module_host_session(NULL, "192.0.2.1"), NULL, false).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(module_host_session(NULL, "192.0.2.1"), NULL, false).code,
        HB_RATE_LIMITED);
    module_host_stop();
}

TEST(connects_per_user_end_the_session_once_the_user_is_known)
{
    start("connects: {rate: 1/s, burst: 2, per: user}");
    hb_session *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = module_host_session(i == 3 ? "bob" : "alice", "192.0.2.1");
        CHECK_INT(module_host_connect(s[i], NULL, false).verdict, HB_NEXT);
        hubbub_module.hooks->opened(&mh.worker, s[i]);
    }
    CHECK_INT(s[0]->kicked, -1);
    CHECK_INT(s[1]->kicked, -1);
    CHECK_INT(s[2]->kicked, HB_END_RATE);
    CHECK_INT(s[3]->kicked, -1);
    module_host_stop();
}

TEST(who_gets_a_user_by_auth_is_a_connect_of_that_user)
{
    start("connects: {rate: 1/s, burst: 2, per: user}");
    hb_session *s[3];
    for (int i = 0; i < 3; i++) {
        char remote[16];
        snprintf(remote, sizeof(remote), "192.0.2.%d", i);
        s[i] = module_host_session(NULL, remote);
        hubbub_module.hooks->opened(&mh.worker, s[i]);
        s[i]->user = "alice";
        hubbub_module.hooks->authenticated(&mh.worker, s[i], false);
        hubbub_module.hooks->authenticated(&mh.worker, s[i], true);
    }
    CHECK_INT(s[0]->kicked, -1);
    CHECK_INT(s[1]->kicked, -1);
    CHECK_INT(s[2]->kicked, HB_END_RATE);
    module_host_stop();
}

TEST(another_prefix_counts_for_old_sessions_too)
{
    start("rules: [{per: ip, rate: 1/s, burst: 2}]");
    hb_session *a = module_host_session(NULL, "2001:db8:1:1::1"),
               *b = module_host_session(NULL, "2001:db8:1:2::1");
    CHECK_INT(module_host_publish(a, "r", "e", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(b, "r", "e", "1").verdict, HB_NEXT);
    CHECK(module_host_reload("{ipv6_prefix: 48, rules: [{per: ip, rate: 1/s, burst: 2}]}"));
    CHECK_INT(module_host_publish(a, "r", "e", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(b, "r", "e", "1").verdict, HB_NEXT);
    CHECK_INT(module_host_publish(a, "r", "e", "1").code, HB_RATE_LIMITED);
    CHECK_INT(module_host_publish(b, "r", "e", "1").code, HB_RATE_LIMITED);
    module_host_close(a, HB_END_CLIENT);
    module_host_close(b, HB_END_CLIENT);
    module_host_stop();
}

TEST(refreshes_are_limited_where_a_rule_says_so)
{
    start("rules: [{of: refreshes, per: ip, rate: 1/s, burst: 2}]");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    CHECK_INT(module_host_connect(s, "a", false).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(s, "a", true).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(s, "b", true).verdict, HB_NEXT);
    CHECK_INT(module_host_connect(s, "c", true).code, HB_RATE_LIMITED);
    module_host_close(s, HB_END_CLIENT);
    CHECK_INT(module_host_connect(s, "c", true).verdict,
        HB_NEXT); /* of what waits for it; nothing leaks */
    module_host_stop();
}

TEST(a_reload_keeps_what_was_used)
{
    start("{messages: {rate: 1/s, burst: 10}, connects: {rate: 1/s, burst: 2}, rules: [{per: user, "
          "rate: 5/s, burst: 20}]}");
    hb_session *s = module_host_session("alice", "192.0.2.1"),
               *again = module_host_session(NULL, "192.0.2.1");
    CHECK_INT(module_host_connect(s, NULL, false).verdict, HB_NEXT);
    CHECK_INT(publishes(s, 10), 10);
    CHECK(
        module_host_reload("{messages: {rate: 1/s, burst: 15}, connects: {rate: 1/s, burst: 1}}"));
    CHECK_INT(publishes(s, 20), 5);
    CHECK_INT(module_host_connect(again, NULL, false).code, HB_RATE_LIMITED);
    CHECK(module_host_reload("{messages: {rate: 1000/s, burst: 3}}"));
    CHECK_INT(publishes(s, 1), 0);
    module_host_advance(2);
    CHECK_INT(publishes(s, 3), 2);
    CHECK_INT(module_host_connect(again, NULL, false).verdict, HB_NEXT);
    CHECK(!module_host_reload("rules: [{per: nobody, rate: 1/s}]"));
    CHECK_INT(publishes(s, 1), 0);
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(many_reloads_leave_bounded_traces_in_a_session)
{
    start("messages: {rate: 1/s, burst: 10}");
    hb_session *s = module_host_session("alice", "192.0.2.1");
    char yaml[128];
    for (int i = 0; i < 1000; i++) {
        snprintf(yaml, sizeof(yaml),
            "rules: [{room: 'r%d*', rate: 1/s, burst: 1}, {rate: 1/s, burst: 10}]", i);
        CHECK(module_host_reload(yaml));
        snprintf(yaml, sizeof(yaml), "r%dx", i);
        CHECK_INT(module_host_publish(s, yaml, "message", "1").verdict, i < 10 ? HB_NEXT : HB_DENY);
    }
    module_host_close(s, HB_END_CLIENT);
    module_host_stop();
}

TEST(options_that_mean_nothing_are_told)
{
    CHECK(!module_host_start("connects: {rate: 1/s, per: session}"));
    CHECK_STR(
        ((hb_str){mh.error, strlen(mh.error)}), "connects: connects are counted per ip or user");
    CHECK(!module_host_start("messages: {burst: 5}"));
    CHECK_STR(((hb_str){mh.error, strlen(mh.error)}), "messages: a burst takes a rate");
    CHECK(!module_host_start("messages: {rat: 5}"));
}
