#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# release-check.sh: all there is, before a release: each architecture with its usual
# and with its debug kernel, verify, compile, verify-each and the bench. Takes most of a day on
# two cores. Interrupt it at will: what passed is not done again until it changes.
# Goes on after a failure. The table at the end is in build/release-check.md, and
# becomes RESULTS.md.
#
#	ARCHES="..."	not all of configs/arch, and RESULTS.md stays as it is; the other rows
#			are of earlier runs of the very same series, or empty

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

export RESUME=1 STRICT=1
arch_load "${ARCH:-$(default_arch)}"
done_dir=$build/release
code=0
lines=()

# What verify, verify-each and bench depend on
key()
{
	{
		kgit rev-parse HEAD
		kgit status --porcelain
		echo "$arch"
		"${cross}gcc" --version
		"${qemu[0]}" --version
		cd "$top"
		find Makefile .ci series patches configs scripts "$mirror" -type f -print0 |
			LC_ALL=C sort -z | xargs -0 sha256sum
	} | sha256sum
}

# step NAME COMMAND...
step()
{
	local name=$1 stamp=$done_dir/$1 rc=0 log=$done_dir/$1.log key

	shift
	key=$(key)
	if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && [ -s "$log" ]; then
		say "$name: passed before"
	else
		rm -f "$stamp"
		run_logged "$log" "$name" "$@" || rc=$?
		[ $rc -lt 128 ] || exit $rc
		[ $rc != 0 ] || echo "$key" >"$stamp"
	fi
	if [ $rc = 0 ]; then
		lines+=("- \`make $name\`: $(tail -n 1 "$log" | sed 's/^\[[0-9:]*\] //')")
	else
		lines+=("- \`make $name\`: FAILED with code $rc")
		[ $code != 0 ] || code=$rc
	fi
}

mkdir -p "$done_dir"
"$top/scripts/tree.sh"
"$top/scripts/export.sh" --check ||
	die $EX_BUILD "what is in build/linux is not what is in patches/: \`make export\` or \`make tree\` first"
only=${ARCHES:-}
for a in ${only:-$(arch_list)}; do
	for DEBUG in 0 1; do
		export DEBUG ARCHES=$a
		rc=0
		"$top/scripts/test.sh" || rc=$?
		[ $rc -lt 128 ] || exit $rc
		[ $code != 0 ] || code=$rc
	done
done
unset DEBUG ARCHES
step verify "$top/scripts/verify.sh"
# shellcheck disable=SC2086	# words
step compile "$top/scripts/compile.sh" $only
step verify-each "$top/scripts/verify-each.sh"
step parts "$top/scripts/parts.sh"
step bench "$top/scripts/bench.sh"

{
	# Everything up to the first line of the table is text that stays.
	sed '/^Base /,$d' "$top/RESULTS.md"
	echo "Base $(source_version "$linux"), $(kgit rev-list --count base..HEAD) patches," \
		"commit $(git -C "$top" rev-parse --short=12 HEAD), $(date +%F):"
	echo
	"$top/scripts/archs.sh" --table || :
	echo
	printf '%s\n' "${lines[@]}"
} >"$build/release-check.md"
cat "$build/release-check.md"
if [ -n "$only" ]; then
	say "ARCHES=\"$only\" only: RESULTS.md stays as it is"
else
	"$top/scripts/archs.sh" --table >/dev/null || [ $code != 0 ] || code=$EX_FAIL
	cp "$build/release-check.md" "$top/RESULTS.md"
fi
exit "$code"
