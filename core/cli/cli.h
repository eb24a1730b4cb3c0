/* The command line: what each word does, and exit statuses (0 fine, 1 failed, 2 not understood). */
#ifndef CLI_CLI_H
#define CLI_CLI_H

int cli_main(int argc, char **argv);

#endif
