/* Compiler attributes used across the tree. Nothing here has behaviour. */
#ifndef CAIRN_BASE_ATTR_H
#define CAIRN_BASE_ATTR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
