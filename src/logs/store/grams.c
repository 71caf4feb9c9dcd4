/* The skip index. All digits are one, so that numbers and times do not fill it: log text then has some
 * hundreds of sequences where it would have thousands. */
#include "logs/store/grams.h"

#include "codec/varint.h"

enum {
    FORM_LIST = 0,
    FORM_BITMAP = 1,
    GRAM = 3,
    WINDOW = 4096
};

static inline uint8_t folded(char c)
{
    unsigned x = (unsigned char)c;
    return (uint8_t)(x - '0' < 10 ? '0' : x);
}

/* Of a sequence as a little-endian number. */
static inline uint32_t slot(uint32_t gram)
{
    return ((gram & 0xffffff) * 2654435761u) >> 16; /* Knuth's multiplier */
}

static uint32_t gram_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void write_list(struct buf *dst, const uint8_t *seen)
{
    write_u8(dst, FORM_LIST);
    uint32_t before = 0;
    for (uint32_t i = 0; i < GRAMS_BITS; i++) {
        if (seen[i]) {
            write_varint(dst, i - before);
            before = i;
        }
    }
}

static void write_bitmap(struct buf *dst, const uint8_t *seen)
{
    write_u8(dst, FORM_BITMAP);
    for (uint32_t i = 0; i < GRAMS_BITS; i += 8) {
        unsigned byte = 0;
        for (uint32_t k = 0; k < 8; k++) {
            byte |= (unsigned)(seen[i + k] != 0) << k;
        }
        write_u8(dst, (uint8_t)byte);
    }
}

/* A window of the text at a time, so that what is folded stays near. Each begins with the last two bytes of
 * the one before. */
static void mark_grams(struct str text, uint8_t *seen)
{
    uint8_t window[WINDOW + 4];
    for (size_t at = 0; at + GRAM <= text.n; at += WINDOW - GRAM + 1) {
        size_t n = text.n - at < WINDOW ? text.n - at : WINDOW;
        for (size_t i = 0; i < n; i++) {
            window[i] = folded(text.p[at + i]);
        }
        memset(window + n, 0, 4);
        for (size_t i = 0; i + GRAM <= n; i++) {
            uint32_t word;
            memcpy(&word, window + i, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            word = __builtin_bswap32(word);
#endif
            seen[slot(word)] = 1;
        }
    }
}

void grams_write(struct buf *dst, struct str text, uint8_t *scratch)
{
    memset(scratch, 0, GRAMS_BITS);
    mark_grams(text, scratch);
    size_t n = 0;
    for (uint32_t i = 0; i < GRAMS_BITS; i++) {
        n += scratch[i];
    }
    if (n < GRAMS_BITS / 8) {
        write_list(dst, scratch);
    } else {
        write_bitmap(dst, scratch);
    }
}

void grams_read(struct str grams, uint64_t *bitmap)
{
    struct reader r = reader_of(grams);
    uint8_t form = read_u8(&r);
    memset(bitmap, 0, GRAMS_BITS / 8);
    if (form == FORM_BITMAP && reader_left(&r) == GRAMS_BITS / 8) {
        for (uint32_t i = 0; i < GRAMS_BITS / 64; i++) {
            bitmap[i] = read_u64(&r);
        }
        return;
    }
    uint64_t at = 0;
    bool sound = form == FORM_LIST && !r.bad;
    while (sound && reader_left(&r)) {
        at += read_varint(&r);
        sound = !r.bad && at < GRAMS_BITS;
        if (sound) {
            bitmap[at / 64] |= (uint64_t)1 << (at % 64);
        }
    }
    if (!sound) {
        memset(bitmap, 0xff, GRAMS_BITS / 8);
    }
}

bool grams_may_contain(const uint64_t *bitmap, struct str needle)
{
    for (size_t i = 0; i + GRAM <= needle.n; i++) {
        const uint8_t gram[GRAM] = {folded(needle.p[i]), folded(needle.p[i + 1]), folded(needle.p[i + 2])};
        uint32_t s = slot(gram_at(gram));
        if (!(bitmap[s / 64] >> (s % 64) & 1)) {
            return false;
        }
    }
    return true;
}
