/* YAML into a tree. libyaml's event parser drives a stack of open nodes; anchors are kept in a list and
 * aliases copied, so that the tree is a plain tree; merge keys are resolved when a map closes. */
#include "codec/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    YAML_FILE_BYTES_MAX = 16 << 20
};

struct open_node {
    struct yaml_node *node;
    struct yaml_node *last; /* child */
    bool have_key;
    struct str key;
    unsigned key_line, key_col;
};

struct anchor {
    struct str name;
    const struct yaml_node *node;
    struct anchor *next;
};

struct builder {
    struct arena *arena;
    const char *file;
    struct open_node stack[YAML_DEPTH_MAX];
    size_t depth;
    struct yaml_node *root;
    struct anchor *anchors;
    size_t node_count;
    struct err_info *info;
};

static enum err fail_at(struct builder *b, enum err code, yaml_mark_t mark, const char *what)
{
    enum err e = err_set_at(b->info, code, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s", what);
    err_in_file(b->info, b->file);
    return e;
}

static enum err out_of_memory(struct builder *b)
{
    return err_set(b->info, arena_err(b->arena), "out of memory while reading %s", b->file);
}

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind, yaml_mark_t mark)
{
    if (++b->node_count > YAML_NODES_MAX) {
        return NULL;
    }
    struct yaml_node *n = arena_zalloc(b->arena, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->line = (unsigned)mark.line + 1;
        n->col = (unsigned)mark.column + 1;
        n->file = b->file;
    }
    return n;
}

/* -- attaching ---------------------------------------------------------------------------------------------
 */

static bool is_plain_null(struct str s)
{
    return s.n == 0 || str_eq_c(s, "~") || str_eq_c(s, "null") || str_eq_c(s, "Null") || str_eq_c(s, "NULL");
}

/* Puts a finished or opening node where the innermost open one expects it. */
static enum err attach(struct builder *b, struct yaml_node *n, yaml_mark_t mark)
{
    if (b->depth == 0) {
        b->root = n;
        return ERR_OK;
    }
    struct open_node *top = &b->stack[b->depth - 1];
    if (top->node->kind == YAML_MAP) {
        if (!top->have_key) {
            if (n->kind != YAML_SCALAR && n->kind != YAML_NULL) {
                return fail_at(b, ERR_INVALID, mark, "a mapping's key must be a plain value");
            }
            top->have_key = true;
            top->key = n->text;
            top->key_line = n->line;
            top->key_col = n->col;
            return ERR_OK;
        }
        for (const struct yaml_node *c = top->node->child; c; c = c->next) {
            if (str_eq(c->key, top->key) && !str_eq_c(top->key, "<<")) {
                char text[256];
                snprintf(text, sizeof(text), "key \"%.*s\" is given twice, first in line %u",
                         STR_FMT(top->key), c->key_line);
                return fail_at(b, ERR_INVALID, (yaml_mark_t){0, top->key_line - 1, top->key_col - 1}, text);
            }
        }
        n->key = top->key;
        n->key_line = top->key_line;
        n->key_col = top->key_col;
        top->have_key = false;
    }
    if (top->last) {
        top->last->next = n;
    } else {
        top->node->child = n;
    }
    top->last = n;
    top->node->count++;
    return ERR_OK;
}

static enum err remember_anchor(struct builder *b, const yaml_char_t *name, const struct yaml_node *n)
{
    if (!name) {
        return ERR_OK;
    }
    struct anchor *a = arena_alloc(b->arena, sizeof(*a));
    struct str copy = arena_str(b->arena, str_c((const char *)name));
    if (!a || !copy.p) {
        return out_of_memory(b);
    }
    *a = (struct anchor){copy, n, b->anchors};
    b->anchors = a;
    return ERR_OK;
}

static struct yaml_node *copy_tree(struct builder *b, const struct yaml_node *from, unsigned depth)
{
    if (depth > YAML_DEPTH_MAX || ++b->node_count > YAML_NODES_MAX) {
        return NULL;
    }
    struct yaml_node *n = arena_alloc(b->arena, sizeof(*n));
    if (!n) {
        return NULL;
    }
    *n = *from;
    n->child = n->next = NULL;
    struct yaml_node *last = NULL;
    for (const struct yaml_node *c = from->child; c; c = c->next) {
        struct yaml_node *copy = copy_tree(b, c, depth + 1);
        if (!copy) {
            return NULL;
        }
        if (last) {
            last->next = copy;
        } else {
            n->child = copy;
        }
        last = copy;
    }
    return n;
}

/* -- merge keys --------------------------------------------------------------------------------------------
 */

static enum err merge_map(struct builder *b, struct yaml_node *into, const struct yaml_node *from)
{
    if (from->kind != YAML_MAP) {
        return fail_at(b, ERR_INVALID, (yaml_mark_t){0, from->line - 1, from->col - 1},
                       "map merge (<<) requires a map or a list of maps as its value");
    }
    for (const struct yaml_node *c = from->child; c; c = c->next) {
        bool present = false;
        for (const struct yaml_node *have = into->child; have; have = have->next) {
            present |= str_eq(have->key, c->key);
        }
        if (present) {
            continue;
        }
        struct yaml_node *copy = copy_tree(b, c, 0);
        if (!copy) {
            return fail_at(b, ERR_LIMIT, (yaml_mark_t){0, from->line - 1, from->col - 1},
                           "too many nodes after aliases are expanded");
        }
        copy->next = into->child;
        into->child = copy;
        into->count++;
    }
    return ERR_OK;
}

static enum err resolve_merges(struct builder *b, struct yaml_node *map)
{
    const struct yaml_node *merges = NULL;
    const struct yaml_node **link = &map->child;
    while (*link) {
        struct yaml_node *c = (struct yaml_node *)(uintptr_t)*link; /* ours, from the arena */
        if (str_eq_c(c->key, "<<")) {
            *link = c->next;
            map->count--;
            c->next = merges;
            merges = c;
        } else {
            link = &c->next;
        }
    }
    for (const struct yaml_node *m = merges; m; m = m->next) {
        enum err e = ERR_OK;
        if (m->kind == YAML_LIST) {
            for (const struct yaml_node *item = m->child; item && !e; item = item->next) {
                e = merge_map(b, map, item);
            }
        } else {
            e = merge_map(b, map, m);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

/* -- events ------------------------------------------------------------------------------------------------
 */

static enum err on_scalar(struct builder *b, const yaml_event_t *ev)
{
    struct yaml_node *n = new_node(b, YAML_SCALAR, ev->start_mark);
    if (!n) {
        return out_of_memory(b);
    }
    struct str text = str_of((const char *)ev->data.scalar.value, ev->data.scalar.length);
    n->text = arena_str(b->arena, text);
    if (!n->text.p) {
        return out_of_memory(b);
    }
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!n->quoted && is_plain_null(text)) {
        n->kind = YAML_NULL;
    }
    enum err e = remember_anchor(b, ev->data.scalar.anchor, n);
    return e ? e : attach(b, n, ev->start_mark);
}

static enum err on_open(struct builder *b, enum yaml_kind kind, const yaml_char_t *anchor, yaml_mark_t mark)
{
    if (b->depth == YAML_DEPTH_MAX) {
        return fail_at(b, ERR_LIMIT, mark, "nested more than 64 levels deep");
    }
    struct yaml_node *n = new_node(b, kind, mark);
    if (!n) {
        return out_of_memory(b);
    }
    enum err e = remember_anchor(b, anchor, n);
    if (!e) {
        e = attach(b, n, mark);
    }
    if (!e) {
        b->stack[b->depth++] = (struct open_node){.node = n};
    }
    return e;
}

static enum err on_close(struct builder *b)
{
    struct yaml_node *n = b->stack[--b->depth].node;
    return n->kind == YAML_MAP && yaml_get(n, "<<") ? resolve_merges(b, n) : ERR_OK;
}

static enum err on_alias(struct builder *b, const yaml_event_t *ev)
{
    struct str name = str_c((const char *)ev->data.alias.anchor);
    for (const struct anchor *a = b->anchors; a; a = a->next) {
        if (!str_eq(a->name, name)) {
            continue;
        }
        for (size_t i = 0; i < b->depth; i++) {
            if (b->stack[i].node == a->node) {
                return fail_at(b, ERR_INVALID, ev->start_mark, "an anchor contains an alias to itself");
            }
        }
        struct yaml_node *copy = copy_tree(b, a->node, 0);
        return copy ? attach(b, copy, ev->start_mark)
                    : fail_at(b, ERR_LIMIT, ev->start_mark, "too many nodes after aliases are expanded");
    }
    return fail_at(b, ERR_INVALID, ev->start_mark, "unknown anchor");
}

static enum err on_event(struct builder *b, const yaml_event_t *ev, bool *done)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, YAML_LIST, ev->data.sequence_start.anchor, ev->start_mark);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, YAML_MAP, ev->data.mapping_start.anchor, ev->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(b);
    case YAML_ALIAS_EVENT:
        return on_alias(b, ev);
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
        *done = true;
        return ERR_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_START_EVENT:
        return ERR_OK;
    }
    return ERR_OK;
}

enum err yaml_parse(struct arena *a, struct str text, const char *file, const struct yaml_node **ret_root,
                    struct err_info *reterr_info)
{
    struct builder *b = mem_zalloc(sizeof(*b));
    yaml_parser_t parser;
    bool done = false;
    if (!b) {
        return err_set(reterr_info, ERR_OOM, "out of memory while reading %s", file);
    }
    *b = (struct builder){.arena = a, .file = file, .info = reterr_info};
    enum err e = ERR_OOM;
    if (!yaml_parser_initialize(&parser)) {
        goto out;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    for (e = ERR_OK; !e && !done;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            char what[256];
            snprintf(what, sizeof(what), "%s%s%s", parser.context ? parser.context : "",
                     parser.context ? ": " : "", parser.problem ? parser.problem : "not valid YAML");
            e = fail_at(b, parser.error == YAML_MEMORY_ERROR ? ERR_OOM : ERR_INVALID, parser.problem_mark,
                        what);
            break;
        }
        e = on_event(b, &event, &done);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (!e && !b->root) {
        b->root = new_node(b, YAML_NULL, (yaml_mark_t){0, 0, 0});
        e = b->root ? ERR_OK : out_of_memory(b);
    }
    if (!e) {
        *ret_root = b->root;
    }
out:
    mem_free(b);
    return e;
}

enum err yaml_load(struct arena *a, const char *path, const struct yaml_node **ret_root,
                   struct err_info *reterr_info)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        return err_set_errno(reterr_info, errno, "cannot open %s", path);
    }
    struct buf text AUTO_BUF = {.size_bytes_max = YAML_FILE_BYTES_MAX};
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        buf_append(&text, chunk, n);
    }
    int read_errno = ferror(f) ? errno : 0;
    fclose(f);
    if (read_errno) {
        return err_set_errno(reterr_info, read_errno, "cannot read %s", path);
    }
    if (text.err) {
        return err_set(reterr_info, text.err, "%s: a configuration file may have at most 16 MiB", path);
    }
    struct str name = arena_str(a, str_c(path));
    if (!name.p) {
        return err_set(reterr_info, arena_err(a), "out of memory while reading %s", path);
    }
    return yaml_parse(a, buf_view(&text), name.p, ret_root, reterr_info);
}
