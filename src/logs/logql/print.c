/* Trees as text, as Loki's String() methods write them. */
#include <stdio.h>

#include "codec/num.h"
#include "codec/units.h"
#include "golang/gostr.h"
#include "logs/logql/ast.h"
#include "logs/logql/simplify.h"

const char *conv_text(enum unwrap_conv c)
{
    static const char *const names[] = {"", "bytes", "duration", "duration_seconds"};
    return names[c];
}

const char *filter_op_text(enum filter_op op)
{
    static const char *const names[] = {"==", "!=", ">", ">=", "<", "<="};
    return names[op];
}

static void print_float(struct buf *b, double v, char fmt)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, fmt));
}

void print_matchers(struct buf *b, const struct log_expr *l)
{
    buf_char(b, '{');
    for (size_t i = 0; i < l->matcher_count; i++) {
        buf_c(b, i ? ", " : "");
        matcher_format(b, &l->matchers[i]);
    }
    buf_char(b, '}');
}

/* -- stages ---------------------------------------------------------------------------------------------- */

static void print_string_filter(struct buf *b, const struct label_filter *f)
{
    const struct matcher *m = f->matcher;
    struct arena a AUTO_ARENA;
    const struct label_words *words = NULL;
    arena_init(&a, 0, NULL);
    if (m->op != MATCH_RE || (simplify_label_regex(&a, m->value, &words) == ERR_OK && words)) {
        matcher_format(b, m);
        return;
    }
    buf_str(b, m->name);
    buf_c(b, "=~");
    if (str_find_char(m->value, '`', 0) != STR_NPOS) {
        labels_quote(b, m->value);
    } else {
        buf_char(b, '`');
        buf_str(b, m->value);
        buf_char(b, '`');
    }
}

void print_label_filter(struct buf *b, const struct label_filter *f)
{
    if (f->kind == LABEL_FILTER_AND || f->kind == LABEL_FILTER_OR) {
        buf_c(b, "( ");
        print_label_filter(b, f->left);
        buf_c(b, f->kind == LABEL_FILTER_AND ? " , " : " or ");
        print_label_filter(b, f->right);
        buf_c(b, " )");
        return;
    }
    if (f->kind == LABEL_FILTER_STRING) {
        print_string_filter(b, f);
        return;
    }
    buf_str(b, f->name);
    if (f->kind == LABEL_FILTER_IP) {
        buf_c(b, f->op == FILTER_NEQ ? "!=ip(" : "=ip(");
        labels_quote(b, f->ip);
        buf_char(b, ')');
        return;
    }
    buf_c(b, filter_op_text(f->op));
    if (f->kind == LABEL_FILTER_NUMBER) {
        print_float(b, f->number, 'f');
    } else if (f->kind == LABEL_FILTER_DURATION) {
        units_go_duration_format(b, f->duration_ns);
    } else {
        go_bytes_format(b, f->bytes);
    }
}

static void print_line_filter(struct buf *b, const struct line_filter *f)
{
    static const char *const ops[] = {"|=", "!=", "|~", "!~", "|>", "!>"};
    buf_c(b, ops[f->op]);
    for (const struct line_filter *o = f; o; o = o->alt) {
        buf_c(b, o == f ? " " : " or ");
        if (o->ip) {
            buf_c(b, "ip(");
            labels_quote(b, o->text);
            buf_char(b, ')');
        } else {
            labels_quote(b, o->text);
        }
    }
}

static void print_items(struct buf *b, const struct stage *s)
{
    for (const struct stage_item *i = s->items; i; i = i->next) {
        if (i->matcher) {
            matcher_format(b, i->matcher);
        } else {
            buf_str(b, i->name);
        }
        if (s->kind != STAGE_DROP && s->kind != STAGE_KEEP) {
            buf_char(b, '=');
            if (i->rename) {
                buf_str(b, i->value);
            } else {
                labels_quote(b, i->value);
            }
        }
        buf_c(b, i->next ? "," : "");
    }
}

void print_stage(struct buf *b, const struct stage *s)
{
    static const char *const names[] = {[STAGE_LINE_FILTER] = "",
                                        [STAGE_JSON] = "| json",
                                        [STAGE_LOGFMT] = "| logfmt",
                                        [STAGE_REGEXP] = "| regexp ",
                                        [STAGE_PATTERN] = "| pattern ",
                                        [STAGE_UNPACK] = "| unpack",
                                        [STAGE_JSON_EXPR] = "| json ",
                                        [STAGE_LOGFMT_EXPR] = "| logfmt ",
                                        [STAGE_LABEL_FILTER] = "| ",
                                        [STAGE_LINE_FORMAT] = "| line_format ",
                                        [STAGE_LABEL_FORMAT] = "| label_format ",
                                        [STAGE_DECOLORIZE] = "| decolorize",
                                        [STAGE_DROP] = "| drop ",
                                        [STAGE_KEEP] = "| keep "};
    buf_c(b, names[s->kind]);
    if (s->kind == STAGE_LINE_FILTER) {
        for (const struct line_filter *f = s->lines; f; f = f->next) {
            print_line_filter(b, f);
            buf_c(b, f->next ? " " : "");
        }
    } else if (s->kind == STAGE_REGEXP || s->kind == STAGE_PATTERN || s->kind == STAGE_LINE_FORMAT) {
        labels_quote(b, s->text);
    } else if (s->kind == STAGE_LABEL_FILTER) {
        print_label_filter(b, s->filter);
    } else if (s->kind == STAGE_LOGFMT) {
        buf_c(b, s->strict ? " --strict" : "");
        buf_c(b, s->keep_empty ? " --keep-empty" : "");
    } else {
        if (s->kind == STAGE_LOGFMT_EXPR) {
            buf_c(b, s->strict ? "--strict " : "");
            buf_c(b, s->keep_empty ? "--keep-empty " : "");
        }
        print_items(b, s);
    }
}

static void print_log(struct buf *b, const struct log_expr *l)
{
    print_matchers(b, l);
    for (const struct stage *s = l->stages; s; s = s->next) {
        buf_char(b, ' ');
        print_stage(b, s);
    }
}

/* -- metric expressions ---------------------------------------------------------------------------------- */

static void print_names(struct buf *b, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_c(b, i ? "," : "");
        buf_str(b, names[i]);
    }
}

static void print_grouping(struct buf *b, const struct grouping *g)
{
    buf_c(b, g->without ? " without (" : " by (");
    print_names(b, g->names, g->n);
    buf_char(b, ')');
}

static void print_range(struct buf *b, const struct range_expr *r)
{
    print_log(b, &r->log);
    if (r->unwrap) {
        const struct unwrap_expr *u = r->unwrap;
        buf_c(b, " | unwrap ");
        if (u->conv != CONV_FLOAT) {
            buf_printf(b, "%s(%.*s)", conv_text(u->conv), STR_FMT(u->label));
        } else {
            buf_str(b, u->label);
        }
        for (const struct post_filter *f = u->filters; f; f = f->next) {
            buf_c(b, " | ");
            print_label_filter(b, f->filter);
        }
    }
    buf_char(b, '[');
    units_duration_format(b, r->interval_ns / NS_PER_MS);
    buf_char(b, ']');
    if (r->offset_ns) {
        buf_c(b, " offset ");
        units_go_duration_format(b, r->offset_ns);
    }
}

static void print_bin(struct buf *b, const struct expr *x)
{
    const struct bin_options *o = &x->options;
    static const char *const groups[] = {"", "group_left", "group_right"};
    buf_char(b, '(');
    print_expr(b, x->left);
    buf_printf(b, " %s", bin_op_text(x->bin_op));
    buf_c(b, o->return_bool ? " bool" : "");
    if (o->on || o->name_count) {
        buf_c(b, o->on ? " on (" : " ignoring (");
        print_names(b, o->names, o->name_count);
        buf_printf(b, ") %s", groups[o->card]);
        if (o->include_count) {
            buf_c(b, " (");
            print_names(b, o->include, o->include_count);
            buf_char(b, ')');
        }
    }
    buf_char(b, ' ');
    print_expr(b, x->right);
    buf_char(b, ')');
}

static void print_aggregation(struct buf *b, const struct expr *x)
{
    buf_c(b, vector_op_text(x->vector_op));
    if (x->grouping && (x->grouping->n || x->grouping->without)) {
        print_grouping(b, x->grouping);
    }
    buf_char(b, '(');
    if (x->k) {
        buf_i64(b, x->k);
        buf_char(b, ',');
    }
    print_expr(b, x->left);
    buf_char(b, ')');
}

void print_expr(struct buf *b, const struct expr *x)
{
    switch (x->kind) {
    case EXPR_LOG:
        print_log(b, x->log);
        return;
    case EXPR_RANGE:
        buf_c(b, range_op_text(x->range_op));
        buf_char(b, '(');
        if (x->has_param) {
            print_float(b, x->param, 'f');
            buf_char(b, ',');
        }
        print_range(b, x->range);
        buf_char(b, ')');
        if (x->grouping) {
            print_grouping(b, x->grouping);
        }
        return;
    case EXPR_VECTOR_AGG:
        print_aggregation(b, x);
        return;
    case EXPR_BIN:
        print_bin(b, x);
        return;
    case EXPR_LITERAL:
        print_float(b, x->value, 'g');
        return;
    case EXPR_VECTOR:
        buf_printf(b, "vector(%f)", x->value);
        return;
    case EXPR_LABEL_REPLACE:
        buf_c(b, "label_replace(");
        print_expr(b, x->left);
        for (size_t i = 0; i < 4; i++) {
            const struct str *const texts[] = {&x->dst, &x->replacement, &x->src, &x->regex};
            buf_char(b, ',');
            labels_quote(b, *texts[i]);
        }
        buf_char(b, ')');
        return;
    }
}

/* -- pretty ---------------------------------------------------------------------------------------------- */

enum {
    PRETTY_LINE_MAX = 100
};

static void indent(struct buf *b, unsigned level)
{
    for (unsigned i = 0; i < level; i++) {
        buf_c(b, "  ");
    }
}

/* Whether what was printed at `from` is too long for one line; takes it back then. */
static bool too_long(struct buf *b, size_t from)
{
    if (b->n - from <= PRETTY_LINE_MAX) {
        return false;
    }
    b->n = from;
    return true;
}

/* The filters up to and including `last`, one a line once together they are too long. */
static void pretty_line_filters(struct buf *b, const struct stage *s, size_t count, unsigned level)
{
    const struct line_filter *f = s->lines;
    size_t start = b->n;
    indent(b, level);
    size_t from = b->n;
    for (size_t i = 0; i < count; i++, f = f->next) {
        buf_c(b, i ? " " : "");
        print_line_filter(b, f);
    }
    if (!too_long(b, from)) {
        return;
    }
    b->n = start;
    if (count > 1) {
        pretty_line_filters(b, s, count - 1, level);
        buf_char(b, '\n');
    }
    f = s->lines;
    for (size_t i = 1; i < count; i++) {
        f = f->next;
    }
    struct line_filter alone = *f; /* Loki loses the alternatives here */
    alone.alt = NULL;
    indent(b, level);
    print_line_filter(b, &alone);
}

static void pretty_stage(struct buf *b, const struct stage *s, unsigned level)
{
    if (s->kind == STAGE_LINE_FILTER) {
        size_t n = 0;
        for (const struct line_filter *f = s->lines; f; f = f->next) {
            n++;
        }
        pretty_line_filters(b, s, n, level);
        return;
    }
    indent(b, s->kind == STAGE_DECOLORIZE ? 0 : level);
    print_stage(b, s);
}

static void pretty_log(struct buf *b, const struct log_expr *l, unsigned level)
{
    indent(b, level);
    size_t from = b->n;
    print_log(b, l);
    if (!l->stages || !too_long(b, from)) {
        return;
    }
    print_matchers(b, l);
    buf_char(b, '\n');
    for (const struct stage *s = l->stages; s; s = s->next) {
        pretty_stage(b, s, level + 1);
        buf_c(b, s->next ? "\n" : "");
    }
}

static void pretty_range(struct buf *b, const struct range_expr *r, unsigned level)
{
    pretty_log(b, &r->log, level);
    if (r->unwrap) {
        const struct unwrap_expr *u = r->unwrap;
        buf_char(b, '\n');
        indent(b, level + 1);
        buf_c(b, "| unwrap ");
        if (u->conv != CONV_FLOAT) {
            buf_printf(b, "%s(%.*s)", conv_text(u->conv), STR_FMT(u->label));
        } else {
            buf_str(b, u->label);
        }
        for (const struct post_filter *f = u->filters; f; f = f->next) {
            buf_char(b, '\n');
            indent(b, level + 1);
            buf_c(b, "| ");
            print_label_filter(b, f->filter);
        }
    }
    buf_c(b, " [");
    units_duration_format(b, r->interval_ns / NS_PER_MS);
    buf_char(b, ']');
    if (r->offset_ns) {
        buf_c(b, r->offset_ns < 0 ? " offset -" : " offset ");
        units_duration_format(b, (r->offset_ns < 0 ? -r->offset_ns : r->offset_ns) / NS_PER_MS);
    }
}

static void pretty_names(struct buf *b, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_c(b, i ? ", " : "");
        buf_str(b, names[i]);
    }
}

static void pretty_grouping(struct buf *b, const struct grouping *g)
{
    buf_c(b, g->without ? " without" : g->n ? " by" : "");
    if (g->n) {
        buf_c(b, " (");
        pretty_names(b, g->names, g->n);
        buf_char(b, ')');
    }
}

static void pretty_bin(struct buf *b, const struct expr *x, unsigned level)
{
    static const char *const groups[] = {"", "group_left", "group_right"};
    const struct bin_options *o = &x->options;
    logql_print_pretty(b, x->left, level + 1);
    buf_char(b, '\n');
    indent(b, level);
    buf_printf(b, "%s%s", bin_op_text(x->bin_op), o->return_bool ? " bool" : "");
    if (o->name_count) {
        buf_c(b, o->on ? " on (" : " ignoring (");
        pretty_names(b, o->names, o->name_count);
        buf_printf(b, ") %s", groups[o->card]);
        if (o->include_count) {
            buf_c(b, " (");
            pretty_names(b, o->include, o->include_count);
            buf_char(b, ')');
        }
    }
    buf_char(b, '\n');
    logql_print_pretty(b, x->right, level + 1);
}

static void pretty_call(struct buf *b, const struct expr *x, unsigned level)
{
    indent(b, level);
    if (x->kind == EXPR_RANGE) {
        buf_printf(b, "%s(\n", range_op_text(x->range_op));
        if (x->has_param) {
            indent(b, level + 1);
            print_float(b, x->param, 'g');
            buf_c(b, ",\n");
        }
        pretty_range(b, x->range, level + 1);
    } else if (x->kind == EXPR_VECTOR_AGG) {
        buf_c(b, vector_op_text(x->vector_op));
        if (x->grouping) {
            pretty_grouping(b, x->grouping);
        }
        buf_c(b, "(\n");
        if (x->k) {
            indent(b, level + 1);
            buf_printf(b, "%lld,\n", (long long)x->k);
        }
        logql_print_pretty(b, x->left, level + 1);
    } else {
        buf_c(b, "label_replace(\n");
        logql_print_pretty(b, x->left, level + 1);
        for (size_t i = 0; i < 4; i++) {
            const struct str *const texts[] = {&x->dst, &x->replacement, &x->src, &x->regex};
            buf_c(b, ",\n");
            indent(b, level + 1);
            labels_quote(b, *texts[i]);
        }
    }
    buf_char(b, '\n');
    indent(b, level);
    buf_char(b, ')');
    if (x->kind == EXPR_RANGE && x->grouping) {
        pretty_grouping(b, x->grouping);
    }
}

void logql_print_pretty(struct buf *b, const struct expr *x, unsigned level)
{
    size_t start = b->n;
    if (x->kind == EXPR_LOG) {
        pretty_log(b, x->log, level);
        return;
    }
    indent(b, level);
    size_t from = b->n;
    print_expr(b, x);
    if (x->kind == EXPR_LITERAL || x->kind == EXPR_VECTOR || !too_long(b, from)) {
        return;
    }
    b->n = start;
    if (x->kind == EXPR_BIN) {
        pretty_bin(b, x, level);
    } else {
        pretty_call(b, x, level);
    }
}
