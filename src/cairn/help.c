/* cairn help, cairn version, cairn completion: all derived from the command table. */
#include <stdio.h>
#include <string.h>

#include "cairn/command.h"

int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    size_t n;
    const struct command *table = command_table(&n);
    (void)printf("cairn: metrics, logs and dashboards in one program\n\nusage: cairn COMMAND [FLAGS]\n\n");
    for (size_t i = 0; i < n; i++) {
        (void)printf("  %-12s %s\n", table[i].name, table[i].summary);
    }
    (void)printf("\nEvery command explains its flags with --help.\n");
    return 0;
}

int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("cairn %s\n", CAIRN_VERSION);
    return 0;
}

static void print_names(const char *separator)
{
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        (void)printf("%s%s", i ? separator : "", table[i].name);
    }
}

int command_completion(int argc, char **argv)
{
    const char *shell = argc > 1 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        (void)printf("complete -W \"");
        print_names(" ");
        (void)printf("\" cairn\n");
    } else if (strcmp(shell, "zsh") == 0) {
        (void)printf("#compdef cairn\n_arguments '1:command:(");
        print_names(" ");
        (void)printf(")'\n");
    } else if (strcmp(shell, "fish") == 0) {
        (void)printf("complete -c cairn -f -n __fish_use_subcommand -a \"");
        print_names(" ");
        (void)printf("\"\n");
    } else {
        (void)fprintf(stderr, "usage: cairn completion bash|zsh|fish\n");
        return 2;
    }
    return 0;
}
