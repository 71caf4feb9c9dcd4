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
static bool scene(struct world *w, const char *folder, const char *name)
{
    world_init_in(w, folder, name, "*.log");
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

enum {
    WORLDS = 16
};

struct share {
    struct world w;
    const char *folder;
    unsigned number;
    bool cut; /* or bits are flipped */
    bool ok;
    size_t tried;
    struct buf content;
};

static bool try_one(struct share *s, size_t place)
{
    if (s->cut) {
        return survives(&s->w, str_slice(buf_view(&s->content), 0, place + 1));
    }
    s->content.p[place / 8] ^= (char)(1 << place % 8);
    bool ok = survives(&s->w, buf_view(&s->content));
    s->content.p[place / 8] ^= (char)(1 << place % 8);
    return ok;
}

static void try_share(void *ctx)
{
    struct share *s = ctx;
    char name[24];
    (void)snprintf(name, sizeof(name), "%s-%02u", s->cut ? "cut" : "flip", s->number);
    s->content.size_bytes_max = 1 << 20;
    s->ok = scene(&s->w, s->folder, name) && file_load(s->w.positions_path, &s->content, NULL) == ERR_OK &&
            s->content.n > 300 && survives(&s->w, buf_view(&s->content));
    size_t places = s->cut ? s->content.n - 1 : s->content.n * 8;
    for (size_t i = s->number; s->ok && i < places; i += WORLDS, s->tried++) {
        s->ok = try_one(s, i);
        if (!s->ok) {
            (void)printf("place %zu of:\n%.*s", i, STR_FMT(buf_view(&s->content)));
        }
    }
    buf_done(&s->content);
    world_done(&s->w);
}

static void try_all(bool cut, size_t least)
{
    static struct share shares[WORLDS];
    struct thread threads[WORLDS] = {0};
    size_t tried = 0;
    const char *folder = test_dir();
    for (unsigned i = 0; i < WORLDS; i++) {
        shares[i] = (struct share){.folder = folder, .number = i, .cut = cut};
        CHECK_OK(thread_start(&threads[i], "share", try_share, &shares[i]));
    }
    for (unsigned i = 0; i < WORLDS; i++) {
        thread_join(&threads[i]);
    }
    for (unsigned i = 0; i < WORLDS; i++) {
        CHECK(shares[i].ok);
        tried += shares[i].tried;
    }
    CHECK(tried > least);
}

TEST(any_bit_of_the_positions_file_may_flip)
{
    try_all(false, 2400);
}

TEST(the_positions_file_may_be_cut_anywhere)
{
    try_all(true, 300);
}
