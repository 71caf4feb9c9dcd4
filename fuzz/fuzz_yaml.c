/* DEPS codec base */
/* YAML: any bytes give a tree within the limits, or an error with a place. */
#include "base/assert.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    struct err_info info = {0};
    enum err e = yaml_parse(&a, str_of((const char *)data, size), "fuzz.yml", &root, &info);
    ASSERT(e == ERR_OK ? root != NULL : info.message[0] != '\0');
    return 0;
}
