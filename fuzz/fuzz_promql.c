/* DEPS metrics/promql metrics/model query codec labels base */
/* PromQL: what parses prints, prints the same after it was parsed again, has a JSON tree, and evaluates over
 * a few series within its limits without doing harm; the fast and the plain evaluator agree on whether it
 * succeeds. */
#include "base/assert.h"
#include "metrics/promql/engine.h"
#include "query/array_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SAMPLES = 40
};

static const struct promql_options all = {
    .experimental = true, .extended_ranges = true, .fill_modifiers = true};

static enum err evaluate(struct metric_source *s, struct str query, bool plain, bool instant)
{
    struct promql_options o = all;
    struct mem_budget budget = {.limit_bytes = (size_t)64 << 20};
    struct arena a AUTO_ARENA;
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT, .samples_max = 200000, .budget = &budget};
    struct promql_result r = {0};
    struct err_info info = {0};
    arena_init(&a, 0, &budget);
    o.plain = plain;
    enum err e = instant ? promql_instant(&o, s, &q, query, 400000, &a, &r, &info)
                         : promql_range(&o, s, &q, query, 100000, 500000, 20000, &a, &r, &info);
    ASSERT(e == ERR_OK || info.message[0]);
    return e;
}

static void source_init(struct array_source *s)
{
    static struct label labels[4][3];
    static struct array_series series[4];
    static ts_ms ts[SAMPLES];
    static double v[4][SAMPLES];
    static const struct str jobs[] = {{"a", 1}, {"b", 1}};
    static const struct str les[] = {{"1", 1}, {"+Inf", 4}};
    for (size_t i = 0; i < SAMPLES; i++) {
        ts[i] = (ts_ms)(i + 1) * 15000;
    }
    for (size_t k = 0; k < 4; k++) {
        labels[k][0] = (struct label){LABEL_METRIC_NAME, STR("foo")};
        labels[k][1] = (struct label){STR("job"), jobs[k / 2]};
        labels[k][2] = (struct label){STR("le"), les[k % 2]};
        for (size_t i = 0; i < SAMPLES; i++) {
            v[k][i] = (double)(i * (k + 1) % 23);
        }
        series[k] = (struct array_series){.labels = {labels[k], 3}, .ts = ts, .values = v[k], .n = SAMPLES};
    }
    array_source_init(s, series, 4);
}

static void print_again(struct str query)
{
    struct buf once AUTO_BUF = {0}, twice AUTO_BUF = {0}, json AUTO_BUF = {0};
    struct err_info info = {0};
    ASSERT(promql_format(&all, query, &once, &info) == ERR_OK);
    ASSERT(promql_tree_json(&all, query, &json, &info) == ERR_OK && json.n > 0);
    if (promql_format(&all, buf_view(&once), &twice, &info) == ERR_OK) { /* durations are printed rounded */
        ASSERT(str_eq(buf_view(&once), buf_view(&twice)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct array_source s;
    struct str query = str_of((const char *)data, size);
    struct err_info info = {0};
    if (promql_check(&all, query, &info) != ERR_OK) {
        ASSERT(info.message[0]);
        return 0;
    }
    print_again(query);
    source_init(&s);
    for (int instant = 0; instant < 2; instant++) {
        enum err fast = evaluate(&s.source, query, false, instant),
                 plain = evaluate(&s.source, query, true, instant);
        ASSERT((fast == ERR_OK) == (plain == ERR_OK) || fast == ERR_LIMIT || plain == ERR_LIMIT);
    }
    return 0;
}
