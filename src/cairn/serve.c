/* cairn serve: starts the roles and waits for the signal to stop. */
#include <stdio.h>

#include "cairn/command.h"

int command_serve(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)fprintf(stderr, "cairn serve: no role is built yet\n");
    return 1;
}
