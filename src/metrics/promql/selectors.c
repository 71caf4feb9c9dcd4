/* The series selectors of an expression: what /api/v1/query_exemplars looks up. */
#include "metrics/promql/ast.h"
#include "metrics/promql/engine.h"

struct gather {
    struct arena *a;
    struct promql_matchers *sets;
    size_t n, cap;
};

/* Takes the matchers out of the tree: the caller ends them. */
static enum err visit(struct gather *g, struct node *n)
{
    enum err e = ERR_OK;
    if (!n) {
        return ERR_OK;
    }
    if (n->kind == N_SELECTOR) {
        e = arena_reserve(g->a, (void **)&g->sets, &g->cap, g->n + 1, sizeof(*g->sets));
        if (!e) {
            g->sets[g->n++] = (struct promql_matchers){n->matchers, n->matcher_count};
            n->matcher_count = 0;
        }
    }
    for (size_t i = 0; i < n->arg_count && !e; i++) {
        e = visit(g, n->args[i]);
    }
    return e ? e : visit(g, n->param);
}

enum err promql_selectors(const struct promql_options *o, struct str expr, struct arena *a,
                          struct promql_matchers **ret_sets, size_t *ret_n, struct err_info *reterr_info)
{
    const struct parse_options parse = {.experimental = o->experimental,
                                        .extended_ranges = o->extended_ranges,
                                        .fill_modifiers = o->fill_modifiers};
    struct node *root = NULL;
    struct gather g = {.a = a};
    enum err e = promql_parse(expr, &parse, a, &root, reterr_info);
    if (e) {
        return e;
    }
    e = visit(&g, root);
    tree_done(root);
    *ret_sets = g.sets;
    *ret_n = g.n;
    return e;
}
