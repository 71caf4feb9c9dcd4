/* The protobuf half of the exposition parser. Private to this folder. */
#ifndef CAIRN_CODEC_EXPOSITION_INT_H
#define CAIRN_CODEC_EXPOSITION_INT_H

#include "codec/exposition.h"

MUST_USE enum err exposition_proto_next(struct exposition_parser *p, struct arena *a,
                                        enum exposition_event *ret_event, struct exposition_item *ret_item,
                                        struct err_info *reterr_info);

#endif
