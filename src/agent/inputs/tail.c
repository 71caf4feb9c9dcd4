/* One open file: reading it in chunks of whole lines, noticing that it was cut or rewritten, and the receipts
 * by which its position advances. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inputs/file_int.h"
#include "base/log.h"
#include "base/mem.h"

/* -- receipts ---------------------------------------------------------------------------------------------
 */

/* On whatever thread let go last. */
static void chunk_settled(struct receipt *base, bool ok)
{
    struct tail_receipt *r = (struct tail_receipt *)base, *finished = NULL;
    struct tail *t = r->tail;
    struct file_input *in = t->in;
    mutex_lock(&in->lock);
    r->done = true;
    r->ok = ok;
    while (t->first && t->first->done) {
        struct tail_receipt *head = t->first;
        t->first = head->next;
        t->stuck |= !head->ok;
        if (!t->stuck) {
            t->acked = head->end;
            t->acked_mark_hash = head->mark_hash;
            t->acked_mark_len = head->mark_len;
            t->acked_era = head->era;
        }
        head->next = finished;
        finished = head;
    }
    if (!t->first) {
        t->last = NULL;
    }
    mutex_unlock(&in->lock);
    atomic_store_explicit(&in->changed, true, memory_order_release);
    while (finished) {
        struct tail_receipt *next = finished->next;
        mem_free(finished);
        finished = next;
    }
}

static struct tail_receipt *chunk_begin(struct tail *t, uint64_t end)
{
    struct tail_receipt *r = mem_zalloc(sizeof(*r));
    if (!r) {
        return NULL;
    }
    receipt_init(&r->base, chunk_settled);
    r->tail = t;
    r->end = end;
    r->era = t->era;
    r->mark_len = t->mark_len;
    r->mark_hash = hash_bytes(t->mark, t->mark_len);
    mutex_lock(&t->in->lock);
    if (t->last) {
        t->last->next = r;
    } else {
        t->first = r;
    }
    t->last = r;
    mutex_unlock(&t->in->lock);
    return r;
}

struct position tail_position(const struct tail *t)
{
    struct position p = {.job = t->job->name,
                         .path = str_c(t->path),
                         .dev = t->id.dev,
                         .ino = t->id.ino,
                         .offset = t->acked,
                         .head_hash = t->id.head_hash,
                         .head_len = t->id.head_len,
                         .mark_hash = t->acked_mark_hash,
                         .mark_len = t->acked_mark_len};
    if (t->acked_era != t->era) { /* what was acknowledged has been cut off since */
        p.offset = 0;
        p.head_len = p.mark_len = 0;
    }
    return p;
}

/* -- opening ----------------------------------------------------------------------------------------------
 */

static enum err open_regular(struct tail *t, const char *real)
{
    struct stat st;
    t->fd = open(real, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (t->fd < 0 || fstat(t->fd, &st) != 0) {
        return err_set_errno(NULL, errno, "cannot open %s", real);
    }
    if (!S_ISREG(st.st_mode)) {
        return ERR_INVALID;
    }
    t->id.dev = (uint64_t)st.st_dev;
    t->id.ino = (uint64_t)st.st_ino;
    t->size = (uint64_t)st.st_size;
    return ERR_OK;
}

/* The target's labels with filename among them, and the path, in one block. */
static enum err set_labels(struct tail *t, struct str path)
{
    struct labels base = t->target->labels;
    size_t label_bytes = (base.n + 1) * sizeof(struct label), n = 0;
    t->block = mem_alloc(label_bytes + path.n + 1);
    if (!t->block) {
        return ERR_OOM;
    }
    t->path = (char *)t->block + label_bytes;
    memcpy(t->path, path.p, path.n);
    t->path[path.n] = '\0';
    struct label file = {STR("filename"), str_of(t->path, path.n)};
    bool placed = false;
    for (size_t i = 0; i < base.n; i++) {
        int c = str_cmp(file.name, base.l[i].name);
        if (c <= 0 && !placed) {
            t->block[n++] = file;
            placed = true;
        }
        if (c != 0) {
            t->block[n++] = base.l[i];
        }
    }
    if (!placed) {
        t->block[n++] = file;
    }
    t->labels = (struct labels){t->block, n};
    return ERR_OK;
}

enum err tail_open(struct file_input *in, const struct file_job *job, const struct file_target *target,
                   struct str path, const char *real, struct tail **ret_tail)
{
    struct tail *t = mem_zalloc(sizeof(*t));
    if (!t) {
        return ERR_OOM;
    }
    t->in = in;
    t->job = job;
    t->target = target;
    t->fd = t->wd = -1;
    enum err e = set_labels(t, path);
    e = e ? e : open_regular(t, real);
    e = e ? e : decoder_new(job->encoding, &t->decoder, NULL);
    char head[2];
    if (!e && t->decoder && pread(t->fd, head, sizeof(head), 0) == (ssize_t)sizeof(head)) {
        decoder_start(t->decoder, str_of(head, sizeof(head)));
    }
    if (!e && job->packing != FILE_PLAIN) {
        e = unpacker_new(job->packing, &t->unpacker);
    }
    if (e) {
        tail_free(t);
        return e;
    }
    *ret_tail = t;
    return ERR_OK;
}

void tail_close_fd(struct tail *t)
{
    if (t->fd >= 0) {
        (void)close(t->fd);
        t->fd = -1;
    }
    t->closed = true;
    t->dirty = false;
}

void tail_free(struct tail *t)
{
    tail_close_fd(t);
    decoder_free(t->decoder);
    unpacker_free(t->unpacker);
    mem_free(t->block);
    mem_free(t);
}

void tail_seek(struct tail *t, const struct position *at)
{
    t->offset = t->unpacker ? 0 : at->offset;
    t->skip_lines = at->offset;
    t->mark_len = at->offset < POSITION_MARK_BYTES ? (uint32_t)at->offset : POSITION_MARK_BYTES;
    if (t->unpacker) {
        t->mark_len = 0;
    } else if (pread(t->fd, t->mark, t->mark_len, (off_t)(at->offset - t->mark_len)) !=
               (ssize_t)t->mark_len) {
        t->mark_len = 0;
    }
    mutex_lock(&t->in->lock);
    t->acked = at->offset;
    t->acked_mark_hash = hash_bytes(t->mark, t->mark_len);
    t->acked_mark_len = t->mark_len;
    t->id.head_hash = at->head_hash;
    t->id.head_len = at->head_len;
    mutex_unlock(&t->in->lock);
}

/* -- reading ----------------------------------------------------------------------------------------------
 */

/* Remembers the last bytes before the new offset. */
static void advance_mark(struct tail *t, struct str raw)
{
    if (raw.n >= POSITION_MARK_BYTES) {
        memcpy(t->mark, raw.p + raw.n - POSITION_MARK_BYTES, POSITION_MARK_BYTES);
        t->mark_len = POSITION_MARK_BYTES;
        return;
    }
    size_t keep = POSITION_MARK_BYTES - raw.n < t->mark_len ? POSITION_MARK_BYTES - raw.n : t->mark_len;
    memmove(t->mark, t->mark + t->mark_len - keep, keep);
    memcpy(t->mark + keep, raw.p, raw.n);
    t->mark_len = (uint32_t)(keep + raw.n);
}

/* The hash of the file's first bytes, as far as they have been read. */
static void learn_head(struct tail *t)
{
    char head[POSITION_HEAD_BYTES];
    size_t want = t->offset < POSITION_HEAD_BYTES ? (size_t)t->offset : POSITION_HEAD_BYTES;
    if (t->id.head_len >= want || pread(t->fd, head, want, 0) != (ssize_t)want) {
        return;
    }
    mutex_lock(&t->in->lock);
    t->id.head_len = (uint32_t)want;
    t->id.head_hash = hash_bytes(head, want);
    mutex_unlock(&t->in->lock);
}

static void emit(struct tail *t, struct str line, ts_ns now, struct receipt *r)
{
    struct entry e;
    t->last_ts = now > t->last_ts ? now : t->last_ts + 1;
    arena_reset(&t->in->line_arena);
    entry_init(&e, &t->in->line_arena, t->labels, t->last_ts, line, r);
    if (e.err) {
        receipt_fail(r);
        return;
    }
    t->job->sink.put(t->job->sink.ctx, &e);
}

static size_t emit_lines(struct tail *t, struct str text, struct receipt *r)
{
    ts_ns now = clock_wall_ns(clock_real());
    size_t lines = 0;
    while (text.n) {
        const char *at = memchr(text.p, '\n', text.n);
        size_t n = at ? (size_t)(at - text.p) : text.n;
        emit(t, str_of(text.p, n), now, r);
        text = str_slice(text, at ? n + 1 : n, text.n);
        lines++;
    }
    return lines;
}

static void count_chunk(struct tail *t, size_t lines)
{
    struct agent_metrics *m = t->in->o.metrics;
    const char *path = t->path;
    agent_count_1(m, AM_READ_LINES, (double)lines, path);
    agent_gauge_set(m, AM_READ_BYTES, (double)t->offset, &path);
    agent_gauge_set(m, AM_FILE_BYTES, (double)(t->size > t->offset ? t->size : t->offset), &path);
}

/* Carries whole lines on. False when memory is short: nothing was taken. */
static bool consume(struct tail *t, struct str raw)
{
    struct str text = raw;
    if (t->decoder) {
        buf_reset(&t->in->decoded);
        if (decoder_run(t->decoder, raw, t->offset == 0, &t->in->decoded)) {
            return false;
        }
        text = buf_view(&t->in->decoded);
    }
    char mark[POSITION_MARK_BYTES];
    uint32_t mark_len = t->mark_len;
    memcpy(mark, t->mark, sizeof(mark));
    advance_mark(t, raw);
    struct tail_receipt *r = chunk_begin(t, t->offset + raw.n);
    if (!r) {
        memcpy(t->mark, mark, sizeof(mark));
        t->mark_len = mark_len;
        return false;
    }
    t->offset += raw.n;
    learn_head(t);
    size_t lines = emit_lines(t, text, &r->base);
    receipt_unref(&r->base);
    count_chunk(t, lines);
    return true;
}

/* The file begins anew: it was cut, or rewritten in place. */
static void start_over(struct tail *t, const char *why)
{
    LOG_EVENT(LVL_INFO, "file_truncated", F_C("path", t->path), F_U64("offset", t->offset), F_C("how", why));
    agent_count(t->in->o.metrics, AM_TRUNCATIONS, 1, NULL);
    t->offset = 0;
    t->partial = 0;
    t->mark_len = 0;
    mutex_lock(&t->in->lock);
    t->era++;
    t->id.head_len = 0;
    mutex_unlock(&t->in->lock);
    atomic_store_explicit(&t->in->changed, true, memory_order_release);
}

/* Before reading on after a pause: is what we read still there? */
static void check_rewritten(struct tail *t)
{
    struct stat st;
    char before[POSITION_MARK_BYTES];
    t->verify = false;
    if (fstat(t->fd, &st) != 0) {
        return;
    }
    t->size = (uint64_t)st.st_size;
    if (t->size < t->offset) {
        start_over(t, "it is shorter than what was read");
    } else if (t->mark_len && t->size > t->offset &&
               pread(t->fd, before, t->mark_len, (off_t)(t->offset - t->mark_len)) == (ssize_t)t->mark_len &&
               memcmp(before, t->mark, t->mark_len) != 0) {
        start_over(t, "what was read has changed");
    }
}

/* Where to cut a line that is too long: not within a character. */
static size_t cut_point(const struct tail *t, struct str raw)
{
    size_t n = raw.n;
    if (decoder_unit(t->decoder) == 2) {
        return n & ~(size_t)1;
    }
    for (size_t back = 0; back < 4 && n > 1 && ((unsigned char)raw.p[n - 1] & 0xc0) == 0x80; back++) {
        n--;
    }
    return n > 1 && ((unsigned char)raw.p[n - 1] & 0xc0) == 0xc0 ? n - 1 : raw.n;
}

static void read_failed(struct tail *t)
{
    struct err_info why = {0};
    enum err e = err_set_errno(&why, errno, "cannot read %s", t->path);
    if (!t->failed) {
        LOG_EVENT(LVL_ERROR, "file_read_failed", F_C("path", t->path), F_C("reason", why.message), F_ERR(e));
    }
    t->failed = true;
    t->dirty = false;
    t->verify = true;
}

/* Up to `want` bytes at the offset into the shared buffer; false on failure. */
static bool fetch(struct tail *t, size_t want, struct str *ret)
{
    ssize_t n = pread(t->fd, t->in->buffer, want, (off_t)t->offset);
    if (n < 0) {
        read_failed(t);
        return false;
    }
    t->failed = false;
    *ret = str_of(t->in->buffer, (size_t)n);
    return true;
}

static bool read_plain(struct tail *t)
{
    struct str raw;
    size_t want = AGENT_READ_BYTES;
    if (t->verify) {
        check_rewritten(t);
    }
    if (!fetch(t, want, &raw)) {
        return false;
    }
    if (t->decoder && t->offset == 0) {
        decoder_start(t->decoder, raw);
    }
    size_t end = decoder_last_line(t->decoder, raw);
    if (end == 0 && raw.n == want) { /* a long line */
        want = AGENT_LINE_BYTES_MAX;
        if (!fetch(t, want, &raw)) {
            return false;
        }
        end = decoder_last_line(t->decoder, raw);
        if (end == 0 && raw.n == want) {
            end = cut_point(t, raw);
            agent_count(t->in->o.metrics, AM_LINE_SPLITS, 1, NULL);
        }
    }
    if (end && !consume(t, str_slice(raw, 0, end))) {
        return false;
    }
    t->partial = raw.n - end;
    t->dirty = raw.n == want;
    t->verify = !t->dirty;
    if (t->draining && end) {
        t->quiet_ns = clock_mono_ns(clock_real());
    }
    return t->dirty;
}

static uint64_t count_lines(struct str text)
{
    uint64_t n = 0;
    for (size_t at = 0; (at = str_find_char(text, '\n', at)) != STR_NPOS; at++) {
        n++;
    }
    return n + (text.n && text.p[text.n - 1] != '\n');
}

static struct str after_lines(struct str text, uint64_t n)
{
    while (n-- && text.n) {
        size_t at = str_find_char(text, '\n', 0);
        text = str_slice(text, at == STR_NPOS ? text.n : at + 1, text.n);
    }
    return text;
}

/* Compressed files: read once, and the offset counts lines, as in Promtail's positions. */
static bool read_packed(struct tail *t)
{
    struct str text;
    bool last = true;
    enum err e = unpacker_read(t->unpacker, t->fd, &text, &last);
    if (e) {
        LOG_EVENT(LVL_ERROR, "file_not_unpacked", F_C("path", t->path), F_U64("lines", t->offset), F_ERR(e));
        t->dirty = false;
        return false;
    }
    uint64_t count = count_lines(text), first = t->offset;
    struct str fresh = t->skip_lines > first ? after_lines(text, t->skip_lines - first) : text;
    struct tail_receipt *r = fresh.n ? chunk_begin(t, first + count) : NULL;
    if (fresh.n && !r) {
        unpacker_give_back(t->unpacker, text);
        return true;
    }
    t->offset = first + count;
    if (r) {
        size_t emitted = emit_lines(t, fresh, &r->base);
        receipt_unref(&r->base);
        count_chunk(t, emitted);
    }
    t->dirty = !last;
    return t->dirty;
}

bool tail_has_more(const struct tail *t, uint64_t size)
{
    return t->unpacker ? !unpacker_whole(t->unpacker) && size != t->size : size != t->offset + t->partial;
}

bool tail_read(struct tail *t)
{
    if (t->closed) {
        t->dirty = false;
        return false;
    }
    return t->unpacker ? read_packed(t) : read_plain(t);
}

void tail_finish(struct tail *t)
{
    struct str raw;
    if (t->unpacker || t->partial == 0 || !fetch(t, AGENT_LINE_BYTES_MAX, &raw) || raw.n == 0) {
        return;
    }
    if (consume(t, raw)) {
        t->partial = 0;
    }
}
