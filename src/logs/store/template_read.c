/* Reading templates: columns are decoded when they are first asked for, lines rebuilt only where wanted. */
#include <string.h>

#include "base/mem.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "logs/store/ints.h"
#include "logs/store/template_read_int.h"

enum {
    POOL_BYTES_MAX = 256 << 20,
    VALUE_BYTES_MAX = 20, /* of a number */
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
        struct page_template *t = &p->templates[k];
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
    struct page_template *templates = arena_zarray(a, (size_t)count + 1, sizeof(*templates));
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
    struct str text = c->pool;
    c->offsets = arena_array(p->arena, (size_t)n + 1, sizeof(*c->offsets));
    if (!c->offsets) {
        return arena_err(p->arena);
    }
    size_t at = 0;
    c->offsets[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        const char *end = at < text.n ? memchr(text.p + at, '\n', text.n - at) : NULL;
        if (!end) {
            return ERR_CORRUPT;
        }
        at = (size_t)(end - text.p) + 1;
        c->offsets[i + 1] = (uint32_t)at;
    }
    return at == text.n ? ERR_OK : ERR_CORRUPT;
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
    c->width = c->kind == COLUMN_DIGITS ? read_varint(&r) : 0;
    if (c->width > TEMPLATE_DIGITS_MAX) {
        return ERR_CORRUPT;
    }
    c->values = arena_array(p->arena, n, sizeof(*c->values));
    enum err e = c->values ? ints_read(&r, c->values, n) : arena_err(p->arena);
    for (uint32_t i = 0; !e && i < n; i++) {
        c->largest = c->values[i] > c->largest ? c->values[i] : c->largest;
    }
    return e;
}

static enum err load_hex(struct column *c, uint32_t n)
{
    struct reader r = reader_of(c->numbers);
    c->width = read_varint(&r);
    c->nibbles = r.p;
    bool sound = !r.bad && c->width > 0 && c->width <= TEMPLATE_HEX_MAX &&
                 reader_left(&r) == (size_t)(c->width + 1) / 2 * n;
    return sound ? ERR_OK : ERR_CORRUPT;
}

enum err template_load(struct template_page *p, struct column *c, uint32_t n)
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
        e = load_hex(c, n);
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

struct str template_value(const struct column *c, uint32_t i, char *own)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *v;
    switch (c->kind) {
    case COLUMN_NUMBER:
    case COLUMN_DIGITS:
        return str_of(own, put_decimal(own, c->values[i], (size_t)c->width));
    case COLUMN_HEX:
        v = c->nibbles + (size_t)(c->width + 1) / 2 * i;
        for (size_t k = 0; k < c->width; k++) {
            own[k] = digits[k % 2 ? v[k / 2] & 15 : v[k / 2] >> 4];
        }
        return str_of(own, (size_t)c->width);
    case COLUMN_WORDS:
        return c->words[c->word_of[i]];
    case COLUMN_TEXT:
        return str_of(c->pool.p + c->offsets[i], c->offsets[i + 1] - 1 - c->offsets[i]);
    case COLUMN_CONST:
    case COLUMN_KINDS:
        break;
    }
    return (struct str){0};
}

/* --- lines --- */

enum err template_append_line(struct template_page *p, uint32_t row, struct buf *dst)
{
    if (p->number_of[row] == 0) {
        uint32_t i = p->ordinal[row];
        buf_str(dst, str_slice(p->rest, p->rest_offsets[i], p->rest_offsets[i + 1]));
        return dst->err;
    }
    const struct page_template *t = &p->templates[p->number_of[row] - 1];
    const char *at = t->key.p, *end = at + t->key.n;
    char own[TEMPLATE_HEX_MAX];
    for (uint32_t i = 0; i < t->slots; i++) {
        const char *slot = memchr(at, 0, (size_t)(end - at));
        struct column *c = &p->columns[t->column + i];
        enum err e = template_load(p, c, t->rows);
        if (e || !slot) {
            return e ? e : ERR_CORRUPT;
        }
        buf_append(dst, at, (size_t)(slot - at));
        buf_str(dst, c->prefix);
        buf_str(dst, template_value(c, p->ordinal[row], own));
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
            e = template_append_line(p, i, dst);
        }
        lengths[i] = (uint32_t)(dst->n - mark);
    }
    return e;
}
