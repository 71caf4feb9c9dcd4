/* Certificates for tests of TLS. In a header, so that only programs that speak TLS need GnuTLS. */
#ifndef CAIRN_TESTS_CERTIFICATE_H
#define CAIRN_TESTS_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool certificate_file(const char *dir, const char *name, const char *text, size_t n)
{
    char path[256], fresh[300];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path); /* a new inode: the change is seen at once */
    FILE *f = fopen(fresh, "w");
    bool ok = f && fwrite(text, 1, n, f) == n;
    return f && fclose(f) == 0 && ok && rename(fresh, path) == 0;
}

/* A self-signed certificate for the name and 127.0.0.1, good as a CA of itself: NAME.crt and NAME.key. */
static bool certificate_make(const char *dir, const char *name, const char *dns)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t pem = {0};
    char file[64];
    bool ok =
        gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0 &&
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                     0) == 0 &&
        gnutls_x509_crt_set_version(crt, 3) == 0 && gnutls_x509_crt_set_serial(crt, "\1", 1) == 0 &&
        gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60) == 0 &&
        gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600) == 0 &&
        gnutls_x509_crt_set_key(crt, key) == 0 && gnutls_x509_crt_set_ca_status(crt, 1) == 0 &&
        gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, dns, (unsigned)strlen(dns)) == 0 &&
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, dns, (unsigned)strlen(dns),
                                             GNUTLS_FSAN_SET) == 0 &&
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, "\x7f\0\0\1", 4,
                                             GNUTLS_FSAN_APPEND) == 0 &&
        gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0;
    (void)snprintf(file, sizeof(file), "%s.crt", name);
    ok = ok && gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
         certificate_file(dir, file, (const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    pem.data = NULL;
    (void)snprintf(file, sizeof(file), "%s.key", name);
    ok = ok && gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
         certificate_file(dir, file, (const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return ok;
}

#endif
