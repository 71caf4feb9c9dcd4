/* Lines as templates: what repeats (the template) is stored once, what varies (the slots) as columns.
 *
 * A line is cut into words (letters, digits, '_', bytes above 0x7f) and what is between them. A template is a
 * line with some words taken out: those with a digit, when many lines then look the same; else all of them.
 * A slot is a whole word, so a text without other characters than a word's is found in a line when it is in
 * the template or in one of the slots, and lines need not be rebuilt to know.
 *
 *   body    = varint templates, column of template numbers by row (ints.h; 0 = none),
 *             varint pool bytes, varint length, zstd pool, varint rest bytes, varint length, zstd rest,
 *             head* by template and slot, numbers
 *   head    = kind (1 byte), varint bytes in the pool, varint bytes in the numbers
 *   pool    = (varint length, template with 0x00 for each slot)*, then what columns put there
 *   rest    = the lines without a template, one after another
 *   column  = pool: prefix, suffix (varint length and bytes each), then by kind
 *     0 const    the prefix is the value
 *     1 number   numbers: a column (ints.h); decimal without leading zeros
 *     2 digits   numbers: width, a column; decimal padded with zeros
 *     3 hex      numbers: width, half a byte a digit, lower case
 *     4 words    pool: varint words, (varint length, word)*; numbers: a column of their numbers
 *     5 text     pool: the values, each with a line feed behind it */
#ifndef CAIRN_LOGS_STORE_TEMPLATE_H
#define CAIRN_LOGS_STORE_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "logs/store/find.h"

/* --- writing (template_write.c) --- */

struct template_writer;

MUST_USE enum err template_writer_new(struct template_writer **ret_w);
void template_writer_free(struct template_writer *w); /* accepts NULL */
/* Appends the body; failure is dst's own. Line i is text[offsets[i], offsets[i + 1]). */
void template_write(struct template_writer *w, struct buf *dst, struct str text, const uint32_t *offsets,
                    uint32_t rows);

/* --- reading (template_read.c, template_find.c) --- */

struct template_page;

/* The body is kept by reference. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err template_open(struct str body, uint32_t rows, struct arena *a,
                                struct template_page **ret_p);
/* Whether some lines have no template; then the lengths of all lines are needed before lines are asked for.
 */
bool template_has_rest(const struct template_page *p);
MUST_USE enum err template_set_lengths(struct template_page *p, const uint64_t *lengths);
/* Sets hit[i] for each row whose line has the needle. Rows where alive[i] is 0 may be left out. Errors:
 * CORRUPT, OOM, LIMIT. */
MUST_USE enum err template_find(struct template_page *p, const struct finder *f, const uint8_t *alive,
                                uint8_t *hit);
/* Appends the lines where alive[i] is set; lengths[i] (may be p's own) gets how long each is. Errors: the
 * same.
 */
MUST_USE enum err template_lines(struct template_page *p, const uint8_t *alive, struct buf *dst,
                                 uint32_t *lengths);

#endif
