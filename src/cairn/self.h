/* What a role says of itself at /metrics. Figures are read once for each answer, under one lock, and handed
 * out by one row each of the role's table; what comes as it happens is kept by libcairn's families in the
 * registry. */
#ifndef CAIRN_CAIRN_SELF_H
#define CAIRN_CAIRN_SELF_H

#include <stddef.h>

#include <cairn/metrics.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/thread.h"
#include "net/http_server.h"

enum self_kind {
    SELF_U64,
    SELF_MS,      /* int64 milliseconds, shown as such; the limits of int64 are shown as they are */
    SELF_MS_IN_S, /* int64 milliseconds, shown in seconds */
};

struct self_row {
    const char *name;
    enum cairn_type type;
    enum self_kind kind;
    size_t offset; /* of the figure in what the role reads */
    const char *help;
};

/* The first member of what a role keeps for itself: take and the families' collectors get its address. */
struct self {
    struct cairn_registry *registry;
    struct mutex lock;               /* one answer at a time: guards what take reads into */
    void (*take)(struct self *self); /* reads the figures */
    struct cairn_family *answered;   /* a counter of answers by status code, or NULL */
    struct http_route route;
    struct self_bound *bound; /* one a row */
};

/* The registry with the process's own figures and NAME_build_info. Errors: OOM, INTERNAL. */
MUST_USE enum err self_init(struct self *s, const char *name, const char *version);
void self_done(struct self *s);
/* A family for each row, read out of figures, which take fills. Called once. */
MUST_USE enum cairn_err self_add_rows(struct self *s, const struct self_row *rows, size_t count,
                                      const void *figures);
/* Families with a collector each; series_max 0: libcairn's default. */
MUST_USE enum cairn_err self_add_collectors(struct self *s, const struct cairn_family_options *families,
                                            size_t count, size_t series_max);
/* Adds GET /metrics, counted under label (NULL: the path). */
MUST_USE enum err self_serve(struct self *s, struct http_server *server, const char *label);

/* Appends an answer in the text format. Errors: OOM. */
MUST_USE enum err self_text(struct self *s, struct buf *out);

MUST_USE enum err self_err(enum cairn_err e);

#endif
