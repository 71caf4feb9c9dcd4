/* Keeps the process alive when a page of a mapped file cannot be read. Any thread. */
#ifndef CAIRN_DISK_MAP_GUARD_H
#define CAIRN_DISK_MAP_GUARD_H

#include "disk/file.h"

/* A page that the disk does not give reads as zeros, and the process lives on. True when that has happened in
 * this mapping: nothing of it is to be used any more. */
bool file_map_failed(const struct file_map *m);
/* How many pages, of all mappings: whoever finds it risen after reading throws away what it read. */
uint64_t file_map_failures(void);

/* For file.c: what is mapped, and before it is unmapped. */
void map_guard_add(const void *p, size_t n);
void map_guard_remove(const void *p);

#endif
