/* Line filters as the source applies them: exact, on single lines and on the text of a whole group. */
#include "logs/store/cursor_int.h"
#include "logs/store/grams.h"
#include "logs/store/needed.h"

enum {
    NEEDED_MIN = 2, /* a shorter text is in too many lines to be worth looking for */
    SPARSE = 8,     /* when fewer than one line in so many is left, they are looked at one by one */
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
        } else if (f->wants) {
            struct str needed;
            e = regex_needed_text(regex_pattern(f->f->re), &c->arena, &needed);
            if (!e && needed.n >= NEEDED_MIN) {
                finder_init(&f->needed, needed);
            }
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
    if (f->texts || (f->needed.needle.n && finder_next(&f->needed, line, 0) == STR_NPOS)) {
        return false;
    }
    return regex_match(f->f->re, line);
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
        if (!f->wants || (!f->texts && !f->needed.needle.n)) {
            continue;
        }
        if (!read) {
            grams_read(grams, bitmap);
            read = true;
        }
        bool any = !f->texts && grams_may_contain(bitmap, f->needed.needle);
        for (size_t k = 0; k < f->text_n && !any; k++) {
            any = grams_may_contain(bitmap, f->texts[k].needle);
        }
        if (!any) {
            return false;
        }
    }
    return true;
}

static uint32_t count_alive(const uint8_t *alive, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += alive[i];
    }
    return count;
}

/* One filter that is texts, or the text that its expression needs, over all rows at once. */
static enum err apply_texts(const struct filter *f, struct text_page *t, uint8_t *alive, uint8_t *hit)
{
    enum err e = ERR_OK;
    memset(hit, 0, t->rows);
    if (!f->texts) {
        e = text_find(t, &f->needed, alive, hit);
    }
    for (size_t k = 0; !e && k < f->text_n; k++) {
        e = text_find(t, &f->texts[k], alive, hit);
    }
    for (uint32_t row = 0; !e && row < t->rows; row++) {
        alive[row] = alive[row] && (hit[row] != 0) == f->wants;
    }
    return e;
}

enum err filters_apply(const struct log_cursor *c, struct text_page *t, uint8_t *alive, uint8_t *hit,
                       struct str *lines, uint32_t *ret_left)
{
    uint32_t left = count_alive(alive, t->rows);
    bool others = false;
    enum err e = ERR_OK;
    for (size_t i = 0; !e && left && i < c->sel.filter_count; i++) {
        const struct filter *f = &c->filters[i];
        bool texts = (f->texts || f->needed.needle.n) && left > t->rows / SPARSE;
        others = others || !texts || !f->texts;
        if (texts) {
            e = apply_texts(f, t, alive, hit);
            left = count_alive(alive, t->rows);
        }
    }
    if (e || !left || !others) {
        *ret_left = left;
        return e;
    }
    e = text_lines(t, alive, lines); /* texts that were applied are asked again: they are few then */
    for (uint32_t row = 0; !e && row < t->rows; row++) {
        if (alive[row] && !filters_accept(c, lines[row])) {
            alive[row] = 0;
            left--;
        }
    }
    *ret_left = left;
    return e;
}
