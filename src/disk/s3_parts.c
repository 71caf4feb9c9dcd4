/* Objects larger than a part: begun, sent part by part, and there all at once when they are completed.
 *
 * A part is what is sent again after a failure. What a killed writer sent is found by the object's key and
 * kept where its bytes are ours (their MD5 is the part's ETag); so the next writer of the same object goes
 * on. What nobody goes on with is ended by s3_parts_end_all. */
#include <stdio.h>

#include "base/mem.h"
#include "disk/s3_int.h"
#include "disk/s3_xml.h"

enum {
    PARTS_MAX = 10000, /* of an object, says S3 */
    NUMBER_CHARS = 24
};

struct upload {
    struct s3_store *s;
    struct arena *a;
    struct str key, content, id;
    uint64_t part_bytes;
    size_t count;
    struct str *etags; /* a part's, as the store gave it; empty: not there yet */
};

static struct str part_of(const struct upload *u, size_t i)
{
    size_t at = i * (size_t)u->part_bytes, end = at + (size_t)u->part_bytes;
    return str_slice(u->content, at, end < u->content.n ? end : u->content.n);
}

static struct str number(char text[NUMBER_CHARS], size_t n)
{
    (void)snprintf(text, NUMBER_CHARS, "%zu", n);
    return str_c(text);
}

/* -- what is begun ----------------------------------------------------------------------------------------
 */

/* Calls `each` for every upload whose key begins with the prefix. */
static enum err begun(struct s3_store *s, struct str prefix, struct arena *a,
                      enum err (*each)(void *ctx, struct str key, struct str id, struct err_info *info),
                      void *ctx, struct err_info *info)
{
    struct str key_marker = {0}, id_marker = {0},
               whole = arena_printf(a, "%s%.*s", s->prefix, STR_FMT(prefix));
    enum err e = whole.p ? ERR_OK : err_set(info, ERR_OOM, "no memory for a prefix");
    for (bool more = true; more && !e;) {
        struct s3_call c = {.method = "GET",
                            .params = {{STR("uploads"), STR("")},
                                       {STR("prefix"), whole},
                                       {STR("key-marker"), key_marker},
                                       {STR("upload-id-marker"), id_marker}},
                            .param_count = key_marker.n ? 4 : 2};
        struct str item;
        size_t at = 0;
        e = s3_call_do(s, &c, info);
        struct str xml = buf_view(&c.answer.body);
        while (!e && (item = s3_xml_next(xml, "Upload", &at)).p) {
            struct str key = s3_xml_text(item, "Key", a), id = s3_xml_text(item, "UploadId", a),
                       below = str_c(s->prefix);
            if (id.n && str_starts(key, below)) {
                e = each(ctx, str_slice(key, below.n, key.n), id, info);
            }
        }
        more = !e && str_eq_c(s3_xml_text(xml, "IsTruncated", a), "true");
        key_marker = more ? s3_xml_text(xml, "NextKeyMarker", a) : key_marker;
        id_marker = more ? s3_xml_text(xml, "NextUploadIdMarker", a) : id_marker;
        more = more && key_marker.n;
        http_answer_done(&c.answer);
    }
    return e;
}

static enum err end_one(struct s3_store *s, struct str key, struct str id, struct err_info *info)
{
    struct s3_call c = {.method = "DELETE", .key = key, .params = {{STR("uploadId"), id}}, .param_count = 1};
    enum err e = s3_call_do(s, &c, info);
    http_answer_done(&c.answer);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err end_each(void *ctx, struct str key, struct str id, struct err_info *info)
{
    return end_one(ctx, key, id, info);
}

enum err s3_parts_end_all(struct s3_store *s, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    enum err e = begun(s, STR(""), &a, end_each, s, info);
    return e == ERR_DENIED || e == ERR_UNSUPPORTED ? ERR_OK : e; /* then a rule of the bucket has to */
}

static enum err take_ours(void *ctx, struct str key, struct str id, struct err_info *info)
{
    struct upload *u = ctx;
    (void)info;
    u->id = str_eq(key, u->key) ? id : u->id;
    return ERR_OK;
}

/* -- going on ---------------------------------------------------------------------------------------------
 */

/* <Part><PartNumber>1</PartNumber><ETag>"MD5"</ETag><Size>1</Size></Part> */
static void keep_part(struct upload *u, struct str item)
{
    uint64_t n = 0, size = 0;
    char md5[S3_MD5_CHARS + 1];
    struct str etag = s3_xml_text(item, "ETag", u->a);
    if (str_to_u64(s3_xml_text(item, "PartNumber", u->a), &n) || n == 0 || n > u->count ||
        str_to_u64(s3_xml_text(item, "Size", u->a), &size)) {
        return;
    }
    struct str part = part_of(u, (size_t)n - 1);
    if (size == part.n && s3_md5(part, md5) && str_eq_c(s3_etag_bare(etag), md5)) {
        u->etags[n - 1] = etag;
    }
}

/* The parts that are there already. What cannot be listed is sent again. */
static void parts_find(struct upload *u)
{
    char after[NUMBER_CHARS] = "";
    for (bool more = true; more;) {
        struct s3_call c = {
            .method = "GET",
            .key = u->key,
            .params = {{STR("uploadId"), u->id}, {STR("part-number-marker"), str_c(after)}},
            .param_count = after[0] ? 2 : 1,
        };
        struct str item;
        size_t at = 0;
        enum err e = s3_call_do(u->s, &c, NULL);
        struct str xml = e ? (struct str){0} : buf_view(&c.answer.body);
        while ((item = s3_xml_next(xml, "Part", &at)).p) {
            keep_part(u, item);
        }
        struct str next = s3_xml_text(xml, "NextPartNumberMarker", u->a);
        more = str_eq_c(s3_xml_text(xml, "IsTruncated", u->a), "true") && next.n && next.n < sizeof(after);
        if (more) {
            memcpy(after, next.p, next.n);
            after[next.n] = '\0';
        }
        if (e == ERR_NOT_FOUND) {
            u->id = (struct str){0}; /* ended meanwhile */
        }
        http_answer_done(&c.answer);
    }
}

static enum err begin(struct upload *u, struct err_info *info)
{
    struct s3_call c = {
        .method = "POST", .key = u->key, .params = {{STR("uploads"), STR("")}}, .param_count = 1};
    if (begun(u->s, u->key, u->a, take_ours, u, NULL) == ERR_OK && u->id.n) {
        parts_find(u);
    }
    if (u->id.n) {
        return ERR_OK;
    }
    enum err e = s3_call_do(u->s, &c, info);
    u->id = e ? u->id : s3_xml_text(buf_view(&c.answer.body), "UploadId", u->a);
    if (!e && !u->id.n) {
        e = err_set(info, ERR_UNAVAILABLE, "s3://%s began no upload of %.*s", u->s->bucket, STR_FMT(u->key));
    }
    http_answer_done(&c.answer);
    return e;
}

/* -- parts and their end ----------------------------------------------------------------------------------
 */

static enum err part_send(struct upload *u, size_t i, struct err_info *info)
{
    char text[NUMBER_CHARS];
    struct s3_call c = {.method = "PUT",
                        .key = u->key,
                        .params = {{STR("partNumber"), number(text, i + 1)}, {STR("uploadId"), u->id}},
                        .param_count = 2,
                        .body = part_of(u, i)};
    enum err e = s3_call_do(u->s, &c, info);
    struct str etag = e ? (struct str){0} : http_answer_header(&c.answer, "ETag");
    u->etags[i] = etag.n ? arena_str(u->a, etag) : etag;
    if (!e && !u->etags[i].n) {
        e = err_set(info, ERR_UNAVAILABLE, "s3://%s took a part of %.*s without an ETag", u->s->bucket,
                    STR_FMT(u->key));
    }
    http_answer_done(&c.answer);
    return e;
}

/* The answer may be 200 and hold an error nevertheless. *ret_unknown: it may be there, of ourselves or
 * another. */
static enum err complete(struct upload *u, bool conditional, bool *ret_unknown, struct err_info *info)
{
    struct buf body AUTO_BUF = {0};
    buf_c(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < u->count; i++) {
        buf_printf(&body, "<Part><PartNumber>%zu</PartNumber><ETag>\"%.*s\"</ETag></Part>", i + 1,
                   STR_FMT(s3_etag_bare(u->etags[i])));
    }
    buf_c(&body, "</CompleteMultipartUpload>");
    struct s3_call c = {.method = "POST",
                        .key = u->key,
                        .params = {{STR("uploadId"), u->id}},
                        .param_count = 1,
                        .headers = {{STR("if-none-match"), STR("*")}},
                        .header_count = conditional,
                        .body = buf_view(&body),
                        .error_in_answer = true};
    enum err e = body.err ? err_set(info, body.err, "no memory to complete %.*s", STR_FMT(u->key))
                          : s3_call_do(u->s, &c, info);
    *ret_unknown = e == ERR_EXISTS || e == ERR_NOT_FOUND; /* the client may have repeated it unseen */
    http_answer_done(&c.answer);
    return e;
}

static uint64_t part_bytes_for(const struct s3_store *s, uint64_t content_bytes)
{
    uint64_t least = content_bytes / PARTS_MAX + 1;
    return s->part_bytes > least ? s->part_bytes : least;
}

enum err s3_parts_put(struct s3_store *s, struct str key, struct str content, bool conditional,
                      bool *ret_unknown, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct upload u = {.s = s, .a = &a, .key = key, .content = content};
    u.part_bytes = part_bytes_for(s, content.n);
    u.count = (size_t)((content.n + u.part_bytes - 1) / u.part_bytes);
    u.etags = arena_zarray(&a, u.count, sizeof(*u.etags));
    *ret_unknown = false;
    if (!u.etags) {
        return err_set(info, ERR_OOM, "no memory for the parts of %.*s", STR_FMT(key));
    }
    enum err e = begin(&u, info);
    for (size_t i = 0; i < u.count && !e; i++) {
        e = u.etags[i].n ? ERR_OK : part_send(&u, i, info);
    }
    e = e ? e : complete(&u, conditional, ret_unknown, info);
    if (e == ERR_EXISTS && u.id.n) {
        (void)!end_one(s, key, u.id, NULL);
    }
    return e;
}
