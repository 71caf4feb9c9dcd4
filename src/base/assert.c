/* The end of a broken invariant: say where, then abort so that a core and a restart follow. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "cairn: %s:%d: broken invariant: %s\n", file, line, condition);
    abort();
}
