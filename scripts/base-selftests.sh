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

record()
{
	local runs=${RUNS:-3} run logs=() rc

	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for arch in ${ARCHES:=$(default_arches)}; do
		arch_load "$arch"
		build_env
		"$top/scripts/build.sh" "$arch"
		"$top/scripts/build.sh" --base "$arch"
		build
		for ((run = 1; run <= runs; run++)); do
			rc=0
			logs+=("$arch=$out_base/log/base-selftests-$run")
			KERNEL=$out_base/kernel.img LOGDIR=${logs[-1]#*=} BASE_RESULTS=/dev/null \
				"$top/scripts/boot.sh" base "$arch" >"$work/log" || rc=$?
			tail -n 1 "$work/log"
			# Not as recorded is what is expected here, and no more than that.
			[ $rc = 0 ] || [ $rc = $EX_FAIL ] || { cat "$work/log"; exit $rc; }
		done
	done
	{
		echo "# base $(kgit show base:Makefile | head -n 5 | awk -v ORS= '/^[A-Z]+LEVEL|^VERSION/ { print s $3; s = "." }')"
		echo "# arches $ARCHES"
		echo "# What the base's kernel gave, $runs boots each: architecture, result, test."
		echo "# Written by scripts/base-selftests.sh record."
		judge merge "$base_tests" "${logs[@]}"
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
