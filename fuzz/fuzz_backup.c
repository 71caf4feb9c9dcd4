/* DEPS backup disk net codec labels base */
/* What a place of backups says: a list, a sealed object, and a bucket's answers. The first byte picks the
 * parser, the rest is its input. A list that reads is written with the same bytes. */
#include "backup/backup.h"
#include "base/assert.h"
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
    ASSERT(backup_list_write(&l, &again, NULL) != ERR_OK || str_eq(buf_view(&again), s));
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    if (size == 0) {
        return 0;
    }
    struct str s = str_of((const char *)data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_list(&a, s);
        break;
    case 1:
        fuzz_sealed(s);
        break;
    default:
        fuzz_xml(&a, s);
        break;
    }
    return 0;
}
