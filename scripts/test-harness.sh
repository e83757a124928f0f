#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the harness itself. Defects are planted in recordings of a good boot
# (scripts/testdata/), and report.sh must turn red with the right code; the good
# one must be green. Takes a second and needs no kernel.
#
# test-harness.sh --boot ARCH: the same with real boots of what is built, where init
# misbehaves on purpose (PLANT=).

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

data=$top/scripts/testdata
nonce=00c0ffee00c0ffee
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 bad=0

# The good recording, to plant something in: $ktap, $console and $run.
fresh()
{
	log=$work/$((count + 1))
	mkdir -p "$log"
	ktap=$log/report.ktap console=$log/console.log run=$log/run
	cp "$data/good.ktap" "$ktap"
	sed 's/$/\r/' "$data/good.console" >"$console"
	printf '%s\n' arch=recorded mode=test nonce=$nonce status=exit=0 seconds=1 >"$run"
	echo 'qemu-system-none -M none' >"$log/qemu-cmd"
}

# The same as a recording of the base's own tests, and in $record what the base gave
fresh_base()
{
	fresh
	sed -i 's/^mode=.*/mode=base/' "$run"
	record=$log/record
	export BASE_RESULTS=$record
	cat >"$record" <<-END
		# base 6.18.0
		* pass namespaces:one_test
		* pass namespaces:one_test:global.first
		* pass namespaces:one_test:global.second
		* pass namespaces:two_test
		* pass namespaces:two_test:fixture.variant.third
		recorded pass namespaces32:one_test
		other fail namespaces32:one_test
		* pass namespaces32:one_test:global.first
		* pass namespaces32:one_test:global.second
	END
}

# Its second program fails, with a message.
plant_failure()
{
	sed -i 's/^  ok 1 fixture/  # two_test.c:9: Expected 1 == 2\n  not ok 1 fixture/
		s/^ok 2 .*/not ok 2 namespaces:two_test # exit=1/' "$ktap"
}

# check CODE "passed failed skipped" REGEX WHAT: REGEX is for report.sh's output
check()
{
	local want=$1 sum=$2 regex=$3 what=$4 rc=0 why=

	count=$((count + 1))
	"$top/scripts/report.sh" "$log" >"$log/out" 2>&1 || rc=$?
	[ $rc = "$want" ] || why="code $rc instead of $want"
	[ -z "$sum" ] || [ "$(cat "$log/summary" 2>/dev/null)" = "$sum" ] ||
		why+=" counted '$(cat "$log/summary" 2>/dev/null)' instead of '$sum'"
	grep -q -E -e "$regex" "$log/out" || why+=" no /$regex/ in the output"
	[ "$rc" = 0 ] || [ "$rc" = $EX_BUILD ] || grep -q -x 'qemu-system-none -M none' "$log/out" ||
		why+=" no qemu command in the output"
	[ -n "$why" ] || return 0
	bad=$((bad + 1))
	echo "not ok: $what:$why"
	sed 's/^/  | /' "$log/out"
}

recorded()
{
	local line

	fresh
	check $EX_PASS '5 0 0' 'recorded: PASS' 'a good recording'

	# The console
	while read -r line; do
		fresh
		sed -i "6i [    1.800000] $line"$'\r' "$console"
		check $EX_SPLAT '5 1 0' 'recorded: SPLAT' "on the console: $line"
	done < <(grep -v '^#' "$data/splats")

	# Where allocations are made to fail, vmalloc() says so, at length.
	fresh
	sed -i '6i x: vmalloc error: size 1, vm_struct allocation failed\nCall trace:\nMem-Info:' "$console"
	check $EX_SPLAT '5 1 0' 'SPLAT: Call trace' 'an allocation that fails'
	echo variant=debug >>"$run"
	check $EX_PASS '5 0 0' 'PASS' 'an allocation that fails, with DEBUG=1'
	sed -i '9i WARNING: CPU: 0' "$console"
	check $EX_SPLAT '5 1 0' 'SPLAT: WARNING' 'a warning after that'
	fresh
	sed -i '/init: end/,$d' "$console"
	printf '%s\r\n' '[    2.0] Kernel panic - not syncing: Attempted to kill init!' >>"$console"
	sed -i '/^# namespaces:two_test/,$d' "$ktap"
	check $EX_SPLAT '2 1 0' 'Kernel panic' 'a panic, which -no-reboot turns into status 0'

	fresh
	: >"$console"
	check $EX_LOST '5 1 0' 'console' 'an empty console'
	fresh
	sed -i '/init: end/d' "$console"
	check $EX_LOST '5 1 0' 'console' 'a console that stopped early'

	# How the guest ends
	fresh
	sed -i '/^  ok 1 fixture/,$d' "$ktap"
	check $EX_LOST '2 1 0' 'namespaces:two_test was running' 'power-off in the middle, status 0'
	fresh
	sed -i '/^# end/d' "$ktap"
	check $EX_LOST '5 1 0' 'no end line' 'no end line'
	fresh
	sed -i 's/^# end .*/# end 1111111111111111/' "$ktap"
	check $EX_LOST '5 1 0' 'nonce 1111111111111111' 'the end line of another boot'
	fresh
	sed -i 's/^# end .*/# end/' "$ktap"
	check $EX_LOST '5 1 0' 'LOST' 'an end line without a nonce'
	fresh
	: >"$ktap"
	check $EX_LOST '0 1 0' 'LOST' 'an empty report'
	fresh
	sed -i 's/^status=.*/status=exit=1/' "$run"
	check $EX_LOST '5 1 0' 'qemu: exit=1' 'qemu failed'
	fresh
	sed -i '/^status=/d' "$run"
	check $EX_LOST '5 1 0' 'qemu: unknown' 'nobody knows how qemu ended'
	fresh
	sed -i 's/^status=.*/status=timeout: neither console nor report grew/' "$run"
	sed -i '/^  ok 1 fixture/,$d' "$ktap"
	check $EX_TIMEOUT '2 1 0' 'neither console nor report' 'a hang'
	fresh
	sed -i 's/^status=.*/status=timeout: still running/' "$run"
	check $EX_TIMEOUT '5 1 0' 'still running' 'a time-out after the end line'
	fresh
	sed -i 's/^status=.*/status=timeout: quiet/' "$run"
	sed -i "6i INFO: task x:7 blocked for more than 120 seconds." "$console"
	check $EX_SPLAT '5 1 0' 'blocked for more' 'a hang with a cause'

	# Health
	fresh
	sed -i 's/^# health ok/# health: the kernel is tainted: 512/' "$ktap"
	check $EX_SPLAT '5 1 0' 'tainted: 512' 'a tainted kernel'
	fresh
	sed -i '/^# health ok/d' "$ktap"
	check $EX_SPLAT '5 1 0' 'no health line' 'no health line'

	# The results
	fresh
	plant_failure
	check $EX_FAIL '4 1 0' 'Expected 1 == 2' 'a failing test, with its message'
	check $EX_FAIL '4 1 0' '^not ok namespaces:two_test:fixture.variant.third' 'its name'
	fresh
	sed -i 's/^  ok 1 fixture/  not ok 1 fixture/' "$ktap"
	check $EX_FAIL '4 1 0' 'not ok namespaces:two_test:' 'a failed case in a program that is ok'
	fresh
	sed -i 's/^ok 2 .*/not ok 2 namespaces:two_test # signal=11 (Segmentation fault)/' "$ktap"
	check $EX_FAIL '5 1 0' 'signal=11' 'a program that crashes after its cases'
	fresh
	sed -i '/^  ok 1 fixture/d
		s/^ok 2 .*/not ok 2 namespaces:two_test # TIMEOUT 45 seconds/' "$ktap"
	check $EX_FAIL '4 1 0' 'TIMEOUT 45' 'a program that hangs'
	fresh
	sed -i '0,/^  ok 2 global.second/{/^  ok 2 global.second/d}' "$ktap"
	check $EX_FAIL '4 1 0' '1 results of 2 planned' 'a program with fewer cases than planned'
	fresh
	sed -i '/^  1\.\.1/d' "$ktap"
	check $EX_FAIL '5 1 0' 'no plan' 'a program without a plan'
	fresh
	sed -i '/^  1\.\.1/d; /^  ok 1 fixture/d' "$ktap"
	check $EX_FAIL '4 1 0' 'not ok namespaces:two_test' 'a program without a case'
	fresh
	sed -i '/^# namespaces32/,/^ok 3/d' "$ktap"
	check $EX_FAIL '3 1 0' '2 results of 3 planned' 'fewer programs than planned'
	fresh
	sed -i '/^1\.\.3/d' "$ktap"
	check $EX_FAIL '5 1 0' 'no plan' 'a report without a plan'
	fresh
	sed -i '/^# namespaces:/,/^ok 3/d; s/^1\.\.3/1..0/' "$ktap"
	check $EX_FAIL '0 1 0' '0 results of 0 planned' 'a plan of nothing'
	fresh
	sed -i '1d' "$ktap"
	check $EX_FAIL '' 'malformed' 'a report without its head'
	fresh
	sed -i 's/^ok 3/ok 4/' "$ktap"
	check $EX_FAIL '5 1 0' 'another number' 'results out of order'
	fresh
	echo 'ok 4 namespaces:late' >>"$ktap"
	check $EX_FAIL '5 1 0' 'after the end line' 'something after the end'

	# Skips
	fresh
	sed -i 's/^  ok 1 fixture.*/& # SKIP no listns/' "$ktap"
	check $EX_FAIL '4 1 0' 'not ok .*third.*allowed-skips.*no listns' 'a case that may not be skipped'
	fresh
	sed -i '/^  1\.\.1/d; /^  ok 1 fixture/d; s/^ok 2.*/& # SKIP no NS_GET_ID/' "$ktap"
	check $EX_FAIL '4 1 0' 'not ok namespaces:two_test.*NS_GET_ID' 'a program that may not be skipped'
	echo 'namespaces:two_test:fixture.variant.third because' >"$work/skips"
	fresh
	sed -i 's/^  ok 1 fixture.*/& # SKIP not here/' "$ktap"
	ALLOWED_SKIPS=$work/skips check $EX_PASS '4 0 1' 'skipped: .*third: not here' 'a skip that is allowed'
	sed -i 's/^/!/' "$work/skips"
	ALLOWED_SKIPS=$work/skips check $EX_PASS '4 0 1' 'skipped: .*third: not here' 'a skip that is allowed without DEBUG=1'
	echo variant=debug >>"$run"
	ALLOWED_SKIPS=$work/skips check $EX_FAIL '4 1 0' 'third.*allowed-skips' 'the same skip with DEBUG=1'

	# The base's own tests
	fresh_base
	check $EX_PASS '8 0 0' ' 0 do not pass on the base' 'results as recorded of the base'
	fresh_base
	plant_failure
	check $EX_FAIL '6 2 0' 'not ok .*third .*the base passes it: fail' 'a failure where the base passes'
	check $EX_FAIL '6 2 0' 'Expected 1 == 2' 'its message'
	fresh_base
	sed -i 's/^  ok 1 fixture.*/& # SKIP not here/' "$ktap"
	check $EX_FAIL '7 1 0' 'not ok .*third .*the base passes it: skip' 'a skip where the base passes'
	fresh_base
	sed -i '/^  ok 1 fixture/d' "$ktap"
	check $EX_FAIL '7 1 0' 'not ok .*third .*lost' 'a lost case'
	fresh_base
	sed -i '/^# namespaces32/,/^ok 3/d; s/^1\.\.3/1..2/' "$ktap"
	check $EX_FAIL '5 3 0' 'not ok namespaces32:one_test .*lost' 'a lost program'
	fresh_base
	sed -i '/^  1\.\.1/d; /^  ok 1 fixture/d; s/^ok 2 .*/not ok 2 namespaces:two_test # signal=11/' "$ktap"
	sed -i '/third$/d' "$record"
	check $EX_FAIL '6 1 0' 'not ok namespaces:two_test .*signal=11' 'a program without TAP that crashes'
	fresh_base
	plant_failure
	sed -i '/two_test/s/pass/fail/' "$record"
	check $EX_PASS '6 0 0' ' 2 do not pass on the base' 'a failure of the base itself'
	fresh_base
	sed -i '/two_test/s/pass/fail/' "$record"
	check $EX_PASS '6 0 0' 'changed: .*third: fail on the base, pass here' 'a test that passes now'
	fresh_base
	plant_failure
	sed -i '/two_test/s/pass/flaky/' "$record"
	check $EX_PASS '6 0 0' ' 2 do not pass' 'a failure of a flaky test'
	fresh_base
	plant_failure
	sed -i '/two_test/s/pass/skip/' "$record"
	check $EX_FAIL '6 2 0' 'not ok .*third .*the base skips it' 'a failure where the base skips'
	fresh_base
	plant_failure
	sed -i '/third$/d' "$record"
	check $EX_FAIL '6 2 0' 'not ok .*third .*not in the record' 'a failure that nothing is recorded of'
	fresh_base
	: >"$record"
	check $EX_FAIL '0 1 0' 'nothing was tested' 'an empty record'
	fresh_base
	rm "$record"
	check $EX_BUILD '' 'base-selftests.sh record' 'no record'
	fresh_base
	sed -i '/^# namespaces:two/,/^ok 3/d; s/^1\.\.3/1..1/' "$ktap"
	echo test=namespaces:one_test >>"$run"
	check $EX_PASS '3 0 0' 'PASS' 'one program only, as asked for'
	fresh_base
	sed -i "6i WARNING: CPU: 0" "$console"
	check $EX_SPLAT '8 1 0' 'SPLAT' 'a splat under the tests of the base'
	unset BASE_RESULTS

	# What report.sh is given
	fresh
	sed -i '/^nonce=/d' "$run"
	count=$((count + 1))
	"$top/scripts/report.sh" "$log" >"$log/out" 2>&1 && {
		bad=$((bad + 1))
		echo "not ok: a log without a nonce passes"
	}
	return 0
}

# boot PLANT CODE REGEX
boot()
{
	local rc=0

	count=$((count + 1))
	say "planted: $1"
	PLANT=$1 LOGDIR=$out/log/planted-$1 QUIET_TIMEOUT=60 \
		"$top/scripts/boot.sh" test "$arch" >"$work/out" 2>&1 || rc=$?
	if [ $rc != "$2" ] || ! grep -q -E "$3" "$work/out"; then
		bad=$((bad + 1))
		echo "not ok: planted $1: code $rc instead of $2, or no /$3/ in the output"
		sed 's/^/  | /' "$work/out"
	fi
}

case ${1:-} in
'')
	recorded
	;;
--boot)
	arch_load "${2:?usage: test-harness.sh [--boot ARCH]}"
	boot panic $EX_SPLAT 'Attempted to kill init'
	boot warn $EX_SPLAT 'WARNING: .*planted'
	boot sick $EX_SPLAT 'SICK: planted'
	boot hang $EX_TIMEOUT 'neither console nor report grew'
	boot poweroff $EX_LOST 'no end line'
	boot fail $EX_FAIL 'not ok planted'
	;;
*)
	die 2 "usage: test-harness.sh [--boot ARCH]"
	;;
esac
[ $bad = 0 ] || die $EX_FAIL "$bad of $count tests of the harness failed"
say "harness: $count tests passed"
