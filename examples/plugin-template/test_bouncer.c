/* A module without its server: the host is a table of functions, so a test gives what is called. */
#include <hubbub/plugin.h>
#include <stdio.h>
#include <string.h>

extern const hb_module hubbub_module;

/* What the server would have read from {rooms: [staff, vault], message: "Go away."}. */
static const hb_str rooms[] = {{"staff", 5}, {"vault", 5}};
static const struct {
    hb_strings rooms;
    const char *message;
} options = {{rooms, 2}, "Go away."};

static int failed;

static void check(bool ok, const char *sentence)
{
    printf("%s - %s\n", ok ? "ok" : "not ok", sentence);
    failed += !ok;
}

static hb_join ask(const char *room, hb_verdict *verdict)
{
    const hb_ctx ctx = {.options = &options};
    hb_join ev = {.room = {room, strlen(room)}, .out = {.size = sizeof(hb_outcome)}};
    *verdict = hubbub_module.hooks->join(&ctx, &ev);
    return ev;
}

int main(void)
{
    hb_verdict verdict;
    hb_join ev = ask("vault", &verdict);
    check(verdict == HB_DENY, "a guarded room is denied");
    check(ev.out.message.n == 8 && !memcmp(ev.out.message.p, "Go away.", 8),
        "and they are told so");
    ask("lobby", &verdict);
    check(verdict == HB_NEXT, "about other rooms it has no opinion");
    ask("vaults", &verdict);
    check(verdict == HB_NEXT, "names are compared whole");
    printf("1..4\n");
    return failed > 0;
}
