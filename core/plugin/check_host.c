#include "plugin/check_host.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/parse.h"

static bool lenient;

void check_host_set_lenient(bool now)
{
    lenient = now;
}

bool check_host_lenient(void)
{
    return lenient;
}

hb_str check_host_node_string(const hb_node *node)
{
    return node_text(node);
}

const hb_node *check_host_node_get(const hb_node *map, const char *key)
{
    return node_get(map, str_of(key));
}

const hb_node *check_host_node_item(const hb_node *list_or_map, size_t i, hb_str *key)
{
    if (key)
        *key = node_text(node_key(list_or_map, i));
    return node_item(list_or_map, i);
}

static void node_error(const hb_host *host, const hb_node *node, const char *message)
{
    const char *whole = (const char *)host - offsetof(struct check_host, host);
    errors_at(((const struct check_host *)(const void *)whole)->errors, node, "%s", message);
}

static void write_log(const hb_ctx *ctx, hb_log_level level, const char *cause,
    const char *sentence)
{
    log_write((enum log_level)level, cause, "%s", sentence);
}

void check_host_init(struct check_host *h, struct errors *errors)
{
    *h = (struct check_host){
        .host = {
            .abi = HB_ABI,
            .size = sizeof(hb_host),
            .log = write_log,
            .now_ms = clock_mono_ms,
            .wall_ms = clock_wall_ms,
            .node_string = check_host_node_string,
            .node_get = check_host_node_get,
            .node_item = check_host_node_item,
            .node_error = node_error,
            .lenient = check_host_lenient,
        },
        .errors = errors,
    };
}
