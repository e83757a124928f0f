#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The selftests that the base itself has: configs/base-selftests says which.
#
#	base-selftests.sh build ARCH	into build/ARCH/base-selftests, for `boot.sh base`;
#					after build.sh ARCH, whose headers they need
#	base-selftests.sh record	boot the base's kernel with them on each of ARCHES,
#					RUNS times (3), and write what they gave to
#					configs/base-selftests.results

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# The base's own sources, whatever the series makes of them
unpack_tests()
{
	rm -rf "$src"
	mkdir -p "$src"
	kgit archive base tools/testing/selftests tools/include tools/arch tools/scripts \
		scripts/subarch.include | tar -x -C "$src" || return
}

# install_tests COLLECTIONS: static, like ours. clone3 and statmount link libcap, of
# which scripts/guest/libcap has what they need.
install_tests()
{
	rm -rf "${dest:?}" "${objects:?}"
	mkdir -p "$objects"
	ar rc "$objects/libcap.a" || return
	make -C "$src/tools/testing/selftests" O="$out/obj" BUILD="$objects" \
		ARCH="$karch" CROSS_COMPILE="$cross" \
		CC="$ccache${cross}gcc -isystem $top/scripts/guest/libcap" \
		USERLDFLAGS="-static -L$objects" TARGETS="$1" FORCE_TARGETS=1 \
		INSTALL_PATH="$dest" -j"$jobs" install
}

# kselftest-list.txt without what is left out, and with what init has to know
edit_list()
{
	awk '
		NR == FNR { is[$1, $2] = $3; next }
		!(("without", $0) in is) { print $0, is["results", $0] + 0, is["argument", $0] }' "$base_tests" "$dest/kselftest-list.txt" >"$dest/list"
	mv "$dest/list" "$dest/kselftest-list.txt"
}

build()
{
	local inputs collections src=$build/base/selftests objects log=$out/log/base-selftests.log

	dest=$out/base-selftests
	objects=$out/obj/base-selftests
	[ -d "$out/obj/usr/include/linux" ] ||
		die $EX_BUILD "no headers in $out/obj/usr/include: run scripts/build.sh $arch"
	inputs=$(cat "$0" "$base_tests" "$top"/scripts/guest/libcap/*/* - <<<"$(
		kgit rev-parse base; "${cross}gcc" --version
		find "$out/obj/usr/include" -name '*.h' | LC_ALL=C sort | xargs sha256sum)" | sha256sum)
	[ "$(cat "$dest/.inputs" 2>/dev/null)" != "$inputs" ] || return 0

	# All architectures take the source from one place.
	mkdir -p "$src"
	exec {lock}>"$src.lock"
	flock "$lock"
	collections=$(sed -n 's/^collection //p' "$base_tests" | tr '\n' ' ')
	run_logged "$log" "$arch: the base's selftests, source" unpack_tests ||
		die $EX_BUILD "the base's selftests cannot be unpacked: see $log"
	run_logged "$log" "$arch: the base's selftests" install_tests "$collections" ||
		die $EX_BUILD "the base's selftests for $arch do not build: see $log"
	edit_list
	echo "$inputs" >"$dest/.inputs"
	exec {lock}>&-
}

# What ARCH gave in all its runs, "result name"; flaky is what was not always the same
merge_runs()
{
	awk -F'\t' -v runs="$runs" '
		NR == FNR { if (/^flaky /) flaky[substr($0, 7)]; next }
		n[$2]++ && is[$2] != $1 { flaky[$2] }
		{ is[$2] = $1 }
		END {
			for (t in n)
				print n[t] == runs && !(t in flaky) ? is[t] : "flaky", t
		}' "$base_tests" "$@"
}

# What holds on all of ARCHES is one line
merge_arches()
{
	awk -v arches="$ARCHES" '
		{
			arch = FILENAME
			sub(/.*\//, "", arch)
			result = $1
			sub(/^[a-z]+ /, "")
			is[$0, arch] = result
			names[$0]
		}
		END {
			n = split(arches, a, " ")
			for (t in names) {
				same = 1
				for (i = 2; i <= n; i++)
					same = same && is[t, a[i]] == is[t, a[1]]
				for (i = 1; i <= (same ? 1 : n); i++)
					if (is[t, a[i]] != "")
						print t "\t" (same ? "*" : a[i]) " " is[t, a[i]] " " t
			}
		}' "$@" | LC_ALL=C sort | cut -f2
}

record()
{
	local runs=${RUNS:-3} run logs rc

	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for arch in ${ARCHES:=$(default_arches)}; do
		arch_load "$arch"
		build_env
		"$top/scripts/build.sh" "$arch"
		"$top/scripts/build.sh" --base "$arch"
		build
		logs=()
		for ((run = 1; run <= runs; run++)); do
			rc=0
			logs+=("$out_base/log/base-selftests-$run/results")
			KERNEL=$out_base/kernel.img LOGDIR=${logs[-1]%/*} BASE_RESULTS=/dev/null \
				"$top/scripts/boot.sh" base "$arch" >"$work/log" || rc=$?
			tail -n 1 "$work/log"
			# Not as recorded is what is expected here, and no more than that.
			[ $rc = 0 ] || [ $rc = $EX_FAIL ] || { cat "$work/log"; exit $rc; }
		done
		merge_runs "${logs[@]}" >"$work/$arch"
	done
	# shellcheck disable=SC2086	# words
	{
		echo "# base $(kgit show base:Makefile | head -n 5 | awk -v ORS= '/^[A-Z]+LEVEL|^VERSION/ { print s $3; s = "." }')"
		echo "# arches $ARCHES"
		echo "# What the base's kernel gave, $runs boots each: architecture, result, test."
		echo "# Written by scripts/base-selftests.sh record."
		(cd "$work" && merge_arches $ARCHES)
	} >"$work/all"
	mv "$work/all" "$base_results"
	say "$base_results: $(grep -vc '^#' "$base_results") lines"
}

case ${1:-} in
build)
	arch_load "${2:?usage: base-selftests.sh build ARCH}"
	build_env
	build
	;;
record)
	record
	;;
*)
	die 2 "usage: base-selftests.sh build ARCH | [ARCHES=...] [RUNS=n] base-selftests.sh record"
	;;
esac
