#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# archs.sh [--table]: the architectures, with the result of the last complete run of
# each (scripts/judge/archs.py). --table is for RESULTS.md.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

variant=
tree=$(kgit rev-parse -q --verify 'HEAD^{tree}') ||
	die $EX_BUILD "build/linux is not there: \`make tree\` first"
for a in $(arch_list); do
	arch_load "$a"
	[ -z "$compat_cc" ] && echo "$a none" || echo "$a 32"
done | judge archs "$tree" "$@"
