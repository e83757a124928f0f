#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# verify-each.sh: build after every patch of the series, with the usual configuration
# and with configs/nons.config. A warning is a failure. What was built already is not
# built again: interrupt it at will. Logs: build/each/.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

dir=$build/each
done_list=$dir/done
arch=${ARCH:-$(uname -m)}
[ -f "$top/configs/arch/$arch.conf" ] || read -r arch _ < <(arch_list)

"$top/scripts/tree.sh"
mkdir -p "$dir"
touch "$done_list"

if [ ! -e "$dir/linux/Makefile" ]; then
	kgit worktree prune
	run_logged "$dir/checkout.log" "checking out the base in build/each/linux" \
		kgit worktree add -f --detach "$dir/linux" base ||
		die $EX_BUILD "cannot check out: see $dir/checkout.log"
fi

# What decides whether a build can be left out: the source and the configuration
key()
{
	local commit=$1 config=$2

	{
		kgit rev-parse "$commit^{tree}"
		cat "$top/configs/base.config" "$top/configs/arch/$arch.conf"
		[ "$config" = usual ] || cat "$top/configs/$config.config"
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
}

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

[ ${#bad[@]} = 0 ] || die $EX_FAIL "does not build after patch ${bad[*]}: see $dir/"
say "every one of ${#commits[@]} patches builds"
