/* Compressed files, read once from start to end. */
#ifndef CAIRN_AGENT_INPUTS_UNPACK_H
#define CAIRN_AGENT_INPUTS_UNPACK_H

#include "agent/inputs/file_input.h"

struct unpacker;

MUST_USE enum err unpacker_new(enum file_packing packing, struct unpacker **ret_unpacker);
void unpacker_free(struct unpacker *u); /* accepts NULL */
/* Reads on. *ret_text holds whole lines (the last one of the file may lack its newline) and is valid until
 * the next call; *ret_last says that nothing follows. Errors: CORRUPT, IO. */
MUST_USE enum err unpacker_read(struct unpacker *u, int fd, struct str *ret_text, bool *ret_last);
/* False: the file ended inside a member, as one that is still being written does; what it grows by is read
 * on. */
bool unpacker_whole(const struct unpacker *u);
/* The text of the last call was not used: the next call returns it again. */
void unpacker_give_back(struct unpacker *u, struct str text);

#endif
