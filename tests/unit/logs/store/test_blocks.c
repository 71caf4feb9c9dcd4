/* What users notice of blocks: lines go when they are too old or too many, damage costs only what it hit, and
 * old files stay readable. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "disk/file.h"
#include "harness.h"
#include "logs/store/block.h"
#include "model.h"

enum {
    HOUR_S = 3600
};

#define T0 (INT64_C(1700000000) * NS_PER_S)

static struct log_store *open_with(const struct log_store_options *o)
{
    struct log_store *s = NULL;
    struct err_info info = {0};
    if (log_store_open(o, &s, &info)) {
        (void)fprintf(stderr, "open: %s\n", info.message);
    }
    return s;
}

static enum err push_lines(struct log_store *s, const char *tenant, ts_ns ts, unsigned n, struct rng *rng,
                           size_t line_bytes)
{
    static char text[4096];
    struct label l = {STR("app"), STR("x")};
    enum err e = ERR_OK;
    for (unsigned i = 0; !e && i < n; i++) {
        for (size_t k = 0; k < line_bytes; k++) {
            text[k] = (char)(' ' + rng_below(rng, 90));
        }
        struct log_entry entry = {.ts = ts + i, .line = str_of(text, line_bytes)};
        struct log_stream_push p = {{&l, 1}, &entry, 1};
        struct log_push_result r;
        struct log_sink *sink = log_store_sink(s);
        e = sink->ops->push(sink, &(struct log_push){str_c(tenant), &p, 1}, &r, NULL);
    }
    return e;
}

static uint64_t count(struct log_store *s, const char *tenant, ts_ns from)
{
    struct log_select sel = {.start_ns = from, .end_ns = INT64_MAX, .lines_needed = true};
    struct query_ctx q = {.tenant = str_c(tenant)};
    struct log_source *src = log_store_source(s);
    struct log_cursor *c = NULL;
    struct log_batch b;
    uint64_t n = 0;
    enum err e = src->ops->select(src, &q, &sel, &c, NULL);
    while (!e && (e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        n += b.count;
    }
    src->ops->close(c);
    return e == ERR_NOT_FOUND ? n : UINT64_MAX;
}

static int64_t keep_less_of_t2(void *ctx, struct str tenant)
{
    (void)ctx;
    return str_eq_c(tenant, "t2") ? 5 * HOUR_S * MS_PER_S : 0;
}

TEST(lines_go_when_their_tenants_retention_is_over)
{
    struct clock clock;
    clock_fake_init(&clock, T0);
    struct log_store_options o = {.dir = test_dir(),
                                  .clock = &clock,
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = 20 * HOUR_S * MS_PER_S,
                                  .tenant_retention_ms = keep_less_of_t2};
    struct log_store *s = open_with(&o);
    CHECK(s);
    struct rng rng;
    rng_init(&rng, 1);
    CHECK_OK(push_lines(s, "t1", T0, 10, &rng, 50));
    CHECK_OK(push_lines(s, "t2", T0, 10, &rng, 50));
    clock_fake_advance(&clock, 2 * HOUR_S * NS_PER_S);
    CHECK_OK(log_store_maintain(s, NULL));
    struct log_store_stats st;
    log_store_stats(s, &st);
    CHECK_EQ(st.blocks, 2);
    CHECK_EQ(st.head_entries, 0);
    CHECK_EQ(count(s, "t1", 0), 10);
    CHECK_EQ(count(s, "t2", 0), 10);
    clock_fake_advance(&clock, 4 * HOUR_S * NS_PER_S);
    CHECK_OK(log_store_maintain(s, NULL));
    CHECK_EQ(count(s, "t1", 0), 10);
    CHECK_EQ(count(s, "t2", 0), 0);
    clock_fake_advance(&clock, 15 * HOUR_S * NS_PER_S);
    CHECK_OK(log_store_maintain(s, NULL));
    CHECK_EQ(count(s, "t1", 0), 0);
    log_store_stats(s, &st);
    CHECK_EQ(st.block_bytes, 0);
    log_store_close(s);
}

TEST(the_oldest_lines_go_when_the_folder_reaches_its_cap)
{
    enum {
        CAP = 6 << 20,
        ROUNDS = 40
    };
    struct clock clock;
    clock_fake_init(&clock, T0);
    const char *dir = test_dir();
    struct log_store_options o = {.dir = dir,
                                  .clock = &clock,
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = -1,
                                  .retention_bytes = CAP,
                                  .head_bytes = 300 << 10};
    struct log_store *s = open_with(&o);
    CHECK(s);
    struct rng rng;
    rng_init(&rng, 1);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(push_lines(s, "t1", T0 + i * NS_PER_S, 100, &rng, 4000));
        CHECK_OK(log_store_maintain(s, NULL));
        uint64_t used = 0;
        CHECK_OK(dir_used_bytes(dir, &used, NULL));
        CHECK(used <= CAP);
    }
    CHECK_EQ(count(s, "t1", T0 + (ROUNDS - 1) * NS_PER_S), 100);
    CHECK(count(s, "t1", 0) < ROUNDS * 100);
    CHECK(count(s, "t1", 0) > 500);
    log_store_close(s);
}

TEST(a_full_disk_refuses_pushes_and_goes_on_reading)
{
    const char *dir = test_dir();
    struct log_store_options o = {
        .dir = dir, .durability = DURABILITY_OS, .disk_reserve_bytes = 1, .retention_ms = -1};
    struct log_store *s = open_with(&o);
    CHECK(s);
    struct rng rng;
    rng_init(&rng, 1);
    CHECK_OK(push_lines(s, "t1", T0, 10, &rng, 50));
    log_store_close(s);
    o.disk_reserve_bytes = UINT64_MAX / 2;
    s = open_with(&o);
    CHECK(s);
    CHECK_EQ(push_lines(s, "t1", T0 + 10, 1, &rng, 50), ERR_NO_SPACE);
    CHECK_EQ(count(s, "t1", 0), 10);
    CHECK_OK(log_store_maintain(s, NULL));
    log_store_close(s);
}

/* --- damage --- */

static enum err make_blocks(const char *dir, struct clock *clock, struct model *m)
{
    struct log_store_options o = {.dir = dir,
                                  .clock = clock,
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = -1,
                                  .group_bytes = 1500};
    struct rng rng;
    rng_init(&rng, test_seed());
    ts_ns now = 1000;
    enum err e = ERR_OK;
    for (int i = 0; !e && i < 2; i++) { /* closing flushes: two blocks */
        struct log_store *s = open_with(&o);
        e = s ? model_push(m, s, &rng, 60, &now, 0) : ERR_IO;
        e = e ? e : model_push(m, s, &rng, 60, &now, 0);
        log_store_close(s);
    }
    return e;
}

static struct str first_block(const char *dir, struct arena *a)
{
    const struct str *names = NULL;
    size_t n = 0;
    struct str blocks = arena_printf(a, "%s/blocks", dir);
    if (dir_list(blocks.p, a, &names, &n, NULL) || n == 0) {
        return (struct str){0};
    }
    return arena_printf(a, "%s/%.*s", blocks.p, STR_FMT(names[0]));
}

static bool in_model(const struct model *m, const struct log_batch *b, size_t i)
{
    for (size_t k = 0; k < m->n; k++) {
        const struct model_row *r = &m->rows[k];
        if (r->ts == b->ts[i] && str_eq(str_of(r->line, r->line_n), b->lines[i]) &&
            labels_eq(model_labels(r->stream), b->streams[b->stream[i]].labels)) {
            return true;
        }
    }
    return false;
}

/* How many lines are served, all of them true; UINT64_MAX when one is not. */
static uint64_t count_true(const struct model *m, struct log_store *s)
{
    struct log_select sel = {
        .start_ns = 0, .end_ns = INT64_MAX, .lines_needed = true, .metadata_needed = true};
    struct query_ctx q = {.tenant = STR("t1")};
    struct log_source *src = log_store_source(s);
    struct log_cursor *c = NULL;
    struct log_batch b;
    uint64_t n = 0;
    bool sound = src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK;
    while (sound && src->ops->next(c, &b, NULL) == ERR_OK) {
        for (size_t i = 0; sound && i < b.count; i++, n++) {
            sound = in_model(m, &b, i);
        }
    }
    src->ops->close(c);
    return sound ? n : UINT64_MAX;
}

TEST(damage_costs_what_it_hit_and_is_counted)
{
    const char *dir = test_dir();
    struct clock clock;
    clock_fake_init(&clock, NS_PER_S);
    struct model m = {0};
    CHECK_OK(make_blocks(dir, &clock, &m));
    struct log_store_options o = {.dir = dir, .clock = &clock, .disk_reserve_bytes = 1, .retention_ms = -1};
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct str path = first_block(dir, &a);
    CHECK(path.n);
    struct buf whole AUTO_BUF = {0};
    CHECK_OK(file_load(path.p, &whole, NULL));
    uint64_t least = m.n, hurt = 0;
    for (size_t at = 0; at < whole.n; at += 11) {
        char *copy = mem_dup(whole.p, whole.n);
        copy[at] = (char)(copy[at] ^ 0x55);
        CHECK_OK(file_store(path.p, str_of(copy, whole.n), NULL));
        mem_free(copy);
        struct log_store *s = open_with(&o);
        CHECK(s);
        uint64_t n = count_true(&m, s);
        CHECK(n <= m.n);
        struct log_store_stats st;
        log_store_stats(s, &st);
        CHECK(n == m.n || st.blocks_bad + st.groups_bad == 1);
        hurt += n < m.n;
        least = n < least ? n : least;
        log_store_close(s);
    }
    CHECK(hurt > 10);
    CHECK(least > 0); /* the other block is always served */
    CHECK_OK(file_store(path.p, buf_view(&whole), NULL));
    struct log_store *s = open_with(&o);
    CHECK(s);
    CHECK_EQ(count_true(&m, s), m.n);
    log_store_close(s);
    model_done(&m);
}

TEST(a_damaged_manifest_costs_nothing)
{
    const char *dir = test_dir();
    struct clock clock;
    clock_fake_init(&clock, NS_PER_S);
    struct model m = {0};
    CHECK_OK(make_blocks(dir, &clock, &m));
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct str path = arena_printf(&a, "%s/MANIFEST", dir);
    CHECK_OK(file_store(path.p, STR("cairn-manifest 1\nnonsense\n"), NULL));
    struct log_store_options o = {.dir = dir, .clock = &clock, .disk_reserve_bytes = 1, .retention_ms = -1};
    for (int i = 0; i < 2; i++) {
        struct log_store *s = open_with(&o);
        CHECK(s);
        CHECK_EQ(count_true(&m, s), m.n);
        log_store_close(s);
    }
    model_done(&m);
}

/* --- the frozen file --- */

static size_t golden_line(unsigned i, char *dst, size_t size)
{
    if (i % 50 == 7) {
        dst[0] = '\0';
        return 1;
    }
    return (size_t)snprintf(dst, size, "2024-01-0%u 12:00:%02u - app.%s - %s - request %u took %u ms\n%x",
                            i % 9, i % 60, i % 3 ? "http" : "db", i % 11 ? "INFO" : "ERROR", i, i * 37 % 900,
                            i * 2654435761u);
}

static struct head_entry golden_row(unsigned i, char *line, size_t size, struct label *meta)
{
    *meta = (struct label){STR("level"), i % 4 == 1 ? STR("warn") : STR("info")};
    struct head_entry row = {.ts = T0 + (ts_ns)i * 250 * NS_PER_MS + (i % 100 == 0), .line = line};
    row.line_n = (uint32_t)golden_line(i, line, size);
    row.meta = i % 4 < 2 ? meta : NULL;
    row.meta_n = i % 4 < 2;
    return row;
}

enum {
    GOLDEN_ROWS = 900,
    GOLDEN_STREAM_ROWS = 300
};

static enum err golden_write(const char *path)
{
    struct block_writer *w = NULL;
    enum err e = block_writer_new(path, STR("team-a"), 2, 20000, &w, NULL);
    for (unsigned i = 0; !e && i < GOLDEN_ROWS; i++) {
        char line[200];
        struct label meta, l[2] = {{STR("app"), STR("shop")}, {STR("host"), STR("h0")}};
        char host[8];
        (void)snprintf(host, sizeof(host), "h%u", i / GOLDEN_STREAM_ROWS);
        l[1].value = str_c(host);
        e = i % GOLDEN_STREAM_ROWS ? ERR_OK : block_writer_stream(w, (struct labels){l, 2}, NULL);
        struct head_entry row = golden_row(i, line, sizeof(line), &meta);
        e = e ? e : block_writer_row(w, &row, NULL);
    }
    uint64_t rows = 0;
    return e ? e : log_block_writer_finish(w, &rows, NULL);
}

static bool golden_same(const char *path)
{
    struct block *b = NULL;
    if (log_block_open(path, STR("golden.block"), 1, &b, NULL)) {
        return false;
    }
    struct block_reader r;
    struct head_entry got;
    block_reader_init(&r, b);
    bool same =
        str_eq_c(b->tenant, "team-a") && b->rows == GOLDEN_ROWS && b->level == 2 && b->group_count > 1;
    for (unsigned i = 0; same && i < GOLDEN_ROWS; i++) {
        char line[200];
        struct label meta;
        struct head_entry want = golden_row(i, line, sizeof(line), &meta);
        same = block_reader_next(&r, &got) == ERR_OK && got.ts == want.ts &&
               str_eq(str_of(got.line, got.line_n), str_of(want.line, want.line_n)) &&
               labels_eq((struct labels){got.meta, got.meta_n}, (struct labels){want.meta, want.meta_n});
    }
    same = same && block_reader_next(&r, &got) == ERR_NOT_FOUND;
    block_reader_done(&r);
    log_block_unref(b);
    return same;
}

TEST(blocks_of_version_1_stay_readable)
{
    if (getenv("CAIRN_GOLDEN_WRITE")) {
        CHECK_OK(golden_write(TEST_DATA "/block-v1.block"));
    }
    CHECK(golden_same(TEST_DATA "/block-v1.block"));
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct str path = arena_printf(&a, "%s/now.block", test_dir());
    CHECK_OK(golden_write(path.p));
    CHECK(golden_same(path.p));
}
