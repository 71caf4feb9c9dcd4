/* TZif reading. Only the 64-bit half of a file is used; the rule behind the table (for times past its end) is
 * not: zone files of Debian reach to 2037. */
#include "golang/tz.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    HEADER_BYTES = 44,
    PATH_BYTES_MAX = 512
};

struct zone_type {
    int32_t offset;
    bool dst;
    char name[8];
};

struct tz {
    size_t n, types;
    int64_t *at;    /* transitions */
    uint8_t *index; /* type from then on */
    struct zone_type type[256];
};

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool header(const unsigned char *p, size_t n, struct counts *c)
{
    if (n < HEADER_BYTES || memcmp(p, "TZif", 4) != 0) {
        return false;
    }
    *c = (struct counts){be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36), be32(p + 40)};
    return c->time < 65536 && c->type > 0 && c->type <= 256 && c->chars < 65536 && c->leap < 4096 &&
           c->isut < 4096 && c->isstd < 4096;
}

static size_t body_bytes(const struct counts *c, size_t width)
{
    return c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
}

static enum err read_body(struct tz *z, const unsigned char *p, const struct counts *c)
{
    const unsigned char *index = p + (size_t)c->time * 8, *types = index + c->time,
                        *chars = types + (size_t)c->type * 6;
    z->at = mem_array(c->time + 1, sizeof(*z->at));
    z->index = mem_array(c->time + 1, sizeof(*z->index));
    if (!z->at || !z->index) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < c->time; i++) {
        z->at[i] = be64(p + (size_t)i * 8);
        z->index[i] = index[i];
        if (index[i] >= c->type) {
            return ERR_INVALID;
        }
    }
    for (uint32_t i = 0; i < c->type; i++) {
        const unsigned char *t = types + (size_t)i * 6;
        z->type[i].offset = (int32_t)be32(t);
        z->type[i].dst = t[4] != 0;
        for (size_t k = 0; k + 1 < sizeof(z->type[i].name) && t[5] + k < c->chars && chars[t[5] + k]; k++) {
            z->type[i].name[k] = (char)chars[t[5] + k];
        }
    }
    z->n = c->time;
    z->types = c->type;
    return ERR_OK;
}

static enum err parse(struct tz *z, struct str file)
{
    const unsigned char *p = (const unsigned char *)file.p;
    struct counts c;
    if (!header(p, file.n, &c) || p[4] < '2') {
        return ERR_INVALID;
    }
    size_t skip = HEADER_BYTES + body_bytes(&c, 4);
    if (file.n < skip || !header(p + skip, file.n - skip, &c) ||
        file.n - skip - HEADER_BYTES < body_bytes(&c, 8)) {
        return ERR_INVALID;
    }
    return read_body(z, p + skip + HEADER_BYTES, &c);
}

static bool name_is_safe(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!word && !strchr("/_+-", c)) {
            return false;
        }
    }
    return name.n > 0 && name.p[0] != '/';
}

static enum err load_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rbe");
    if (!f) {
        return ERR_INVALID;
    }
    char *to = buf_tail(out, FILE_BYTES_MAX);
    out->n = to ? fread(to, 1, FILE_BYTES_MAX, f) : 0;
    (void)fclose(f);
    return out->err;
}

/* The file of the machine's zone: TZ names it as for Go (unset: /etc/localtime, empty: UTC, a name or a
 * path). */
static void local_path(char path[PATH_BYTES_MAX])
{
    const char *tz = getenv("TZ");
    if (!tz) {
        (void)snprintf(path, PATH_BYTES_MAX, "/etc/localtime");
        return;
    }
    tz += *tz == ':';
    (void)snprintf(path, PATH_BYTES_MAX, *tz == '/' ? "%s" : "/usr/share/zoneinfo/%s", *tz ? tz : "UTC");
}

enum err tz_load(struct str name, struct tz **ret_tz, struct err_info *reterr_info)
{
    char path[PATH_BYTES_MAX];
    struct buf file AUTO_BUF = {0};
    bool local = str_eq_c(name, "Local");
    if (!local && !name_is_safe(name)) {
        return err_set(reterr_info, ERR_INVALID, "invalid location: \"%.*s\"", STR_FMT(name));
    }
    struct tz *z = mem_zalloc(sizeof(*z));
    if (!z) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    if (local) {
        local_path(path);
    } else {
        (void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", STR_FMT(name));
    }
    enum err e = load_file(path, &file);
    e = e ? e : parse(z, buf_view(&file));
    if (e == ERR_INVALID && (local || str_eq_c(name, "UTC"))) {
        z->types = 1; /* UTC, also on a machine without zone files */
        memcpy(z->type[0].name, "UTC", 4);
        z->n = 0;
        e = ERR_OK;
    }
    if (e) {
        tz_free(z);
        return err_set(reterr_info, e, "invalid location specified: unknown time zone %.*s", STR_FMT(name));
    }
    *ret_tz = z;
    return ERR_OK;
}

static struct tz *local_zone;

static void load_local(void)
{
    if (tz_load(STR("Local"), &local_zone, NULL)) {
        local_zone = NULL;
    }
}

const struct tz *tz_local(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load_local);
    return local_zone;
}

void tz_free(struct tz *z)
{
    if (z) {
        mem_free(z->at);
        mem_free(z->index);
        mem_free(z);
    }
}

/* Index of the transition in force, or SIZE_MAX before the first. */
static size_t in_force(const struct tz *z, int64_t t)
{
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->at[mid] <= t) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low ? low - 1 : SIZE_MAX;
}

/* Before the first change the first standard time holds, as Go's lookupFirstZone chooses. */
static const struct zone_type *type_at(const struct tz *z, int64_t unix_s)
{
    size_t at = in_force(z, unix_s);
    if (at != SIZE_MAX) {
        return &z->type[z->index[at]];
    }
    for (size_t i = 0; i < z->types; i++) {
        if (!z->type[i].dst) {
            return &z->type[i];
        }
    }
    return &z->type[0];
}

int32_t tz_offset(const struct tz *z, int64_t unix_s)
{
    return type_at(z, unix_s)->offset;
}

const char *tz_name(const struct tz *z, int64_t unix_s)
{
    return type_at(z, unix_s)->name;
}

int32_t tz_offset_of_wall(const struct tz *z, int64_t wall_s)
{
    /* Go's time.Date: guess with the offset at the wall time, then look whether it holds there. */
    int32_t guess = tz_offset(z, wall_s), again = tz_offset(z, wall_s - guess);
    if (again == guess) {
        return guess;
    }
    return tz_offset(z, wall_s - again) == again ? again : guess;
}

bool tz_abbreviation(const struct tz *z, struct str abbreviation, int32_t *ret_offset)
{
    for (size_t i = z->types; i-- > 0;) {
        if (str_eq_c(abbreviation, z->type[i].name)) {
            *ret_offset = z->type[i].offset;
            return true;
        }
    }
    return false;
}
