#include "cli/cli.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/listing.h"
#include "conf/options.h"
#include "plugin/check_host.h"
#include "plugin/places.h"
#include "server/series.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* server/server.h */
int server_run(const char *config_path);

enum { FINE, FAILED, NOT_UNDERSTOOD, WORDS_MAX = 128 };

struct line {
    const char *config; /* never NULL */
    bool config_given, help, version;
    char **words; /* what is left: the command and its arguments */
    int n;
};

static const char usage[] =
    "hubbub [-c FILE]                     run the server\n"
    "hubbub check [--lenient] -c FILE     say all that is wrong with a configuration\n"
    "hubbub plugins -c FILE               list transports and plugins: loaded, or why not\n"
    "hubbub --version | --help\n";

static const char *const core_words[] = {"check", "plugins"};

static int not_understood(const char *who, const char *what)
{
    fprintf(stderr, "%s: '%s' is not understood; see hubbub --help\n", who, what);
    return NOT_UNDERSTOOD;
}

/* -c FILE may stand anywhere; before the command so may --help and --version, and no other option.
 * What follows the command is the command's. */
static int read_line(int argc, char **argv, struct line *line)
{
    *line = (struct line){.config = places_config(), .words = argv};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "-c") == 0 || strcmp(arg, "--config") == 0) {
            if (++i == argc) {
                fprintf(stderr, "hubbub: %s wants a file\n", arg);
                return NOT_UNDERSTOOD;
            }
            line->config = argv[i];
            line->config_given = true;
        } else if (line->n == 0 && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            line->help = true;
        } else if (line->n == 0 && strcmp(arg, "--version") == 0) {
            line->version = true;
        } else if (line->n == 0 && arg[0] == '-') {
            return not_understood("hubbub", arg);
        } else {
            line->words[line->n++] = argv[i];
        }
    }
    line->words[line->n] = NULL;
    return FINE;
}

/* A configuration with its modules, for looking at: nothing runs. */
struct view {
    struct config *config;   /* NULL: it can't be read */
    struct modules *modules; /* NULL then, too */
    struct errors errors;
};

static void open_view(struct view *v, const char *path)
{
    errors_init(&v->errors);
    v->config = config_draft(path, &v->errors);
    v->modules = v->config ? modules_load(v->config, &v->errors) : NULL;
}

static void close_view(struct view *v)
{
    modules_free(v->modules);
    config_free(v->config);
    errors_finish(&v->errors);
}

static int check(const struct line *line)
{
    struct view v;
    for (int i = 1; i < line->n; i++) {
        if (strcmp(line->words[i], "--lenient") != 0)
            return not_understood("hubbub check", line->words[i]);
        check_host_set_lenient(true);
    }
    open_view(&v, line->config);
    if (v.config)
        series_check_draft(v.config, v.modules, &v.errors);
    errors_print(&v.errors, stderr);
    int status = v.errors.fatal ? FAILED : FINE;
    if (status == FINE)
        printf("%s: fine\n", line->config);
    close_view(&v);
    return status;
}

static int list(const struct line *line)
{
    struct view v;
    if (line->n > 1)
        return not_understood("hubbub plugins", line->words[1]);
    open_view(&v, line->config);
    if (v.modules)
        listing_print(v.modules, v.config, stdout);
    errors_print(&v.errors, stderr);
    int status = v.errors.fatal ? FAILED : FINE;
    close_view(&v);
    return status;
}

/* ---- commands of modules ---- */

/* The command of that name, and its module; NULL when there is none. */
static const hb_command *find_command(
    const struct modules *m, const char *name, const struct module **owner)
{
    for (size_t i = 0; m && i < m->n; i++)
        for (const hb_command *c = m->items[i]->m ? m->items[i]->m->commands : NULL; c && c->name;
             c++)
            if (strcmp(c->name, name) == 0) {
                *owner = m->items[i];
                return c;
            }
    return NULL;
}

static int unknown_word(const struct modules *m, const char *word)
{
    const char *words[WORDS_MAX];
    size_t n = sizeof core_words / sizeof core_words[0];
    memcpy(words, core_words, sizeof core_words);
    for (size_t i = 0; m && i < m->n; i++)
        for (const hb_command *c = m->items[i]->m ? m->items[i]->m->commands : NULL;
             c && c->name && n < WORDS_MAX; c++)
            words[n++] = c->name;
    const char *near = options_nearest(str_of(word), words, n);
    fprintf(stderr, "hubbub: no command '%s'", word);
    if (near)
        fprintf(stderr, "; did you mean '%s'?\n", near);
    else
        fputs("; see hubbub --help. A plugin's commands are there when plugins.load names it\n",
            stderr);
    return NOT_UNDERSTOOD;
}

static int run_command(
    const struct module *mod, const hb_command *command, struct line *line, struct errors *errors)
{
    struct check_host host;
    check_host_init(&host, errors);
    hb_ctx ctx = {.host = &host.host, .options = mod->options, .worker = -1};
    return command->run(&ctx, line->n, line->words);
}

static int module_word(struct line *line)
{
    struct view v;
    const struct module *owner = NULL;
    open_view(&v, line->config);
    const hb_command *command = find_command(v.modules, line->words[0], &owner);
    int status = FAILED;
    if (command && !v.errors.fatal)
        status = run_command(owner, command, line, &v.errors);
    else if (!command)
        status = unknown_word(v.modules, line->words[0]);
    /* A command that nobody knows may be one of a plugin that could not be loaded. */
    if (v.errors.fatal && (command || line->config_given))
        errors_print(&v.errors, stderr);
    close_view(&v);
    return status;
}

static int help(const struct line *line)
{
    struct view v;
    fputs(usage, stdout);
    open_view(&v, line->config);
    for (size_t i = 0; v.modules && i < v.modules->n; i++)
        for (const hb_command *c = v.modules->items[i]->m ? v.modules->items[i]->m->commands : NULL;
             c && c->name; c++)
            printf("%s\n", c->usage ? c->usage : c->name);
    close_view(&v);
    printf("\nWithout -c: %s\n", places_config());
    return FINE;
}

/* `hubbub check --help`; a module's command has its own. */
static bool asks_for_help(const struct line *line)
{
    bool core_word = false;
    for (size_t i = 0; i < sizeof core_words / sizeof core_words[0]; i++)
        core_word |= strcmp(line->words[0], core_words[i]) == 0;
    return core_word && line->n == 2 && strcmp(line->words[1], "--help") == 0;
}

int cli_main(int argc, char **argv)
{
    struct line line;
    int status = read_line(argc, argv, &line);
    if (status != FINE)
        return status;
    if (line.version) {
        printf("hubbub %s (ABI %d.%d)\n", HB_VERSION, HB_ABI_MAJOR, HB_ABI_MINOR);
        return FINE;
    }
    if (line.n == 0 && !line.help)
        return server_run(line.config);
    log_configure(LOG_WARN, false); /* standard error is for what is asked for */
    if (line.help || asks_for_help(&line))
        return help(&line);
    if (strcmp(line.words[0], "check") == 0)
        return check(&line);
    if (strcmp(line.words[0], "plugins") == 0)
        return list(&line);
    return module_word(&line);
}
