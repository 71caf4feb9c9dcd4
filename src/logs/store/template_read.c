/* Reading templates: columns are decoded when they are first asked for, lines rebuilt only where wanted. */
#include <string.h>

#include "base/mem.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "logs/store/ints.h"
#include "logs/store/template_int.h"

enum {
    POOL_BYTES_MAX = 256 << 20,
    VALUE_BYTES_MAX = 20, /* of a number */
};

struct column {
    enum column_kind kind;
    struct str prefix, suffix;
    struct str pool, numbers; /* what is left of them for the values */
    bool loaded;
    /* words */
    struct str *words;
    uint64_t *word_of, word_count;
    /* the other kinds: value i is text[offsets[i], offsets[i + 1] - 1); a line feed is behind it */
    const char *text;
    uint32_t *offsets;
    size_t text_n;
};

struct template
{
    struct str key;
    uint32_t first, rows; /* in p->sorted */
    uint32_t column, slots;
};

struct template_page {
    struct arena *arena;
    uint32_t rows, template_count;
    uint64_t *number_of; /* by row: template + 1; 0 = none */
    uint32_t *sorted;    /* rows by template; those without one first */
    uint32_t *ordinal;   /* of each row in its template */
    uint32_t rest_rows;
    struct template *templates;
    struct column *columns;
    struct str rest;
    uint32_t *rest_offsets; /* by ordinal; NULL until lengths are known */
    struct buf scratch;
};

/* --- opening --- */

static enum err unpack(struct reader *r, struct arena *a, struct str *ret_plain)
{
    uint64_t size = read_varint(r);
    struct str packed = read_str(r);
    if (r->bad || size > POOL_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    struct buf plain AUTO_BUF = {0};
    enum err e = decompress_bytes(COMPRESS_ZSTD, packed, (size_t)size, &plain, NULL);
    if (e) {
        return e == ERR_OOM ? e : ERR_CORRUPT;
    }
    *ret_plain = arena_str(a, buf_view(&plain));
    return !ret_plain->p ? arena_err(a) : ret_plain->n == size ? ERR_OK : ERR_CORRUPT;
}

static enum err sort_rows(struct template_page *p)
{
    struct arena *a = p->arena;
    uint32_t *at = arena_zarray(a, (size_t)p->template_count + 2, sizeof(*at));
    p->sorted = arena_array(a, (size_t)p->rows + 1, sizeof(*p->sorted));
    p->ordinal = arena_array(a, (size_t)p->rows + 1, sizeof(*p->ordinal));
    if (!at || !p->sorted || !p->ordinal) {
        return arena_err(a);
    }
    for (uint32_t i = 0; i < p->rows; i++) {
        if (p->number_of[i] > p->template_count) {
            return ERR_CORRUPT;
        }
        at[p->number_of[i] + 1]++;
    }
    p->rest_rows = at[1];
    for (uint32_t k = 0; k < p->template_count; k++) {
        p->templates[k].rows = at[k + 2];
        at[k + 1] += at[k];
        p->templates[k].first = at[k + 1];
    }
    for (uint32_t i = 0; i < p->rows; i++) {
        uint64_t k = p->number_of[i];
        uint32_t first = k ? p->templates[k - 1].first : 0;
        p->ordinal[i] = at[k] - first;
        p->sorted[at[k]++] = i;
    }
    return ERR_OK;
}

static enum err read_keys(struct template_page *p, struct reader *pool)
{
    uint32_t columns = 0;
    for (uint32_t k = 0; k < p->template_count; k++) {
        struct template *t = &p->templates[k];
        t->key = read_str(pool);
        t->column = columns;
        for (size_t i = 0; i < t->key.n; i++) {
            t->slots += t->key.p[i] == '\0';
        }
        columns += t->slots;
        if (pool->bad || t->slots > TEMPLATE_SLOTS_MAX || columns > TEMPLATE_COLUMNS_MAX) {
            return ERR_CORRUPT;
        }
    }
    p->columns = arena_zarray(p->arena, (size_t)columns + 1, sizeof(*p->columns));
    return p->columns ? ERR_OK : arena_err(p->arena);
}

static enum err read_columns(struct template_page *p, struct reader *heads, struct reader *pool)
{
    size_t n = 0;
    for (uint32_t k = 0; k < p->template_count; k++) {
        n += p->templates[k].slots;
    }
    uint64_t *numbers = arena_array(p->arena, n + 1, sizeof(*numbers));
    if (!numbers) {
        return arena_err(p->arena);
    }
    for (size_t i = 0; i < n; i++) {
        struct column *c = &p->columns[i];
        unsigned kind = read_u8(heads);
        struct reader own = reader_of(read_bytes(pool, (size_t)read_varint(heads)));
        numbers[i] = read_varint(heads);
        c->prefix = read_str(&own);
        c->suffix = read_str(&own);
        if (pool->bad || heads->bad || own.bad || kind >= COLUMN_KINDS) {
            return ERR_CORRUPT;
        }
        c->kind = (enum column_kind)kind;
        c->pool = read_bytes(&own, reader_left(&own));
    }
    for (size_t i = 0; i < n; i++) {
        p->columns[i].numbers = read_bytes(heads, (size_t)numbers[i]);
    }
    return heads->bad || reader_left(heads) || reader_left(pool) ? ERR_CORRUPT : ERR_OK;
}

enum err template_open(struct str body, uint32_t rows, struct arena *a, struct template_page **ret_p)
{
    struct template_page *p = arena_zalloc(a, sizeof(*p));
    struct reader r = reader_of(body);
    uint64_t count = read_varint(&r);
    if (r.bad || count > rows) {
        return ERR_CORRUPT;
    }
    uint64_t *numbers = arena_array(a, (size_t)rows + 1, sizeof(*numbers));
    struct template *templates = arena_zarray(a, (size_t)count + 1, sizeof(*templates));
    if (!p || !numbers || !templates) {
        return arena_err(a);
    }
    p->arena = a;
    p->rows = rows;
    p->template_count = (uint32_t)count;
    p->number_of = numbers;
    p->templates = templates;
    struct str pool_bytes = {0};
    enum err e = ints_read(&r, numbers, rows);
    e = e ? e : unpack(&r, a, &pool_bytes);
    e = e ? e : unpack(&r, a, &p->rest);
    struct reader pool = reader_of(pool_bytes);
    e = e ? e : sort_rows(p);
    e = e ? e : read_keys(p, &pool);
    e = e ? e : read_columns(p, &r, &pool);
    if (!e) {
        *ret_p = p;
    }
    return e;
}

bool template_has_rest(const struct template_page *p)
{
    return p->rest_rows > 0;
}

enum err template_set_lengths(struct template_page *p, const uint64_t *lengths)
{
    p->rest_offsets = arena_array(p->arena, (size_t)p->rest_rows + 1, sizeof(*p->rest_offsets));
    if (!p->rest_offsets) {
        return arena_err(p->arena);
    }
    size_t at = 0;
    p->rest_offsets[0] = 0;
    for (uint32_t i = 0; i < p->rest_rows; i++) {
        uint64_t n = lengths[p->sorted[i]];
        if (n > p->rest.n - at) {
            return ERR_CORRUPT;
        }
        at += (size_t)n;
        p->rest_offsets[i + 1] = (uint32_t)at;
    }
    return at == p->rest.n ? ERR_OK : ERR_CORRUPT;
}

/* --- columns --- */

static enum err load_words(struct template_page *p, struct column *c, uint32_t n)
{
    struct reader pool = reader_of(c->pool), numbers = reader_of(c->numbers);
    uint64_t count = read_varint(&pool);
    if (pool.bad || count == 0 || count > reader_left(&pool)) {
        return ERR_CORRUPT;
    }
    c->words = arena_array(p->arena, (size_t)count, sizeof(*c->words));
    c->word_of = arena_array(p->arena, n, sizeof(*c->word_of));
    if (!c->words || !c->word_of) {
        return arena_err(p->arena);
    }
    for (uint64_t i = 0; i < count; i++) {
        c->words[i] = read_str(&pool);
    }
    c->word_count = count;
    enum err e = pool.bad ? ERR_CORRUPT : ints_read(&numbers, c->word_of, n);
    for (uint32_t i = 0; !e && i < n; i++) {
        e = c->word_of[i] < count ? ERR_OK : ERR_CORRUPT;
    }
    return e;
}

static enum err load_text(struct template_page *p, struct column *c, uint32_t n)
{
    c->text = c->pool.p;
    c->text_n = c->pool.n;
    c->offsets = arena_array(p->arena, (size_t)n + 1, sizeof(*c->offsets));
    if (!c->offsets) {
        return arena_err(p->arena);
    }
    size_t at = 0;
    c->offsets[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        const char *end = at < c->text_n ? memchr(c->text + at, '\n', c->text_n - at) : NULL;
        if (!end) {
            return ERR_CORRUPT;
        }
        at = (size_t)(end - c->text) + 1;
        c->offsets[i + 1] = (uint32_t)at;
    }
    return at == c->text_n ? ERR_OK : ERR_CORRUPT;
}

/* Decimal, padded with zeros to `width`; returns the digits written. */
static size_t put_decimal(char *dst, uint64_t v, size_t width)
{
    char digits[VALUE_BYTES_MAX];
    size_t n = 0, at = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (; at + n < width; at++) {
        dst[at] = '0';
    }
    while (n) {
        dst[at++] = digits[--n];
    }
    return at;
}

static enum err load_numbers(struct template_page *p, struct column *c, uint32_t n)
{
    struct reader r = reader_of(c->numbers);
    uint64_t width = c->kind == COLUMN_DIGITS ? read_varint(&r) : 0;
    if (width > TEMPLATE_DIGITS_MAX) {
        return ERR_CORRUPT;
    }
    uint64_t *v = arena_array(p->arena, n, sizeof(*v));
    char *text = arena_bytes(p->arena, (size_t)n * (VALUE_BYTES_MAX + 1));
    c->offsets = arena_array(p->arena, (size_t)n + 1, sizeof(*c->offsets));
    enum err e = v && text && c->offsets ? ints_read(&r, v, n) : arena_err(p->arena);
    size_t at = 0;
    for (uint32_t i = 0; !e && i < n; i++) {
        c->offsets[i] = (uint32_t)at;
        at += put_decimal(text + at, v[i], (size_t)width);
        text[at++] = '\n';
    }
    c->text = text;
    c->text_n = at;
    if (!e) {
        c->offsets[n] = (uint32_t)at;
    }
    return e;
}

static enum err load_hex(struct template_page *p, struct column *c, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    struct reader r = reader_of(c->numbers);
    uint64_t width = read_varint(&r);
    size_t bytes = (size_t)(width + 1) / 2;
    if (r.bad || width == 0 || width > TEMPLATE_HEX_MAX || reader_left(&r) != bytes * n) {
        return ERR_CORRUPT;
    }
    char *text = arena_bytes(p->arena, (size_t)n * ((size_t)width + 1));
    c->offsets = arena_array(p->arena, (size_t)n + 1, sizeof(*c->offsets));
    if (!text || !c->offsets) {
        return arena_err(p->arena);
    }
    const uint8_t *v = r.p;
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++, v += bytes) {
        c->offsets[i] = (uint32_t)at;
        for (size_t k = 0; k < width; k++) {
            text[at++] = digits[k % 2 ? v[k / 2] & 15 : v[k / 2] >> 4];
        }
        text[at++] = '\n';
    }
    c->offsets[n] = (uint32_t)at;
    c->text = text;
    c->text_n = at;
    return ERR_OK;
}

static enum err load(struct template_page *p, struct column *c, uint32_t n)
{
    if (c->loaded) {
        return ERR_OK;
    }
    enum err e = ERR_OK;
    switch (c->kind) {
    case COLUMN_NUMBER:
    case COLUMN_DIGITS:
        e = load_numbers(p, c, n);
        break;
    case COLUMN_HEX:
        e = load_hex(p, c, n);
        break;
    case COLUMN_WORDS:
        e = load_words(p, c, n);
        break;
    case COLUMN_TEXT:
        e = load_text(p, c, n);
        break;
    case COLUMN_CONST:
    case COLUMN_KINDS:
        break;
    }
    c->loaded = !e;
    return e;
}

static inline struct str value_of(const struct column *c, uint32_t i)
{
    if (c->kind == COLUMN_WORDS) {
        return c->words[c->word_of[i]];
    }
    return c->kind == COLUMN_CONST ? (struct str){0}
                                   : str_of(c->text + c->offsets[i], c->offsets[i + 1] - 1 - c->offsets[i]);
}

/* --- searching --- */

static void hit_all(const struct template_page *p, const struct template *t, uint8_t *hit)
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

static enum err find_in_words(struct template_page *p, const struct template *t, struct column *c,
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
static void find_in_text(const struct template_page *p, const struct template *t, const struct column *c,
                         const struct finder *f, uint8_t *hit)
{
    struct str text = str_of(c->text, c->text_n);
    uint32_t i = 0;
    for (size_t at = 0; (at = finder_next(f, text, at)) != STR_NPOS; at = c->offsets[i + 1]) {
        while (c->offsets[i + 1] <= at) {
            i++;
        }
        hit[p->sorted[t->first + i]] = 1;
    }
}

static enum err find_in_column(struct template_page *p, const struct template *t, struct column *c,
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
    enum err e = load(p, c, t->rows);
    if (e) {
        return e;
    }
    if (c->kind == COLUMN_WORDS) {
        return find_in_words(p, t, c, f, hit);
    }
    if (!affixes) {
        find_in_text(p, t, c, f, hit);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < t->rows; i++) {
        hit[p->sorted[t->first + i]] |= whole_value_has(p, c, value_of(c, i), f);
    }
    return p->scratch.err;
}

/* The needle has only characters of words: a match lies in one word. */
static enum err find_word(struct template_page *p, const struct finder *f, uint8_t *hit)
{
    enum err e = ERR_OK;
    for (uint32_t k = 0; !e && k < p->template_count; k++) {
        const struct template *t = &p->templates[k];
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

static enum err append_line(struct template_page *p, uint32_t row, struct buf *dst);

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
            e = append_line(p, i, &line);
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

/* --- lines --- */

static enum err append_line(struct template_page *p, uint32_t row, struct buf *dst)
{
    if (p->number_of[row] == 0) {
        uint32_t i = p->ordinal[row];
        buf_str(dst, str_slice(p->rest, p->rest_offsets[i], p->rest_offsets[i + 1]));
        return dst->err;
    }
    const struct template *t = &p->templates[p->number_of[row] - 1];
    const char *at = t->key.p, *end = at + t->key.n;
    for (uint32_t i = 0; i < t->slots; i++) {
        const char *slot = memchr(at, 0, (size_t)(end - at));
        struct column *c = &p->columns[t->column + i];
        enum err e = load(p, c, t->rows);
        if (e || !slot) {
            return e ? e : ERR_CORRUPT;
        }
        buf_append(dst, at, (size_t)(slot - at));
        buf_str(dst, c->prefix);
        buf_str(dst, value_of(c, p->ordinal[row]));
        buf_str(dst, c->suffix);
        at = slot + 1;
    }
    buf_append(dst, at, (size_t)(end - at));
    return dst->err;
}

enum err template_lines(struct template_page *p, const uint8_t *alive, struct buf *dst, uint32_t *lengths)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; !e && i < p->rows; i++) {
        size_t mark = dst->n;
        if (alive[i]) {
            e = append_line(p, i, dst);
        }
        lengths[i] = (uint32_t)(dst->n - mark);
    }
    return e;
}
