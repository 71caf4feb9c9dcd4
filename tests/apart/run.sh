#!/bin/sh
# One process a role, from the originals' own files.
exec python3 "$(dirname "$0")/apart.py"
