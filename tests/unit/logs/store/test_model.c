/* The naive store, and the comparison. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "model.h"

static const char *const apps[] = {"api", "web", "db"};
static const char *const hosts[] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6"};
static const struct label meta_label[] = {{STR_INIT("level"), STR_INIT("warn")}};

struct labels model_labels(unsigned stream)
{
    static struct label l[MODEL_STREAMS][2];
    l[stream][0] = (struct label){STR("app"), str_c(apps[stream % 3])};
    l[stream][1] = (struct label){STR("host"), str_c(hosts[stream])};
    return (struct labels){l[stream], 2};
}

/* The model's memory is not the store's: no fault points. */
static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

void model_done(struct model *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->rows[i].line);
    }
    free(m->rows);
    *m = (struct model){0};
}

static void model_put(struct model *m, unsigned stream, const struct log_entry *e)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct model_row *r = &m->rows[i];
        if (r->stream == stream && r->ts == e->ts && r->meta == (e->metadata_count > 0) &&
            str_eq(str_of(r->line, r->line_n), e->line)) {
            return;
        }
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        m->rows = must(realloc(m->rows, m->cap * sizeof(*m->rows)));
    }
    char *line = must(malloc(e->line.n + 1));
    memcpy(line, e->line.p, e->line.n);
    struct model_row row = {stream, e->ts, line, e->line.n, e->metadata_count > 0, m->n};
    m->rows[m->n++] = row;
}

static size_t random_line(struct rng *rng, char *text, size_t size)
{
    static const char *const words[] = {"ERROR", "GET", "request done", "id=", "timeout", "ok\n", "user"};
    size_t n = 0, parts = rng_below(rng, 6);
    for (size_t i = 0; i < parts; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s %u ", words[rng_below(rng, ARRAY_LEN(words))],
                              (unsigned)rng_below(rng, 50));
    }
    return n;
}

enum {
    PUSH_MAX = 64,
    LINE_MAX = 160
};

enum err model_push(struct model *m, struct log_store *s, struct rng *rng, size_t entries, ts_ns *now,
                    ts_ns disorder)
{
    static char lines[PUSH_MAX][LINE_MAX];
    struct log_entry e[PUSH_MAX];
    struct log_stream_push p[PUSH_MAX];
    unsigned stream[PUSH_MAX];
    for (size_t i = 0; i < entries; i++) {
        *now += (ts_ns)rng_below(rng, 3);
        stream[i] = (unsigned)rng_below(rng, MODEL_STREAMS);
        e[i] = (struct log_entry){.ts = *now - (ts_ns)(disorder ? rng_below(rng, (uint64_t)disorder) : 0)};
        e[i].line = str_of(lines[i], random_line(rng, lines[i], LINE_MAX));
        if (m->n && rng_below(rng, 8) == 0) {
            const struct model_row *again = &m->rows[rng_below(rng, m->n)];
            stream[i] = again->stream;
            e[i].ts = again->ts;
            e[i].line = str_of(again->line, again->line_n);
        }
        if (rng_below(rng, 4) == 0) {
            e[i].metadata = meta_label;
            e[i].metadata_count = 1;
        }
        p[i] = (struct log_stream_push){model_labels(stream[i]), &e[i], 1};
    }
    struct log_push push = {STR("t1"), p, entries};
    struct log_push_result result = {0};
    struct log_sink *sink = s ? log_store_sink(s) : NULL;
    enum err err = sink ? sink->ops->push(sink, &push, &result, NULL) : ERR_OK;
    for (size_t i = 0; !err && i < entries; i++) {
        model_put(m, stream[i], &e[i]);
    }
    return err;
}

static const struct log_select *sorting;

static int by_query(const void *a, const void *b)
{
    const struct model_row *x = *(const struct model_row *const *)a, *y = *(const struct model_row *const *)b;
    if (x->ts != y->ts) {
        return (x->ts < y->ts) == (sorting->order == LOG_BACKWARD) ? 1 : -1;
    }
    int c = labels_cmp(model_labels(x->stream), model_labels(y->stream));
    return c ? c : x->arrival < y->arrival ? -1 : 1;
}

static bool wanted(const struct model_row *r, const struct log_select *sel)
{
    struct str line = str_of(r->line, r->line_n);
    bool in = r->ts >= sel->start_ns && r->ts < sel->end_ns &&
              matchers_match(sel->matchers, sel->matcher_count, model_labels(r->stream));
    for (size_t i = 0; in && i < sel->filter_count; i++) {
        const struct log_line_filter *f = &sel->filters[i];
        bool hit =
            f->op <= LOG_NOT_CONTAINS ? str_find(line, f->text, 0) != STR_NPOS : regex_match(f->re, line);
        in = hit == (f->op == LOG_CONTAINS || f->op == LOG_MATCHES);
    }
    return in;
}

static bool same_row(const struct log_batch *b, size_t i, const struct model_row *r,
                     const struct log_select *sel)
{
    if (b->ts[i] != r->ts || b->lines[i].n != r->line_n ||
        !labels_eq(b->streams[b->stream[i]].labels, model_labels(r->stream))) {
        return false;
    }
    bool meta = b->metadata && b->metadata[i].n;
    return (!sel->lines_needed || memcmp(b->lines[i].p ? b->lines[i].p : "", r->line, r->line_n) == 0) &&
           (!sel->metadata_needed || meta == r->meta);
}

/* Any order: each row handed out takes its twin from the list. */
static bool take_row(const struct log_batch *b, size_t i, const struct model_row **want, size_t *n,
                     const struct log_select *sel)
{
    for (size_t k = 0; k < *n; k++) {
        if (same_row(b, i, want[k], sel)) {
            want[k] = want[--*n];
            return true;
        }
    }
    return false;
}

static bool compare(struct log_cursor *c, struct log_source *src, const struct log_select *sel,
                    const struct model_row **want, size_t n)
{
    bool unordered = sel->order == LOG_UNORDERED;
    size_t asked = sel->limit && sel->limit < n ? sel->limit : n, got = 0;
    struct log_batch b;
    enum err e;
    while (!(e = src->ops->next(c, &b, NULL))) {
        for (size_t i = 0; i < b.count; i++, got++) {
            bool same =
                got < asked && (unordered ? take_row(&b, i, want, &n, sel) : same_row(&b, i, want[got], sel));
            if (!same) {
                (void)fprintf(stderr, "row %zu of %zu: ts %lld '%.*s'\n", got, asked, (long long)b.ts[i],
                              STR_FMT(b.lines[i]));
                return false;
            }
        }
    }
    if (e != ERR_NOT_FOUND || got != asked) {
        (void)fprintf(stderr, "%zu rows of %zu, %s\n", got, asked, err_name(e));
        return false;
    }
    return true;
}

bool model_check_query(const struct model *m, struct log_store *s, const struct log_select *sel)
{
    const struct model_row **want = must(malloc((m->n + 1) * sizeof(struct model_row *)));
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (wanted(&m->rows[i], sel)) {
            want[n++] = &m->rows[i];
        }
    }
    sorting = sel;
    qsort(want, n, sizeof(struct model_row *), by_query);
    struct query_ctx q = {.tenant = STR("t1")};
    struct log_source *src = log_store_source(s);
    struct log_cursor *c = NULL;
    bool ok = src->ops->select(src, &q, sel, &c, NULL) == ERR_OK && compare(c, src, sel, want, n);
    src->ops->close(c);
    free(want);
    if (!ok) {
        (void)fprintf(stderr, "query: order %d limit %zu filters %zu [%lld, %lld) of %zu rows\n", sel->order,
                      sel->limit, sel->filter_count, (long long)sel->start_ns, (long long)sel->end_ns, m->n);
        test_fail(__FILE__, __LINE__, "the store and the model differ");
    }
    return ok;
}

bool model_check(const struct model *m, struct log_store *s, struct rng *rng)
{
    static const char *const texts[] = {"ERROR", "id=", "done 1", "7 ", "timeout 3", "nothing like it", ""};
    struct matcher matchers[2] = {
        {.op = MATCH_EQ, .name = STR("app"), .value = str_c(apps[rng_below(rng, 3)])},
        {.op = MATCH_NEQ, .name = STR("host"), .value = STR("h3")}};
    struct regex *re = NULL;
    static const char *const expressions[] = {"(GET|user) [1-3]\\d ", "id= [1-4]", "ERROR|timeout 1",
                                              "ok\n \\d+ GET"};
    if (regex_new(str_c(expressions[rng_below(rng, ARRAY_LEN(expressions))]), 0, &re, NULL)) {
        return false;
    }
    struct log_line_filter filters[2];
    for (size_t i = 0; i < 2; i++) {
        filters[i].op = (enum log_filter_op)rng_below(rng, 4);
        filters[i].text = filters[i].op <= LOG_NOT_CONTAINS ? str_c(texts[rng_below(rng, ARRAY_LEN(texts))])
                                                            : regex_pattern(re);
        filters[i].re = re;
    }
    ts_ns first = m->n ? m->rows[0].ts : 0, last = m->n ? m->rows[m->n - 1].ts : 0;
    struct log_select sel = {
        .matchers = matchers + rng_below(rng, 2),
        .matcher_count = rng_below(rng, 2),
        .start_ns = INT64_MIN,
        .end_ns = INT64_MAX,
        .order = (enum log_order)rng_below(rng, 3),
        .limit = rng_below(rng, 2) ? 1 + rng_below(rng, 100) : 0,
        .filters = filters,
        .filter_count = rng_below(rng, 3),
        .lines_needed = rng_below(rng, 4) > 0,
        .metadata_needed = true,
    };
    if (rng_below(rng, 2)) {
        ts_ns width = (last > first ? last - first : 0) + 50;
        sel.start_ns = first + (ts_ns)rng_below(rng, (uint64_t)width);
        sel.end_ns = sel.start_ns + (ts_ns)rng_below(rng, (uint64_t)width);
    }
    bool ok = model_check_query(m, s, &sel);
    regex_free(re);
    return ok;
}
