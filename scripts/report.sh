#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# report.sh LOGDIR|ARCH: the verdict on one boot, from what boot.sh left in LOGDIR:
# report.ktap, console.log and run. Red is the default. Green takes positive
# evidence: a complete plan, "# health ok" and the end line with the nonce of this
# boot in the report, the same nonce at the end of the console, and nothing on the
# console that a healthy kernel does not say.
#
# The base's own tests (mode base) are not to pass, but to do what they did on the
# base's kernel: configs/base-selftests.results.
#
# The exit code says what it was (scripts/common.sh). LOGDIR/summary holds it for
# test.sh: passed, failed, skipped.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# What only a sick kernel prints.
splats=(
	'WARNING:' '\bBUG[: ]' 'Oops' 'Kernel panic' 'kernel BUG at' 'cut here'
	'Internal error:' 'general protection fault, ' 'Unable to handle kernel'
	'[Dd]ouble fault' 'Call [Tt]race:' 'Bad page state' 'list_(add|del) corruption'
	# lockdep and RCU
	'possible (circular|recursive) locking' 'possible deadlock' 'possible irq'
	'inconsistent lock state' '-unsafe lock order' 'suspicious RCU usage'
	'held lock freed' 'lock held when returning' 'bad unlock balance'
	'Invalid wait context' 'MAX_[A-Z_]* too low' 'nested lock was not taken'
	'INFO: trying to register non-static key' 'turning off the locking correctness'
	'self-detected stall' 'detected (expedited )?stalls?' 'rcu.*kthread starved'
	# sanitizers and checkers
	'KASAN:' 'UBSAN:' 'KCSAN:' 'KMSAN:' 'KFENCE:' 'refcount_t:' 'ODEBUG: [^s]'
	'unreferenced object' 'percpu ref .* <= 0'
	'ref_tracker: [^m]' 'waiting for .* to become free'
	# scheduling
	'blocked for more than' '(soft|hard) lockup' 'hard LOCKUP' 'scheduling while atomic'
	'sleeping function called from invalid' 'bad: scheduling from the idle thread'
	'Out of memory:' 'workqueue lockup' 'nobody cared'
	# what could be sick and cannot be seen any more
	'kmemleak: Kernel memory leak detector disabled' 'printk messages dropped'
)
pattern=$(IFS='|'; echo "${splats[*]}")

info()
{
	sed -n "s/^$1=//p" "$log/run" 2>/dev/null
}

# The report as records, one a line: P, F or S; name; rest. F records come after the
# lines of output that belong to them (D). The last is "E how-it-ends".
# Counted here again, whatever init made of it. In mode base, R records: name; result;
# rest.
parse()
{
	awk -v nonce="$nonce" -v mode="$mode" -v variant="$(info variant)" -v skips="$1" \
		-v lacks="$(info lacks)" '
	function drop_nr(s) { sub(/^ *(not )?ok [0-9]+ *(- *)?/, "", s); return s }
	function text(s, i) { return (i = match(s, / +# +/)) ? substr(s, i + RLENGTH) : "" }
	function bare(s, i) { return (i = match(s, / +# +/)) ? substr(s, 1, i - 1) : s }
	function put(kind, name, why) { print kind "\t" name "\t" why; n[kind]++ }
	function skipped(name, why, prog) {
		sub(/^SKIP */, "", why)
		prog = name
		sub(/:[^:]*$/, "", prog)
		if (mode == "soak")
			put("F", name, "skipped, and so nothing was repeated: " why)
		else if (name in allowed || prog in allowed || (lacks != "" && index(tolower(why), tolower(lacks))))
			put("S", name, why)
		else
			put("F", name, "skipped, which scripts/allowed-skips does not allow: " why)
	}
	function recorded(name, ok, why) {
		if (++seen[name] > 1)
			name = name " (" seen[name] ")"
		if (!ok)
			flush_details()
		printf "R\t%s\t%s\t%s\n", name, !ok ? "fail" : why ~ /^SKIP/ ? "skip" : "pass", why
	}
	function flush_details(i) {
		for (i = 1; i <= nr_det; i++)
			print "D\t" det[i]
		nr_det = 0
	}
	BEGIN {
		while ((getline line < skips) > 0) {
			if (line ~ /^(#|$)/ || (line ~ /^!/ && variant == "debug"))
				continue
			sub(/^!/, "", line)
			split(line, w)
			allowed[w[1]] = 1
		}
		plan = -1
	}
	{ sub(/\r$/, "") }
	NR == 1 { if ($0 != "KTAP version 1") bad = "it does not start with \"KTAP version 1\""; next }
	ended { bad = "there is something after the end line"; next }

	/^  1\.\.[0-9]+/ && sub_plan < 0 { sub_plan = substr($1, 4) + 0; next }
	/^  (not )?ok [0-9]/ {
		res = drop_nr($0); name = suite ":" bare(res); why = text(res)
		cases++
		if (mode == "base") {
			recorded(name, $1 == "ok", why)
		} else if ($0 ~ /^  not ok/) {
			sub_failed++
			flush_details()
			put("F", name, why)
		} else if (why ~ /^SKIP/) {
			sub_skipped++
			skipped(name, why)
		} else {
			put("P", name, why)
		}
		nr_det = 0
		next
	}
	# The end of the output of a case that goes on for ever is what tells most.
	/^  / { if (nr_det < 400) det[++nr_det] = substr($0, 3); next }

	/^1\.\.[0-9]+$/ { if (plan < 0) plan = substr($0, 4) + 0; else bad = "two plans"; next }
	/^(not )?ok [0-9]/ {
		top++
		if (($1 == "not" ? $3 : $2) != top)
			bad = "result " top " has another number: " $0
		res = drop_nr($0); name = bare(res); why = text(res)
		if (mode == "base") {
			recorded(name, $1 == "ok", why)
		} else if ($1 == "not") {
			# If its cases say why, that is enough.
			if (!sub_failed || why !~ /^(exit=1|[0-9]+ failed)$/) {
				flush_details()
				put("F", name, why == "" ? "not ok" : why)
			}
		} else if (why ~ /^SKIP/ && cases && cases != sub_plan) {
			put("F", name, "skips the rest after " cases " results of " \
			    (sub_plan < 0 ? "no plan" : sub_plan " planned"))
		} else if (why ~ /^SKIP/) {
			skipped(name, why)
		} else if (mode != "test") {
			put("P", name, why)
		} else if (sub_plan < 0 || cases == 0 || cases != sub_plan) {
			put("F", name, "claims to be ok with " cases + 0 " results of " \
			    (sub_plan < 0 ? "no plan" : sub_plan " planned"))
		}
		printf "T\t%s\t%d of %d\n", name, cases - sub_failed - sub_skipped, cases
		sub_plan = -1; cases = sub_failed = sub_skipped = nr_det = 0
		suite = ""
		next
	}
	/^# health ok$/ { health = "ok"; next }
	/^# health: / { health = substr($0, 11); next }
	/^# end / { ended = 1; if ($3 != nonce) wrong = $3; next }
	/^Bail out!/ { bail = $0; next }
	/^# mode / { next }
	/^# [^ ]+:[^ ]+$/ { suite = $2; sub_plan = -1; nr_det = 0; next }
	/^#/ { print "N\t" substr($0, 3); next }
	{ bad = "a line that is not KTAP: " $0 }
	END {
		if (suite != "")
			flush_details()
		if (!ended)
			print "E\tlost\tno end line in the report" \
				(suite != "" ? "; " suite " was running" : "")
		else if (wrong != "")
			print "E\tlost\tthe end line has nonce " wrong ", this boot had " nonce
		else if (health != "ok")
			print "E\tsick\t" (health == "" ? "no health line in the report" : health)
		else if (bad != "")
			print "E\tfail\tmalformed report: " bad
		else if (plan < 1 || top != plan)
			print "E\tfail\t" (bail != "" ? bail : "incomplete: " top + 0 " results of " \
				(plan < 0 ? "no plan" : plan " planned"))
		else
			print "E\tend\t"
	}' "$ktap"
}

# R records become P and F by what is recorded of the base, or K: known not to pass,
# or A: another result than recorded, and none to be afraid of.
compare()
{
	awk -F'\t' -v arch="$name" -v test="$(info test)" '
	FILENAME != "-" {
		if (/^#/)
			next
		t = $0
		sub(/^[^ ]* [^ ]* /, "", t)
		split($0, field, " ")
		if (field[1] == arch || field[1] == "*")
			want[t] = field[2]
		next
	}
	$1 == "E" { end = $0; next }
	$1 != "R" { print; next }
	{
		w = want[$2]
		delete want[$2]
		if ($3 == w)
			print (w == "pass" ? "P" : "K") "\t" $2 "\t" $4
		else if (w == "flaky")
			print ($3 == "pass" ? "P" : "K") "\t" $2 "\t" $4
		else if (w == "pass" || $3 == "fail")
			print "F\t" $2 "\t" (w == "" ? "not in the record" : w == "skip" ? "the base skips it" : \
				"the base passes it") ": " $3 ", " $4
		else
			print "A\t" $2 "\t" (w == "" ? "not in the record" : w " on the base") ", " $3 " here"
	}
	END {
		for (t in want)
			if (want[t] == "pass" && (test == "" || index(t ":", test ":") == 1 || index(t ":", ":" test ":")))
				print "F\t" t "\tlost: the base passes it, and here it gave no result"
		print end
	}' "$1" -
}

# The console, line by line, without what allocations that fail on purpose leave there
# (nsactive_fault_test): vmalloc() is alone in telling where, in a report that ends with
# Mem-Info. Whatever else is between is still seen.
# shellcheck disable=SC2317	# see look=
without_injected()
{
	awk '
		{ line[NR] = $0 }
		/vmalloc error: .* failed/ { from = NR }
		/Mem-Info:/ {
			for (i = from; from && NR - from <= 150 && i < NR; i++)
				sub(/.*Call [Tt]race:.*/, "", line[i])
			from = 0
		}
		END {
			for (i = 1; i <= NR; i++)
				print line[i]
		}' "$console"
}

# The first splat, with what leads to it and what follows, up to its end.
first_splat()
{
	awk -v line="$splat" '
		NR >= line - 3 && NR <= line + 80 {
			print
			if (NR > line + 2 && (/---\[ end (trace|Kernel panic)/ || /<\/TASK>/))
				exit
		}' "$console"
}

show_splat()
{
	local objects vmlinux

	objects=$(info objects)
	vmlinux=$objects/vmlinux
	echo "--- the first splat, line $splat of $log/console.log"
	if [ -f "$vmlinux" ] && [ -x "$linux/scripts/decode_stacktrace.sh" ] &&
	   "$(info cross)readelf" -S "$vmlinux" 2>/dev/null | grep '\.debug_info' >/dev/null; then
		first_splat | CROSS_COMPILE=$(info cross) "$linux/scripts/decode_stacktrace.sh" \
			"$vmlinux" "$linux" 2>/dev/null || first_splat
	else
		first_splat
		echo "(raw: no debug information in $vmlinux; DEBUG=1 builds with it)"
	fi
}

# Long lists are cut: what is cut stays in the logs. Not by head, which leaves when it
# has enough, and the script with it by SIGPIPE.
show_failures()
{
	[ "$failed" != 0 ] || return 0
	echo "--- failed:"
	awk -F'\t' '
		$1 == "D" { d[++n] = substr($0, 3); next }
		$1 == "F" {
			print "not ok " $2 ($3 == "" ? "" : "  # " $3)
			for (i = (n > 40 ? n - 39 : 1); i <= n; i++)
				print "    " d[i]
		}
		{ n = 0 }' "$records" | sed -n 1,300p
}

log=${1:?usage: report.sh LOGDIR|ARCH}
if [ ! -d "$log" ]; then
	arch_load "$log"
	log=$out/log
fi
log=$(realpath "$log")
ktap=$log/report.ktap
for f in "$ktap" "$log/console.log" "$log/run"; do
	[ -f "$f" ] || die $EX_LOST "$f is not there: was anything booted? (scripts/boot.sh)"
done

results=${BASE_RESULTS:-$base_results}
name=$(info arch)
mode=$(info mode)
nonce=$(info nonce)
status=$(info status)
[ -n "$nonce" ] || die $EX_LOST "$log/run names no nonce: boot again (scripts/boot.sh)"

[ "$mode" != base ] || [ -e "$results" ] ||
	die $EX_BUILD "$results is not there: scripts/base-selftests.sh record"

records=$log/records console=$log/console.txt
parse "${ALLOWED_SKIPS:-$top/scripts/allowed-skips}" >"$records"
if [ "$mode" = base ]; then
	sed -n 's/^R\t\([^\t]*\)\t\([^\t]*\).*/\2\t\1/p' "$records" >"$log/results"
	compare "$results" <"$records" >"$records.new"
	mv "$records.new" "$records"
fi
tr -d '\r' <"$log/console.log" >"$console"

passed=$(grep -c '^P' "$records" || :)
failed=$(grep -c '^F' "$records" || :)
skipped=$(grep -c '^S' "$records" || :)
IFS=$'\t' read -r _ how why <<<"$(tail -n 1 "$records")"
look=(cat "$console")
[ "$(info variant)" != debug ] || look=(without_injected)
splat=$("${look[@]}" | grep -n -m 1 -a -E "$pattern" | cut -d: -f1) || :

# What is worse comes first: a splat explains whatever follows it.
if [ -n "$splat" ]; then
	code=$EX_SPLAT verdict="SPLAT: $(sed -n "${splat}p" "$console")"
elif [[ $status == timeout* ]]; then
	code=$EX_TIMEOUT verdict="TIMEOUT: ${status#timeout: }; $why"
elif [ "$how" = lost ]; then
	code=$EX_LOST verdict="LOST: $why; qemu: ${status:-unknown}"
elif [ "$how" = sick ]; then
	code=$EX_SPLAT verdict="SICK: $why"
elif [ "$status" != exit=0 ]; then
	code=$EX_LOST verdict="LOST: qemu: ${status:-unknown}"
elif ! grep -q -a "init: end $nonce\$" "$console"; then
	code=$EX_LOST verdict="LOST: the console is not complete: it could hide anything"
elif [ "$failed" != 0 ]; then
	code=$EX_FAIL verdict="FAIL"
elif [ "$how" != end ]; then
	code=$EX_FAIL verdict="FAIL: $why"
elif [ "$passed" = 0 ]; then
	code=$EX_FAIL verdict="FAIL: nothing was tested"
else
	code=$EX_PASS verdict=PASS
fi

# A red verdict is one failure at the least, whoever reads the numbers only.
[ "$code" = "$EX_PASS" ] || [ "$failed" != 0 ] || failed=1
echo "$passed $failed $skipped" >"$log/summary"

if [ "$mode" = test ]; then
	sed -n 's/^T\t/  /p' "$records" | awk -F'\t' '{ printf "%-40s %s\n", $1, $2 }'
fi
awk -F'\t' '$1 == "S" { print "  skipped: " $2 ": " $3 }' "$records"
if [ "$mode" = base ]; then
	awk -F'\t' '
		$1 == "K" { known++ }
		$1 == "A" { print "  changed: " $2 ": " $3; changed++ }
		END {
			print "  " known + 0 " do not pass on the base either, or are flaky there"
			if (changed)
				print "  " changed " are not as recorded, without harm: scripts/base-selftests.sh record"
		}' "$records"
fi
sed -n 's/^N\t/  /p' "$records" | sed -n 1,70p
if [ "$code" != "$EX_PASS" ]; then
	show_failures
	[ -z "$splat" ] || show_splat
	if [ "$code" != "$EX_FAIL" ]; then
		echo "--- the end of the console"
		tail -n 25 "$console"
		[ ! -s "$log/qemu-stderr" ] || { echo "--- from qemu"; tail -n 10 "$log/qemu-stderr"; }
	fi
	if [ -f "$log/qemu-cmd" ]; then
		echo "--- the qemu command, also in $log/qemu-cmd"
		grep -v '^#' "$log/qemu-cmd"
	fi
	echo "--- logs: $log/report.ktap $log/console.log"
fi
say "$name: $verdict ($passed passed, $failed failed, $skipped skipped, $(info seconds) s)"
exit "$code"
