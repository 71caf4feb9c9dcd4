/* Pattern-defeating quicksort as in Go's package sort: the same comparisons and exchanges in the same order,
 * so that elements that compare equal end in the same places. Ranges are [a, b). */
#include "metrics/promql/go_sort.h"

#include <stdint.h>

enum {
    INSERTION_MAX = 12,
    NINTHER_MIN = 50,
    SHIFT_MIN = 50, /* shorter ranges are not mended */
    SHIFTS_MAX = 5,
    SWAPS_MAX = 12
};

enum hint {
    UNKNOWN = 0,
    INCREASING,
    DECREASING
};

static bool less(const struct go_sort *s, size_t i, size_t j)
{
    return s->less(s->ctx, i, j);
}

static void swap(const struct go_sort *s, size_t i, size_t j)
{
    s->swap(s->ctx, i, j);
}

static void insertion_sort(const struct go_sort *s, size_t a, size_t b)
{
    for (size_t i = a + 1; i < b; i++) {
        for (size_t j = i; j > a && less(s, j, j - 1); j--) {
            swap(s, j, j - 1);
        }
    }
}

static void sift_down(const struct go_sort *s, size_t root, size_t n, size_t first)
{
    for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        child += child + 1 < n && less(s, first + child, first + child + 1);
        if (!less(s, first + root, first + child)) {
            return;
        }
        swap(s, first + root, first + child);
        root = child;
    }
}

static void heap_sort(const struct go_sort *s, size_t a, size_t b)
{
    size_t n = b - a;
    for (size_t i = (n - 1) / 2 + 1; i-- > 0;) {
        sift_down(s, i, n, a);
    }
    for (size_t i = n; i-- > 0;) {
        swap(s, a, a + i);
        sift_down(s, 0, i, a);
    }
}

/* -- the pivot ------------------------------------------------------------------------------------------- */

static void order2(const struct go_sort *s, size_t *a, size_t *b, int *swaps)
{
    if (less(s, *b, *a)) {
        size_t t = *a;
        *a = *b;
        *b = t;
        ++*swaps;
    }
}

static size_t median(const struct go_sort *s, size_t a, size_t b, size_t c, int *swaps)
{
    order2(s, &a, &b, swaps);
    order2(s, &b, &c, swaps);
    order2(s, &a, &b, swaps);
    return b;
}

static size_t choose_pivot(const struct go_sort *s, size_t a, size_t b, enum hint *ret_hint)
{
    size_t n = b - a, i = a + n / 4, j = a + n / 4 * 2, k = a + n / 4 * 3;
    int swaps = 0;
    if (n >= NINTHER_MIN) {
        i = median(s, i - 1, i, i + 1, &swaps);
        j = median(s, j - 1, j, j + 1, &swaps);
        k = median(s, k - 1, k, k + 1, &swaps);
    }
    j = median(s, i, j, k, &swaps);
    *ret_hint = swaps == 0 ? INCREASING : swaps == SWAPS_MAX ? DECREASING : UNKNOWN;
    return j;
}

static void reverse(const struct go_sort *s, size_t a, size_t b)
{
    for (size_t i = a, j = b - 1; i < j; i++, j--) {
        swap(s, i, j);
    }
}

/* Scatters some elements about patterns that make partitions uneven. */
static void break_patterns(const struct go_sort *s, size_t a, size_t b)
{
    size_t n = b - a, mask = 1, middle = a + n / 4 * 2;
    uint64_t random = n;
    while (mask <= n) {
        mask *= 2;
    }
    for (size_t i = middle - 1; i <= middle + 1; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t other = (size_t)random & (mask - 1);
        swap(s, i, a + (other >= n ? other - n : other));
    }
}

/* -- partitions ------------------------------------------------------------------------------------------ */

/* The pivot's place afterwards. i and j are the ends, both inclusive, of what is not looked at yet. */
static size_t partition(const struct go_sort *s, size_t a, size_t b, size_t pivot, bool *ret_was_done)
{
    size_t i = a + 1, j = b - 1;
    *ret_was_done = true;
    swap(s, a, pivot);
    for (;;) {
        while (i <= j && less(s, i, a)) {
            i++;
        }
        while (i <= j && !less(s, j, a)) {
            j--;
        }
        if (i > j) {
            break;
        }
        swap(s, i++, j);
        j--;
        *ret_was_done = false;
    }
    swap(s, j, a);
    return j;
}

/* Elements equal to the pivot first; the end of these. */
static size_t partition_equal(const struct go_sort *s, size_t a, size_t b, size_t pivot)
{
    size_t i = a + 1, j = b - 1;
    swap(s, a, pivot);
    for (;;) {
        while (i <= j && !less(s, a, i)) {
            i++;
        }
        while (i <= j && less(s, a, j)) {
            j--;
        }
        if (i > j) {
            return i;
        }
        swap(s, i++, j);
        j--;
    }
}

/* Mends a range that is nearly in order. False: it is not. */
static bool partial_insertion_sort(const struct go_sort *s, size_t a, size_t b)
{
    size_t i = a + 1;
    for (int n = 0; n < SHIFTS_MAX; n++) {
        while (i < b && !less(s, i, i - 1)) {
            i++;
        }
        if (i == b || b - a < SHIFT_MIN) {
            return i == b;
        }
        swap(s, i, i - 1);
        for (size_t j = i - 1; i - a >= 2 && j >= 1 && less(s, j, j - 1); j--) {
            swap(s, j, j - 1);
        }
        for (size_t j = i + 1; j < b && less(s, j, j - 1); j++) {
            swap(s, j, j - 1);
        }
    }
    return false;
}

/* `limit` uneven partitions are allowed. Recursion goes into the shorter part. */
static void sort_range(const struct go_sort *s, size_t a, size_t b, unsigned limit)
{
    bool balanced = true, was_done = true;
    while (b - a > INSERTION_MAX) {
        size_t n = b - a;
        enum hint hint;
        if (limit == 0) {
            heap_sort(s, a, b);
            return;
        }
        if (!balanced) {
            break_patterns(s, a, b);
            limit--;
        }
        size_t pivot = choose_pivot(s, a, b, &hint);
        if (hint == DECREASING) {
            reverse(s, a, b);
            pivot = b - 1 - (pivot - a);
            hint = INCREASING;
        }
        if (balanced && was_done && hint == INCREASING && partial_insertion_sort(s, a, b)) {
            return;
        }
        if (a > 0 && !less(s, a - 1, pivot)) {
            a = partition_equal(s, a, b, pivot);
            continue;
        }
        size_t mid = partition(s, a, b, pivot, &was_done), left = mid - a, right = b - mid;
        balanced = (left < right ? left : right) >= n / 8;
        if (left < right) {
            sort_range(s, a, mid, limit);
            a = mid + 1;
        } else {
            sort_range(s, mid + 1, b, limit);
            b = mid;
        }
    }
    insertion_sort(s, a, b);
}

void go_sort(const struct go_sort *s, size_t n)
{
    unsigned limit = 0;
    for (size_t k = n; k; k /= 2) {
        limit++;
    }
    if (n > 1) {
        sort_range(s, 0, n, limit);
    }
}
