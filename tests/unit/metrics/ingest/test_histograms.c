/* Histograms, start timestamps, exemplars and metadata by remote write 1.0 and 2.0 into a real store. */
#include <math.h>

#include "codec/proto.h"
#include "codec/remote_write.h"
#include "harness.h"
#include "metrics/ingest/remote_ingest.h"
#include "metrics/ingest/wire_histogram.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/tsdb/tsdb.h"

enum {
    T0 = 1000000000
};

static struct tsdb *open_store(struct clock *clock)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    clock_fake_init(clock, (ts_ns)T0 * NS_PER_MS);
    struct tsdb_options o = {.dir = test_dir(), .clock = clock};
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return db;
}

static void put_zigzag(struct buf *b, uint32_t number, int64_t v)
{
    proto_write_u64(b, number, zigzag_encode(v));
}

static void put_span(struct buf *b, uint32_t number, int32_t offset, uint32_t length)
{
    size_t mark = proto_nested_begin(b, number);
    put_zigzag(b, 1, offset);
    proto_write_u64(b, 2, length);
    proto_nested_end(b, mark);
}

/* Buckets 1 and 3 at index 0 and 1, and -2 on the other side: integers, or floats. */
static void put_histogram(struct buf *b, uint32_t number, bool is_float, int32_t schema, double count,
                          ts_ms ts, ts_ms start)
{
    size_t mark = proto_nested_begin(b, number), packed;
    if (is_float) {
        proto_write_f64(b, 2, count);
        proto_write_f64(b, 7, 0);
    } else {
        proto_write_u64(b, 1, (uint64_t)count);
        proto_write_u64(b, 6, 0);
    }
    proto_write_f64(b, 3, 12.5);
    put_zigzag(b, 4, schema);
    put_span(b, 11, 0, 2);
    packed = proto_nested_begin(b, is_float ? 13 : 12);
    if (is_float) {
        write_u64(b, 0x3ff0000000000000u);
        write_u64(b, 0x4008000000000000u);
    } else {
        write_zigzag(b, 1);
        write_zigzag(b, 2);
    }
    proto_nested_end(b, packed);
    proto_write_u64(b, 15, (uint64_t)ts);
    if (schema == HISTOGRAM_SCHEMA_CUSTOM) {
        proto_write_f64(b, 16, 0.5);
    }
    if (start) {
        proto_write_u64(b, 17, (uint64_t)start);
    }
    proto_nested_end(b, mark);
}

static void put_label(struct buf *b, const char *name, const char *value)
{
    size_t mark = proto_nested_begin(b, 1);
    proto_write_bytes(b, 1, str_c(name));
    proto_write_bytes(b, 2, str_c(value));
    proto_nested_end(b, mark);
}

static struct remote_outcome take(struct tsdb *db, const struct buf *b, bool v2, struct arena *a)
{
    struct wire_write w = {0};
    struct remote_outcome o = {0};
    struct err_info info = {0};
    enum err e = v2 ? remote_write_decode_v2(a, buf_view(b), &w, &info)
                    : remote_write_decode_v1(a, buf_view(b), false, &w, &info);
    e = e ? e : remote_ingest(tsdb_sink(db), NULL, STR("anonymous"), &w, a, &o, &info);
    if (e) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return o;
}

/* The only sample of a metric. */
static bool stored(struct tsdb *db, const char *name, struct arena *a, const struct histogram **ret_h,
                   ts_ms *ret_start)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct matcher m = {.op = MATCH_EQ, .name = STR("__name__"), .value = str_c(name)};
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    bool found = false;
    if (src->ops->select(src, &q, &sel, &c, NULL) != ERR_OK) {
        return false;
    }
    while (src->ops->next(c, &b, NULL) == ERR_OK) {
        const struct metric_series *s = &b.series[0];
        const struct histogram *h = s->histograms ? s->histograms[0] : NULL;
        void *mem = h ? arena_alloc(a, histogram_copy_bytes(h)) : NULL;
        found = b.series_count == 1 && s->count == 1 && mem;
        *ret_h = mem ? histogram_copy(h, mem) : NULL;
        *ret_start = s->start_ts ? s->start_ts[0] : 0;
    }
    src->ops->close(c);
    return found;
}

TEST(histograms_of_both_kinds_by_1_0)
{
    struct clock clock;
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct tsdb *db = open_store(&clock);
    CHECK(db);
    static const char *const names[] = {"integer", "float", "custom", "fine", "bad", "unknown"};
    static const int32_t schemas[] = {2, -1, HISTOGRAM_SCHEMA_CUSTOM, 9, 2, 60};
    for (size_t i = 0; i < 6; i++) {
        size_t mark = proto_nested_begin(&b, 1);
        put_label(&b, "__name__", names[i]);
        put_histogram(&b, 4, i == 1, schemas[i], i == 4 ? 5 : 4, T0 - 1000, 0);
        proto_nested_end(&b, mark);
    }
    struct remote_outcome o = take(db, &b, false, &a);
    CHECK_EQ(o.status, 400);
    CHECK_EQ(o.stored, 4);
    CHECK_EQ(o.histograms, 4);
    CHECK_EQ(o.refused, 2);
    CHECK(str_find(o.text, STR("4 observations found in buckets, but the Count field is 5"), 0) != STR_NPOS);
    const struct histogram *h = NULL;
    ts_ms start = 0;
    CHECK(stored(db, "integer", &a, &h, &start));
    CHECK(!h->is_float && h->schema == 2 && h->count == 4 && h->sum == 12.5 && h->positive[0] == 1 &&
          h->positive[1] == 3);
    CHECK(stored(db, "float", &a, &h, &start));
    CHECK(h->is_float && h->schema == -1 && h->positive[1] == 3 && h->positive_count == 2);
    CHECK(stored(db, "custom", &a, &h, &start));
    CHECK(h->schema == HISTOGRAM_SCHEMA_CUSTOM && h->custom_value_count == 1 && h->custom_values[0] == 0.5);
    CHECK(stored(db, "fine", &a, &h, &start)); /* finer than we have: merged */
    CHECK(!h->is_float && h->schema == 8 && h->positive_count == 2 && h->count == 4);
    CHECK(!stored(db, "bad", &a, &h, &start) && !stored(db, "unknown", &a, &h, &start));
    tsdb_close(db);
}

static void put_refs(struct buf *b, uint32_t number, const uint64_t *refs, size_t n)
{
    size_t mark = proto_nested_begin(b, number);
    for (size_t i = 0; i < n; i++) {
        write_varint(b, refs[i]);
    }
    proto_nested_end(b, mark);
}

/* One series with everything that 2.0 has. */
static void put_request_v2(struct buf *b, uint64_t value_ref)
{
    static const char *const symbols[] = {"", "__name__", "h", "trace_id", "abc", "what it is", "seconds"};
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        proto_write_bytes(b, 4, str_c(symbols[i]));
    }
    size_t mark = proto_nested_begin(b, 5), inner;
    put_refs(b, 1, (uint64_t[]){1, value_ref}, 2);
    put_histogram(b, 3, false, 0, 4, T0 - 1000, T0 - 5000);
    inner = proto_nested_begin(b, 4);
    put_refs(b, 1, (uint64_t[]){3, 4}, 2);
    proto_write_f64(b, 2, 0.25);
    proto_write_u64(b, 3, T0 - 1000);
    proto_nested_end(b, inner);
    inner = proto_nested_begin(b, 5);
    proto_write_u64(b, 1, 3);
    proto_write_u64(b, 3, 5);
    proto_write_u64(b, 4, 6);
    proto_nested_end(b, inner);
    proto_nested_end(b, mark);
}

TEST(everything_that_2_0_carries)
{
    struct clock clock;
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct tsdb *db = open_store(&clock);
    CHECK(db);
    put_request_v2(&b, 2);
    struct remote_outcome o = take(db, &b, true, &a);
    CHECK_EQ(o.status, 204);
    CHECK_EQ(o.histograms, 1);
    CHECK_EQ(o.exemplars, 1);
    const struct histogram *h = NULL;
    ts_ms start = 0;
    CHECK(stored(db, "h", &a, &h, &start));
    CHECK_EQ(start, T0 - 5000);
    CHECK(h->count == 4);
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(db);
    const struct metric_metadata *meta = NULL;
    size_t n = 0;
    CHECK_OK(src->ops->metadata(src, &q, STR("h"), 0, &a, &meta, &n, NULL));
    CHECK_EQ(n, 1);
    CHECK_STR(meta[0].type, "histogram");
    CHECK_STR(meta[0].help, "what it is");
    CHECK_STR(meta[0].unit, "seconds");
    tsdb_close(db);
}

TEST(a_2_0_request_with_a_symbol_that_is_not_there)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_write w;
    struct err_info info = {0};
    put_request_v2(&b, 7);
    CHECK_OK(remote_write_decode_v2(&a, buf_view(&b), &w, &info));
    CHECK_EQ(w.refused, 1);
    CHECK(strstr(w.refusal.p, "outside of symbols table"));
    for (size_t cut = 0; cut < b.n; cut++) { /* cut off anywhere: refused or shorter, never a crash */
        enum err e = remote_write_decode_v2(&a, str_of(b.p, cut), &w, &info);
        CHECK(e == ERR_OK || e == ERR_INVALID);
    }
}

TEST(a_histogram_for_the_wire_outlives_its_value)
{
    struct arena a AUTO_ARENA = {0}, cursor = {0};
    struct histogram_span span = {0, 2};
    double counts[] = {1, 2}, bounds[] = {0.5, 1};
    struct wire_histogram w;
    arena_init(&cursor, 0, NULL);
    struct histogram *h = arena_zalloc(&cursor, sizeof(*h));
    double *own_counts = arena_array(&cursor, 2, sizeof(*own_counts)),
           *own_bounds = arena_array(&cursor, 2, sizeof(*own_bounds));
    CHECK(h && own_counts && own_bounds);
    memcpy(own_counts, counts, sizeof(counts));
    memcpy(own_bounds, bounds, sizeof(bounds));
    *h = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                            .is_float = true,
                            .count = 3,
                            .positive_spans = &span,
                            .positive_span_count = 1,
                            .positive = own_counts,
                            .positive_count = 2,
                            .custom_values = own_bounds,
                            .custom_value_count = 2};
    CHECK_OK(histogram_to_wire(&a, h, T0, &w));
    arena_done(&cursor); /* as when a remote read closes its cursor before it answers */
    CHECK(w.positive_counts[0] == 1 && w.positive_counts[1] == 2);
    CHECK(w.custom_values[0] == 0.5 && w.custom_values[1] == 1);
}
