#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bases.sh [--record]: the releases that the series is known to fit (configs/bases), and
# whether their source is at hand: in the cache, by KSRC=, or from Debian.
#
# --record applies the series to all that are at hand, and notes today's date for those
# that it fits; and for the base of build/linux, the architectures on which the selftests
# have passed on what is there now.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# The source without the network
at_hand()
{
	if [ -n "$(pinned 3 "$1")" ] && [ ! -e "$cache/linux-$1.tar.xz" ]; then
		echo 'from Debian'
	elif base_source "$1" >/dev/null 2>&1; then
		echo yes
	else
		echo no
	fi
}

# booted VERSION: "arch,arch,date" of the boots of build/linux as it is, if it is that
booted()
{
	[ "$(source_version "$linux")" = "$1" ] || return 0
	arch_list | xargs -n 1 | judge archs "$(kgit rev-parse 'HEAD^{tree}')" --booted
}

case ${1:-} in
'')
	printf '%-9s %-12s %-11s %-28s %s\n' release 'at hand' applied booted source
	grep -v '^#' "$bases" | while read -r v applied boots source; do
		[ -z "$v" ] || printf '%-9s %-12s %-11s %-28s %s\n' "$v" "$(at_hand "$v")" "$applied" "$boots" "$source"
	done
	;;
--record)
	dir=$build/bases
	mkdir -p "$dir"
	while IFS= read -r line; do
		read -r v applied boots source <<<"$line"
		if [[ $line != '#'* && -n $v ]]; then
			if src=$(base_source "$v" 2>"$dir/log"); then
				small_base "$src" "$dir/$v"
				if KSRC='' "$top/scripts/am.sh" "$dir/$v" >"$dir/log" 2>&1; then
					applied=$(date +%F)
				else
					applied=FAILED
				fi
			fi
			say "$v: $(tail -n 1 "$dir/log")" >&2
			now=$(booted "$v")
			line=$(printf '%s\t%s\t%s\t%s' "$v" "$applied" "${now:-$boots}" "$source")
		fi
		printf '%s\n' "$line"
	done <"$bases" >"$dir/new"
	cp "$dir/new" "$bases"
	! grep -P '\tFAILED\t' "$bases" || die $EX_FAIL "the series does not fit these, see above"
	;;
*)
	die 2 "usage: bases.sh [--record]"
	;;
esac
