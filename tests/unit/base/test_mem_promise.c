/* The promise of the process: queries are refused before memory is used up, small ones never; what is freed
 * counts no more. The process itself is what is measured: tests make their promise out of what it uses. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/mem_promise.h"
#include "harness.h"

enum {
    MIB = 1 << 20
};

/* So much that the process uses `part` sixteenths of it now. */
static struct mem_promise *promise_of_part(unsigned part)
{
    struct mem_promise *p = NULL;
    struct mem_promise_stats s;
    if (mem_promise_new(UINT64_C(1) << 40, &p) != ERR_OK) {
        return NULL;
    }
    mem_promise_stats(p, &s);
    mem_promise_free(p);
    p = NULL;
    return s.anonymous && mem_promise_new(s.anonymous / part * 16, &p) == ERR_OK ? p : NULL;
}

TEST(a_query_that_does_not_fit_is_refused_and_a_small_one_is_not)
{
    struct mem_promise *p = promise_of_part(15);
    struct mem_promise_stats s;
    CHECK(p != NULL);
    struct mem_budget budget = {.limit_bytes = (size_t)1 << 30, .promise = p};
    struct arena a;
    arena_init(&a, 0, &budget);
    CHECK(arena_alloc(&a, 1000) != NULL);
    CHECK(arena_alloc(&a, 64 * MIB) == NULL);
    CHECK_EQ(arena_err(&a), ERR_LIMIT);
    CHECK(atomic_load(&budget.promise_refused));
    CHECK(arena_alloc(&a, 64 * MIB) == NULL);
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries_refused, 1); /* queries, not calls */
    CHECK(s.queries > 0 && s.queries < MIB);
    CHECK_EQ(s.full, 1);
    arena_done(&a);
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries, 0);
    mem_promise_free(p);
}

TEST(a_large_answer_is_charged_until_it_is_gone)
{
    struct mem_promise *p = NULL;
    struct mem_promise_stats s;
    CHECK_OK(mem_promise_new(UINT64_C(1) << 40, &p));
    struct buf b = {.promise = p}, moved;
    CHECK(buf_reserve(&b, 100));
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries, 0); /* small ones are not worth asking for */
    CHECK(buf_reserve(&b, 4 * MIB));
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries, b.cap);
    moved = b; /* as when it is sent */
    buf_done(&moved);
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries, 0);
    b = (struct buf){.promise = p};
    CHECK(buf_reserve(&b, 4 * MIB));
    mem_free(buf_take(&b, NULL));
    mem_promise_stats(p, &s);
    CHECK_EQ(s.queries, 0);
    mem_promise_free(p);
    p = promise_of_part(15);
    CHECK(p != NULL);
    struct buf large = {.promise = p};
    CHECK(!buf_reserve(&large, 64 * MIB));
    CHECK_EQ(large.err, ERR_LIMIT);
    buf_done(&large);
    mem_promise_free(p);
}

TEST(what_stays_is_full_at_three_quarters)
{
    struct mem_promise *low = promise_of_part(4), *high = promise_of_part(14);
    CHECK(low && high);
    CHECK(!mem_promise_full(low) && !mem_promise_pressed(low));
    CHECK(mem_promise_pressed(high));
    CHECK(mem_promise_full(high));
    CHECK(!mem_promise_full(NULL) && !mem_promise_pressed(NULL));
    CHECK(mem_promise_take(NULL, (size_t)1 << 60));
    mem_promise_free(low);
    mem_promise_free(high);
}

TEST(memory_goes_back_once_when_queries_have_gone)
{
    struct mem_promise *p = NULL;
    CHECK_OK(mem_promise_new((uint64_t)1 << 40, &p));
    CHECK(!mem_promise_rest(p)); /* nothing was taken */
    CHECK(mem_promise_take(p, 20 * MIB));
    CHECK(!mem_promise_rest(p)); /* just now */
    CHECK(!mem_promise_rest(p)); /* it still runs */
    mem_promise_release(p, 20 * MIB);
    CHECK(mem_promise_rest(p));
    CHECK(!mem_promise_rest(p));
    CHECK(mem_promise_take(p, MIB)); /* little is not worth it */
    mem_promise_release(p, MIB);
    CHECK(!mem_promise_rest(p) && !mem_promise_rest(p) && !mem_promise_rest(NULL));
    mem_promise_free(p);
}
