/* libcairn: what a call can answer, and the two or three macros its other headers share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_ERROR_H
#define CAIRN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CAIRN_MUST_USE __attribute__((warn_unused_result))
#define CAIRN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CAIRN_MUST_USE
#define CAIRN_PRINTF(text, first)
#endif

enum cairn_err {
    CAIRN_OK = 0,
    CAIRN_ERR_OOM,     /* memory could not be had */
    CAIRN_ERR_INVALID, /* a name, unit, label, bound or option breaks the rules of the format */
    CAIRN_ERR_EXISTS,  /* the name, or a sample name it implies, is taken in this registry */
    CAIRN_ERR_LIMIT,   /* a documented ceiling is reached */
    CAIRN_ERR_IO,      /* a file, stream or the caller's writer failed; errno says why where it is set */
};

/* One short English phrase, never NULL, never to be freed. Any thread. */
const char *cairn_err_text(enum cairn_err err);

#ifdef __cplusplus
}
#endif

#endif
