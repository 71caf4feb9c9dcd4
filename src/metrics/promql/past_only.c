/* Whether a step's value depends on nothing but samples up to the step: then what was computed for a past
 * step holds. */
#include "metrics/promql/past_only.h"
#include "metrics/promql/functions.h"

static bool node_past_only(const struct node *n)
{
    if (!n) {
        return true;
    }
    bool looks_elsewhere =
        n->at != AT_NONE || n->offset_ms < 0 || n->offset_expr || n->range_expr || n->step_expr;
    if (looks_elsewhere || n->smoothed || n->kind == N_DURATION) {
        return false;
    }
    if (n->kind == N_CALL && strcmp(n->function->name, "info") == 0) {
        return false; /* it chooses among info series by the whole range */
    }
    bool chooses = n->kind == N_AGGREGATE &&
                   (n->aggregate == AGG_TOPK || n->aggregate == AGG_BOTTOMK || n->aggregate == AGG_LIMITK);
    if (chooses) {
        return false; /* among equals it takes those that come first, and who comes first depends on the range
                       */
    }
    bool ok = node_past_only(n->param);
    for (size_t i = 0; ok && i < n->arg_count; i++) {
        ok = node_past_only(n->args[i]);
    }
    return ok;
}

bool promql_past_only(const struct promql_options *o, struct str expr, struct arena *a)
{
    const struct parse_options p = {.experimental = o->experimental,
                                    .extended_ranges = o->extended_ranges,
                                    .fill_modifiers = o->fill_modifiers};
    struct node *root = NULL;
    struct err_info ignored = {0};
    if (promql_parse(expr, &p, a, &root, &ignored)) {
        return false;
    }
    bool ok = node_past_only(root);
    tree_done(root);
    return ok;
}
