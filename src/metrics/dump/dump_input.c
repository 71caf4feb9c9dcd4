/* Reading, decompressing, cutting at line ends. */
#include "metrics/dump/dump_input.h"

#include <unistd.h>

#include "base/mem.h"
#include "disk/file.h"
#include "metrics/dump/limits.h"

static enum err raw_fill(struct dump_input *in, struct err_info *info)
{
    size_t n = 0;
    if (in->pending.n || in->raw_end) {
        return ERR_OK;
    }
    enum err e = file_read_next(in->fd, in->raw, DUMP_RAW_BYTES, &n, info);
    if (e == ERR_OK) {
        in->pending = str_of(in->raw, n);
        in->raw_end = n == 0;
        in->raw_bytes += n;
    }
    return e;
}

enum err dump_input_open(struct dump_input *in, const char *path, struct err_info *reterr_info)
{
    *in = (struct dump_input){.fd = STDIN_FILENO};
    in->window.size_bytes_max = DUMP_LINE_BYTES_MAX + DUMP_WINDOW_BYTES;
    in->raw = mem_alloc(DUMP_RAW_BYTES);
    enum err e = in->raw ? ERR_OK : err_set(reterr_info, ERR_OOM, "no memory to read %s", path);
    if (e == ERR_OK && strcmp(path, "-") != 0) {
        e = file_open(path, FILE_READ, &in->fd, reterr_info);
        in->owned = e == ERR_OK;
        e = e == ERR_OK ? file_size(in->fd, &in->file_bytes, reterr_info) : e;
    }
    e = e == ERR_OK ? raw_fill(in, reterr_info) : e;
    if (e == ERR_OK) {
        e = decompress_stream_new(compression_of_magic(in->pending), &in->stream);
        e = e == ERR_OK ? e : err_set(reterr_info, e, "no memory to read %s", path);
    }
    if (e != ERR_OK) {
        dump_input_done(in);
    }
    return e;
}

void dump_input_done(struct dump_input *in)
{
    decompress_stream_free(in->stream);
    buf_done(&in->window);
    mem_free(in->raw);
    if (in->owned) {
        file_close(in->fd);
    }
    *in = (struct dump_input){.fd = -1};
}

/* One more step of text into the window. */
static enum err window_fill(struct dump_input *in, struct err_info *info)
{
    size_t n = 0;
    enum err e = raw_fill(in, info);
    char *out = buf_tail(&in->window, DUMP_WINDOW_BYTES);
    if (e == ERR_OK && !out) {
        return in->window.err == ERR_LIMIT
                   ? err_set(info, ERR_LIMIT, "a line is longer than %d bytes", DUMP_LINE_BYTES_MAX)
                   : err_set(info, ERR_OOM, "no memory for a line");
    }
    e = e == ERR_OK ? decompress_stream_step(in->stream, &in->pending, out, DUMP_WINDOW_BYTES, &n, info) : e;
    if (e != ERR_OK) {
        return e;
    }
    in->window.n += n;
    in->end = in->raw_end && in->pending.n == 0 && n == 0;
    return in->end && !decompress_stream_whole(in->stream)
               ? err_set(info, ERR_CORRUPT, "the compressed file ends too early: it was cut off")
               : ERR_OK;
}

enum err dump_input_next(struct dump_input *in, struct str *ret_lines, struct err_info *reterr_info)
{
    size_t rest = in->window.n - in->handed, looked = 0;
    if (rest) {
        memmove(in->window.p, in->window.p + in->handed, rest);
    }
    in->window.n = rest;
    in->handed = 0;
    while (in->handed == 0 && !in->end) {
        enum err e = window_fill(in, reterr_info);
        if (e != ERR_OK) {
            return e;
        }
        const char *lf =
            in->window.n > looked ? memrchr(in->window.p + looked, '\n', in->window.n - looked) : NULL;
        in->handed = lf ? (size_t)(lf + 1 - in->window.p) : 0;
        looked = in->window.n;
    }
    in->handed = in->end ? in->window.n : in->handed;
    *ret_lines = str_of(in->window.p, in->handed);
    return ERR_OK;
}
