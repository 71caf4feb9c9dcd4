/* Go's sort.Sort, whose order of equal elements shows in results. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_GO_SORT_H
#define CAIRN_METRICS_PROMQL_GO_SORT_H

#include <stdbool.h>
#include <stddef.h>

struct go_sort {
    bool (*less)(const void *ctx, size_t i, size_t j); /* need not be a total order: NaN */
    void (*swap)(const void *ctx, size_t i, size_t j);
    const void *ctx;
};

void go_sort(const struct go_sort *s, size_t n);

#endif
