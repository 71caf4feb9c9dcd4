# Every library the program uses, all from Debian. A module names the ones it needs in cairn_module(... LIBS ...).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(lib libmicrohttpd libcurl gnutls yaml-0.1 libzstd liblz4 libdeflate zlib re2 libpcre2-8 libisal sqlite3
            libsodium libsystemd)
  string(REGEX REPLACE "[^a-z0-9]" "_" target ${lib})
  pkg_check_modules(${target} REQUIRED IMPORTED_TARGET ${lib})
endforeach()
# These ship no pkg-config file.
find_library(ROARING_LIBRARY roaring REQUIRED)
find_library(SNAPPY_LIBRARY snappy REQUIRED)
find_library(CRYPT_LIBRARY crypt REQUIRED)

# Short names used by the modules' CMakeLists.
set(LIB_microhttpd PkgConfig::libmicrohttpd)
set(LIB_curl PkgConfig::libcurl)
set(LIB_gnutls PkgConfig::gnutls)
set(LIB_yaml PkgConfig::yaml_0_1)
set(LIB_zstd PkgConfig::libzstd)
set(LIB_lz4 PkgConfig::liblz4)
set(LIB_deflate PkgConfig::libdeflate)
set(LIB_zlib PkgConfig::zlib)
set(LIB_re2 PkgConfig::re2)
set(LIB_pcre2 PkgConfig::libpcre2_8)
set(LIB_isal PkgConfig::libisal)
set(LIB_sqlite3 PkgConfig::sqlite3)
set(LIB_sodium PkgConfig::libsodium)
set(LIB_systemd PkgConfig::libsystemd)
set(LIB_roaring ${ROARING_LIBRARY})
set(LIB_snappy ${SNAPPY_LIBRARY})
set(LIB_crypt ${CRYPT_LIBRARY})
set(LIB_m m)
set(LIB_resolv resolv) # of libc
