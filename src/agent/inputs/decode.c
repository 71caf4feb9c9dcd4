/* iconv behind a face that knows where lines end. */
#include "agent/inputs/decode.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>

#include "base/mem.h"

enum {
    NAME_BYTES_MAX = 64
};

struct decoder {
    iconv_t iconv;
    size_t unit;
    bool big_endian;
    bool from_mark; /* plain "utf-16": the mark decides */
};

static bool is_name(struct str have, const char *a, const char *b)
{
    return str_ieq(have, str_c(a)) || str_ieq(have, str_c(b));
}

static enum err open_iconv(struct decoder *d, const char *name)
{
    d->iconv = iconv_open("UTF-8", name);
    if (d->iconv != (iconv_t)-1) { // NOLINT(performance-no-int-to-ptr): how POSIX says "failed"
        return ERR_OK;
    }
    return errno == ENOMEM ? ERR_OOM : ERR_INVALID;
}

enum err decoder_new(struct str encoding, struct decoder **ret_decoder, struct err_info *reterr_info)
{
    char name[NAME_BYTES_MAX];
    if (encoding.n == 0 || is_name(encoding, "utf-8", "utf8")) {
        *ret_decoder = NULL;
        return ERR_OK;
    }
    struct decoder *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    d->unit = str_ieq(str_slice(encoding, 0, encoding.n < 5 ? encoding.n : 5), STR("utf-1")) ? 2 : 1;
    d->from_mark = is_name(encoding, "utf-16", "utf16");
    d->unit = d->from_mark ? 2 : d->unit;
    d->big_endian = is_name(encoding, "utf-16be", "utf16be");
    (void)snprintf(name, sizeof(name), "%.*s", STR_FMT(d->from_mark ? STR("UTF-16LE") : encoding));
    enum err e = encoding.n < NAME_BYTES_MAX ? open_iconv(d, name) : ERR_INVALID;
    if (e) {
        mem_free(d);
        return err_set(reterr_info, e, "unknown encoding \"%.*s\"", STR_FMT(encoding));
    }
    *ret_decoder = d;
    return ERR_OK;
}

void decoder_free(struct decoder *d)
{
    if (d) {
        (void)iconv_close(d->iconv);
        mem_free(d);
    }
}

size_t decoder_unit(const struct decoder *d)
{
    return d ? d->unit : 1;
}

size_t decoder_last_line(const struct decoder *d, struct str raw)
{
    if (!d || d->unit == 1) {
        const char *at = raw.n ? memrchr(raw.p, '\n', raw.n) : NULL;
        return at ? (size_t)(at - raw.p) + 1 : 0;
    }
    for (size_t i = raw.n & ~(size_t)1; i >= 2; i -= 2) {
        char first = raw.p[i - 2], second = raw.p[i - 1];
        if (d->big_endian ? first == 0 && second == '\n' : first == '\n' && second == 0) {
            return i;
        }
    }
    return 0;
}

/* 0xfeff in either order: bytes it takes. */
static size_t mark_len(const struct decoder *d, struct str head)
{
    bool mark = d->unit == 2 && head.n >= 2 &&
                (memcmp(head.p, "\xff\xfe", 2) == 0 || memcmp(head.p, "\xfe\xff", 2) == 0);
    return mark ? 2 : 0;
}

void decoder_start(struct decoder *d, struct str head)
{
    bool big = mark_len(d, head) && head.p[0] == '\xfe';
    struct decoder other = *d;
    if (!d->from_mark || !mark_len(d, head) || big == d->big_endian ||
        open_iconv(&other, big ? "UTF-16BE" : "UTF-16LE")) {
        return;
    }
    (void)iconv_close(d->iconv);
    d->iconv = other.iconv;
    d->big_endian = big;
}

enum err decoder_run(struct decoder *d, struct str raw, bool at_start, struct buf *out)
{
    size_t skip = at_start ? mark_len(d, raw) : 0;
    /* iconv's prototype wants a pointer to char; it does not write through it. */
    char *in = (char *)(uintptr_t)raw.p + skip;
    size_t left = raw.n - skip;
    while (left) {
        size_t room = left * 4 + 16;
        char *to = buf_tail(out, room);
        if (!to) {
            return out->err;
        }
        size_t before = room;
        size_t r = iconv(d->iconv, &in, &left, &to, &room);
        out->n += before - room;
        if (r == (size_t)-1 && errno != E2BIG && left) {
            size_t step = d->unit < left ? d->unit : left;
            buf_c(out, "\xef\xbf\xbd");
            in += step;
            left -= step;
            (void)iconv(d->iconv, NULL, NULL, NULL, NULL);
        }
    }
    return out->err;
}
