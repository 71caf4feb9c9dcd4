/* The tree as JSON: what /api/v1/parse_query answers. Keys stand in alphabetical order, as the original
 * writes its maps. */
#include <math.h>

#include "codec/json.h"
#include "codec/num.h"
#include "metrics/promql/engine.h"
#include "metrics/promql/functions.h"

static void json_node(struct json_writer *w, const struct node *n);

static void key_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_str(w, str_c(text));
}

static void key_number(struct json_writer *w, const char *key, double v)
{
    char text[NUM_F64_BYTES_MAX];
    json_key(w, key);
    json_str(w, str_of(text, num_f64_format(text, v, 'f')));
}

static void key_bool(struct json_writer *w, const char *key, bool v)
{
    json_key(w, key);
    json_bool(w, v);
}

static void key_i64(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_i64(w, v);
}

static void key_node(struct json_writer *w, const char *key, const struct node *n)
{
    json_key(w, key);
    if (n) {
        json_node(w, n);
    } else {
        json_null(w);
    }
}

static void key_names(struct json_writer *w, const char *key, const struct str *names, size_t n)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_str(w, names[i]);
    }
    json_array_end(w);
}

/* -- durations ------------------------------------------------------------------------------------------- */

static void key_duration(struct json_writer *w, const char *key, const struct node *n)
{
    static const char *const ops[] = {"+", "-", "*", "/", "%", "^", "step", "range", "min_of", "max_of"};
    json_key(w, key);
    if (!n) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    if (n->kind == N_NUMBER) {
        key_bool(w, "duration", n->as_duration);
        key_text(w, "type", "numberLiteral");
        key_number(w, "val", n->number);
    } else {
        key_duration(w, "lhs", n->args[0]);
        key_text(w, "op", ops[n->duration]);
        key_duration(w, "rhs", n->args[1]);
        key_text(w, "type", "durationExpr");
        key_bool(w, "wrapped", n->wrapped);
    }
    json_object_end(w);
}

static void json_at(struct json_writer *w, const struct node *n)
{
    json_key(w, "startOrEnd");
    if (n->at == AT_START || n->at == AT_END) {
        json_str(w, n->at == AT_START ? STR("start") : STR("end"));
    } else {
        json_null(w);
    }
}

static void json_timestamp(struct json_writer *w, const struct node *n)
{
    json_key(w, "timestamp");
    if (n->at == AT_TIME) {
        json_i64(w, n->at_ms);
    } else {
        json_null(w);
    }
}

/* -- selectors ------------------------------------------------------------------------------------------- */

static void json_matchers(struct json_writer *w, const struct node *n)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    json_key(w, "matchers");
    json_array_begin(w);
    for (size_t i = 0; i < n->matcher_count; i++) {
        json_object_begin(w);
        json_key(w, "name");
        json_str(w, n->matchers[i].name);
        key_text(w, "type", ops[n->matchers[i].op]);
        json_key(w, "value");
        json_str(w, n->matchers[i].value);
        json_object_end(w);
    }
    json_array_end(w);
}

static void json_selector(struct json_writer *w, const struct node *s, const struct node *matrix)
{
    key_bool(w, "anchored", s->anchored);
    json_matchers(w, s);
    json_key(w, "name");
    json_str(w, s->string);
    key_i64(w, "offset", s->offset_ms);
    key_duration(w, "offsetExpr", s->offset_expr);
    if (matrix) {
        key_i64(w, "range", matrix->range_ms);
        key_duration(w, "rangeExpr", matrix->range_expr);
    }
    key_bool(w, "smoothed", s->smoothed);
    json_at(w, s);
    json_timestamp(w, s);
    key_text(w, "type", matrix ? "matrixSelector" : "vectorSelector");
}

static void json_subquery(struct json_writer *w, const struct node *n)
{
    key_node(w, "expr", n->args[0]);
    key_i64(w, "offset", n->offset_ms);
    key_duration(w, "offsetExpr", n->offset_expr);
    key_i64(w, "range", n->range_ms);
    key_duration(w, "rangeExpr", n->range_expr);
    json_at(w, n);
    key_i64(w, "step", n->step_ms);
    key_duration(w, "stepExpr", n->step_expr);
    json_timestamp(w, n);
    key_text(w, "type", "subquery");
}

/* -- the rest -------------------------------------------------------------------------------------------- */

static void json_function(struct json_writer *w, const struct function *f)
{
    static const char *const types[] = {"none", "scalar", "vector", "matrix", "string"};
    json_key(w, "func");
    json_object_begin(w);
    json_key(w, "argTypes");
    json_array_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(f->args) && f->args[i]; i++) {
        json_str(w, str_c(types[f->args[i]]));
    }
    json_array_end(w);
    key_text(w, "name", f->name);
    key_text(w, "returnType", types[f->result]);
    key_i64(w, "variadic", f->optional);
    json_object_end(w);
}

static void key_fill(struct json_writer *w, const char *key, bool set, double v)
{
    json_key(w, key);
    if (!set) {
        json_null(w);
        return;
    }
    struct buf text AUTO_BUF = {0};
    num_f64_api(&text, v);
    json_raw(w, buf_view(&text));
}

static void json_matching(struct json_writer *w, const struct node *n)
{
    static const char *const cards[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
    json_key(w, "matching");
    if (!n->both_vectors) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    key_text(w, "card", cards[n->card]);
    json_key(w, "fillValues");
    json_object_begin(w);
    key_fill(w, "lhs", n->fills_left, n->fill_left);
    key_fill(w, "rhs", n->fills_right, n->fill_right);
    json_object_end(w);
    key_names(w, "include", n->include, n->include_count);
    key_names(w, "labels", n->names, n->name_count);
    key_bool(w, "on", n->on);
    json_object_end(w);
}

static void json_binary(struct json_writer *w, const struct node *n)
{
    key_bool(w, "bool", n->return_bool);
    key_node(w, "lhs", n->args[0]);
    json_matching(w, n);
    key_text(w, "op", binary_op_text(n->op));
    key_node(w, "rhs", n->args[1]);
    key_text(w, "type", "binaryExpr");
}

static void json_call(struct json_writer *w, const struct node *n)
{
    json_key(w, "args");
    json_array_begin(w);
    for (size_t i = 0; i < n->arg_count; i++) {
        json_node(w, n->args[i]);
    }
    json_array_end(w);
    json_function(w, n->function);
    key_text(w, "type", "call");
}

static void json_aggregate(struct json_writer *w, const struct node *n)
{
    key_node(w, "expr", n->args[0]);
    key_names(w, "grouping", n->names, n->name_count);
    key_text(w, "op", aggregate_op_text(n->aggregate));
    key_node(w, "param", n->param);
    key_text(w, "type", "aggregation");
    key_bool(w, "without", n->without);
}

static void json_members(struct json_writer *w, const struct node *n)
{
    switch (n->kind) {
    case N_NUMBER:
        key_text(w, "type", "numberLiteral");
        key_number(w, "val", n->number);
        break;
    case N_STRING:
        key_text(w, "type", "stringLiteral");
        json_key(w, "val");
        json_str(w, n->string);
        break;
    case N_SELECTOR:
        json_selector(w, n, NULL);
        break;
    case N_MATRIX:
        json_selector(w, n->args[0], n);
        break;
    case N_SUBQUERY:
        json_subquery(w, n);
        break;
    case N_CALL:
        json_call(w, n);
        break;
    case N_AGGREGATE:
        json_aggregate(w, n);
        break;
    case N_BINARY:
        json_binary(w, n);
        break;
    case N_UNARY:
        key_node(w, "expr", n->args[0]);
        key_text(w, "op", n->number < 0 ? "-" : "+");
        key_text(w, "type", "unaryExpr");
        break;
    case N_PAREN:
        key_node(w, "expr", n->args[0]);
        key_text(w, "type", "parenExpr");
        break;
    case N_DURATION:
        break;
    }
}

static void json_node(struct json_writer *w, const struct node *n)
{
    json_object_begin(w);
    json_members(w, n);
    json_object_end(w);
}

/* JSON has no way to write NaN and the infinities, which fill modifiers may have: the first, in the order of
 * writing. *ret_lists: in how many lists of arguments it stands. */
static const double *unwritable(const struct node *n, unsigned lists, unsigned *ret_lists)
{
    unsigned inside = n && n->kind == N_CALL ? lists + 1 : lists;
    const double *found = n && n->arg_count ? unwritable(n->args[0], inside, ret_lists) : NULL;
    if (!found && n && n->kind == N_BINARY) {
        found = n->fills_left && !isfinite(n->fill_left)     ? &n->fill_left
                : n->fills_right && !isfinite(n->fill_right) ? &n->fill_right
                                                             : NULL;
        *ret_lists = found ? lists : *ret_lists;
    }
    for (size_t i = 1; n && i < n->arg_count && !found; i++) {
        found = unwritable(n->args[i], inside, ret_lists);
    }
    return found || !n ? found : unwritable(n->param, inside, ret_lists);
}

enum err promql_tree_json(const struct promql_options *o, struct str expr, struct buf *b,
                          struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct node *root = NULL;
    struct parse_options p = {o->experimental, o->extended_ranges, o->fill_modifiers};
    enum err err = promql_parse(expr, &p, &a, &root, reterr_info);
    unsigned lists = 0;
    const double *odd = err ? NULL : unwritable(root, 0, &lists);
    if (odd) {
        struct buf path AUTO_BUF = {0};
        for (unsigned i = 0; i < lists; i++) {
            buf_c(&path, "[]interface {}: ");
        }
        err = err_set(reterr_info, ERR_INTERNAL, "%.*sunsupported value: %s", STR_FMT(buf_view(&path)),
                      isnan(*odd) ? "NaN"
                      : *odd > 0  ? "+Inf"
                                  : "-Inf");
    } else if (!err) {
        struct json_writer w = json_writer(b);
        json_node(&w, root);
        err = b->err;
    }
    tree_done(root);
    return err;
}
