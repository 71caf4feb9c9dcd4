/* Sorted lists of buckets. */
#include "metrics/model/bucket_list.h"

enum err bucket_list_reserve(struct arena *a, struct bucket_list *l, uint32_t need)
{
    if (need <= l->cap) {
        return ERR_OK;
    }
    uint32_t cap = need + need / 2 + 8;
    int64_t *index = arena_array(a, cap, sizeof(*index));
    double *count = arena_array(a, cap, sizeof(*count)), *lost = arena_array(a, cap, sizeof(*lost));
    if (!index || !count || !lost) {
        return arena_err(a);
    }
    if (l->n) {
        memcpy(index, l->index, l->n * sizeof(*index));
        memcpy(count, l->count, l->n * sizeof(*count));
        memcpy(lost, l->lost, l->n * sizeof(*lost));
    }
    *l = (struct bucket_list){index, count, lost, l->n, cap};
    return ERR_OK;
}

void bucket_list_put(struct bucket_list *l, int64_t index, double count, double lost)
{
    l->index[l->n] = index;
    l->count[l->n] = count;
    l->lost[l->n++] = lost;
}

enum err bucket_list_copy(struct arena *a, struct bucket_list *to, const struct bucket_list *from)
{
    to->n = 0;
    enum err e = bucket_list_reserve(a, to, from->n);
    if (e == ERR_OK && from->n) {
        memcpy(to->index, from->index, from->n * sizeof(*to->index));
        memcpy(to->count, from->count, from->n * sizeof(*to->count));
        memcpy(to->lost, from->lost, from->n * sizeof(*to->lost));
        to->n = from->n;
    }
    return e;
}

/* Run by run: every bucket stays as it is. */
static void load_runs(struct bucket_list *l, const struct histogram_side *side)
{
    int64_t index = 0;
    for (uint32_t i = 0; i < side->span_count; i++) {
        uint32_t left = side->count - l->n, length = side->spans[i].length;
        length = length < left ? length : left;
        index += side->spans[i].offset;
        for (uint32_t k = 0; k < length; k++) {
            l->index[l->n + k] = index + k;
            l->lost[l->n + k] = 0;
        }
        if (length) {
            memcpy(&l->count[l->n], &side->counts[l->n], length * sizeof(*l->count));
        }
        l->n += length;
        index += length;
    }
}

enum err bucket_list_load(struct arena *a, struct bucket_list *l, struct histogram_side side, unsigned shift,
                          bool compensated)
{
    int64_t index = 0;
    double count = 0;
    l->n = 0;
    enum err e = bucket_list_reserve(a, l, side.count);
    if (e != ERR_OK) {
        return e;
    }
    if (!shift) {
        load_runs(l, &side);
        return ERR_OK;
    }
    while (histogram_side_next(&side, &index, &count)) {
        index = histogram_coarser(index, shift);
        if (l->n == 0 || l->index[l->n - 1] != index) {
            bucket_list_put(l, index, count, 0);
        } else if (compensated) {
            kahan_plus(count, &l->count[l->n - 1], &l->lost[l->n - 1]);
        } else {
            l->count[l->n - 1] += count;
        }
    }
    return ERR_OK;
}

void bucket_list_reduce(struct bucket_list *l, unsigned shift, bool compensated)
{
    uint32_t n = l->n;
    l->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t index = histogram_coarser(l->index[i], shift);
        double count = l->count[i], lost = l->lost[i];
        if (l->n == 0 || l->index[l->n - 1] != index) {
            bucket_list_put(l, index, count, lost);
        } else if (compensated) {
            kahan_plus(count, &l->count[l->n - 1], &l->lost[l->n - 1]);
            kahan_plus(lost, &l->count[l->n - 1], &l->lost[l->n - 1]);
        } else {
            l->count[l->n - 1] += count;
        }
    }
}

void bucket_list_compact(struct bucket_list *l, bool compensated)
{
    uint32_t n = l->n;
    l->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (l->count[i] != 0 || (compensated && l->lost[i] != 0)) {
            bucket_list_put(l, l->index[i], l->count[i], l->lost[i]);
        }
    }
}

/* The list as spans and counts. */
enum err bucket_list_spans(struct arena *a, const struct bucket_list *l,
                           const struct histogram_span **ret_spans, uint32_t *ret_span_count,
                           const double **ret_counts)
{
    uint32_t spans = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        spans += i == 0 || l->index[i] != l->index[i - 1] + 1;
    }
    struct histogram_span *out = arena_array(a, spans + 1u, sizeof(*out));
    double *counts = arena_array(a, l->n + 1u, sizeof(*counts));
    if (!out || !counts) {
        return arena_err(a);
    }
    spans = 0;
    int64_t end = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        counts[i] = l->count[i];
        if (i == 0 || l->index[i] != end) {
            out[spans++] = (struct histogram_span){(int32_t)(l->index[i] - end), 0};
        }
        out[spans - 1].length++;
        end = l->index[i] + 1;
    }
    *ret_spans = out;
    *ret_span_count = spans;
    *ret_counts = counts;
    return ERR_OK;
}
