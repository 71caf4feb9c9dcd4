/* cairn demo: the sample application alone. */
#include "demo/demo.h"
#include "cairn/command.h"

int command_demo(int argc, char **argv)
{
    return demo_run(argc, argv);
}
