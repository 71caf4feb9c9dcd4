/* Pushes, queries and housekeeping at once: a query sees each acknowledged line once, whether it is in a
 * head, on its way to a block, or in a block that is being merged. */
#include <stdatomic.h>
#include <stdio.h>

#include "base/thread.h"
#include "harness.h"
#include "logs/store/log_store.h"

enum {
    PUSHERS = 2,
    PUSHES = 150,
    ENTRIES = 40,
    LINE_MAX = 100
};

struct pusher {
    struct log_store *s;
    unsigned number;
    atomic_uint acked; /* relaxed: lines; a lower bound of what a later query finds */
    atomic_bool done;
};

static enum err push_some(struct pusher *p, unsigned round)
{
    char lines[ENTRIES][LINE_MAX], host[8];
    struct log_entry e[ENTRIES];
    (void)snprintf(host, sizeof(host), "h%u", p->number);
    struct label l = {STR("host"), str_c(host)};
    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned n = round * ENTRIES + i;
        int len =
            snprintf(lines[i], LINE_MAX, "line %u of %u, status %u: all is well here", n, p->number, n % 7);
        e[i] = (struct log_entry){.ts = (ts_ns)n * NS_PER_MS - (n % 5 == 0 ? 20 * NS_PER_MS : 0),
                                  .line = str_of(lines[i], (size_t)len)};
    }
    struct log_stream_push sp = {{&l, 1}, e, ENTRIES};
    struct log_push_result r = {0};
    struct log_sink *sink = log_store_sink(p->s);
    return sink->ops->push(sink, &(struct log_push){STR("t1"), &sp, 1}, &r, NULL);
}

static void run_pusher(void *ctx)
{
    struct pusher *p = ctx;
    for (unsigned round = 0; round < PUSHES;) {
        if (push_some(p, round) == ERR_OK) {
            atomic_fetch_add_explicit(&p->acked, ENTRIES, memory_order_relaxed);
            round++;
        }
    }
    atomic_store(&p->done, true);
}

/* Lines that a query finds; UINT64_MAX when times go back. */
static uint64_t count_lines(struct log_store *s, unsigned which)
{
    struct log_line_filter f = {.op = LOG_CONTAINS, .text = STR("status")};
    struct log_select sel = {.start_ns = INT64_MIN,
                             .end_ns = INT64_MAX,
                             .order = (enum log_order)(which % 3),
                             .filters = &f,
                             .filter_count = which / 3 % 2,
                             .lines_needed = which % 2};
    struct query_ctx q = {.tenant = STR("t1")};
    struct log_source *src = log_store_source(s);
    struct log_cursor *c = NULL;
    struct log_batch b;
    uint64_t n = 0;
    ts_ns last = sel.order == LOG_BACKWARD ? INT64_MAX : INT64_MIN;
    enum err e = src->ops->select(src, &q, &sel, &c, NULL);
    while (!e && (e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        for (size_t i = 0; i < b.count; i++, n++) {
            bool back = sel.order == LOG_FORWARD ? b.ts[i] < last : b.ts[i] > last;
            if (sel.order != LOG_UNORDERED && back) {
                e = ERR_INTERNAL;
            }
            last = b.ts[i];
        }
    }
    src->ops->close(c);
    return e == ERR_NOT_FOUND ? n : UINT64_MAX;
}

TEST(queries_see_each_line_once_while_heads_become_blocks)
{
    struct log_store_options o = {.dir = test_dir(),
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = -1,
                                  .head_bytes = 40 << 10,
                                  .group_bytes = 4000};
    struct log_store *s = NULL;
    CHECK_OK(log_store_open(&o, &s, NULL));
    struct pusher p[PUSHERS];
    struct thread t[PUSHERS] = {0};
    for (unsigned i = 0; i < PUSHERS; i++) {
        p[i] = (struct pusher){.s = s, .number = i};
        CHECK_OK(thread_start(&t[i], "pusher", run_pusher, &p[i]));
    }
    bool sound = true, done = false;
    for (unsigned i = 0; sound && !done; i++) {
        done = atomic_load(&p[0].done) && atomic_load(&p[1].done);
        uint64_t least = 0;
        for (unsigned k = 0; k < PUSHERS; k++) {
            least += atomic_load_explicit(&p[k].acked, memory_order_relaxed);
        }
        uint64_t n = count_lines(s, i);
        sound = n >= least && n <= PUSHERS * PUSHES * ENTRIES;
    }
    for (unsigned i = 0; i < PUSHERS; i++) {
        thread_join(&t[i]);
    }
    struct log_store_stats st;
    log_store_stats(s, &st);
    uint64_t n = count_lines(s, 0);
    log_store_close(s);
    CHECK(sound);
    CHECK_EQ(n, PUSHERS * PUSHES * ENTRIES);
    CHECK(st.heads_flushed > 3);
    CHECK_EQ(st.groups_bad + st.blocks_bad, 0);
}
