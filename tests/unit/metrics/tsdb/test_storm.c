/* Columns, remote writes, late and repeated samples, new series, flushes, merges, retention, deletions,
 * queries and snapshots all at once: every answer is what a model allows at that moment. Two seconds;
 * CAIRN_STORM_SECONDS makes it longer (tests/faults/run.sh long runs it under ThreadSanitizer). */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/thread.h"
#include "disk/file.h"
#include "harness.h"
#include "storm.h"

enum {
    TARGETS = STORM_TARGETS, /* even ones are scraped (columns), the others come by remote write */
    SERIES = 6,              /* enough for a clock of their own */
    STEP_MS = STORM_STEP_MS,
    TICKS_MAX = 1 << 22, /* more than an hour makes; pages nobody touches cost nothing */
    APART_MAX = 6,       /* ticks between appenders: what is older than half a block is refused */
    LATE_EVERY = 7,      /* ticks of which one series comes behind the next tick */
    AGAIN_EVERY = 11,    /* ticks that are sent twice */
    LOOK_TICKS = 2000,   /* the newest, that are asked for; the oldest of them have expired */
    DELETE_TICKS = 25,
    SNAPSHOT_TICKS = 300 /* the newest, that are compared */
};

#define T0 STORM_T0

enum deletion {
    THERE = 0,
    GOING, /* a deletion was begun */
    GONE   /* and is done */
};

static double value_of(unsigned target, unsigned series, int tick)
{
    return series == 0 ? (double)tick : (double)((tick * 37 + (int)(target * 11 + series)) % 1009) / 8;
}

int storm_acked_max(struct storm *s)
{
    int max = 0;
    for (unsigned t = 0; t < TARGETS; t++) {
        int n = atomic_load(&s->acked[t]);
        max = n > max ? n : max;
    }
    return max;
}

static int acked_min(struct storm *s)
{
    int min = TICKS_MAX;
    for (unsigned t = 0; t < TARGETS; t++) {
        int n = atomic_load(&s->acked[t]);
        min = n < min ? n : min;
    }
    return min;
}

/* -- writers --------------------------------------------------------------------------------------------- */

struct target {
    char instance[16], names[SERIES][16];
    struct label labels[SERIES][3];
    struct sink_series series[SERIES];
    uint64_t epoch;
};

static void target_init(struct target *t, unsigned number)
{
    *t = (struct target){0};
    (void)snprintf(t->instance, sizeof(t->instance), "t%u", number);
    for (unsigned i = 0; i < SERIES; i++) {
        (void)snprintf(t->names[i], sizeof(t->names[i]), "storm_%u", i);
        t->labels[i][0] = (struct label){STR("__name__"), str_c(t->names[i])};
        t->labels[i][1] = (struct label){STR("instance"), str_c(t->instance)};
        t->labels[i][2] = (struct label){STR("job"), STR("storm")};
        t->series[i].labels = (struct labels){t->labels[i], 3};
    }
}

/* The tick's samples of the series [from, to) as rows. */
static enum err rows_append(struct storm *s, struct target *t, unsigned number, int tick, unsigned from,
                            unsigned to)
{
    struct sink_sample samples[SERIES];
    for (unsigned i = from; i < to; i++) {
        samples[i - from] = (struct sink_sample){
            .series_index = i, .ts = T0 + (ts_ms)tick * STEP_MS, .value = value_of(number, i, tick)};
        t->series[i].ref = number % 2 ? 0 : t->series[i].ref;
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = t->series,
                           .series_count = SERIES,
                           .samples = samples,
                           .sample_count = to - from,
                           .epoch = t->epoch,
                           .allow_late = true};
    struct sink_result r;
    enum err e = tsdb_sink(s->db)->ops->append(tsdb_sink(s->db), &b, &r, NULL);
    t->epoch = e == ERR_OK ? r.epoch : t->epoch;
    return e ? e : r.stored == to - from ? ERR_OK : ERR_INVALID;
}

/* The tick of the first n series: a column when the target is scraped and its series are known. */
static enum err tick_append(struct storm *s, struct target *t, unsigned number, int tick, unsigned n)
{
    series_ref refs[SERIES];
    double values[SERIES];
    bool known = number % 2 == 0;
    for (unsigned i = 0; i < n; i++) {
        refs[i] = t->series[i].ref;
        values[i] = value_of(number, i, tick);
        known = known && refs[i];
    }
    struct sink_column c = {QUERY_TENANT_DEFAULT, refs, values, n, T0 + (ts_ms)tick * STEP_MS, t->epoch};
    enum err e = known ? tsdb_sink(s->db)->ops->append_column(tsdb_sink(s->db), &c, NULL) : ERR_UNSUPPORTED;
    atomic_fetch_add(&s->columns, e == ERR_OK);
    return e == ERR_UNSUPPORTED ? rows_append(s, t, number, tick, 0, n) : e;
}

/* One tick of a target. True when everything up to it is there: not when a sample is still to come. */
static bool tick_write(struct storm *s, struct target *t, unsigned number, int tick)
{
    bool lacks = tick % LATE_EVERY == 3, late = tick % LATE_EVERY == 4;
    enum err e = tick_append(s, t, number, tick, lacks ? SERIES - 1 : SERIES);
    if (e == ERR_OK && late) {
        e = rows_append(s, t, number, tick - 1, SERIES - 1, SERIES);
        atomic_fetch_add(&s->late, 1);
    }
    if (e == ERR_OK && !lacks && tick % AGAIN_EVERY == 0) {
        e = rows_append(s, t, number, tick, 0, SERIES);
    }
    atomic_fetch_add(&s->wrong[WRONG_WRITE], e != ERR_OK);
    return !lacks;
}

struct writer {
    struct storm *s;
    unsigned first; /* of two targets */
};

static void write_ticks(void *ctx)
{
    const struct writer *w = ctx;
    struct storm *s = w->s;
    struct target targets[2];
    target_init(&targets[0], w->first);
    target_init(&targets[1], w->first + 1);
    for (int tick = 0; tick < TICKS_MAX && !atomic_load(&s->stop); tick++) {
        for (unsigned t = w->first; t < w->first + 2; t++) {
            if (tick_write(s, &targets[t - w->first], t, tick)) {
                atomic_store(&s->acked[t], tick + 1);
            }
        }
        while (!atomic_load(&s->stop) && tick > acked_min(s) + APART_MAX) {
            clock_sleep_ms(1);
        }
    }
}

static void maintain(void *ctx)
{
    struct storm *s = ctx;
    while (!atomic_load(&s->stop)) {
        atomic_fetch_add(&s->wrong[WRONG_MAINTAIN], tsdb_maintain(s->db, NULL) != ERR_OK);
        clock_sleep_ms(1);
    }
}

static void mark_gone(struct storm *s, unsigned target, int from, enum deletion state)
{
    for (int i = from; i < from + DELETE_TICKS; i++) {
        atomic_store(&s->gone[target][i], (unsigned char)state);
    }
}

static void delete_some(void *ctx)
{
    struct storm *s = ctx;
    struct rng rng;
    rng_init(&rng, 11);
    while (!atomic_load(&s->stop)) {
        unsigned target = (unsigned)rng_below(&rng, TARGETS);
        int n = atomic_load(&s->acked[target]) - 2 * DELETE_TICKS;
        struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
        struct matcher m;
        char instance[16];
        if (n > 0) {
            int from = n - (int)rng_below(&rng, (uint64_t)(n < 400 ? n : 400));
            ts_ms start = T0 + (ts_ms)from * STEP_MS;
            (void)snprintf(instance, sizeof(instance), "t%u", target);
            mark_gone(s, target, from, GOING);
            bool ok =
                matcher_init(&m, MATCH_EQ, STR("instance"), str_c(instance), NULL) == ERR_OK &&
                tsdb_delete(s->db, &q, &m, 1, start, start + (DELETE_TICKS - 1) * STEP_MS, NULL) == ERR_OK;
            matcher_done(&m);
            atomic_fetch_add(&s->wrong[WRONG_DELETE], !ok);
            mark_gone(s, target, from, GONE);
            atomic_fetch_add(&s->deletions, 1);
        }
        clock_sleep_ms(20);
    }
}

/* -- readers --------------------------------------------------------------------------------------------- */

struct look {
    struct storm *s;
    unsigned target;
    int from, to; /* ticks */
    unsigned char *before;
    unsigned char *seen; /* bits of the series, by tick - from */
    bool ok;
};

static void batch_see(struct look *l, const struct metric_batch *b)
{
    for (uint32_t i = 0; i < b->series_count; i++) {
        const struct metric_series *m = &b->series[i];
        struct str name = labels_get(m->labels, STR("__name__"));
        unsigned series = (unsigned)(name.p[name.n - 1] - '0');
        for (uint32_t k = 0; k < m->count; k++) {
            int tick = (int)((b->ts[m->clock_first + k] - T0) / STEP_MS);
            bool inside = tick >= l->from && tick < l->to;
            if (!inside) {
                continue; /* whole chunks come */
            }
            l->ok = l->ok && inside && series < SERIES && m->values[k] == value_of(l->target, series, tick) &&
                    l->before[tick - l->from] != GONE && !(l->seen[tick - l->from] >> series & 1);
            if (l->ok) {
                l->seen[tick - l->from] |= (unsigned char)(1U << series);
            }
        }
    }
}

/* Asks for one target's ticks [from, to), which had all been acknowledged, and compares. before: what was
 * deleted when db was as it is, from tick `from` on; NULL: now. */
static bool look_at(struct storm *s, struct tsdb *db, unsigned target, int from, int to,
                    const unsigned char *before)
{
    size_t n = (size_t)(to - from);
    struct look l = {.s = s, .target = target, .from = from, .to = to, .ok = true};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct matcher m;
    char instance[16];
    (void)snprintf(instance, sizeof(instance), "t%u", target);
    l.before = calloc(n, 1);
    l.seen = calloc(n, 1);
    l.ok = l.before && l.seen && matcher_init(&m, MATCH_EQ, STR("instance"), str_c(instance), NULL) == ERR_OK;
    for (int i = from; l.ok && i < to; i++) {
        l.before[i - from] = before ? before[i - from] : atomic_load(&s->gone[target][i]);
    }
    struct metric_select sel = {.matchers = &m,
                                .matcher_count = 1,
                                .start_ms = T0 + (ts_ms)from * STEP_MS,
                                .end_ms = T0 + (ts_ms)(to - 1) * STEP_MS};
    enum err e = l.ok ? src->ops->select(src, &q, &sel, &c, NULL) : ERR_OOM;
    while (e == ERR_OK && (e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        batch_see(&l, &b);
    }
    l.ok = l.ok && e == ERR_NOT_FOUND;
    src->ops->close(c);
    matcher_done(&m);
    int kept_from = storm_acked_max(s) - STORM_RETENTION_MS / STEP_MS + 2;
    for (int i = from; l.ok && i < to; i++) {
        bool must = atomic_load(&s->gone[target][i]) == THERE && i >= kept_from;
        l.ok = !must || l.seen[i - from] == (1 << SERIES) - 1;
    }
    free(l.before);
    free(l.seen);
    return l.ok;
}

static void query(void *ctx)
{
    struct storm *s = ctx;
    struct rng rng;
    rng_init(&rng, 13);
    while (!atomic_load(&s->stop)) {
        unsigned target = (unsigned)rng_below(&rng, TARGETS);
        int n = atomic_load(&s->acked[target]);
        if (n > 0) {
            int first = n > LOOK_TICKS ? n - LOOK_TICKS : 0;
            int from = first + (int)rng_below(&rng, (uint64_t)(n - first));
            int to = from + 1 + (int)rng_below(&rng, (uint64_t)(n - from));
            atomic_fetch_add(&s->wrong[WRONG_QUERY], !look_at(s, s->db, target, from, to, NULL));
            atomic_fetch_add(&s->queries, 1);
        }
    }
}

/* A snapshot opens as a store with what was acknowledged when it was begun. */
static bool snapshot_good(struct storm *s, unsigned number)
{
    static unsigned char before[TARGETS][SNAPSHOT_TICKS]; /* one thread makes snapshots */
    char to[512];
    int from[TARGETS], end[TARGETS];
    (void)snprintf(to, sizeof(to), "%s-snapshot-%u", s->dir, number);
    for (unsigned t = 0; t < TARGETS; t++) {
        end[t] = atomic_load(&s->acked[t]);
        from[t] = end[t] > SNAPSHOT_TICKS ? end[t] - SNAPSHOT_TICKS : 0;
        for (int i = from[t]; i < end[t]; i++) {
            before[t][i - from[t]] = atomic_load(&s->gone[t][i]);
        }
    }
    struct tsdb *copy = NULL;
    struct tsdb_options o = {
        .dir = to, .no_housekeeping = true, .block_ms = STORM_BLOCK_MS, .retention_ms = STORM_RETENTION_MS};
    bool ok = tsdb_snapshot(s->db, to, false, NULL) == ERR_OK && tsdb_open(&o, &copy, NULL) == ERR_OK;
    for (unsigned t = 0; ok && t < TARGETS; t++) {
        ok = from[t] == end[t] || look_at(s, copy, t, from[t], end[t], before[t]);
    }
    tsdb_close(copy);
    return dir_remove(to, NULL) == ERR_OK && ok;
}

static void snapshot(void *ctx)
{
    struct storm *s = ctx;
    for (unsigned n = 0; !atomic_load(&s->stop); n++) {
        clock_sleep_ms(100);
        atomic_fetch_add(&s->wrong[WRONG_SNAPSHOT], !snapshot_good(s, n));
        atomic_fetch_add(&s->snapshots, 1);
    }
}

/* -- all at once ----------------------------------------------------------------------------------------- */

static struct tsdb *storm_open(const struct storm *s)
{
    struct tsdb *db = NULL;
    struct tsdb_options o = {.dir = s->dir,
                             .durability = DURABILITY_OS,
                             .no_housekeeping = true,
                             .block_ms = STORM_BLOCK_MS,
                             .retention_ms = STORM_RETENTION_MS};
    return tsdb_open(&o, &db, NULL) == ERR_OK ? db : NULL;
}

static bool all_there(struct storm *s)
{
    bool ok = true;
    for (unsigned t = 0; t < TARGETS; t++) {
        int n = atomic_load(&s->acked[t]);
        ok = ok && (n == 0 || look_at(s, s->db, t, 0, n, NULL));
    }
    return ok;
}

static unsigned storm_ms(void)
{
    const char *seconds = getenv("CAIRN_STORM_SECONDS");
    uint64_t n = 0;
    return seconds && str_to_u64(str_c(seconds), &n) == ERR_OK ? (unsigned)n * 1000 : 2000;
}

static bool any_wrong(const struct storm *s)
{
    unsigned n = 0;
    for (int i = 0; i < WRONG_COUNT; i++) {
        n += atomic_load(&s->wrong[i]);
    }
    return n > 0;
}

static void storm_run(struct storm *s)
{
    struct writer writers[2] = {{s, 0}, {s, 2}};
    struct {
        void (*run)(void *ctx);
        void *ctx;
    } parts[] = {
        {write_ticks, &writers[0]}, {write_ticks, &writers[1]}, {maintain, s}, {delete_some, s}, {query, s},
        {storm_churn, s},           {storm_look_around, s},     {snapshot, s}};
    struct thread threads[ARRAY_LEN(parts)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        CHECK_OK(thread_start(&threads[i], "storm", parts[i].run, parts[i].ctx));
    }
    for (unsigned ms = storm_ms(); ms && !any_wrong(s); ms -= 100) {
        clock_sleep_ms(100);
    }
    atomic_store(&s->stop, true);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        thread_join(&threads[i]);
    }
}

TEST(everything_at_once_answers_as_the_model)
{
    struct storm *s = calloc(1, sizeof(*s));
    CHECK(s != NULL);
    (void)snprintf(s->dir, sizeof(s->dir), "%s/storm", test_dir());
    for (unsigned t = 0; t < TARGETS; t++) {
        s->gone[t] = calloc(TICKS_MAX, sizeof(*s->gone[t]));
        CHECK(s->gone[t] != NULL);
    }
    s->db = storm_open(s);
    CHECK(s->db != NULL);
    storm_run(s);
    for (int i = 0; i < WRONG_COUNT; i++) {
        if (atomic_load(&s->wrong[i])) {
            printf("storm: wrong of kind %d\n", i);
        }
        CHECK_EQ(atomic_load(&s->wrong[i]), 0);
    }
    CHECK(all_there(s));
    tsdb_close(s->db);
    s->db = storm_open(s);
    CHECK(s->db != NULL);
    CHECK(all_there(s));
    CHECK(atomic_load(&s->columns) > 0);
    printf(
        "storm: %d ticks, %u columns, %u late samples, %u series that came and went, %u queries, %u looks, "
        "%u deletions, %u snapshots\n",
        storm_acked_max(s), atomic_load(&s->columns), atomic_load(&s->late), atomic_load(&s->churned),
        atomic_load(&s->queries), atomic_load(&s->looks), atomic_load(&s->deletions),
        atomic_load(&s->snapshots));
    tsdb_close(s->db);
    for (unsigned t = 0; t < TARGETS; t++) {
        free(s->gone[t]);
    }
    free(s);
}
