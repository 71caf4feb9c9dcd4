/* Every bit of the positions file flipped, and every length it could be cut to: the agent starts, and what
 * came while it was away arrives, in a file that went on, in one that was rotated, and in the new one. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "disk/file.h"
#include "harness.h"
#include "world.h"

static const char *const must[] = {"a-end\n", "r-end\n", "n-end\n"};

/* Two rounds are saved, then the files go on while nobody looks. */
static bool scene(struct world *w)
{
    world_init(w, "damage", "*.log");
    world_append(w, "a.log", STR("a1\na2\n"));
    world_append(w, "r.log", STR("r1 is long enough to be told from others\n"));
    for (size_t round = 0; round < 2; round++) {
        if (!world_start(w) || !world_wait(w, 3 + round)) {
            return false;
        }
        file_input_stop(w->in);
        bool saved = world_save(w);
        world_stop(w);
        world_append(w, "a.log", round ? STR("a-end\n") : STR("a3\n"));
        if (!saved) {
            return false;
        }
    }
    world_append(w, "r.log", STR("r-end\n"));
    world_move(w, "r.log", "r.log.1");
    world_append(w, "r.log", STR("n-end\n"));
    return true;
}

static bool write_over(const char *path, struct str content)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n;
    return close(fd) == 0 && ok;
}

/* With this as the positions file everything must arrive. */
static bool survives(struct world *w, struct str content)
{
    buf_reset(&w->lines);
    w->count = 0;
    if (!write_over(w->positions_path, content) || !world_start(w)) {
        return false;
    }
    bool ok = world_wait_for(w, must, ARRAY_LEN(must));
    world_stop(w);
    return ok;
}

static bool scene_load(struct world *w, struct buf *content)
{
    return scene(w) && file_load(w->positions_path, content, NULL) == ERR_OK && content->n > 300 &&
           survives(w, buf_view(content));
}

TEST(any_bit_of_the_positions_file_may_flip)
{
    static struct world w;
    struct buf content AUTO_BUF = {.size_bytes_max = 1 << 20};
    CHECK(scene_load(&w, &content));
    for (size_t bit = 0; bit < content.n * 8; bit++) {
        content.p[bit / 8] ^= (char)(1 << bit % 8);
        bool ok = survives(&w, buf_view(&content));
        content.p[bit / 8] ^= (char)(1 << bit % 8);
        if (!ok) {
            printf("byte %zu bit %zu of:\n%.*s", bit / 8, bit % 8, STR_FMT(buf_view(&content)));
        }
        CHECK(ok);
    }
    world_done(&w);
}

TEST(the_positions_file_may_be_cut_anywhere)
{
    static struct world w;
    struct buf content AUTO_BUF = {.size_bytes_max = 1 << 20};
    CHECK(scene_load(&w, &content));
    for (size_t n = 1; n < content.n; n++) {
        bool ok = survives(&w, str_slice(buf_view(&content), 0, n));
        if (!ok) {
            printf("cut to %zu bytes:\n%.*s", n, STR_FMT(buf_view(&content)));
        }
        CHECK(ok);
    }
    world_done(&w);
}
