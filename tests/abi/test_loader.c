/* core/plugin: what is loaded, what is refused with which sentence, in which order modules live. */
#include "unit.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "plugin/check_host.h"
#include "plugin/run.h"
#include "plugin/trust.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a configuration and what came of loading it ---- */

struct loaded {
    struct config *config;
    struct modules *modules;
    struct errors errors;
};

/* `plugins` is the text under plugins.load, `transports` that under transports. */
static struct config *configure(const char *transports, const char *plugins, const char *drop_in,
    struct errors *errors)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "transports: {directories: [\"%s\"]%s%s}\n", ABI_DIR, transports ? ", " : "",
        transports ? transports : "");
    buf_printf(&text, "plugins:\n  directories: [\"%s\"]\n  drop_in: [%s]\n", ABI_DIR,
        drop_in ? drop_in : "");
    buf_printf(&text, "  load:\n%s", plugins ? plugins : "    []\n");
    struct config *c = config_parse("test.yaml", buf_view(&text), errors);
    buf_finish(&text);
    return c;
}

static void load(struct loaded *l, const char *transports, const char *plugins, const char *drop_in)
{
    errors_init(&l->errors);
    l->config = configure(transports, plugins, drop_in, &l->errors);
    if (!l->config)
        errors_print(&l->errors, stdout);
    CHECK(l->config != NULL);
    l->modules = modules_load(l->config, &l->errors);
}

static void load_plugins(struct loaded *l, const char *plugins)
{
    load(l, NULL, plugins, NULL);
}

static void unload(struct loaded *l)
{
    modules_free(l->modules);
    config_free(l->config);
    errors_finish(&l->errors);
}

/* Some message on that line (0: on any) holds `part`. */
static bool says_at(const struct errors *errors, unsigned line, const char *part)
{
    for (size_t i = 0; i < errors->n; i++)
        if ((line == 0 || errors->items[i].line == line) && strstr(errors->items[i].message, part))
            return true;
    for (size_t i = 0; i < errors->n; i++)
        printf("# said at %u: %s\n", errors->items[i].line, errors->items[i].message);
    return false;
}

static bool says(const struct errors *errors, const char *part)
{
    return says_at(errors, 0, part);
}

/* Loading one plugin fails, with one sentence that holds `part`. */
static void check_refused(const char *name, const char *part)
{
    struct loaded l;
    char plugins[128];
    snprintf(plugins, sizeof plugins, "    - %s\n", name);
    load_plugins(&l, plugins);
    CHECK(says(&l.errors, part));
    CHECK_INT(l.errors.fatal, 1);
    CHECK_INT(l.modules->n, 1);
    CHECK(strcmp(l.modules->items[0]->status, "loaded") != 0);
    unload(&l);
}

static void check_fine(struct loaded *l)
{
    if (l->errors.n > 0)
        errors_print(&l->errors, stdout);
    CHECK_INT(l->errors.n, 0);
}

/* ---- versions and sizes ---- */

TEST(a_module_built_with_shorter_structs_works)
{
    struct loaded l;
    load_plugins(&l, "    - older: {greeting: '\"hi\"'}\n");
    check_fine(&l);
    const struct module *mod = modules_find(l.modules, "older");
    hb_ctx ctx = {.options = mod->options};
    hb_call ev = {.event = HB_STR("older")};
    CHECK_INT(mod->m->hooks->call(&ctx, &ev), HB_ALLOW);
    CHECK_STR(ev.out.data, "\"hi\"");
    CHECK(mod->m->check == NULL && mod->m->reload == NULL && mod->m->hooks->closed == NULL);
    CHECK_INT(mod->roles, ROLE_HOOKS);
    unload(&l);
}

TEST(a_module_of_a_newer_minor_version_is_refused)
{
    check_refused("newer-minor", "built for ABI 1.1, this hubbub speaks 1.0");
}

TEST(a_module_of_another_major_version_is_refused)
{
    check_refused("newer-major", "built for ABI 2.0, this hubbub speaks 1.0");
}

TEST(a_module_whose_struct_can_not_be_is_refused)
{
    check_refused("too-small", "its hb_module is 24 bytes");
    check_refused("too-large", "built against other headers");
}

TEST(a_shared_object_without_the_symbol_is_refused)
{
    check_refused("no-symbol", "exports no symbol 'hubbub_module'");
}

TEST(a_module_that_needs_an_unknown_symbol_is_refused)
{
    check_refused("unresolved", "nobody_has_this");
}

TEST(a_module_with_another_name_than_its_file_is_refused)
{
    check_refused("wrong-name", "it calls itself 'another-name'");
}

TEST(a_module_whose_option_table_leaves_its_struct_is_refused)
{
    check_refused("bad-table", "its option 'far' is of no known type or outside its struct");
}

TEST(a_transport_that_lacks_a_function_is_refused)
{
    struct loaded l;
    load(&l, "mute-pigeon: {}", NULL, NULL);
    CHECK(says(&l.errors, "its transport lacks one of claim, request, encode"));
    unload(&l);
}

/* ---- finding ---- */

TEST(a_transport_is_found_and_loaded)
{
    struct loaded l;
    load(&l, "pigeon: {}", NULL, NULL);
    check_fine(&l);
    CHECK_INT(l.modules->n, 1);
    CHECK_INT(l.modules->items[0]->roles, ROLE_TRANSPORT);
    unload(&l);
}

TEST(transports_that_nobody_named_may_be_missing)
{
    struct loaded l;
    load(&l, NULL, NULL, NULL);
    check_fine(&l);
    CHECK_INT(l.modules->n, 0);
    unload(&l);
}

TEST(a_missing_module_is_told_with_the_nearest_name_and_the_directory)
{
    check_refused("lat",
        "no plugin 'lat': there is no lat.so in " ABI_DIR "; did you mean 'late'?");
}

TEST(a_plugin_under_transports_is_told_where_it_belongs)
{
    struct loaded l;
    load(&l, "older: {}", NULL, NULL);
    CHECK(says(&l.errors, "it is no transport; plugins are named under 'plugins.load'"));
    unload(&l);
}

TEST(one_name_is_loaded_once)
{
    struct loaded l;
    load(&l, "pigeon: {}", "    - pigeon\n", NULL);
    CHECK(says(&l.errors, "'pigeon' is named twice"));
    unload(&l);
}

TEST(only_one_backend_can_keep_the_rooms)
{
    struct loaded l;
    load_plugins(&l, "    - away-a\n    - away-b\n");
    CHECK(says(&l.errors, "there is a backend already, 'away-a'"));
    CHECK_INT(l.errors.fatal, 1);
    unload(&l);
}

TEST(everything_that_is_wrong_is_told_at_its_place)
{
    struct loaded l;
    load_plugins(&l,
        "    - life-a: {number: 11}\n"
        "    - newer-major\n"
        "    - nowhere\n"
        "    - life-b: {number: 7}\n"
        "    - older: {greting: x}\n");
    CHECK_INT(l.errors.fatal, 5);
    CHECK(says_at(&l.errors, 6, "number"));
    CHECK(says_at(&l.errors, 7, "built for ABI 2.0"));
    CHECK(says_at(&l.errors, 8, "no plugin 'nowhere'"));
    CHECK(says_at(&l.errors, 9, "life-b: seven is taken"));
    CHECK(says_at(&l.errors, 10, "did you mean 'greeting'?"));
    unload(&l);
}

TEST(a_module_tells_what_is_wrong_at_the_place_of_the_option)
{
    struct loaded l;
    load_plugins(&l, "    - life-a: {fail: init,\n        number: 1}\n");
    CHECK(says_at(&l.errors, 7, "that is too few"));
    CHECK_INT(l.errors.items[0].column, 17);
    unload(&l);
}

TEST(an_option_for_a_module_that_takes_none_is_told)
{
    struct loaded l;
    load_plugins(&l, "    - clash-a: {number: 1}\n");
    CHECK(says(&l.errors, "unknown key 'number'"));
    unload(&l);
}

/* ---- modules beside each other ---- */

static void check_call(const struct loaded *l, const char *name, const char *answer)
{
    const struct module *mod = modules_find(l->modules, name);
    hb_ctx ctx = {.options = mod->options};
    hb_call ev = {.event = str_of(name)};
    CHECK_INT(mod->m->hooks->call(&ctx, &ev), HB_ALLOW);
    CHECK_STR(ev.out.data, answer);
}

TEST(symbols_of_the_same_name_do_not_meet)
{
    struct loaded l;
    struct buf host = BUF_INIT;
    load_plugins(&l, "    - clash-a\n    - clash-b\n");
    check_fine(&l);
    check_call(&l, "clash-a", "\"clash-a\"");
    check_call(&l, "clash-b", "\"clash-b\"");
    buf_append(&host, "host", 4);
    CHECK_STR(buf_view(&host), "host");
    buf_finish(&host);
    unload(&l);
}

/* ---- life ---- */

static struct buf journal;

static void write_journal(const hb_ctx *ctx, hb_log_level level, const char *cause,
    const char *sentence)
{
    buf_lit(&journal, sentence);
    buf_lit(&journal, "\n");
}

/* The host's own lines are not of interest. */
static void forget(const char *line, size_t n, void *arg)
{
}

static hb_ctx control[MODULES_MAX], worker[MODULES_MAX];

static const hb_host *test_host(struct check_host *h)
{
    check_host_init(h, NULL);
    h->host.log = write_journal;
    log_capture(forget, NULL);
    buf_clear(&journal);
    return &h->host;
}

TEST(modules_begin_in_order_and_end_backwards)
{
    struct loaded l;
    struct check_host h;
    load_plugins(&l, "    - life-a\n    - older\n    - life-b: {number: 4}\n");
    check_fine(&l);
    const hb_host *host = test_host(&h);
    CHECK(modules_init(l.modules, host, control, &l.errors));
    CHECK(modules_worker_init(l.modules, host, 5, worker));
    modules_worker_finish(l.modules, worker);
    modules_finish(l.modules, control);
    CHECK_STR(buf_view(&journal),
        "life-a: init 3 \nlife-b: init 4 \n"
        "life-a: worker init 3 \nlife-b: worker init 4 \n"
        "life-b: worker finish 4 \nlife-a: worker finish 3 \n"
        "life-b: finish 4 \nlife-a: finish 3 \n");
    unload(&l);
}

TEST(a_failed_init_is_told_and_those_before_it_are_finished)
{
    struct loaded l;
    struct check_host h;
    load_plugins(&l, "    - life-a\n    - failing-init\n    - life-b\n");
    check_fine(&l);
    CHECK(!modules_init(l.modules, test_host(&h), control, &l.errors));
    CHECK(says(&l.errors, "failing-init: the moon is in the wrong phase"));
    CHECK_STR(buf_view(&journal), "life-a: init 3 \nlife-a: finish 3 \n");
    unload(&l);
}

TEST(a_failed_worker_init_rolls_this_worker_back)
{
    struct loaded l;
    struct check_host h;
    load_plugins(&l, "    - life-a\n    - life-b: {fail: worker}\n");
    const hb_host *host = test_host(&h);
    CHECK(modules_init(l.modules, host, control, &l.errors));
    buf_clear(&journal);
    CHECK(!modules_worker_init(l.modules, host, 0, worker));
    CHECK_STR(buf_view(&journal),
        "life-a: worker init 3 \nlife-b: worker init 3 \nlife-a: worker finish 3 \n");
    modules_finish(l.modules, control);
    unload(&l);
}

/* ---- reload ---- */

static bool plan(struct loaded *l, const char *plugins, struct modules_plan *out,
    struct config **next)
{
    *next = configure(NULL, plugins, NULL, &l->errors);
    CHECK(*next != NULL);
    return modules_plan(l->modules, *next, out, &l->errors);
}

TEST(a_reload_gives_all_modules_their_new_options)
{
    struct loaded l;
    struct check_host h;
    struct modules_plan p;
    struct config *next;
    load_plugins(&l, "    - life-a\n    - older\n    - life-b: {number: 4}\n");
    const hb_host *host = test_host(&h);
    CHECK(modules_init(l.modules, host, control, &l.errors));
    CHECK(modules_worker_init(l.modules, host, 0, worker));
    buf_clear(&journal);
    CHECK(plan(&l, "    - life-a: {number: 5}\n    - older\n    - life-b: {number: 6}\n", &p,
        &next));
    CHECK_STR(buf_view(&journal), "");
    modules_reload(l.modules, &p, control);
    modules_worker_reload(l.modules, worker);
    CHECK_STR(buf_view(&journal),
        "life-a: reload 5 \nlife-b: reload 6 \n"
        "life-a: worker reload 5 \nlife-b: worker reload 6 \n");
    modules_worker_finish(l.modules, worker);
    modules_finish(l.modules, control);
    config_free(next);
    unload(&l);
}

static void check_plan_refused(const char *before, const char *after, const char *part)
{
    struct loaded l;
    struct modules_plan p;
    struct config *next;
    load_plugins(&l, before);
    check_fine(&l);
    CHECK(!plan(&l, after, &p, &next));
    CHECK(says(&l.errors, part));
    config_free(next);
    unload(&l);
}

TEST(a_reload_that_one_module_refuses_changes_nothing)
{
    check_plan_refused("    - life-a\n    - life-b\n",
        "    - life-a: {number: 5}\n    - life-b: {number: 7}\n", "seven is taken");
}

TEST(a_reload_with_other_modules_takes_a_restart)
{
    check_plan_refused("    - life-a\n", "    - life-a\n    - life-b\n", "that takes a restart");
    check_plan_refused("    - life-a\n    - life-b\n", "    - life-b\n    - life-a\n",
        "that takes a restart");
}

TEST(options_of_a_module_that_can_not_reload_must_stay)
{
    check_plan_refused("    - older\n", "    - older: {greeting: '\"bye\"'}\n",
        "older: its options can't change while it runs");
}

/* ---- drop-ins, and whom to trust ---- */

static char folder[64];

static void copy_file(const char *name, const char *as)
{
    char command[1024];
    snprintf(command, sizeof command, "cp '%s/%s.so' '%s/%s.so'", ABI_DIR, name, folder, as);
    CHECK(system(command) == 0);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/hubbub-abi-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
}

TEST(drop_ins_come_after_the_named_ones_by_file_name_with_options_beside_them)
{
    struct loaded l;
    make_folder();
    copy_file("life-b", "life-b");
    copy_file("life-a", "life-a");
    write_file("life-b.yaml", "number: 9\n");
    write_file("notes.txt", "no module\n");
    load(&l, NULL, "    - older\n", folder);
    check_fine(&l);
    CHECK_INT(l.modules->n, 3);
    CHECK_STR(str_of(l.modules->items[0]->name), "older");
    CHECK_STR(str_of(l.modules->items[1]->name), "life-a");
    CHECK_STR(str_of(l.modules->items[2]->name), "life-b");
    CHECK_INT(*(const int64_t *)l.modules->items[2]->options, 9);
    unload(&l);
    remove_folder();
}

TEST(faults_of_drop_ins_are_told_with_their_files)
{
    struct loaded l;
    make_folder();
    copy_file("life-a", "life-a");
    copy_file("life-b", "life-b");
    copy_file("newer-major", "newer-major");
    copy_file("older", "older");
    write_file("life-a.yaml", "nummer: 9\n");
    write_file("life-b.yaml", "{\n");
    load(&l, NULL, "    - older\n", folder);
    CHECK(says(&l.errors, "did you mean 'number'?"));
    CHECK(says(&l.errors, "built for ABI 2.0"));
    CHECK(says(&l.errors, "there is a module 'older' already"));
    CHECK(modules_find(l.modules, "life-b")->m == NULL);
    unload(&l);
    remove_folder();
}

TEST(a_drop_in_directory_that_is_not_there_is_a_warning)
{
    struct loaded l;
    load(&l, NULL, NULL, "/nowhere/at/all");
    CHECK(says(&l.errors, "'/nowhere/at/all': No such file"));
    CHECK_INT(l.errors.fatal, 0);
    unload(&l);
}

static void check_trusted(mode_t folder_mode, mode_t file_mode, const char *complaint)
{
    char path[128], why[MODULE_WHY] = "";
    make_folder();
    copy_file("older", "older");
    snprintf(path, sizeof path, "%s/older.so", folder);
    CHECK(chmod(path, file_mode) == 0 && chmod(folder, folder_mode) == 0);
    bool trusted = trust_file(path, why, sizeof why);
    remove_folder();
    if (complaint && !strstr(why, complaint))
        unit_fail(__FILE__, __LINE__, "'%s' says nothing of '%s'", why, complaint);
    CHECK_INT(trusted, complaint == NULL);
}

TEST(a_file_that_only_its_owner_writes_to_is_trusted)
{
    check_trusted(0755, 0644, NULL);
    check_trusted(0700, 0700, NULL);
}

TEST(a_file_that_others_may_write_to_is_not_trusted)
{
    check_trusted(0755, 0646, "older.so' may be written to by anybody (mode 0646)");
}

TEST(a_file_in_a_directory_that_others_may_write_to_is_not_trusted)
{
    check_trusted(0757, 0644, "may be written to by anybody (mode 0757)");
}

TEST(a_sticky_directory_that_others_may_write_to_is_fine)
{
    check_trusted(01777, 0644, NULL);
}

TEST(what_a_group_may_write_to_is_not_trusted)
{
    if (geteuid() != 0) /* a user's private group may */
        return;
    check_trusted(0755, 0664, "may be written to by group");
    check_trusted(0775, 0644, "may be written to by group");
}

TEST(what_belongs_to_another_user_is_not_trusted)
{
    char path[128], why[MODULE_WHY];
    if (geteuid() != 0)
        return;
    make_folder();
    copy_file("older", "older");
    snprintf(path, sizeof path, "%s/older.so", folder);
    CHECK(chown(path, 65534, 0) == 0);
    CHECK(!trust_file(path, why, sizeof why));
    CHECK(strstr(why, "belongs to user 65534") != NULL);
    CHECK(chown(path, 0, 0) == 0 && chown(folder, 65534, 0) == 0);
    CHECK(!trust_file(path, why, sizeof why));
    remove_folder();
}

TEST(an_untrusted_module_is_not_opened)
{
    struct loaded l;
    make_folder();
    copy_file("older", "older");
    CHECK(chmod(folder, 0777) == 0);
    load(&l, NULL, NULL, folder);
    CHECK(says(&l.errors, "not loaded: '"));
    CHECK(says(&l.errors, "may be written to by anybody (mode 0777)"));
    CHECK(l.modules->items[0]->handle == NULL);
    unload(&l);
    remove_folder();
}

TEST(a_link_is_judged_by_where_it_leads)
{
    struct loaded l;
    char from[128], to[128];
    make_folder();
    snprintf(from, sizeof from, "%s/hidden.dir", folder);
    CHECK(mkdir(from, 0700) == 0);
    snprintf(from, sizeof from, "hidden.dir/real.file");
    snprintf(to, sizeof to, "%s/older.so", folder);
    CHECK(symlink(from, to) == 0);
    copy_file("older", "hidden.dir/real");
    char real_path[160], link_target[160];
    snprintf(real_path, sizeof real_path, "%s/hidden.dir/real.so", folder);
    snprintf(link_target, sizeof link_target, "%s/hidden.dir/real.file", folder);
    CHECK(rename(real_path, link_target) == 0);
    load(&l, NULL, NULL, folder);
    check_fine(&l);
    unload(&l);
    CHECK(chmod(link_target, 0666) == 0);
    load(&l, NULL, NULL, folder);
    CHECK(says(&l.errors, "real.file' may be written to by anybody"));
    unload(&l);
    remove_folder();
}
