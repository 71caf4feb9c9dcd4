/* cairn import KIND: to add a kind, a file with its function, a declaration here, a row in import.c. */
#ifndef CAIRN_CAIRN_IMPORT_INT_H
#define CAIRN_CAIRN_IMPORT_INT_H

/* argv[0] is "import", argv[1] the kind. Returns the exit status as commands do. */
typedef int import_fn(int argc, char **argv);

import_fn import_prometheus, import_text, import_openmetrics;

#endif
