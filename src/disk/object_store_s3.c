/* Objects in a bucket: of AWS, or of anything that speaks S3's API with Signature Version 4.
 *
 * An object is there when its one request, or that which completes its parts (s3_parts.c), was answered: so
 * what is there is whole. If-None-Match makes the first writer win. A store that does not know the header (it
 * answers 501) is asked whether the object is there before, which is enough for objects that are named by
 * their content. Any thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "disk/s3_int.h"
#include "disk/s3_xml.h"

enum {
    RANGE_CHARS = 64
};

static struct s3_store *of(struct object_store *s)
{
    return (struct s3_store *)s;
}

/* -- size and get ---------------------------------------------------------------------------------------- */

static enum err s3_size(struct object_store *base, struct str key, uint64_t *ret_bytes, struct err_info *info)
{
    struct s3_call c = {.method = "HEAD", .key = key};
    uint64_t n = 0;
    enum err e = s3_call_do(of(base), &c, info);
    if (!e && str_to_u64(http_answer_header(&c.answer, "Content-Length"), &n)) {
        e = err_set(info, ERR_UNAVAILABLE, "s3://%s does not say how large %.*s is", of(base)->bucket,
                    STR_FMT(key));
    }
    http_answer_done(&c.answer);
    if (!e) {
        *ret_bytes = n;
    }
    return e;
}

/* Whether the answer says itself that the object reaches as far: then not all of it arrived. */
static bool cut_short(const struct http_answer *answer, uint64_t end)
{
    struct str total = http_answer_header(answer, "Content-Range"); /* bytes 0-9/100 */
    uint64_t bytes = 0;
    (void)str_cut(&total, '/');
    return answer->status == 206 && total.p && str_to_u64(total, &bytes) == ERR_OK && bytes >= end;
}

static enum err short_answer(const struct s3_store *s, const struct s3_call *c, uint64_t offset, uint64_t n,
                             bool cut, struct err_info *info)
{
    int status = c->answer.status;
    if (status != 206) {
        return err_set(
            info, ERR_UNAVAILABLE,
            "s3://%s: %s://%s answers the request of a range with HTTP %d, as no S3 store does; is the "
            "endpoint right?",
            s->bucket, s->scheme, s->host, status);
    }
    return err_set(info, cut ? ERR_UNAVAILABLE : ERR_CORRUPT,
                   "s3://%s/%s%.*s: asked for %llu bytes at %llu, got %zu", s->bucket, s->prefix,
                   STR_FMT(c->key), (unsigned long long)n, (unsigned long long)offset, c->answer.body.n);
}

static enum err get_once(struct s3_store *s, struct str key, uint64_t offset, uint64_t n, struct buf *b,
                         bool *ret_again, struct err_info *info)
{
    char range[RANGE_CHARS];
    int chars = snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)offset,
                         (unsigned long long)(offset + n - 1));
    struct s3_call c = {.method = "GET",
                        .key = key,
                        .headers = {{STR("range"), str_of(range, (size_t)chars)}},
                        .header_count = 1,
                        .answer_bytes_max = n};
    enum err e = s3_call_do(s, &c, info);
    *ret_again = false;
    if (!e && (c.answer.status != 206 || c.answer.body.n != n)) {
        *ret_again = cut_short(&c.answer, offset + n);
        e = short_answer(s, &c, offset, n, *ret_again, info);
    }
    if (!e) {
        buf_str(b, buf_view(&c.answer.body));
        e = b->err ? err_set(info, b->err, "no memory to read %.*s", STR_FMT(key)) : ERR_OK;
    }
    http_answer_done(&c.answer);
    return e;
}

static enum err s3_get_range(struct object_store *base, struct str key, uint64_t offset, uint64_t n,
                             struct buf *b, struct err_info *info)
{
    uint64_t size = 0;
    bool again = true;
    enum err e = ERR_OK;
    if (n == 0) {
        return s3_size(base, key, &size, info);
    }
    for (unsigned i = 0; i < S3_READS_MAX && again; i++) {
        e = get_once(of(base), key, offset, n, b, &again, info);
    }
    return e;
}

/* -- put ------------------------------------------------------------------------------------------------- */

/* Whether the object has these bytes; compared a part at a time. */
static enum err is_ours(struct s3_store *s, struct str key, struct str content, bool *ret_same,
                        struct err_info *info)
{
    struct buf there AUTO_BUF = {.size_bytes_max = (size_t)s->part_bytes};
    uint64_t size = 0;
    enum err e = s3_size(&s->base, key, &size, info);
    bool same = !e && size == content.n;
    for (size_t at = 0; same && !e && at < content.n;) {
        size_t end = content.n - at < s->part_bytes ? content.n : at + (size_t)s->part_bytes;
        struct str part = str_slice(content, at, end);
        buf_reset(&there);
        e = s3_get_range(&s->base, key, at, part.n, &there, info);
        same = !e && str_eq(buf_view(&there), part);
        at = end;
    }
    *ret_same = same;
    return e;
}

/* After a lost answer EXISTS may mean ourselves: then the bytes are ours. */
static enum err ours(struct s3_store *s, struct str key, struct str content, struct err_info *info)
{
    bool same = false;
    enum err e = is_ours(s, key, content, &same, info);
    return e || same ? e : err_set(info, ERR_EXISTS, "the object %.*s exists", STR_FMT(key));
}

/* The answer has another's ETag. What is no MD5 says nothing, so the bytes are read back and decide. */
static enum err doubted(struct s3_store *s, struct str key, struct str content, struct err_info *info)
{
    bool same = false;
    enum err e = is_ours(s, key, content, &same, info);
    if (same) {
        atomic_store_explicit(&s->own_etags, true, memory_order_relaxed);
    }
    if (e || same) {
        return e;
    }
    struct s3_call c = {.method = "DELETE", .key = key};
    (void)!s3_call_do(s, &c, NULL);
    http_answer_done(&c.answer);
    return err_set(
        info, ERR_UNAVAILABLE,
        "s3://%s kept other bytes than were sent for %.*s, which was removed again; try again, and "
        "look at what stands between",
        s->bucket, STR_FMT(key));
}

static enum err put_whole(struct s3_store *s, struct str key, struct str content, bool conditional,
                          struct err_info *info)
{
    struct s3_call c = {.method = "PUT",
                        .key = key,
                        .headers = {{STR("if-none-match"), STR("*")}},
                        .header_count = conditional,
                        .body = content};
    enum err e = s3_call_do(s, &c, info);
    bool unknown = e == ERR_EXISTS && c.repeated,
         differs = !e && !atomic_load_explicit(&s->own_etags, memory_order_relaxed) &&
                   s3_etag_differs(&c.answer, content);
    if (!e && !http_answer_header(&c.answer, "ETag").n) {
        e = err_set(info, ERR_INVALID,
                    "%s://%s took an object without an ETag: no S3 store does; is the endpoint right?",
                    s->scheme, s->host);
    }
    http_answer_done(&c.answer);
    return unknown ? ours(s, key, content, info) : differs && !e ? doubted(s, key, content, info) : e;
}

static enum err put_parts(struct s3_store *s, struct str key, struct str content, bool conditional,
                          struct err_info *info)
{
    bool unknown = false;
    enum err e = s3_parts_put(s, key, content, conditional, &unknown, info);
    return unknown ? ours(s, key, content, info) : e;
}

static enum err put(struct s3_store *s, struct str key, struct str content, bool conditional,
                    struct err_info *info)
{
    return content.n > s->part_bytes ? put_parts(s, key, content, conditional, info)
                                     : put_whole(s, key, content, conditional, info);
}

/* Asked before where the answer would come too late: after many parts, or never. */
static enum err absent(struct object_store *base, struct str key, struct err_info *info)
{
    uint64_t size = 0;
    enum err e = s3_size(base, key, &size, info);
    return e == ERR_NOT_FOUND ? ERR_OK
           : e                ? e
                              : err_set(info, ERR_EXISTS, "the object %.*s exists", STR_FMT(key));
}

static enum err s3_put(struct object_store *base, struct str key, struct str content, struct err_info *info)
{
    struct s3_store *s = of(base);
    bool conditional = !atomic_load_explicit(&s->unconditional, memory_order_relaxed);
    enum err e = !conditional || content.n > s->part_bytes ? absent(base, key, info) : ERR_OK;
    e = e ? e : put(s, key, content, conditional, info);
    if (e == ERR_UNSUPPORTED && conditional) {
        atomic_store_explicit(&s->unconditional, true, memory_order_relaxed);
        e = absent(base, key, info);
        e = e ? e : put(s, key, content, false, info);
    }
    return e;
}

static enum err s3_tidy(struct object_store *base, struct err_info *info)
{
    return s3_parts_end_all(of(base), info);
}

/* -- list ------------------------------------------------------------------------------------------------ */

struct listing {
    struct s3_store *s;
    struct arena *a;
    struct object_entry *entries;
    size_t n, cap;
    struct str next; /* token of the next page; empty: none */
};

/* <Contents><Key>prefix/key</Key><Size>1</Size></Contents>... */
static enum err page_read(struct listing *l, struct str xml, struct err_info *info)
{
    struct str below = str_c(l->s->prefix), item;
    size_t at = 0;
    if (str_find(xml, STR("<ListBucketResult"), 0) == STR_NPOS) { /* not to be taken for an empty bucket */
        return err_set(info, ERR_UNAVAILABLE,
                       "s3://%s: %s://%s answers a listing with something else; is the endpoint right?",
                       l->s->bucket, l->s->scheme, l->s->host);
    }
    while ((item = s3_xml_next(xml, "Contents", &at)).p) {
        struct object_entry entry = {0};
        struct str key = s3_xml_text(item, "Key", l->a), size = s3_xml_text(item, "Size", l->a);
        if (!str_starts(key, below) || str_to_u64(size, &entry.size_bytes)) {
            return err_set(info, ERR_UNAVAILABLE, "s3://%s: the listing is not as S3 writes it",
                           l->s->bucket);
        }
        entry.key = str_slice(key, below.n, key.n);
        enum err e = arena_reserve(l->a, (void **)&l->entries, &l->cap, l->n + 1, sizeof(entry));
        if (e) {
            return err_set(info, e, "no memory to list s3://%s", l->s->bucket);
        }
        l->entries[l->n++] = entry;
    }
    bool more = str_eq_c(s3_xml_text(xml, "IsTruncated", l->a), "true");
    l->next = more ? s3_xml_text(xml, "NextContinuationToken", l->a) : (struct str){0};
    if (more && !l->next.n) { /* what is not shown must not be taken for absent */
        return err_set(info, ERR_UNAVAILABLE, "s3://%s: the listing does not say where it goes on",
                       l->s->bucket);
    }
    return ERR_OK;
}

static enum err page(struct listing *l, struct str prefix, const char *keys_max, struct err_info *info)
{
    struct s3_call c = {.method = "GET"};
    struct str whole = arena_printf(l->a, "%s%.*s", l->s->prefix, STR_FMT(prefix));
    c.params[c.param_count++] = (struct s3_pair){STR("list-type"), STR("2")};
    c.params[c.param_count++] = (struct s3_pair){STR("prefix"), whole};
    c.params[c.param_count++] = (struct s3_pair){STR("max-keys"), str_c(keys_max)};
    if (l->next.n) {
        c.params[c.param_count++] = (struct s3_pair){STR("continuation-token"), l->next};
    }
    enum err e = whole.p ? s3_call_do(l->s, &c, info) : err_set(info, ERR_OOM, "no memory for a prefix");
    e = e ? e : page_read(l, buf_view(&c.answer.body), info);
    http_answer_done(&c.answer);
    return e;
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(((const struct object_entry *)a)->key, ((const struct object_entry *)b)->key);
}

static enum err s3_list(struct object_store *base, struct str prefix, struct arena *a,
                        const struct object_entry **ret_entries, size_t *ret_n, struct err_info *info)
{
    struct listing l = {.s = of(base), .a = a};
    enum err e;
    do {
        e = page(&l, prefix, "1000", info);
    } while (!e && l.next.n);
    if (e) {
        return e;
    }
    if (l.n > 1) {
        qsort(l.entries, l.n, sizeof(*l.entries), compare_keys);
    }
    *ret_entries = l.entries;
    *ret_n = l.n;
    return ERR_OK;
}

/* -- the rest -------------------------------------------------------------------------------------------- */

static enum err s3_remove(struct object_store *base, struct str key, struct err_info *info)
{
    struct s3_call c = {.method = "DELETE", .key = key};
    enum err e = s3_call_do(of(base), &c, info);
    http_answer_done(&c.answer);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void s3_close(struct object_store *base)
{
    struct s3_store *s = of(base);
    char *const parts[] = {s->bucket,    s->prefix,  s->scheme, s->host,
                           s->base_path, s->profile, s->region, s->ca_file};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        mem_free(parts[i]);
    }
    s3_credentials_done(&s->credentials);
    http_client_free(s->client);
    mutex_done(&s->lock);
    mem_free(s);
}

static const struct object_store_ops s3_ops = {
    .put_if_absent = s3_put,
    .get_range = s3_get_range,
    .size = s3_size,
    .list = s3_list,
    .remove = s3_remove,
    .tidy = s3_tidy,
    .close = s3_close,
};

/* One key of the bucket: whatever is wrong with keys, clock, bucket or region shows here. Where nobody named
 * a region, the one that the answer names is taken. */
static enum err probe(struct s3_store *s, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct s3_call c = {.method = "GET", .param_count = 2};
    c.params[0] = (struct s3_pair){STR("list-type"), STR("2")};
    c.params[1] = (struct s3_pair){STR("max-keys"), STR("1")};
    struct str below = str_c(s->prefix);
    if (below.n) {
        c.params[c.param_count++] = (struct s3_pair){STR("prefix"), below};
    }
    enum err e = s3_call_do(s, &c, info);
    struct str region = e && !s->region_given ? s3_answer_region(&c.answer, &a) : (struct str){0};
    if (region.n && !str_eq_c(region, s->region)) {
        char *found = mem_dup(region.p, region.n);
        mem_free(found ? s->region : NULL);
        s->region = found ? found : s->region;
        s->region_given = true;
        e = found ? s->endpoint_given ? ERR_OK : s3_place_host(s, info) : ERR_OOM;
        e = e ? e : s3_call_do(s, &c, info);
    }
    http_answer_done(&c.answer);
    return e;
}

enum err s3_store_open(struct str place, struct object_store **ret_s, struct err_info *reterr_info)
{
    struct s3_store *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return err_set(reterr_info, ERR_OOM, "no memory to open %.*s", STR_FMT(place));
    }
    s->base.ops = &s3_ops;
    mutex_init(&s->lock);
    enum err e = s3_place_parse(s, place, reterr_info);
    e = e ? e : http_client_new("s3", &s->client);
    e = e ? e : probe(s, reterr_info);
    if (e) {
        s3_close(&s->base);
        return e;
    }
    *ret_s = &s->base;
    return ERR_OK;
}
