/* What follows a primary expression: ranges, subqueries, offset, @, anchored and smoothed. */
#include <math.h>
#include <stdio.h>

#include "metrics/promql/functions.h"
#include "metrics/promql/parse_int.h"

/* Where offset and @ are kept; NULL and an error when the expression takes none. */
static struct node *timed_node(struct parser *p, struct node *n, const char *what)
{
    if (n->kind == N_MATRIX && n->args[0]->kind == N_SELECTOR) {
        return n->args[0];
    }
    if (n->kind == N_MATRIX) {
        (void)parse_fail(p, n->pos, "ranges only allowed for vector selectors");
        return NULL;
    }
    if (n->kind == N_SELECTOR || n->kind == N_SUBQUERY) {
        return n;
    }
    (void)parse_fail(
        p, n->pos,
        "%s modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        what);
    return NULL;
}

static enum err parse_offset(struct parser *p, struct node *n)
{
    struct parse_context outer = p->context;
    struct node *d = NULL;
    (void)parse_take(p);
    p->context = (struct parse_context){"offset", "number, duration, step(), or range()"};
    bool parentheses = parse_peek(p)->kind == T_LPAREN;
    enum err e = parse_offset_duration(p, &d);
    p->context = outer;
    if (!e && parentheses && parse_peek(p)->kind == T_ERROR) { /* an operator may follow: it is read first */
        e = parse_unexpected(p);
    }
    if (e) {
        return e;
    }
    if (d->kind == N_NUMBER &&
        (d->number > 9223372036854775808.0 / 1e9 || d->number < -9223372036854775808.0 / 1e9)) {
        return parse_fail(p, d->pos, "duration out of range");
    }
    struct node *on = timed_node(p, n, "offset");
    if (!on) {
        return ERR_INVALID;
    }
    if (on->offset_ms || on->offset_expr) {
        return parse_fail(p, n->pos, "offset may not be set multiple times");
    }
    if (d->kind == N_NUMBER) {
        on->offset_ms = duration_ms(d->number);
    } else {
        on->offset_expr = d;
    }
    n->end = p->last_end;
    return ERR_OK;
}

static enum err set_at(struct parser *p, struct node *n, enum at_kind kind, double seconds)
{
    if (kind == AT_TIME && !(fabs(seconds) < 9223372036854775808.0)) {
        char shown[400];
        snprintf(shown, sizeof(shown), "%f", fabs(seconds));
        return parse_fail(p, n->pos, "timestamp out of bounds for @ modifier: %s%s",
                          isnan(seconds)   ? "NaN"
                          : seconds < 0    ? "-"
                          : isinf(seconds) ? "+"
                                           : "",
                          isnan(seconds)   ? ""
                          : isinf(seconds) ? "Inf"
                                           : shown);
    }
    struct node *on = timed_node(p, n, "@");
    if (!on) {
        return ERR_INVALID;
    }
    if (on->at) {
        return parse_fail(p, n->pos, "@ <timestamp> may not be set multiple times");
    }
    double ms = round(seconds * 1000);
    on->at = kind;
    on->at_ms = ms >= 9223372036854775808.0 || ms < -9223372036854775808.0 ? INT64_MIN : (ts_ms)ms;
    n->end = p->last_end;
    return ERR_OK;
}

static enum err parse_at(struct parser *p, struct node *n)
{
    struct parse_context outer = p->context;
    struct node *literal = NULL;
    double sign = 1;
    enum err e = ERR_OK;
    (void)parse_take(p);
    p->context = (struct parse_context){"@", "timestamp"};
    enum token_kind k = parse_peek(p)->kind;
    if (k == T_START || k == T_STOP) {
        (void)parse_take(p);
        e = parse_expect(p, T_LPAREN);
        e = e ? e : parse_expect(p, T_RPAREN);
        p->context = outer;
        return e ? e : set_at(p, n, k == T_START ? AT_START : AT_END, 0);
    }
    if (parse_is_op(p, OP_ADD) || parse_is_op(p, OP_SUB)) {
        sign = parse_take(p).number == OP_SUB ? -1 : 1;
        k = parse_peek(p)->kind;
    }
    e = k == T_NUMBER || k == T_DURATION ? parse_literal(p, &literal) : parse_unexpected(p);
    p->context = outer;
    return e ? e : set_at(p, n, AT_TIME, sign * literal->number);
}

static enum err parse_extended(struct parser *p, struct node *n)
{
    bool anchored = parse_take(p).kind == T_ANCHORED;
    const char *what = anchored ? "anchored" : "smoothed";
    if (!p->options.extended_ranges) {
        return parse_fail(p, n->pos, "%s modifier is experimental and not enabled", what);
    }
    if (n->kind == N_SUBQUERY) {
        return parse_fail(p, n->pos, "%s modifier is not supported for subqueries", what);
    }
    if (n->kind != N_SELECTOR && n->kind != N_MATRIX) {
        return parse_fail(p, n->pos, "%s modifier not implemented", what);
    }
    struct node *on = n->kind == N_MATRIX ? n->args[0] : n;
    on->anchored |= anchored;
    on->smoothed |= !anchored;
    if (on->anchored && on->smoothed) {
        return parse_fail(p, n->pos, "anchored and smoothed modifiers cannot be used together");
    }
    return ERR_OK;
}

/* [range] or [range:step]; the brackets are open. */
static enum err parse_brackets(struct parser *p, struct node **ret_range, struct node **ret_step,
                               bool *ret_subquery)
{
    p->context = (struct parse_context){"subquery or range selector", "number, duration, step(), or range()"};
    enum err e = parse_positive_duration(p, ret_range);
    p->context = (struct parse_context){"subquery or range", "\":\" or \"]\""};
    if (e || parse_peek(p)->kind != T_COLON) {
        return e ? e : parse_expect(p, T_RBRACKET);
    }
    *ret_subquery = true;
    (void)parse_take(p);
    p->context = (struct parse_context){"subquery selector", "number, duration, step(), range(), or \"]\""};
    if (parse_peek(p)->kind != T_RBRACKET) {
        e = parse_positive_duration(p, ret_step);
        p->context = (struct parse_context){"subquery selector", "\"]\""};
    }
    return e ? e : parse_expect(p, T_RBRACKET);
}

static const char *range_refused(const struct node *n)
{
    if (n->kind != N_SELECTOR) {
        return "ranges only allowed for vector selectors";
    }
    if (n->offset_ms || n->offset_expr) {
        return "no offset modifiers allowed before range";
    }
    return n->at ? "no @ modifiers allowed before range" : NULL;
}

static enum err parse_range(struct parser *p, struct node **n)
{
    struct parse_context outer = p->context;
    struct token open = parse_take(p);
    struct node *range = NULL, *step = NULL;
    bool subquery = false;
    enum err e = parse_brackets(p, &range, &step, &subquery);
    p->context = outer;
    if (e) {
        return e;
    }
    const char *refused = subquery ? NULL : range_refused(*n);
    if (refused) {
        return parse_fail(p, open.pos, "%s", refused);
    }
    struct node *r = parse_node(p, subquery ? N_SUBQUERY : N_MATRIX, (*n)->pos);
    e = r ? node_add_arg(p, r, *n) : parse_no_memory(p);
    if (e) {
        return e;
    }
    r->end = p->last_end;
    r->range_ms = range->kind == N_NUMBER ? duration_ms(range->number) : 0;
    r->range_expr = range->kind == N_NUMBER ? NULL : range;
    r->step_ms = step && step->kind == N_NUMBER ? duration_ms(step->number) : 0;
    r->step_expr = !step || step->kind == N_NUMBER ? NULL : step;
    *n = r;
    return ERR_OK;
}

enum err parse_postfix(struct parser *p, struct node **ret_n)
{
    enum err e = parse_primary(p, ret_n);
    while (!e) {
        switch ((int)parse_peek(p)->kind) {
        case T_LBRACKET:
            e = parse_range(p, ret_n);
            break;
        case T_OFFSET:
            e = parse_offset(p, *ret_n);
            break;
        case T_AT:
            e = parse_at(p, *ret_n);
            break;
        case T_ANCHORED:
        case T_SMOOTHED:
            e = parse_extended(p, *ret_n);
            break;
        default:
            return ERR_OK;
        }
    }
    return e;
}
