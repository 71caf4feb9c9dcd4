/* The tree back into text. */
#include <math.h>

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

static void print_number(struct buf *b, double v)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, 'f'));
}

static void print_duration(struct buf *b, int64_t ms)
{
    units_duration_format(b, ms);
}

static void print_selector(struct buf *b, const struct node *n)
{
    bool plain = n->string.p && metric_name_is_legacy(n->string);
    if (plain) {
        buf_str(b, n->string);
    }
    size_t shown = 0;
    for (size_t i = 0; i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        bool name = n->string.p && m->op == MATCH_EQ && str_eq(m->name, LABEL_METRIC_NAME) &&
                    str_eq(m->value, n->string);
        if (name && plain) {
            continue;
        }
        buf_c(b, shown++ ? "," : "{");
        if (name) {
            labels_quote(b, n->string);
        } else {
            matcher_format(b, m);
        }
    }
    if (shown) {
        buf_char(b, '}');
    }
}

static void print_timing(struct buf *b, const struct node *n)
{
    if (n->at == AT_TIME) {
        char text[NUM_F64_BYTES_MAX];
        buf_c(b, " @ ");
        buf_append(b, text, num_f64_fixed(text, (double)n->at_ms / 1000, 3));
    } else if (n->at) {
        buf_c(b, n->at == AT_START ? " @ start()" : " @ end()");
    }
    if (n->offset_ms) {
        buf_c(b, n->offset_ms < 0 ? " offset -" : " offset ");
        print_duration(b, n->offset_ms < 0 ? -n->offset_ms : n->offset_ms);
    }
}

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

static void print_binary(struct buf *b, const struct node *n)
{
    print_node(b, n->args[0]);
    buf_printf(b, " %s%s", binary_op_text(n->op), n->return_bool ? " bool" : "");
    if (n->matching && (n->name_count || n->on)) {
        buf_c(b, n->on ? " on " : " ignoring ");
        print_names(b, n->names, n->name_count);
        if (n->card == CARD_MANY_TO_ONE || n->card == CARD_ONE_TO_MANY) {
            buf_c(b, n->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
            print_names(b, n->include, n->include_count);
        }
    }
    buf_char(b, ' ');
    print_node(b, n->args[1]);
}

void print_node(struct buf *b, const struct node *n)
{
    switch (n->kind) {
    case N_NUMBER:
        if (n->as_duration) {
            print_duration(b, (int64_t)llround(n->number * 1000));
        } else {
            print_number(b, n->number);
        }
        break;
    case N_STRING:
        labels_quote(b, n->string);
        break;
    case N_SELECTOR:
        print_selector(b, n);
        print_timing(b, n);
        break;
    case N_MATRIX:
        print_selector(b, n->args[0]);
        buf_char(b, '[');
        print_duration(b, n->range_ms);
        buf_char(b, ']');
        print_timing(b, n->args[0]);
        break;
    case N_SUBQUERY:
        print_node(b, n->args[0]);
        buf_char(b, '[');
        print_duration(b, n->range_ms);
        buf_char(b, ':');
        if (n->step_ms) {
            print_duration(b, n->step_ms);
        }
        buf_char(b, ']');
        print_timing(b, n);
        break;
    case N_CALL:
        buf_c(b, n->function->name);
        print_args(b, n);
        break;
    case N_AGGREGATE:
        buf_c(b, aggregate_op_text(n->aggregate));
        if (n->without || n->name_count) {
            buf_c(b, n->without ? " without " : " by ");
            print_names(b, n->names, n->name_count);
            buf_char(b, ' ');
        }
        print_args(b, n);
        break;
    case N_BINARY:
        print_binary(b, n);
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
    }
}
