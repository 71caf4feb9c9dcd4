/* multiline: lines up to the next first line become one entry, by label set.
 *
 * A block keeps time, labels and values of its first line. It ends with the next first line, at max_lines,
 * when no line came for max_wait_time, and at the stop; lines that follow without a first line make another
 * block with the old one's metadata. */
#include "agent/stages/stage.h"
#include "agent/stages/streams.h"
#include "labels/regex.h"

enum {
    LINES_DEFAULT = 128,
    WAIT_DEFAULT_MS = 3000,
    IDLE_MS = 600000, /* a stream without lines for so long is forgotten */
    BLOCK_BYTES_MAX = 16 << 20
};

struct multiline_stage {
    struct stage base;
    struct regex *first;
    uint64_t lines_max;
    int64_t wait_ms;
    struct streams blocks;
};

struct block {
    struct stream_state base;
    bool started; /* a first line was seen: entry is valid */
    struct arena arena;
    struct entry entry;
    struct buf text;
    uint64_t lines;
    int64_t last_ns; /* when a line came */
    struct receipt_join *join;
};

static void flush_block(struct multiline_stage *s, struct block *b)
{
    if (b->lines == 0) {
        return;
    }
    struct receipt *r = receipt_join_receipt(b->join);
    struct arena scratch AUTO_ARENA;
    struct entry e;
    arena_init(&scratch, AGENT_ENTRY_BYTES_MAX, NULL);
    if (b->text.err || entry_keep(&b->entry, &scratch, &e)) {
        receipt_fail(r);
    } else {
        e.line = buf_view(&b->text);
        e.receipt = r;
        stage_pass(&s->base, &e);
    }
    receipt_unref(r);
    b->join = NULL;
    b->lines = 0;
    buf_reset(&b->text);
}

static void clear(struct block *b)
{
    if (b->join) {
        receipt_unref(receipt_join_receipt(b->join));
    }
    buf_done(&b->text);
    if (b->started) {
        arena_done(&b->arena);
    }
}

static void leave(void *ctx, struct stream_state *state)
{
    flush_block(ctx, (struct block *)state);
    clear((struct block *)state);
}

static void abandon(void *ctx, struct stream_state *state)
{
    (void)ctx;
    struct block *b = (struct block *)state;
    if (b->join) {
        receipt_fail(receipt_join_receipt(b->join));
    }
    clear(b);
}

static bool begin_block(struct multiline_stage *s, struct block *b, const struct entry *e)
{
    flush_block(s, b);
    if (b->started) {
        arena_done(&b->arena);
    }
    arena_init(&b->arena, 0, NULL);
    b->text.size_bytes_max = BLOCK_BYTES_MAX;
    struct entry without_line = *e;
    without_line.line = STR("");
    b->started = entry_keep(&without_line, &b->arena, &b->entry) == ERR_OK;
    if (!b->started) {
        arena_done(&b->arena);
    }
    return b->started;
}

static void add_line(struct multiline_stage *s, struct block *b, const struct entry *e)
{
    if (b->text.n + e->line.n + 1 > BLOCK_BYTES_MAX) {
        flush_block(s, b);
    }
    if (!b->join) {
        b->join = receipt_join_new();
    }
    if (!b->join || !receipt_join_add(b->join, e->receipt)) {
        receipt_fail(e->receipt);
        return;
    }
    if (b->lines++) {
        buf_char(&b->text, '\n');
    }
    buf_str(&b->text, e->line);
    b->last_ns = clock_mono_ns(s->base.env->clock);
    if (b->lines >= s->lines_max) {
        flush_block(s, b);
    }
}

static void multiline_process(struct stage *base, struct entry *e)
{
    struct multiline_stage *s = (struct multiline_stage *)base;
    bool first = regex_match(s->first, e->line);
    struct block *b = (struct block *)streams_get(&s->blocks, entry_labels(e), first);
    if (!b || (!first && !b->started)) {
        if (first) {
            receipt_fail(e->receipt);
            return;
        }
        stage_pass(base, e);
        return;
    }
    if (first && !begin_block(s, b, e)) {
        receipt_fail(e->receipt);
        return;
    }
    add_line(s, b, e);
}

static void multiline_tick(struct stage *base)
{
    struct multiline_stage *s = (struct multiline_stage *)base;
    int64_t now = clock_mono_ns(s->base.env->clock);
    for (struct stream_state *at = s->blocks.oldest, *next; at; at = next) {
        struct block *b = (struct block *)at;
        next = at->newer;
        if (now - b->last_ns >= IDLE_MS * NS_PER_MS) {
            streams_remove(&s->blocks, at);
        } else if (now - b->last_ns >= s->wait_ms * NS_PER_MS) {
            flush_block(s, b);
        } else {
            break; /* the list is in order of use */
        }
    }
}

static void multiline_flush(struct stage *base)
{
    streams_done(&((struct multiline_stage *)base)->blocks);
}

static void multiline_free(struct stage *base)
{
    struct multiline_stage *s = (struct multiline_stage *)base;
    s->blocks.leave = abandon;
    streams_done(&s->blocks);
    regex_free(s->first);
}

static const struct stage_ops ops = {
    .process = multiline_process, .tick = multiline_tick, .flush = multiline_flush, .free = multiline_free};

enum err stage_multiline_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                             struct err_info *reterr_info)
{
    static const char *const keys[] = {"firstline", "max_wait_time", "max_lines", NULL};
    struct multiline_stage *s = stage_alloc(env, sizeof(*s), &ops);
    if (!s) {
        return ERR_OOM;
    }
    s->lines_max = LINES_DEFAULT;
    s->wait_ms = WAIT_DEFAULT_MS;
    stage_unknown_options(n, "multiline", keys);
    enum err e = yaml_duration(stage_option(n, "max_wait_time"), true, &s->wait_ms, reterr_info);
    e = e ? e : yaml_u64(stage_option(n, "max_lines"), &s->lines_max, reterr_info);
    e = e ? e : stage_regex(n, "firstline", &s->first, reterr_info);
    if (!e && !s->first) {
        return yaml_error(n, reterr_info, "multiline stage firstline regex must be defined");
    }
    if (e) {
        return e;
    }
    s->blocks = (struct streams){
        .max = AGENT_STREAM_STATES_MAX, .size_bytes = sizeof(struct block), .leave = leave, .ctx = s};
    *ret_stage = &s->base;
    return ERR_OK;
}
