/* core/cli: the built program's command line, as a user sees it. */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], said[64 * 1024];
static int status;

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/hubbub-cli-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
}

/* A file test.yaml whose plugins are looked for among those of tests/abi. */
static void configure(const char *more, const char *plugins)
{
    char path[128];
    snprintf(path, sizeof path, "%s/test.yaml", folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "transports: {directories: [\"%s\"]}\nplugins: {directories: [\"%s\"], drop_in: [], "
        "load: [%s]}\n%s", ABI_DIR, ABI_DIR, plugins, more);
    fclose(f);
}

/* Runs `hubbub` in the folder; what it says on both outputs is in `said`. */
static void run(const char *arguments)
{
    char command[512];
    snprintf(command, sizeof command, "cd '%s' && '%s' %s 2>&1", folder, HUBBUB, arguments);
    FILE *p = popen(command, "r");
    size_t n = fread(said, 1, sizeof said - 1, p);
    said[n] = '\0';
    int ended = pclose(p);
    status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

static void expect(int want_status, const char *part)
{
    if (status != want_status || !strstr(said, part))
        unit_fail(__FILE__, __LINE__, "status %d, said: %s; expected %d and %s", status, said,
            want_status, part);
}

TEST(version_names_the_program_and_its_abi)
{
    make_folder();
    run("--version");
    expect(0, "hubbub " HB_VERSION " (ABI 1.0)\n");
    remove_folder();
}

TEST(help_lists_the_commands_of_loaded_modules_too)
{
    make_folder();
    configure("", "life-a");
    run("-c test.yaml --help");
    expect(0, "hubbub check [--lenient] -c FILE");
    expect(0, "hubbub number-of-life-a [WORD]");
    run("check --help");
    expect(0, "hubbub check [--lenient] -c FILE");
    remove_folder();
}

TEST(check_passes_what_is_fine)
{
    make_folder();
    configure("", "life-a");
    run("check -c test.yaml");
    expect(0, "test.yaml: fine\n");
    run("check --lenient -c test.yaml");
    expect(0, "test.yaml: fine\n");
    remove_folder();
}

TEST(check_tells_faults_of_the_core_and_of_plugins_in_order_of_place)
{
    make_folder();
    configure("wrkers: 3\n", "{life-a: {number: 7}}, {life-b: {fial: init}}, newer-minor");
    run("check -c test.yaml");
    expect(1, "life-a: seven is taken\n");
    expect(1, "test.yaml:2:");
    expect(1, "did you mean 'fail'?\n");
    expect(1, "newer-minor: not loaded: built for ABI 1.1, this hubbub speaks 1.0\n");
    expect(1, "test.yaml:3:1: ");
    CHECK(strstr(said, "seven is taken") < strstr(said, "did you mean 'fail'"));
    CHECK(strstr(said, "speaks 1.0") < strstr(said, "test.yaml:3:1: "));
    remove_folder();
}

TEST(check_of_a_file_that_is_not_there_fails)
{
    make_folder();
    run("check -c nowhere.yaml");
    expect(1, "nowhere.yaml: ");
    remove_folder();
}

TEST(plugins_lists_what_is_there_and_why_not)
{
    make_folder();
    configure("", "older, newer-major");
    run("plugins -c test.yaml");
    expect(1, "older             0.9       1.0   " ABI_DIR "/older.so  loaded\n");
    expect(1, ABI_DIR "/newer-major.so  newer-major: not loaded: built for ABI 2.0");
    expect(1, ABI_DIR "/slow.so  not loaded: the configuration does not name it\n");
    expect(1, ABI_DIR "/no-symbol.so  not loaded: it exports no symbol 'hubbub_module'");
    configure("", "older");
    run("plugins -c test.yaml");
    expect(0, ABI_DIR "/older.so  loaded\n");
    remove_folder();
}

TEST(a_command_of_a_module_gets_its_options_and_arguments)
{
    make_folder();
    configure("", "{life-b: {number: 8}}");
    run("number-of-life-b more -c test.yaml");
    expect(5, "number-of-life-b 8 2 more\n");
    run("-c test.yaml number-of-life-b");
    expect(5, "number-of-life-b 8 1 \n");
    remove_folder();
}

TEST(a_command_under_a_faulty_configuration_tells_the_faults)
{
    make_folder();
    configure("", "{life-b: {number: 7}}");
    run("number-of-life-b -c test.yaml");
    expect(1, "seven is taken");
    remove_folder();
}

TEST(a_word_that_nobody_knows_is_told_with_the_nearest_one)
{
    make_folder();
    configure("", "life-a");
    run("chek -c test.yaml");
    expect(2, "hubbub: no command 'chek'; did you mean 'check'?\n");
    run("number-of-live-a -c test.yaml");
    expect(2, "did you mean 'number-of-life-a'?\n");
    run("xyzzy -c test.yaml");
    expect(2, "hubbub: no command 'xyzzy'; see hubbub --help. A plugin's commands are there when "
        "plugins.load names it\n");
    remove_folder();
}

TEST(what_is_not_understood_exits_with_2)
{
    make_folder();
    configure("", "");
    run("--verbose");
    expect(2, "'--verbose' is not understood");
    run("-c");
    expect(2, "-c wants a file");
    run("check --fast -c test.yaml");
    expect(2, "hubbub check: '--fast' is not understood");
    run("plugins all -c test.yaml");
    expect(2, "hubbub plugins: 'all' is not understood");
    remove_folder();
}
