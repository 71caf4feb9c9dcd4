/* Label sets: look-up, order, fingerprints, copies and text. Sets are small, so look-up is a linear scan. */
#include "labels/labels.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

struct str labels_get(struct labels ls, struct str name)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, name)) {
            return ls.l[i].value;
        }
    }
    return (struct str){0};
}

bool labels_eq(struct labels a, struct labels b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (!str_eq(a.l[i].name, b.l[i].name) || !str_eq(a.l[i].value, b.l[i].value)) {
            return false;
        }
    }
    return true;
}

int labels_cmp(struct labels a, struct labels b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        int c = str_cmp(a.l[i].name, b.l[i].name);
        c = c ? c : str_cmp(a.l[i].value, b.l[i].value);
        if (c) {
            return c;
        }
    }
    return (a.n > b.n) - (a.n < b.n);
}

enum {
    HASH_STACK_BYTES = 1024
};

/* Which labels take part in a fingerprint. */
enum subset {
    SUBSET_ALL,
    SUBSET_BY,
    SUBSET_WITHOUT
};

static bool name_in(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool takes_part(struct str name, enum subset subset, const struct str *names, size_t n)
{
    if (subset == SUBSET_ALL) {
        return true;
    }
    if (subset == SUBSET_BY) {
        return name_in(name, names, n);
    }
    return !str_eq(name, LABEL_METRIC_NAME) && !name_in(name, names, n);
}

/* Joins the chosen labels as name 0xff value 0xff. `stack` is used while it suffices. */
static struct str join(struct labels ls, enum subset subset, const struct str *names, size_t n, char *stack,
                       char **ret_heap)
{
    size_t need = 0;
    for (size_t i = 0; i < ls.n; i++) {
        need += ls.l[i].name.n + ls.l[i].value.n + 2;
    }
    char *out = need <= HASH_STACK_BYTES ? stack : mem_alloc(need);
    *ret_heap = out == stack ? NULL : out;
    size_t at = 0;
    for (size_t i = 0; out && i < ls.n; i++) {
        const struct label *l = &ls.l[i];
        if (!takes_part(l->name, subset, names, n)) {
            continue;
        }
        memcpy(out + at, l->name.p, l->name.n);
        at += l->name.n;
        out[at++] = '\xff';
        memcpy(out + at, l->value.p, l->value.n);
        at += l->value.n;
        out[at++] = '\xff';
    }
    return str_of(out, at);
}

/* Without memory for a very large set the fingerprint is that of its pieces: never wrong, only different, so
 * callers that store fingerprints bound the size of label sets (HASH_STACK_BYTES needs no memory). */
static uint64_t subset_hash(struct labels ls, enum subset subset, const struct str *names, size_t n)
{
    char stack[HASH_STACK_BYTES];
    char *heap;
    struct str joined = join(ls, subset, names, n, stack, &heap);
    uint64_t h = hash_bytes(joined.p, joined.n);
    mem_free(heap);
    return h;
}

uint64_t labels_hash(struct labels ls)
{
    return subset_hash(ls, SUBSET_ALL, NULL, 0);
}

struct hash128 labels_hash128(struct labels ls)
{
    char stack[HASH_STACK_BYTES];
    char *heap;
    struct str joined = join(ls, SUBSET_ALL, NULL, 0, stack, &heap);
    struct hash128 h = hash128_bytes(joined.p, joined.n);
    mem_free(heap);
    return h;
}

uint64_t labels_hash_by(struct labels ls, const struct str *names, size_t n)
{
    return subset_hash(ls, SUBSET_BY, names, n);
}

uint64_t labels_hash_without(struct labels ls, const struct str *names, size_t n)
{
    return subset_hash(ls, SUBSET_WITHOUT, names, n);
}

static int label_order(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

enum err labels_normalise(struct label *l, size_t *n, struct err_info *reterr_info)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 0; i < *n; i++) {
        if (l[i].value.n == 0) {
            continue;
        }
        l[kept] = l[i];
        if (kept && str_cmp(l[kept - 1].name, l[kept].name) >= 0) {
            sorted = false;
        }
        kept++;
    }
    if (!sorted) {
        qsort(l, kept, sizeof(*l), label_order);
    }
    for (size_t i = 1; i < kept; i++) {
        if (str_eq(l[i - 1].name, l[i].name)) {
            return err_set(reterr_info, ERR_INVALID, "label name \"%.*s\" is not unique: invalid sample",
                           STR_FMT(l[i].name));
        }
    }
    *n = kept;
    return ERR_OK;
}

enum err labels_dup(struct arena *a, struct labels ls, struct labels *ret_labels)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ls.n; i++) {
        bytes += ls.l[i].name.n + ls.l[i].value.n;
    }
    struct label *out = arena_array(a, ls.n, sizeof(*out));
    char *text = arena_bytes(a, bytes);
    if (!out || !text) {
        return arena_err(a);
    }
    for (size_t i = 0; i < ls.n; i++) {
        const struct label *l = &ls.l[i];
        out[i].name = str_of(memcpy(text, l->name.p, l->name.n), l->name.n);
        text += l->name.n;
        out[i].value = str_of(memcpy(text, l->value.p, l->value.n), l->value.n);
        text += l->value.n;
    }
    *ret_labels = (struct labels){out, ls.n};
    return ERR_OK;
}

enum err labels_with(struct arena *a, struct labels ls, struct str name, struct str value,
                     struct labels *ret_labels)
{
    struct label *out = arena_array(a, ls.n + 1, sizeof(*out));
    if (!out) {
        return arena_err(a);
    }
    size_t n = 0;
    bool placed = value.n == 0;
    for (size_t i = 0; i < ls.n; i++) {
        int c = str_cmp(ls.l[i].name, name);
        if (c >= 0 && !placed) {
            out[n++] = (struct label){name, value};
            placed = true;
        }
        if (c != 0) {
            out[n++] = ls.l[i];
        }
    }
    if (!placed) {
        out[n++] = (struct label){name, value};
    }
    *ret_labels = (struct labels){out, n};
    return ERR_OK;
}

static enum err filtered(struct arena *a, struct labels ls, const struct str *names, size_t n, bool keep,
                         struct labels *ret_labels)
{
    struct label *out = arena_array(a, ls.n, sizeof(*out));
    if (!out) {
        return arena_err(a);
    }
    size_t kept = 0;
    for (size_t i = 0; i < ls.n; i++) {
        if (name_in(ls.l[i].name, names, n) == keep) {
            out[kept++] = ls.l[i];
        }
    }
    *ret_labels = (struct labels){out, kept};
    return ERR_OK;
}

enum err labels_keep(struct arena *a, struct labels ls, const struct str *names, size_t n,
                     struct labels *ret_labels)
{
    return filtered(a, ls, names, n, true, ret_labels);
}

enum err labels_drop(struct arena *a, struct labels ls, const struct str *names, size_t n,
                     struct labels *ret_labels)
{
    return filtered(a, ls, names, n, false, ret_labels);
}

static bool is_word(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool label_name_is_legacy(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!is_word(name.p[i], i == 0)) {
            return false;
        }
    }
    return name.n > 0;
}

bool metric_name_is_legacy(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!is_word(name.p[i], i == 0) && name.p[i] != ':') {
            return false;
        }
    }
    return name.n > 0;
}

/* Length of the UTF-8 sequence at p, or 0 when it is malformed. */
static size_t utf8_len(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return len <= n && str_utf8_valid(str_of(p, len)) ? len : 0;
}

void labels_quote(struct buf *b, struct str s)
{
    static const char escapes[] = "abtnvfr"; /* 0x07 .. 0x0d */
    buf_char(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = utf8_len(s.p + i, s.n - i);
        if (c == '"' || c == '\\') {
            buf_char(b, '\\');
            buf_char(b, (char)c);
        } else if (c >= 0x07 && c <= 0x0d) {
            buf_char(b, '\\');
            buf_char(b, escapes[c - 0x07]);
        } else if (c < 0x20 || c == 0x7f || len == 0) {
            buf_printf(b, "\\x%02x", c);
        } else {
            buf_append(b, s.p + i, len);
        }
        i += len ? len : 1;
    }
    buf_char(b, '"');
}

static void format_pair(struct buf *b, const struct label *l)
{
    if (label_name_is_legacy(l->name)) {
        buf_str(b, l->name);
    } else {
        labels_quote(b, l->name);
    }
    buf_char(b, '=');
    labels_quote(b, l->value);
}

void labels_format(struct buf *b, struct labels ls)
{
    struct str name = labels_get(ls, LABEL_METRIC_NAME);
    bool bare = name.n == 0 || metric_name_is_legacy(name);
    size_t others = ls.n - (name.n ? 1 : 0);
    if (bare) {
        buf_str(b, name);
    }
    if (bare && name.n && others == 0) {
        return;
    }
    buf_char(b, '{');
    if (!bare) {
        labels_quote(b, name);
    }
    bool first = bare;
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME)) {
            continue;
        }
        buf_c(b, first ? "" : ", ");
        format_pair(b, &ls.l[i]);
        first = false;
    }
    buf_char(b, '}');
}

void labels_format_loki(struct buf *b, struct labels ls)
{
    buf_char(b, '{');
    for (size_t i = 0; i < ls.n; i++) {
        buf_c(b, i ? ", " : "");
        if (label_name_is_legacy(ls.l[i].name)) {
            buf_str(b, ls.l[i].name);
        } else {
            labels_quote(b, ls.l[i].name);
        }
        buf_char(b, '=');
        labels_quote(b, ls.l[i].value);
    }
    buf_char(b, '}');
}
