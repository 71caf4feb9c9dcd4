/* As many queries at once as --query.max-concurrency says: others wait, until their timeout. */
#include "api/prom/query_gate.h"

#include "base/thread.h"
#include "harness.h"

struct visitor {
    struct query_gate *gate;
    struct query_ctx q;
    enum err err;
    struct thread thread;
};

static void visit(void *ctx)
{
    struct visitor *v = ctx;
    v->err = query_gate_enter(v->gate, &v->q, NULL);
    if (v->err == ERR_OK) {
        query_gate_leave(v->gate);
    }
}

TEST(a_query_beyond_the_limit_waits_for_its_turn)
{
    struct query_gate *g = NULL;
    struct visitor v[3] = {{0}};
    struct query_ctx first = {0};
    CHECK_OK(query_gate_new(1, &g));
    CHECK_OK(query_gate_enter(g, &first, NULL));
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        v[i].gate = g;
        v[i].err = ERR_INTERNAL;
        CHECK_OK(thread_start(&v[i].thread, "visitor", visit, &v[i]));
    }
    struct err_info info = {0};
    struct query_ctx late = {.deadline_mono_ns = clock_mono_ns(clock_real()) + NS_PER_MS};
    CHECK_EQ(query_gate_enter(g, &late, &info), ERR_TIMEOUT); /* there is no place for anybody */
    CHECK(str_eq_c(str_c(info.message), "query timed out in query queue"));
    query_gate_leave(g);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        thread_join(&v[i].thread);
        CHECK_OK(v[i].err);
    }
    query_gate_free(g);
}

TEST(a_client_that_leaves_waits_no_longer)
{
    struct query_gate *g = NULL;
    struct query_ctx first = {0};
    atomic_bool gone = true;
    struct query_ctx left = {.canceled_by = &gone};
    struct err_info info = {0};
    CHECK_OK(query_gate_new(1, &g));
    CHECK_OK(query_gate_enter(g, &first, NULL));
    CHECK_EQ(query_gate_enter(g, &left, &info), ERR_CANCELED);
    CHECK(str_eq_c(str_c(info.message), "query was canceled in query queue"));
    query_gate_leave(g);
    CHECK_OK(query_gate_enter(g, &first, NULL));
    query_gate_leave(g);
    query_gate_free(g);
}
