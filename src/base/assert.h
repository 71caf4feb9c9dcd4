/* Invariants. ASSERT stays on in release builds and must be cheap; ASSERT_DEBUG may be costly and is compiled
 * out there. Never assert input from outside: return ERR_INVALID or ERR_CORRUPT. */
#ifndef CAIRN_BASE_ASSERT_H
#define CAIRN_BASE_ASSERT_H

#include "base/attr.h"

/* Prints place and condition to stderr and aborts. */
void assert_failed(const char *file, int line, const char *condition) __attribute__((noreturn)) COLD;

#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_failed(__FILE__, __LINE__, #x))

#ifdef CAIRN_DEBUG
#define ASSERT_DEBUG(x) ASSERT(x)
#else
#define ASSERT_DEBUG(x) ((void)sizeof(x))
#endif

#endif
