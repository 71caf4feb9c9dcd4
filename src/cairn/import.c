/* cairn import: samples of the past into a data folder that no program uses meanwhile. The kinds are rows of
 * a table; what is stored already is never stored twice, so an import may be repeated. */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "cairn/command.h"
#include "cairn/import_int.h"

static const struct {
    const char *name, *summary;
    import_fn *run;
} kinds[] = {
    {"prometheus", "a Prometheus' data folder: blocks, log and head chunks", import_prometheus},
    {"openmetrics", "OpenMetrics text, timestamps in seconds; plain, gzip or zstd", import_openmetrics},
    {"text", "Prometheus' text format, timestamps in milliseconds; plain, gzip or zstd", import_text},
};

static void help(FILE *to)
{
    (void)fprintf(to, "usage: cairn import KIND [FLAGS] ...\n\nKinds\n");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        (void)fprintf(to, "  %-12s %s\n", kinds[i].name, kinds[i].summary);
    }
    (void)fprintf(to, "\nEvery kind explains its flags: cairn import KIND --help\n");
}

int command_import(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            return kinds[i].run(argc, argv);
        }
    }
    if (strcmp(kind, "--help") == 0 || strcmp(kind, "-help") == 0) {
        help(stdout);
        return 0;
    }
    if (kind[0]) {
        (void)fprintf(stderr, "cairn import: unknown kind \"%s\"\n", kind);
    }
    help(stderr);
    return 2;
}
