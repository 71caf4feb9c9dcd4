/* Structured metadata of rows. Sets repeat (a level, a pod), so a row is the number of its set. */
#include "logs/store/meta.h"

#include "base/mem.h"
#include "codec/compress.h"
#include "logs/store/ints.h"
#include "logs/store/limits.h"

void meta_writer_init(struct meta_writer *w)
{
    *w = (struct meta_writer){0};
}

void meta_writer_done(struct meta_writer *w)
{
    strmap_done(&w->strings);
    strmap_done(&w->sets);
    buf_done(&w->string_bytes);
    buf_done(&w->set_bytes);
    buf_done(&w->key);
    mem_free(w->rows);
    *w = (struct meta_writer){0};
}

/* The number of the key in the map, a new one when it is new. */
static enum err number_of(struct strmap *m, struct str key, uint64_t *count, uint64_t *ret_number,
                          bool *ret_new)
{
    void *v = strmap_get(m, key);
    *ret_new = v == NULL;
    if (v) {
        *ret_number = (uint64_t)(uintptr_t)v - 1;
        return ERR_OK;
    }
    enum err e = strmap_put(m, key, (void *)(uintptr_t)(*count + 1), NULL);
    *ret_number = e ? 0 : (*count)++;
    return e;
}

static enum err write_string(struct meta_writer *w, struct str s)
{
    uint64_t number = 0;
    bool fresh = false;
    enum err e = number_of(&w->strings, s, &w->string_count, &number, &fresh);
    if (!e && fresh) {
        write_str(&w->string_bytes, s);
    }
    write_varint(&w->key, number);
    return e ? e : w->key.err;
}

enum err meta_writer_row(struct meta_writer *w, struct labels metadata)
{
    uint64_t set = 0;
    enum err e = vec_reserve((void **)&w->rows, &w->row_cap, w->row_count + 1, sizeof(*w->rows));
    if (!e && metadata.n) {
        buf_reset(&w->key);
        write_varint(&w->key, metadata.n);
        for (size_t i = 0; !e && i < metadata.n; i++) {
            e = write_string(w, metadata.l[i].name);
            e = e ? e : write_string(w, metadata.l[i].value);
        }
        bool fresh = false;
        e = e ? e : number_of(&w->sets, buf_view(&w->key), &w->set_count, &set, &fresh);
        if (!e && fresh) {
            buf_str(&w->set_bytes, buf_view(&w->key));
        }
        set++;
        w->any = true;
    }
    if (!e) {
        w->rows[w->row_count++] = set;
    }
    return e;
}

enum err meta_writer_page(struct meta_writer *w, struct buf *dst)
{
    struct buf plain AUTO_BUF = {0};
    write_varint(&plain, w->string_count);
    buf_str(&plain, buf_view(&w->string_bytes));
    write_varint(&plain, w->set_count);
    buf_str(&plain, buf_view(&w->set_bytes));
    ints_write(&plain, w->rows, w->row_count);
    enum err e = plain.err ? plain.err : w->string_bytes.err ? w->string_bytes.err : w->set_bytes.err;
    if (!e) {
        write_varint(dst, plain.n);
        e = compress_bytes(COMPRESS_ZSTD, 1, buf_view(&plain), dst);
    }
    strmap_clear(&w->strings, NULL);
    strmap_clear(&w->sets, NULL);
    buf_reset(&w->string_bytes);
    buf_reset(&w->set_bytes);
    w->string_count = w->set_count = w->row_count = 0;
    w->any = false;
    return e;
}

/* --- reading --- */

struct tables {
    const struct str *strings;
    const struct labels *sets; /* [0] is the empty one */
    uint64_t string_count, set_count;
};

static enum err read_set(struct reader *r, struct arena *a, const struct tables *t, struct labels *ret_set)
{
    uint64_t n = read_varint(r);
    if (r->bad || n == 0 || n > ENTRY_METADATA_MAX) {
        return ERR_CORRUPT;
    }
    struct label *l = arena_array(a, (size_t)n, sizeof(*l));
    if (!l) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = read_varint(r), value = read_varint(r);
        if (r->bad || name >= t->string_count || value >= t->string_count) {
            return ERR_CORRUPT;
        }
        l[i] = (struct label){t->strings[name], t->strings[value]};
    }
    *ret_set = (struct labels){l, (size_t)n};
    return ERR_OK;
}

static enum err read_tables(struct reader *r, struct arena *a, struct tables *ret_t)
{
    struct tables t = {.string_count = read_varint(r)};
    if (r->bad || t.string_count > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct str *strings = arena_array(a, (size_t)t.string_count + 1, sizeof(*strings));
    if (!strings) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < t.string_count; i++) {
        strings[i] = read_str(r);
    }
    t.strings = strings;
    t.set_count = read_varint(r);
    if (r->bad || t.set_count > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct labels *sets = arena_zarray(a, (size_t)t.set_count + 1, sizeof(*sets));
    enum err e = sets ? ERR_OK : arena_err(a);
    for (uint64_t i = 0; !e && i < t.set_count; i++) {
        e = read_set(r, a, &t, &sets[i + 1]);
    }
    t.sets = sets;
    *ret_t = t;
    return e;
}

static enum err read_rows(struct reader *r, size_t n, struct arena *a, const struct tables *t,
                          const struct labels **ret_rows)
{
    uint64_t *numbers = arena_array(a, n + 1, sizeof(*numbers));
    struct labels *rows = arena_array(a, n + 1, sizeof(*rows));
    if (!numbers || !rows) {
        return arena_err(a);
    }
    enum err e = ints_read(r, numbers, n);
    for (size_t i = 0; !e && i < n; i++) {
        if (numbers[i] > t->set_count) {
            return ERR_CORRUPT;
        }
        rows[i] = t->sets[numbers[i]];
    }
    *ret_rows = rows;
    return e;
}

enum err meta_read(struct str page, size_t n, struct arena *a, const struct labels **ret_rows)
{
    struct reader r = reader_of(page);
    uint64_t size = read_varint(&r);
    if (r.bad || size > META_PAGE_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    struct buf plain AUTO_BUF = {0};
    enum err e = decompress_bytes(COMPRESS_ZSTD, read_bytes(&r, reader_left(&r)), (size_t)size, &plain, NULL);
    if (e) {
        return e == ERR_OOM ? e : ERR_CORRUPT;
    }
    struct str kept = arena_str(a, buf_view(&plain));
    if (!kept.p) {
        return arena_err(a);
    }
    struct reader p = reader_of(kept);
    struct tables t = {0};
    e = read_tables(&p, a, &t);
    return e ? e : read_rows(&p, n, a, &t, ret_rows);
}
