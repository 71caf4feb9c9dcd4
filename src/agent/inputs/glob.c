/* Brace expansion, matching, walking. Braces are expanded first, so that the rest sees plain segments. */
#include "agent/inputs/glob.h"

#include <sys/stat.h>

#include "base/buf.h"
#include "disk/file.h"

/* -- braces -----------------------------------------------------------------------------------------------
 */

struct expansion {
    struct arena *a;
    struct str *out;
    size_t n, cap;
};

/* Index of the brace that closes the one at `open`, or STR_NPOS. */
static size_t closing(struct str p, size_t open)
{
    size_t depth = 0;
    for (size_t i = open; i < p.n; i++) {
        if (p.p[i] == '\\') {
            i++;
        } else if (p.p[i] == '{') {
            depth++;
        } else if (p.p[i] == '}' && --depth == 0) {
            return i;
        }
    }
    return STR_NPOS;
}

static size_t next_open(struct str p)
{
    for (size_t i = 0; i < p.n; i++) {
        if (p.p[i] == '\\') {
            i++;
        } else if (p.p[i] == '{') {
            return i;
        }
    }
    return STR_NPOS;
}

static enum err expand(struct expansion *x, struct str p, struct err_info *info);

static enum err expand_one(struct expansion *x, struct str p, size_t open, size_t close, struct str part,
                           struct err_info *info)
{
    struct str whole = arena_printf(x->a, "%.*s%.*s%.*s", (int)open, p.p, STR_FMT(part),
                                    (int)(p.n - close - 1), p.p + close + 1);
    return whole.p ? expand(x, whole, info) : arena_err(x->a);
}

/* One call a brace, depth bounded by the number of braces in a pattern. */
// NOLINTNEXTLINE(misc-no-recursion)
static enum err expand(struct expansion *x, struct str p, struct err_info *info)
{
    size_t open = next_open(p);
    if (open == STR_NPOS) {
        if (x->n >= GLOB_ALTERNATIVES_MAX) {
            return err_set(info, ERR_LIMIT, "more than %d alternatives in one pattern",
                           GLOB_ALTERNATIVES_MAX);
        }
        enum err e = arena_reserve(x->a, (void **)&x->out, &x->cap, x->n + 1, sizeof(*x->out));
        if (!e) {
            x->out[x->n++] = p;
        }
        return e;
    }
    size_t close = closing(p, open), from = open + 1, depth = 0;
    if (close == STR_NPOS) {
        return err_set(info, ERR_INVALID, "a brace is not closed in \"%.*s\"", STR_FMT(p));
    }
    enum err e = ERR_OK;
    for (size_t i = from; i <= close && !e; i++) {
        char c = p.p[i];
        if (c == '\\') {
            i++;
        } else if (i == close || (c == ',' && depth == 0)) {
            e = expand_one(x, p, open, close, str_slice(p, from, i), info);
            from = i + 1;
        } else if (c == '{') {
            depth++;
        } else if (c == '}') {
            depth--;
        }
    }
    return e;
}

/* -- one segment ------------------------------------------------------------------------------------------
 */

static size_t rune_len(struct str s, size_t at)
{
    size_t n = 1;
    while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

/* The class that begins at p[*at] == '['. Moves *at behind it. Classes hold bytes; a rune of several bytes is
 * compared whole for single members only. */
static bool match_class(struct str p, size_t *at, struct str text, size_t text_at, size_t rune)
{
    size_t i = *at + 1;
    bool negated = i < p.n && (p.p[i] == '^' || p.p[i] == '!'), hit = false, first = true;
    i += negated;
    struct str r = str_slice(text, text_at, text_at + rune);
    while (i < p.n && (p.p[i] != ']' || first)) {
        first = false;
        i += p.p[i] == '\\' && i + 1 < p.n;
        size_t low_n = rune_len(p, i);
        struct str low = str_slice(p, i, i + low_n), high = low;
        i += low_n;
        if (i + 1 < p.n && p.p[i] == '-' && p.p[i + 1] != ']') {
            i++;
            i += p.p[i] == '\\' && i + 1 < p.n;
            size_t high_n = rune_len(p, i);
            high = str_slice(p, i, i + high_n);
            i += high_n;
        }
        hit |= low.n == r.n && high.n == r.n && str_cmp(low, r) <= 0 && str_cmp(r, high) <= 0;
    }
    *at = i < p.n ? i + 1 : i;
    return hit != negated;
}

/* One element of the pattern other than '*' against the rune at text[*t]; moves both. */
static bool match_element(struct str p, size_t *i, struct str text, size_t *t)
{
    if (*t >= text.n) {
        return false;
    }
    size_t rune = rune_len(text, *t);
    bool hit;
    if (p.p[*i] == '?') {
        hit = true;
        (*i)++;
    } else if (p.p[*i] == '[') {
        hit = match_class(p, i, text, *t, rune);
    } else {
        *i += p.p[*i] == '\\' && *i + 1 < p.n;
        hit = p.p[*i] == text.p[*t];
        (*i)++;
        rune = 1;
    }
    *t += rune;
    return hit;
}

/* A segment against a name, neither with a slash. Greedy with one point to come back to: linear enough. */
static bool match_segment(struct str p, struct str text)
{
    size_t i = 0, t = 0, star = STR_NPOS, resume = 0;
    while (t < text.n || i < p.n) {
        if (i < p.n && p.p[i] == '*') {
            while (i < p.n && p.p[i] == '*') {
                i++;
            }
            star = i;
            resume = t;
            continue;
        }
        if (i < p.n && match_element(p, &i, text, &t)) {
            continue;
        }
        if (star == STR_NPOS || resume >= text.n) {
            return false;
        }
        resume += rune_len(text, resume);
        i = star;
        t = resume;
    }
    return true;
}

static struct str first_segment(struct str path, struct str *rest)
{
    size_t slash = str_find_char(path, '/', 0);
    if (slash == STR_NPOS) {
        *rest = (struct str){0};
        return path;
    }
    *rest = str_slice(path, slash + 1, path.n);
    return str_slice(path, 0, slash);
}

/* Depth is bounded by the number of ** segments. */
// NOLINTNEXTLINE(misc-no-recursion)
static bool match_path(struct str p, struct str path)
{
    while (p.p && path.p) {
        struct str p_rest, path_rest, segment = first_segment(p, &p_rest);
        if (str_eq_c(segment, "**")) {
            if (!p_rest.p) {
                return true;
            }
            for (struct str at = path; at.p;) {
                if (match_path(p_rest, at)) {
                    return true;
                }
                (void)first_segment(at, &at);
            }
            return false;
        }
        if (!match_segment(segment, first_segment(path, &path_rest))) {
            return false;
        }
        p = p_rest;
        path = path_rest;
    }
    return !path.p && (!p.p || str_eq_c(p, "**"));
}

static bool brackets_close(struct str p)
{
    for (size_t i = 0; i < p.n; i++) {
        if (p.p[i] == '\\') {
            i++;
        } else if (p.p[i] == '[' && str_find_char(p, ']', i + 2) == STR_NPOS) {
            return false;
        }
    }
    return true;
}

enum err glob_new(struct arena *a, struct str pattern, struct glob *ret_glob, struct err_info *reterr_info)
{
    struct expansion x = {.a = a};
    struct str copy = arena_str(a, pattern);
    if (!copy.p) {
        return arena_err(a);
    }
    if (!brackets_close(copy)) {
        return err_set(reterr_info, ERR_INVALID, "a bracket is not closed in \"%.*s\"", STR_FMT(pattern));
    }
    enum err e = expand(&x, copy, reterr_info);
    if (!e) {
        *ret_glob = (struct glob){x.out, x.n};
    }
    return e;
}

bool glob_match(const struct glob *g, struct str path)
{
    for (size_t i = 0; i < g->n; i++) {
        if (match_path(g->alternatives[i], path)) {
            return true;
        }
    }
    return false;
}

/* -- walking ----------------------------------------------------------------------------------------------
 */

struct walk {
    const struct glob_visitor *v;
    struct buf path; /* of the folder looked at, with a slash at the end unless empty */
    unsigned depth;
    bool missing; /* the name descended to last does not exist */
};

static bool has_meta(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (strchr("*?[\\", s.p[i])) {
            return true;
        }
    }
    return false;
}

static enum err walk(struct walk *w, struct str pattern);

/* `name` in the folder at hand: the rest of the pattern goes on below it. */
// NOLINTNEXTLINE(misc-no-recursion)
static enum err descend(struct walk *w, struct str name, struct str rest)
{
    size_t before = w->path.n;
    struct stat st;
    enum err e = ERR_OK;
    buf_str(&w->path, name);
    buf_char(&w->path, '\0');
    if (w->path.err) {
        return w->path.err;
    }
    w->path.n--;
    if (stat(w->path.p, &st) != 0) {
        w->missing = true;
        w->path.n = before;
        return ERR_OK;
    }
    if (!rest.p) {
        e = w->v->found(w->v->ctx, buf_view(&w->path));
    } else if (S_ISDIR(st.st_mode) && w->depth < GLOB_DEPTH_MAX) {
        buf_char(&w->path, '/');
        w->depth++;
        e = w->path.err ? w->path.err : walk(w, rest);
        w->depth--;
    }
    w->path.n = before;
    return e;
}

/* The folder at hand as a C string; p == NULL when out of memory. */
static struct str this_folder(struct walk *w, struct arena *a)
{
    struct str here = buf_view(&w->path);
    return arena_str(a, here.n > 1 ? str_slice(here, 0, here.n - 1) : here.n ? here : STR("."));
}

static enum err list_folder(struct walk *w, struct arena *a, const struct str **ret_names, size_t *ret_n)
{
    struct str copy = this_folder(w, a);
    *ret_n = 0;
    enum err e = copy.p ? w->v->folder(w->v->ctx, copy) : arena_err(a);
    if (!e && dir_list(copy.p, a, ret_names, ret_n, NULL) == ERR_OOM) {
        e = ERR_OOM;
    }
    return e;
}

/* **: the rest of the pattern here, and the same in every folder below. */
// NOLINTNEXTLINE(misc-no-recursion)
static enum err walk_any_depth(struct walk *w, struct str pattern, struct str rest)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    enum err e = list_folder(w, &a, &names, &n);
    if (!e && rest.p) {
        e = walk(w, rest);
    }
    for (size_t i = 0; i < n && !e; i++) {
        if (!rest.p) {
            e = descend(w, names[i], (struct str){0});
        }
        e = e ? e : descend(w, names[i], pattern);
    }
    return e;
}

// NOLINTNEXTLINE(misc-no-recursion)
static enum err walk_literal(struct walk *w, struct str segment, struct str rest)
{
    size_t before = w->path.n;
    if (segment.n == 0) { /* the root, or a doubled slash */
        buf_c(&w->path, before ? "" : "/");
        enum err e = rest.p && !w->path.err ? walk(w, rest) : w->path.err;
        w->path.n = before;
        return e;
    }
    w->missing = false;
    enum err e = descend(w, segment, rest);
    /* A folder that is there needs no watching from above; should it be replaced the next walk finds it. */
    if (!e && (w->missing || !rest.p)) {
        struct arena a AUTO_ARENA;
        arena_init(&a, 0, NULL);
        struct str folder = this_folder(w, &a);
        e = folder.p ? w->v->folder(w->v->ctx, folder) : arena_err(&a);
        if (!e && w->missing) { /* it may have appeared before the folder was watched */
            e = descend(w, segment, rest);
        }
    }
    w->missing = false;
    return e;
}

// NOLINTNEXTLINE(misc-no-recursion)
static enum err walk(struct walk *w, struct str pattern)
{
    struct str rest, segment = first_segment(pattern, &rest);
    if (str_eq_c(segment, "**")) {
        return walk_any_depth(w, pattern, rest);
    }
    if (!has_meta(segment)) {
        return walk_literal(w, segment, rest);
    }
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = list_folder(w, &a, &names, &n);
    for (size_t i = 0; i < n && !e; i++) {
        if (match_segment(segment, names[i])) {
            e = descend(w, names[i], rest);
        }
    }
    return e;
}

enum err glob_walk(const struct glob *g, const struct glob_visitor *v)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < g->n && !e; i++) {
        struct walk w = {.v = v};
        e = walk(&w, g->alternatives[i]);
        buf_done(&w.path);
    }
    return e;
}
