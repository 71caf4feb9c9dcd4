/* Opening what is on disk: the manifest, its blocks, and what to do when a file is damaged, missing or too
 * much.
 *
 * Nothing that may hold samples is deleted: a damaged block gets another name, a whole one that no manifest
 * names goes to DIR/quarantine, a listed one that is missing stays listed until it is back. Without a
 * readable manifest every whole block is taken; what two of them share is handed out once. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/store_int.h"

static enum err tombstone_read(struct reader *r, struct tombstone **ret_t, struct err_info *info)
{
    struct matcher m[TOMBSTONE_MATCHERS_MAX];
    uint64_t number = read_varint(r);
    struct str tenant = read_str(r);
    ts_ms start = read_zigzag(r), end = read_zigzag(r);
    uint64_t n = read_varint(r);
    if (r->bad || n > TOMBSTONE_MATCHERS_MAX) {
        return ERR_CORRUPT;
    }
    for (uint64_t i = 0; i < n; i++) {
        unsigned op = read_u8(r);
        if (op > MATCH_NRE) {
            return ERR_CORRUPT;
        }
        m[i].op = (enum matcher_op)op;
        m[i].name = read_str(r);
        m[i].value = read_str(r);
    }
    return r->bad ? ERR_CORRUPT : tombstone_new(tenant, m, (size_t)n, start, end, number, ret_t, info);
}

static enum err missing_add(struct store *s, uint64_t number, const char *path)
{
    uint64_t *more = mem_array(s->missing_count + 1, sizeof(*more));
    if (!more) {
        return ERR_OOM;
    }
    if (s->missing_count) {
        memcpy(more, s->missing, s->missing_count * sizeof(*more));
    }
    more[s->missing_count++] = number;
    mem_free(s->missing);
    s->missing = more;
    s->blocks_bad++;
    LOG_EVENT(LVL_ERROR, "tsdb_block_missing", F_C("block", path),
              F_C("cure",
                  "put it back under this name and start again; to go on without, remove MANIFEST and "
                  "MANIFEST.copy: the list is then made anew from the files that are there"));
    return ERR_OK;
}

/* A damaged file is kept under another name, for whoever wants to look. */
static enum err put_aside(struct store *s, const char *path, const char *suffix, const char *why,
                          struct err_info *info)
{
    char bad[4096 + 16];
    (void)snprintf(bad, sizeof(bad), "%s%s", path, suffix);
    s->blocks_bad++;
    s->stale = true;
    LOG_EVENT(LVL_ERROR, "tsdb_file_quarantined", F_C("file", path), F_C("as", bad), F_C("why", why),
              F_C("action", "the rest is served without it"));
    return file_rename(path, bad, info);
}

static enum err block_load(struct store *s, uint64_t number, struct store_set *set, struct err_info *info)
{
    char path[4096], name[BLOCK_NAME_BYTES];
    struct block *b = NULL;
    struct err_info why = {0};
    store_block_path(s, number, path, sizeof(path));
    (void)snprintf(name, sizeof(name), "%012llu.block", (unsigned long long)number);
    enum err e = block_open(path, name, &b, &why);
    if (e == ERR_CORRUPT) {
        return put_aside(s, path, ".bad", why.message, info);
    }
    if (e == ERR_NOT_FOUND) {
        return missing_add(s, number, path);
    }
    if (e == ERR_OK) {
        set->blocks[set->block_count++] = b;
    } else if (info) {
        *info = why;
    }
    return e;
}

static enum err manifest_parse(struct store *s, struct str content, struct store_set **ret_set,
                               struct err_info *info)
{
    if (content.n < STORE_MAGIC_BYTES + 4 ||
        memcmp(content.p, STORE_MANIFEST_MAGIC, STORE_MAGIC_BYTES) != 0) {
        return ERR_CORRUPT;
    }
    struct reader tail = reader_of(str_slice(content, content.n - 4, content.n));
    struct reader r = reader_of(str_slice(content, STORE_MAGIC_BYTES, content.n - 4));
    if (read_u32(&tail) != crc32c(0, content.p, content.n - 4)) {
        return ERR_CORRUPT;
    }
    s->number = read_varint(&r);
    s->flushed_before = read_zigzag(&r);
    for (size_t i = 0; i < PARTITIONS; i++) {
        s->flushed_offset[i] = read_varint(&r);
    }
    s->series_file = read_varint(&r);
    struct store_set *set = store_set_new(content.n, content.n); /* each takes more than a byte */
    if (!set) {
        return ERR_OOM;
    }
    enum err e = ERR_OK;
    while (e == ERR_OK && read_u8(&r) == 1) {
        e = block_load(s, read_varint(&r), set, info);
    }
    while (e == ERR_OK && read_u8(&r) == 1) {
        e = tombstone_read(&r, &set->tombstones[set->tombstone_count], info);
        set->tombstone_count += e == ERR_OK;
    }
    if (e != ERR_OK || r.bad) {
        store_set_unref(set);
        return r.bad ? ERR_CORRUPT : e;
    }
    qsort(set->blocks, set->block_count, sizeof(*set->blocks), store_block_cmp);
    *ret_set = set;
    return ERR_OK;
}

static enum err manifest_load(struct store *s, const char *name, struct str *ret_why,
                              struct store_set **ret_set, struct err_info *info)
{
    char path[4096];
    struct buf content AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    store_path(s, name, path, sizeof(path));
    enum err e = file_load(path, &content, info);
    if (e == ERR_NOT_FOUND) {
        *ret_why = STR("it is missing");
        return e;
    }
    e = e == ERR_OK ? manifest_parse(s, buf_view(&content), ret_set, info) : e;
    if (e == ERR_CORRUPT) {
        *ret_why = STR("its checksum does not match");
    } else if (e != ERR_OK && info && info->code == ERR_OK) {
        (void)err_set(info, e, "the manifest %s: %s", path, err_text(e));
    }
    return e;
}

/* The number a file of ours has in its name; false when it is none. */
static bool file_number(struct str name, struct str suffix, uint64_t *ret_number)
{
    return name.n == 12 + suffix.n && str_ends(name, suffix) &&
           str_to_u64(str_of(name.p, 12), ret_number) == ERR_OK;
}

static bool is_known(const struct store *s, const struct store_set *set, uint64_t number)
{
    bool known = false;
    for (size_t i = 0; i < s->missing_count; i++) {
        known = known || s->missing[i] == number;
    }
    for (size_t i = 0; i < set->block_count; i++) {
        known = known || store_block_number(set->blocks[i]) == number;
    }
    return known;
}

static enum err names_list(const struct store *s, struct arena *a, const struct str **ret_names,
                           size_t *ret_n, struct err_info *info)
{
    char path[4096];
    store_path(s, "blocks", path, sizeof(path));
    return dir_list(path, a, ret_names, ret_n, info);
}

/* Takes every whole block, and the newest series definitions: there is no manifest, or only the copy of one,
 * which may be older. Deletions that neither knows are undone. */
static enum err take_all(struct store *s, struct store_set *known, const struct str *names, size_t n,
                         struct store_set **ret_set, struct err_info *info)
{
    struct store_set *set =
        store_set_new((known ? known->block_count : 0) + n, known ? known->tombstone_count : 0);
    if (!set) {
        return err_set(info, ERR_OOM, "no memory for the list of blocks");
    }
    for (size_t i = 0; known && i < known->block_count; i++) {
        set->blocks[set->block_count++] = block_ref(known->blocks[i]);
    }
    for (size_t i = 0; known && i < known->tombstone_count; i++) {
        set->tombstones[set->tombstone_count++] = tombstone_ref(known->tombstones[i]);
    }
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        uint64_t number = 0;
        if (file_number(names[i], STR(".block"), &number)) {
            e = is_known(s, set, number) ? ERR_OK : block_load(s, number, set, info);
        } else if (file_number(names[i], STR(".series"), &number) && !known) {
            s->series_file = number > s->series_file ? number : s->series_file;
        }
        s->number = number > s->number ? number : s->number;
    }
    if (e != ERR_OK) {
        store_set_unref(set);
        return e;
    }
    qsort(set->blocks, set->block_count, sizeof(*set->blocks), store_block_cmp);
    *ret_set = set;
    return ERR_OK;
}

/* MANIFEST cannot be read: its copy, and what is there. */
static enum err rebuild(struct store *s, struct str why, const struct str *names, size_t n,
                        struct err_info *info)
{
    struct store_set *known = NULL;
    struct str unused = {0};
    char path[4096];
    enum err copy = manifest_load(s, "MANIFEST.copy", &unused, &known, NULL);
    LOG_EVENT(LVL_ERROR, "tsdb_manifest_damaged", F_C("dir", s->dir), F_STR("why", why),
              F_C("action", copy == ERR_OK ? "its copy is used, and every whole block is taken"
                                           : "every whole block is taken; deletions of late are undone"));
    if (copy != ERR_OK) { /* what a damaged one left */
        s->number = s->series_file = 0;
        s->flushed_before = INT64_MIN;
        memset(s->flushed_offset, 0, sizeof(s->flushed_offset));
    }
    enum err e = take_all(s, known, names, n, &s->set, info);
    store_set_unref(known);
    store_path(s, "MANIFEST", path, sizeof(path));
    if (e == ERR_OK && file_exists(path)) {
        e = put_aside(s, path, ".damaged", "its checksum does not match", info);
    } else {
        s->blocks_bad++;
    }
    return e == ERR_OK ? store_manifest_save(s, s->set, info) : e;
}

/* A whole block that the manifest does not name: a crash may have left it, or somebody put it there. */
static enum err unlisted(struct store *s, const char *path, const char *name, struct err_info *info)
{
    struct block *b = NULL;
    char to[4096];
    if (block_open(path, name, &b, NULL) != ERR_OK) {
        return file_remove(path, info); /* it was being written */
    }
    block_unref(b);
    store_path(s, "quarantine", to, sizeof(to));
    enum err e = dir_make(to, info);
    size_t n = strlen(to);
    if ((size_t)snprintf(to + n, sizeof(to) - n, "/%s", name) >= sizeof(to) - n) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long: %s", s->dir);
    }
    LOG_EVENT(LVL_WARN, "tsdb_block_unlisted", F_C("file", path), F_C("moved_to", to),
              F_C("why",
                  "the manifest does not name it: an interrupted merge left it, or it was put there by hand"),
              F_C("action", "it is not served and may be removed"));
    return e == ERR_OK ? file_rename(path, to, info) : e;
}

/* Files a crash left behind. Damaged blocks have another name and stay. */
static enum err sweep(struct store *s, const struct str *names, size_t n, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        uint64_t number = 0;
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/blocks/%.*s", s->dir, STR_FMT(names[i]));
        bool series = file_number(names[i], STR(".series"), &number) ||
                      file_number(names[i], STR(".series.copy"), &number);
        if (series && number != s->series_file) {
            e = file_remove(path, info);
        } else if (!series && file_number(names[i], STR(".block"), &number) && !is_known(s, s->set, number) &&
                   s->missing_count == 0) { /* it might be the missing one under another name */
            e = unlisted(s, path, names[i].p, info);
        }
    }
    return e;
}

static enum err set_open(struct store *s, const struct str *names, size_t n, struct err_info *info)
{
    struct str why = {0};
    bool any = false;
    uint64_t unused = 0;
    for (size_t i = 0; i < n; i++) {
        any = any || file_number(names[i], STR(".block"), &unused) ||
              file_number(names[i], STR(".series"), &unused);
    }
    enum err e = manifest_load(s, "MANIFEST", &why, &s->set, info);
    if (e == ERR_NOT_FOUND && !any) { /* a manifest from the first moment: without one something went wrong */
        s->set = store_set_new(0, 0);
        e = s->set ? ERR_OK : err_set(info, ERR_OOM, "no memory for the list of blocks");
        if (e == ERR_OK && store_manifest_save(s, s->set, NULL) != ERR_OK) {
            s->stale = true; /* a full disk does not keep an empty store from opening */
        }
        return e;
    }
    e = e == ERR_CORRUPT || e == ERR_NOT_FOUND ? rebuild(s, why, names, n, info) : e;
    if (e == ERR_OK && s->stale) { /* a disk that refuses does not keep the store from opening */
        s->stale = store_manifest_save(s, s->set, NULL) != ERR_OK;
    }
    return e;
}

enum err store_open(struct store *s, const char *dir, struct err_info *info)
{
    char path[4096];
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    *s = (struct store){.flushed_before = INT64_MIN};
    mutex_init(&s->lock);
    s->dir = mem_dup(dir, strlen(dir));
    if (!s->dir || strlen(dir) > sizeof(path) - 2 * BLOCK_NAME_BYTES) {
        return err_set(info, s->dir ? ERR_LIMIT : ERR_OOM, "cannot open the blocks in %s", dir);
    }
    store_path(s, "blocks", path, sizeof(path));
    enum err e = dir_make(path, info);
    e = e == ERR_OK ? names_list(s, &a, &names, &n, info) : e;
    e = e == ERR_OK ? set_open(s, names, n, info) : e;
    if (e == ERR_OK) {
        s->set->flushed_before = s->flushed_before;
    }
    return e == ERR_OK ? sweep(s, names, n, info) : e;
}
