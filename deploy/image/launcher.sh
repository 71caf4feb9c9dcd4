#!/bin/sh
# Starts Cairn with the libraries that came with it, the C library included, whatever this system has.
self=$0
while [ -L "$self" ]; do
    to=$(readlink "$self")
    case $to in
    /*) self=$to ;;
    *) self=${self%/*}/$to ;;
    esac
done
top=$(cd "${self%/*}/.." && pwd -P) || exit 1
# libexec/cairn is the dynamic loader under this name, so that ps and pgrep show cairn.
exec "$top/libexec/cairn" --argv0 cairn --inhibit-cache --library-path "$top/lib" "$top/lib/cairn-program" "$@"
