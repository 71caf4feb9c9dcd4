/* The table of subcommands. To add one: a file, a declaration in command.h, a row here. */
#include "cairn/command.h"

#include <string.h>

#include "base/attr.h"

static const struct command table[] = {
    {"serve", "run the roles: metrics, logs, agent, dashboards (all, or --role=a,b)", command_serve},
    {"demo", "run the sample application alone", command_demo},
    {"check", "check configuration files, of Cairn and of the originals", command_check},
    {"query", "ask a Cairn or a Prometheus: table, graph, CSV, JSON", command_query},
    {"test", "run PromQL test scripts", command_test},
    {"backup", "copy a data folder to a backup, while it is in use or not", command_backup},
    {"restore", "write a backup's files into a new data folder", command_restore},
    {"import", "bring samples of the past into a data folder: of a Prometheus, or text dumps",
     command_import},
    {"export", "write what is stored as Prometheus' blocks or OpenMetrics text", command_export},
    {"health", "ask every role whether it is well", command_health},
    {"version", "print the version", command_version},
    {"completion", "print a shell completion script: bash, zsh or fish", command_completion},
    {"help", "print this list", command_help},
};

const struct command *command_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(table);
    return table;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}
