/* Finding templates in a group of lines, and writing their slots as columns. */
#include "base/hash.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "logs/store/ints.h"
#include "logs/store/template_int.h"

enum {
    LINES_MIN_FINE = 16,  /* lines that make a template of words without digits worth its columns */
    LINES_MIN_COARSE = 4, /* the same when all words are slots */
    LINE_BYTES_SPLIT_MAX = 64 << 10, /* longer lines are left whole */
    WORDS_MAX = 4096,                /* of a column's dictionary */
    WORDS_TABLE_MIN = 64,
    WORDS_TABLE = 16384,   /* places for them */
    WORDS_TRIED_MAX = 256, /* up to so many, numbers are tried as words too */
    LEVEL = 1
};

struct word {
    uint32_t at;
    uint32_t n : 31;
    uint32_t digit : 1;
};

struct shape { /* a candidate template */
    struct str key;
    uint64_t hash;
    uint32_t lines, slots, number; /* number in the page + 1; 0 = not used */
};

struct shapes {
    struct shape *items;
    size_t n, cap;
    uint32_t *table; /* index + 1 by hash */
    size_t table_cap;
};

struct line_words {
    uint32_t first, fine, coarse; /* word; shapes + 1, 0 = none */
};

struct template_writer {
    struct arena arena;                 /* of the group being written */
    uint8_t classes[256], nibbles[256]; /* 16 = no hexadecimal digit */
    struct word *words;
    size_t word_n, word_cap;
    struct line_words *lines;
    size_t line_cap;
    struct buf key, pool, numbers, heads;
    struct shapes fine, coarse;

    struct str *values; /* of the slot being written */
    uint64_t *ints;
    size_t value_cap, int_cap;
    uint32_t *places; /* of the dictionary: index + 1 */
    struct str *dictionary;
    uint64_t *dictionary_hash;
};

enum err template_writer_new(struct template_writer **ret_w)
{
    struct template_writer *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return ERR_OOM;
    }
    arena_init(&w->arena, 0, NULL);
    for (unsigned c = 0; c < 256; c++) {
        w->classes[c] = (uint8_t)word_class((unsigned char)c);
        w->nibbles[c] = (uint8_t)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16);
    }
    w->places = mem_array(WORDS_TABLE, sizeof(*w->places));
    w->dictionary = mem_array(WORDS_MAX, sizeof(*w->dictionary));
    w->dictionary_hash = mem_array(WORDS_MAX, sizeof(*w->dictionary_hash));
    if (!w->places || !w->dictionary || !w->dictionary_hash) {
        template_writer_free(w);
        return ERR_OOM;
    }
    *ret_w = w;
    return ERR_OK;
}

void template_writer_free(struct template_writer *w)
{
    if (w) {
        arena_done(&w->arena);
        mem_free(w->words);
        mem_free(w->lines);
        buf_done(&w->key);
        buf_done(&w->pool);
        buf_done(&w->numbers);
        buf_done(&w->heads);
        mem_free(w->values);
        mem_free(w->ints);
        mem_free(w->places);
        mem_free(w->dictionary);
        mem_free(w->dictionary_hash);
        mem_free(w);
    }
}

/* --- shapes --- */

static enum err shapes_grow(struct template_writer *w, struct shapes *s)
{
    size_t cap = s->table_cap ? s->table_cap * 2 : 256;
    uint32_t *table = arena_zarray(&w->arena, cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    for (size_t k = 0; k < s->n; k++) {
        size_t i = (size_t)s->items[k].hash & (cap - 1);
        while (table[i]) {
            i = (i + 1) & (cap - 1);
        }
        table[i] = (uint32_t)k + 1;
    }
    s->table = table;
    s->table_cap = cap;
    return ERR_OK;
}

/* The shape of w->key, counted; *ret_index is 1-based. */
static enum err shape_count(struct template_writer *w, struct shapes *s, uint32_t slots, uint32_t *ret_index)
{
    struct str key = buf_view(&w->key);
    uint64_t hash = hash_str(key);
    if (s->n * 2 >= s->table_cap) {
        enum err e = shapes_grow(w, s);
        if (e) {
            return e;
        }
    }
    size_t i = (size_t)hash & (s->table_cap - 1);
    for (; s->table[i]; i = (i + 1) & (s->table_cap - 1)) {
        struct shape *x = &s->items[s->table[i] - 1];
        if (x->hash == hash && str_eq(x->key, key)) {
            x->lines++;
            *ret_index = s->table[i];
            return ERR_OK;
        }
    }
    enum err e = arena_reserve(&w->arena, (void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items));
    struct str copy = e ? (struct str){0} : arena_str(&w->arena, key);
    if (!copy.p) {
        return e ? e : ERR_OOM;
    }
    s->items[s->n++] = (struct shape){.key = copy, .hash = hash, .lines = 1, .slots = slots};
    s->table[i] = (uint32_t)s->n;
    *ret_index = (uint32_t)s->n;
    return ERR_OK;
}

static enum err put_word(struct template_writer *w, uint32_t at, uint32_t n, bool digit)
{
    if (w->word_n == w->word_cap) {
        enum err e = vec_reserve((void **)&w->words, &w->word_cap, w->word_n + 1, sizeof(*w->words));
        if (e) {
            return e;
        }
    }
    w->words[w->word_n++] = (struct word){.at = at, .n = n & 0x7fffffff, .digit = digit};
    return ERR_OK;
}

/* Cuts a line into words; false when it is to be left whole. */
static enum err split(struct template_writer *w, struct str text, uint32_t from, uint32_t to, bool *ret_split)
{
    size_t first = w->word_n;
    uint32_t at = from;
    *ret_split = to - from <= LINE_BYTES_SPLIT_MAX && !memchr(text.p + from, 0, to - from);
    while (*ret_split && at < to) {
        unsigned seen = w->classes[(unsigned char)text.p[at]];
        uint32_t start = at++;
        if (seen == WORD_NO) {
            continue;
        }
        for (unsigned c; at < to && (c = w->classes[(unsigned char)text.p[at]]) != WORD_NO; at++) {
            seen |= c;
        }
        enum err e = put_word(w, start, at - start, seen == WORD_DIGIT);
        if (e) {
            return e;
        }
        *ret_split = w->word_n - first <= TEMPLATE_SLOTS_MAX;
    }
    if (!*ret_split) {
        w->word_n = first;
    }
    return ERR_OK;
}

/* The line without the words that are slots; returns their number. */
static uint32_t make_key(struct template_writer *w, struct str text, uint32_t from, uint32_t to,
                         const struct word *words, size_t n, bool all)
{
    uint32_t slots = 0;
    buf_reset(&w->key);
    char *key = buf_tail(&w->key, to - from + 1), *out = key;
    for (size_t i = 0; key && i < n; i++) {
        if (all || words[i].digit) {
            memcpy(out, text.p + from, words[i].at - from);
            out += words[i].at - from;
            *out++ = '\0';
            from = words[i].at + words[i].n;
            slots++;
        }
    }
    if (key) {
        memcpy(out, text.p + from, to - from);
        w->key.n = (size_t)(out - key) + to - from;
    }
    return slots;
}

static enum err find_shapes(struct template_writer *w, struct str text, const uint32_t *offsets,
                            uint32_t rows)
{
    enum err e = vec_reserve((void **)&w->lines, &w->line_cap, (size_t)rows + 1, sizeof(*w->lines));
    w->word_n = 0;
    for (uint32_t i = 0; !e && i < rows; i++) {
        struct line_words *l = &w->lines[i];
        bool whole;
        *l = (struct line_words){.first = (uint32_t)w->word_n};
        e = split(w, text, offsets[i], offsets[i + 1], &whole);
        if (!e && whole && offsets[i + 1] > offsets[i]) {
            uint32_t slots = make_key(w, text, offsets[i], offsets[i + 1], w->words + l->first,
                                      w->word_n - l->first, false);
            e = shape_count(w, &w->fine, slots, &l->fine);
        }
    }
    if (!e) {
        w->lines[rows].first = (uint32_t)w->word_n;
    }
    for (uint32_t i = 0; !e && i < rows; i++) {
        struct line_words *l = &w->lines[i];
        if (l->fine && w->fine.items[l->fine - 1].lines < LINES_MIN_FINE) {
            uint32_t slots = make_key(w, text, offsets[i], offsets[i + 1], w->words + l->first,
                                      l[1].first - l->first, true);
            e = shape_count(w, &w->coarse, slots, &l->coarse);
        }
    }
    return e ? e : w->key.err;
}

/* --- columns --- */

static bool not_digit(char c)
{
    return c < '0' || c > '9';
}

/* Letters that all values begin and end with are cut off and put into the pool. */
static void cut_affixes(struct template_writer *w, struct str *v, size_t n)
{
    size_t prefix = 0, suffix = 0;
    struct str f = v[0];
    while (prefix < f.n && not_digit(f.p[prefix])) {
        prefix++;
    }
    while (suffix < f.n - prefix && not_digit(f.p[f.n - 1 - suffix])) {
        suffix++;
    }
    for (size_t i = 1; i < n && (prefix || suffix); i++) {
        size_t k = 0, most = v[i].n < prefix ? v[i].n : prefix;
        while (k < most && v[i].p[k] == f.p[k]) {
            k++;
        }
        prefix = k;
        most = v[i].n - prefix < suffix ? v[i].n - prefix : suffix;
        for (k = 0; k < most && v[i].p[v[i].n - 1 - k] == f.p[f.n - 1 - k];) {
            k++;
        }
        suffix = k;
    }
    write_str(&w->pool, str_slice(f, 0, prefix));
    write_str(&w->pool, str_slice(f, f.n - suffix, f.n));
    for (size_t i = 0; i < n && (prefix || suffix); i++) {
        v[i] = str_slice(v[i], prefix, v[i].n - suffix);
    }
}

static bool all_same(const struct str *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (!str_eq(v[i], v[0])) {
            return false;
        }
    }
    return true;
}

/* The values as numbers into w->ints; false when one is none, or when some but not all have leading zeros and
 * the same length. */
static bool parse_numbers(struct template_writer *w, const struct str *v, size_t n, bool *ret_padded)
{
    bool padded = false, same_length = true;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = 0;
        if (v[i].n == 0 || v[i].n > TEMPLATE_DIGITS_MAX) {
            return false;
        }
        for (size_t k = 0; k < v[i].n; k++) {
            unsigned digit = (unsigned)(unsigned char)v[i].p[k] - '0';
            if (digit > 9) {
                return false;
            }
            x = x * 10 + digit;
        }
        padded |= v[i].n > 1 && v[i].p[0] == '0';
        same_length &= v[i].n == v[0].n;
        w->ints[i] = x;
    }
    *ret_padded = padded;
    return !padded || same_length;
}

static void put_number(struct template_writer *w, const struct str *v, size_t n, bool padded)
{
    if (padded) {
        write_varint(&w->numbers, v[0].n);
    }
    ints_write(&w->numbers, w->ints, n);
}

/* False, and nothing written, when the values are not hexadecimal numbers of one length. */
static bool put_hex(struct template_writer *w, const struct str *v, size_t n)
{
    size_t mark = w->numbers.n, width = v[0].n;
    if (width == 0 || width > TEMPLATE_HEX_MAX) {
        return false;
    }
    write_varint(&w->numbers, width);
    unsigned bad = 0;
    for (size_t i = 0; i < n && !(bad & 16); i++) {
        uint8_t *out = v[i].n == width ? (uint8_t *)buf_tail(&w->numbers, (width + 1) / 2) : NULL;
        if (!out) {
            bad = 16;
            break;
        }
        for (size_t k = 0; k < width; k += 2) {
            unsigned high = w->nibbles[(unsigned char)v[i].p[k]];
            unsigned low = k + 1 < width ? w->nibbles[(unsigned char)v[i].p[k + 1]] : 0;
            bad |= high | low;
            *out++ = (uint8_t)(high << 4 | low);
        }
        w->numbers.n += (width + 1) / 2;
    }
    if (bad & 16) {
        w->numbers.n = mark;
    }
    return !(bad & 16);
}

/* Numbers the distinct values into w->ints; 0 when there are more than `most` of them. */
static size_t make_dictionary(struct template_writer *w, const struct str *v, size_t n, size_t most)
{
    size_t count = 0;
    size_t places = WORDS_TABLE_MIN;
    while (places < most * 4) { /* at most WORDS_TABLE: most is at most WORDS_MAX */
        places *= 2;
    }
    memset(w->places, 0, places * sizeof(*w->places));
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = hash_str(v[i]);
        size_t at = (size_t)hash & (places - 1);
        while (w->places[at] && (w->dictionary_hash[w->places[at] - 1] != hash ||
                                 !str_eq(w->dictionary[w->places[at] - 1], v[i]))) {
            at = (at + 1) & (places - 1);
        }
        if (!w->places[at]) {
            if (count == most) {
                return 0;
            }
            w->dictionary[count] = v[i];
            w->dictionary_hash[count] = hash;
            w->places[at] = (uint32_t)++count;
        }
        w->ints[i] = w->places[at] - 1;
    }
    return count;
}

static void put_words(struct template_writer *w, size_t count, size_t n)
{
    write_varint(&w->pool, count);
    for (size_t i = 0; i < count; i++) {
        write_str(&w->pool, w->dictionary[i]);
    }
    ints_write(&w->numbers, w->ints, n);
}

/* Numbers that are few are tried as words too. */
static enum column_kind put_digits(struct template_writer *w, const struct str *v, size_t n, bool padded)
{
    size_t numbers = w->numbers.n, pool = w->pool.n;
    put_number(w, v, n, padded);
    size_t size = w->numbers.n - numbers, most = n / 4 < WORDS_TRIED_MAX ? n / 4 : WORDS_TRIED_MAX;
    size_t count = size > n / 4 ? make_dictionary(w, v, n, most) : 0;
    if (count && !w->numbers.err) {
        size_t as_number = w->numbers.n;
        put_words(w, count, n);
        if (w->numbers.n - as_number + (w->pool.n - pool) < size && !w->numbers.err) {
            memmove(w->numbers.p + numbers, w->numbers.p + as_number, w->numbers.n - as_number);
            w->numbers.n -= size;
            return COLUMN_WORDS;
        }
        w->numbers.n = as_number;
        w->pool.n = pool;
    }
    return padded ? COLUMN_DIGITS : COLUMN_NUMBER;
}

static enum column_kind put_text(struct template_writer *w, const struct str *v, size_t n)
{
    size_t most = n / 2 < WORDS_MAX ? n / 2 : WORDS_MAX;
    size_t count = make_dictionary(w, v, n, most);
    if (count) {
        put_words(w, count, n);
        return COLUMN_WORDS;
    }
    for (size_t i = 0; i < n; i++) {
        buf_str(&w->pool, v[i]);
        buf_char(&w->pool, '\n');
    }
    return COLUMN_TEXT;
}

static void put_column(struct template_writer *w, struct str *v, size_t n)
{
    size_t pool = w->pool.n, numbers = w->numbers.n;
    enum column_kind kind = COLUMN_CONST;
    bool padded = false;
    if (all_same(v, n)) {
        write_str(&w->pool, v[0]);
        write_str(&w->pool, (struct str){0});
    } else {
        cut_affixes(w, v, n);
        if (parse_numbers(w, v, n, &padded)) {
            kind = put_digits(w, v, n, padded);
        } else if (put_hex(w, v, n)) {
            kind = COLUMN_HEX;
        } else {
            kind = put_text(w, v, n);
        }
    }
    write_u8(&w->heads, (uint8_t)kind);
    write_varint(&w->heads, w->pool.n - pool);
    write_varint(&w->heads, w->numbers.n - numbers);
}

/* --- the page --- */

/* Shapes with enough lines become templates 1, 2, ...; numbers[row] says which, 0 none. */
static enum err choose(struct template_writer *w, uint32_t rows, uint64_t *numbers, uint32_t *ret_count,
                       struct shape ***ret_templates)
{
    struct shape **t = arena_array(&w->arena, w->fine.n + w->coarse.n + 1, sizeof(struct shape *));
    uint32_t count = 0, columns = 0;
    if (!t) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < rows; i++) {
        const struct line_words *l = &w->lines[i];
        bool coarse = l->coarse != 0;
        struct shape *s = coarse    ? &w->coarse.items[l->coarse - 1]
                          : l->fine ? &w->fine.items[l->fine - 1]
                                    : NULL;
        numbers[i] = 0;
        if (!s || s->lines < (coarse ? LINES_MIN_COARSE : LINES_MIN_FINE)) {
            continue;
        }
        if (!s->number && columns + s->slots <= TEMPLATE_COLUMNS_MAX) {
            columns += s->slots;
            t[count] = s;
            s->number = ++count;
        }
        numbers[i] = s->number;
    }
    *ret_templates = t;
    *ret_count = count;
    return ERR_OK;
}

/* The rows of each template, one after another; firsts[k] is where those of template k begin. */
static enum err rows_by_template(struct template_writer *w, const uint64_t *numbers, uint32_t rows,
                                 uint32_t count, uint32_t **ret_firsts, uint32_t **ret_rows)
{
    uint32_t *firsts = arena_zarray(&w->arena, (size_t)count + 2, sizeof(*firsts));
    uint32_t *sorted = arena_array(&w->arena, (size_t)rows + 1, sizeof(*sorted));
    uint32_t *at = arena_array(&w->arena, (size_t)count + 2, sizeof(*at));
    if (!firsts || !sorted || !at) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < rows; i++) {
        firsts[numbers[i] + 1]++;
    }
    for (uint32_t k = 0; k <= count; k++) {
        firsts[k + 1] += firsts[k];
    }
    memcpy(at, firsts, ((size_t)count + 2) * sizeof(*at));
    for (uint32_t i = 0; i < rows; i++) {
        sorted[at[numbers[i]]++] = i;
    }
    *ret_firsts = firsts;
    *ret_rows = sorted;
    return ERR_OK;
}

/* The values of all slots of a template's rows: those of slot k are w->values[k * n ...]. Row by row, for the
 * words of a row lie together. */
static void gather(struct template_writer *w, struct str text, const uint32_t *rows, size_t n, uint32_t slots)
{
    for (size_t i = 0; i < n; i++) {
        const struct line_words *l = &w->lines[rows[i]];
        const struct word *x = &w->words[l->first];
        for (uint32_t k = 0; k < slots; k++, x++) {
            while (!l->coarse && !x->digit) {
                x++;
            }
            w->values[k * n + i] = str_of(text.p + x->at, x->n);
        }
    }
}

static void put_packed(struct buf *dst, const struct buf *plain)
{
    struct buf packed AUTO_BUF = {0};
    enum err e = plain->err ? plain->err : compress_bytes(COMPRESS_ZSTD, LEVEL, buf_view(plain), &packed);
    write_varint(dst, plain->n);
    write_str(dst, buf_view(&packed));
    dst->err = dst->err ? dst->err : e;
}

static void put_rest(struct buf *dst, struct str text, const uint32_t *offsets, const uint32_t *rows,
                     size_t n)
{
    struct buf rest AUTO_BUF = {0};
    for (size_t i = 0; i < n; i++) {
        buf_str(&rest, str_slice(text, offsets[rows[i]], offsets[rows[i] + 1]));
    }
    put_packed(dst, &rest);
}

static enum err put_columns(struct template_writer *w, struct str text, const uint32_t *firsts,
                            const uint32_t *rows, struct shape *const *templates, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        write_str(&w->pool, templates[k]->key);
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t first = firsts[k + 1];
        size_t n = firsts[k + 2] - first;
        size_t slots = templates[k]->slots;
        enum err e = vec_reserve((void **)&w->values, &w->value_cap, n * slots, sizeof(*w->values));
        e = e ? e : vec_reserve((void **)&w->ints, &w->int_cap, n, sizeof(*w->ints));
        if (e) {
            return e;
        }
        gather(w, text, rows + first, n, templates[k]->slots);
        for (size_t slot = 0; slot < slots; slot++) {
            put_column(w, w->values + slot * n, n);
        }
    }
    return w->pool.err ? w->pool.err : w->numbers.err ? w->numbers.err : w->heads.err;
}

static enum err write_body(struct template_writer *w, struct buf *dst, struct str text,
                           const uint32_t *offsets, uint32_t rows)
{
    uint64_t *numbers = arena_array(&w->arena, (size_t)rows + 1, sizeof(*numbers));
    struct shape **templates = NULL;
    uint32_t count = 0, *firsts = NULL, *sorted = NULL;
    enum err e = numbers ? find_shapes(w, text, offsets, rows) : ERR_OOM;
    e = e ? e : choose(w, rows, numbers, &count, &templates);
    e = e ? e : rows_by_template(w, numbers, rows, count, &firsts, &sorted);
    e = e ? e : put_columns(w, text, firsts, sorted, templates, count);
    if (!e) {
        write_varint(dst, count);
        ints_write(dst, numbers, rows);
        put_packed(dst, &w->pool);
        put_rest(dst, text, offsets, sorted, firsts[1]);
        buf_str(dst, buf_view(&w->heads));
        buf_str(dst, buf_view(&w->numbers));
    }
    return e;
}

void template_write(struct template_writer *w, struct buf *dst, struct str text, const uint32_t *offsets,
                    uint32_t rows)
{
    enum err e = write_body(w, dst, text, offsets, rows);
    dst->err = dst->err ? dst->err : e;
    w->fine = w->coarse = (struct shapes){0};
    buf_reset(&w->pool);
    buf_reset(&w->numbers);
    buf_reset(&w->heads);
    arena_reset(&w->arena);
}
