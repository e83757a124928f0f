#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# parts.sh [--compile] [PART...]: parts of the series alone, each with what it needs: is it
# built and booted, and do its tests pass? Without names, those that are not the beginning
# of the series, which verify-each.sh has. What passed is not done again. Logs: build/parts/.
#
#	--compile	only the objects that the part touches
#	BASE=6.18.N	on that release instead, if its source is at hand
#	DEBUG=1		with configs/debug.config

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

compile=
if [ "${1:-}" = --compile ]; then
	compile=1
	shift
fi
for p; do
	part_names | grep -xF -e "$p" >/dev/null || die 2 "no part '$p': there are $(part_names | xargs)"
done
[ $# != 0 ] || mapfile -t all < <(part_branches)
[ $# != 0 ] || set -- "${all[@]}"

arch_load "${ARCH:-$(default_arch)}"
version=${BASE:-}
dir=$build/parts${version:+-$version}
tree=$dir/linux
done_list=$dir/done
mkdir -p "$dir"
touch "$done_list"

# A work tree of its own: of build/linux, or a git tree of that release
if [ -z "$version" ]; then
	"$top/scripts/tree.sh"
	if [ ! -e "$tree/Makefile" ]; then
		kgit worktree prune
		run_logged "$dir/checkout.log" "checking out the base in ${tree#"$top/"}" \
			kgit worktree add -f --detach "$tree" base ||
			die $EX_BUILD "cannot check out: see $dir/checkout.log"
	fi
	start=$(kgit rev-parse base)
elif [ ! -e "$tree/.git" ]; then
	source=$(base_source "$version") || exit $EX_BUILD
	make_tree()
	{
		rm -rf "$tree"
		unpack "$source" "$tree" && git init -q -b base "$tree" && git -C "$tree" add -Af . &&
			git -C "$tree" -c user.name=nstree -c user.email=nstree@localhost \
				commit -q --no-gpg-sign --no-verify -m "Linux $version" && git -C "$tree" tag base
	}
	run_logged "$dir/checkout.log" "unpacking $version into ${tree#"$top/"}" make_tree ||
		die $EX_BUILD "cannot unpack $source: see $dir/checkout.log"
fi
start=${start:-$(git -C "$tree" rev-parse base)}

# What decides whether it can be left out
key()
{
	{
		echo "$compile" "$arch" "$variant"
		git -C "$tree" rev-parse 'HEAD^{tree}'
		cat "$top/configs/base.config" "$top/configs/arch/$arch.conf"
		[ -z "$variant" ] || cat "$top/configs/$variant.config"
		"${cross}gcc" --version
		[ -n "$compile" ] || "${qemu[0]}" --version
		cd "$top"
		cat scripts/{parts,build,boot,report,common}.sh scripts/allowed-skips scripts/guest/init.c
	} | sha256sum | cut -d' ' -f1
}

# What the part touches, as far as this configuration has it: what is in build/ARCH tells
compile_part()
{
	local f o=() src=$tree obj=$dir/$arch/obj

	build_env
	"$top/scripts/build.sh" --prepare --src "$tree" --out "$dir/$arch" "$arch" || return
	while read -r f; do
		[ ! -e "$out/obj/${f%.c}.o" ] || o+=("${f%.c}.o")
	done < <(git -C "$tree" diff --name-only --diff-filter=d "$start" HEAD -- '*.c')
	[ ${#o[@]} != 0 ] || { echo "nothing that it touches is in $out/obj"; return 1; }
	kmake -s -k "${o[@]}" || return
	echo "${#o[@]} objects"
}

one()
{
	local branch=nstree-part-$1

	git -C "$tree" checkout -q -f --detach "$start" || return
	git -C "$tree" branch -q -D "$branch" 2>/dev/null || :
	PARTS=$1 AT=$start BRANCH=$branch "$top/scripts/am.sh" "$tree" || return
	git -C "$tree" checkout -q --detach "$branch" || return
	git -C "$tree" branch -q -D "$branch"
	k=$(key)
	! grep -x "$k" "$done_list" >/dev/null || return 0
	if [ -n "$compile" ]; then
		compile_part || return
	else
		NSTREE_BUILD=$dir "$top/scripts/build.sh" "$arch" || return
		RESUME='' TEST='' NSTREE_BUILD=$dir "$top/scripts/boot.sh" test "$arch" || return
	fi
	echo "$k" >>"$done_list"
}

# There is nothing to compare with before the first build.
[ -z "$compile" ] || [ -e "$out/kernel.img" ] ||
	"$top/scripts/build.sh" --kernel-only "$arch"

bad=()
for p; do
	log=$dir/$p${variant:+-$variant}.log what="part $p${version:+ on $version}${compile:+, objects}"
	rc=0
	run_logged "$log" "$what" one "$p" || rc=$?
	[ $rc -lt 128 ] || exit $rc
	if [ $rc = 0 ]; then
		say "PASS $what"
	else
		say "FAIL $what: $log"
		bad+=("$p")
	fi
done
[ ${#bad[@]} = 0 ] || die $EX_FAIL "not alone: ${bad[*]}"
what='build, boot and pass their tests'
[ -z "$compile" ] || what=compile
say "$# parts $what alone, with what they need${version:+, on $version}: $*"
