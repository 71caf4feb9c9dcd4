/* The demo's flags: one row each. Parser, --help and the messages about wrong flags derive from the rows. */
#ifndef CAIRN_DEMO_OPTIONS_H
#define CAIRN_DEMO_OPTIONS_H

#include <stddef.h>

#include "base/buf.h"
#include "demo/demo.h"

enum demo_option_kind {
    DEMO_OPTION_TEXT,   /* const char * */
    DEMO_OPTION_COUNT,  /* uint64_t */
    DEMO_OPTION_NUMBER, /* double */
};

struct demo_option {
    const char *name; /* without dashes */
    enum demo_option_kind kind;
    size_t offset; /* in struct demo_options */
    double least, most;
    const char *value; /* what stands for the value in --help */
    const char *help;
};

/* The table, for help, completion and tests. */
const struct demo_option *demo_option_table(size_t *ret_count);

/* Reads --name=value and --name value into *options; text values are borrowed from argv. *ret_help is set
 * when --help was among them. Errors: INVALID, with the flag, the reason and the nearest valid name. */
MUST_USE enum err demo_options_parse(int argc, char **argv, struct demo_options *options, bool *ret_help,
                                     struct err_info *reterr_info);

/* The --help text, with the defaults. */
void demo_options_help(struct buf *b);

#endif
