/* Blocks that a Prometheus wrote: every sample is read as it was written; whatever byte is changed or cut
 * off, damage is seen and nothing else is read wrongly. */
#include <stdio.h>

#include "base/mem.h"
#include "fixture.h"
#include "harness.h"
#include "metrics/promtsdb/prom_dir.h"

static struct prom_dir open_dir(const char *name)
{
    char path[512];
    struct prom_dir dir = {0};
    struct err_info info = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
    if (prom_dir_open(path, &dir, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return dir;
}

/* What reading a block found. */
struct seen {
    size_t series, samples, wrong, bad;
};

static void series_see(const struct prom_block *b, const struct prom_series *s, struct arena *a, bool st,
                       struct seen *seen)
{
    struct str name = labels_get(s->labels, LABEL_METRIC_NAME);
    if (st && !fixture_series_st(name)) {
        return;
    }
    seen->series++;
    for (size_t i = 0; i < s->chunk_count; i++) {
        unsigned encoding = 0;
        struct str data;
        struct prom_samples p;
        if (prom_block_chunk(b, s->chunks[i].ref, &encoding, &data) != ERR_OK ||
            prom_chunk_decode(encoding, data, a, &p) != ERR_OK) {
            seen->bad++;
            continue;
        }
        for (size_t k = 0; k < p.n; k++) {
            const struct histogram *h = p.histograms ? p.histograms[k] : NULL;
            int tick = st ? fixture_tick_st(p.values[k], h) : fixture_tick(p.ts[k]);
            bool time = st ? p.starts && p.starts[k] == fixture_start(tick) : fixture_ts(tick) == p.ts[k];
            seen->wrong += !time || !fixture_sample_is(name, tick, p.values[k], h);
            seen->samples++;
        }
    }
}

static struct seen block_see(const struct prom_block *b, bool st)
{
    struct arena a AUTO_ARENA;
    struct prom_ids ids = {0};
    struct seen seen = {0};
    arena_init(&a, (size_t)64 << 20, NULL);
    if (prom_index_select(&b->index, NULL, 0, &a, &ids) != ERR_OK) {
        seen.bad++;
    }
    for (size_t i = 0; i < ids.n; i++) {
        struct prom_series s;
        if (prom_index_series(&b->index, ids.ids[i], &a, &s) == ERR_OK) {
            series_see(b, &s, &a, st, &seen);
        } else {
            seen.bad++;
        }
    }
    return seen;
}

TEST(every_sample_of_a_block)
{
    struct prom_dir dir = open_dir("data");
    CHECK_EQ(dir.n, 1);
    CHECK_EQ(dir.bad_count, 0);
    CHECK_EQ(dir.blocks[0]->meta.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(prom_dir_head_from(&dir), fixture_ts(FIXTURE_TICKS - 1) + 1);
    struct seen s = block_see(dir.blocks[0], false);
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.wrong + s.bad, 0);
    prom_dir_done(&dir);
}

TEST(start_timestamps_in_every_encoding_that_has_them)
{
    struct prom_dir dir = open_dir("data_st");
    CHECK_EQ(dir.n, 1);
    struct seen s = block_see(dir.blocks[0], true);
    CHECK_EQ(s.series, FIXTURE_SERIES_ST);
    CHECK(s.samples >= (size_t)FIXTURE_SERIES_ST * FIXTURE_TICKS_ST);
    CHECK_EQ(s.wrong + s.bad, 0);
    prom_dir_done(&dir);
}

/* The chunk files with a histogram's first sample: what is known of resets. */
TEST(only_the_first_histogram_of_a_chunk_may_follow_a_reset)
{
    struct prom_dir dir = open_dir("data");
    struct arena a AUTO_ARENA;
    struct prom_ids ids;
    struct prom_series s;
    struct matcher m = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("hist_int")};
    arena_init(&a, 0, NULL);
    CHECK_OK(prom_index_select(&dir.blocks[0]->index, &m, 1, &a, &ids));
    CHECK_EQ(ids.n, 1);
    CHECK_OK(prom_index_series(&dir.blocks[0]->index, ids.ids[0], &a, &s));
    CHECK(s.chunk_count > 1);
    for (size_t i = 0; i < s.chunk_count; i++) {
        unsigned encoding = 0;
        struct str data;
        struct prom_samples p;
        CHECK_OK(prom_block_chunk(dir.blocks[0], s.chunks[i].ref, &encoding, &data));
        CHECK_OK(prom_chunk_decode(encoding, data, &a, &p));
        for (size_t k = 0; k < p.n; k++) {
            CHECK_EQ(p.histograms[k]->reset_hint, k ? HRESET_NO : HRESET_UNKNOWN);
        }
    }
    prom_dir_done(&dir);
}

static size_t selected(const struct prom_index *ix, enum matcher_op op, const char *name, const char *value)
{
    struct arena a AUTO_ARENA;
    struct prom_ids ids = {0};
    struct matcher m;
    arena_init(&a, 0, NULL);
    if (matcher_init(&m, op, str_c(name), str_c(value), NULL) != ERR_OK ||
        prom_index_select(ix, &m, 1, &a, &ids) != ERR_OK) {
        return SIZE_MAX;
    }
    matcher_done(&m);
    return ids.n;
}

TEST(matchers_against_postings)
{
    struct prom_dir dir = open_dir("data");
    const struct prom_index *ix = &dir.blocks[0]->index;
    CHECK_EQ(selected(ix, MATCH_EQ, "__name__", "float_2"), 1);
    CHECK_EQ(selected(ix, MATCH_EQ, "__name__", "float_"), 0);
    CHECK_EQ(selected(ix, MATCH_EQ, "job", "fixture"), FIXTURE_SERIES);
    CHECK_EQ(selected(ix, MATCH_NEQ, "__name__", "float_2"), FIXTURE_SERIES - 1);
    CHECK_EQ(selected(ix, MATCH_RE, "__name__", "hist_.*"), 4);
    CHECK_EQ(selected(ix, MATCH_NRE, "__name__", "hist_.*"), 4);
    CHECK_EQ(selected(ix, MATCH_EQ, "absent", ""), FIXTURE_SERIES);
    CHECK_EQ(selected(ix, MATCH_NEQ, "absent", ""), 0);
    CHECK_EQ(selected(ix, MATCH_NEQ, "job", ""), FIXTURE_SERIES);
    CHECK(prom_index_name(ix, STR("instance")) && !prom_index_name(ix, STR("absent")));
    prom_dir_done(&dir);
}

TEST(tombstones_cover_what_was_deleted)
{
    struct prom_dir dir = open_dir("data");
    struct arena a AUTO_ARENA;
    struct prom_ids ids;
    arena_init(&a, 0, NULL);
    CHECK_OK(prom_index_select(&dir.blocks[0]->index, NULL, 0, &a, &ids));
    for (size_t i = 0; i < ids.n; i++) {
        struct prom_series s;
        CHECK_OK(prom_index_series(&dir.blocks[0]->index, ids.ids[i], &a, &s));
        struct prom_stones stones = prom_stones_of(&dir.blocks[0]->stones, ids.ids[i]);
        for (int tick = 0; tick < FIXTURE_TICKS; tick++) {
            CHECK_EQ(prom_stones_cover(&stones, fixture_ts(tick)),
                     fixture_deleted(labels_get(s.labels, LABEL_METRIC_NAME), tick));
        }
    }
    prom_dir_done(&dir);
}

/* A file of the block with one byte changed, or cut off before it; the rest of the block as it is. */
static void damage_index(struct prom_block *b, bool cut, size_t *ret_unseen)
{
    struct str whole = b->index.data;
    char *copy = mem_dup(whole.p, whole.n);
    struct prom_index sound = b->index;
    *ret_unseen = 0;
    for (size_t i = 0; copy && i < whole.n; i++) {
        struct err_info info = {0};
        copy[i] = (char)(copy[i] ^ 0x41);
        enum err e = prom_index_parse(str_of(copy, cut ? i : whole.n), &b->index, &info);
        if (e == ERR_OK) {
            struct seen s = block_see(b, false);
            if (s.wrong) {
                test_fail_i64(__FILE__, __LINE__, "wrong samples after byte", (int64_t)i, -1);
            }
            *ret_unseen += s.bad == 0;
            prom_index_done(&b->index);
        } else if (e != ERR_CORRUPT && e != ERR_UNSUPPORTED) {
            test_fail_i64(__FILE__, __LINE__, "index error", e, ERR_CORRUPT);
        }
        copy[i] = (char)(copy[i] ^ 0x41);
    }
    b->index = sound;
    mem_free(copy);
}

/* Bytes that nobody reads: padding between series, label indices of older readers, postings of other names.
 */
TEST(a_damaged_index_is_seen_or_does_no_harm)
{
    struct prom_dir dir = open_dir("data");
    size_t unseen = 0;
    damage_index(dir.blocks[0], true, &unseen);
    CHECK_EQ(unseen, 0);
    damage_index(dir.blocks[0], false, &unseen);
    CHECK(unseen < dir.blocks[0]->index.data.n / 2);
    prom_dir_done(&dir);
}

TEST(a_damaged_chunk_costs_itself_alone)
{
    struct prom_dir dir = open_dir("data");
    struct prom_block *b = dir.blocks[0];
    struct str whole = b->segments[0].data;
    char *copy = mem_dup(whole.p, whole.n);
    CHECK(copy);
    b->segments[0].data.p = copy;
    for (size_t i = PROM_CHUNKS_HEADER_BYTES; i < whole.n; i += 7) {
        copy[i] = (char)(copy[i] ^ 0x10);
        struct seen s = block_see(b, false);
        copy[i] = (char)(copy[i] ^ 0x10);
        CHECK_EQ(s.wrong, 0);
        CHECK_EQ(s.bad, 1);
    }
    b->segments[0].data.n = whole.n - 1;
    CHECK_EQ(block_see(b, false).bad, 1);
    b->segments[0].data = whole;
    mem_free(copy);
    prom_dir_done(&dir);
}

TEST(damaged_tombstones_are_seen)
{
    struct prom_dir dir = open_dir("data");
    struct buf b AUTO_BUF = {0};
    struct prom_stones s = {0};
    struct err_info info = {0};
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/data/%s/tombstones", TEST_DATA, dir.blocks[0]->meta.ulid);
    CHECK_OK(file_load(path, &b, &info));
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] = (char)(b.p[i] ^ 0x20);
        CHECK(prom_stones_parse(buf_view(&b), &s, &info) != ERR_OK);
        b.p[i] = (char)(b.p[i] ^ 0x20);
        CHECK(prom_stones_parse(str_of(b.p, i), &s, &info) != ERR_OK);
    }
    CHECK_OK(prom_stones_parse(buf_view(&b), &s, &info));
    CHECK_EQ(s.n, 2);
    prom_stones_done(&s);
    prom_dir_done(&dir);
}

TEST(meta_json)
{
    struct prom_meta m = {0};
    struct err_info info = {0};
    CHECK_OK(prom_meta_parse(STR("{\"ulid\":\"01M8BNKC8C1FT50F424RRCQH0F\",\"minTime\":-5,\"maxTime\":10,"
                                 "\"compaction\":{\"hints\":[\"from-out-of-order\"],\"deletable\":true,"
                                 "\"parents\":[{\"ulid\":\"01M8BNKC8C1FT50F424RRCQH01\"},{\"ulid\":\"x\"}]},"
                                 "\"version\":1}"),
                             &m, &info));
    CHECK(m.aside && m.deletable && m.min_ts == -5 && m.max_ts == 10);
    CHECK_EQ(m.parent_count, 1);
    prom_meta_done(&m);
    CHECK_EQ(prom_meta_parse(STR("{\"version\":2}"), &m, &info), ERR_UNSUPPORTED);
    CHECK_EQ(prom_meta_parse(STR("{\"version\":1,\"ulid\":\"../../../etc/passwd/abcdefghij\"}"), &m, &info),
             ERR_CORRUPT);
    CHECK_EQ(prom_meta_parse(STR("{\"ver"), &m, &info), ERR_CORRUPT);
}

static enum err open_all(void *ctx)
{
    struct prom_dir dir = {0};
    struct err_info info = {0};
    enum err e = prom_dir_open(ctx, &dir, &info);
    prom_dir_done(&dir);
    return e;
}

TEST(no_memory_to_open_a_folder)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/data", TEST_DATA);
    test_fail_each(FAULT_ALLOC, open_all, path);
}

TEST(every_file_of_a_block_is_named_and_no_other)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    char path[512];
    struct err_info info = {0};
    arena_init(&a, 0, NULL);
    (void)snprintf(path, sizeof(path), "%s/data", TEST_DATA); /* wal and chunks_head are there, too */
    CHECK_OK(prom_dir_files(path, &a, &names, &n, &info));
    CHECK_EQ(n, 4);
    CHECK_STR(names[0], "01M8BP5HEK5BVACPWE4M388ABE/chunks/000001");
    CHECK_STR(names[1], "01M8BP5HEK5BVACPWE4M388ABE/index");
    CHECK_STR(names[2], "01M8BP5HEK5BVACPWE4M388ABE/meta.json");
    CHECK_STR(names[3], "01M8BP5HEK5BVACPWE4M388ABE/tombstones");
    CHECK_EQ(prom_dir_files("/nowhere", &a, &names, &n, &info), ERR_NOT_FOUND);
}
