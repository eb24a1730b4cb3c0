#include "base/str.h"
#include "conf/changes.h"
#include "conf/config.h"
#include "conf/parse.h"
#include "unit.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct errors errors;
static struct config *config;

static struct config *load(const char *yaml)
{
    config_free(config);
    errors_finish(&errors);
    config = config_parse("/tmp/hubbub-unit.yaml", str_of(yaml), &errors);
    return config;
}

static void accepts(const char *yaml)
{
    if (!load(yaml))
        unit_fail(__FILE__, __LINE__, "%s: %s", yaml, errors.items[0].message);
    if (errors.n)
        unit_fail(__FILE__, __LINE__, "%s: warning: %s", yaml, errors.items[0].message);
}

static void says(const char *message)
{
    char text[600];
    CHECK(errors.n > 0);
    snprintf(text, sizeof(text), "%u:%u: %s", errors.items[0].line, errors.items[0].column,
        errors.items[0].message);
    if (errors.n > 1)
        unit_fail(__FILE__, __LINE__, "a second error: %s", errors.items[1].message);
    CHECK_STR(str_of(text), message);
}

static void refuses(const char *yaml, const char *message)
{
    CHECK(load(yaml) == NULL);
    says(message);
}

static void warns(const char *yaml, const char *message)
{
    CHECK(load(yaml) != NULL);
    says(message);
}

static struct sockaddr_storage peer(const char *text)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *v4 = (void *)&s;
    struct sockaddr_in6 *v6 = (void *)&s;
    s.ss_family = AF_INET;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        return s;
    s.ss_family = AF_INET6;
    CHECK(inet_pton(AF_INET6, text, &v6->sin6_addr) == 1);
    return s;
}

static bool trusts(const char *text)
{
    struct sockaddr_storage s = peer(text);
    return config_trusts_proxy(config, (const struct sockaddr *)&s);
}

static const struct config_room *rule(const char *room)
{
    return config_room_rule(config, str_of(room));
}

TEST(an_empty_file_runs_with_sane_defaults)
{
    accepts("");
    CHECK(*config->node);
    CHECK(config->workers >= 1);
    CHECK_INT(config->listen.n, 1);
    CHECK_STR(str_of(config->listen.items[0].address), "0.0.0.0");
    CHECK_INT(config->listen.items[0].port, 3000);
    CHECK_STR(str_of(config->base_path), "/hub");
    CHECK_INT(config->limits.message_size, 65536);
    CHECK_INT(config->limits.key_window_ms, 300000);
    CHECK_INT(config->heartbeat.interval_ms, 25000);
    CHECK_INT(config->drain.timeout_ms, 30000);
    CHECK_STR(str_of(config->admin.address), "127.0.0.1");
    CHECK_INT(config->admin.port, 9100);
    CHECK(config->credentials.query_token);
    CHECK_INT(config->plugins.n, 0);
    CHECK_STR(config->drop_in.items[0], "/etc/hubbub/plugins.d");
}

TEST(the_default_room_rule_is_open_and_remembers_a_little)
{
    accepts("");
    const struct config_room *r = rule("anything");
    CHECK_INT(r->join, WHO_ANYONE);
    CHECK_INT(r->publish, WHO_MEMBERS);
    CHECK(!r->presence);
    CHECK_INT(r->history.messages, 100);
    CHECK_INT(r->history.age_ms, 300000);
}

TEST(the_first_matching_rule_counts_and_no_rule_means_no_room)
{
    accepts("rooms:\n- {match: 'news:*', join: authenticated, publish: claim, presence: true,"
            " history: {age: 1h}}\n- {match: 'n*', history: {messages: 5}}\n- {match: chat}\n");
    CHECK_INT(rule("news:x")->publish, WHO_CLAIM);
    CHECK(rule("news:x")->presence);
    CHECK_INT(rule("news:x")->history.messages, 100);
    CHECK_INT(rule("news:x")->history.age_ms, 3600000);
    CHECK_INT(rule("nobody")->history.messages, 5);
    CHECK_INT(rule("nobody")->history.age_ms, 300000);
    CHECK(rule("chat2") == NULL);
}

TEST(a_rule_without_history_keeps_none)
{
    accepts("rooms: [{match: '*'}]\n");
    CHECK_INT(rule("x")->history.messages, 0);
}

TEST(rooms_of_users_have_history_whatever_the_rules)
{
    accepts("rooms: [{match: '*'}]\n");
    CHECK_INT(rule("@alice")->publish, WHO_NOBODY);
    CHECK_INT(rule("@alice")->history.messages, 100);
    accepts("rooms: [{match: '*'}, {match: '@*', history: {messages: 7}}]\n");
    CHECK_INT(rule("@alice")->history.messages, 7);
    CHECK_INT(rule("alice")->history.messages, 0);
    refuses("rooms: [{match: '@*', join: anyone}]\n",
        "1:29: 'join' has no meaning here: the rooms of users ('@…') are the server's");
}

TEST(room_rules_are_checked)
{
    refuses("rooms: [{match: a, join: members}]\n", "1:26: 'join': 'members' is for 'publish' only;"
        " one of anyone, authenticated, claim, nobody");
    refuses("rooms: [{join: anyone}]\n", "1:9: missing key 'match'");
    refuses("rooms: [{match: ''}]\n",
        "1:17: 'match': must be of 1 to 129 bytes without control characters");
    warns("rooms: [{match: '*'}, {match: a}]\n",
        "1:23: this rule is never reached: an earlier one matches all");
}

TEST(default_transports_are_there_when_nobody_names_any)
{
    accepts("");
    size_t n = config->transports.n;
    CHECK(n > 1);
    CHECK(config->transports.items[0].is_default);
    CHECK_INT(node_count(config->transports.items[0].node), 0);
    accepts("transports: {directories: [t]}\n");
    CHECK_INT(config->transports.n, n);
    CHECK_STR(config->transport_directories.items[0], "/tmp/t");
}

TEST(named_transports_run_and_no_others)
{
    accepts("transports: {directories: t, b: {path: /b}, a: }\n");
    CHECK_INT(config->transports.n, 2);
    CHECK_STR(str_of(config->transports.items[0].name), "b");
    CHECK(!config->transports.items[0].is_default);
    CHECK_INT(config->transports.items[1].node->kind, NODE_MAP);
    refuses("transports: {a: 5}\n", "1:17: 'a': expected a map of options, 'key: value'");
    refuses("transports: [a]\n", "1:13: 'transports': expected a map, 'name: options'");
    refuses("transports: {../a: {}}\n",
        "1:14: '../a' is no name of a module: letters, digits, '-' and '_'");
}

TEST(plugins_keep_their_order)
{
    accepts("plugins: {load: [z, {a: {k: 1}}, {m: }], drop_in: [d]}\n");
    CHECK_INT(config->plugins.n, 3);
    CHECK_STR(str_of(config->plugins.items[0].name), "z");
    CHECK_STR(str_of(config->plugins.items[1].name), "a");
    CHECK_STR(node_text(node_get(config->plugins.items[1].node, HB_STR("k"))), "1");
    CHECK_INT(config->plugins.items[2].node->kind, NODE_MAP);
    CHECK_STR(config->drop_in.items[0], "/tmp/d");
    refuses("plugins: {load: [a, {a: {}}]}\n", "1:22: 'a' is loaded already");
    refuses("plugins: {load: [{a: {}, b: {}}]}\n", "1:18: expected one plugin, 'name: options'");
    refuses("plugins: {load: {a: {}}}\n",
        "1:17: 'plugins.load': expected a list, '- name: options'");
}

TEST(any_origin_and_credentials_exclude_each_other)
{
    accepts("cors: {origins: '*'}\n");
    CHECK(config->cors.any);
    CHECK_INT(config->cors.origins.n, 0);
    refuses("cors: {origins: ['*'], credentials: true}\n",
        "1:37: 'cors.credentials' can't go with the origin \"*\": name the origins");
}

TEST(origins_are_brought_to_the_form_that_browsers_send)
{
    accepts("cors: {origins: ['HTTPS://App.Example.com:443', 'http://a:80', 'http://[::1]:8080',"
            " capacitor://localhost], credentials: true}\n");
    CHECK_STR(config->cors.origins.items[0], "https://app.example.com");
    CHECK_STR(config->cors.origins.items[1], "http://a");
    CHECK_STR(config->cors.origins.items[2], "http://[::1]:8080");
    CHECK_STR(config->cors.origins.items[3], "capacitor://localhost");
    static const char *const bad[] = {"app.example.com", "https://a/", "https://a/b", "null",
        "https://*.a", "https://", "://a", "https://u@a", "''"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "cors: {origins: [%s]}\n", bad[i]);
        if (load(yaml))
            unit_fail(__FILE__, __LINE__, "%s was taken for an origin", bad[i]);
    }
}

TEST(admin_on_other_than_loopback_needs_a_token)
{
    accepts("admin: {address: 127.5.0.1}\n");
    accepts("admin: {address: '::1'}\n");
    accepts("admin: {address: localhost}\n");
    accepts("admin: {address: 0.0.0.0, token: abc}\n");
    accepts("admin: {address: 0.0.0.0, port: 0}\n");
    refuses("admin: {address: 0.0.0.0}\n", "1:18: 'admin.address': on an address that is not "
        "loopback, 'admin.token' is required");
    refuses("admin: {address: '::', token: ''}\n", "1:18: 'admin.address': on an address that is "
        "not loopback, 'admin.token' is required");
}

TEST(listeners_do_not_share_a_port)
{
    accepts("listen: [{address: 127.0.0.1}, {address: 127.0.0.2}]\n");
    refuses("listen: [{port: 1}, {port: 2}, {port: 1, address: 127.0.0.1}]\n",
        "1:32: another listener has this port already");
    refuses("listen: {port: 9100}\n", "1:1: 'admin': a listener has this port");
    refuses("listen: []\n", "1:9: 'listen': at least one listener is needed");
    refuses("listen: {port: 70000}\n", "1:16: 'port': must be from 1 to 65535");
    refuses("listen: {address: example.com}\n",
        "1:19: 'address': expected an IP address such as 0.0.0.0 or ::1");
}

TEST(tls_wants_both_files_and_they_must_be_there)
{
    CHECK(!load("listen: {tls: {certificate: /nonexistent/a.pem}}\n"));
    CHECK_INT(errors.n, 2);
    CHECK_STR(str_of(errors.items[0].message), "'tls' needs both 'certificate' and 'key'");
    CHECK_STR(str_of(errors.items[1].message),
        "the file /nonexistent/a.pem is not there or can't be read");
    accepts("listen: {tls: {certificate: /etc/passwd, key: /etc/passwd}}\n");
}

TEST(proxies_are_trusted_by_block)
{
    accepts("trusted_proxies: [10.0.0.0/8, 192.168.1.7, '2001:db8::/33']\n"
            "listen: {proxy_protocol: true}\n");
    CHECK(trusts("10.255.0.1"));
    CHECK(trusts("::ffff:10.1.2.3"));
    CHECK(!trusts("11.0.0.1"));
    CHECK(trusts("192.168.1.7"));
    CHECK(!trusts("192.168.1.6"));
    CHECK(trusts("2001:db8:7fff::1"));
    CHECK(!trusts("2001:db8:8000::1"));
    CHECK(!trusts("::1"));
}

TEST(bits_past_the_mask_are_cleared)
{
    accepts("trusted_proxies: 10.1.2.3/8\n");
    CHECK(trusts("10.9.9.9"));
    accepts("trusted_proxies: 0.0.0.0/0\n");
    CHECK(trusts("1.2.3.4"));
    CHECK(!trusts("::1"));
    accepts("trusted_proxies: '::/0'\n");
    CHECK(trusts("1.2.3.4"));
}

TEST(what_is_no_block_is_refused)
{
    refuses("trusted_proxies: [10.0.0.0/33]\n",
        "1:19: '10.0.0.0/33' is no address or block such as 10.0.0.0/8");
    refuses("trusted_proxies: proxy\n", "1:18: 'proxy' is no address or block such as 10.0.0.0/8");
    refuses("trusted_proxies: ['10.0.0.0/']\n",
        "1:19: '10.0.0.0/' is no address or block such as 10.0.0.0/8");
}

TEST(the_proxy_protocol_is_believed_from_trusted_proxies_only)
{
    refuses("listen: {proxy_protocol: true}\n", "1:26: 'proxy_protocol' needs 'trusted_proxies': "
        "its headers are believed from these only");
}

TEST(paths_are_normal_and_folders_exist)
{
    accepts("base_path: /\n");
    CHECK_STR(str_of(config->base_path), "");
    accepts("base_path: /a/b/\nstatic: {directory: .}\n");
    CHECK_STR(str_of(config->base_path), "/a/b");
    CHECK_STR(str_of(config->static_files.directory), "/tmp/.");
    refuses("base_path: hub\n", "1:12: 'base_path': expected a path such as /hub");
    refuses("base_path: /a/../b\n", "1:12: 'base_path': expected a path such as /hub");
    refuses("static: {directory: not-there-at-all}\n",
        "1:21: there is no folder /tmp/not-there-at-all");
    refuses("static: {path: /x}\n", "1:9: 'static' needs a 'directory'");
}

TEST(a_node_has_a_name)
{
    setenv("HOSTNAME", "machine", 1);
    accepts("");
    CHECK_STR(str_of(config->node), "machine");
    unsetenv("HOSTNAME");
    accepts("");
    CHECK(*config->node);
    accepts("node: n1\nworkers: 3\n");
    CHECK_STR(str_of(config->node), "n1");
    CHECK_INT(config->workers, 3);
    refuses("node: ''\n", "1:7: 'node': must be of 1 to 64 bytes without spaces and slashes");
    refuses("node: a b\n", "1:7: 'node': must be of 1 to 64 bytes without spaces and slashes");
}

TEST(limits_that_contradict_each_other_are_warned_about)
{
    warns("limits: {outbox: 1KiB}\n", "1:18: 'limits.outbox' is smaller than "
        "'limits.message_size': the largest messages would close whoever gets them");
    CHECK_INT(config->limits.outbox, 1024);
}

TEST(a_cookie_has_a_name_that_a_cookie_may_have)
{
    accepts("credentials: {cookie: __Host-token}\n");
    refuses("credentials: {cookie: 'a=b'}\n", "1:23: this can't be a cookie's name");
}

static const struct config_alert *alert(const char *rest)
{
    char yaml[300];
    snprintf(yaml, sizeof(yaml), "alerts: {rules: [{alert: A, metric: m, %s}]}\n", rest);
    accepts(yaml);
    return &config->alerts.items[0];
}

TEST(alert_rules_have_one_condition)
{
    CHECK_INT(alert("above: 9000")->kind, ALERT_VALUE);
    CHECK_INT(alert("rate: 1m, above: 10, for: 1m")->kind, ALERT_RATE);
    CHECK_INT(alert("quantile: 0.99, over: 1m, above: 0.25")->kind, ALERT_QUANTILE);
    CHECK_INT(alert("below: -1")->has_below, true);
    const struct config_alert *a = alert("spike: {floor: 100}, labels: {severity: warning}");
    CHECK_INT(a->kind, ALERT_SPIKE);
    CHECK_INT(a->spike.over_ms, 300000);
    CHECK(a->spike.factor == 3 && a->spike.floor == 100);
    CHECK_STR(node_text(node_get(a->labels, HB_STR("severity"))), "warning");
    refuses("alerts: {rules: [{alert: A, metric: m}]}\n",
        "1:18: one of 'above', 'below', 'spike' and 'collapse' is needed, and only one");
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1, spike: {}}]}\n",
        "1:18: one of 'above', 'below', 'spike' and 'collapse' is needed, and only one");
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1, over: 1m}]}\n",
        "1:18: 'quantile' and 'over' go together");
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1, rate: 1m, quantile: 1, over: 1m}]}\n",
        "1:18: 'quantile' goes with 'above' or 'below' only");
    refuses("alerts: {rules: [{alert: A, metric: 1x, above: 1}]}\n",
        "1:37: 'metric': expected a metric, name or name{label=\"value\"}");
    refuses("alerts: {rules: [{alert: A, metric: 'm{a=b}', above: 1}]}\n",
        "1:37: 'metric': expected a metric, name or name{label=\"value\"}");
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1}, {alert: A, metric: m, above: 2}]}\n",
        "1:59: 'alert': there are two of that name");
    refuses("alerts: {rules: [text, {alert: A, metric: m, above: 1}]}\n",
        "1:18: 'alerts.rules': expected a list of maps, not 'text'");
    CHECK_INT(alert("of: 'n{a=\"b\",c=\"d\"}', rate: 1m, above: 0.1")->kind, ALERT_RATE);
    CHECK_INT(alert("collapse: {over: 10s}")->kind, ALERT_COLLAPSE);
    CHECK_INT(alert("rate: 1m, spike: {}")->kind, ALERT_SPIKE);
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1, labels: [a]}]}\n",
        "1:58: 'labels': expected a map, 'name: value'");
    for (const char *const *name = (const char *const[]){"a-b", "1a", "__a", "é", NULL}; *name; name++) {
        char text[128];
        snprintf(text, sizeof(text), "alerts: {rules: [{alert: A, metric: m, above: 1, labels: {%s: x}}]}\n", *name);
        refuses(text,
            "1:59: 'labels': a label's name has letters, digits and _, and begins with no digit and no '__'");
    }
    refuses("alerts: {rules: [{alert: A, metric: m, above: 1, labels: {alertname: x}}]}\n",
        "1:59: 'labels': 'alertname' is what 'alert' says");
}

TEST(alerts_are_told_to_urls)
{
    accepts("alerts: {notify: [{webhook: 'http://127.0.0.1:9093/api', format: json}]}\n");
    CHECK_INT(config->notify.items[0].format, NOTIFY_JSON);
    refuses("alerts: {notify: {webhook: localhost}}\n",
        "1:28: 'webhook': expected an http or https URL");
}

TEST(all_errors_are_told_at_once)
{
    CHECK(!load("listn: 3\nworkers: x\nadmin: {address: 0.0.0.0}\ncors: {origins: [x]}\n"
                "rooms: [3]\nlisten: [{port: 0}, 5]\ntransports: 1\nplugins: {load: 3}\n"
                "alerts: {rules: [4], notify: [{}]}\ntrusted_proxies: x\n"));
    CHECK_INT(errors.fatal, 12);
}

TEST(a_port_from_the_environment_is_a_number)
{
    setenv("UNIT_PORT", "4321", 1);
    accepts("listen: {port: \"${UNIT_PORT}\"}\n");
    CHECK_INT(config->listen.items[0].port, 4321);
}

TEST(options_of_a_drop_in_stand_beside_it)
{
    char folder[] = "/tmp/hubbub-unit-XXXXXX", path[128];
    CHECK(mkdtemp(folder) != NULL);
    accepts("");
    snprintf(path, sizeof(path), "%s/a.so", folder);
    const hb_node *none = config_drop_in(config, path, &errors);
    CHECK(none && none->kind == NODE_MAP && none->n == 0);
    snprintf(path, sizeof(path), "%s/a.yaml", folder);
    FILE *f = fopen(path, "w");
    fputs("k: 7\nk: 8\n", f);
    fclose(f);
    const hb_node *some = config_drop_in(config, "/nonexistent/b.so", &errors);
    CHECK_INT(errors.n, 0);
    snprintf(path, sizeof(path), "%s/a.so", folder);
    some = config_drop_in(config, path, &errors);
    CHECK_STR(node_text(node_get(some, HB_STR("k"))), "7");
    CHECK_INT(errors.fatal, 1);
    snprintf(path, sizeof(path), "%s/a.yaml", folder);
    unlink(path);
    rmdir(folder);
}

static void changes(const char *before, const char *after, const char *want)
{
    struct buf out = BUF_INIT;
    errors_finish(&errors);
    struct config *a = config_parse("/tmp/a.yaml", str_of(before), &errors);
    struct config *b = config_parse("/tmp/a.yaml", str_of(after), &errors);
    if (!a || !b)
        unit_fail(__FILE__, __LINE__, "%s | %s: %s", before, after, errors.items[0].message);
    config_changes(a, b, &out);
    CHECK_STR(buf_view(&out), want);
    buf_finish(&out);
    config_free(a);
    config_free(b);
}

TEST(changes_are_named_by_their_keys)
{
    changes("limits: {outbox: 1MiB}", "limits: {outbox: 1MiB}", "");
    changes("limits: {outbox: 1MiB}", "limits: {outbox: 2MiB}", "limits.outbox");
    changes("limits: {outbox: 1MiB}\nlog: {level: info}", "log: {level: warn}", "limits.outbox, log.level");
    changes("log: {level: info, format: text}", "log: {format: text, level: info}", "");
    changes("rooms: [{match: a}, {match: b}]", "rooms: [{match: b}, {match: a}]", "rooms");
    changes("", "alerts: {rules: []}", "alerts.rules");
    changes("transports: {longpoll: {wait: 20s}}", "transports: {longpoll: {wait: 10s}}", "transports.longpoll.wait");
    changes("admin: {token: secret-1}", "admin: {token: secret-2}", "admin.token");
}
