/* A log source over lines in memory, as plain as can be: the tests' own. */
#ifndef CAIRN_TESTS_LOGQL_LINES_H
#define CAIRN_TESTS_LOGQL_LINES_H

#include <stdlib.h>

#include "base/mem.h"
#include "query/log_source.h"

struct line_row {
    size_t stream;
    ts_ns ts;
    struct str line;
    struct labels metadata;
};

struct lines {
    struct log_source source;
    struct log_stream_view *streams;
    size_t stream_count;
    struct line_row *rows;
    size_t row_count;
};

struct log_cursor {
    struct log_batch b;
    ts_ns *ts;
    struct str *text;
    uint32_t *stream;
    struct labels *metadata;
    bool given;
};

static int lines_order(const void *a, const void *b)
{
    const struct line_row *x = a, *y = b;
    if (x->ts != y->ts) {
        return x->ts < y->ts ? -1 : 1;
    }
    return x->stream != y->stream ? (x->stream < y->stream ? -1 : 1) : x < y ? -1 : x > y;
}

static void lines_close(struct log_cursor *c)
{
    if (c) {
        mem_free(c->ts);
        mem_free(c->text);
        mem_free(c->stream);
        mem_free(c->metadata);
        mem_free(c);
    }
}

static enum err lines_select(struct log_source *s, struct query_ctx *q, const struct log_select *sel,
                             struct log_cursor **ret_cursor, struct err_info *info)
{
    struct lines *l = (struct lines *)s;
    struct log_cursor *c = mem_zalloc(sizeof(*c));
    size_t n = l->row_count + 1;
    (void)q;
    (void)info;
    if (!c) {
        return ERR_OOM;
    }
    c->ts = mem_array(n, sizeof(*c->ts));
    c->text = mem_array(n, sizeof(*c->text));
    c->stream = mem_array(n, sizeof(*c->stream));
    c->metadata = mem_array(n, sizeof(*c->metadata));
    if (!c->ts || !c->text || !c->stream || !c->metadata) {
        lines_close(c);
        return ERR_OOM;
    }
    for (size_t i = 0; i < l->row_count; i++) {
        const struct line_row *r = &l->rows[sel->order == LOG_BACKWARD ? l->row_count - 1 - i : i];
        if (r->ts < sel->start_ns || r->ts >= sel->end_ns ||
            !matchers_match(sel->matchers, sel->matcher_count, l->streams[r->stream].labels)) {
            continue;
        }
        size_t k = c->b.count++;
        c->ts[k] = r->ts;
        c->text[k] = r->line;
        c->stream[k] = (uint32_t)r->stream;
        c->metadata[k] = r->metadata;
    }
    c->b.ts = c->ts;
    c->b.lines = c->text;
    c->b.stream = c->stream;
    c->b.streams = l->streams;
    c->b.stream_count = l->stream_count;
    c->b.metadata = c->metadata;
    *ret_cursor = c;
    return ERR_OK;
}

static enum err lines_next(struct log_cursor *c, struct log_batch *ret_batch, struct err_info *info)
{
    (void)info;
    if (c->given) {
        return ERR_NOT_FOUND;
    }
    c->given = true;
    *ret_batch = c->b;
    return ERR_OK;
}

/* Rows need no order; the source sorts them. */
static inline void lines_init(struct lines *l, struct log_stream_view *streams, size_t stream_count,
                              struct line_row *rows, size_t row_count)
{
    static const struct log_source_ops ops = {
        .select = lines_select, .next = lines_next, .close = lines_close};
    if (row_count > 1) {
        qsort(rows, row_count, sizeof(*rows), lines_order);
    }
    *l = (struct lines){{&ops}, streams, stream_count, rows, row_count};
}

#endif
