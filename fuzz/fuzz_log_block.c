/* DEPS logs/store disk query labels codec base */
/* Pages of log blocks as a damaged disk could hand them over: reading ends, and what is read fits. The first
 * bytes choose the kind of page and its number of rows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "logs/store/grams.h"
#include "logs/store/ints.h"
#include "logs/store/limits.h"
#include "logs/store/meta.h"
#include "logs/store/record.h"
#include "logs/store/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEAD_BYTES = 4,
    ROWS_MAX = 512
};

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void read_text(struct str page, uint32_t rows, uint32_t bytes)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, (size_t)64 << 20, NULL);
    uint64_t *lengths = arena_zarray(&a, rows + 1, sizeof(*lengths));
    uint8_t *alive = arena_zarray(&a, rows + 1, 1), *hit = arena_zarray(&a, rows + 1, 1);
    struct str *lines = arena_zarray(&a, rows + 1, sizeof(*lines));
    if (!lengths || !alive || !hit || !lines) {
        return;
    }
    for (uint32_t i = 0; i < rows; i++) {
        lengths[i] = bytes / rows;
        alive[i] = i % 3 != 0;
    }
    struct text_page t;
    struct finder f;
    finder_init(&f, STR("a 1"));
    enum err e = text_open(&t, page, rows, bytes, &a);
    e = e || !text_needs_lengths(&t) ? e : text_set_lengths(&t, lengths);
    e = e ? e : text_find(&t, &f, alive, hit);
    finder_init(&f, STR("1"));
    e = e ? e : text_find(&t, &f, alive, hit);
    e = e ? e : text_lines(&t, alive, lines);
    uint64_t sum = 0;
    for (uint32_t i = 0; !e && i < rows; i++) {
        for (size_t k = 0; alive[i] && k < lines[i].n; k++) {
            sum += (unsigned char)lines[i].p[k];
        }
    }
    check(sum < UINT64_MAX);
    text_done(&t);
}

static void read_ints(struct str column, uint32_t rows)
{
    uint64_t *v = mem_zarray(rows + 1, sizeof(*v));
    struct reader r = reader_of(column);
    if (v && ints_read(&r, v, rows) == ERR_OK) {
        struct buf again AUTO_BUF = {0};
        uint64_t *w = mem_zarray(rows + 1, sizeof(*w));
        ints_write(&again, v, rows);
        struct reader second = reader_of(buf_view(&again));
        check(again.err || !w || (ints_read(&second, w, rows) == ERR_OK && reader_left(&second) == 0));
        check(again.err || !w || memcmp(v, w, rows * sizeof(*v)) == 0);
        mem_free(w);
    }
    mem_free(v);
}

static void read_other(struct str page, uint32_t rows, unsigned kind)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, (size_t)64 << 20, NULL);
    uint64_t bitmap[GRAMS_BITS / 64];
    const struct labels *meta = NULL;
    struct log_push push;
    if (kind == 2) {
        (void)(meta_read(page, rows, &a, &meta) == ERR_OK);
    } else if (kind == 3) {
        grams_read(page, bitmap);
        (void)grams_may_contain(bitmap, STR("ERROR 12"));
    } else {
        (void)(record_decode(page, &a, &push, NULL) == ERR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES) {
        return 0;
    }
    uint32_t rows = 1 + (data[1] | (uint32_t)data[2] << 8) % ROWS_MAX;
    struct str page = str_of((const char *)data + HEAD_BYTES, size - HEAD_BYTES);
    unsigned kind = data[0] % 5;
    if (kind == 0) {
        read_text(page, rows, data[3] * rows);
    } else if (kind == 1) {
        read_ints(page, rows);
    } else {
        read_other(page, rows, kind);
    }
    return 0;
}
