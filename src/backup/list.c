/* The list of a backup, written and read. */
#include "backup/list.h"

#include <sodium.h>

#include "backup/limits.h"

#define FIRST_LINE "cairn-backup 3"
#define FIRST_LINE_BEFORE "cairn-backup 2" /* the same without agent/ */
#define FIRST_WORD STR("cairn-backup ")

/* Where a path may begin. */
static const char *const roots[] = {"metrics/", "logs/", "dashboards/", "agent/", "config/"};

static bool part_valid(struct str part)
{
    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        if (c < ' ' || c == 0x7f) {
            return false;
        }
    }
    return part.n > 0 && part.n <= PART_BYTES_MAX && !str_eq_c(part, ".") && !str_eq_c(part, "..");
}

bool backup_path_valid(struct str path)
{
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        known = known || str_starts(path, str_c(roots[i]));
    }
    if (!known || path.n > PATH_BYTES_MAX) {
        return false;
    }
    for (struct str rest = path; rest.p;) {
        if (!part_valid(str_cut(&rest, '/'))) {
            return false;
        }
    }
    return true;
}

bool backup_name_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || (c == '.' && i > 0);
        if (!plain) {
            return false;
        }
    }
    return name.n > 0 && name.n <= NAME_BYTES_MAX;
}

void backup_hash(struct str bytes, char ret_hash[BACKUP_HASH_CHARS + 1])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n);
    (void)sodium_bin2hex(ret_hash, BACKUP_HASH_CHARS + 1, digest, sizeof(digest));
}

size_t backup_piece_count(const struct backup_list *l, const struct backup_file *f)
{
    return (size_t)(f->size_bytes / l->piece_bytes + (f->size_bytes % l->piece_bytes != 0));
}

struct str backup_piece(const struct backup_file *f, size_t i)
{
    return str_of(f->pieces.p + i * (BACKUP_HASH_CHARS + 1), BACKUP_HASH_CHARS);
}

/* -- writing --------------------------------------------------------------------------------------------- */

enum err backup_list_write(const struct backup_list *l, struct buf *b, struct err_info *reterr_info)
{
    char hash[BACKUP_HASH_CHARS + 1];
    buf_printf(b, FIRST_LINE "\npiece %llu\n", (unsigned long long)l->piece_bytes);
    for (size_t i = 0; i < l->n; i++) {
        const struct backup_file *f = &l->files[i];
        if (!backup_path_valid(f->path)) {
            return err_set(reterr_info, ERR_INVALID, "a file with the name %.*s cannot be kept in a backup",
                           STR_FMT(f->path));
        }
        buf_printf(b, "file %03o %llu ", f->mode, (unsigned long long)f->size_bytes);
        buf_str(b, f->pieces.n ? f->pieces : STR("-"));
        buf_printf(b, " %.*s\n", STR_FMT(f->path));
    }
    if (!b->err) {
        backup_hash(buf_view(b), hash);
        buf_printf(b, "end %zu %s\n", l->n, hash);
    }
    return b->err ? err_set(reterr_info, b->err, "no memory for the list of %zu files", l->n) : ERR_OK;
}

/* -- reading --------------------------------------------------------------------------------------------- */

static bool hash_valid(struct str hash)
{
    for (size_t i = 0; i < hash.n; i++) {
        if (!((hash.p[i] >= '0' && hash.p[i] <= '9') || (hash.p[i] >= 'a' && hash.p[i] <= 'f'))) {
            return false;
        }
    }
    return hash.n == BACKUP_HASH_CHARS;
}

static enum err damaged(struct err_info *info, size_t line, const char *why)
{
    return err_set(info, ERR_CORRUPT, "line %zu of the backup's list: %s; use another backup", line, why);
}

static bool mode_read(struct str s, unsigned *ret_mode)
{
    unsigned mode = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '7') {
            return false;
        }
        mode = mode * 8 + (unsigned)(s.p[i] - '0');
    }
    *ret_mode = mode;
    return s.n == 3;
}

/* As many names as a file of that size has pieces. */
static bool pieces_valid(const struct backup_list *l, const struct backup_file *f)
{
    size_t n = 0;
    for (struct str rest = f->pieces; rest.n; n++) {
        if (!hash_valid(str_cut(&rest, ','))) {
            return false;
        }
    }
    return n == backup_piece_count(l, f) && f->pieces.n == (n ? n * (BACKUP_HASH_CHARS + 1) - 1 : 0);
}

/* "file MODE SIZE NAME,NAME PATH" */
static enum err file_read(struct str line, size_t number, struct arena *a, struct backup_list *l,
                          struct err_info *info)
{
    struct str rest = line, word = str_cut(&rest, ' '), mode = str_cut(&rest, ' '),
               size = str_cut(&rest, ' '), pieces = str_cut(&rest, ' ');
    struct backup_file f = {.path = rest, .pieces = str_eq_c(pieces, "-") ? (struct str){0} : pieces};
    if (!str_eq_c(word, "file") || !mode_read(mode, &f.mode) || str_to_u64(size, &f.size_bytes) ||
        !pieces_valid(l, &f)) {
        return damaged(info, number, "it is not \"file MODE SIZE NAMES PATH\"");
    }
    if (!backup_path_valid(f.path)) {
        return damaged(info, number, "a path that leads out of the folder is refused");
    }
    if (l->n && str_cmp(l->files[l->n - 1].path, f.path) >= 0) {
        return damaged(info, number, "the paths are not in order");
    }
    f.path = arena_str(a, f.path);
    f.pieces = arena_str(a, f.pieces);
    enum err e =
        f.path.p && f.pieces.p ? arena_reserve(a, (void **)&l->files, &l->cap, l->n + 1, sizeof(f)) : ERR_OOM;
    if (e) {
        return err_set(info, e, "no memory for the list of a backup");
    }
    l->files[l->n++] = f;
    return ERR_OK;
}

/* "end COUNT SHA256" is the last line, and what it says is so. */
static enum err end_read(struct str line, struct str before, struct str after, size_t number, size_t files,
                         struct err_info *info)
{
    char hash[BACKUP_HASH_CHARS + 1];
    uint64_t count = 0;
    struct str rest = line;
    (void)str_cut(&rest, ' ');
    struct str n = str_cut(&rest, ' ');
    backup_hash(before, hash);
    if (str_to_u64(n, &count) || count != files || !str_eq_c(rest, hash) || after.n) {
        return damaged(info, number, "the checksum of the list is wrong");
    }
    return ERR_OK;
}

/* The two lines before the files. */
static enum err head_read(struct str *rest, struct backup_list *l, struct err_info *info)
{
    struct str first = str_cut(rest, '\n'), piece = str_cut(rest, '\n');
    if (!str_eq_c(first, FIRST_LINE) && !str_eq_c(first, FIRST_LINE_BEFORE)) {
        return str_starts(first, FIRST_WORD)
                   ? err_set(info, ERR_UNSUPPORTED,
                             "the backup is of another form (%.*s); restore it with the Cairn that made it",
                             first.n > 40 ? 40 : (int)first.n, first.p)
                   : damaged(info, 1, "it does not begin with \"" FIRST_LINE "\"");
    }
    if (!str_eq_c(str_cut(&piece, ' '), "piece") || str_to_u64(piece, &l->piece_bytes) ||
        l->piece_bytes == 0 || l->piece_bytes > PIECE_BYTES_MAX) {
        return damaged(info, 2, "it is not \"piece BYTES\"");
    }
    return ERR_OK;
}

enum err backup_list_read(struct str text, struct arena *a, struct backup_list *ret_list,
                          struct err_info *reterr_info)
{
    struct backup_list l = {0};
    struct str rest = text;
    enum err e = head_read(&rest, &l, reterr_info);
    for (size_t number = 3; !e && rest.p; number++) {
        const char *begin = rest.p;
        struct str line = str_cut(&rest, '\n');
        if (str_starts(line, STR("end "))) {
            struct str before = str_of(text.p, (size_t)(begin - text.p));
            e = end_read(line, before, rest, number, l.n, reterr_info);
            if (!e) {
                *ret_list = l;
            }
            return e;
        }
        e = file_read(line, number, a, &l, reterr_info);
    }
    return e ? e : damaged(reterr_info, 1, "its end is missing");
}
