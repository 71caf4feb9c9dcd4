/* Text pages. Level 1 of zstd: higher ones cost six times the time for a tenth of the bytes, and level 3 is
 * larger than level 1 on lines full of identifiers. */
#include "logs/store/text.h"

#include "codec/compress.h"

enum {
    FORM_PLAIN = 0,
    FORM_ZSTD = 1,
    FORM_TEMPLATES = 2,
    LEVEL = 1,
    TRIAL_EVERY = 16, /* groups; lines of a block resemble each other */
};

enum err text_writer_init(struct text_writer *w)
{
    *w = (struct text_writer){0};
    return template_writer_new(&w->templates);
}

void text_writer_done(struct text_writer *w)
{
    template_writer_free(w->templates);
    buf_done(&w->tried);
}

static void put_zstd(struct buf *dst, struct str text)
{
    char form = FORM_ZSTD;
    buf_char(dst, form);
    enum err e = compress_bytes(COMPRESS_ZSTD, LEVEL, text, dst);
    dst->err = dst->err ? dst->err : e;
}

static void put_templates(struct text_writer *w, struct buf *dst, struct str text, const uint32_t *offsets,
                          uint32_t rows)
{
    buf_char(dst, FORM_TEMPLATES);
    template_write(w->templates, dst, text, offsets, rows);
}

void text_write(struct text_writer *w, struct buf *dst, struct str text, const uint32_t *offsets,
                uint32_t rows)
{
    size_t mark = dst->n;
    bool trial = w->until_trial == 0;
    w->until_trial = trial ? TRIAL_EVERY : w->until_trial - 1;
    buf_reset(&w->tried);
    if (trial || w->use_templates) {
        put_templates(w, dst, text, offsets, rows);
    } else {
        put_zstd(dst, text);
    }
    if (trial) {
        put_zstd(&w->tried, text);
        w->use_templates = !dst->err && !w->tried.err && dst->n - mark < w->tried.n;
        if (!w->use_templates && !dst->err) {
            dst->n = mark;
            buf_str(dst, buf_view(&w->tried));
        }
        dst->err = dst->err ? dst->err : w->tried.err;
    }
    if (!dst->err && dst->n - mark > text.n) {
        dst->n = mark;
        buf_char(dst, FORM_PLAIN);
        buf_str(dst, text);
    }
}

/* --- reading --- */

enum err text_open(struct text_page *t, struct str page, uint32_t rows, uint32_t text_bytes, struct arena *a)
{
    *t = (struct text_page){.rows = rows, .text_bytes = text_bytes, .arena = a};
    if (page.n == 0) {
        return ERR_CORRUPT;
    }
    t->form = (unsigned char)page.p[0];
    t->content = str_slice(page, 1, page.n);
    if (t->form == FORM_TEMPLATES) {
        return template_open(t->content, rows, a, &t->templates);
    }
    return t->form <= FORM_ZSTD ? ERR_OK : ERR_CORRUPT;
}

void text_done(struct text_page *t)
{
    buf_done(&t->text);
}

bool text_needs_lengths(const struct text_page *t)
{
    return !t->templates || template_has_rest(t->templates);
}

enum err text_set_lengths(struct text_page *t, const uint64_t *lengths)
{
    if (t->templates) {
        return template_set_lengths(t->templates, lengths);
    }
    t->offsets = arena_array(t->arena, (size_t)t->rows + 1, sizeof(*t->offsets));
    if (!t->offsets) {
        return arena_err(t->arena);
    }
    t->offsets[0] = 0;
    for (uint32_t i = 0; i < t->rows; i++) {
        if (lengths[i] > t->text_bytes - t->offsets[i]) {
            return ERR_CORRUPT;
        }
        t->offsets[i + 1] = t->offsets[i] + (uint32_t)lengths[i];
    }
    return ERR_OK;
}

static enum err decode(struct text_page *t)
{
    if (t->decoded) {
        return ERR_OK;
    }
    enum err e = ERR_OK;
    if (t->form == FORM_PLAIN) {
        buf_str(&t->text, t->content);
    } else {
        e = decompress_bytes(COMPRESS_ZSTD, t->content, t->text_bytes, &t->text, NULL);
        e = e && e != ERR_OOM ? ERR_CORRUPT : e;
    }
    e = e ? e : t->text.err;
    t->decoded = !e;
    return e ? e : t->text.n == t->text_bytes ? ERR_OK : ERR_CORRUPT;
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

enum err text_find(struct text_page *t, const struct finder *f, const uint8_t *alive, uint8_t *hit)
{
    if (t->templates) {
        return template_find(t->templates, f, alive, hit);
    }
    enum err e = decode(t);
    if (!e) {
        mark_hits(f, buf_view(&t->text), t->offsets, t->rows, hit);
    }
    return e;
}

enum err text_lines(struct text_page *t, const uint8_t *alive, struct str *lines)
{
    uint32_t *lengths = NULL;
    enum err e = ERR_OK;
    if (t->templates) {
        lengths = arena_array(t->arena, (size_t)t->rows + 1, sizeof(*lengths));
        buf_reset(&t->text);
        e = lengths ? template_lines(t->templates, alive, &t->text, lengths) : arena_err(t->arena);
    } else {
        e = decode(t);
    }
    const char *text = t->text.p ? t->text.p : "";
    size_t at = 0;
    for (uint32_t i = 0; !e && i < t->rows; i++) {
        if (lengths) {
            lines[i] = str_of(text + at, lengths[i]);
            at += lengths[i];
        } else {
            lines[i] = str_of(text + t->offsets[i], t->offsets[i + 1] - t->offsets[i]);
        }
    }
    return e;
}
