/* The tree back into text, on one line. */
#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "codec/units.h"
#include "metrics/promql/functions.h"

static void print_names(struct buf *b, const struct str *names, size_t n)
{
    buf_char(b, '(');
    for (size_t i = 0; i < n; i++) {
        buf_c(b, i ? ", " : "");
        if (label_name_is_legacy(names[i])) {
            buf_str(b, names[i]);
        } else {
            labels_quote(b, names[i]);
        }
    }
    buf_char(b, ')');
}

static void print_number(struct buf *b, double v, char format)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, format));
}

static void print_ms(struct buf *b, int64_t ms)
{
    units_duration_format(b, ms);
}

static void print_literal(struct buf *b, const struct node *n)
{
    if (!n->as_duration) {
        print_number(b, n->number, 'f');
        return;
    }
    double ns = fabs(n->number) * 1e9;
    if (n->number < 0) {
        buf_char(b, '-');
    }
    print_ms(b, ns < 9223372036854775808.0 ? (int64_t)ns / 1000000 : 0);
}

static void print_operand(struct buf *b, const struct node *n)
{
    if (n->kind == N_DURATION) {
        print_duration_expr(b, n);
    } else {
        print_literal(b, n);
    }
}

void print_duration_expr(struct buf *b, const struct node *n)
{
    static const char *const ops[] = {"+", "-", "*", "/", "%", "^"};
    buf_c(b, n->wrapped ? "(" : "");
    switch ((int)n->duration) {
    case DURATION_STEP:
        buf_c(b, "step()");
        break;
    case DURATION_RANGE:
        buf_c(b, "range()");
        break;
    case DURATION_MIN_OF:
    case DURATION_MAX_OF:
        buf_c(b, n->duration == DURATION_MIN_OF ? "min_of(" : "max_of(");
        print_operand(b, n->args[0]);
        buf_c(b, ", ");
        print_operand(b, n->args[1]);
        buf_char(b, ')');
        break;
    default:
        if (n->args[0]) {
            print_operand(b, n->args[0]);
            buf_printf(b, " %s ", ops[n->duration]);
        } else if (n->duration == DURATION_SUB) {
            buf_char(b, '-');
        }
        print_operand(b, n->args[1]);
        break;
    }
    buf_c(b, n->wrapped ? ")" : "");
}

/* -- selectors ------------------------------------------------------------------------------------------- */

static int compare_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Matchers in the order of their text. */
static void print_matchers(struct buf *b, const struct node *n)
{
    struct arena a AUTO_ARENA = {0};
    struct str *texts = arena_array(&a, n->matcher_count + 1, sizeof(*texts));
    size_t shown = 0;
    for (size_t i = 0; i < n->matcher_count && texts; i++) {
        const struct matcher *m = &n->matchers[i];
        struct buf one AUTO_BUF = {0};
        if (m->op == MATCH_EQ && m->value.n && str_eq(m->name, LABEL_METRIC_NAME) &&
            str_eq(m->value, n->string)) {
            continue;
        }
        matcher_format(&one, m);
        texts[shown] = arena_str(&a, buf_view(&one));
        if (!texts[shown++].p) {
            texts = NULL;
        }
    }
    if (!texts) {
        b->err = ERR_OOM;
        return;
    }
    qsort(texts, shown, sizeof(*texts), compare_text);
    for (size_t i = 0; i < shown; i++) {
        buf_char(b, i ? ',' : '{');
        buf_str(b, texts[i]);
    }
    buf_c(b, shown ? "}" : "");
}

static void print_at(struct buf *b, const struct node *n)
{
    if (n->at == AT_TIME) {
        char text[NUM_F64_BYTES_MAX];
        buf_c(b, " @ ");
        buf_append(b, text, num_f64_fixed(text, (double)n->at_ms / 1000, 3));
    } else if (n->at) {
        buf_c(b, n->at == AT_START ? " @ start()" : " @ end()");
    }
}

static void print_extended(struct buf *b, const struct node *n)
{
    buf_c(b, n->anchored ? " anchored" : n->smoothed ? " smoothed" : "");
}

static void print_offset(struct buf *b, const struct node *n)
{
    if (n->offset_expr) {
        buf_c(b, " offset ");
        print_duration_expr(b, n->offset_expr);
    } else if (n->offset_ms) {
        buf_c(b, n->offset_ms < 0 ? " offset -" : " offset ");
        print_ms(b, n->offset_ms < 0 ? -n->offset_ms : n->offset_ms);
    }
}

static void print_span(struct buf *b, int64_t ms, const struct node *expr)
{
    if (expr) {
        print_duration_expr(b, expr);
    } else {
        print_ms(b, ms);
    }
}

static void print_matrix(struct buf *b, const struct node *n)
{
    const struct node *s = n->args[0];
    buf_str(b, s->string);
    print_matchers(b, s);
    buf_char(b, '[');
    print_span(b, n->range_ms, n->range_expr);
    buf_char(b, ']');
    print_extended(b, s);
    print_at(b, s);
    print_offset(b, s);
}

void print_subquery_suffix(struct buf *b, const struct node *n)
{
    buf_char(b, '[');
    print_span(b, n->range_ms, n->range_expr);
    buf_char(b, ':');
    if (n->step_ms) {
        print_ms(b, n->step_ms);
    } else if (n->step_expr) {
        print_duration_expr(b, n->step_expr);
    }
    buf_char(b, ']');
    print_at(b, n);
    print_offset(b, n);
}

/* -- the rest -------------------------------------------------------------------------------------------- */

static void print_args(struct buf *b, const struct node *n)
{
    buf_char(b, '(');
    if (n->param) {
        print_node(b, n->param);
        buf_c(b, ", ");
    }
    for (size_t i = 0; i < n->arg_count; i++) {
        buf_c(b, i ? ", " : "");
        print_node(b, n->args[i]);
    }
    buf_char(b, ')');
}

void print_aggregate_head(struct buf *b, const struct node *n)
{
    buf_c(b, aggregate_op_text(n->aggregate));
    if (n->without || n->name_count) {
        buf_c(b, n->without ? " without " : " by ");
        print_names(b, n->names, n->name_count);
        buf_char(b, ' ');
    }
}

static void print_fill(struct buf *b, const char *name, double v)
{
    buf_printf(b, " %s (", name);
    print_number(b, v, 'g');
    buf_char(b, ')');
}

void print_matching(struct buf *b, const struct node *n)
{
    bool grouped = n->card == CARD_MANY_TO_ONE || n->card == CARD_ONE_TO_MANY;
    if (!n->both_vectors) {
        return;
    }
    if (n->name_count || n->on || grouped) {
        buf_c(b, n->on ? " on " : " ignoring ");
        print_names(b, n->names, n->name_count);
    }
    if (grouped) {
        buf_c(b, n->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
        print_names(b, n->include, n->include_count);
    }
    if (n->fills_left && n->fills_right && n->fill_left == n->fill_right) {
        print_fill(b, "fill", n->fill_left);
        return;
    }
    if (n->fills_left) {
        print_fill(b, "fill_left", n->fill_left);
    }
    if (n->fills_right) {
        print_fill(b, "fill_right", n->fill_right);
    }
}

void print_node(struct buf *b, const struct node *n)
{
    switch (n->kind) {
    case N_NUMBER:
        print_literal(b, n);
        break;
    case N_STRING:
        labels_quote(b, n->string);
        break;
    case N_SELECTOR:
        buf_str(b, n->string);
        print_matchers(b, n);
        print_at(b, n);
        print_extended(b, n);
        print_offset(b, n);
        break;
    case N_MATRIX:
        print_matrix(b, n);
        break;
    case N_SUBQUERY:
        print_node(b, n->args[0]);
        print_subquery_suffix(b, n);
        break;
    case N_CALL:
        buf_c(b, n->function->name);
        print_args(b, n);
        break;
    case N_AGGREGATE:
        print_aggregate_head(b, n);
        print_args(b, n);
        break;
    case N_BINARY:
        print_node(b, n->args[0]);
        buf_printf(b, " %s%s", binary_op_text(n->op), n->return_bool ? " bool" : "");
        print_matching(b, n);
        buf_char(b, ' ');
        print_node(b, n->args[1]);
        break;
    case N_UNARY:
        buf_c(b, n->number < 0 ? "-" : "+");
        print_node(b, n->args[0]);
        break;
    case N_PAREN:
        buf_char(b, '(');
        print_node(b, n->args[0]);
        buf_char(b, ')');
        break;
    case N_DURATION:
        print_duration_expr(b, n);
        break;
    }
}
