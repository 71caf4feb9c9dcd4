/* What the logs role says of itself at /metrics, under Loki's own names.
 *
 * Figures of the store and of the pushes are read once for each answer, under one lock, and handed out by one
 * row each of the table below; request figures are kept by libcairn as they come. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_logs_int.h"
#include "cairn/self.h"

/* Read once for an answer. */
struct snapshot {
    struct log_store_stats store;
    struct push_counts push;
    uint64_t log_errors, log_warnings;
};

#define AT(field) offsetof(struct snapshot, field)

static const struct self_row rows[] = {
    {"loki_ingester_memory_streams", CAIRN_GAUGE, SELF_U64, AT(store.streams),
     "The total number of streams in memory."},
    {"loki_ingester_memory_chunks", CAIRN_GAUGE, SELF_U64, AT(store.streams),
     "The total number of chunks in memory."},
    {"loki_ingester_chunks_flushed_total", CAIRN_COUNTER, SELF_U64, AT(store.heads_flushed),
     "Total flushed chunks."},
    {"loki_ingester_wal_bytes_in_use", CAIRN_GAUGE, SELF_U64, AT(store.wal_bytes),
     "Total number of bytes in use by the WAL."},
    {"loki_ingester_wal_corruptions_total", CAIRN_COUNTER, SELF_U64, AT(store.wal_bad_segments),
     "Total number of WAL corruptions encountered."},
    {"cairn_logs_head_entries", CAIRN_GAUGE, SELF_U64, AT(store.head_entries),
     "Lines that wait for their block."},
    {"cairn_logs_head_bytes", CAIRN_GAUGE, SELF_U64, AT(store.head_bytes),
     "Memory of the lines that wait for their block."},
    {"cairn_logs_blocks", CAIRN_GAUGE, SELF_U64, AT(store.blocks), "Blocks on disk."},
    {"cairn_logs_block_bytes", CAIRN_GAUGE, SELF_U64, AT(store.block_bytes), "Bytes of the blocks on disk."},
    {"cairn_logs_blocks_bad_total", CAIRN_COUNTER, SELF_U64, AT(store.blocks_bad),
     "Damaged blocks that were put aside."},
    {"cairn_logs_groups_bad_total", CAIRN_COUNTER, SELF_U64, AT(store.groups_bad),
     "Parts of blocks that were found damaged."},
    {"cairn_logs_flush_failures_total", CAIRN_COUNTER, SELF_U64, AT(store.flush_failures),
     "Blocks that could not be written."},
    {"cairn_logs_merges_total", CAIRN_COUNTER, SELF_U64, AT(store.merges), "Merges of blocks."},
    {"cairn_logs_entries_stored_total", CAIRN_COUNTER, SELF_U64, AT(store.entries_stored), "Lines stored."},
    {"cairn_logs_entries_duplicate_total", CAIRN_COUNTER, SELF_U64, AT(store.entries_duplicate),
     "Lines known already."},
    {"cairn_log_errors_total", CAIRN_COUNTER, SELF_U64, AT(log_errors),
     "Lines of level error that the program logged."},
    {"cairn_log_warnings_total", CAIRN_COUNTER, SELF_U64, AT(log_warnings),
     "Lines of level warn that the program logged."},
};

struct logs_self {
    struct self self;
    struct logs_role *l;
    struct snapshot now; /* guarded by self.lock */
    struct cairn_family *durations, *sizes;
};

static void take_snapshot(struct self *self)
{
    struct logs_self *s = (struct logs_self *)self;
    s->now = (struct snapshot){.log_errors = log_count(LVL_ERROR), .log_warnings = log_count(LVL_WARN)};
    log_store_stats(s->l->store, &s->now.store);
    push_ingest_counts(s->l->ingest, &s->now.push);
}

static void emit_lines(struct cairn_emit *emit, void *context)
{
    const struct logs_self *s = context;
    const char *values[] = {"fake"};
    cairn_emit(emit, values, (double)s->now.push.lines);
}

static void emit_bytes(struct cairn_emit *emit, void *context)
{
    const struct logs_self *s = context;
    const char *values[] = {"fake"};
    cairn_emit(emit, values, (double)s->now.push.bytes);
}

static void emit_discarded(struct cairn_emit *emit, const uint64_t *counts)
{
    for (size_t i = 0; i < PUSH_REASON_COUNT; i++) {
        const char *values[] = {push_reason_name((enum push_reason)i), "fake"};
        if (counts[i]) {
            cairn_emit(emit, values, (double)counts[i]);
        }
    }
}

static void emit_discarded_lines(struct cairn_emit *emit, void *context)
{
    emit_discarded(emit, ((const struct logs_self *)context)->now.push.discarded_lines);
}

static void emit_discarded_bytes(struct cairn_emit *emit, void *context)
{
    emit_discarded(emit, ((const struct logs_self *)context)->now.push.discarded_bytes);
}

/* -- families -------------------------------------------------------------------------------------------- */

static enum cairn_err add_collectors(struct logs_self *s)
{
    static const char *const tenant[] = {"tenant"}, *const reason[] = {"reason", "tenant"};
    const struct cairn_family_options families[] = {
        {.type = CAIRN_COUNTER,
         .name = "loki_distributor_lines_received_total",
         .help = "The total number of lines received per tenant",
         .label_names = tenant,
         .label_count = 1,
         .collect = emit_lines},
        {.type = CAIRN_COUNTER,
         .name = "loki_distributor_bytes_received_total",
         .help = "The total number of uncompressed bytes received per tenant.",
         .label_names = tenant,
         .label_count = 1,
         .collect = emit_bytes},
        {.type = CAIRN_COUNTER,
         .name = "loki_discarded_samples_total",
         .help = "The total number of samples that were discarded.",
         .label_names = reason,
         .label_count = 2,
         .collect = emit_discarded_lines},
        {.type = CAIRN_COUNTER,
         .name = "loki_discarded_bytes_total",
         .help = "The total number of bytes that were discarded.",
         .label_names = reason,
         .label_count = 2,
         .collect = emit_discarded_bytes},
    };
    return self_add_collectors(&s->self, families, ARRAY_LEN(families), 0);
}

static enum cairn_err add_kept(struct logs_self *s)
{
    static const double durations[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 50, 100},
                        sizes[] = {1 << 20,  2.5 * (1 << 20), 5 << 20,  10 << 20,
                                   25 << 20, 50 << 20,        100 << 20};
    static const char *const request[] = {"method", "route", "status_code", "ws"}, *const size[] = {"method",
                                                                                                    "route"};
    const struct cairn_family_options duration = {.type = CAIRN_HISTOGRAM,
                                                  .name = "loki_request_duration_seconds",
                                                  .help = "Time (in seconds) spent serving HTTP requests.",
                                                  .label_names = request,
                                                  .label_count = 4,
                                                  .bounds = durations,
                                                  .bound_count = ARRAY_LEN(durations)},
                                      bytes = {.type = CAIRN_HISTOGRAM,
                                               .name = "loki_response_message_bytes",
                                               .help = "Size (in bytes) of messages sent in response.",
                                               .label_names = size,
                                               .label_count = 2,
                                               .bounds = sizes,
                                               .bound_count = ARRAY_LEN(sizes)};
    enum cairn_err e = cairn_family_new(s->self.registry, &duration, &s->durations);
    return e ? e : cairn_family_new(s->self.registry, &bytes, &s->sizes);
}

enum err logs_self_new(struct logs_self **ret_self)
{
    struct logs_self *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    s->self.take = take_snapshot;
    enum err e = self_init(&s->self, "loki", LOKI_VERSION_TEXT);
    e = e ? e : self_err(add_kept(s));
    if (e) {
        logs_self_free(s);
        return e;
    }
    *ret_self = s;
    return ERR_OK;
}

void logs_self_free(struct logs_self *s)
{
    if (s) {
        self_done(&s->self);
        mem_free(s);
    }
}

void logs_self_request(void *self, const char *route, struct str method, int status, double seconds,
                       uint64_t bytes)
{
    struct logs_self *s = self;
    char code[16], verb[16];
    (void)snprintf(code, sizeof(code), "%d", status);
    (void)snprintf(verb, sizeof(verb), "%.*s", STR_FMT(method));
    bool tail = route && strstr(route, "tail") != NULL;
    const char *values[] = {verb, route ? route : "other", code, tail ? "true" : "false"};
    cairn_histogram_observe(cairn_histogram(s->durations, values), seconds);
    cairn_histogram_observe(cairn_histogram(s->sizes, values), (double)bytes);
}

enum err logs_self_start(struct logs_role *l)
{
    l->self->l = l;
    enum cairn_err e = self_add_rows(&l->self->self, rows, ARRAY_LEN(rows), &l->self->now);
    e = e ? e : add_collectors(l->self);
    return e ? self_err(e) : self_serve(&l->self->self, l->server, "metrics");
}
