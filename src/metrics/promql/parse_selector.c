/* Selectors: name{label="value", ...}. */
#include "metrics/promql/parse_int.h"

enum err parse_string(struct parser *p, const struct token *t, struct str *ret_value)
{
    struct buf shown AUTO_BUF = {0};
    if (!string_unquote(p->a, t->text, ret_value)) {
        return parse_fail(p, t->pos, "error unquoting string %.*s: invalid syntax",
                          STR_FMT(quoted(&shown, t->text)));
    }
    return ret_value->p ? ERR_OK : parse_no_memory(p);
}

static enum err add_matcher(struct parser *p, struct node *n, size_t *cap, enum matcher_op op,
                            struct str name, struct str value, size_t pos)
{
    struct err_info why = {0};
    if (arena_reserve(p->a, (void **)&n->matchers, cap, n->matcher_count + 1, sizeof(*n->matchers))) {
        return parse_no_memory(p);
    }
    enum err e = matcher_init(&n->matchers[n->matcher_count], op, name, value, &why);
    if (e) {
        return parse_fail(p, pos, "%s", why.message);
    }
    n->matcher_count++;
    return ERR_OK;
}

static bool match_op_ahead(struct parser *p, enum matcher_op *ret_op)
{
    enum token_kind k = parse_peek(p)->kind;
    *ret_op = k == T_EQ ? MATCH_EQ : k == T_RE ? MATCH_RE : k == T_NRE ? MATCH_NRE : MATCH_NEQ;
    return *ret_op != MATCH_NEQ || parse_is_op(p, OP_NEQ);
}

/* name="value", or "name" alone: the metric's. */
static enum err one_matcher(struct parser *p, struct node *n, size_t *cap)
{
    enum token_kind k = parse_peek(p)->kind;
    enum matcher_op op;
    if (k != T_IDENTIFIER && k != T_STRING) {
        return parse_unexpected_in(p, "label matching", "identifier or \"}\"");
    }
    struct token name = parse_take(p);
    struct str label = name.text, value;
    enum err e = k == T_STRING ? parse_string(p, &name, &label) : ERR_OK;
    if (e) {
        return e;
    }
    if (!match_op_ahead(p, &op)) {
        return k == T_STRING ? add_matcher(p, n, cap, MATCH_EQ, LABEL_METRIC_NAME, label, name.pos)
                             : parse_unexpected_in(p, "label matching", "label matching operator");
    }
    (void)parse_take(p);
    if (parse_peek(p)->kind != T_STRING) {
        return parse_unexpected_in(p, "label matching", "string");
    }
    struct token text = parse_take(p);
    e = parse_string(p, &text, &value);
    return e ? e : add_matcher(p, n, cap, op, label, value, name.pos);
}

static enum err matcher_list(struct parser *p, struct node *n, size_t *cap)
{
    enum err e = ERR_OK;
    (void)parse_take(p);
    while (!e && parse_peek(p)->kind != T_RBRACE) {
        e = one_matcher(p, n, cap);
        if (!e && parse_peek(p)->kind == T_COMMA) {
            (void)parse_take(p);
        } else if (!e && parse_peek(p)->kind != T_RBRACE) {
            return parse_unexpected_in(p, "label matching", "\",\" or \"}\"");
        }
    }
    return e ? e : parse_expect(p, T_RBRACE);
}

enum err parse_selector(struct parser *p, struct node **ret_n)
{
    struct node *n = parse_node(p, N_SELECTOR, parse_peek(p)->pos);
    size_t cap = 0;
    if (!n) {
        return parse_no_memory(p);
    }
    *ret_n = n;
    if (parse_peek(p)->kind != T_LBRACE) {
        n->string = parse_take(p).text;
        n->end = p->last_end;
    }
    enum err e = ERR_OK;
    if (parse_peek(p)->kind == T_LBRACE) {
        e = matcher_list(p, n, &cap);
        n->end = p->last_end;
    }
    return e || n->string.n == 0 ? e
                                 : add_matcher(p, n, &cap, MATCH_EQ, LABEL_METRIC_NAME, n->string, n->pos);
}
