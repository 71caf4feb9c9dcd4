/* The lines of a group as a page, in the form that is smallest, and searching them as a whole.
 *
 *   page = 0, text | 1, zstd frame of the text | 2, body of templates (template.h)
 *
 * The text is the lines one after another, without separators; their lengths are a column of their own. */
#ifndef CAIRN_LOGS_STORE_TEXT_H
#define CAIRN_LOGS_STORE_TEXT_H

#include "logs/store/template.h"

/* --- writing --- */

struct text_writer {
    struct template_writer *templates;
    struct buf tried;
    bool use_templates; /* what the last trial said */
    unsigned until_trial;
};

MUST_USE enum err text_writer_init(struct text_writer *w);
void text_writer_done(struct text_writer *w);
/* Appends the page; failure is dst's own. Line i is text[offsets[i], offsets[i + 1]). */
void text_write(struct text_writer *w, struct buf *dst, struct str text, const uint32_t *offsets,
                uint32_t rows);

/* --- reading --- */

struct text_page {
    unsigned form;
    struct str content;
    uint32_t rows, text_bytes;
    struct template_page *templates;
    uint32_t *offsets; /* of lines, once lengths are known */
    struct buf text;   /* decoded, or the lines rebuilt last: views that text_lines gives point into it */
    bool decoded;
    struct arena *arena;
};

/* The page's bytes are kept by reference, tables are in the arena. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err text_open(struct text_page *t, struct str page, uint32_t rows, uint32_t text_bytes,
                            struct arena *a);
void text_done(struct text_page *t);
/* Whether lengths are to be set before anything is searched or read. */
bool text_needs_lengths(const struct text_page *t);
MUST_USE enum err text_set_lengths(struct text_page *t, const uint64_t *lengths);
/* Sets hit[i] for each row whose line has the needle; rows where alive[i] is 0 may be left out. Errors:
 * CORRUPT, OOM, LIMIT. */
MUST_USE enum err text_find(struct text_page *t, const struct finder *f, const uint8_t *alive, uint8_t *hit);
/* lines[i] for each row where alive[i] is set: views into t->text, until the next call or text_done. */
MUST_USE enum err text_lines(struct text_page *t, const uint8_t *alive, struct str *lines);

#endif
