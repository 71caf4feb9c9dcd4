/* Sealed chunks. */
#include "metrics/tsdb/chunk.h"

#include <stddef.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/limits.h"
#include "metrics/tsdb/values.h"

struct chunk *chunk_new(struct chunk_pool *pool, uint32_t times_bytes, uint32_t value_bytes)
{
    struct chunk_segment *segment = NULL;
    struct chunk header = {.times_bytes = times_bytes, .value_bytes = value_bytes, .clock = CLOCK_NONE};
    size_t n = chunk_bytes(&header);
    struct chunk *c = pool ? chunk_pool_alloc(pool, &header, sizeof(header), n, &segment) : NULL;
    if (c) {
        c->segment = segment;
        return c;
    }
    c = mem_alloc(n);
    if (c) {
        *c = header;
        atomic_init(&c->refs, 1);
    }
    return c;
}

static uint32_t checksum(const struct chunk *c)
{
    size_t from = offsetof(struct chunk, count);
    return crc32c(0, (const char *)c + from, chunk_bytes(c) - from);
}

void chunk_name(struct chunk *c, uint32_t tenant, unsigned partition, uint32_t slot)
{
    c->tenant = tenant;
    c->partition = (uint8_t)partition;
    c->slot = slot;
    c->crc = checksum(c);
    c->state = CHUNK_NAMED;
}

bool chunk_whole(const struct chunk *c, size_t left)
{
    return left >= sizeof(*c) && (uint64_t)c->times_bytes + c->value_bytes <= left - sizeof(*c) &&
           (c->state == CHUNK_NEW || c->state == CHUNK_GONE ||
            (c->state == CHUNK_NAMED && c->crc == checksum(c)));
}

struct chunk *chunk_ref(struct chunk *c)
{
    if (c->segment) {
        chunk_segment_ref(c->segment);
    } else {
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    }
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (c && c->segment) {
        chunk_segment_unref(c->segment);
        return;
    }
    /* acq_rel: the last owner sees what the others wrote. */
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(c);
    }
}

enum err chunk_samples(const struct chunk *c, struct arena *a, struct rich_columns *out)
{
    if (c->mode == CHUNK_RICH) {
        return rich_read(str_of((const char *)c->data + c->times_bytes, c->value_bytes), c->count, a, out);
    }
    return values_decode(c->mode, c->data + c->times_bytes, c->value_bytes, c->count, out->bits);
}

enum err chunk_identities(const struct chunk *c, uint64_t *ret_v)
{
    const struct histogram *histograms[CHUNK_SAMPLES_MAX] = {NULL};
    struct rich_columns out = {.bits = ret_v, .histograms = histograms};
    struct arena memory AUTO_ARENA;
    arena_init(&memory, 0, NULL);
    enum err e = chunk_samples(c, &memory, &out);
    for (uint32_t i = 0; e == ERR_OK && i < c->count; i++) {
        if (histograms[i]) {
            ret_v[i] = value_identity(&(struct sample_value){.h = histograms[i]});
        }
    }
    return e;
}

enum err chunk_times(const struct chunk *c, ts_ms *ret_ts)
{
    return times_decode(c->data, c->times_bytes, c->min_ts, c->count, ret_ts);
}
