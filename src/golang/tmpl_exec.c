/* Runs a template: the evaluator of Go's text/template over the few kinds of values there can be here. */
#include <stdarg.h>
#include <stdlib.h>

#include "golang/tmpl_int.h"

struct variable {
    struct str name;
    struct tmpl_value v;
};

enum {
    VARIABLES_MAX = 256
};

enum flow {
    FLOW_ON = 0,
    FLOW_BREAK,
    FLOW_CONTINUE
};

struct run {
    const struct tmpl *t;
    struct str name; /* of the template at hand */
    const struct tmpl_input *in;
    struct arena *a;
    struct buf *out;
    struct str *ret_fault;
    struct variable *vars;
    size_t var_count, var_cap, var_base;
    const struct tmpl_node *at; /* what a fault is told about */
    unsigned depth;
    uint64_t steps;
    enum flow flow;
};

typedef struct tmpl_value value;

static enum err fault(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum err fault(struct run *r, const char *fmt, ...)
{
    struct buf b AUTO_BUF = {0}, context AUTO_BUF = {0}, q AUTO_BUF = {0};
    va_list ap;
    size_t line = 1, start = 0;
    for (size_t i = 0; i < r->at->pos && i < r->t->text.n; i++) {
        if (r->t->text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    tmpl_node_text(&context, r->at);
    labels_quote(&q, r->name);
    buf_printf(&b, "template: %.*s:%zu:%zu: executing %.*s at <%.*s>: ", STR_FMT(r->t->name), line,
               r->at->pos - start, STR_FMT(buf_view(&q)), STR_FMT(buf_view(&context)));
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    *r->ret_fault = arena_str(r->a, buf_view(&b));
    return r->ret_fault->p ? ERR_INVALID : ERR_OOM;
}

static enum err eval_pipeline(struct run *r, const value *dot, const struct tmpl_node *pipe, value *ret_v);
static enum err eval_arg(struct run *r, const value *dot, enum tmpl_arg type, const struct tmpl_node *n,
                         value *ret_v);

/* -- variables ------------------------------------------------------------------------------------------- */

static enum err push(struct run *r, struct str name, value v)
{
    if (r->var_count == VARIABLES_MAX) {
        return fault(r, "more than %d variables", VARIABLES_MAX);
    }
    if (arena_reserve(r->a, (void **)&r->vars, &r->var_cap, r->var_count + 1, sizeof(*r->vars))) {
        return arena_err(r->a);
    }
    r->vars[r->var_count++] = (struct variable){name, v};
    return ERR_OK;
}

static struct variable *find(struct run *r, struct str name)
{
    for (size_t i = r->var_count; i-- > r->var_base;) {
        if (str_eq(r->vars[i].name, name)) {
            return &r->vars[i];
        }
    }
    return NULL;
}

/* -- fields ---------------------------------------------------------------------------------------------- */

struct tmpl_value tmpl_label(const struct tmpl_input *in, struct str name)
{
    for (size_t i = in->labels.n; i-- > 0;) {
        if (str_eq(in->labels.l[i].name, name)) {
            return tmpl_string(in->labels.l[i].value);
        }
    }
    return in->missing_is_nil ? tmpl_none() : tmpl_string(STR(""));
}

/* receiver.name; `args`: what follows it in its command. */
static enum err eval_field(struct run *r, struct str name, const value *receiver, const value *args, size_t n,
                           value *ret_v)
{
    size_t argc = 0;
    switch ((int)receiver->kind) {
    case VAL_NONE:
        *ret_v = tmpl_none();
        return ERR_OK;
    case VAL_LABELS:
    case VAL_MAP:
        if (n) {
            return fault(r, "%.*s is not a method but has arguments", STR_FMT(name));
        }
        *ret_v = receiver->kind == VAL_LABELS ? tmpl_label(r->in, name) : tmpl_member(receiver, name);
        return ERR_OK;
    case VAL_TIME:
        if (tmpl_time_method(&receiver->t, name, args, n, r->a, ret_v, &argc)) {
            return n == argc
                       ? ERR_OK
                       : fault(r, "wrong number of args for %.*s: want %zu got %zu", STR_FMT(name), argc, n);
        }
        break;
    default:
        break;
    }
    return fault(r, "can't evaluate field %.*s in type %s", STR_FMT(name),
                 receiver->boxed ? "interface {}" : tmpl_type(receiver));
}

/* Evaluated arguments of a method, for the rare ones that take any. */
static enum err method_args(struct run *r, const value *dot, const struct tmpl_node *args, const value *final,
                            value *out, size_t *ret_n)
{
    size_t n = 0;
    for (; args && n < TMPL_ARGS_MAX - 1; args = args->next) {
        enum err e = eval_arg(r, dot, ARG_ANY, args, &out[n++]);
        if (e) {
            return e;
        }
    }
    if (final->kind != VAL_MISSING) {
        out[n++] = *final;
    }
    *ret_n = n;
    return ERR_OK;
}

static enum err eval_chain(struct run *r, const value *dot, value receiver, const struct tmpl_node *node,
                           size_t first, const struct tmpl_node *args, const value *final, value *ret_v)
{
    enum err e = ERR_OK;
    value *argv = NULL;
    size_t n = 0;
    if (args || final->kind != VAL_MISSING) {
        argv = arena_array(r->a, TMPL_ARGS_MAX, sizeof(*argv));
        if (!argv) {
            return arena_err(r->a);
        }
    }
    for (size_t i = first; i < node->ident_count && !e; i++) {
        bool last = i + 1 == node->ident_count;
        value v = tmpl_none();
        r->at = node;
        if (last && argv) {
            e = method_args(r, dot, args, final, argv, &n);
            r->at = node;
        }
        e = e ? e : eval_field(r, node->idents[i], &receiver, argv, last ? n : 0, &v);
        receiver = v;
    }
    *ret_v = receiver;
    return e;
}

/* -- functions ------------------------------------------------------------------------------------------- */

static const char *arg_type(enum tmpl_arg t)
{
    static const char *const names[] = {"",          "string",       "int",          "float64",
                                        "time.Time", "interface {}", "reflect.Value"};
    return names[t];
}

static bool fits(enum tmpl_arg t, const value *v)
{
    switch (t) {
    case ARG_STRING:
        return v->kind == VAL_STRING;
    case ARG_INT:
        return v->kind == VAL_INT;
    case ARG_FLOAT:
        return v->kind == VAL_FLOAT;
    case ARG_TIME:
        return v->kind == VAL_TIME;
    case ARG_NONE:
    case ARG_ANY:
    case ARG_VALUE:
        break;
    }
    return true;
}

static enum err validate(struct run *r, enum tmpl_arg t, value *v)
{
    if (v->kind == VAL_NONE) {
        return t == ARG_ANY || t == ARG_VALUE ? ERR_OK : fault(r, "invalid value; expected %s", arg_type(t));
    }
    return fits(t, v) ? ERR_OK
                      : fault(r, "wrong type for value; expected %s; got %s", arg_type(t), tmpl_type(v));
}

static enum err constant(struct run *r, const struct tmpl_node *n, value *ret_v)
{
    bool pointed = false;
    for (size_t i = 0; i < n->text.n; i++) {
        pointed = pointed || strchr(".eEpP", n->text.p[i]) != NULL;
    }
    bool hex = n->text.n > 2 && n->text.p[0] == '0' && (n->text.p[1] | 32) == 'x';
    if (n->is_float && pointed && !hex && n->text.p[0] != '\'') {
        *ret_v = tmpl_float(n->number);
    } else if (n->is_int) {
        *ret_v = tmpl_int(n->integer);
    } else {
        return fault(r, "%.*s overflows int", STR_FMT(n->text));
    }
    return ERR_OK;
}

static enum err eval_function(struct run *r, const value *dot, const struct tmpl_node *ident,
                              const struct tmpl_node *told, const struct tmpl_node *args, const value *final,
                              value *ret_v);

static enum err literal_arg(struct run *r, enum tmpl_arg type, const struct tmpl_node *n, value *ret_v)
{
    struct buf text AUTO_BUF = {0};
    tmpl_node_text(&text, n);
    r->at = n;
    switch (type) {
    case ARG_STRING:
        *ret_v = tmpl_string(n->text);
        return n->kind == NODE_STRING ? ERR_OK
                                      : fault(r, "expected string; found %.*s", STR_FMT(buf_view(&text)));
    case ARG_INT:
        *ret_v = tmpl_int(n->integer);
        return n->kind == NODE_NUMBER && n->is_int
                   ? ERR_OK
                   : fault(r, "expected integer; found %.*s", STR_FMT(buf_view(&text)));
    case ARG_FLOAT:
        *ret_v = tmpl_float(n->number);
        return n->kind == NODE_NUMBER && n->is_float
                   ? ERR_OK
                   : fault(r, "expected float; found %.*s", STR_FMT(buf_view(&text)));
    case ARG_TIME:
        return fault(r, "can't handle %.*s for arg of type time.Time", STR_FMT(buf_view(&text)));
    case ARG_NONE:
    case ARG_ANY:
    case ARG_VALUE:
        break;
    }
    if (n->kind == NODE_STRING) {
        *ret_v = tmpl_string(n->text);
        return ERR_OK;
    }
    if (n->kind == NODE_BOOL) {
        *ret_v = tmpl_bool(n->boolean);
        return ERR_OK;
    }
    return constant(r, n, ret_v);
}

static enum err eval_node(struct run *r, const value *dot, const struct tmpl_node *n,
                          const struct tmpl_node *args, const value *final, value *ret_v)
{
    enum err e;
    value v;
    struct variable *var;
    r->at = n;
    switch ((int)n->kind) {
    case NODE_FIELD:
        return eval_chain(r, dot, *dot, n, 0, args, final, ret_v);
    case NODE_VARIABLE:
        var = find(r, n->idents[0]);
        if (!var) {
            return fault(r, "undefined variable: %.*s", STR_FMT(n->idents[0]));
        }
        if (n->ident_count == 1) {
            *ret_v = var->v;
            return !args && final->kind == VAL_MISSING
                       ? ERR_OK
                       : fault(r, "can't give argument to non-function %.*s", STR_FMT(n->idents[0]));
        }
        return eval_chain(r, dot, var->v, n, 1, args, final, ret_v);
    case NODE_CHAIN:
        e = eval_arg(r, dot, ARG_ANY, n->child, &v);
        return e ? e : eval_chain(r, dot, v, n, 0, args, final, ret_v);
    default:
        return eval_pipeline(r, dot, n, ret_v);
    }
}

static enum err eval_arg(struct run *r, const value *dot, enum tmpl_arg type, const struct tmpl_node *n,
                         value *ret_v)
{
    static const value missing = {.kind = VAL_MISSING};
    enum err e;
    r->at = n;
    switch ((int)n->kind) {
    case NODE_DOT:
        *ret_v = *dot;
        break;
    case NODE_NIL:
        *ret_v = tmpl_none();
        return type == ARG_ANY || type == ARG_VALUE ? ERR_OK
                                                    : fault(r, "cannot assign nil to %s", arg_type(type));
    case NODE_FIELD:
    case NODE_VARIABLE:
    case NODE_CHAIN:
    case NODE_PIPE:
        e = eval_node(r, dot, n, NULL, &missing, ret_v);
        if (e) {
            return e;
        }
        break;
    case NODE_IDENTIFIER:
        e = eval_function(r, dot, n, n, NULL, &missing, ret_v);
        if (e) {
            return e;
        }
        break;
    default:
        return literal_arg(r, type, n, ret_v);
    }
    return validate(r, type, ret_v);
}

/* and, or: arguments are evaluated until one decides. */
static enum err eval_and_or(struct run *r, const value *dot, bool is_or, const struct tmpl_node *args,
                            const value *final, value *ret_v)
{
    for (; args; args = args->next) {
        enum err e = eval_arg(r, dot, ARG_VALUE, args, ret_v);
        if (e || tmpl_true(ret_v) == is_or) {
            return e;
        }
    }
    if (final->kind != VAL_MISSING) {
        *ret_v = *final;
    }
    return ERR_OK;
}

static enum err eval_function(struct run *r, const value *dot, const struct tmpl_node *ident,
                              const struct tmpl_node *told, const struct tmpl_node *args, const value *final,
                              value *ret_v)
{
    const struct tmpl_function *f = ident->function;
    size_t given = 0, fixed = 0, n = 0;
    r->at = ident;
    for (const struct tmpl_node *c = args; c; c = c->next) {
        given++;
    }
    while (fixed < ARRAY_LEN(f->args) && f->args[fixed] != ARG_NONE) {
        fixed++;
    }
    size_t total = given + (final->kind != VAL_MISSING);
    if (f->variadic != ARG_NONE ? total < fixed : total != fixed) {
        return f->variadic != ARG_NONE
                   ? fault(r, "wrong number of args for %s: want at least %zu got %zu", f->name, fixed, given)
                   : fault(r, "wrong number of args for %s: want %zu got %zu", f->name, fixed, total);
    }
    if (total > TMPL_ARGS_MAX) {
        return fault(r, "more than %d arguments", TMPL_ARGS_MAX);
    }
    if (!f->fn) {
        return eval_and_or(r, dot, str_eq_c(ident->text, "or"), args, final, ret_v);
    }
    value *argv = arena_array(r->a, total + 1, sizeof(*argv));
    if (!argv) {
        return arena_err(r->a);
    }
    for (const struct tmpl_node *c = args; c; c = c->next) {
        enum err e = eval_arg(r, dot, n < fixed ? f->args[n] : f->variadic, c, &argv[n]);
        if (e) {
            return e;
        }
        n++;
    }
    if (final->kind != VAL_MISSING) {
        argv[n] = *final;
        enum err e = validate(r, n < fixed ? f->args[n] : f->variadic, &argv[n]);
        if (e) {
            return e;
        }
        n++;
    }
    struct tmpl_call c = {.in = r->in, .a = r->a, .args = argv, .n = n};
    f->fn(&c);
    if (c.out_of_memory) {
        return ERR_OOM;
    }
    if (c.fault[0]) {
        r->at = told;
        return fault(r, "error calling %s: %s", f->name, c.fault);
    }
    *ret_v = c.result;
    return ERR_OK;
}

/* -- commands -------------------------------------------------------------------------------------------- */

static enum err eval_command(struct run *r, const value *dot, const struct tmpl_node *cmd, const value *final,
                             value *ret_v)
{
    const struct tmpl_node *first = cmd->child;
    struct buf text AUTO_BUF = {0};
    if (first->kind == NODE_IDENTIFIER) {
        return eval_function(r, dot, first, cmd, first->next, final, ret_v);
    }
    if (first->kind == NODE_FIELD || first->kind == NODE_VARIABLE || first->kind == NODE_CHAIN) {
        return eval_node(r, dot, first, first->next, final, ret_v);
    }
    if (first->kind != NODE_PIPE) {
        r->at = first;
    }
    if (first->next || final->kind != VAL_MISSING) {
        tmpl_node_text(&text, first);
        return fault(r, "can't give argument to non-function %.*s", STR_FMT(buf_view(&text)));
    }
    switch ((int)first->kind) {
    case NODE_PIPE:
        return eval_pipeline(r, dot, first, ret_v);
    case NODE_DOT:
        *ret_v = *dot;
        return ERR_OK;
    case NODE_NIL:
        return fault(r, "nil is not a command");
    case NODE_BOOL:
        *ret_v = tmpl_bool(first->boolean);
        return ERR_OK;
    case NODE_STRING:
        *ret_v = tmpl_string(first->text);
        return ERR_OK;
    default:
        return constant(r, first, ret_v);
    }
}

static enum err eval_pipeline(struct run *r, const value *dot, const struct tmpl_node *pipe, value *ret_v)
{
    value v = {.kind = VAL_MISSING};
    if (!pipe) {
        *ret_v = tmpl_none();
        return ERR_OK;
    }
    r->at = pipe;
    if (++r->steps > TMPL_LOOPS_MAX) {
        return fault(r, "more than %d steps", TMPL_LOOPS_MAX);
    }
    if (++r->depth > TMPL_DEPTH_MAX * 2) {
        return fault(r, "nested deeper than %d levels", TMPL_DEPTH_MAX * 2);
    }
    for (const struct tmpl_node *c = pipe->child; c; c = c->next) {
        value out = tmpl_none();
        enum err e = eval_command(r, dot, c, &v, &out);
        if (e) {
            return e;
        }
        v = out;
    }
    r->depth--;
    for (const struct tmpl_node *d = pipe->decl; d; d = d->next) {
        struct variable *var = pipe->is_assign ? find(r, d->idents[0]) : NULL;
        if (pipe->is_assign && !var) {
            return fault(r, "undefined variable: %.*s", STR_FMT(d->idents[0]));
        }
        if (var) {
            var->v = v;
        }
        enum err e = pipe->is_assign ? ERR_OK : push(r, d->idents[0], v);
        if (e) {
            return e;
        }
    }
    *ret_v = v;
    return ERR_OK;
}

/* -- actions --------------------------------------------------------------------------------------------- */

static enum err walk(struct run *r, const value *dot, const struct tmpl_node *n);

static enum err walk_list(struct run *r, const value *dot, const struct tmpl_node *list)
{
    for (const struct tmpl_node *n = list ? list->child : NULL; n && r->flow == FLOW_ON; n = n->next) {
        enum err e = walk(r, dot, n);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err walk_if_with(struct run *r, const value *dot, const struct tmpl_node *n)
{
    size_t mark = r->var_count;
    value v;
    enum err e = eval_pipeline(r, dot, n->pipe, &v);
    if (!e) {
        e = tmpl_true(&v) ? walk_list(r, n->kind == NODE_WITH ? &v : dot, n->list)
                          : walk_list(r, dot, n->else_list);
    }
    r->var_count = mark;
    return e;
}

struct loop {
    const struct tmpl_node *n;
    size_t first; /* of the variables it declared */
    size_t decls;
};

static enum err iterate(struct run *r, struct loop *l, value index, value elem)
{
    size_t mark = r->var_count;
    const struct tmpl_node *d = l->n->pipe->decl;
    if (d && l->n->pipe->is_assign) {
        struct variable *a = find(r, d->idents[0]), *b = d->next ? find(r, d->next->idents[0]) : NULL;
        if (a) {
            a->v = d->next ? index : elem;
        }
        if (b) {
            b->v = elem;
        }
    } else if (d) {
        r->vars[l->first + l->decls - 1].v = elem;
        if (l->decls > 1) {
            r->vars[l->first].v = index;
        }
    }
    if (++r->steps > TMPL_LOOPS_MAX) {
        return fault(r, "more than %d steps", TMPL_LOOPS_MAX);
    }
    enum err e = walk_list(r, &elem, l->n->list);
    r->var_count = mark;
    if (r->flow == FLOW_CONTINUE) {
        r->flow = FLOW_ON;
    }
    return e;
}

static enum err range_items(struct run *r, struct loop *l, const struct tmpl_items *m)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < m->n && !e && r->flow == FLOW_ON; i++) {
        e = iterate(r, l, m->keys ? tmpl_string(m->keys[i]) : tmpl_int((int64_t)i), m->v[i]);
    }
    return e;
}

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static enum err range_labels(struct run *r, struct loop *l, const struct labels *ls)
{
    struct label *rows = arena_array(r->a, ls->n + 1, sizeof(*rows));
    enum err e = ERR_OK;
    if (!rows) {
        return arena_err(r->a);
    }
    if (ls->n) {
        memcpy(rows, ls->l, ls->n * sizeof(*rows));
        qsort(rows, ls->n, sizeof(*rows), compare_labels);
    }
    for (size_t i = 0; i < ls->n && !e && r->flow == FLOW_ON; i++) {
        e = iterate(r, l, tmpl_string(rows[i].name), tmpl_string(rows[i].value));
    }
    return e;
}

static enum err range_over(struct run *r, struct loop *l, const value *v, bool *ret_any)
{
    enum err e = ERR_OK;
    struct buf text AUTO_BUF = {0};
    *ret_any = true;
    switch ((int)v->kind) {
    case VAL_NONE:
        *ret_any = false;
        return ERR_OK;
    case VAL_INT:
    case VAL_INT64:
        *ret_any = v->i > 0;
        for (int64_t k = 0; k < v->i && !e && r->flow == FLOW_ON; k++) {
            e = iterate(r, l, tmpl_none(), v->kind == VAL_INT ? tmpl_int(k) : tmpl_int64(k));
        }
        return e;
    case VAL_LABELS:
        *ret_any = v->labels->n > 0;
        return range_labels(r, l, v->labels);
    case VAL_MAP:
    case VAL_LIST:
        *ret_any = v->items->n > 0;
        return range_items(r, l, v->items);
    default:
        tmpl_print(&text, v);
        return fault(r, "range can't iterate over %.*s", STR_FMT(buf_view(&text)));
    }
}

static enum err walk_range(struct run *r, const value *dot, const struct tmpl_node *n)
{
    size_t mark = r->var_count;
    value v;
    bool any = false;
    struct loop l = {.n = n, .first = mark};
    for (const struct tmpl_node *d = n->pipe->decl; d; d = d->next) {
        l.decls++;
    }
    enum err e = eval_pipeline(r, dot, n->pipe, &v);
    r->at = n;
    e = e ? e : range_over(r, &l, &v, &any);
    if (r->flow == FLOW_BREAK) {
        r->flow = FLOW_ON;
    }
    if (!e && !any) {
        e = walk_list(r, dot, n->else_list);
    }
    r->var_count = mark;
    return e;
}

static enum err walk_template(struct run *r, const value *dot, const struct tmpl_node *n)
{
    const struct tmpl_node *root = str_eq(n->text, r->t->name) ? r->t->root : NULL;
    value v;
    for (const struct tmpl_def *d = r->t->defs; d && !root; d = d->next) {
        root = str_eq(d->name, n->text) ? d->root : NULL;
    }
    if (!root) {
        struct buf q AUTO_BUF = {0};
        labels_quote(&q, n->text);
        return fault(r, "template %.*s not defined", STR_FMT(buf_view(&q)));
    }
    if (r->depth >= TMPL_DEPTH_MAX) {
        return fault(r, "exceeded maximum template depth (%d)", TMPL_DEPTH_MAX);
    }
    enum err e = eval_pipeline(r, dot, n->pipe, &v);
    if (e) {
        return e;
    }
    size_t base = r->var_base, count = r->var_count;
    struct str name = r->name;
    r->var_base = r->var_count;
    r->name = n->text;
    r->depth++;
    e = push(r, STR("$"), v);
    e = e ? e : walk_list(r, &v, root);
    r->depth--;
    r->name = name;
    r->var_base = base;
    r->var_count = count;
    return e;
}

static enum err walk(struct run *r, const value *dot, const struct tmpl_node *n)
{
    value v;
    enum err e;
    r->at = n;
    switch ((int)n->kind) {
    case NODE_TEXT:
        buf_str(r->out, n->text);
        return r->out->err;
    case NODE_ACTION:
        e = eval_pipeline(r, dot, n->pipe, &v);
        if (!e && !n->pipe->decl) {
            tmpl_print(r->out, &v);
        }
        return e ? e : r->out->err;
    case NODE_IF:
    case NODE_WITH:
        return walk_if_with(r, dot, n);
    case NODE_RANGE:
        return walk_range(r, dot, n);
    case NODE_TEMPLATE:
        return walk_template(r, dot, n);
    case NODE_BREAK:
        r->flow = FLOW_BREAK;
        return ERR_OK;
    case NODE_CONTINUE:
        r->flow = FLOW_CONTINUE;
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

enum err tmpl_execute(const struct tmpl *t, const struct tmpl_input *in, struct arena *a, struct buf *out,
                      struct str *ret_fault)
{
    struct run r = {
        .t = t, .name = t->name, .in = in, .a = a, .out = out, .ret_fault = ret_fault, .at = t->root};
    value dot = {.kind = VAL_LABELS, .labels = &in->labels};
    enum err e = push(&r, STR("$"), dot);
    return e ? e : walk_list(&r, &dot, t->root);
}
