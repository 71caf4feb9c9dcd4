/* DEPS backup disk net codec labels base */
/* What a place of backups says: a list, a sealed object, and a bucket's answers. The first byte picks the
 * parser, the rest is its input. A list that reads is written with the same bytes. */
#include "backup/backup.h"
#include "base/assert.h"
#include "disk/s3_profile.h"
#include "disk/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_list(struct arena *a, struct str s)
{
    struct backup_list l = {0};
    struct buf again AUTO_BUF = {.size_bytes_max = 1 << 22};
    if (backup_list_read(s, a, &l, NULL)) {
        return;
    }
    for (size_t i = 0; i < l.n; i++) {
        ASSERT(backup_path_valid(l.files[i].path));
        for (size_t k = 0; k < backup_piece_count(&l, &l.files[i]); k++) {
            ASSERT(backup_piece(&l.files[i], k).n == BACKUP_HASH_CHARS);
        }
    }
    if (backup_list_write(&l, &again, NULL)) {
        return;
    }
    /* But for the version, which older lists have smaller, and the hash that covers it. */
    struct str got = buf_view(&again), given = s, got_end = got, given_end = s;
    bool same = str_eq(str_cut(&got_end, '\n'), str_cut(&given_end, '\n'));
    got = same ? got : str_slice(got_end, 0, str_find(got_end, STR("\nend "), 0));
    given = same ? given : str_slice(given_end, 0, str_find(given_end, STR("\nend "), 0));
    ASSERT(str_eq(got, given));
}

static void fuzz_sealed(struct str s)
{
    static const struct backup_key key = {.sealing = {1}};
    struct buf plain AUTO_BUF = {.size_bytes_max = 1 << 22};
    ASSERT(backup_unseal(&key, STR("objects/00/00"), s, &plain) != ERR_OK ||
           plain.n + BACKUP_SEAL_BYTES == s.n);
}

static void fuzz_xml(struct arena *a, struct str s)
{
    struct str item;
    size_t at = 0;
    while ((item = s3_xml_next(s, "Contents", &at)).p) {
        (void)s3_xml_text(item, "Key", a);
        (void)s3_xml_text(item, "Size", a);
    }
    (void)s3_xml_text(s, "NextContinuationToken", a);
}

/* ~/.aws, as anybody wrote it. */
static void fuzz_profile(struct str s)
{
    static const char *const keys[] = {"aws_access_key_id", "role_arn", "region"};
    const struct s3_profile p = {.name = STR("default"), .config = s};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct str value = s3_profile_setting(&p, p.config, keys[i]);
        ASSERT(value.n == 0 || (value.p >= s.p && value.p + value.n <= s.p + s.n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    if (size == 0) {
        return 0;
    }
    struct str s = str_of((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        fuzz_list(&a, s);
        break;
    case 1:
        fuzz_sealed(s);
        break;
    case 2:
        fuzz_profile(s);
        break;
    default:
        fuzz_xml(&a, s);
        break;
    }
    return 0;
}
