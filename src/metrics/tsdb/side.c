/* What is kept beside the samples: exemplars (exemplars.c), and metadata by metric name. Both are small, live
 * in memory, and are logged when they are new:
 *
 *   record   = 2, tenant (length, bytes), entry*
 *   entry    = 1, labels of the series, labels of the exemplar, time, value bits u64
 *            | 2, metric, type, help, unit
 *   labels   = count, (name, value)*
 *
 * The file of series definitions has such records too, for what trimmed log records held. */
#include "metrics/tsdb/side.h"

#include "base/mem.h"
#include "codec/varint.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/source_int.h"

enum {
    ENTRY_EXEMPLAR = 1,
    ENTRY_METADATA = 2
};

/* One per metric name: what its targets say, newest first, few. */
struct metadata_row {
    struct metadata_row *next;
    char *text; /* type, help, unit in a row */
    size_t type_n, help_n, unit_n;
};

enum {
    ROWS_PER_METRIC_MAX = 8
};

static bool row_says(const struct metadata_row *r, const struct sink_metadata *m)
{
    return str_eq(str_of(r->text, r->type_n), m->type) &&
           str_eq(str_of(r->text + r->type_n, r->help_n), m->help) &&
           str_eq(str_of(r->text + r->type_n + r->help_n, r->unit_n), m->unit);
}

static struct metadata_row *row_new(const struct sink_metadata *m)
{
    struct metadata_row *r = mem_zalloc(sizeof(*r));
    char *text = mem_alloc(m->type.n + m->help.n + m->unit.n + 1);
    if (!r || !text) {
        mem_free(r);
        mem_free(text);
        return NULL;
    }
    struct str parts[3] = {m->type, m->help, m->unit};
    for (size_t i = 0, at = 0; i < 3; at += parts[i++].n) {
        if (parts[i].n) {
            memcpy(text + at, parts[i].p, parts[i].n);
        }
    }
    *r = (struct metadata_row){NULL, text, m->type.n, m->help.n, m->unit.n};
    return r;
}

static void rows_free(void *value)
{
    for (struct metadata_row *r = value, *next; r; r = next) {
        next = r->next;
        mem_free(r->text);
        mem_free(r);
    }
}

static enum err metadata_store(struct tenant *t, const struct sink_metadata *m, bool *ret_new)
{
    *ret_new = false;
    struct metadata_row *first = strmap_get(&t->metadata, m->metric);
    size_t rows = 0;
    for (struct metadata_row *r = first; r; r = r->next, rows++) {
        if (row_says(r, m)) {
            return ERR_OK;
        }
        if (rows == ROWS_PER_METRIC_MAX - 2) { /* the oldest make room */
            rows_free(r->next);
            r->next = NULL;
        }
    }
    if (!first && t->metadata.count >= METADATA_MAX) {
        return ERR_OK;
    }
    struct metadata_row *r = row_new(m);
    if (!r || strmap_put(&t->metadata, m->metric, r, NULL) != ERR_OK) {
        rows_free(r);
        return ERR_OOM;
    }
    r->next = first;
    *ret_new = true;
    return ERR_OK;
}

/* -- records --------------------------------------------------------------------------------------------- */

void side_labels_write(struct buf *b, struct labels ls)
{
    write_varint(b, ls.n);
    for (size_t i = 0; i < ls.n; i++) {
        write_str(b, ls.l[i].name);
        write_str(b, ls.l[i].value);
    }
}

static void write_exemplar(struct buf *b, struct labels series, struct labels labels, ts_ms ts, double value)
{
    write_u8(b, ENTRY_EXEMPLAR);
    side_labels_write(b, series);
    side_labels_write(b, labels);
    write_zigzag(b, ts);
    write_u64(b, f64_bits(value));
}

static void write_metadata(struct buf *b, const struct sink_metadata *m)
{
    write_u8(b, ENTRY_METADATA);
    write_str(b, m->metric);
    write_str(b, m->type);
    write_str(b, m->help);
    write_str(b, m->unit);
}

static void begin(struct buf *b, const struct tenant *t)
{
    buf_reset(b);
    write_u8(b, RECORD_SIDE);
    write_str(b, t->name);
}

struct labels side_labels_read(struct reader *r, struct label *out)
{
    uint64_t n = read_varint(r);
    if (n > LABELS_MAX) {
        r->bad = true;
        n = 0;
    }
    for (uint64_t i = 0; i < n; i++) {
        out[i].name = read_str(r);
        out[i].value = read_str(r);
    }
    return (struct labels){out, (size_t)n};
}

static enum err read_exemplar(struct reader *r, struct tenant *t)
{
    struct label series[LABELS_MAX], own[LABELS_MAX];
    struct labels of = side_labels_read(r, series);
    struct sink_exemplar x = {.labels = side_labels_read(r, own), .timeless = true}; /* not told */
    bool fresh;
    x.ts = read_zigzag(r);
    x.value = f64_of_bits(read_u64(r));
    return r->bad ? ERR_CORRUPT : exemplar_store(&t->exemplars, &x, of, INT64_MAX, &fresh);
}

static enum err read_metadata(struct reader *r, struct tenant *t)
{
    bool fresh;
    struct sink_metadata m = {.metric = read_str(r)};
    m.type = read_str(r);
    m.help = read_str(r);
    m.unit = read_str(r);
    return r->bad || m.metric.n == 0 ? ERR_CORRUPT : metadata_store(t, &m, &fresh);
}

enum err side_replay(struct tsdb *db, struct str record)
{
    struct reader r = reader_of(record);
    struct tenant *t = NULL;
    (void)read_u8(&r);
    struct str name = read_str(&r);
    enum err e = r.bad || name.n == 0 ? ERR_CORRUPT : tenant_get(db, name, true, &t);
    if (e != ERR_OK) {
        return e;
    }
    mutex_lock(&t->side_lock);
    while (e == ERR_OK && reader_left(&r)) {
        uint8_t kind = read_u8(&r);
        e = kind == ENTRY_EXEMPLAR   ? read_exemplar(&r, t)
            : kind == ENTRY_METADATA ? read_metadata(&r, t)
                                     : ERR_CORRUPT;
    }
    mutex_unlock(&t->side_lock);
    return e;
}

static void save_metadata(struct buf *b, struct str metric, const struct metadata_row *r)
{
    if (r->next) {
        save_metadata(b, metric,
                      r->next); /* at most ROWS_PER_METRIC_MAX deep; the oldest first, as they came */
    }
    struct sink_metadata m = {metric, str_of(r->text, r->type_n), str_of(r->text + r->type_n, r->help_n),
                              str_of(r->text + r->type_n + r->help_n, r->unit_n)};
    write_metadata(b, &m);
}

bool side_save(struct tenant *t, struct buf *b)
{
    struct str metric;
    void *rows = NULL;
    size_t pos = 0;
    begin(b, t);
    size_t empty = b->n;
    mutex_lock(&t->side_lock);
    for (uint32_t i = 0; i < t->exemplars.n; i++) {
        const struct exemplar *x = exemplar_at(&t->exemplars, i);
        write_u8(b, ENTRY_EXEMPLAR);
        buf_append(b, x->packed, x->series_n + x->own_n);
        write_zigzag(b, x->ts);
        write_u64(b, f64_bits(x->value));
    }
    while (strmap_next(&t->metadata, &pos, &metric, &rows)) {
        save_metadata(b, metric, rows);
    }
    mutex_unlock(&t->side_lock);
    return b->n > empty;
}

/* -- storing --------------------------------------------------------------------------------------------- */

struct side_writer {
    struct tenant *t;
    const struct sink_batch *b;
    const bool *known; /* of the batch's series; NULL: all */
    struct sink_result *result;
    struct buf *record;
    int64_t window_ms;
};

/* Its series' labels; empty when it is left out. */
static struct labels series_of(const struct side_writer *w, const struct sink_exemplar *x)
{
    bool there = x->series_index < w->b->series_count && (!w->known || w->known[x->series_index]);
    return there ? w->b->series[x->series_index].labels : (struct labels){0};
}

/* Counts what becomes of them beside those of earlier batches: among its own a batch may say anything. */
static enum err count_exemplars(const struct side_writer *w)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < w->b->exemplar_count; i++) {
        const struct sink_exemplar *x = &w->b->exemplars[i];
        enum exemplar_verdict verdict = EXEMPLAR_LEFT_OUT;
        e = exemplar_check(&w->t->exemplars, x, series_of(w, x), w->window_ms, &verdict);
        w->result->exemplars += verdict == EXEMPLAR_NEW || verdict == EXEMPLAR_KNOWN;
        w->result->exemplars_late += verdict == EXEMPLAR_LATE;
    }
    return e;
}

/* Keeps what is new, and writes it to the record. */
static enum err keep(const struct side_writer *w)
{
    const struct sink_batch *b = w->b;
    enum err e = ERR_OK;
    bool fresh = false;
    for (size_t i = 0; e == ERR_OK && i < b->metadata_count; i++) {
        e = metadata_store(w->t, &b->metadata[i], &fresh);
        if (fresh) {
            write_metadata(w->record, &b->metadata[i]);
        }
    }
    e = e == ERR_OK ? count_exemplars(w) : e;
    for (size_t i = 0; e == ERR_OK && i < b->exemplar_count; i++) {
        const struct sink_exemplar *x = &b->exemplars[i];
        struct labels series = series_of(w, x);
        e = exemplar_store(&w->t->exemplars, x, series, w->window_ms, &fresh);
        if (fresh) {
            write_exemplar(w->record, series, x->labels, x->ts, x->value);
        }
    }
    return e == ERR_OK ? w->record->err : e;
}

enum err side_store(struct tsdb *db, struct tenant *t, const struct sink_batch *b, const bool *known,
                    struct sink_result *ret_result, struct err_info *info)
{
    struct buf record AUTO_BUF = {.size_bytes_max = INGEST_LOG_RECORD_BYTES_MAX};
    int64_t window_ms = db->o.late_window_ms > 0 ? db->o.late_window_ms : 0;
    const struct side_writer w = {t, b, known, ret_result, &record, window_ms};
    if (b->exemplar_count == 0 && b->metadata_count == 0) {
        return ERR_OK;
    }
    begin(&record, t);
    size_t empty = record.n;
    mutex_lock(&t->side_lock);
    enum err e = keep(&w);
    mutex_unlock(&t->side_lock);
    if (e != ERR_OK) {
        return err_set(info, e, "no memory for metadata and exemplars");
    }
    struct str part = buf_view(&record);
    uint64_t offset = 0;
    return record.n > empty ? ingest_log_append(db->log, 0, &part, 1, &offset, info) : ERR_OK;
}

void side_done(struct tenant *t)
{
    exemplars_done(&t->exemplars);
    strmap_clear(&t->metadata, rows_free);
    strmap_done(&t->metadata);
}

/* -- queries --------------------------------------------------------------------------------------------- */

static enum err rows_collect(struct arena *a, struct str metric, const struct metadata_row *r,
                             struct metric_metadata **items, size_t *n, size_t *cap)
{
    for (; r; r = r->next) {
        if (arena_reserve(a, (void **)items, cap, *n + 1, sizeof(**items)) != ERR_OK) {
            return arena_err(a);
        }
        struct metric_metadata *m = &(*items)[*n];
        m->metric = arena_str(a, metric);
        m->type = arena_str(a, str_of(r->text, r->type_n));
        m->help = arena_str(a, str_of(r->text + r->type_n, r->help_n));
        m->unit = arena_str(a, str_of(r->text + r->type_n + r->help_n, r->unit_n));
        if (!m->metric.p || !m->type.p || !m->help.p || !m->unit.p) {
            return arena_err(a);
        }
        *n += 1;
    }
    return ERR_OK;
}

enum err source_metadata(struct metric_source *s, struct query_ctx *q, struct str metric, size_t limit,
                         struct arena *a, const struct metric_metadata **ret_rows, size_t *ret_n,
                         struct err_info *reterr_info)
{
    struct tenant *t = NULL;
    struct metric_metadata *items = NULL;
    size_t n = 0, cap = 0, metrics = 0, pos = 0;
    enum err e = tenant_get(tsdb_of_source(s), q->tenant, false, &t);
    if (e == ERR_OK && t) {
        struct str key;
        void *value = NULL;
        mutex_lock(&t->side_lock);
        if (metric.n) {
            e = rows_collect(a, metric, strmap_get(&t->metadata, metric), &items, &n, &cap);
        }
        while (metric.n == 0 && e == ERR_OK && (limit == 0 || metrics++ < limit) &&
               strmap_next(&t->metadata, &pos, &key, &value)) {
            e = rows_collect(a, key, value, &items, &n, &cap);
        }
        mutex_unlock(&t->side_lock);
    }
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "no memory left for metadata");
    }
    *ret_rows = items;
    *ret_n = n;
    return ERR_OK;
}
