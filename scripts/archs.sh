#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# archs.sh [--table]: the architectures, with the result of the last complete run of
# each: how many tests passed, of the series as 64- and as 32-bit programs, of the
# base's own, and with DEBUG=1, those of the series + those of the base. "-" is for what
# was not run, * for a run of another series, or of a kernel or command line that was
# given by hand.
#
# --table is for RESULTS.md: what has a * does not count, and it fails if a test did or
# was not run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# cell MODE LOG [COLLECTION]: what a boot gave. A boot that is red and has no test to
# blame is red as a whole.
cell()
{
	local failed foreign='*'

	if [ ! -s "$2/summary" ] || ! grep -q -x "mode=$1" "$2/run" || ! grep -q -x 'test=' "$2/run"; then
		echo -
		return
	fi
	if grep -q -x "tree=$tree" "$2/run" && ! grep -q -E '^(dirty|by_hand)=.' "$2/run"; then
		foreign=
	elif [ -n "$table" ]; then
		echo -
		return
	fi
	read -r _ failed _ <"$2/summary"
	awk -F'\t' -v collection="${3:+$3:}" -v failed="$failed" -v foreign="$foreign" '
		$1 == "F" { blamed++ }
		$1 ~ /^[PFS]$/ && index($2, collection) == 1 { n[$1]++ }
		END {
			if (n["F"])
				print n["F"] " FAILED" foreign
			else if (failed && !blamed)
				print "FAILED" foreign
			else
				print n["P"] ? n["P"] (n["S"] ? ", " n["S"] " skipped" : "") foreign : "-"
		}' "$2/records"
}

row()
{
	local own=$out/log dbg=$build/$arch-debug/log date native compat base debug debug_base

	native=$(cell test "$own" namespaces)
	compat=$(cell test "$own" namespaces32)
	base=$(cell base "$own/base")
	debug=$(cell test "$dbg")
	debug_base=$(cell base "$dbg/base")
	date=$(sed -n 's/^date=//p' "$own/run" 2>/dev/null) || :
	# What there is nothing of is no gap.
	[ -n "$compat_cc" ] || compat=none
	grep -q -E "^# arches (.* )?$arch( |$)" "$base_results" || base=none debug_base=none
	case $native,$compat,$base,$debug,$debug_base in
	*FAILED*|*,-*|-*)	rc=$EX_FAIL ;;
	esac
	[ "$debug_base" = none ] || [ "$debug" = - ] || debug+=" + $debug_base"
	# shellcheck disable=SC2059
	printf "$format" "$arch" "$native" "$compat" "$base" "$debug" "${date:--}"
}

format='%-10s %-20s %-20s %-20s %-24s %s\n' rc=0 table=${1:-}
[ -z "$table" ] || format='| %s | %s | %s | %s | %s | %s |\n'
variant=
tree=$(kgit rev-parse -q --verify 'HEAD^{tree}') ||
	die $EX_BUILD "build/linux is not there: \`make tree\` first"
[ -f "$base_results" ] ||
	die $EX_BUILD "$base_results is not there: git checkout it, or scripts/base-selftests.sh record"

# shellcheck disable=SC2059
printf "$format" architecture tests '32-bit programs' "base's tests" 'debug kernel' date
[ -z "$table" ] || echo '|---|---|---|---|---|---|'
for a in $(arch_list); do
	arch_load "$a"
	row
done
[ -z "$table" ] || exit "$rc"
