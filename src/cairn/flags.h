/* Command-line flags as rows of a table: parser, --help and error messages derive from them.
 *
 * Both --name and -name are accepted (Prometheus' and Go's habits), as `--name=value` or `--name value`; a
 * boolean takes no separate value: --name, --name=false, --no-name. Values are borrowed from argv. */
#ifndef CAIRN_CAIRN_FLAGS_H
#define CAIRN_CAIRN_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum flag_kind {
    FLAG_STR,      /* struct str */
    FLAG_BOOL,     /* bool */
    FLAG_U64,      /* uint64_t */
    FLAG_DURATION, /* int64_t milliseconds, Prometheus' form: 15d, 1h30m */
    FLAG_SIZE,     /* uint64_t bytes, 512MB, 1GiB */
    FLAG_LIST,     /* struct flag_list: may be repeated */
};

enum {
    FLAG_LIST_MAX = 32
};

struct flag_list {
    struct str items[FLAG_LIST_MAX];
    size_t n;
};

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset;        /* of the value in the caller's struct */
    const char *fallback; /* default as text for --help; the caller's struct holds the value already */
    const char *help;     /* NULL: accepted, named once as without effect */
};

struct flag_set {
    const char *title; /* heading in --help */
    const struct flag *flags;
    size_t n;
    void *values;
};

/* Parses argv[1..]. Positional arguments go to *ret_args (at most args_max). seen (may be NULL) is called for
 * every flag given, in order. Errors: INVALID, with the flag, the reason and the nearest valid name. */
MUST_USE enum err flags_parse(int argc, char **argv, const struct flag_set *sets, size_t set_count,
                              const char **ret_args, size_t args_max, size_t *ret_arg_count,
                              void (*seen)(void *ctx, const struct flag *f, struct str value), void *seen_ctx,
                              struct err_info *reterr_info);
/* The --help text of the sets. */
void flags_help(struct buf *b, const struct flag_set *sets, size_t set_count);

#endif
