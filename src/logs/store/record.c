/* Framing and the checksum belong to the log below; here only the content. */
#include "logs/store/record.h"

#include "codec/compress.h"
#include "codec/varint.h"
#include "disk/ingest_log.h"
#include "logs/store/limits.h"

enum {
    FORM_PLAIN = 0,
    FORM_LZ4 = 1,
    VERSION = 1,
    PLAIN_BYTES_MAX = 1024, /* shorter records are not worth compressing */
};

static void put_labels(struct buf *b, const struct label *l, size_t n)
{
    write_varint(b, n);
    for (size_t i = 0; i < n; i++) {
        write_str(b, l[i].name);
        write_str(b, l[i].value);
    }
}

static void put_plain(struct buf *b, const struct log_push *push)
{
    write_u8(b, VERSION);
    write_str(b, push->tenant);
    write_varint(b, push->stream_count);
    for (size_t i = 0; i < push->stream_count; i++) {
        const struct log_stream_push *s = &push->streams[i];
        put_labels(b, s->labels.l, s->labels.n);
        write_varint(b, s->entry_count);
        uint64_t before = 0;
        for (size_t k = 0; k < s->entry_count; k++) {
            const struct log_entry *e = &s->entries[k];
            write_zigzag(b, (int64_t)((uint64_t)e->ts - before));
            before = (uint64_t)e->ts;
            write_str(b, e->line);
            put_labels(b, e->metadata, e->metadata_count);
        }
    }
}

enum err record_encode(const struct log_push *push, struct buf *scratch, struct buf *dst)
{
    buf_reset(scratch);
    put_plain(scratch, push);
    if (scratch->err) {
        return scratch->err;
    }
    if (scratch->n > PLAIN_BYTES_MAX) {
        size_t mark = dst->n;
        write_u8(dst, FORM_LZ4);
        write_varint(dst, scratch->n);
        enum err e = compress_bytes(COMPRESS_LZ4, 0, buf_view(scratch), dst);
        if (e || dst->err) {
            return e ? e : dst->err;
        }
        if (dst->n - mark < scratch->n) {
            return ERR_OK;
        }
        dst->n = mark;
    }
    write_u8(dst, FORM_PLAIN);
    buf_str(dst, buf_view(scratch));
    return dst->err;
}

/* A count from the record can be no larger than the bytes left allow: `each` is the least an item takes. */
static size_t read_count(struct reader *r, size_t each)
{
    uint64_t n = read_varint(r);
    if (n > reader_left(r) / each) {
        r->bad = true;
        return 0;
    }
    return (size_t)n;
}

static enum err get_labels(struct reader *r, struct arena *a, const struct label **ret_l, size_t *ret_n)
{
    size_t n = read_count(r, 2);
    *ret_n = n;
    *ret_l = NULL;
    if (n == 0) {
        return ERR_OK;
    }
    struct label *l = arena_array(a, n, sizeof(*l));
    if (!l) {
        return arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        l[i].name = read_str(r);
        l[i].value = read_str(r);
    }
    *ret_l = l;
    return ERR_OK;
}

static enum err get_stream(struct reader *r, struct arena *a, struct log_stream_push *ret_stream)
{
    enum err err = get_labels(r, a, &ret_stream->labels.l, &ret_stream->labels.n);
    size_t n = read_count(r, 3);
    struct log_entry *entries = arena_array(a, n ? n : 1, sizeof(*entries));
    if (err || !entries) {
        return err ? err : arena_err(a);
    }
    uint64_t before = 0;
    for (size_t i = 0; i < n && !r->bad; i++) {
        before += (uint64_t)read_zigzag(r);
        entries[i].ts = (ts_ns)before;
        entries[i].line = read_str(r);
        size_t count;
        err = get_labels(r, a, &entries[i].metadata, &count);
        if (err) {
            return err;
        }
        entries[i].metadata_count = (uint32_t)count;
    }
    ret_stream->entries = entries;
    ret_stream->entry_count = n;
    return ERR_OK;
}

static enum err unpack(struct str record, struct arena *a, struct str *ret_plain, struct err_info *info)
{
    struct reader r = reader_of(record);
    uint8_t form = read_u8(&r);
    if (form == FORM_PLAIN) {
        *ret_plain = str_slice(record, 1, record.n);
        return ERR_OK;
    }
    uint64_t size = read_varint(&r);
    if (form != FORM_LZ4 || r.bad || size > INGEST_LOG_RECORD_BYTES_MAX) {
        return err_set(info, ERR_CORRUPT, "a log record of an unknown form (%u)", form);
    }
    struct buf plain AUTO_BUF = {.size_bytes_max = (size_t)size};
    struct str rest = read_bytes(&r, reader_left(&r));
    enum err e = decompress_bytes(COMPRESS_LZ4, rest, (size_t)size, &plain, info);
    if (e) {
        return e;
    }
    *ret_plain = arena_str(a, buf_view(&plain));
    return ret_plain->p ? ERR_OK : arena_err(a);
}

enum err record_decode(struct str record, struct arena *a, struct log_push *ret_push,
                       struct err_info *reterr_info)
{
    if (record.n == 0) {
        return err_set(reterr_info, ERR_CORRUPT, "an empty log record");
    }
    struct str plain = {0};
    enum err e = unpack(record, a, &plain, reterr_info);
    if (e) {
        return e;
    }
    struct reader r = reader_of(plain);
    if (read_u8(&r) != VERSION) {
        return err_set(reterr_info, ERR_CORRUPT, "a log record of an unknown version");
    }
    struct log_push push = {.tenant = read_str(&r)};
    push.stream_count = read_count(&r, 2);
    struct log_stream_push *streams =
        arena_zarray(a, push.stream_count ? push.stream_count : 1, sizeof(*streams));
    e = streams ? ERR_OK : arena_err(a);
    for (size_t i = 0; !e && !r.bad && i < push.stream_count; i++) {
        e = get_stream(&r, a, &streams[i]);
    }
    if (e) {
        return e;
    }
    if (r.bad || reader_left(&r)) {
        return err_set(reterr_info, ERR_CORRUPT, "a log record is damaged");
    }
    push.streams = streams;
    *ret_push = push;
    return ERR_OK;
}
