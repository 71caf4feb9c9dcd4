/* A label filter's regular expression as words, where Loki makes words of it.
 *
 * Loki parses the expression with Go's parser, which factors common prefixes out of alternatives, and then
 * looks for shapes it can answer by comparing: literals, literals with ".*" beside them, alternatives of
 * these. What was factored or stood beside ".*" is looked for anywhere in the value, not from end to end.
 * This is that parser, for the shapes that matter; anything else stays an expression. */
#include "logs/logql/simplify.h"

#include "golang/gostr.h"

enum word_kind {
    WORD_EQUAL = 0,
    WORD_CONTAINS,
    WORD_EXISTS, /* not empty */
    WORD_ALL
};

struct word {
    enum word_kind kind;
    bool fold; /* text is in lower case */
    struct str text;
    struct word *next;
};

struct label_words {
    struct word *first, **tail;
};

/* -- trees ----------------------------------------------------------------------------------------------- */

enum re_kind {
    RE_EMPTY = 0,
    RE_LITERAL,
    RE_ANY, /* . */
    RE_STAR,
    RE_PLUS,
    RE_CONCAT,
    RE_ALTERNATE,
    RE_CAPTURE
};

struct re {
    enum re_kind kind;
    bool fold;
    struct str text; /* LITERAL */
    struct re *child, *next;
};

enum {
    RE_DEPTH_MAX = 50
};

struct reader {
    struct arena *a;
    struct str s;
    size_t at;
    bool fold;
    unsigned depth;
    bool stays; /* an expression it is, and stays */
    bool no_memory;
};

static struct re *node(struct reader *r, enum re_kind kind)
{
    struct re *n = arena_zalloc(r->a, sizeof(*n));
    if (!n) {
        r->no_memory = r->stays = true;
        return NULL;
    }
    n->kind = kind;
    return n;
}

static size_t count(const struct re *n)
{
    size_t k = 0;
    for (; n; n = n->next) {
        k++;
    }
    return k;
}

static struct re *literal(struct reader *r, struct str text, bool fold)
{
    struct re *n = node(r, RE_LITERAL);
    if (n) {
        n->text = text;
        n->fold = fold;
    }
    return n;
}

static struct str joined(struct reader *r, struct str a, struct str b)
{
    struct str s = arena_printf(r->a, "%.*s%.*s", STR_FMT(a), STR_FMT(b));
    r->no_memory = r->no_memory || !s.p;
    r->stays = r->stays || !s.p;
    return s;
}

/* A row of pieces: nested rows are taken apart, literals that meet become one. */
static struct re *concat_of(struct reader *r, struct re *pieces)
{
    struct re *out = node(r, RE_CONCAT), **tail, *last = NULL;
    if (!out) {
        return NULL;
    }
    tail = &out->child;
    for (struct re *p = pieces, *next; p; p = next) {
        next = p->next;
        struct re *part = p->kind == RE_CONCAT ? p->child : p;
        p->next = NULL;
        while (part) {
            struct re *after = part->next;
            part->next = NULL;
            if (last && last->kind == RE_LITERAL && part->kind == RE_LITERAL && last->fold == part->fold) {
                last->text = joined(r, last->text, part->text);
            } else {
                *tail = part;
                tail = &part->next;
                last = part;
            }
            part = after;
        }
    }
    if (!out->child) {
        out->kind = RE_EMPTY;
        return out;
    }
    return out->child->next ? out : out->child;
}

/* -- factoring ------------------------------------------------------------------------------------------- */

static const struct re *leading(const struct re *n)
{
    const struct re *first = n->kind == RE_CONCAT ? n->child : n;
    return first->kind == RE_LITERAL ? first : NULL;
}

/* The length in bytes of the runes two literals begin with in common. */
static size_t common(struct str a, struct str b)
{
    size_t at = 0;
    while (at < a.n && at < b.n) {
        int32_t x, y;
        size_t n = go_rune(str_slice(a, at, a.n), &x), m = go_rune(str_slice(b, at, b.n), &y);
        if (x != y || n != m) {
            break;
        }
        at += n;
    }
    return at;
}

static struct re *without_leading(struct reader *r, struct re *n, size_t bytes)
{
    struct re *first = n->kind == RE_CONCAT ? n->child : n;
    struct str rest = str_slice(first->text, bytes, first->text.n);
    if (rest.n) {
        first->text = rest;
        return n;
    }
    if (n->kind != RE_CONCAT) {
        return node(r, RE_EMPTY);
    }
    n->child = first->next;
    return n->child && n->child->next ? n : n->child;
}

static bool is_single(const struct re *n)
{
    int32_t c;
    return n->kind == RE_ANY || (n->kind == RE_LITERAL && n->text.n && go_rune(n->text, &c) == n->text.n);
}

static struct re *alternate_of(struct reader *r, struct re *list);

/* Runs of alternatives that begin alike become the beginning and the alternatives of what follows. */
static struct re *factor(struct reader *r, struct re *list)
{
    struct re *out = NULL, **tail = &out;
    while (list && !r->stays) {
        const struct re *lead = leading(list);
        struct re *end = list->next;
        size_t n = lead ? lead->text.n : 0, run = 1;
        while (lead && end) {
            const struct re *other = leading(end);
            size_t k =
                other && other->fold == lead->fold ? common(str_slice(lead->text, 0, n), other->text) : 0;
            if (k == 0) {
                break;
            }
            n = k;
            run++;
            end = end->next;
        }
        struct re *piece = list;
        if (run > 1) {
            struct re *prefix = literal(r, str_slice(lead->text, 0, n), lead->fold), *rest = NULL,
                      **to = &rest;
            for (struct re *p = list, *next; p != end && !r->stays; p = next) {
                next = p->next;
                p->next = NULL;
                *to = without_leading(r, p, n);
                to = *to ? &(*to)->next : to;
            }
            struct re *choice = r->stays ? NULL : alternate_of(r, rest);
            if (r->stays || !prefix || !choice) {
                return NULL;
            }
            prefix->next = choice;
            /* prefix and choice stay two pieces even where they could be joined */
            piece = node(r, RE_CONCAT);
            if (!piece) {
                return NULL;
            }
            piece->child = prefix;
        }
        list = end;
        piece->next = NULL;
        *tail = piece;
        tail = &piece->next;
    }
    return out;
}

static struct re *alternate_of(struct reader *r, struct re *list)
{
    struct re *flat = NULL, **tail = &flat;
    for (struct re *p = list, *next; p; p = next) {
        next = p->next;
        p->next = NULL;
        *tail = p->kind == RE_ALTERNATE ? p->child : p;
        while (*tail) {
            tail = &(*tail)->next;
        }
    }
    flat = factor(r, flat);
    for (struct re *p = flat; p && p->next && !r->stays; p = p->next) {
        if (is_single(p) && is_single(p->next)) {
            r->stays = true; /* Go makes a character class of them */
        }
        while (p->kind == RE_EMPTY && p->next && p->next->kind == RE_EMPTY) {
            p->next = p->next->next;
        }
    }
    if (r->stays || !flat || !flat->next) {
        return flat;
    }
    struct re *n = node(r, RE_ALTERNATE);
    if (n) {
        n->child = flat;
    }
    return n;
}

/* -- reading --------------------------------------------------------------------------------------------- */

static struct re *read_choice(struct reader *r);

/* "(?i)", "(?i:", "(?:", "(?P<name>", "(". NULL with stays unset: only flags were changed. */
static struct re *read_group(struct reader *r)
{
    bool outer = r->fold, capture = true;
    struct str rest = str_slice(r->s, r->at, r->s.n);
    if (str_starts(rest, STR("?P<")) || str_starts(rest, STR("?<"))) {
        size_t end = str_find_char(r->s, '>', r->at);
        r->stays = end == STR_NPOS;
        r->at = r->stays ? r->at : end + 1;
    } else if (rest.n && rest.p[0] == '?') {
        capture = false;
        bool on = true;
        for (r->at++; r->at < r->s.n && r->s.p[r->at] != ':' && r->s.p[r->at] != ')'; r->at++) {
            char c = r->s.p[r->at];
            if (c == '-') {
                on = false;
            } else if (c == 'i') {
                r->fold = on;
            } else if (c != 'm' && c != 'U') {
                r->stays = true; /* (?s) makes another dot of the dot */
            }
        }
        if (r->at >= r->s.n) {
            r->stays = true;
            return NULL;
        }
        if (r->s.p[r->at++] == ')') {
            return NULL;
        }
    }
    if (r->stays || ++r->depth > RE_DEPTH_MAX) {
        r->stays = true;
        return NULL;
    }
    struct re *inner = read_choice(r);
    r->depth--;
    r->fold = outer;
    if (r->stays || r->at >= r->s.n || r->s.p[r->at] != ')') {
        r->stays = true;
        return NULL;
    }
    r->at++;
    if (!capture) {
        return inner;
    }
    struct re *n = node(r, RE_CAPTURE);
    if (n) {
        n->child = inner;
    }
    return n;
}

static struct re *read_char(struct reader *r)
{
    int32_t c;
    size_t start = r->at;
    if (r->s.p[r->at] == '\\') {
        r->at++;
        char e = r->at < r->s.n ? r->s.p[r->at] : 0;
        bool letter = (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z') || (e >= '0' && e <= '9') || e <= ' ';
        if (letter || (unsigned char)e >= 0x80) {
            r->stays = true;
            return NULL;
        }
        start = r->at;
    }
    r->at += go_rune(str_slice(r->s, start, r->s.n), &c);
    if (!r->fold) {
        return literal(r, str_slice(r->s, start, r->at), false);
    }
    struct buf b AUTO_BUF = {0};
    go_put_rune(&b, go_lower(c));
    struct str text = arena_str(r->a, buf_view(&b));
    r->no_memory = r->no_memory || !text.p;
    r->stays = r->stays || !text.p;
    return text.p ? literal(r, text, true) : NULL;
}

/* The piece with the operator behind it. */
static struct re *read_repeat(struct reader *r, struct re *n)
{
    char op = r->at < r->s.n ? r->s.p[r->at] : 0;
    if (op != '*' && op != '+' && op != '?' && op != '{') {
        return n;
    }
    if (op == '?' || op == '{' || n->kind != RE_ANY) {
        r->stays = true;
        return n;
    }
    r->at++;
    r->at += r->at < r->s.n && r->s.p[r->at] == '?';
    if (r->at < r->s.n && strchr("*+?{", r->s.p[r->at]) && r->s.p[r->at]) {
        r->stays = true;
    }
    struct re *out = node(r, op == '*' ? RE_STAR : RE_PLUS);
    if (out) {
        out->child = n;
    }
    return out;
}

static struct re *read_row(struct reader *r)
{
    struct re *pieces = NULL, **tail = &pieces;
    while (r->at < r->s.n && !r->stays) {
        char c = r->s.p[r->at];
        struct re *n;
        if (c == '|' || c == ')') {
            break;
        }
        if (c && strchr("^$[*+?{", c)) {
            r->stays = true;
            break;
        }
        if (c == '(') {
            r->at++;
            n = read_group(r);
            if (!n) {
                continue;
            }
        } else if (c == '.') {
            r->at++;
            n = node(r, RE_ANY);
        } else {
            n = read_char(r);
        }
        n = n && !r->stays ? read_repeat(r, n) : n;
        if (!n || r->stays) {
            break;
        }
        *tail = n;
        tail = &n->next;
    }
    return r->stays ? NULL : concat_of(r, pieces);
}

static struct re *read_choice(struct reader *r)
{
    struct re *rows = read_row(r), **tail = rows ? &rows->next : &rows;
    size_t n = 1;
    while (r->at < r->s.n && r->s.p[r->at] == '|' && !r->stays) {
        r->at++;
        *tail = read_row(r);
        tail = *tail ? &(*tail)->next : tail;
        n++;
    }
    return r->stays || n == 1 ? rows : alternate_of(r, rows);
}

/* -- words ----------------------------------------------------------------------------------------------- */

/* One word more: any of them will do. Loki lets "anything" be swallowed by what it is joined with. */
static bool add(struct reader *r, struct label_words *w, enum word_kind kind, struct str text, bool fold)
{
    kind = kind == WORD_CONTAINS && text.n == 0 ? WORD_ALL : kind;
    if (kind == WORD_ALL && w->first) {
        return true;
    }
    struct word *n = arena_zalloc(r->a, sizeof(*n));
    if (!n) {
        r->no_memory = true;
        return false;
    }
    *n = (struct word){kind, fold, text, NULL};
    if (w->first && w->first->kind == WORD_ALL) {
        w->first = NULL;
        w->tail = &w->first;
    }
    *w->tail = n;
    w->tail = &n->next;
    return true;
}

static void uncapture(struct re *n)
{
    while (n) {
        struct re *next = n->next;
        if (n->kind == RE_CAPTURE) {
            *n = *n->child;
            n->next = next;
        }
        n = next;
    }
}

static bool concat_words(struct reader *r, struct label_words *w, struct re *n, struct str base,
                         bool has_base);

static bool choice_words(struct reader *r, struct label_words *w, const struct re *choice, struct str base,
                         bool fold)
{
    for (struct re *c = choice->child; c; c = c->next) {
        if (!fold && c->fold) {
            return false;
        }
        bool ok = false;
        if (c->kind == RE_EMPTY || (c->kind == RE_STAR && c->child->kind == RE_ANY)) {
            ok = add(r, w, WORD_CONTAINS, base, fold);
        } else if (c->kind == RE_LITERAL) {
            ok = add(r, w, WORD_CONTAINS, joined(r, base, c->text), fold);
        } else if (c->kind == RE_CONCAT) {
            ok = concat_words(r, w, c, base, true);
        }
        if (!ok) {
            return false;
        }
    }
    return choice->child != NULL;
}

/* A literal, alternatives behind it, and ".*" around: the words are looked for anywhere. */
static bool concat_words(struct reader *r, struct label_words *w, struct re *n, struct str base,
                         bool has_base)
{
    size_t literals = 0;
    bool fold = false, found = false;
    uncapture(n->child);
    if (count(n->child) > 3) {
        return false;
    }
    for (struct re *c = n->child; c; c = c->next) {
        if (c->kind == RE_EMPTY) {
            continue;
        }
        if (c->kind == RE_LITERAL) {
            if (literals++) {
                return false;
            }
            base = has_base ? joined(r, base, c->text) : c->text;
            has_base = true;
            fold = c->fold;
        } else if (c->kind == RE_ALTERNATE && has_base) {
            if (!choice_words(r, w, c, base, fold)) {
                return false;
            }
            found = true;
        } else if (c->kind != RE_STAR || c->child->kind != RE_ANY) {
            return false;
        }
    }
    return found || (has_base && add(r, w, WORD_CONTAINS, base, fold));
}

static bool words_of(struct reader *r, struct label_words *w, struct re *n)
{
    if (n->kind == RE_CAPTURE) {
        struct re *next = n->next;
        *n = *n->child;
        n->next = next;
        return words_of(r, w, n);
    }
    switch (n->kind) {
    case RE_ALTERNATE:
        uncapture(n->child);
        for (struct re *c = n->child; c; c = c->next) {
            if (!words_of(r, w, c)) {
                return false;
            }
        }
        return true;
    case RE_CONCAT:
        return concat_words(r, w, n, STR(""), false);
    case RE_LITERAL:
        return add(r, w, WORD_EQUAL, n->text, n->fold);
    case RE_STAR:
        return add(r, w, WORD_ALL, STR(""), false);
    case RE_PLUS:
        return add(r, w, WORD_EXISTS, STR(""), false);
    case RE_EMPTY:
        return add(r, w, WORD_ALL, STR(""), false);
    case RE_ANY:
    case RE_CAPTURE:
        break;
    }
    return false;
}

enum err simplify_label_regex(struct arena *a, struct str pattern, const struct label_words **ret_words)
{
    struct reader r = {.a = a, .s = pattern};
    struct label_words *w = arena_zalloc(a, sizeof(*w));
    *ret_words = NULL;
    if (!w) {
        return arena_err(a);
    }
    w->tail = &w->first;
    struct re *n = str_utf8_valid(pattern) ? read_choice(&r) : NULL;
    bool words = n && !r.stays && r.at == pattern.n && words_of(&r, w, n) && !r.no_memory;
    if (words) {
        *ret_words = w;
    }
    return r.no_memory ? ERR_OOM : ERR_OK;
}

bool label_words_match_all(const struct label_words *w)
{
    return w->first->kind == WORD_ALL;
}

/* The text at `at` equals the word, case ignored. */
static bool folds_at(struct str s, size_t at, struct str word, size_t *ret_end)
{
    size_t k = 0;
    while (k < word.n) {
        int32_t x, y;
        if (at >= s.n) {
            return false;
        }
        at += go_rune(str_slice(s, at, s.n), &x);
        k += go_rune(str_slice(word, k, word.n), &y);
        if (go_lower(x) != y) {
            return false;
        }
    }
    *ret_end = at;
    return true;
}

static bool word_matches(const struct word *w, struct str v)
{
    size_t end;
    switch (w->kind) {
    case WORD_ALL:
        return true;
    case WORD_EXISTS:
        return v.n > 0;
    case WORD_EQUAL:
        return w->fold ? folds_at(v, 0, w->text, &end) && end == v.n : str_eq(v, w->text);
    case WORD_CONTAINS:
        break;
    }
    if (!w->fold) {
        return str_find(v, w->text, 0) != STR_NPOS;
    }
    for (size_t at = 0; at < v.n; at++) {
        if (folds_at(v, at, w->text, &end)) {
            return true;
        }
    }
    return false;
}

bool label_words_match(const struct label_words *w, struct str value)
{
    for (const struct word *x = w->first; x; x = x->next) {
        if (word_matches(x, value)) {
            return true;
        }
    }
    return false;
}
