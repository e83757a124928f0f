#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# verify-each.sh: build after every patch of the series, with the usual configuration
# and with configs/nons.config, and boot the usual one, with a selftest that holds on
# any of them. A warning is a failure. What passed already is not done again: interrupt
# it at will. Logs: build/each/.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

unset DEBUG VARIANT
variant=
dir=$build/each
done_list=$dir/done
arch_load "${ARCH:-$(default_arch)}"

"$top/scripts/tree.sh"
mkdir -p "$dir"
touch "$done_list"

worktree "$dir/linux" base

# What decides whether a build can be left out: the source, the configuration, compiler
# and qemu, and who judges
key()
{
	local commit=$1 config=$2

	{
		echo "$config"
		kgit rev-parse "$commit^{tree}"
		cat "$top/configs/base.config" "$top/configs/arch/$arch.conf"
		[ "$config" = usual ] || cat "$top/configs/$config.config"
		"${cross}gcc" --version
		"${qemu[0]}" --version
		cd "$top"
		cat scripts/{verify-each,build,boot,report,common}.sh scripts/judge/*.py scripts/allowed-skips \
			scripts/guest/init.c "$mirror/init_ino_test.c"
	} | sha256sum | cut -d' ' -f1
}

# one COMMIT CONFIG: the selftests too, where they are what the patch is about
one()
{
	local commit=$1 config=$2 opts=() out=$dir/$arch log

	if [ "$config" != usual ]; then
		opts+=(--config "$top/configs/$config.config")
		out=$dir/$arch-$config
	fi
	if [ "$config" != usual ] || kgit diff --quiet "$commit^" "$commit" -- "$mirror" include/uapi; then
		opts+=(--kernel-only)
	fi
	# A build that was interrupted has told its warnings, and would not again.
	! grep -q -s -E '(warning|error):' "$out"/log/{build,selftests}.log || rm -rf "$out/obj"
	rm -rf "$out/log"
	git -C "$dir/linux" checkout -q --detach "$commit" || return
	"$top/scripts/build.sh" "${opts[@]}" --src "$dir/linux" --out "$out" "$arch" || return
	for log in build selftests; do
		if [ -e "$out/log/$log.log" ] && grep -E '(warning|error):' "$out/log/$log.log"; then
			# Compile it again next time, so that it says so again.
			rm -rf "$out/obj"
			return 1
		fi
	done
	[ "$config" = usual ] || return 0
	KERNEL=$out/kernel.img KERNEL_OBJECTS=$out/obj LOGDIR=$out/log/boot TEST=init_ino_test \
		RESUME='' "$top/scripts/boot.sh" test "$arch"
}

# Whose initramfs they boot
"$top/scripts/build.sh" "$arch"

mapfile -t commits < <(kgit rev-list --reverse base..HEAD)
n=0 bad=()
for commit in "${commits[@]}"; do
	n=$((n + 1))
	subject=$(kgit log -1 --format=%s "$commit")
	for config in usual nons; do
		what="$n/${#commits[@]} $config: $subject"
		k=$(key "$commit" $config)
		if grep -x "$k" "$done_list" >/dev/null; then
			say "PASS $what (before)"
			continue
		fi
		log=$dir/$n-$config.log
		rc=0
		one "$commit" $config >"$log" 2>&1 || rc=$?
		if [ $rc -ge 128 ]; then
			die $EX_BUILD "$what: the build was killed: start again, it goes on from here"
		elif [ $rc = 0 ]; then
			echo "$k" >>"$done_list"
			say "PASS $what"
		else
			say "FAIL $what; $log:"
			tail -n 20 "$log" | sed 's/^/  | /'
			bad+=("$n/$config")
		fi
	done
done

[ ${#bad[@]} = 0 ] || die $EX_FAIL "does not build and boot after patch ${bad[*]}: see $dir/"
say "builds and boots after every one of ${#commits[@]} patches"
