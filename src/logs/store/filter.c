/* Line filters as the source applies them: exact, on single lines and on the text of a whole group. */
#include "logs/store/cursor_int.h"
#include "logs/store/grams.h"

enum {
    SPARSE = 8, /* when fewer than one line in so many is left, they are looked at one by one */
};

/* --- preparing --- */

static bool only_texts(struct str re)
{
    static const char special[] = ".*+?()[]{}\\^$";
    for (size_t i = 0; i < re.n; i++) {
        if (memchr(special, re.p[i], sizeof(special) - 1)) {
            return false;
        }
    }
    return re.n > 0;
}

static enum err add_texts(struct arena *a, struct filter *f, struct str texts, char sep)
{
    size_t cap = 0;
    struct str rest = texts;
    do {
        struct str text = sep ? str_cut(&rest, sep) : rest;
        enum err e = arena_reserve(a, (void **)&f->texts, &cap, f->text_n + 1, sizeof(*f->texts));
        if (e) {
            return e;
        }
        finder_init(&f->texts[f->text_n++], text);
    } while (sep && rest.p);
    return ERR_OK;
}

enum err filters_init(struct log_cursor *c)
{
    c->filters = arena_zarray(&c->arena, c->sel.filter_count + 1, sizeof(*c->filters));
    if (!c->filters) {
        return arena_err(&c->arena);
    }
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < c->sel.filter_count; i++) {
        struct filter *f = &c->filters[i];
        f->f = &c->sel.filters[i];
        f->wants = f->f->op == LOG_CONTAINS || f->f->op == LOG_MATCHES;
        if (f->f->op <= LOG_NOT_CONTAINS) {
            e = add_texts(&c->arena, f, f->f->text, 0);
        } else if (only_texts(f->f->text) && str_eq(f->f->text, regex_pattern(f->f->re))) {
            e = add_texts(&c->arena, f, f->f->text, '|');
        }
    }
    return e;
}

/* --- lines --- */

static bool hits(const struct filter *f, struct str line)
{
    for (size_t i = 0; i < f->text_n; i++) {
        if (finder_next(&f->texts[i], line, 0) != STR_NPOS) {
            return true;
        }
    }
    return !f->texts && regex_match(f->f->re, line);
}

bool filters_accept(const struct log_cursor *c, struct str line)
{
    for (size_t i = 0; i < c->sel.filter_count; i++) {
        if (hits(&c->filters[i], line) != c->filters[i].wants) {
            return false;
        }
    }
    return true;
}

/* --- groups --- */

bool filters_may_accept(const struct log_cursor *c, struct str grams)
{
    uint64_t bitmap[GRAMS_BITS / 64];
    bool read = false;
    for (size_t i = 0; i < c->sel.filter_count; i++) {
        const struct filter *f = &c->filters[i];
        if (!f->wants || !f->texts) {
            continue;
        }
        if (!read) {
            grams_read(grams, bitmap);
            read = true;
        }
        bool any = false;
        for (size_t k = 0; k < f->text_n && !any; k++) {
            any = grams_may_contain(bitmap, f->texts[k].needle);
        }
        if (!any) {
            return false;
        }
    }
    return true;
}

/* Looks for the text through all lines at once; a match across the end of a line is none. */
static void mark_hits(const struct finder *f, struct str text, const uint32_t *offsets, uint32_t n,
                      uint8_t *hit)
{
    if (f->needle.n == 0) {
        memset(hit, 1, n);
        return;
    }
    size_t at = 0;
    uint32_t row = 0;
    while ((at = finder_next(f, text, at)) != STR_NPOS) {
        while (offsets[row + 1] <= at) {
            row++;
        }
        if (at + f->needle.n <= offsets[row + 1]) {
            hit[row] = 1;
            at = offsets[row + 1];
        } else {
            at++;
        }
    }
}

static uint32_t count_alive(const uint8_t *alive, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += alive[i];
    }
    return count;
}

void filters_apply(const struct log_cursor *c, struct str text, const uint32_t *offsets, uint32_t n,
                   uint8_t *alive, uint8_t *hit)
{
    for (size_t i = 0; i < c->sel.filter_count; i++) {
        const struct filter *f = &c->filters[i];
        uint32_t left = count_alive(alive, n);
        if (f->texts && left > n / SPARSE) {
            memset(hit, 0, n);
            for (size_t k = 0; k < f->text_n; k++) {
                mark_hits(&f->texts[k], text, offsets, n, hit);
            }
            for (uint32_t row = 0; row < n; row++) {
                alive[row] = alive[row] && (hit[row] != 0) == f->wants;
            }
            continue;
        }
        for (uint32_t row = 0; left && row < n; row++) {
            if (alive[row]) {
                alive[row] = hits(f, str_slice(text, offsets[row], offsets[row + 1])) == f->wants;
            }
        }
    }
}
