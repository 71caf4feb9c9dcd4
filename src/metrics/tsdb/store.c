/* The set of blocks, and writing the manifest; store_open.c reads it.
 *
 *   MANIFEST  = "CAIRNTM1", payload, CRC32C u32
 *   payload   = number, flushed before, offset * PARTITIONS, series file, block*, 0, tombstone*, 0
 *   block     = 1, number
 *   tombstone = 1, number, tenant, start, end, matchers, (op, name, value)*
 *
 * MANIFEST.copy has the same bytes and is read when MANIFEST cannot be. Blocks that are listed and missing
 * stay listed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/store_int.h"

void store_path(const struct store *s, const char *name, char *path, size_t path_size)
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

struct store_set *store_set_new(size_t blocks, size_t tombstones)
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

enum err store_manifest_save(const struct store *s, const struct store_set *set, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    char path[4096];
    buf_append(&b, STORE_MANIFEST_MAGIC, STORE_MAGIC_BYTES);
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
    for (size_t i = 0; i < s->missing_count; i++) {
        write_u8(&b, 1);
        write_varint(&b, s->missing[i]);
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
    store_path(s, "MANIFEST", path, sizeof(path));
    enum err e = file_store(path, buf_view(&b), info);
    store_path(s, "MANIFEST.copy", path, sizeof(path));
    if (e == ERR_OK && file_store(path, buf_view(&b), NULL) != ERR_OK) {
        (void)(file_remove(path, NULL) == ERR_OK); /* an old copy is worse than none */
    }
    return e;
}

int store_block_cmp(const void *a, const void *b)
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
    struct store_set *old = s->set, *set = store_set_new(old->block_count + 1, kept_count);
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
    qsort(set->blocks, set->block_count, sizeof(*set->blocks), store_block_cmp);
    for (size_t i = 0; i < kept_count; i++) {
        set->tombstones[set->tombstone_count++] = tombstone_ref(kept[i]);
    }
    set->flushed_before = s->flushed_before;
    enum err e = store_manifest_save(s, set, info);
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

void store_done(struct store *s)
{
    if (s->dir) {
        store_set_unref(s->set);
        mutex_done(&s->lock);
        mem_free(s->missing);
        mem_free(s->dir);
    }
    *s = (struct store){0};
}
