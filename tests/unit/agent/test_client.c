/* Clients: batches, tenants, retries, and what becomes of receipts. The far end is a sink of the test. */
#include <stdio.h>

#include "agent/outputs/batch.h"
#include "agent/outputs/client.h"
#include "base/mem.h"
#include "base/thread.h"
#include "harness.h"

enum {
    DEADLINE_MS = 20000 /* bounds a failure only */
};

/* Records pushes; fails the first `fail_count` with `fail`. */
struct far_end {
    struct log_sink sink;
    struct mutex lock;
    struct cond changed;
    struct buf seen; /* tenant{labels} line|line; one push a text line */
    size_t pushes, lines;
    enum err fail;
    size_t fail_count;
    struct str fail_tenant; /* only this tenant's pushes fail; empty: all */
};

static enum err far_push(struct log_sink *s, const struct log_push *push, struct log_push_result *ret_result,
                         struct err_info *reterr_info)
{
    struct far_end *f = (struct far_end *)s;
    enum err e = ERR_OK;
    mutex_lock(&f->lock);
    if (f->fail_count && (!f->fail_tenant.n || str_eq(f->fail_tenant, push->tenant))) {
        f->fail_count--;
        e = err_set(reterr_info, f->fail, "the test says so");
    }
    for (size_t i = 0; !e && i < push->stream_count; i++) {
        const struct log_stream_push *st = &push->streams[i];
        buf_str(&f->seen, push->tenant);
        labels_format_loki(&f->seen, st->labels);
        for (size_t k = 0; k < st->entry_count; k++) {
            buf_char(&f->seen, k ? '|' : ' ');
            buf_str(&f->seen, st->entries[k].line);
            f->lines++;
        }
        buf_char(&f->seen, '\n');
    }
    f->pushes++;
    ret_result->stored = 1;
    cond_broadcast(&f->changed);
    mutex_unlock(&f->lock);
    return e;
}

static const struct log_sink_ops far_ops = {far_push};

struct bench {
    struct far_end far;
    struct client_config config;
    struct client_limits limits;
    struct agent_metrics metrics;
    struct client *client;
    int ok, failed; /* receipts; under far.lock */
};

static bool bench_start(struct bench *b)
{
    b->far.sink.ops = &far_ops;
    mutex_init(&b->far.lock);
    cond_init(&b->far.changed);
    return agent_metrics_init(&b->metrics) == ERR_OK &&
           client_new(&b->config, &b->limits, &b->far.sink, &b->metrics, &b->client, NULL) == ERR_OK;
}

static void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    client_config_default(&b->config);
    b->config.batch_wait_ms = 5;
    b->config.backoff_min_ms = 1;
    b->config.backoff_max_ms = 4;
}

static void bench_done(struct bench *b)
{
    if (b->client) {
        client_stop(b->client, 0);
        client_free(b->client);
    }
    agent_metrics_done(&b->metrics);
    buf_done(&b->far.seen);
    cond_done(&b->far.changed);
    mutex_done(&b->far.lock);
}

struct line_receipt {
    struct receipt base;
    struct bench *bench;
};

static void line_settled(struct receipt *base, bool ok)
{
    struct line_receipt *l = (struct line_receipt *)base;
    mutex_lock(&l->bench->far.lock);
    l->bench->ok += ok;
    l->bench->failed += !ok;
    cond_broadcast(&l->bench->far.changed);
    mutex_unlock(&l->bench->far.lock);
    mem_free(l);
}

static void send(struct bench *b, const char *tenant, const char *job, struct str line)
{
    struct label l[] = {{STR("__tenant_id__"), str_c(tenant)}, {STR("job"), str_c(job)}};
    size_t skip = *tenant ? 0 : 1;
    struct arena a AUTO_ARENA;
    struct entry e;
    struct line_receipt *r = mem_zalloc(sizeof(*r));
    arena_init(&a, 0, NULL);
    if (!r) {
        return;
    }
    receipt_init(&r->base, line_settled);
    r->bench = b;
    entry_init(&e, &a, (struct labels){l + skip, 2 - skip}, 1, line, &r->base);
    client_put(b->client, &e);
    receipt_unref(&r->base);
}

static bool settle(struct bench *b, int ok, int failed)
{
    int64_t deadline = clock_mono_ns(clock_real()) + DEADLINE_MS * NS_PER_MS;
    mutex_lock(&b->far.lock);
    while ((b->ok < ok || b->failed < failed) && cond_wait_until(&b->far.changed, &b->far.lock, deadline)) {
        /* look again */
    }
    bool yes = b->ok == ok && b->failed == failed;
    mutex_unlock(&b->far.lock);
    return yes;
}

static double counter(struct bench *b, enum agent_metric which, const char *a, const char *c, const char *d)
{
    const char *values[] = {a, c, d};
    return cairn_counter_value(cairn_counter(b->metrics.f[which], values));
}

TEST(lines_of_a_tenant_travel_together_by_stream)
{
    struct bench b;
    struct label external[] = {{STR("cluster"), STR("x")}, {STR("job"), STR("never")}};
    bench_init(&b);
    b.config.batch_wait_ms = 60000;
    b.config.external_labels = (struct labels){external, 2};
    b.config.tenant_id = STR("default");
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("1"));
    send(&b, "", "b", STR("2"));
    send(&b, "", "a", STR("3"));
    CHECK(client_drain(b.client, INT64_MAX));
    CHECK(settle(&b, 3, 0));
    CHECK_EQ(b.far.pushes, 1);
    CHECK_STR(buf_view(&b.far.seen),
              "default{cluster=\"x\", job=\"a\"} 1|3\ndefault{cluster=\"x\", job=\"b\"} 2\n");
    bench_done(&b);
}

TEST(a_full_batch_goes_without_waiting)
{
    struct bench b;
    bench_init(&b);
    b.config.batch_wait_ms = 60000;
    b.config.batch_size_bytes = 10;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("123456"));
    send(&b, "", "a", STR("7890"));
    send(&b, "", "a", STR("x"));
    CHECK(settle(&b, 2, 0));
    CHECK_STR(buf_view(&b.far.seen), "anonymous{job=\"a\"} 123456|7890\n");
    bench_done(&b);
}

TEST(what_cannot_be_sent_is_tried_until_it_can)
{
    struct bench b;
    bench_init(&b);
    b.far.fail = ERR_UNAVAILABLE;
    b.far.fail_count = 20;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("1"));
    CHECK(settle(&b, 1, 0));
    CHECK_STR(buf_view(&b.far.seen), "anonymous{job=\"a\"} 1\n");
    CHECK_EQ(counter(&b, AM_BATCH_RETRIES, "local", "", NULL), 20);
    bench_done(&b);
}

TEST(a_limit_of_retries_that_was_asked_for_is_kept)
{
    struct bench b;
    bench_init(&b);
    b.config.retries_max = 3;
    b.config.retries_explicit = true;
    b.far.fail = ERR_UNAVAILABLE;
    b.far.fail_count = 100;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("lost"));
    CHECK(settle(&b, 1, 0)); /* dealt with: dropped and counted */
    CHECK_EQ(b.far.pushes, 3);
    CHECK_EQ(counter(&b, AM_DROPPED_ENTRIES, "local", "", "ingester_error"), 1);
    bench_done(&b);
}

TEST(what_is_refused_is_dropped_at_once_and_counted)
{
    struct bench b;
    bench_init(&b);
    b.far.fail = ERR_INVALID;
    b.far.fail_count = 1;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("bad"));
    CHECK(settle(&b, 1, 0));
    CHECK_EQ(b.far.pushes, 1);
    CHECK_EQ(counter(&b, AM_DROPPED_BYTES, "local", "", "ingester_error"), 3);
    bench_done(&b);
}

TEST(one_tenant_in_trouble_does_not_hold_up_another)
{
    struct bench b;
    bench_init(&b);
    b.config.backoff_min_ms = b.config.backoff_max_ms = 60000;
    b.far.fail = ERR_UNAVAILABLE;
    b.far.fail_count = 1000;
    b.far.fail_tenant = STR("sick");
    CHECK(bench_start(&b));
    send(&b, "sick", "a", STR("1"));
    send(&b, "well", "a", STR("2"));
    CHECK(settle(&b, 1, 0));
    CHECK_STR(buf_view(&b.far.seen), "well{job=\"a\"} 2\n");
    client_stop(b.client, 0);
    client_free(b.client);
    b.client = NULL;
    CHECK(settle(&b, 1, 1)); /* what was not delivered is read again */
    bench_done(&b);
}

TEST(long_lines_are_dropped_or_cut)
{
    struct bench b;
    bench_init(&b);
    b.limits.line_bytes_max = 3;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("1234"));
    send(&b, "", "a", STR("123"));
    CHECK(settle(&b, 2, 0));
    CHECK_STR(buf_view(&b.far.seen), "anonymous{job=\"a\"} 123\n");
    CHECK_EQ(counter(&b, AM_DROPPED_ENTRIES, "local", "", "line_too_long"), 1);
    bench_done(&b);
    bench_init(&b);
    b.limits.line_bytes_max = 3;
    b.limits.line_truncate = true;
    CHECK(bench_start(&b));
    send(&b, "", "a", STR("12345"));
    CHECK(settle(&b, 1, 0));
    CHECK_STR(buf_view(&b.far.seen), "anonymous{job=\"a\"} 123\n");
    CHECK_EQ(counter(&b, AM_MUTATED_BYTES, "local", "", "line_too_long"), 2);
    bench_done(&b);
}

TEST(a_closed_client_takes_nothing)
{
    struct bench b;
    bench_init(&b);
    CHECK(bench_start(&b));
    client_close(b.client);
    send(&b, "", "a", STR("1"));
    CHECK(settle(&b, 0, 1));
    bench_done(&b);
}

struct flood {
    struct bench *b;
    struct thread thread;
};

static void flood_main(void *ctx)
{
    for (int i = 0; i < 100; i++) {
        send(((struct flood *)ctx)->b, "", "a", STR("0123456789"));
    }
}

TEST(a_client_that_cannot_send_makes_inputs_wait_and_lets_them_go_at_the_stop)
{
    struct bench b;
    struct flood f = {.b = &b};
    bench_init(&b);
    b.config.batch_size_bytes = 50;
    b.far.fail = ERR_UNAVAILABLE;
    b.far.fail_count = SIZE_MAX;
    CHECK(bench_start(&b));
    CHECK_OK(thread_start(&f.thread, "flood", flood_main, &f));
    int64_t deadline = clock_mono_ns(clock_real()) + DEADLINE_MS * NS_PER_MS;
    mutex_lock(&b.far.lock);
    while (b.far.pushes < 3 && cond_wait_until(&b.far.changed, &b.far.lock, deadline)) {
        /* until it has been tried a few times */
    }
    mutex_unlock(&b.far.lock);
    client_stop(b.client, 0);
    thread_join(&f.thread);
    client_free(b.client);
    b.client = NULL;
    CHECK(settle(&b, 0, 100));
    bench_done(&b);
}

TEST(a_batch_is_encoded_as_lokis_push_and_can_be_halved)
{
    struct batch *b, *second;
    struct arena a AUTO_ARENA;
    struct buf out AUTO_BUF = {0};
    struct label l[] = {{STR("job"), STR("a\"b")}};
    arena_init(&a, 0, NULL);
    CHECK_OK(batch_new(&b));
    for (int i = 0; i < 4; i++) {
        struct entry e;
        entry_init(&e, &a, (struct labels){l, 1}, 1500000000000000001 + i, STR("x"), NULL);
        if (i == 0) {
            entry_metadata_set(&e, STR("k"), STR("v"));
        }
        CHECK_OK(batch_add(b, &e, e.line, (struct labels){0}));
    }
    CHECK_OK(batch_split(b, &second));
    CHECK_EQ(b->item_count, 2);
    CHECK_EQ(second->item_count, 2);
    CHECK_OK(batch_encode(b, &out));
    static const char want[] =
        "\x0a\x34\x0a\x0c{job=\"a\\\"b\"}"
        "\x12\x15\x0a\x08\x08\x80\xde\xa0\xcb\x05\x10\x01\x12\x01x\x1a\x06\x0a\x01k\x12\x01v"
        "\x12\x0d\x0a\x08\x08\x80\xde\xa0\xcb\x05\x10\x02\x12\x01x";
    CHECK(out.n == sizeof(want) - 1 && memcmp(out.p, want, out.n) == 0);
    batch_free(b, true);
    batch_free(second, true);
}
