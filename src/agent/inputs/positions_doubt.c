/* Which of two statements about a file counts.
 *
 * A position stands twice in the positions file: as a plain number for Promtail, and with the identity of the
 * file in a comment. Where they differ somebody (or Promtail) changed the number since, and the number
 * counts. But when the file is damaged, as its sum tells, either may be what was hit. Then both are tried,
 * and what only the predecessor knows comes back; the hash of the bytes before an offset tells which is
 * right, and where none is the file is read from its start. Lines are read again rather than skipped. */
#include "agent/inputs/positions_int.h"
#include "base/hash.h"

bool positions_whole(struct str text)
{
    size_t end = text.n, at = 0;
    uint64_t sum = 0;
    if (end && text.p[end - 1] == '\n') {
        end--;
    }
    for (at = end; at > 0 && text.p[at - 1] != '\n'; at--) {
    }
    struct str last = str_slice(text, at, end);
    if (!str_starts(last, STR(POSITIONS_SUM))) {
        return !str_starts(text, STR(POSITIONS_FIRST_LINE));
    }
    last = str_slice(last, STR(POSITIONS_SUM).n, last.n);
    return end < text.n && str_to_u64(last, &sum) == ERR_OK && sum == hash_str(str_slice(text, 0, at));
}

/* -- the predecessor ------------------------------------------------------------------------------------- */

static bool copy_position(struct arena *a, const struct position *in, struct position *out)
{
    *out = *in;
    out->job = arena_str(a, in->job);
    out->path = arena_str(a, in->path);
    out->plain = false;
    return out->job.p && out->path.p;
}

static bool same_file(const struct position *a, const struct position *b)
{
    return a->dev == b->dev && a->ino == b->ino && str_eq(a->job, b->job) && str_eq(a->path, b->path);
}

static enum err add_files(struct positions *p, const struct positions *before)
{
    size_t own = p->own_count = p->list_count;
    for (size_t i = 0; i < before->list_count; i++) {
        bool there = false;
        for (size_t k = 0; k < own && !there; k++) {
            there = same_file(&p->list[k], &before->list[i]);
        }
        if (there || p->list_count >= POSITIONS_MAX) {
            continue;
        }
        if (arena_reserve(&p->arena, (void **)&p->list, &p->list_cap, p->list_count + 1, sizeof(*p->list)) ||
            !copy_position(&p->arena, &before->list[i], &p->list[p->list_count])) {
            return ERR_OOM;
        }
        p->list_count++;
    }
    return ERR_OK;
}

static bool identified(const struct positions *p, struct str path)
{
    for (size_t i = 0; i < p->list_count; i++) {
        if (str_eq(p->list[i].path, path)) {
            return true;
        }
    }
    return false;
}

/* A number or a cursor that stands for itself: the older one. */
static enum err text_take(struct positions *p, const struct plain *old)
{
    struct plain *own = strmap_get(&p->by_key, old->key);
    if (identified(p, old->key) || (own && str_eq(own->text, old->text))) {
        return ERR_OK;
    }
    if (!own) {
        own = &p->plain[p->plain_count++];
        *own = (struct plain){.key = arena_str(&p->arena, old->key)};
        if (!own->key.p || strmap_put(&p->by_key, own->key, own, NULL)) {
            return ERR_OOM;
        }
    }
    own->text = arena_str(&p->arena, old->text);
    return own->text.p ? ERR_OK : ERR_OOM;
}

enum err positions_doubt(struct positions *p, const struct positions *before)
{
    struct plain *all = arena_zarray(&p->arena, p->plain_count + before->plain_count + 1, sizeof(*all));
    enum err e = all ? add_files(p, before) : ERR_OOM;
    for (size_t i = 0; i < p->plain_count && !e; i++) {
        all[i] = p->plain[i];
        e = strmap_put(&p->by_key, all[i].key, &all[i], NULL);
    }
    if (!e) {
        p->plain = all;
    }
    for (size_t i = 0; i < before->plain_count && !e; i++) {
        e = text_take(p, &before->plain[i]);
    }
    return e;
}

/* -- number against identity ----------------------------------------------------------------------------- */

/* The plain number of a path; false when there is none. */
static bool number_of(const struct positions *p, struct str path, uint64_t *ret_n)
{
    struct str text = positions_text(p, path);
    return text.p && str_to_u64(text, ret_n) == ERR_OK;
}

/* Was the plain number of this path changed since it was written with the identity? */
static bool changed(const struct positions *p, struct str path, uint64_t plain)
{
    bool written = false;
    for (size_t i = 0; i < p->list_count; i++) {
        const struct position *o = &p->list[i];
        if (o->plain && str_eq(o->path, path)) {
            if (o->offset == plain) {
                return false;
            }
            written = true;
        }
    }
    return written;
}

/* Both offsets of what is doubted. Whoever looks for a file takes the last that fits: zero, which somebody
 * must have meant, then what the comments say, the numbers, the predecessor. */
static size_t both(const struct positions *p, struct position *out)
{
    size_t n = 0;
    uint64_t plain;
    for (size_t i = p->own_count; i < p->list_count; i++) {
        out[n++] = p->list[i];
    }
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < p->own_count; i++) {
            struct position at = p->list[i];
            if (pass == 1) {
                out[n++] = at;
            } else if (at.plain && number_of(p, at.path, &plain) && changed(p, at.path, plain) &&
                       (plain == 0) == (pass == 2)) {
                at.offset = plain;
                at.mark_len = plain ? at.mark_len : 0;
                out[n++] = at;
            }
        }
    }
    return n;
}

enum err positions_settle(struct positions *p)
{
    struct position *kept = arena_array(&p->arena, p->list_count * 2 + 1, sizeof(*kept));
    size_t n = 0;
    uint64_t plain;
    if (!kept) {
        return ERR_OOM;
    }
    if (p->doubtful) {
        n = both(p, kept);
    }
    for (size_t i = 0; i < p->list_count && !p->doubtful; i++) {
        if (!number_of(p, p->list[i].path, &plain) || !changed(p, p->list[i].path, plain)) {
            kept[n++] = p->list[i];
        }
    }
    p->list = kept;
    p->list_count = p->list_cap = n;
    return ERR_OK;
}
