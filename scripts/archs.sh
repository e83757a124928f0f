#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# archs.sh [--table]: the architectures, with the result of the last complete run of
# each: how many tests passed, of the series as 64- and as 32-bit programs, of the
# base's own, and those of the series with DEBUG=1. "-" is for what was not run.
#
# --table is for README.md, and fails if a test did or was not run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# cell LOG [COLLECTION]: what a boot gave. A boot that is red and has no test to blame
# is red as a whole.
cell()
{
	local failed

	if [ ! -s "$1/summary" ] || ! grep -q -x 'test=' "$1/run"; then
		echo -
		return
	fi
	read -r _ failed _ <"$1/summary"
	awk -F'\t' -v collection="${2:+$2:}" -v failed="$failed" '
		$1 == "F" { blamed++ }
		$1 ~ /^[PFS]$/ && index($2, collection) == 1 { n[$1]++ }
		END {
			if (n["F"])
				print n["F"] " FAILED"
			else if (failed && !blamed)
				print "FAILED"
			else
				print n["P"] ? n["P"] (n["S"] ? ", " n["S"] " skipped" : "") : "-"
		}' "$1/records"
}

row()
{
	local own=$out/log date native compat base debug

	native=$(cell "$own" namespaces)
	compat=$(cell "$own" namespaces32)
	base=$(cell "$own/base")
	debug=$(cell "$build/$arch-debug/log")
	case $(cell "$build/$arch-debug/log/base") in
	*FAILED)	debug="base's FAILED" ;;
	esac
	date=$(sed -n 's/^date=//p' "$own/run" 2>/dev/null) || :
	# What there is nothing of is no gap.
	[ -n "$compat_cc" ] || compat=${compat/-/none}
	grep -q -w "^# arches .*$arch" "$base_results" || base=${base/-/none}
	# shellcheck disable=SC2059
	printf "$format" "$arch" "$native" "$compat" "$base" "$debug" "${date:--}"
	case "$native,$compat,$base,$debug" in
	*FAILED*|*,-*|-*)	rc=$EX_FAIL ;;
	esac
}

format='%-10s %-20s %-20s %-20s %-20s %s\n' rc=0
[ "${1:-}" != --table ] || format='| %s | %s | %s | %s | %s | %s |\n'
variant=

# shellcheck disable=SC2059
printf "$format" architecture tests '32-bit programs' "base's tests" 'debug kernel' date
[ "${1:-}" != --table ] || echo '|---|---|---|---|---|---|'
for a in $(arch_list); do
	arch_load "$a"
	row
done
[ "${1:-}" != --table ] || exit "$rc"
