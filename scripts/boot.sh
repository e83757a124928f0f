#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boot what build.sh built, in qemu, with an initramfs of our own.
#
#	boot.sh test ARCH	the kselftests; TEST=[collection:]program[:case] for one
#	boot.sh base ARCH	the base's own selftests (base-selftests.sh)
#	boot.sh soak ARCH	TEST=... COUNT=n times (100), up to the first failure
#	boot.sh run ARCH	list the namespaces of the running guest
#	boot.sh shell ARCH	a prompt in the guest
#	boot.sh bench ARCH	scripts/guest/bench.c under -icount (see bench.sh)
#
# All but shell and bench end in report.sh, whose verdict is the exit code.
#
#	KERNEL=path		boot this image, not build/ARCH/kernel.img
#	LOGDIR=path		logs go there, not to build/ARCH/log (all tests),
#				log/one (TEST=), log/list (run) or log/MODE
#	SMP=n MEMORY=size	CPUs (2, if the architecture can) and memory
#	ACCEL=kvm		not -accel tcg
#	APPEND=words		more for the kernel command line
#	BOOT_TIMEOUT=seconds	for the whole boot, before time_factor (600)
#	QUIET_TIMEOUT=seconds	without a byte on console and report (120)
#	PLUGIN=path,argument	bench: a TCG plugin for qemu
#	RESUME=1		not again what was booted already and passed
#	FAIL_FAST=1		test: end it with the first failure
#	PLANT=defect		see test-harness.sh

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

guest=$top/scripts/guest

# Static, so that the guest needs nothing else.
compile()
{
	local prog=$1 src=$2

	shift 2
	[ "$out/guest/$prog" -nt "$src" ] && [ "$out/guest/$prog" -nt "$linux/$mirror/listns.h" ] && return
	"${cross}gcc" -static -O2 -Wall -o "$out/guest/$prog" "$@" "$src" >"$out/log/guest-cc" 2>&1 ||
		die $EX_BUILD "${cross}gcc cannot build $src: $(cat "$out/log/guest-cc")" \
		    "(is \`make deps\` done, and build.sh $arch?)"
}

# The busybox-static of that architecture: the host's own, or out of Debian's
# package by way of a private apt, which leaves the machine's configuration alone.
get_busybox()
{
	local debarch apt=$cache/apt-busybox/$arch dest=$cache/busybox-$arch

	debarch=$(dpkg-architecture -t"$("${cross}gcc" -dumpmachine)" -qDEB_HOST_ARCH 2>/dev/null) ||
		die $EX_BUILD "dpkg-architecture does not know ${cross}gcc -dumpmachine: apt-get install dpkg-dev"
	if [ "$debarch" = "$(dpkg --print-architecture)" ] && [ -x /bin/busybox ] &&
	   ! ldd /bin/busybox >/dev/null 2>&1; then
		cp /bin/busybox "$1"
		return
	fi
	if [ ! -x "$dest" ]; then
		say "fetching busybox-static for $debarch"
		mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,deb}
		(
			opts=(-o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache"
			      -o "Dir::State::status=/dev/null"
			      -o "APT::Architecture=$debarch" -o "APT::Architectures=$debarch"
			      -o APT::Sandbox::User=root)
			cd "$apt/deb"
			rm -f ./*.deb
			apt-get "${opts[@]}" -q update
			apt-get "${opts[@]}" -q download busybox-static
			dpkg-deb -x busybox-static_*.deb .
			cp bin/busybox "$dest"
		) >"$out/log/busybox" 2>&1 ||
			die $EX_BUILD "no busybox-static for $debarch (log: $out/log/busybox): is there network?" \
			    "Or put a static busybox at $dest."
	fi
	cp "$dest" "$1"
}

# selected COLLECTION PROGRAM: whether TEST= means it, too
selected()
{
	case ${TEST:-$2} in
	"$2"|"$2":*|"$1:$2"|"$1:$2":*) ;;
	*) return 1 ;;
	esac
}

# kselftest-list.txt becomes init's list (scripts/guest/init.c, LIST). The 32-bit set
# gets a collection name of its own.
add_selftests()
{
	local dir=$1 suffix=$2 collection prog rest

	[ -s "$dir/kselftest-list.txt" ] || return 0
	cp -r "$dir" "$root/selftests$suffix"
	while IFS=': ' read -r collection prog rest; do
		[ -x "$dir/$collection/$prog" ] ||
			die $EX_BUILD "$dir/$collection/$prog is listed but not there: run scripts/build.sh $arch"
		if selected "$collection$suffix" "$prog"; then
			"${cross}strip" -s "$root/selftests$suffix/$collection/$prog" 2>/dev/null || :
		else
			# To have it on the list is enough.
			rm -f "$root/selftests$suffix/$collection/$prog"
		fi
		echo "$collection$suffix:$prog /selftests$suffix/$collection/$prog $rest"
	done <"$dir/kselftest-list.txt" >>"$root/tests"
}

# Who is given fewer programs than there should be sees all of them pass, too.
check_programs()
{
	[ -s "$out/selftests/kselftest-list.txt" ] ||
		die $EX_BUILD "no selftests in $out/selftests: run scripts/build.sh $arch"
	[ -z "$compat_cc" ] || [ -s "$out/selftests32/kselftest-list.txt" ] || [ -e "$out/no-selftests32" ] ||
		die $EX_BUILD "no 32-bit selftests in $out/selftests32: run scripts/build.sh $arch"
}

make_initramfs()
{
	root=$out/initramfs
	rm -rf "$root"
	mkdir -p "$root"/{bin,proc,sys,dev,tmp} "$out/guest"

	compile init "$guest/init.c"
	cp "$out/guest/init" "$root/init"
	: >"$root/tests"
	if [ "$mode" = bench ]; then
		compile bench "$guest/bench.c"
		cp "$out/guest/bench" "$root/bench"
	elif [ "$mode" = base ]; then
		# What they take for granted.
		mkdir "$root/mnt"
		ln -s /init "$root/bin/sleep"
		add_selftests "$out/base-selftests" ''
	else
		add_selftests "$out/selftests" ''
		add_selftests "$out/selftests32" 32
	fi
	if [ "$mode" = run ] || [ "$mode" = shell ]; then
		if [ -f "$linux/samples/vfs/list-namespaces.c" ]; then
			compile list-namespaces "$linux/samples/vfs/list-namespaces.c" \
				-I "$out/obj/usr/include"
			cp "$out/guest/list-namespaces" "$root/list-namespaces"
		elif [ "$mode" = run ]; then
			die $EX_BUILD "$linux/samples/vfs/list-namespaces.c is not there:" \
			    "this prefix of the series has no program to run (scripts/tree.sh applies all of it)"
		fi
	fi
	[ "$mode" != shell ] || get_busybox "$root/bin/busybox"
	# Twice the same files give twice the same bytes: to unpack it is work that
	# bench counts.
	find "$root" -exec touch -h -d @0 {} +
	(cd "$root" && find . -print0 | LC_ALL=C sort -z |
		cpio -0 -o -H newc -R 0:0 --reproducible --quiet) | gzip -1n >"$log/initramfs.cpio.gz"
}

# Whether TEST= names anything, before a boot finds out.
check_selection()
{
	local known

	[ -s "$out/initramfs/tests" ] ||
		die $EX_BUILD "no selftests to boot $arch with: run scripts/build.sh $arch, and for mode base" \
		    "scripts/base-selftests.sh build $arch"
	[ -n "${TEST:-}" ] || return 0
	known=$(cut -d' ' -f1 "$out/initramfs/tests")
	while IFS=: read -r collection prog; do
		! selected "$collection" "$prog" || return 0
	done <<<"$known"
	die 2 "TEST=$TEST names none of:" "${known//$'\n'/ }"
}

# The frequency of the host's TSC in kHz, or nothing
host_tsc()
{
	if [ ! "$build/tsc" -nt "$top/scripts/host/tsc.c" ]; then
		gcc -O2 -Wall -o "$build/tsc.$$" "$top/scripts/host/tsc.c" && mv "$build/tsc.$$" "$build/tsc" || return 0
	fi
	"$build/tsc"
}

# Words without dots reach init as environment; the rest is the kernel's.
kernel_command_line()
{
	local stall=$((30 * time_factor)) khz

	# A stall limit for real hardware would fire under emulation. An oops ends
	# the guest: what comes after it says little.
	append="console=$console panic=-1 oops=panic reboot=t ${cmdline:+$cmdline }printk.devkmsg=on"
	append+=" rcupdate.rcu_cpu_stall_timeout=$((stall < 300 ? stall : 300))"
	append+=" loglevel=$loglevel NS_MODE=$mode NS_NONCE=$nonce NS_FACTOR=$time_factor"
	[ -z "${TEST:-}" ] || append+=" NS_TEST=$TEST"
	[ -z "${PLANT:-}" ] || append+=" NS_PLANT=$PLANT"
	[ "$mode" != soak ] || append+=" NS_COUNT=${COUNT:-100}"
	if [ "$mode" = shell ]; then
		append+=" NS_TTY=${console%%,*}"
		[ ! -t 0 ] || append+=" $(stty size | sed 's/\(.*\) \(.*\)/NS_ROWS=\1 NS_COLS=\2/')"
	fi
	if [ -n "$cmdline_tsc" ] && [ "$mode" != bench ]; then
		khz=$(host_tsc)
		append+="${khz:+ $cmdline_tsc=$khz}"
	fi
	if [ "$mode" = bench ]; then
		append+=" norandmaps${cmdline_bench:+ $cmdline_bench}"
	fi
	append+="${APPEND:+ $APPEND}"
}

# A command that people can read, and a shell run.
quoted()
{
	local w line=

	for w; do
		case $w in
		*[!A-Za-z0-9_=,.:/+-]*) w="'${w//\'/\'\\\'\'}'" ;;
		esac
		line+="${line:+ }$w"
	done
	echo "$line"
}

qemu_command()
{
	local accel=${ACCEL:-tcg}

	need "${qemu[0]}" "${packages[*]}"
	cmd=("${qemu[@]}" -accel "$accel" -nodefaults -no-user-config -no-reboot -display none)
	[ "$accel" = tcg ] || cmd+=(-cpu host)
	[ -z "${MEMORY:-}" ] || cmd+=(-m "$MEMORY")
	if [ "$mode" = bench ]; then
		[ -z "${PLUGIN:-}" ] || cmd+=(-plugin "$PLUGIN")
		# One instruction is one nanosecond, and nothing that the guest sees
		# comes from the host.
		cmd+=("${qemu_bench[@]}" -smp 1 -icount 'shift=0,sleep=off' -seed 1
		      -rtc 'base=2025-01-01,clock=vm')
	else
		cmd+=(-smp "${SMP:-$cpus}")
	fi
	if [ "$mode" = shell ]; then
		cmd+=(-serial mon:stdio)
	else
		cmd+=(-chardev "file,id=console,path=$log/console.log" -serial chardev:console)
	fi
	cmd+=(-device "virtio-serial-$virtio"
	      -chardev "file,id=report,path=$log/report.ktap"
	      -device 'virtserialport,chardev=report,name=report'
	      -kernel "$kernel" -initrd "$log/initramfs.cpio.gz" -append "$append")

	{
		echo '#!/bin/sh'
		echo "# $mode $arch: sh $log/qemu-cmd boots the same again;"
		[ "$mode" = shell ] || echo "# the console goes to $log/console.log"
		quoted "${cmd[@]}"
	} >"$log/qemu-cmd"
}

# What decides how the guest behaves; nonce and clock differ from boot to boot.
inputs()
{
	{
		sha256sum <"$kernel"
		sha256sum <"$log/initramfs.cpio.gz"
		"${qemu[0]}" --version
		echo "$lacks"
		sed "s/ NS_NONCE=[^ ]*//; s/ ${cmdline_tsc:-no_tsc}=[^ ]*//" <<<"${cmd[*]}"
	} | sha256sum | cut -d' ' -f1
}

# The old logs are judged anew.
passed_before()
{
	[ "$(sed -n 's/^inputs=//p' "$log/run" 2>/dev/null)" = "$inputs" ] &&
		"$top/scripts/report.sh" "$log" >"$log/again"
}

# What a program of the guest is done, for who waits.
show_progress()
{
	local total

	total=$(grep -c -E '^(not )?ok [0-9]' "$log/report.ktap" || :)
	while [ "$shown" -lt "$total" ]; do
		shown=$((shown + 1))
		[ "$mode" = soak ] && [ $((shown % 10)) != 0 ] && continue
		say "$arch: $(grep -E '^(not )?ok [0-9]' "$log/report.ktap" | sed -n "${shown}p")"
	done
}

# die_of SIGNAL: so that who started this script does not go on either. The guest is
# taken along by the trap on EXIT.
die_of()
{
	trap - "$1"
	kill -s "$1" $$
}

# Wait for qemu, but not for ever. Sets status: exit=N, timeout, or quiet.
watch()
{
	local limit=$((${BOOT_TIMEOUT:-600} * time_factor))
	local quiet=$((${QUIET_TIMEOUT:-120} * time_factor))
	local begin=$SECONDS last=$SECONDS size='' now rc=0 shown=0

	# A soak takes as long as it takes, and bench keeps quiet.
	case $mode in
	soak)	limit=${BOOT_TIMEOUT:-0} ;;
	bench)	limit=${BOOT_TIMEOUT:-1800} quiet=$limit ;;
	esac

	while sleep 0.5 && kill -0 "$qemu_pid" 2>/dev/null; do
		now=$(stat -c %s "$log/console.log" "$log/report.ktap" 2>/dev/null) || :
		[ "$now" = "$size" ] || last=$SECONDS
		size=$now
		[ "$mode" = run ] || [ "$mode" = bench ] || show_progress
		if [ "$limit" != 0 ] && [ $((SECONDS - begin)) -ge "$limit" ]; then
			status="timeout: still running after $limit seconds"
		elif [ $((SECONDS - last)) -ge "$quiet" ]; then
			status="timeout: neither console nor report grew for $quiet seconds"
		elif [ -n "${FAIL_FAST:-}" ] && grep -q '^ *not ok' "$log/report.ktap"; then
			status='timeout: ended by FAIL_FAST'
		else
			continue
		fi
		kill -9 "$qemu_pid"
		wait "$qemu_pid" 2>/dev/null || :
		return
	done
	wait "$qemu_pid" || rc=$?
	[ "$mode" = run ] || [ "$mode" = bench ] || show_progress
	status="exit=$rc"
}

mode=${1:-}
case $mode in
test|base|soak|run|shell|bench) ;;
*)	die 2 "usage: boot.sh test|base|soak|run|shell|bench ARCH" ;;
esac
[ $# = 2 ] || die 2 "usage: boot.sh $mode ARCH: one of $(arch_list)"
arch_load "$2"
[ "$mode" != soak ] || [ -n "${TEST:-}" ] || die 2 "soak: say which, TEST=program or TEST=program:case"
[ "$mode" != soak ] || [[ ${COUNT:=100} =~ ^[1-9][0-9]{0,5}$ ]] ||
	die 2 "COUNT=$COUNT: how often, a number from 1 to 999999"

kernel=${KERNEL:-$out/kernel.img}
# What make archs lists is the last complete run, and log/run is a file of it.
case $mode,${TEST:-} in
test,)		log=$out/log ;;
test,*|base,?*)	log=$out/log/one ;;
run,*)		log=$out/log/list ;;
*)		log=$out/log/$mode ;;
esac
log=${LOGDIR:-$log}
nonce=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
# The command line goes into the guest's random numbers, and so into its figures.
[ "$mode" != bench ] || nonce=be7c4be7c4be7c4b
# People want to see the guest, machines the kernel.
case $mode in
run|shell) loglevel=5 ;;
*)	loglevel=8 ;;
esac
[ -f "$kernel" ] || die $EX_BUILD "$kernel is not there: run scripts/build.sh $arch"
kernel=$(realpath "$kernel")
mkdir -p "$log" "$out/log"
log=$(realpath "$log")
exec {lock}>"$out/.lock"
flock -n "$lock" || die $EX_BUILD "$out is in use by another build or boot: wait for its end"

case $mode in
test|soak) check_programs ;;
esac
make_initramfs
case $mode in
test|base|soak) check_selection ;;
esac
kernel_command_line
qemu_command
inputs=$(inputs)
# The tree that build.sh had before it, which need not be that of now.
built=$(cat "$out/built" 2>/dev/null) || built=tree=unknown
if [ -n "${RESUME:-}" ] && passed_before; then
	say "$arch: not booted again, the same passed on $(sed -n 's/^date=//p' "$log/run")"
	cat "$log/again"
	# The same kernel and programs are what this tree gives, too.
	sed -i '/^tree=/d; /^dirty=/d' "$log/run"
	echo "$built" >>"$log/run"
	exit 0
fi
rm -f "$log"/{console.log,report.ktap,run,qemu-stderr,summary,records,results,again}
: >"$log/console.log"
: >"$log/report.ktap"

if [ "$mode" = shell ]; then
	exec "${cmd[@]}" {lock}>&-
fi

say "$arch: booting ($mode), log in $log"
begin=$SECONDS
# shellcheck disable=SC2046	# words
trap 'kill -9 $(jobs -p) 2>/dev/null || :; wait' EXIT
trap 'die_of INT' INT
trap 'die_of TERM' TERM
"${cmd[@]}" </dev/null >/dev/null 2>"$log/qemu-stderr" {lock}>&- &
qemu_pid=$!
if [ "$mode" = run ]; then
	tail -n +1 -s 0.2 -f --pid=$qemu_pid "$log/console.log" {lock}>&- &
	tail_pid=$!
fi
status=
watch
[ "$mode" != run ] || wait "$tail_pid" || :
trap - EXIT INT TERM

# What report.sh has to know, also long after.
cat >"$log/run" <<-END
	arch=$arch
	variant=$variant
	mode=$mode
	test=${TEST:-}
	nonce=$nonce
	inputs=$inputs
	date=$(date +%F)
	status=$status
	seconds=$((SECONDS - begin))
	objects=${KERNEL_OBJECTS:-$out/obj}
	cross=$cross
	$built
END
{
	[ -z "$lacks" ] || echo "lacks=$lacks"
	for v in "${by_hand[@]}"; do
		[ -z "${!v:-}" ] || echo "by_hand=$v=${!v}"
	done
} >>"$log/run"

[ "$mode" != bench ] || exit 0
exec "$top/scripts/report.sh" "$log"
