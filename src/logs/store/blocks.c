/* The list of blocks on disk and in memory. */
#include "logs/store/blocks.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"
#include "disk/manifest.h"
#include "logs/store/store_int.h"

#define STATE_NAME STR("state") /* the manifest's entry that is not a file */

enum {
    NUMBER_DIGITS = 12,
    NAME_TENANT_MAX = 160
};

static enum err path_in(const struct log_store *s, const char *dir, struct str name, struct buf *b)
{
    buf_reset(b);
    buf_printf(b, "%s/%s%s%.*s", s->dir, dir, name.n ? "/" : "", STR_FMT(name));
    buf_char(b, '\0');
    return b->err;
}

/* The tenant as a part of a file name; long ones are hashed. */
static void put_tenant(struct buf *b, struct str tenant)
{
    size_t mark = b->n;
    for (size_t i = 0; i < tenant.n; i++) {
        unsigned char c = (unsigned char)tenant.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-';
        if (plain) {
            buf_char(b, (char)c);
        } else {
            buf_printf(b, "%%%02x", c);
        }
    }
    if (!b->err && b->n - mark > NAME_TENANT_MAX) {
        b->n = mark;
        buf_printf(b, "%%%016llx", (unsigned long long)hash_str(tenant));
    }
}

enum err blocks_new_path(struct log_store *s, struct str tenant, struct buf *path, struct str *ret_name,
                         uint64_t *ret_number)
{
    struct buf name AUTO_BUF = {0};
    uint64_t number = ++s->blocks.last_number;
    buf_printf(&name, "%0*llu-", NUMBER_DIGITS, (unsigned long long)number);
    put_tenant(&name, tenant);
    buf_c(&name, BLOCK_SUFFIX);
    enum err e = name.err ? name.err : path_in(s, "blocks", buf_view(&name), path);
    if (!e) {
        *ret_name = str_of(path->p + path->n - 1 - name.n, name.n);
        *ret_number = number;
    }
    return e;
}

static uint64_t number_of(struct str name)
{
    uint64_t n = 0;
    bool ok = name.n > NUMBER_DIGITS && str_to_u64(str_slice(name, 0, NUMBER_DIGITS), &n) == ERR_OK;
    return ok ? n : 0;
}

/* --- changing --- */

static bool is_gone(const struct block_change *ch, const struct block *b)
{
    for (size_t i = 0; i < ch->gone_n; i++) {
        if (ch->gone[i] == b) {
            return true;
        }
    }
    return false;
}

/* The list after the change, in the arena; references are not counted. */
static enum err list_after(const struct block_list *l, const struct block_change *ch, struct arena *a,
                           struct block ***ret_items, size_t *ret_n)
{
    struct block **items = arena_array(a, l->n + ch->fresh_n + 1, sizeof(struct block *));
    size_t n = 0;
    bool placed = false;
    if (!items) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < l->n; i++) {
        bool gone = is_gone(ch, l->items[i]);
        if (!gone) {
            items[n++] = l->items[i];
        } else if (!placed && ch->fresh_n) {
            memcpy(&items[n], ch->fresh, ch->fresh_n * sizeof(struct block *));
            n += ch->fresh_n;
            placed = true;
        }
    }
    if (!placed && ch->fresh_n) {
        memcpy(&items[n], ch->fresh, ch->fresh_n * sizeof(struct block *));
        n += ch->fresh_n;
    }
    *ret_items = items;
    *ret_n = n;
    return ERR_OK;
}

static enum err write_manifest(const struct log_store *s, const char *path, struct block *const *items,
                               size_t n, uint64_t wal_from, struct arena *a, uint64_t *ret_generation,
                               struct err_info *info)
{
    struct manifest_entry *entries = arena_array(a, n + 1, sizeof(*entries));
    if (!entries) {
        return err_set(info, arena_err(a), "no memory for the manifest of %s", s->dir);
    }
    entries[0] = (struct manifest_entry){STATE_NAME,
                                         arena_printf(a, "wal %llu number %llu", (unsigned long long)wal_from,
                                                      (unsigned long long)s->blocks.last_number)};
    for (size_t i = 0; i < n; i++) {
        entries[i + 1].name = str_c(items[i]->name);
        entries[i + 1].text =
            arena_printf(a, "rows %llu from %lld to %lld", (unsigned long long)items[i]->rows,
                         (long long)items[i]->ts_min, (long long)items[i]->ts_max);
    }
    if (arena_err(a)) {
        return err_set(info, arena_err(a), "no memory for the manifest of %s", s->dir);
    }
    struct manifest m = {.generation = s->manifest_generation, .entries = entries, .n = n + 1};
    return manifest_store(path, &m, ret_generation, info);
}

static enum err store_manifest(struct log_store *s, struct block *const *items, size_t n, uint64_t wal_from,
                               struct arena *a, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    enum err e = path_in(s, "MANIFEST", STR(""), &path);
    return e ? err_set(info, e, "no memory for the manifest of %s", s->dir)
             : write_manifest(s, path.p, items, n, wal_from, a, &s->manifest_generation, info);
}

enum err blocks_copy_manifest(struct log_store *s, const char *dir, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    uint64_t generation = 0;
    struct str path = arena_printf(&a, "%s/MANIFEST", dir);
    return path.p ? write_manifest(s, path.p, s->blocks.items, s->blocks.n, 0, &a, &generation, info)
                  : err_set(info, ERR_OOM, "no memory for the manifest of %s", dir);
}

/* lock held */
static struct head *take_oldest_head(struct log_store *s)
{
    struct head *h = s->waiting[0];
    s->waiting_n--;
    memmove(s->waiting, s->waiting + 1, s->waiting_n * sizeof(struct head *));
    cond_broadcast(&s->room);
    return h;
}

/* The new list takes the place of the old; nothing can fail any more. */
static void swap_list(struct log_store *s, const struct block_change *ch, struct block **items, size_t n)
{
    struct block_list *l = &s->blocks;
    mutex_lock(&s->lock);
    memcpy(l->items, items, n * sizeof(struct block *));
    l->n = n;
    l->file_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        l->file_bytes += items[i]->file_bytes;
    }
    l->wal_from = ch->wal_from ? ch->wal_from : l->wal_from;
    for (size_t i = 0; i < ch->gone_n; i++) {
        l->bad_groups_gone += atomic_load_explicit(&ch->gone[i]->bad_groups, memory_order_relaxed);
    }
    struct head *done = ch->head_done ? take_oldest_head(s) : NULL;
    mutex_unlock(&s->lock);
    head_unref(done);
}

enum err blocks_change(struct log_store *s, const struct block_change *ch, struct err_info *info)
{
    struct block_list *l = &s->blocks;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct block **items = NULL;
    size_t n = 0;
    enum err e = list_after(l, ch, &a, &items, &n);
    if (!e) {
        mutex_lock(&s->lock); /* the array may move */
        e = vec_reserve((void **)&l->items, &l->cap, n + 1, sizeof(struct block *));
        mutex_unlock(&s->lock);
    }
    if (e) {
        return err_set(info, e, "no memory for the list of blocks");
    }
    e = store_manifest(s, items, n, ch->wal_from ? ch->wal_from : l->wal_from, &a, info);
    if (e) {
        return e;
    }
    swap_list(s, ch, items, n);
    struct buf path AUTO_BUF = {0};
    for (size_t i = 0; i < ch->gone_n;
         i++) { /* mappings keep the bytes; a left-over goes at the next start */
        if (path_in(s, "blocks", str_c(ch->gone[i]->name), &path) == ERR_OK) {
            (void)(file_remove(path.p, NULL) == ERR_OK);
        }
        log_block_unref(ch->gone[i]);
    }
    return ERR_OK;
}

/* --- opening --- */

/* Damaged files are kept for whoever wants to look, where nothing reads them. */
static enum err put_aside(struct log_store *s, struct str name, const struct err_info *why)
{
    struct buf from AUTO_BUF = {0}, to AUTO_BUF = {0};
    s->blocks.bad_blocks++;
    LOG_EVENT(LVL_ERROR, "log_block_quarantined", F_STR("block", name), F_C("dir", s->dir),
              F_C("reason", why->message));
    enum err e = path_in(s, "quarantine", STR(""), &to);
    e = e ? e : dir_make(to.p, NULL);
    e = e ? e : path_in(s, "quarantine", name, &to);
    e = e ? e : path_in(s, "blocks", name, &from);
    return e || !file_exists(from.p) ? e : file_rename(from.p, to.p, NULL);
}

static enum err open_block(struct log_store *s, struct str name, struct err_info *info)
{
    struct block_list *l = &s->blocks;
    struct buf path AUTO_BUF = {0};
    struct block *b = NULL;
    struct err_info why = {0};
    uint64_t number = number_of(name);
    l->last_number = number > l->last_number ? number : l->last_number;
    enum err e = path_in(s, "blocks", name, &path);
    e = e ? e : vec_reserve((void **)&l->items, &l->cap, l->n + 1, sizeof(struct block *));
    e = e ? e : log_block_open(path.p, name, number, &b, &why);
    if (e == ERR_CORRUPT || e == ERR_NOT_FOUND || e == ERR_INVALID) {
        return put_aside(s, name, &why);
    }
    if (e) {
        return err_set(info, e, "%s", why.message[0] ? why.message : err_text(e));
    }
    l->items[l->n++] = b;
    l->file_bytes += b->file_bytes;
    return ERR_OK;
}

static void read_state(struct block_list *l, struct str text)
{
    unsigned long long wal = 0, number = 0;
    char copy[128] = {0};
    memcpy(copy, text.p, text.n < sizeof(copy) ? text.n : sizeof(copy) - 1);
    if (sscanf(copy, "wal %llu number %llu", &wal, &number) == 2) { /* NOLINT(cert-err34-c): it is checked */
        l->wal_from = wal;
        l->last_number = number > l->last_number ? number : l->last_number;
    }
}

/* Adds every block of the folder that m does not name. Files of a merge may then be there beside their
 * result; queries hand out a line once all the same. *ret_missing counts what m names and is not there. */
static enum err take_all(const char *dir, struct arena *a, struct manifest *m, size_t *ret_missing,
                         struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0, there = 0, listed = 0;
    enum err e = dir_list(dir, a, &names, &n, info);
    struct manifest_entry *entries = e ? NULL : arena_zarray(a, m->n + n + 1, sizeof(*entries));
    if (!entries) {
        return e ? e : arena_err(a);
    }
    struct manifest all = {.generation = m->generation, .entries = entries, .n = m->n};
    for (size_t i = 0; i < m->n; i++) {
        entries[i] = m->entries[i];
        listed += str_ends(m->entries[i].name, STR(BLOCK_SUFFIX));
    }
    for (size_t i = 0; i < n; i++) {
        bool known = manifest_find(m, names[i]) != NULL;
        there += known;
        if (!known && str_ends(names[i], STR(BLOCK_SUFFIX))) {
            entries[all.n++].name = names[i];
        }
    }
    *ret_missing = listed - there;
    *m = all;
    return ERR_OK;
}

/* A manifest that cannot be read gets another name. */
static enum err manifest_aside(struct log_store *s, const struct err_info *why, struct err_info *info)
{
    struct buf from AUTO_BUF = {0}, to AUTO_BUF = {0};
    s->blocks.bad_blocks++;
    LOG_EVENT(LVL_ERROR, "log_manifest_damaged", F_C("dir", s->dir), F_C("reason", why->message),
              F_C("action", "every whole block is taken"));
    enum err e = path_in(s, "MANIFEST", STR(""), &from);
    e = e ? e : path_in(s, "MANIFEST.damaged", STR(""), &to);
    return e || !file_exists(from.p) ? e : file_rename(from.p, to.p, info);
}

static enum err load_manifest(struct log_store *s, const char *dir, struct arena *a, struct manifest *ret_m,
                              struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    struct err_info why = {0};
    enum err e = path_in(s, "MANIFEST", STR(""), &path);
    e = e ? e : manifest_load(path.p, a, ret_m, &why);
    if (e == ERR_CORRUPT) {
        *ret_m = (struct manifest){0};
    } else if (e) {
        return err_set(info, e, "%s", why.message[0] ? why.message : err_text(e));
    }
    /* Missing blocks may stand there under another name, and without a manifest nothing is known. */
    struct manifest all = *ret_m;
    size_t missing = 0;
    bool written = ret_m->generation > 0;
    enum err listed = take_all(dir, a, &all, &missing, info);
    if (listed || (written && !missing)) {
        return listed;
    }
    if (!e && !written &&
        all.n == 0) { /* a manifest from the first moment: without one something went wrong */
        (void)(store_manifest(s, NULL, 0, 0, a, NULL) == ERR_OK);
        ret_m->generation = s->manifest_generation;
        return ERR_OK;
    }
    *ret_m = all;
    if (!written && !e) {
        (void)err_set(&why, ERR_CORRUPT, "it is missing");
    }
    return written ? ERR_OK : manifest_aside(s, &why, info);
}

enum err blocks_open(struct log_store *s, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct buf dir AUTO_BUF = {0};
    struct manifest m = {0};
    enum err e = path_in(s, "blocks", STR(""), &dir);
    e = e ? e : dir_make(dir.p, info);
    e = e ? e : load_manifest(s, dir.p, &a, &m, info);
    s->manifest_generation = m.generation;
    for (size_t i = 0; !e && i < m.n; i++) {
        if (str_eq(m.entries[i].name, STATE_NAME)) {
            read_state(&s->blocks, m.entries[i].text);
        } else {
            e = open_block(s, m.entries[i].name, info);
        }
    }
    const struct str *missing = NULL;
    size_t missing_n = 0;
    return e ? e : manifest_sweep(&m, dir.p, STR(BLOCK_SUFFIX), &a, &missing, &missing_n, NULL, info);
}

void blocks_done(struct block_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        log_block_unref(l->items[i]);
    }
    mem_free(l->items);
    *l = (struct block_list){0};
}

/* --- looking --- */

enum err blocks_pick(const struct block_list *l, struct str tenant, ts_ns start, ts_ns end, struct arena *a,
                     struct block ***ret_blocks, size_t *ret_n)
{
    struct block **items = arena_array(a, l->n + 1, sizeof(struct block *));
    size_t n = 0;
    if (!items) {
        return arena_err(a);
    }
    for (size_t i = 0; i < l->n; i++) {
        struct block *b = l->items[i];
        if (str_eq(b->tenant, tenant) && b->ts_max >= start && b->ts_min < end) {
            items[n++] = log_block_ref(b);
        }
    }
    *ret_blocks = items;
    *ret_n = n;
    return ERR_OK;
}
