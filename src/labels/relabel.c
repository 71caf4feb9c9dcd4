/* Relabelling rules. */
#include "labels/relabel.h"

#include <gnutls/crypto.h>

static const char *const names[RELABEL_ACTION_COUNT] = {"replace",   "keep",      "drop",     "keepequal",
                                                        "dropequal", "hashmod",   "labelmap", "labeldrop",
                                                        "labelkeep", "lowercase", "uppercase"};

enum relabel_action relabel_action_of(struct str name)
{
    for (size_t i = 0; i < RELABEL_ACTION_COUNT; i++) {
        if (str_ieq(name, str_c(names[i]))) {
            return (enum relabel_action)i;
        }
    }
    return RELABEL_ACTION_COUNT;
}

const char *relabel_action_name(enum relabel_action a)
{
    return a < RELABEL_ACTION_COUNT ? names[a] : "";
}

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

void regex_expand(struct buf *out, struct str template, const struct regex *re, const struct str *captures)
{
    for (size_t i = 0; i < template.n; i++) {
        if (template.p[i] != '$' || i + 1 >= template.n) {
            buf_char(out, template.p[i]);
            continue;
        }
        if (template.p[i + 1] == '$') {
            buf_char(out, '$');
            i++;
            continue;
        }
        bool brace = template.p[i + 1] == '{';
        size_t from = i + 1 + brace, to = from;
        while (to < template.n && is_name_char(template.p[to])) {
            to++;
        }
        if (to == from || (brace && (to >= template.n || template.p[to] != '}'))) {
            buf_char(out, '$');
            continue;
        }
        struct str name = str_slice(template, from, to);
        int64_t index = -1;
        if (str_to_i64(name, &index)) {
            index = -1;
            for (size_t g = 1; g <= regex_group_count(re); g++) {
                index = str_eq(regex_group_name(re, g), name) ? (int64_t)g : index;
            }
        }
        if (index >= 0 && (size_t)index <= regex_group_count(re)) {
            buf_str(out, captures[index]);
        }
        i = to - 1 + brace;
    }
}

static void join_sources(const struct relabel_rule *r, struct labels ls, struct buf *out)
{
    for (size_t i = 0; i < r->source_count; i++) {
        if (i) {
            buf_str(out, r->separator);
        }
        buf_str(out, labels_get(ls, r->source_labels[i]));
    }
}

static enum err set(struct arena *a, struct labels *ls, struct str name, struct str value)
{
    struct str n = arena_str(a, name), v = arena_str(a, value);
    return n.p && v.p ? labels_with(a, *ls, n, v, ls) : arena_err(a);
}

static enum err replace(struct arena *a, const struct relabel_rule *r, struct str joined, struct labels *ls)
{
    struct str captures[REGEX_CAPTURES_MAX + 1] = {{0}};
    struct buf target AUTO_BUF = {0}, value AUTO_BUF = {0};
    if (!regex_find(r->re, joined, 0, captures, ARRAY_LEN(captures))) {
        return ERR_OK;
    }
    regex_expand(&target, r->target, r->re, captures);
    regex_expand(&value, r->replacement, r->re, captures);
    if (target.err || value.err) {
        return ERR_OOM;
    }
    if (target.n == 0 || !str_utf8_valid(buf_view(&target))) {
        return ERR_OK;
    }
    return set(a, ls, buf_view(&target), buf_view(&value));
}

static enum err hashmod(struct arena *a, const struct relabel_rule *r, struct str joined, struct labels *ls)
{
    unsigned char sum[16];
    uint64_t v = 0;
    if (gnutls_hash_fast(GNUTLS_DIG_MD5, joined.p ? joined.p : "", joined.n, sum) != 0) {
        return ERR_INTERNAL;
    }
    for (size_t i = 8; i < 16; i++) {
        v = v << 8 | sum[i];
    }
    struct str text = arena_printf(a, "%llu", (unsigned long long)(v % (r->modulus ? r->modulus : 1)));
    return text.p ? labels_with(a, *ls, r->target, text, ls) : arena_err(a);
}

static enum err change_case(struct arena *a, const struct relabel_rule *r, struct str joined,
                            struct labels *ls)
{
    char *out = arena_bytes(a, joined.n + 1);
    bool lower = r->action == RELABEL_LOWERCASE;
    if (!out) {
        return arena_err(a);
    }
    for (size_t i = 0; i < joined.n; i++) {
        char c = joined.p[i];
        bool flips = lower ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
        out[i] = flips ? (char)(c ^ 32) : c;
    }
    return labels_with(a, *ls, r->target, str_of(out, joined.n), ls);
}

/* labelmap, labeldrop, labelkeep: over a snapshot of the names. */
static enum err over_names(struct arena *a, const struct relabel_rule *r, struct labels *ls)
{
    struct labels snapshot = *ls;
    enum err e = ERR_OK;
    for (size_t i = 0; i < snapshot.n && !e; i++) {
        struct str name = snapshot.l[i].name, captures[REGEX_CAPTURES_MAX + 1] = {{0}};
        bool hit = regex_find(r->re, name, 0, captures, ARRAY_LEN(captures));
        if (r->action == RELABEL_LABELMAP && hit) {
            struct buf target AUTO_BUF = {0};
            regex_expand(&target, r->replacement, r->re, captures);
            e = target.err ? ERR_OOM : target.n ? set(a, ls, buf_view(&target), snapshot.l[i].value) : ERR_OK;
        } else if ((r->action == RELABEL_LABELDROP && hit) || (r->action == RELABEL_LABELKEEP && !hit)) {
            e = labels_drop(a, *ls, &name, 1, ls);
        }
    }
    return e;
}

static enum err apply(struct arena *a, const struct relabel_rule *r, struct labels *ls, bool *keep)
{
    struct buf joined AUTO_BUF = {0};
    join_sources(r, *ls, &joined);
    if (joined.err) {
        return joined.err;
    }
    struct str value = buf_view(&joined);
    switch (r->action) {
    case RELABEL_REPLACE:
        return replace(a, r, value, ls);
    case RELABEL_KEEP:
        *keep = regex_match(r->re, value);
        return ERR_OK;
    case RELABEL_DROP:
        *keep = !regex_match(r->re, value);
        return ERR_OK;
    case RELABEL_KEEPEQUAL:
        *keep = str_eq(value, labels_get(*ls, r->target));
        return ERR_OK;
    case RELABEL_DROPEQUAL:
        *keep = !str_eq(value, labels_get(*ls, r->target));
        return ERR_OK;
    case RELABEL_HASHMOD:
        return hashmod(a, r, value, ls);
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        return change_case(a, r, value, ls);
    case RELABEL_LABELMAP:
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        return over_names(a, r, ls);
    case RELABEL_ACTION_COUNT:
        break;
    }
    return ERR_INTERNAL;
}

enum err relabel(struct arena *a, const struct relabel_rule *rules, size_t n, struct labels ls,
                 struct labels *ret_labels, bool *ret_keep)
{
    bool keep = true;
    for (size_t i = 0; i < n && keep; i++) {
        enum err e = apply(a, &rules[i], &ls, &keep);
        if (e) {
            return e;
        }
    }
    *ret_labels = ls;
    *ret_keep = keep && ls.n > 0;
    return ERR_OK;
}
