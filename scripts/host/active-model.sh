#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# active-model.sh LINUX DIR: active-model.c on the functions of LINUX/kernel/nscommon.c,
# built in DIR. 0 if they are right, 1 if they are not, 2 if they do not build.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
sed -n '/^#define NS_MAX_CHAIN/,/^static bool ns_admin/p' "$1/kernel/nscommon.c" | sed '$d' >"$2/code.c"
grep -q '^void __ns_ref_active_put' "$2/code.c" || exit 2
gcc -O2 -Wall -Wno-unused-function -I "$2" -o "$2/active-model" "$here/active-model.c" || exit 2
"$2/active-model"
