/* Searching templates: in what repeats and in the slots, not in lines. */
#include <string.h>

#include "base/mem.h"
#include "logs/store/template_read_int.h"

static void hit_all(const struct template_page *p, const struct page_template *t, uint8_t *hit)
{
    for (uint32_t i = 0; i < t->rows; i++) {
        hit[p->sorted[t->first + i]] = 1;
    }
}

/* Whether values of the kind can hold the byte. */
static bool kind_has(const struct column *c, char x)
{
    bool digit = x >= '0' && x <= '9';
    if (c->kind == COLUMN_NUMBER || c->kind == COLUMN_DIGITS) {
        return digit;
    }
    return c->kind != COLUMN_HEX || digit || (x >= 'a' && x <= 'f');
}

static bool may_hold(const struct column *c, struct str needle)
{
    for (size_t i = 0; i < needle.n; i++) {
        char x = needle.p[i];
        if (!kind_has(c, x) && str_find_char(c->prefix, x, 0) == STR_NPOS &&
            str_find_char(c->suffix, x, 0) == STR_NPOS) {
            return false;
        }
    }
    return true;
}

static bool whole_value_has(struct template_page *p, const struct column *c, struct str v,
                            const struct finder *f)
{
    if (!c->prefix.n && !c->suffix.n) {
        return finder_next(f, v, 0) != STR_NPOS;
    }
    buf_reset(&p->scratch);
    buf_str(&p->scratch, c->prefix);
    buf_str(&p->scratch, v);
    buf_str(&p->scratch, c->suffix);
    return finder_next(f, buf_view(&p->scratch), 0) != STR_NPOS;
}

static enum err find_in_words(struct template_page *p, const struct page_template *t, struct column *c,
                              const struct finder *f, uint8_t *hit)
{
    uint8_t *word_hit = arena_zarray(p->arena, (size_t)c->word_count, 1);
    bool any = false;
    if (!word_hit) {
        return arena_err(p->arena);
    }
    for (uint64_t i = 0; i < c->word_count; i++) {
        word_hit[i] = whole_value_has(p, c, c->words[i], f);
        any = any || word_hit[i];
    }
    for (uint32_t i = 0; any && i < t->rows; i++) {
        hit[p->sorted[t->first + i]] |= word_hit[c->word_of[i]];
    }
    return p->scratch.err;
}

/* Values lie one after another, a line feed between them, which no needle of word characters has. */
static void find_in_text(const struct template_page *p, const struct page_template *t, const struct column *c,
                         const struct finder *f, uint8_t *hit)
{
    uint32_t i = 0;
    for (size_t at = 0; (at = finder_next(f, c->pool, at)) != STR_NPOS; at = c->offsets[i + 1]) {
        while (c->offsets[i + 1] <= at) {
            i++;
        }
        hit[p->sorted[t->first + i]] = 1;
    }
}

struct digits {                   /* looked for */
    uint64_t value, above, count; /* above: ten to the count */
};

/* Whether the decimal of v, at least `width` digits long, has the digits. */
static bool has_digits(uint64_t v, uint64_t width, const struct digits *d)
{
    if (v == 0 && width == 0) {
        return d->value == 0 && d->count == 1;
    }
    for (uint64_t left = width; v >= d->above / 10 || left >= d->count; v /= 10) {
        if (v < d->above ? v == d->value : v % d->above == d->value) {
            return true;
        }
        left -= left > 0;
    }
    return false;
}

/* Digits are looked for in numbers without making these text. */
static void find_in_numbers(const struct template_page *p, const struct page_template *t,
                            const struct column *c, struct str needle, uint8_t *hit)
{
    struct digits d = {.above = 1, .count = needle.n};
    if (needle.n > TEMPLATE_DIGITS_MAX) {
        return;
    }
    for (size_t i = 0; i < needle.n; i++) {
        d.value = d.value * 10 + (uint64_t)(needle.p[i] - '0');
        d.above *= 10;
    }
    if (c->largest && c->largest < d.above / 10 && c->width < needle.n) {
        return;
    }
    for (uint32_t i = 0; i < t->rows; i++) {
        if (has_digits(c->values[i], c->width, &d)) {
            hit[p->sorted[t->first + i]] = 1;
        }
    }
}

static enum err find_in_values(struct template_page *p, const struct page_template *t, const struct column *c,
                               const struct finder *f, uint8_t *hit)
{
    char own[TEMPLATE_HEX_MAX];
    for (uint32_t i = 0; i < t->rows; i++) {
        hit[p->sorted[t->first + i]] |= whole_value_has(p, c, template_value(c, i, own), f);
    }
    return p->scratch.err;
}

static enum err find_in_column(struct template_page *p, const struct page_template *t, struct column *c,
                               const struct finder *f, uint8_t *hit)
{
    if (finder_next(f, c->prefix, 0) != STR_NPOS || finder_next(f, c->suffix, 0) != STR_NPOS) {
        hit_all(p, t, hit);
        return ERR_OK;
    }
    bool text = c->kind == COLUMN_TEXT || c->kind == COLUMN_WORDS;
    bool affixes = c->prefix.n || c->suffix.n;
    if (c->kind == COLUMN_CONST || !may_hold(c, f->needle) ||
        (text && !affixes && finder_next(f, c->pool, 0) == STR_NPOS)) {
        return ERR_OK;
    }
    enum err e = template_load(p, c, t->rows);
    if (e) {
        return e;
    }
    if (c->kind == COLUMN_WORDS) {
        return find_in_words(p, t, c, f, hit);
    }
    if (affixes || c->kind == COLUMN_HEX) {
        return find_in_values(p, t, c, f, hit);
    }
    if (text) {
        find_in_text(p, t, c, f, hit);
    } else {
        find_in_numbers(p, t, c, f->needle, hit);
    }
    return ERR_OK;
}

/* The needle has only characters of words: a match lies in one word. */
static enum err find_word(struct template_page *p, const struct finder *f, uint8_t *hit)
{
    enum err e = ERR_OK;
    for (uint32_t k = 0; !e && k < p->template_count; k++) {
        const struct page_template *t = &p->templates[k];
        if (finder_next(f, t->key, 0) != STR_NPOS) {
            hit_all(p, t, hit);
            continue;
        }
        for (uint32_t i = 0; !e && i < t->slots; i++) {
            e = find_in_column(p, t, &p->columns[t->column + i], f, hit);
        }
    }
    return e;
}

static void find_in_rest(const struct template_page *p, const struct finder *f, uint8_t *hit)
{
    uint32_t i = 0;
    size_t at = 0;
    while (i < p->rest_rows && (at = finder_next(f, p->rest, at)) != STR_NPOS) {
        while (p->rest_offsets[i + 1] <= at) {
            i++;
        }
        if (at + f->needle.n <= p->rest_offsets[i + 1]) {
            hit[p->sorted[i]] = 1;
            at = p->rest_offsets[i + 1];
        } else {
            at++;
        }
    }
}

static struct str next_word(struct str *rest)
{
    size_t at = 0;
    while (at < rest->n && word_class((unsigned char)rest->p[at]) == WORD_NO) {
        at++;
    }
    size_t end = at;
    while (end < rest->n && word_class((unsigned char)rest->p[end]) != WORD_NO) {
        end++;
    }
    struct str word = str_slice(*rest, at, end);
    *rest = str_slice(*rest, end, rest->n);
    return word;
}

/* Rows that have all words of the needle somewhere are rebuilt and looked at. */
static enum err find_across(struct template_page *p, const struct finder *f, const uint8_t *alive,
                            uint8_t *hit)
{
    uint8_t *candidates = arena_array(p->arena, (size_t)p->rows + 1, 1);
    uint8_t *found = arena_array(p->arena, (size_t)p->rows + 1, 1);
    if (!candidates || !found) {
        return arena_err(p->arena);
    }
    struct str rest = f->needle;
    bool words = false;
    enum err e = ERR_OK;
    memcpy(candidates, alive, p->rows);
    for (struct str word; !e && (word = next_word(&rest)).n; words = true) {
        struct finder wf;
        finder_init(&wf, word);
        memset(found, 0, p->rows);
        e = find_word(p, &wf, found);
        for (uint32_t i = 0; i < p->rows; i++) {
            candidates[i] &= found[i];
        }
    }
    for (uint32_t i = 0; !e && words && i < p->rows; i++) {
        if (candidates[i] && !hit[i] && p->number_of[i]) {
            struct buf line = p->scratch;
            p->scratch = (struct buf){0};
            buf_reset(&line);
            e = template_append_line(p, i, &line);
            hit[i] = !e && finder_next(f, buf_view(&line), 0) != STR_NPOS;
            p->scratch = line;
        }
    }
    return e;
}

static bool only_word(struct str s)
{
    struct str rest = s;
    return next_word(&rest).n == s.n;
}

static enum err find(struct template_page *p, const struct finder *f, const uint8_t *alive, uint8_t *hit)
{
    if (f->needle.n == 0) {
        memset(hit, 1, p->rows);
        return ERR_OK;
    }
    if (p->rest_rows) {
        find_in_rest(p, f, hit);
    }
    if (memchr(f->needle.p, 0, f->needle.n)) { /* no line with a zero byte has a template */
        return ERR_OK;
    }
    if (only_word(f->needle)) {
        return find_word(p, f, hit);
    }
    for (uint32_t k = 0; k < p->template_count; k++) {
        if (finder_next(f, p->templates[k].key, 0) != STR_NPOS) {
            hit_all(p, &p->templates[k], hit);
        }
    }
    return find_across(p, f, alive, hit);
}

enum err template_find(struct template_page *p, const struct finder *f, const uint8_t *alive, uint8_t *hit)
{
    enum err e = find(p, f, alive, hit);
    buf_done(&p->scratch);
    return e;
}
