/* DEPS metrics/tsdb metrics/model query disk codec labels base */
/* Log records of the metrics store on hostile bytes, and what was read written again: samples come back the
 * same, histograms and start timestamps included. */
#include <math.h>
#include <stdint.h>

#include "base/assert.h"
#include "metrics/model/histogram_arith.h"
#include "metrics/tsdb/limits.h"
#include "metrics/tsdb/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct sample_value *a, const struct sample_value *b)
{
    return a->bits == b->bits && a->start == b->start && !a->h == !b->h &&
           (!a->h || (value_identity(a) == value_identity(b) && a->h->reset_hint == b->h->reset_hint));
}

static void again(const struct sample_value *v, struct arena *a)
{
    struct buf b AUTO_BUF = {0};
    struct rich_state state = {0};
    struct sample_value back;
    rich_write(&b, &state, v);
    ASSERT(b.err == ERR_OK && b.n <= rich_bound(v));
    ASSERT(rich_read_one(buf_view(&b), a, &back) == ERR_OK && same(v, &back));
}

/* Operations on whatever could be read must stay inside their memory. */
static void use(const struct histogram *h, struct arena *a)
{
    enum histogram_nans nans;
    struct histogram_acc acc;
    struct histogram_meeting m;
    const struct histogram *out = NULL;
    if (histogram_check(h, NULL) != ERR_OK) {
        return;
    }
    (void)histogram_quantile_of(h, 0.3, &nans);
    (void)histogram_quantile_of(h, 0.9, &nans);
    (void)histogram_fraction_of(h, -1, 1, &nans);
    (void)histogram_reset_since(h, h);
    ASSERT(histogram_acc_init(&acc, a, h) == ERR_OK && histogram_acc_add_compensated(&acc, h, &m) == ERR_OK);
    ASSERT(histogram_acc_value(&acc, &out) == ERR_OK && histogram_trim(a, out, 0.5, true, &out) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct label labels[LABELS_MAX];
    struct arena memory AUTO_ARENA;
    struct record_reader r = {.labels = labels, .memory = &memory};
    struct str tenant;
    struct labels ls;
    struct sample_value v;
    uint32_t slot;
    ts_ms ts;
    arena_init(&memory, (size_t)64 << 20, NULL);
    if (record_open(&r, str_of((const char *)data, size), &tenant) != ERR_OK) {
        return 0;
    }
    enum err e;
    while ((e = record_next_definition(&r, &slot, &ls)) == ERR_OK) {
        ASSERT(ls.n <= LABELS_MAX);
    }
    while (e == ERR_NOT_FOUND && record_next_sample(&r, &slot, &ts, &v) == ERR_OK) {
        ASSERT(slot < SLOTS_MAX);
        again(&v, &memory);
        if (v.h) {
            use(v.h, &memory);
        }
    }
    return 0;
}
