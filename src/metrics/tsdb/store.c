/* The set of blocks and the manifest.
 *
 *   MANIFEST  = "CAIRNTM1", payload, CRC32C u32
 *   payload   = number, flushed before, offset * PARTITIONS, series file, block*, 0, tombstone*, 0
 *   block     = 1, number
 *   tombstone = 1, number, tenant, start, end, matchers, (op, name, value)*
 */
#include "metrics/tsdb/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/crc32c.h"

#define MANIFEST_MAGIC "CAIRNTM1"

enum {
    MAGIC_BYTES = 8
};

static void path_of(const struct store *s, const char *name, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/%s", s->dir, name);
}

void store_block_path(const struct store *s, uint64_t number, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/blocks/%012llu.block", s->dir, (unsigned long long)number);
}

void store_series_path(const struct store *s, uint64_t number, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/blocks/%012llu.series", s->dir, (unsigned long long)number);
}

uint64_t store_block_number(const struct block *b)
{
    uint64_t n = 0;
    return str_to_u64(str_of(b->name, 12), &n) == ERR_OK ? n : 0;
}

enum err tombstone_new(struct str tenant, const struct matcher *m, size_t n, ts_ms start, ts_ms end,
                       uint64_t number, struct tombstone **ret_t, struct err_info *info)
{
    struct tombstone *t = mem_zalloc(sizeof(*t));
    if (!t) {
        return err_set(info, ERR_OOM, "no memory for a deletion");
    }
    atomic_init(&t->refs, 1);
    arena_init(&t->memory, 0, NULL);
    t->number = number;
    t->start_ms = start;
    t->end_ms = end;
    t->tenant = arena_str(&t->memory, tenant);
    t->matchers = arena_zarray(&t->memory, n + 1, sizeof(*t->matchers));
    enum err e = t->tenant.p && t->matchers ? ERR_OK : ERR_OOM;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct str name = arena_str(&t->memory, m[i].name), value = arena_str(&t->memory, m[i].value);
        e = name.p && value.p ? matcher_init(&t->matchers[i], m[i].op, name, value, info) : ERR_OOM;
        t->matcher_count += e == ERR_OK;
    }
    if (e != ERR_OK) {
        tombstone_unref(t);
        return err_set(info, e, "no memory for a deletion");
    }
    *ret_t = t;
    return ERR_OK;
}

struct tombstone *tombstone_ref(struct tombstone *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tombstone_unref(struct tombstone *t)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < t->matcher_count; i++) {
            matcher_done(&t->matchers[i]);
        }
        arena_done(&t->memory);
        mem_free(t);
    }
}

static struct store_set *set_new(size_t blocks, size_t tombstones)
{
    struct store_set *set = mem_zalloc(sizeof(*set));
    if (!set) {
        return NULL;
    }
    atomic_init(&set->refs, 1);
    set->blocks = mem_zarray(blocks + 1, sizeof(*set->blocks));
    set->tombstones = mem_zarray(tombstones + 1, sizeof(*set->tombstones));
    if (!set->blocks || !set->tombstones) {
        store_set_unref(set);
        return NULL;
    }
    return set;
}

void store_set_unref(struct store_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < set->block_count; i++) {
        block_unref(set->blocks[i]);
    }
    for (size_t i = 0; i < set->tombstone_count; i++) {
        tombstone_unref(set->tombstones[i]);
    }
    mem_free(set->blocks);
    mem_free(set->tombstones);
    mem_free(set);
}

struct store_set *store_view(struct store *s)
{
    mutex_lock(&s->lock);
    struct store_set *set = s->set;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    mutex_unlock(&s->lock);
    return set;
}

static void tombstone_write(struct buf *b, const struct tombstone *t)
{
    write_u8(b, 1);
    write_varint(b, t->number);
    write_str(b, t->tenant);
    write_zigzag(b, t->start_ms);
    write_zigzag(b, t->end_ms);
    write_varint(b, t->matcher_count);
    for (size_t i = 0; i < t->matcher_count; i++) {
        write_u8(b, (uint8_t)t->matchers[i].op);
        write_str(b, t->matchers[i].name);
        write_str(b, t->matchers[i].value);
    }
}

static enum err manifest_save(const struct store *s, const struct store_set *set, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    char path[4096];
    buf_append(&b, MANIFEST_MAGIC, MAGIC_BYTES);
    write_varint(&b, s->number);
    write_zigzag(&b, s->flushed_before);
    for (size_t i = 0; i < PARTITIONS; i++) {
        write_varint(&b, s->flushed_offset[i]);
    }
    write_varint(&b, s->series_file);
    for (size_t i = 0; i < set->block_count; i++) {
        write_u8(&b, 1);
        write_varint(&b, store_block_number(set->blocks[i]));
    }
    write_u8(&b, 0);
    for (size_t i = 0; i < set->tombstone_count; i++) {
        tombstone_write(&b, set->tombstones[i]);
    }
    write_u8(&b, 0);
    write_u32(&b, crc32c(0, b.p, b.n));
    if (b.err != ERR_OK) {
        return err_set(info, b.err, "no memory to write the manifest of %s", s->dir);
    }
    path_of(s, "MANIFEST", path, sizeof(path));
    return file_store(path, buf_view(&b), info);
}

static int block_cmp(const void *a, const void *b)
{
    const struct block *x = *(struct block *const *)a, *y = *(struct block *const *)b;
    return x->min_ts != y->min_ts ? (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts)
                                  : strcmp(x->name, y->name);
}

static bool listed(const struct block *b, struct block *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == b) {
            return true;
        }
    }
    return false;
}

enum err store_change(struct store *s, struct block *const *gone, size_t gone_count, struct block *fresh,
                      struct tombstone *const *kept, size_t kept_count, struct err_info *info)
{
    struct store_set *old = s->set, *set = set_new(old->block_count + 1, kept_count);
    if (!set) {
        return err_set(info, ERR_OOM, "no memory for the list of blocks");
    }
    for (size_t i = 0; i < old->block_count; i++) {
        if (!listed(old->blocks[i], gone, gone_count)) {
            set->blocks[set->block_count++] = block_ref(old->blocks[i]);
        }
    }
    if (fresh) {
        set->blocks[set->block_count++] = block_ref(fresh);
    }
    qsort(set->blocks, set->block_count, sizeof(*set->blocks), block_cmp);
    for (size_t i = 0; i < kept_count; i++) {
        set->tombstones[set->tombstone_count++] = tombstone_ref(kept[i]);
    }
    enum err e = manifest_save(s, set, info);
    if (e != ERR_OK) {
        store_set_unref(set);
        return e;
    }
    mutex_lock(&s->lock);
    s->set = set;
    mutex_unlock(&s->lock);
    block_unref(fresh);
    for (size_t i = 0; i < gone_count;
         i++) { /* open mappings keep the bytes; a left-over goes at next open */
        char path[4096];
        store_block_path(s, store_block_number(gone[i]), path, sizeof(path));
        (void)(file_remove(path, NULL) == ERR_OK);
    }
    store_set_unref(old);
    return ERR_OK;
}

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

static enum err block_load(struct store *s, uint64_t number, struct store_set *set, struct err_info *info)
{
    char path[4096], name[BLOCK_NAME_BYTES];
    struct block *b = NULL;
    store_block_path(s, number, path, sizeof(path));
    (void)snprintf(name, sizeof(name), "%012llu.block", (unsigned long long)number);
    enum err e = block_open(path, name, &b, info);
    if (e == ERR_CORRUPT || e == ERR_NOT_FOUND) {
        char bad[4096 + 8];
        (void)snprintf(bad, sizeof(bad), "%s.bad", path);
        s->blocks_bad++;
        return e == ERR_CORRUPT ? file_rename(path, bad, info) : ERR_OK;
    }
    if (e == ERR_OK) {
        set->blocks[set->block_count++] = b;
    }
    return e;
}

static enum err manifest_parse(struct store *s, struct str content, struct store_set **ret_set,
                               struct err_info *info)
{
    if (content.n < MAGIC_BYTES + 4 || memcmp(content.p, MANIFEST_MAGIC, MAGIC_BYTES) != 0) {
        return ERR_CORRUPT;
    }
    struct reader tail = reader_of(str_slice(content, content.n - 4, content.n));
    struct reader r = reader_of(str_slice(content, MAGIC_BYTES, content.n - 4));
    if (read_u32(&tail) != crc32c(0, content.p, content.n - 4)) {
        return ERR_CORRUPT;
    }
    s->number = read_varint(&r);
    s->flushed_before = read_zigzag(&r);
    for (size_t i = 0; i < PARTITIONS; i++) {
        s->flushed_offset[i] = read_varint(&r);
    }
    s->series_file = read_varint(&r);
    struct store_set *set = set_new(content.n, content.n); /* each takes more than a byte */
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
    qsort(set->blocks, set->block_count, sizeof(*set->blocks), block_cmp);
    *ret_set = set;
    return ERR_OK;
}

/* Files a crash left behind. Damaged blocks have another name and stay. */
static enum err sweep(struct store *s, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    char path[4096];
    arena_init(&a, 0, NULL);
    path_of(s, "blocks", path, sizeof(path));
    enum err e = dir_list(path, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        uint64_t number = 0;
        bool series = str_ends(names[i], STR(".series"));
        bool ours = names[i].n > 12 && (series || str_ends(names[i], STR(".block"))) &&
                    str_to_u64(str_of(names[i].p, 12), &number) == ERR_OK;
        bool used = series ? number == s->series_file : false;
        for (size_t k = 0; k < s->set->block_count && !series; k++) {
            used = used || store_block_number(s->set->blocks[k]) == number;
        }
        if (ours && !used) {
            (void)snprintf(path, sizeof(path), "%s/blocks/%.*s", s->dir, STR_FMT(names[i]));
            e = file_remove(path, info);
        }
    }
    return e;
}

enum err store_open(struct store *s, const char *dir, struct err_info *info)
{
    char path[4096];
    struct buf content AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    *s = (struct store){.flushed_before = INT64_MIN};
    mutex_init(&s->lock);
    s->dir = mem_dup(dir, strlen(dir));
    if (!s->dir || strlen(dir) > sizeof(path) - BLOCK_NAME_BYTES) {
        return err_set(info, s->dir ? ERR_LIMIT : ERR_OOM, "cannot open the blocks in %s", dir);
    }
    path_of(s, "blocks", path, sizeof(path));
    enum err e = dir_make(path, info);
    path_of(s, "MANIFEST", path, sizeof(path));
    if (e == ERR_OK && file_exists(path)) {
        e = file_load(path, &content, info);
        if (e == ERR_OK && (e = manifest_parse(s, buf_view(&content), &s->set, info)) != ERR_OK) {
            (void)err_set(info, e, "the manifest %s: %s", path, err_text(e));
        }
    } else if (e == ERR_OK) {
        s->set = set_new(0, 0);
        e = s->set ? ERR_OK : err_set(info, ERR_OOM, "no memory for the list of blocks");
    }
    return e == ERR_OK ? sweep(s, info) : e;
}

void store_done(struct store *s)
{
    if (s->dir) {
        store_set_unref(s->set);
        mutex_done(&s->lock);
        mem_free(s->dir);
    }
    *s = (struct store){0};
}
