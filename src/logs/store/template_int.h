/* What writer and reader of templates share. Private to this folder. */
#ifndef CAIRN_LOGS_STORE_TEMPLATE_INT_H
#define CAIRN_LOGS_STORE_TEMPLATE_INT_H

#include "logs/store/template.h"

enum column_kind {
    COLUMN_CONST = 0,
    COLUMN_NUMBER,
    COLUMN_DIGITS,
    COLUMN_HEX,
    COLUMN_WORDS,
    COLUMN_TEXT,
    COLUMN_KINDS
};

enum {
    TEMPLATE_SLOTS_MAX = 250,
    TEMPLATE_COLUMNS_MAX = 1 << 16,
    TEMPLATE_DIGITS_MAX = 18, /* of a number in 64 bits */
    TEMPLATE_HEX_MAX = 128,
    WORD_NO = 0,
    WORD_CHAR = 1,
    WORD_DIGIT = 3 /* also WORD_CHAR */
};

static inline unsigned word_class(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return WORD_DIGIT;
    }
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80 ? WORD_CHAR : WORD_NO;
}

#endif
