/* Subcommands: each is one file with one function and one row in command.c. */
#ifndef CAIRN_CAIRN_COMMAND_H
#define CAIRN_CAIRN_COMMAND_H

#include <stddef.h>

/* argv[0] is the subcommand's name. Returns the exit status: 0 fine, 1 failed, 2 wrong usage. */
typedef int command_fn(int argc, char **argv);

struct command {
    const char *name;
    const char *summary;
    command_fn *run;
};

/* The table, for help, completion and tests. */
const struct command *command_table(size_t *ret_n);
const struct command *command_find(const char *name);

command_fn command_serve;
command_fn command_demo;
command_fn command_query;
command_fn command_health;
command_fn command_check;
command_fn command_test;
command_fn command_backup;
command_fn command_restore;
command_fn command_import;
command_fn command_export;
command_fn command_version;
command_fn command_help;
command_fn command_completion;

#endif
