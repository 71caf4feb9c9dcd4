/* What cairn query's files share: an answer of the API as columns, and its printers. */
#ifndef CAIRN_CAIRN_QUERY_INT_H
#define CAIRN_CAIRN_QUERY_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

struct answer_point {
    struct str time;  /* seconds, as the server wrote them */
    struct str value; /* a number, or a histogram's JSON */
};

struct answer_series {
    struct str name; /* up{job="node"}; empty for scalars and strings */
    const struct answer_point *points;
    size_t n;
};

struct answer {
    bool matrix; /* many points a series */
    const struct answer_series *series;
    size_t n;
};

/* The "data" of a query or query_range answer. Errors: INVALID, OOM. */
MUST_USE enum err answer_read(struct arena *a, const struct json_value *data, struct answer *ret_answer,
                              struct err_info *reterr_info);

void answer_table(struct buf *b, const struct answer *x);
void answer_csv(struct buf *b, const struct answer *x);
/* One chart a series, `width` columns wide, in braille dots. */
void answer_graph(struct buf *b, const struct answer *x, unsigned width);

#endif
