/* Reading and writing of the positions file. What a damaged one says is doubted: positions_doubt.c. */
#include "agent/inputs/positions_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "disk/file.h"

enum {
    GRACE_MS = 3600 * 1000
};

/* -- reading ----------------------------------------------------------------------------------------------
 */

static enum err read_plain(struct positions *p, const struct yaml_node *root, struct err_info *info)
{
    static const char *const keys[] = {"positions", NULL};
    const struct yaml_node *map = yaml_get(root, "positions");
    enum err e = yaml_check_keys(root, "the positions file", keys, info);
    if (e || yaml_is_null(map)) {
        return e;
    }
    if (map->kind != YAML_MAP) {
        return yaml_error(map, info, "positions must be a map of paths and offsets");
    }
    p->plain = arena_zarray(&p->arena, map->count + 1, sizeof(*p->plain));
    if (!p->plain) {
        return ERR_OOM;
    }
    for (const struct yaml_node *c = map->child; c && !e; c = c->next) {
        struct plain *to = &p->plain[p->plain_count++];
        *to = (struct plain){.key = c->key, .text = STR("")};
        e = yaml_str(c, &to->text, info);
        e = e ? e : strmap_put(&p->by_key, to->key, to, NULL);
    }
    return e;
}

static uint64_t member_u64(const struct json_value *o, const char *key)
{
    const struct json_value *v = json_get(o, str_c(key));
    uint64_t n = 0;
    struct str text = v ? v->kind == JSON_STRING ? v->string : v->raw : (struct str){0};
    return str_to_u64(text, &n) == ERR_OK ? n : 0;
}

static struct str member_str(const struct json_value *o, const char *key)
{
    const struct json_value *v = json_get(o, str_c(key));
    return v && v->kind == JSON_STRING ? v->string : STR("");
}

/* A comment that cannot be read is as if Promtail had removed it. */
static enum err read_comment(struct positions *p, struct str json)
{
    const struct json_value *o;
    enum err e = json_parse(&p->arena, json, &o, NULL);
    if (e || o->kind != JSON_OBJECT || p->list_count >= POSITIONS_MAX) {
        return e == ERR_OOM ? e : ERR_OK;
    }
    struct position at = {.job = member_str(o, "job"),
                          .path = member_str(o, "path"),
                          .dev = member_u64(o, "dev"),
                          .ino = member_u64(o, "ino"),
                          .offset = member_u64(o, "offset"),
                          .head_hash = member_u64(o, "head"),
                          .mark_hash = member_u64(o, "mark"),
                          .head_len = (uint32_t)member_u64(o, "headLen"),
                          .mark_len = (uint32_t)member_u64(o, "markLen"),
                          .plain = member_u64(o, "plain") == 1};
    if (at.path.n == 0 || at.head_len > POSITION_HEAD_BYTES || at.mark_len > POSITION_MARK_BYTES) {
        return ERR_OK;
    }
    e = arena_reserve(&p->arena, (void **)&p->list, &p->list_cap, p->list_count + 1, sizeof(*p->list));
    if (!e) {
        p->list[p->list_count++] = at;
    }
    return e;
}

static enum err read_comments(struct positions *p, struct str text)
{
    enum err e = ERR_OK;
    while (text.p && !e) {
        struct str line = str_cut(&text, '\n');
        if (str_starts(line, STR("#cairn "))) {
            e = read_comment(p, str_slice(line, 7, line.n));
        }
    }
    return e;
}

static enum err load(struct positions *p, const char *path, struct err_info *info)
{
    struct buf content AUTO_BUF = {.size_bytes_max = POSITIONS_FILE_BYTES_MAX};
    const struct yaml_node *root;
    enum err e = file_load(path, &content, info);
    if (e) {
        return e;
    }
    struct str text = arena_str(&p->arena, buf_view(&content));
    struct str name = arena_str(&p->arena, str_c(path));
    if (!text.p || !name.p) {
        return ERR_OOM;
    }
    e = yaml_parse(&p->arena, text, name.p, &root, info);
    e = e ? e : read_plain(p, root, info);
    if (e) {
        return e;
    }
    p->doubtful = !positions_whole(text) || (text.n && yaml_is_null(root));
    return read_comments(p, text);
}

static void forget_loaded(struct positions *p)
{
    strmap_clear(&p->by_key, NULL);
    p->plain = NULL;
    p->plain_count = p->list_count = p->list_cap = 0;
    p->list = NULL;
    arena_done(&p->arena);
}

/* A file that was damaged and can be read all the same. */
static enum err load_before(struct positions *p, const char *path, const char *backup)
{
    struct positions before = {.path = NULL};
    struct err_info why = {0};
    arena_init(&before.arena, 0, NULL);
    enum err e = load(&before, backup, &why);
    if (e != ERR_OK) {
        forget_loaded(&before);
    }
    LOG_EVENT(LVL_WARN, "positions_file_damaged", F_C("file", path),
              F_C("predecessor", e == ERR_OK ? backup : "there is none that can be read"),
              F_C("action", "of two numbers for a file that counts which fits it: lines may be sent again"),
              F_C("cure", "none is needed; if you changed the file by hand, remove its lines that begin with "
                          "#cairn and start again"));
    e = e == ERR_OOM ? e : positions_doubt(p, &before);
    strmap_done(&before.by_key);
    arena_done(&before.arena);
    return e;
}

/* The file, else its predecessor. */
static enum err load_any(struct positions *p, const struct positions_options *o, struct err_info *info)
{
    char backup[4096];
    struct err_info why = {0};
    enum err e = load(p, o->path, info);
    (void)snprintf(backup, sizeof(backup), "%s.bak", o->path);
    if (e == ERR_OK && p->doubtful) {
        e = load_before(p, o->path, backup);
        return e ? err_set(info, e, "out of memory") : e;
    }
    if (e != ERR_INVALID && e != ERR_LIMIT) {
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    forget_loaded(p);
    if (load(p, backup, &why) == ERR_OK) {
        LOG_EVENT(LVL_WARN, "positions_file_unreadable", F_C("file", o->path), F_C("reason", info->message),
                  F_C("used_instead", backup));
        return ERR_OK;
    }
    forget_loaded(p);
    if (o->ignore_invalid) {
        LOG_EVENT(LVL_WARN, "positions_file_ignored", F_C("file", o->path), F_C("reason", info->message));
        return ERR_OK;
    }
    return e;
}

enum err positions_open(const struct positions_options *o, struct positions **ret_positions,
                        struct err_info *reterr_info)
{
    struct positions *p = mem_zalloc(sizeof(*p));
    struct err_info info = {0};
    if (!p) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    p->path = mem_dup(o->path, strlen(o->path));
    p->read_only = o->read_only;
    p->opened_ns = clock_mono_ns(clock_real());
    arena_init(&p->arena, 0, NULL);
    arena_init(&p->round, 0, NULL);
    enum err e = p->path ? load_any(p, o, &info) : ERR_OOM;
    e = e ? e : positions_settle(p);
    if (e) {
        positions_close(p);
        if (reterr_info) {
            *reterr_info = info;
        }
        return e;
    }
    *ret_positions = p;
    return ERR_OK;
}

void positions_close(struct positions *p)
{
    if (!p) {
        return;
    }
    strmap_done(&p->by_key);
    strmap_done(&p->key_index);
    buf_done(&p->comments);
    arena_done(&p->arena);
    arena_done(&p->round);
    mem_free(p->path);
    mem_free(p);
}

struct str positions_text(const struct positions *p, struct str key)
{
    const struct plain *found = strmap_get(&p->by_key, key);
    return found ? found->text : (struct str){0};
}

const struct position *positions_list(const struct positions *p, size_t *ret_n)
{
    *ret_n = p->list_count;
    return p->list;
}

/* -- writing ----------------------------------------------------------------------------------------------
 */

void positions_begin(struct positions *p)
{
    arena_done(&p->round);
    strmap_clear(&p->key_index, NULL);
    buf_reset(&p->comments);
    p->keys = NULL;
    p->key_count = p->key_cap = 0;
    p->err = ERR_OK;
}

/* The key's slot, new or known. */
static struct plain *slot(struct positions *p, struct str key)
{
    uintptr_t at = (uintptr_t)strmap_get(&p->key_index, key);
    if (at) {
        return &p->keys[at - 1];
    }
    enum err e = arena_reserve(&p->round, (void **)&p->keys, &p->key_cap, p->key_count + 1, sizeof(*p->keys));
    struct str copy = e ? (struct str){0} : arena_str(&p->round, key);
    e = e ? e : copy.p ? ERR_OK : ERR_OOM;
    e = e ? e : strmap_put(&p->key_index, copy, (void *)(p->key_count + 1), NULL);
    if (e) {
        p->err = e;
        return NULL;
    }
    p->keys[p->key_count] = (struct plain){.key = copy};
    return &p->keys[p->key_count++];
}

void positions_put_text(struct positions *p, struct str key, struct str value)
{
    struct plain *s = slot(p, key);
    if (s) {
        s->text = arena_str(&p->round, value);
        s->put = true;
        p->err = s->text.p ? p->err : ERR_OOM;
    }
}

static void comment_member(struct json_writer *w, const char *key, uint64_t v)
{
    json_key(w, key);
    json_u64(w, v);
}

void positions_put_file(struct positions *p, const struct position *at, bool plain)
{
    struct plain *s = slot(p, at->path);
    int64_t other;
    /* Two jobs on one path share the number Promtail reads: the lower is the safe one. */
    if (s && plain && (!s->put || str_to_i64(s->text, &other) || (uint64_t)other > at->offset)) {
        s->text = arena_printf(&p->round, "%" PRIu64, at->offset);
        s->put = true;
        p->err = s->text.p ? p->err : ERR_OOM;
    }
    buf_c(&p->comments, "#cairn ");
    struct json_writer w = json_writer(&p->comments);
    json_object_begin(&w);
    json_key(&w, "job");
    json_str(&w, at->job);
    json_key(&w, "path");
    json_str(&w, at->path);
    comment_member(&w, "dev", at->dev);
    comment_member(&w, "ino", at->ino);
    comment_member(&w, "offset", at->offset);
    if (plain) {
        comment_member(&w, "plain", 1);
    }
    if (at->head_len) {
        comment_member(&w, "headLen", at->head_len);
        comment_member(&w, "head", at->head_hash);
    }
    if (at->mark_len) {
        comment_member(&w, "markLen", at->mark_len);
        comment_member(&w, "mark", at->mark_hash);
    }
    json_object_end(&w);
    buf_char(&p->comments, '\n');
}

static void keep_loaded(struct positions *p)
{
    bool young = clock_mono_ns(clock_real()) - p->opened_ns < GRACE_MS * NS_PER_MS;
    for (size_t i = 0; i < p->plain_count; i++) {
        const struct plain *old = &p->plain[i];
        bool cursor = str_starts(old->key, STR("cursor-")) || str_starts(old->key, STR("journal-"));
        if (strmap_get(&p->key_index, old->key) == NULL && old->text.n &&
            (young || cursor || file_exists(old->key.p))) {
            positions_put_text(p, old->key, old->text);
        }
    }
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct plain *)a)->key, ((const struct plain *)b)->key);
}

/* Plain when nothing in it could mean something else to a YAML reader. */
static bool plain_scalar(struct str s)
{
    if (s.n == 0 || s.p[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!word && !strchr("/._-", c)) {
            return false;
        }
    }
    return true;
}

static void render(struct positions *p, struct buf *out)
{
    if (p->key_count) {
        qsort(p->keys, p->key_count, sizeof(*p->keys), by_key);
    }
    buf_c(out, POSITIONS_FIRST_LINE "positions:\n");
    for (size_t i = 0; i < p->key_count; i++) {
        if (!p->keys[i].put) {
            continue;
        }
        buf_c(out, "  ");
        if (plain_scalar(p->keys[i].key)) {
            buf_str(out, p->keys[i].key);
        } else {
            json_quote(out, p->keys[i].key); /* a JSON string is a YAML double-quoted one */
        }
        buf_c(out, ": ");
        json_quote(out, p->keys[i].text);
        buf_char(out, '\n');
    }
    buf_str(out, buf_view(&p->comments));
    uint64_t sum = hash_str(buf_view(out));
    buf_printf(out, POSITIONS_SUM "%" PRIu64 "\n", sum);
}

static enum err store(struct positions *p, struct str content, struct err_info *info)
{
    char backup[4096];
    (void)snprintf(backup, sizeof(backup), "%s.bak", p->path);
    bool first = !file_exists(p->path);
    if (!first && file_remove(backup, NULL) == ERR_OK) {
        enum err e = file_link(p->path, backup, NULL);
        (void)e; /* a file system without links has no predecessor */
    }
    enum err e = file_store(p->path, content, info);
    if (e == ERR_OK && first) { /* a predecessor from the first moment: the same once more */
        (void)(file_store(backup, content, NULL) == ERR_OK);
    }
    return e;
}

enum err positions_commit(struct positions *p, struct err_info *reterr_info)
{
    keep_loaded(p);
    struct buf out AUTO_BUF = {.size_bytes_max = POSITIONS_FILE_BYTES_MAX};
    render(p, &out);
    enum err e = p->err ? p->err : p->comments.err ? p->comments.err : out.err;
    if (e) {
        return err_set(reterr_info, e, "cannot write %s: %s", p->path, err_text(e));
    }
    uint64_t hash = hash_str(buf_view(&out));
    if (p->read_only || hash == p->written_hash) {
        return ERR_OK;
    }
    e = store(p, buf_view(&out), reterr_info);
    p->written_hash = e ? 0 : hash;
    return e;
}
