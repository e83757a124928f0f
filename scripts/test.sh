#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--no-build]: build, boot and judge each of ARCHES; first of all, the
# harness itself. There are two boots: the selftests of the series, and those that the
# base had (configs/base-selftests). Goes on after a red one; the exit code is that of
# the first. The last line is the sum: N passed, N failed, N skipped.
#
#	ARCHES="..."		which; those of configs/arch with by_default=yes, if not given
#	TEST=program[:case]	one program of the series only
#	DEBUG=1			with configs/debug.config, in build/ARCH-debug
#	STRICT=1		red without the 32-bit programs that could be built, and without
#				the record of the base's selftests

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

passed=0 failed=0 skipped=0 code=$EX_PASS
lines=()

# one MODE: returns its code, and leaves the numbers in $log/summary
one()
{
	if [ "$build_first" = 1 ]; then
		if [ "$1" = test ]; then
			"$top/scripts/build.sh" "$arch" || return
		else
			"$top/scripts/base-selftests.sh" build "$arch" || return
		fi
	fi
	LOGDIR=$log "$top/scripts/boot.sh" "$1" "$arch"
}

# Whether what the base's selftests give can be compared with the record
base_fits()
{
	local have want

	missing_base=
	[ -z "${TEST:-}" ] || return 1
	if [ ! -f "$base_results" ]; then
		missing_base="nothing is recorded"
	else
		have=$(source_version "$linux")
		want=$(sed -n 's/^# base //p' "$base_results")
		[ "$have" = "$want" ] || missing_base="what is recorded is of $want, and this base is $have"
	fi
	if [ -n "$missing_base" ]; then
		say "note: without the base's selftests: $missing_base; see scripts/base-selftests.sh"
		return 1
	fi
	! grep -q -w "^# arches .*$arch" "$base_results" || return 0
	say "note: without the base's selftests: nothing is recorded on $arch, see scripts/base-selftests.sh"
	return 1
}

# without WHAT WHY: a boot lacks it
without()
{
	what+=", without $1"
	[ $rc = 0 ] && [ "${STRICT:-0}" != 0 ] || return 0
	say "$arch: STRICT=1, and $2"
	rc=$EX_FAIL
}

build_first=1
case ${1:-} in
'')		;;
--no-build)	build_first=0 ;;
*)		die 2 "usage: [ARCHES=...] [TEST=...] test.sh [--no-build]" ;;
esac
for arch in ${ARCHES:=$(default_arches)}; do
	arch_load "$arch"
done
[[ $ARCHES == *[![:space:]]* ]] || die 2 "ARCHES names no architecture: one or more of $(arch_list)"

"$top/scripts/test-harness.sh" || {
	echo "0 passed, 1 failed, 0 skipped"
	exit "$EX_FAIL"
}

for arch in $ARCHES; do
	arch_load "$arch"
	modes='test'
	! base_fits || modes='test base'
	logs=$out/log${TEST:+/one}
	# Those of an earlier run, but not under the hands of another one.
	mkdir -p "$logs"
	flock -n "$out/.lock" rm -f "$logs/summary" "$logs/base/summary" || :
	for mode in $modes; do
		rc=0 p=0 f=0 s=0 what=
		log=$logs
		[ "$mode" = test ] || what=", the base's tests" log=$logs/base
		one "$mode" || rc=$?
		# Some of the base's tests wait for a fixed time only, and so fail on the
		# base's kernel, too, when the host is busy. One boot of three has to give
		# all that is recorded. The series' own tests have one boot.
		for ((try = 2; rc == EX_FAIL && try <= 3; try++)); do
			[ "$mode" = base ] || break
			mkdir -p "$log/boot-$((try - 1))"
			cp "$log"/{report.ktap,console.log,records} "$log/boot-$((try - 1))"
			what+=", boot $try after $(awk -F'\t' '$1 == "F" { print $2 }' "$log/records" | xargs)"
			say "$arch$what"
			rc=0
			one "$mode" || rc=$?
		done
		[ $rc -lt 128 ] || die $rc "$arch$what: interrupted (code $rc), and nothing more is run"
		if [ $rc != $EX_BUILD ] && [ -s "$log/summary" ]; then
			read -r p f s <"$log/summary"
		elif [ $rc = 0 ]; then
			rc=$EX_LOST
		fi
		if [ "$mode" = test ] && [ -n "$compat_cc" ] && [ -e "$out/no-selftests32" ]; then
			without "32-bit programs" \
				"no 32-bit programs: run \`make deps\` as root, it installs ${packages_optional[*]}"
		fi
		[ -z "$missing_base" ] || without "the base's tests" "the base's tests cannot be compared: $missing_base"
		for v in "${by_hand[@]}"; do
			[ -z "${!v:-}" ] || what+=", with $v=${!v}"
		done
		# Whatever is red is a failure in the sum, too.
		[ $rc = 0 ] || [ "$f" != 0 ] || f=1
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		[ "$code" != 0 ] || code=$rc
		lines+=("$arch$what: $p passed, $f failed, $s skipped, code $rc")
		# Nothing to boot
		[ $rc != $EX_BUILD ] || break
	done
done

echo
printf '%s\n' "${lines[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$code"
