/* POST /api/v1/broadcast, /revocations, /reload and /drain. */
#include "admin/body.h"
#include "admin/later.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "session/cluster.h"
#include "session/revoked.h"
#include "session/send.h"
#include <stdlib.h>

enum { NAME_BYTES = 128, TOKEN_ID_BYTES = 1024 };

void admin_broadcast(struct admin_call *call)
{
    struct body_field f[2] = {{.key = "event", .max = NAME_BYTES}, {.key = "data", .type = BODY_JSON}};
    if (body_read(call, f, 2)) {
        hb_str event = f[0].given ? buf_view(&f[0].name) : HB_STR("message");
        send_to_all(call->control->hub, &(hb_send){.size = sizeof(hb_send), .event = event, .data = f[1].json});
        struct buf shown = BUF_INIT;
        log_value(&shown, event);
        log_write(LOG_INFO, "admin", "broadcast event=%.*s", (int)shown.n, shown.p);
        buf_finish(&shown);
        admin_json(call, 200, HB_STR("{}\n"));
    }
    body_finish(f, 2);
}

/* --- revocations ---------------------------------------------------------------------------------- */

enum { F_TOKEN_ID, F_USER, F_ISSUED_BEFORE, F_UNTIL, N_FIELDS };

static void on_revoked(size_t closed, void *arg)
{
    struct later *l = arg;
    struct admin_call call;
    struct buf out = BUF_INIT;
    log_write(LOG_INFO, "admin", "revoked: %zu sessions closed", closed);
    if (later_take(l, &call)) {
        buf_printf(&out, "{\"sessions\":%zu}\n", closed);
        admin_json(&call, 200, buf_view(&out));
    }
    buf_finish(&out);
    free(l);
}

/* Seconds as in `iat`, or milliseconds: what is above 1e11 can't be seconds. */
static int64_t to_ms(int64_t time)
{
    return time > (int64_t)1e11 ? time : time * 1000;
}

static const char *fault_of(const struct body_field *f)
{
    if (f[F_TOKEN_ID].given == f[F_USER].given)
        return "name either a jti or a user";
    if (f[F_ISSUED_BEFORE].given && !f[F_USER].given)
        return "issued_before goes with a user";
    if (f[F_ISSUED_BEFORE].number < 0 || f[F_UNTIL].number < 0)
        return "times are not negative";
    return NULL;
}

static void revoke(struct admin_call *call, const struct body_field *f)
{
    struct later *l = mem_zalloc(sizeof(*l));
    struct revocation what = {.until_ms = to_ms(f[F_UNTIL].number)};
    if (f[F_TOKEN_ID].given)
        what.token_id = buf_view(&f[F_TOKEN_ID].name);
    else
        what.user = buf_view(&f[F_USER].name);
    what.issued_before_ms = f[F_ISSUED_BEFORE].given ? to_ms(f[F_ISSUED_BEFORE].number) : clock_wall_ms();
    struct buf shown = BUF_INIT;
    log_value(&shown, f[F_USER].given ? what.user : what.token_id);
    if (f[F_USER].given)
        log_write(LOG_INFO, "admin", "tokens of user=%.*s issued before %lld are revoked", (int)shown.n, shown.p,
            (long long)what.issued_before_ms);
    else
        log_write(LOG_INFO, "admin", "the token jti=%.*s is revoked", (int)shown.n, shown.p);
    buf_finish(&shown);
    later_hold(l, call);
    cluster_revoke(call->control->hub, &what);
    revoked_add(call->control->hub, &what, call->control->index, on_revoked, l);
}

void admin_revoke(struct admin_call *call)
{
    struct body_field f[N_FIELDS] = {
        [F_TOKEN_ID] = {.key = "jti", .max = TOKEN_ID_BYTES},
        [F_USER] = {.key = "user", .max = NAME_BYTES},
        [F_ISSUED_BEFORE] = {.key = "issued_before", .type = BODY_INT},
        [F_UNTIL] = {.key = "until", .type = BODY_INT},
    };
    if (body_read(call, f, N_FIELDS)) {
        const char *fault = fault_of(f);
        if (fault)
            admin_error(call, HB_BAD_REQUEST, fault);
        else
            revoke(call, f);
    }
    body_finish(f, N_FIELDS);
}

/* --- the server ------------------------------------------------------------------------------------- */

void admin_reload(struct admin_call *call)
{
    struct buf out = BUF_INIT, answer = BUF_INIT;
    log_write(LOG_INFO, "admin", "reload");
    if (server_reload(&out)) {
        buf_lit(&answer, "{\"reloaded\":true,\"changed\":");
        buf_json_str(&answer, buf_view(&out));
        buf_lit(&answer, "}\n");
        admin_json(call, 200, buf_view(&answer));
    } else {
        buf_char(&out, '\0');
        admin_error(call, HB_BAD_REQUEST, out.p);
    }
    buf_finish(&out);
    buf_finish(&answer);
}

void admin_drain(struct admin_call *call)
{
    log_write(LOG_INFO, "admin", "drain");
    server_drain();
    admin_json(call, 200, HB_STR("{\"draining\":true}\n"));
}
