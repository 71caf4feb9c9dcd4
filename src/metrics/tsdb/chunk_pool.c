/* Segments of sealed chunks. */
#include "metrics/tsdb/chunk_pool.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "disk/file.h"
#include "metrics/tsdb/limits.h"

struct chunk_segment {
    struct chunk_pool *pool;
    struct chunk_segment *next, *before; /* of the pool's list: guarded by pool.lock */
    atomic_size_t refs; /* one for each chunk and reader, and one while it is the current one */
    char *p;
    size_t used, size; /* used: guarded by pool.lock */
    uint64_t number;
};

enum {
    ALIGN = 8,
    PAUSE_ALLOCATIONS = 4096, /* after a failure, before the disk is asked again */
    PATH_BYTES = 4096 + 32
};

static const char MAGIC[8] = "CAIRNCH1";

void chunk_pool_init(struct chunk_pool *p, const char *dir)
{
    *p = (struct chunk_pool){.dir = dir, .next_bytes = CHUNK_SEGMENT_BYTES_MIN};
    mutex_init(&p->lock);
    atomic_init(&p->bytes, 0);
    head_pool_init(&p->heads);
}

void chunk_pool_done(struct chunk_pool *p)
{
    if (p->current) {
        chunk_segment_unref(p->current);
    }
    head_pool_done(&p->heads);
    mutex_done(&p->lock);
}

void chunk_file_path(const char *dir, uint64_t number, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/%012llu.chunks", dir, (unsigned long long)number);
}

bool chunk_file_is(const void *p, uint64_t number)
{
    return memcmp(p, MAGIC, sizeof(MAGIC)) == 0 &&
           memcmp((const char *)p + sizeof(MAGIC), &number, sizeof(number)) == 0;
}

static void header_write(char *p, uint64_t number)
{
    memcpy(p, MAGIC, sizeof(MAGIC));
    memcpy(p + sizeof(MAGIC), &number, sizeof(number));
}

/* Under the lock. */
static void enter(struct chunk_pool *p, struct chunk_segment *s)
{
    s->pool = p;
    s->next = p->first;
    if (p->first) {
        p->first->before = s;
    }
    p->first = s;
    p->newest = s->number > p->newest ? s->number : p->newest;
    atomic_init(&s->refs, 1);
    atomic_fetch_add_explicit(&p->bytes, s->size, memory_order_relaxed);
}

static struct chunk_segment *segment_new(struct chunk_pool *p, size_t size)
{
    char path[PATH_BYTES];
    void *map = NULL;
    struct chunk_segment *s = mem_zalloc(sizeof(*s));
    chunk_file_path(p->dir, p->newest + 1, path, sizeof(path));
    if (!s || file_map_new(path, size, &map, NULL) != ERR_OK) {
        mem_free(s);
        return NULL;
    }
    s->number = p->newest + 1;
    s->p = map;
    s->size = size;
    s->used = CHUNK_FILE_HEADER_BYTES;
    header_write(map, s->number);
    enter(p, s);
    return s;
}

void chunk_segment_ref(struct chunk_segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

/* The room that was reserved for more. */
static void give_back(const char *path, const struct chunk_segment *s)
{
    int fd = -1;
    if (s->used < s->size && file_open(path, FILE_READ_WRITE, &fd, NULL) == ERR_OK) {
        (void)(file_truncate(fd, s->used, NULL) == ERR_OK);
        file_close(fd);
    }
}

static void segment_free(struct chunk_segment *s)
{
    struct chunk_pool *p = s->pool;
    char path[PATH_BYTES];
    mutex_lock(&p->lock);
    *(s->before ? &s->before->next : &p->first) = s->next;
    if (s->next) {
        s->next->before = s->before;
    }
    bool keep = p->keep;
    mutex_unlock(&p->lock);
    file_unmap_written(s->p, s->size);
    atomic_fetch_sub_explicit(&p->bytes, s->size, memory_order_relaxed);
    chunk_file_path(p->dir, s->number, path, sizeof(path));
    if (keep) {
        give_back(path, s);
    } else {
        (void)(file_remove(path, NULL) == ERR_OK); /* else the next start does */
    }
    mem_free(s);
}

void chunk_segment_unref(struct chunk_segment *s)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        segment_free(s);
    }
}

/* A current segment with room for n bytes, under the lock; *ret_full is then no longer the current one. */
static bool room(struct chunk_pool *p, size_t n, struct chunk_segment **ret_full)
{
    if (p->current && n <= p->current->size - p->current->used) {
        return true;
    }
    if (p->pause > 0) {
        p->pause--;
        return false;
    }
    struct chunk_segment *s = segment_new(p, p->next_bytes);
    if (!s) {
        p->pause = PAUSE_ALLOCATIONS;
        return false;
    }
    *ret_full = p->current;
    p->current = s;
    p->next_bytes = p->next_bytes * 2 < CHUNK_SEGMENT_BYTES_MAX ? p->next_bytes * 2 : CHUNK_SEGMENT_BYTES_MAX;
    return true;
}

void *chunk_pool_alloc(struct chunk_pool *p, const void *header, size_t header_bytes, size_t n,
                       struct chunk_segment **ret_segment)
{
    struct chunk_segment *full = NULL;
    char *out = NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    mutex_lock(&p->lock);
    if (n <= CHUNK_SEGMENT_BYTES_MIN / 4 && room(p, n, &full)) {
        out = p->current->p + p->current->used;
        memcpy(out, header, header_bytes); /* whoever goes through the segment sees how long it is */
        p->current->used += n;
        chunk_segment_ref(p->current);
        *ret_segment = p->current;
    }
    mutex_unlock(&p->lock);
    if (full) {
        chunk_segment_unref(full);
    }
    if (!out) {
        atomic_fetch_add_explicit(&p->missed, 1, memory_order_relaxed);
    }
    return out;
}

/* False when it is going. */
static bool segment_ref_try(struct chunk_segment *s)
{
    size_t refs = atomic_load_explicit(&s->refs, memory_order_relaxed);
    while (refs && !atomic_compare_exchange_weak_explicit(&s->refs, &refs, refs + 1, memory_order_relaxed,
                                                          memory_order_relaxed)) {
    }
    return refs != 0;
}

enum err chunk_pool_extents(struct chunk_pool *p, struct chunk_extent **ret_extents, size_t *ret_n)
{
    size_t n = 0, got = 0;
    mutex_lock(&p->lock);
    for (const struct chunk_segment *s = p->first; s; s = s->next) {
        n++;
    }
    struct chunk_extent *out = mem_array(n + 1, sizeof(*out));
    for (struct chunk_segment *s = out ? p->first : NULL; s; s = s->next) {
        if (segment_ref_try(s)) {
            out[got++] = (struct chunk_extent){s->number, s->used, s};
        }
    }
    mutex_unlock(&p->lock);
    *ret_extents = out;
    *ret_n = got;
    return out ? ERR_OK : ERR_OOM;
}

void chunk_extents_free(struct chunk_extent *x, size_t n)
{
    for (size_t i = 0; x && i < n; i++) {
        if (x[i].segment) {
            chunk_segment_unref(x[i].segment);
        }
    }
    mem_free(x);
}

enum err chunk_pool_sync(struct chunk_pool *p, const struct chunk_extent *extents, size_t n,
                         struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char path[PATH_BYTES];
        int fd = -1;
        chunk_file_path(p->dir, extents[i].number, path, sizeof(path));
        e = file_open(path, FILE_READ, &fd, info);
        e = e == ERR_OK ? file_sync_data(fd, info) : e;
        file_close(fd);
    }
    return e == ERR_OK ? dir_sync(p->dir, info) : e;
}

enum err chunk_pool_adopt(struct chunk_pool *p, struct chunk_extent *x, char **ret_p, struct err_info *info)
{
    char path[PATH_BYTES];
    void *map = NULL;
    struct chunk_segment *s = mem_zalloc(sizeof(*s));
    chunk_file_path(p->dir, x->number, path, sizeof(path));
    enum err e = s ? file_map_old(path, x->bytes, &map, info) : ERR_OOM;
    if (e != ERR_OK) {
        mem_free(s);
        return e;
    }
    s->number = x->number;
    s->p = map;
    s->used = s->size = x->bytes;
    mutex_lock(&p->lock);
    enter(p, s);
    mutex_unlock(&p->lock);
    x->segment = s;
    *ret_p = s->p + CHUNK_FILE_HEADER_BYTES;
    return ERR_OK;
}

static bool is_segment(struct chunk_pool *p, uint64_t number)
{
    mutex_lock(&p->lock);
    const struct chunk_segment *s = p->first;
    while (s && s->number != number) {
        s = s->next;
    }
    mutex_unlock(&p->lock);
    return s != NULL;
}

void chunk_pool_sweep(struct chunk_pool *p)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    if (dir_list(p->dir, &a, &names, &n, NULL) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char path[PATH_BYTES];
        uint64_t number = 0;
        if (!str_ends(names[i], STR(".chunks")) ||
            str_to_u64(str_slice(names[i], 0, names[i].n - 7), &number) != ERR_OK || is_segment(p, number)) {
            continue;
        }
        chunk_file_path(p->dir, number, path, sizeof(path));
        (void)(file_remove(path, NULL) == ERR_OK);
        mutex_lock(&p->lock); /* one that does not go keeps its name to itself */
        p->newest = number > p->newest ? number : p->newest;
        mutex_unlock(&p->lock);
    }
}

void chunk_pool_keep(struct chunk_pool *p)
{
    mutex_lock(&p->lock);
    p->keep = true;
    mutex_unlock(&p->lock);
}
