/* Thin layer over malloc so that every allocation passes one fault point and one overflow check. */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

void *mem_alloc(size_t size_bytes)
{
    if (fault_hit(FAULT_ALLOC)) {
        return NULL;
    }
    return malloc(size_bytes ? size_bytes : 1);
}

void *mem_zalloc(size_t size_bytes)
{
    if (fault_hit(FAULT_ALLOC)) {
        return NULL;
    }
    return calloc(1, size_bytes ? size_bytes : 1);
}

void *mem_realloc(void *p, size_t size_bytes)
{
    if (fault_hit(FAULT_ALLOC)) {
        return NULL;
    }
    return realloc(p, size_bytes ? size_bytes : 1);
}

void *mem_array(size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        return NULL;
    }
    return mem_alloc(total);
}

void *mem_zarray(size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        return NULL;
    }
    return mem_zalloc(total);
}

void *mem_aligned(size_t align, size_t size_bytes)
{
    if (fault_hit(FAULT_ALLOC)) {
        return NULL;
    }
    void *p = NULL;
    return posix_memalign(&p, align, size_bytes ? size_bytes : 1) == 0 ? p : NULL;
}

void *mem_slab(size_t size_bytes)
{
    enum {
        HUGE_BYTES = 2 << 20
    };
    bool huge = size_bytes % HUGE_BYTES == 0;
    size_t all = size_bytes + (huge ? HUGE_BYTES : 0);
    if (fault_hit(FAULT_ALLOC) || all < size_bytes) {
        return NULL;
    }
    char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || !huge) {
        return p == MAP_FAILED ? NULL : p;
    }
    size_t before = -(uintptr_t)p % HUGE_BYTES;
    if (before) {
        (void)munmap(p, before);
    }
    if (before < HUGE_BYTES) {
        (void)munmap(p + before + size_bytes, HUGE_BYTES - before);
    }
    (void)madvise(p + before, size_bytes, MADV_HUGEPAGE); /* where there are none, small ones do */
    return p + before;
}

void mem_slab_free(void *p, size_t size_bytes)
{
    if (p) {
        (void)munmap(p, size_bytes);
    }
}

char *mem_dup(const char *p, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : mem_alloc(n + 1);
    if (copy) {
        if (n) {
            memcpy(copy, p, n);
        }
        copy[n] = '\0';
    }
    return copy;
}

void mem_free(void *p)
{
    free(p);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}

enum err vec_reserve(void **items, size_t *cap, size_t need, size_t item_size)
{
    if (need <= *cap) {
        return ERR_OK;
    }
    size_t grown = *cap < 8 ? 8 : *cap;
    while (grown < need) {
        if (__builtin_mul_overflow(grown, (size_t)2, &grown)) {
            return ERR_OOM;
        }
    }
    size_t total;
    if (__builtin_mul_overflow(grown, item_size, &total)) {
        return ERR_OOM;
    }
    void *p = mem_realloc(*items, total);
    if (!p) {
        return ERR_OOM;
    }
    *items = p;
    *cap = grown;
    return ERR_OK;
}
