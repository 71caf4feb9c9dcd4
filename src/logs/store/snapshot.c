/* A snapshot: every line becomes blocks, and the blocks get a second name in a folder that is a store of its
 * own.
 *
 * The copy's manifest says that its write-ahead log begins anew, for that is not copied. */
#include "disk/file.h"
#include "logs/store/store_int.h"

static enum err link_blocks(struct log_store *s, const char *blocks, struct err_info *info)
{
    struct buf from AUTO_BUF = {0}, to AUTO_BUF = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->blocks.n && !e; i++) {
        buf_reset(&from);
        buf_reset(&to);
        buf_printf(&from, "%s/blocks/%s", s->dir, s->blocks.items[i]->name);
        buf_char(&from, '\0');
        buf_printf(&to, "%s/%s", blocks, s->blocks.items[i]->name);
        buf_char(&to, '\0');
        e = from.err || to.err ? err_set(info, ERR_OOM, "no memory for a path")
                               : file_link(from.p, to.p, info);
    }
    return e;
}

/* maintenance held: nobody else changes the list of blocks. */
static enum err snapshot(struct log_store *s, const char *to, const char *blocks, struct err_info *info)
{
    enum err e = store_flush_all(s, info);
    e = e ? e : dir_make(blocks, info);
    e = e ? e : link_blocks(s, blocks, info);
    e = e ? e : dir_sync(blocks, info);
    return e ? e : blocks_copy_manifest(s, to, info);
}

enum err log_store_snapshot(struct log_store *s, const char *to, struct err_info *reterr_info)
{
    struct buf blocks AUTO_BUF = {0};
    if (file_exists(to)) {
        return err_set(reterr_info, ERR_EXISTS, "%s is there already", to);
    }
    buf_printf(&blocks, "%s/blocks", to);
    buf_char(&blocks, '\0');
    if (blocks.err) {
        return err_set(reterr_info, blocks.err, "no memory for a path");
    }
    mutex_lock(&s->maintenance);
    enum err e = snapshot(s, to, blocks.p, reterr_info);
    mutex_unlock(&s->maintenance);
    if (e) {
        (void)(dir_remove(to, NULL) == ERR_OK);
    }
    return e;
}
