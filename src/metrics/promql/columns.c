/* The plain set of column loops, and which set a processor has. Built for speed (CMakeLists.txt). */
#define COLUMN_NAME(x) x##_any
#include "metrics/promql/columns_body.h"

#include "metrics/promql/kernels.h"

size_t column_count(const uint8_t *has, size_t n)
{
    size_t count = 0;
    if (column_whole(has, n)) { /* nearly all are, and this is the faster search */
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        count += has[i];
    }
    return count;
}

const struct column_ops *column_ops_best(unsigned sets_less)
{
    enum kernel_set set = kernel_best_set((enum kernel_set)(SET_COUNT - 1 - sets_less));
#if defined(__x86_64__)
    return set == SET_AVX512 ? &column_ops_v4 : set == SET_AVX2 ? &column_ops_v3 : &column_ops_any;
#else
    (void)set;
    return &column_ops_any;
#endif
}
