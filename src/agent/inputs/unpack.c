/* zlib over a descriptor. Several gzip members in a row are one text, as gzip reads them. */
#include "agent/inputs/unpack.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

enum {
    IN_BYTES = 64 << 10,
    GZIP_BITS = 15 + 16,
    ZLIB_BITS = 15
};

struct unpacker {
    z_stream z;
    bool end;            /* of the file */
    bool member_end;     /* the next byte begins another member */
    size_t used, filled; /* of text: returned, and there */
    unsigned char in[IN_BYTES];
    char text[AGENT_LINE_BYTES_MAX];
};

enum err unpacker_new(enum file_packing packing, struct unpacker **ret_unpacker)
{
    struct unpacker *u = mem_zalloc(sizeof(*u));
    if (!u) {
        return ERR_OOM;
    }
    if (inflateInit2(&u->z, packing == FILE_GZIP ? GZIP_BITS : ZLIB_BITS) != Z_OK) {
        mem_free(u);
        return ERR_OOM;
    }
    *ret_unpacker = u;
    return ERR_OK;
}

void unpacker_free(struct unpacker *u)
{
    if (u) {
        (void)inflateEnd(&u->z);
        mem_free(u);
    }
}

static enum err fill(struct unpacker *u, int fd)
{
    ssize_t n;
    do {
        n = read(fd, u->in, sizeof(u->in));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return ERR_IO;
    }
    u->end = n == 0;
    u->z.next_in = u->in;
    u->z.avail_in = (uInt)n;
    return ERR_OK;
}

static enum err inflate_more(struct unpacker *u, int fd)
{
    u->z.next_out = (Bytef *)u->text + u->filled;
    u->z.avail_out = (uInt)(sizeof(u->text) - u->filled);
    while (u->z.avail_out) {
        if (u->z.avail_in == 0 && !u->end) {
            enum err e = fill(u, fd);
            if (e) {
                return e;
            }
        }
        if (u->z.avail_in == 0) {
            break;
        }
        if (u->member_end && inflateReset(&u->z) != Z_OK) {
            return ERR_CORRUPT;
        }
        u->member_end = false;
        int r = inflate(&u->z, Z_NO_FLUSH);
        if (r == Z_STREAM_END) {
            u->member_end = true;
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            return ERR_CORRUPT;
        }
    }
    u->filled = sizeof(u->text) - u->z.avail_out;
    return ERR_OK;
}

enum err unpacker_read(struct unpacker *u, int fd, struct str *ret_text, bool *ret_last)
{
    memmove(u->text, u->text + u->used, u->filled - u->used);
    u->filled -= u->used;
    u->used = 0;
    u->end = false; /* it may have grown */
    enum err e = inflate_more(u, fd);
    if (e) {
        return e;
    }
    bool last = u->filled < sizeof(u->text);
    const char *newline = u->filled ? memrchr(u->text, '\n', u->filled) : NULL;
    bool cut = last && !u->member_end; /* the rest of its last line may come yet */
    u->used = cut && !newline ? 0 : newline && (cut || !last) ? (size_t)(newline - u->text) + 1 : u->filled;
    *ret_text = str_of(u->text, u->used);
    *ret_last = last;
    return ERR_OK;
}

bool unpacker_whole(const struct unpacker *u)
{
    return u->member_end;
}

void unpacker_give_back(struct unpacker *u, struct str text)
{
    u->used -= text.n;
}
