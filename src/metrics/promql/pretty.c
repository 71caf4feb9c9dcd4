/* The tree as indented text: what does not fit a line is split at its operands. */
#include "metrics/promql/functions.h"

enum {
    LINE_BYTES_MAX = 100
};

static void indent(struct buf *b, unsigned level)
{
    for (unsigned i = 0; i < level; i++) {
        buf_c(b, "  ");
    }
}

static bool fits(struct buf *b, const struct node *n)
{
    struct buf line AUTO_BUF = {0};
    print_node(&line, n);
    if (line.err) {
        b->err = line.err;
    }
    return line.n <= LINE_BYTES_MAX;
}

static void pretty_args(struct buf *b, const struct node *n, unsigned level)
{
    buf_c(b, "(\n");
    if (n->param) {
        print_pretty(b, n->param, level + 1);
        buf_c(b, ",\n");
    }
    for (size_t i = 0; i < n->arg_count; i++) {
        buf_c(b, i ? ",\n" : "");
        print_pretty(b, n->args[i], level + 1);
    }
    buf_char(b, '\n');
    indent(b, level);
    buf_char(b, ')');
}

static void pretty_binary(struct buf *b, const struct node *n, unsigned level)
{
    print_pretty(b, n->args[0], level + 1);
    buf_char(b, '\n');
    indent(b, level);
    buf_printf(b, "%s%s", binary_op_text(n->op), n->return_bool ? " bool" : "");
    print_matching(b, n);
    buf_char(b, '\n');
    print_pretty(b, n->args[1], level + 1);
}

/* The operand follows the sign at once. */
static void pretty_unary(struct buf *b, const struct node *n, unsigned level)
{
    struct buf child AUTO_BUF = {0};
    print_pretty(&child, n->args[0], level);
    indent(b, level);
    buf_c(b, n->number < 0 ? "-" : "+");
    buf_str(b, str_trim(buf_view(&child)));
    if (child.err) {
        b->err = child.err;
    }
}

void print_pretty(struct buf *b, const struct node *n, unsigned level)
{
    if (n->kind == N_UNARY) {
        pretty_unary(b, n, level);
        return;
    }
    if (n->kind == N_SUBQUERY) {
        if (fits(b, n)) {
            print_node(b, n);
            return;
        }
        print_pretty(b, n->args[0], level);
        print_subquery_suffix(b, n);
        return;
    }
    bool splits = n->kind == N_AGGREGATE || n->kind == N_CALL || n->kind == N_BINARY || n->kind == N_PAREN;
    if (!splits || fits(b, n)) {
        indent(b, level);
        print_node(b, n);
        return;
    }
    if (n->kind == N_BINARY) {
        pretty_binary(b, n, level);
        return;
    }
    indent(b, level);
    if (n->kind == N_AGGREGATE) {
        print_aggregate_head(b, n);
    } else if (n->kind == N_CALL) {
        buf_c(b, n->function->name);
    }
    pretty_args(b, n, level);
}
