/* Entry: picks the subcommand. */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/str.h"
#include "cairn/command.h"

enum {
    COMMANDS_MAX = 64
};

static int unknown_command(const char *name)
{
    size_t n;
    const struct command *table = command_table(&n);
    const char *names[COMMANDS_MAX];
    for (size_t i = 0; i < n && i < COMMANDS_MAX; i++) {
        names[i] = table[i].name;
    }
    const char *nearest = str_nearest(str_c(name), names, n);
    (void)fprintf(stderr, "cairn: unknown command \"%s\"", name);
    if (nearest) {
        (void)fprintf(stderr, ", did you mean \"%s\"?", nearest);
    }
    (void)fprintf(stderr, "\nRun \"cairn help\" for the list.\n");
    return 2;
}

int main(int argc, char **argv)
{
    fault_init_from_env();
    if (argc < 2) {
        (void)command_help(argc, argv);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0 || strcmp(name, "-version") == 0) {
        name = "version";
    }
    const struct command *c = command_find(name);
    return c ? c->run(argc - 1, argv + 1) : unknown_command(name);
}
