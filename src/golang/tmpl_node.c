/* What a parsed template is asked: the fields it reads, and how Go writes a node in its messages. */
#include "golang/tmpl_int.h"
#include "labels/labels.h"

struct fields {
    struct arena *a;
    struct str **names;
    size_t *n, *cap;
    enum err err;
};

static void walk_fields(struct fields *f, const struct tmpl_node *n)
{
    for (; n; n = n->next) {
        for (size_t i = 0; n->kind == NODE_FIELD && i < n->ident_count && !f->err; i++) {
            f->err = arena_reserve(f->a, (void **)f->names, f->cap, *f->n + 1, sizeof(**f->names));
            if (!f->err) {
                (*f->names)[(*f->n)++] = n->idents[i];
            }
        }
        if (n->pipe) {
            if (n->kind != NODE_TEMPLATE) {
                walk_fields(f, n->pipe);
            }
        }
        if (n->kind != NODE_CHAIN) {
            walk_fields(f, n->child);
        }
        walk_fields(f, n->list);
        walk_fields(f, n->else_list);
    }
}

enum err tmpl_fields(const struct tmpl *t, struct arena *a, struct str **names, size_t *n, size_t *cap)
{
    struct fields f = {a, names, n, cap, ERR_OK};
    walk_fields(&f, t->root);
    return f.err;
}

struct str tmpl_simple_field(const struct tmpl *t)
{
    const struct tmpl_node *n = t->root->child;
    if (!n || n->next || n->kind != NODE_ACTION) {
        return (struct str){0};
    }
    const struct tmpl_node *c = n->pipe->child;
    if (c->next || c->child->next || c->child->kind != NODE_FIELD || c->child->ident_count != 1) {
        return (struct str){0};
    }
    return c->child->idents[0];
}

static void node_args(struct buf *b, const struct tmpl_node *n)
{
    for (const struct tmpl_node *c = n->child; c; c = c->next) {
        buf_c(b, c == n->child ? "" : n->kind == NODE_PIPE ? " | " : " ");
        if (n->kind == NODE_COMMAND && c->kind == NODE_PIPE) {
            buf_char(b, '(');
            tmpl_node_text(b, c);
            buf_char(b, ')');
        } else {
            tmpl_node_text(b, c);
        }
    }
}

static void idents_text(struct buf *b, const struct tmpl_node *n)
{
    for (size_t i = 0; i < n->ident_count; i++) {
        buf_c(b, n->kind == NODE_VARIABLE && i == 0 ? "" : ".");
        buf_str(b, n->idents[i]);
    }
}

void tmpl_node_text(struct buf *b, const struct tmpl_node *n)
{
    static const char *const words[] = {
        [NODE_IF] = "if", [NODE_RANGE] = "range", [NODE_WITH] = "with", [NODE_TEMPLATE] = "template"};
    switch ((int)n->kind) {
    case NODE_PIPE:
        for (const struct tmpl_node *d = n->decl; d; d = d->next) {
            buf_c(b, d == n->decl ? "" : ", ");
            idents_text(b, d);
        }
        buf_c(b, !n->decl ? "" : n->is_assign ? " = " : " := ");
        node_args(b, n);
        return;
    case NODE_COMMAND:
        node_args(b, n);
        return;
    case NODE_FIELD:
    case NODE_VARIABLE:
        idents_text(b, n);
        return;
    case NODE_CHAIN:
        buf_c(b, n->child->kind == NODE_PIPE ? "(" : "");
        tmpl_node_text(b, n->child);
        buf_c(b, n->child->kind == NODE_PIPE ? ")" : "");
        idents_text(b, n);
        return;
    case NODE_STRING:
        buf_str(b, n->quoted);
        return;
    case NODE_ACTION:
        buf_c(b, "{{");
        tmpl_node_text(b, n->pipe);
        buf_c(b, "}}");
        return;
    case NODE_IF:
    case NODE_RANGE:
    case NODE_WITH:
    case NODE_TEMPLATE:
        buf_printf(b, "{{%s ", words[n->kind]);
        if (n->pipe) {
            tmpl_node_text(b, n->pipe);
        }
        buf_c(b, "}}");
        return;
    default:
        buf_str(b, n->text);
        return;
    }
}
