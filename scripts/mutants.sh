#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh [--check] [NAME...]: do the selftests see a defect? Plants those of configs/mutants
# (all, or the named ones), one at a time, in a tree of its own, builds and boots it, and
# expects a failure. What passes is a test that is missing. The programs that a line
# names run first, and all others only if these pass.
#
# A verdict holds for its line and kernel tree and is not asked for again: interrupt it
# at will. FORCE=1 asks again. The verdicts are in build/mutants/summary. --check only
# looks whether all edits fit. WORKERS=n defects are tried at the same time, as many as
# there are cores by default: most of the time, one linker or one guest is at work.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

unset DEBUG VARIANT TEST RESUME
variant=
check=''
[ "${1:-}" != --check ] || { check=1; shift; }
dir=$build/mutants
list=${MUTANTS_LIST:-$top/configs/mutants}
a=${ARCH:-$(default_arch)}

# How long a guest may take that a defect has made slow or silent
first_limit=240 all_limit=900 quiet_limit=60

"$top/scripts/tree.sh"
mkdir -p "$dir/verdict" "$dir/log"
exec {own}>"$dir/.lock"
flock -n "$own" || die $EX_BUILD "another mutants.sh is at work in $dir"

shopt -s extglob
tree=$(kgit rev-parse 'HEAD^{tree}')
configs=$(cat "$top"/configs/{base,debug}.config | sha256sum | cut -d' ' -f1)
mapfile -t lines < <(grep -v -e '^#' -e '^[[:space:]]*$' "$list")
if [ -n "$check" ]; then
	src=$dir/check
	rm -rf "$src"
	mkdir "$src"
	printf '%s\n' "${lines[@]}" | sed 's/^[^ ]* *:: *\([^: ]*\).*/\1/' | sort -u |
		xargs git -C "$linux" archive HEAD -- | tar -x -C "$src"
fi

# plant FILE[:FUNCTION] EDITS: an edit is "text => text", more than one with ";;" between.
# White space in the first text stands for any. It has to be there once.
plant()
{
	perl -0777 - "$src" "$@" <<-'END'
		my ($src, $where, $edits) = @ARGV;
		my ($file, $func) = split /:/, $where;
		open(my $f, '<', "$src/$file") or die "$file: $!\n";
		my $text = <$f>;
		my ($before, $body, $after) = ('', $text, '');
		if ($func) {
			my $def = qr/^(?=\w)[^\n]*\b\Q$func\E\b[^;{}]*\n\{\n.*?^\}$/ms;
			my $n = () = $text =~ /$def/g;
			die "$file has $n functions $func, not one\n" if $n != 1;
			$text =~ $def;
			($before, $body, $after) = ($`, $&, $');
		}
		for (split /\s+;;\s+/, $edits) {
			my ($old, $new) = /^(.*?)\s+=>(?:\s+(.*))?$/ or die "no => in: $_\n";
			my $re = join '\s+', map { quotemeta } split ' ', $old;
			$re = "(?<!\\w)$re" if $old =~ /^\w/;
			$re = "$re(?!\\w)" if $old =~ /\w$/;
			my $n = () = $body =~ /$re/g;
			die "$where has $n times, not once: $old\n" if $n != 1;
			$body =~ s/$re/$new/;
		}
		rename "$src/$file", "$src.original";
		open($f, '>', "$src/$file") or die "$file: $!\n";
		print $f $before, $body, $after;
	END
}

# Newer than the objects of the defect
restore()
{
	[ -e "$src.original" ] || return 0
	mv "$src.original" "$src/${where%:*}"
	[ -n "$check" ] || touch "$src/${where%:*}"
}

# run_model: whether the model of the active references (scripts/host/active-model.c)
# finds anything in kernel/nscommon.c
run_model()
{
	timeout 120 "$top/scripts/host/active-model.sh" "$src" "$mine/model" >"$log/model" 2>&1
}

# The codes of boot.sh: 0 if it passed, and 2 and 6 if nothing was tested.
boot()
{
	LOGDIR=$log FAIL_FAST=1 RESUME='' QUIET_TIMEOUT=$quiet_limit \
	"$@" "$top/scripts/boot.sh" test "$a" >"$log/boot" 2>&1
}

# The first case that failed, or else what the console or boot.sh said
seen_by()
{
	local by

	by=$(sed -n -E '/^ +not ok [0-9]+/{ s/^ +not ok [0-9]+ (- )?//; s/ *#.*//; p; q }' \
		"$log/report.ktap" 2>/dev/null) || :
	[ -n "$by" ] || by=$(grep -m 1 -oE '(WARNING|BUG|Oops|Kernel panic|KASAN|refcount_t|suspicious RCU).*' \
		"$log/console.log" 2>/dev/null | cut -c1-70) || :
	echo "${by:-$(sed -n 's/^status=//p' "$log/run" 2>/dev/null)}"
}

# one: plant, build and boot the defect of the current line. Sets verdict and by.
one()
{
	local t rc tests=() env=(NSTREE_BUILD="$mine") built=''

	log=$dir/log/$name verdict=error by=''
	rm -rf "$log"
	mkdir -p "$log"
	plant "$where" "$edits" 2>"$log/plant" || { by=$(tail -n 1 "$log/plant"); return; }
	for t in $with; do
		case $t in
		debug)	env+=(DEBUG=1) ;;
		smp=*)	env+=(SMP="${t#smp=}") ;;
		control) ;;
		*)	tests+=("$t") ;;
		esac
	done
	# Other tests than the named ones say nothing of a control, and an excuse has been given.
	[ -n "$control$excuse" ] || tests+=(all)
	for t in "${tests[@]}"; do
		rc=0
		if [ "$t" = model ]; then
			run_model || rc=$?
			[ $rc != 2 ] || { by="the model does not build: see $log/model"; return; }
			[ $rc = 0 ] || { verdict=caught by="model: $(tail -n 1 "$log/model")"; return; }
			continue
		fi
		if [ -z "$built" ]; then
			env "${env[@]}" "$top/scripts/build.sh" --kernel-only "$a" >"$log/build" 2>&1 ||
				{ by="does not build: see $log/build"; return; }
			built=1
		fi
		if [ "$t" = all ]; then
			boot env "${env[@]}" BOOT_TIMEOUT=$all_limit || rc=$?
		else
			boot env "${env[@]}" BOOT_TIMEOUT=$first_limit TEST="${mirror##*/}:$t" || rc=$?
		fi
		case $rc in
		0)	;;
		2|6)	by="does not boot: see $log/boot"; return ;;
		*)	verdict=caught by="$t: $(seen_by)"; return ;;
		esac
	done
	verdict=survived
	[ -z "$excuse" ] || verdict=excused by=$excuse
}

# parse LINE: the fields, see the top of the list
parse()
{
	local IFS=$'\t'

	read -r name where edits with rule excuse <<<"${1//*([[:blank:]])::*([[:blank:]])/$'\t'}"
	[ -n "$rule" ] || die 2 "$list: not 'name :: file[:function] :: edits :: tests :: rule [:: excuse]': $1"
	control=''
	[[ " $with " != *" control "* ]] || control=1
	key="$tree $configs $1"
	{ read -r known && read -r verdict && read -r by; } 2>/dev/null <"$dir/verdict/$name" || known=''
	[ "$known" = "$key" ] || verdict=unknown by=''
}

twice=$(printf '%s\n' "${lines[@]%% *}" | sort | uniq -d)
[ -z "$twice" ] || die 2 "$list: more than once: $twice"
want=" ${*:-${MUTANTS:-}} "
for w in $want; do
	printf '%s\n' "${lines[@]}" | grep -q "^$w " || die 2 "no mutant '$w' in $list"
done

# The selftests, and the kernel whose selftests are green. "debug" or nothing.
declare -A ready=()
get_ready()
{
	local o=$build/$a${1:+-$1}

	[ -z "${ready[x$1]:-}" ] || return 0
	[ "$(cat "$o/built" 2>/dev/null)" = "tree=$tree" ] || VARIANT=$1 "$top/scripts/build.sh" "$a"
	ready[x$1]=1
}

for line in ${check:+"${lines[@]}"}; do
	parse "$line"
	plant "$where" "$edits" || check=bad
	restore
done
if [ -n "$check" ]; then
	[ $check = 1 ] || die $EX_BUILD "edits in $list that do not fit: see above"
	say "${#lines[@]} edits fit"
	exit 0
fi

# What is asked for and not known yet
todo=()
for line in "${lines[@]}"; do
	parse "$line"
	[ "$want" = '  ' ] || [[ $want == *" $name "* ]] || continue
	[[ $verdict = unknown || $verdict = error || -n ${FORCE:-} ]] || continue
	todo+=("$line")
	case " $with " in
	*' debug '*)	get_ready debug ;;
	' model '|' model control ')	;;
	*)		get_ready '' ;;
	esac
done

# work NUMBER: take defects from the queue, in a build folder of its own
work()
{
	local v begin log

	mine=$dir/$1 src=$dir/$1/linux
	mkdir -p "$mine"
	for v in '' -debug; do
		[ -n "${ready[x${v#-}]:-}" ] || continue
		mkdir -p "$mine/$a$v"
		rm -rf "$mine/$a$v"/*selftests*
		cp -al "$build/$a$v"/*selftests* "$mine/$a$v"
	done
	if [ ! -e "$src/Makefile" ]; then
		run_logged "$dir/log/checkout$1" "checking out the series in $src" \
			kgit worktree add -f --detach "$src" HEAD ||
			die $EX_BUILD "cannot check out: see $dir/log/checkout$1"
	else
		# An interrupted run has left its defect.
		git -C "$src" checkout -q --force --detach "$(kgit rev-parse HEAD)"
	fi
	rm -f "$src.original"
	for v in "${!todo[@]}"; do
		# Whoever makes it has the turn.
		mkdir "$dir/turn/$v" 2>/dev/null || continue
		parse "${todo[v]}"
		begin=$SECONDS
		one
		restore
		case $control,$verdict in
		1,survived)	verdict=quiet ;;
		1,caught)	verdict=loud ;;
		esac
		printf '%s\n%s\n%s\n' "$key" "$verdict" "$by" >"$dir/verdict/$name"
		say "$verdict: $name ($((SECONDS - begin)) s)${by:+: $by}"
	done
}

rm -rf "$dir/turn"
mkdir "$dir/turn"
kgit worktree prune
workers=()
trap 'kill $(jobs -p) 2>/dev/null || :; wait' EXIT
for w in $(seq "${WORKERS:-$(nproc)}"); do
	[ ${#todo[@]} -ge "$w" ] || break
	work "$w" {own}>&- &
	workers+=($!)
done
for w in "${workers[@]}"; do
	wait "$w" || die $EX_BUILD "a worker ended early, see above"
done
trap - EXIT

# The table of all lines, in their order, as far as known for this tree
declare -A count=([caught]=0 [survived]=0 [excused]=0 [error]=0 [quiet]=0 [loud]=0 [unknown]=0)
for line in "${lines[@]}"; do
	parse "$line"
	count[$verdict]=$((count[$verdict] + 1))
	printf '%-9s %-36s %s\n' "$verdict" "$name" "$by"
done >"$dir/summary"
total=$((${#lines[@]} - count[quiet] - count[loud]))
line="$total mutants, ${count[caught]} caught, ${count[survived]} survived, ${count[excused]} excused"
line+="; ${count[quiet]} controls quiet"
for v in loud error unknown; do
	[ "${count[$v]}" = 0 ] || line+=", ${count[$v]} $v"
done
echo "$line" >>"$dir/summary"
say "$line: $dir/summary"
[ "${count[error]}" = 0 ] || die $EX_BUILD "edits that do not fit or kernels that do not build: see above"
[ "$((count[survived] + count[loud]))" = 0 ] ||
	die $EX_FAIL "a test is missing: $(awk '$1 == "survived" || $1 == "loud" { print $2 }' "$dir/summary" | xargs)"
