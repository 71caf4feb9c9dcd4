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

/* A command's flags are those that its --help has when the key is pressed; whatever else is asked for is a
 * file. */
static void bash_print(void)
{
    (void)printf("_cairn() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        words=\"");
    print_names(" ");
    (void)printf("\"\n"
                 "    elif [[ $word == -* ]]; then\n"
                 "        words=$(\"${COMP_WORDS[0]}\" \"${COMP_WORDS[1]}\" --help 2>/dev/null |\n"
                 "            sed -nE 's/^  (--[a-z0-9.-]+=?).*/\\1/p')\n"
                 "    fi\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                 "    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null\n"
                 "}\n"
                 "complete -o default -F _cairn cairn\n");
}

int command_completion(int argc, char **argv)
{
    const char *shell = argc > 1 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        bash_print();
    } else if (strcmp(shell, "zsh") == 0) {
        (void)printf("#compdef cairn\n_arguments '1:command:(");
        print_names(" ");
        (void)printf(")' '*:file:_files'\n");
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
