/* The common face: keys are checked here, once for all implementations. */
#include "disk/object_store.h"

#include "disk/s3_int.h"

static bool key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static enum err check_key(struct str key, struct err_info *info)
{
    bool begins = true, ok = key.n > 0 && key.n <= OBJECT_KEY_BYTES_MAX;
    for (size_t i = 0; i < key.n && ok; i++) {
        char c = key.p[i];
        ok = begins ? key_char(c) && c != '.' : c == '/' || key_char(c);
        begins = c == '/';
    }
    return ok && !begins ? ERR_OK
                         : err_set(info, ERR_INVALID, "\"%.*s\" cannot be an object's key", STR_FMT(key));
}

enum err object_put_if_absent(struct object_store *s, struct str key, struct str content,
                              struct err_info *reterr_info)
{
    enum err e = check_key(key, reterr_info);
    if (!e && content.n > OBJECT_BYTES_MAX) {
        e = err_set(reterr_info, ERR_LIMIT, "%.*s has more than the %llu TiB an object may have",
                    STR_FMT(key), (unsigned long long)(OBJECT_BYTES_MAX >> 40));
    }
    return e ? e : s->ops->put_if_absent(s, key, content, reterr_info);
}

enum err object_get_range(struct object_store *s, struct str key, uint64_t offset, uint64_t n, struct buf *b,
                          struct err_info *reterr_info)
{
    enum err e = check_key(key, reterr_info);
    return e ? e : s->ops->get_range(s, key, offset, n, b, reterr_info);
}

enum err object_size(struct object_store *s, struct str key, uint64_t *ret_bytes,
                     struct err_info *reterr_info)
{
    enum err e = check_key(key, reterr_info);
    return e ? e : s->ops->size(s, key, ret_bytes, reterr_info);
}

enum err object_list(struct object_store *s, struct str prefix, struct arena *a,
                     const struct object_entry **ret_entries, size_t *ret_n, struct err_info *reterr_info)
{
    return s->ops->list(s, prefix, a, ret_entries, ret_n, reterr_info);
}

enum err object_remove(struct object_store *s, struct str key, struct err_info *reterr_info)
{
    enum err e = check_key(key, reterr_info);
    return e ? e : s->ops->remove(s, key, reterr_info);
}

enum err object_tidy(struct object_store *s, struct err_info *reterr_info)
{
    return s->ops->tidy ? s->ops->tidy(s, reterr_info) : ERR_OK;
}

void object_store_close(struct object_store *s)
{
    if (s) {
        s->ops->close(s);
    }
}

bool object_place_is_bucket(struct str place)
{
    return str_starts(place, STR("s3://"));
}

enum err object_store_open(struct str place, struct object_store **ret_s, struct err_info *reterr_info)
{
    struct buf path AUTO_BUF = {0};
    if (object_place_is_bucket(place)) {
        return s3_store_open(place, ret_s, reterr_info);
    }
    buf_str(&path, place);
    buf_char(&path, '\0');
    return path.err ? err_set(reterr_info, path.err, "no memory to open %.*s", STR_FMT(place))
                    : object_store_open_dir(path.p, ret_s, reterr_info);
}
