#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--no-build]: build, boot and judge each of ARCHES; first of all, the
# harness itself. Goes on after a red architecture; the exit code is that of the
# first one. The last line is the sum: N passed, N failed, N skipped.
#
#	ARCHES="..."		which; all of configs/arch by default
#	TEST=program[:case]	one program only
#	DEBUG=1			with configs/debug.config, in build/ARCH-debug

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

passed=0 failed=0 skipped=0 code=$EX_PASS
lines=()

# one ARCH: returns its code, and leaves the numbers in $out/log/summary
one()
{
	rm -f "$out/log/summary"
	if [ "$build_first" = 1 ]; then
		"$top/scripts/build.sh" "$arch" || return
	fi
	"$top/scripts/boot.sh" test "$arch"
}

build_first=1
case ${1:-} in
'')		;;
--no-build)	build_first=0 ;;
*)		die 2 "usage: [ARCHES=...] [TEST=...] test.sh [--no-build]" ;;
esac
for arch in ${ARCHES:=$(arch_list)}; do
	arch_load "$arch"
done

"$top/scripts/test-harness.sh" || {
	echo "0 passed, 1 failed, 0 skipped"
	exit "$EX_FAIL"
}

for arch in $ARCHES; do
	rc=0 p=0 f=0 s=0
	arch_load "$arch"
	one || rc=$?
	if [ -s "$out/log/summary" ]; then
		read -r p f s <"$out/log/summary"
	elif [ $rc = 0 ]; then
		rc=$EX_LOST
	fi
	# Whatever is red is a failure in the sum, too.
	[ $rc = 0 ] || [ "$f" != 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ "$code" != 0 ] || code=$rc
	lines+=("$arch: $p passed, $f failed, $s skipped, code $rc")
done

echo
printf '%s\n' "${lines[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$code"
