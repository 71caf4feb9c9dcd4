/* cri: the line format of containerd and CRI-O: "TIME stdout|stderr FLAGS TEXT", and parts put together.
 *
 * A part is a line with the flag P; it is kept by label set until a line with another flag completes it. The
 * receipts of the parts are held together, so that none of them counts as delivered before the whole is. */
#include "agent/stages/fudge.h"
#include "agent/stages/stage.h"
#include "agent/stages/streams.h"
#include "base/log.h"
#include "codec/units.h"

enum {
    PARTIAL_LINES_DEFAULT = 100,
    PARTIAL_BYTES_MAX = 16 << 20 /* of one line put together, whatever the options say */
};

struct cri_stage {
    struct stage base;
    uint64_t partial_lines_max;
    uint64_t partial_bytes_max;
    bool truncate;
    struct fudge fudge;
    struct streams parts;
};

struct partial {
    struct stream_state base;
    struct arena arena;
    struct entry entry; /* of the first part */
    struct buf text;
    struct receipt_join *join;
};

/* Cuts the next token off *rest; false when there is no blank behind it. */
static bool token(struct str *rest, struct str *ret)
{
    size_t at = str_find_char(*rest, ' ', 0);
    if (at == STR_NPOS || at == 0 || memchr(rest->p, '\n', at) || memchr(rest->p, '\t', at)) {
        return false;
    }
    *ret = str_slice(*rest, 0, at);
    *rest = str_slice(*rest, at + 1, rest->n);
    return true;
}

static bool split(struct str line, struct str *time, struct str *stream, struct str *flags, struct str *text)
{
    *text = line;
    return token(text, time) && token(text, stream) &&
           (str_eq_c(*stream, "stdout") || str_eq_c(*stream, "stderr")) && token(text, flags);
}

/* -- parts
 * ---------------------------------------------------------------------------------------------------- */

static void clear(struct partial *p)
{
    if (p->join) {
        receipt_unref(receipt_join_receipt(p->join));
    }
    buf_done(&p->text);
    arena_done(&p->arena);
    p->join = NULL;
}

/* Hands on what there is of a line whose end did not come. */
static void emit_incomplete(struct cri_stage *s, struct partial *p)
{
    if (p->join) {
        struct arena scratch AUTO_ARENA;
        struct entry e;
        arena_init(&scratch, AGENT_ENTRY_BYTES_MAX, NULL);
        if (entry_keep(&p->entry, &scratch, &e)) {
            receipt_fail(receipt_join_receipt(p->join));
        } else {
            e.line = buf_view(&p->text);
            e.receipt = receipt_join_receipt(p->join);
            stage_pass(&s->base, &e);
        }
    }
    clear(p);
}

static void leave(void *ctx, struct stream_state *state)
{
    emit_incomplete(ctx, (struct partial *)state);
}

static void abandon(void *ctx, struct stream_state *state)
{
    (void)ctx;
    struct partial *p = (struct partial *)state;
    if (p->join) {
        receipt_fail(receipt_join_receipt(p->join));
    }
    clear(p);
}

static void append(struct cri_stage *s, struct partial *p, struct str text)
{
    size_t max = PARTIAL_BYTES_MAX;
    if (s->truncate && s->partial_bytes_max < max) {
        max = (size_t)s->partial_bytes_max;
    }
    size_t room = p->text.n < max ? max - p->text.n : 0;
    buf_str(&p->text, str_slice(text, 0, text.n < room ? text.n : room));
}

static void keep_part(struct cri_stage *s, struct entry *e, struct str text)
{
    if (s->parts.n >= s->partial_lines_max) {
        LOG_EVENT(LVL_WARN, "cri_partial_lines_flushed", F_STR("job", s->base.env->job),
                  F_U64("streams", s->parts.n), F_C("cure", "raise max_partial_lines"));
        streams_done(&s->parts);
    }
    struct partial *p = (struct partial *)streams_get(&s->parts, entry_labels(e), true);
    if (!p) {
        receipt_fail(e->receipt);
        return;
    }
    enum err err = ERR_OK;
    if (!p->join) {
        arena_init(&p->arena, 0, NULL);
        p->join = receipt_join_new();
        err = p->join ? entry_keep(e, &p->arena, &p->entry) : ERR_OOM;
    }
    append(s, p, text);
    if (err || p->text.err || !receipt_join_add(p->join, e->receipt)) {
        receipt_fail(e->receipt);
        streams_remove(&s->parts, &p->base);
    }
}

/* The last part: the whole is handed on with this entry's time. */
static void complete(struct cri_stage *s, struct entry *e, struct str text)
{
    struct partial *p = s->parts.n ? (struct partial *)streams_get(&s->parts, entry_labels(e), false) : NULL;
    if (!p) {
        e->line = text;
        stage_pass(&s->base, e);
        return;
    }
    append(s, p, text);
    if (p->text.err || !receipt_join_add(p->join, e->receipt)) {
        receipt_fail(e->receipt);
        receipt_fail(receipt_join_receipt(p->join));
    } else {
        struct receipt *own = e->receipt;
        e->line = buf_view(&p->text);
        e->receipt = receipt_join_receipt(p->join);
        stage_pass(&s->base, e);
        e->receipt = own;
    }
    clear(p);
    streams_remove(&s->parts, &p->base);
}

/* -- the stage ----------------------------------------------------------------------------------------------
 */

static void cri_process(struct stage *base, struct entry *e)
{
    struct cri_stage *s = (struct cri_stage *)base;
    struct str time, stream, flags, text;
    if (!split(e->line, &time, &stream, &flags, &text)) {
        fudge_bad(&s->fudge, e);
        stage_pass(base, e);
        return;
    }
    entry_label_set(e, STR("stream"), stream);
    entry_value_set(e, STR("time"), value_str(time));
    entry_value_set(e, STR("stream"), value_str(stream));
    entry_value_set(e, STR("flags"), value_str(flags));
    entry_value_set(e, STR("content"), value_str(text));
    if (units_rfc3339_parse(time, &e->ts) == ERR_OK) {
        fudge_good(&s->fudge, e);
    } else {
        fudge_bad(&s->fudge, e);
    }
    if (str_eq_c(flags, "P")) {
        keep_part(s, e, text);
    } else {
        complete(s, e, text);
    }
}

static void cri_flush(struct stage *base)
{
    streams_done(&((struct cri_stage *)base)->parts);
}

static void cri_free(struct stage *base)
{
    struct cri_stage *s = (struct cri_stage *)base;
    s->parts.leave = abandon;
    streams_done(&s->parts);
    fudge_done(&s->fudge);
}

static const struct stage_ops ops = {.process = cri_process, .flush = cri_flush, .free = cri_free};

enum err stage_cri_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                       struct err_info *reterr_info)
{
    static const char *const keys[] = {"max_partial_lines", "max_partial_line_size",
                                       "max_partial_line_size_truncate", NULL};
    struct cri_stage *s = stage_alloc(env, sizeof(*s), &ops);
    if (!s) {
        return ERR_OOM;
    }
    stage_unknown_options(n, "cri", keys);
    enum err e = yaml_u64(stage_option(n, keys[0]), &s->partial_lines_max, reterr_info);
    e = e ? e : yaml_size(stage_option(n, keys[1]), &s->partial_bytes_max, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, keys[2]), &s->truncate, reterr_info);
    if (e) {
        return e;
    }
    s->partial_lines_max = s->partial_lines_max ? s->partial_lines_max : PARTIAL_LINES_DEFAULT;
    fudge_init(&s->fudge);
    s->parts = (struct streams){
        .max = AGENT_STREAM_STATES_MAX, .size_bytes = sizeof(struct partial), .leave = leave, .ctx = s};
    *ret_stage = &s->base;
    return ERR_OK;
}
