package shell_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/lab/child/process"
	"svctour/lab/child/program/shell"
)

// killers are scripts that a bug of the interpreter, or the end of Go's stack,
// would end the whole lab by.
var killers = []string{
	"shift -1 | true", "unset '' | true", "test -v '' | true", "[ -O /tmp ] | true", "[[ -O /tmp ]] | true", "[ -R '' ] | true",
	"getopts ab x -ab | true", "f() { getopts ab x -ab; getopts ab x -a; }; f | true", "declare -A m=(1 2) | true",
	"shift -1 & wait", "unset '' & wait", "declare -A m=(1 2) & wait", "(declare -A m=(1 2)) & wait",
	"declare -A m=(1 2)", "getopts ab x -ab; getopts ab x -a", "echo $(declare -A m=(1 2) | cat)", "echo `declare -A m=(1 2) & wait`",
	"f() { declare -A m=(1 2) | cat; }; f", "eval 'declare -A m=(1 2) | cat'", "eval 'eval \"declare -A m=(1 2) & wait\"'",
	"trap 'declare -A m=(1 2) | cat' EXIT", "trap 'declare -A m=(1 2) | cat' ERR; false", "cat <<E\n$(declare -A m=(1 2) | cat)\nE",
	"shopt -s expand_aliases\nalias x='echo $(declare -A m=(1 2) | cat)'\nx", "a=(1); unset 'a[$(declare -A m=(1 2) | cat)]'",
	"x=${y:-$(declare -A m=(1 2) | cat)}", "echo $(( $(declare -A m=(1 2) | cat) + 1 ))", "for i in $(declare -A m=(1 2) | cat); do :; done",
	"case $(declare -A m=(1 2) | cat) in a) ;; esac", "while declare -A m=(1 2) | false; do :; done", "{ declare -A m=(1 2); } |& cat",
	"cat < /data/a.txt | declare -A m=(1 2)", "true && declare -A m=(1 2) &\nwait", "! declare -A m=(1 2) | cat",
	"export A=$(declare -A m=(1 2) | cat)", "(((1))) | declare -A m=(1 2) | cat", "_SHELL_PART 0; _SHELL_PART 0 | _SHELL_PART 0", "_SHELL_PART; _SHELL_WEIGH x",
	"x='eval \"$x\"'; eval \"$x\"", "echo '. /tmp/self' > /tmp/self; . /tmp/self", "f() { f; }; f", "f() { f | cat; }; f", "f() { echo $(f); }; f", "f() { (f); }; f",
	"f() { if true; then while true; do case a in a) f;; esac; done; fi; }; f", "f() { g; }; g() { f; }; f", "f() { f $1 $1; }; f a",
	"f() { eval f; }; f", "f() { f & }; f; wait", "f() { f <<E\n$(f)\nE\n}; f", "trap f ERR; f() { false; f; }; f", "f() { : ${x:=$(f)}; }; f",
	strings.Repeat("(", 1000000), strings.Repeat("$(", 300000), strings.Repeat("{ ", 300000), strings.Repeat("`", 300000),
	"echo $((" + strings.Repeat("(", 300000), "echo $((" + strings.Repeat("-", 300001) + "1))", "echo $((" + strings.Repeat("1+", 300000) + "1))",
	"echo $((" + strings.Repeat("1?", 200000) + "1))", "echo $((" + strings.Repeat("a=", 200000) + "1))", "echo $((" + strings.Repeat("2**", 200000) + "1))",
	"echo $((" + strings.Repeat("~", 200000) + "1))", "echo $((" + strings.Repeat("!", 200000) + "1))",
	strings.Repeat("true|", 150000) + "true", strings.Repeat("true&&", 150000) + "true", strings.Repeat("true||", 150000) + "true",
	strings.Repeat("if true; then ", 60000), strings.Repeat("if false; then :; el", 50000) + "if true; then :; fi", strings.Repeat("while ", 150000), strings.Repeat("case a in a) ", 70000),
	"echo " + strings.Repeat("${a:-", 150000), "echo \"" + strings.Repeat("${a:-\"", 120000), "[[ " + strings.Repeat("( ", 300000), "[[ " + strings.Repeat("! ", 300000) + "a ]]",
	"[[ " + strings.Repeat("a && ", 150000) + "a ]]", "[[ a =~ " + strings.Repeat("(", 100000) + " ]]", "case x in " + strings.Repeat("@(", 100000) + ") ;; esac",
	"[ " + strings.Repeat("! ", 300000) + "a ]", "[ " + strings.Repeat("( ", 300000) + "]", "[ " + strings.Repeat("a -a ", 200000) + "a ]",
	"f() " + strings.Repeat("f() ", 200000) + ":", strings.Repeat("time ", 200000), strings.Repeat("! ", 200000) + "true", strings.Repeat("a=(", 200000),
	"echo " + strings.Repeat("{a,", 200000), "echo " + strings.Repeat("{a,b}", 100000), "echo {1..999999999}", "echo {1..9223372036854775807..9223372036854775807}",
	"echo {9223372036854775806..9223372036854775807}", "echo {-9223372036854775808..9223372036854775807}", "echo {a..}", "echo {..a}", "echo {Z..a..0}",
	"printf %999999999d 1", "printf '%*d' 999999999 1", "printf '%.999999999f' 1", "printf %", "printf '%s%'", "printf '\\x\\u\\U\\0'", "printf '%(%Y)T' 1", "echo -e '\\0\\x'",
	"echo $((1/0))", "echo $((1%0))", "echo $((1<<-1))", "echo $((1>>-1))", "echo $((2**-1))", "echo $((-9223372036854775808/-1))", "x=1; ((x<<=-1))", "echo $((1++))", "echo $((++1))", "echo $((1=2))", "((a[1]++))", "echo $((a[1]=2))", "let 'x['", "let x[1]++", "let ++1",
	"x=abc; echo ${x:5:9} ${x: -9:3} ${x:0:-9} ${x:-1:-5} ${x:1:-5}", "x=abc; echo ${x:2:-2}", "a=(1 2 3); echo ${a[@]:5:9} ${a[@]: -9} ${a[-9]} ${a[99]} ${a[@]:1:-1}", "set -- a b; echo ${@:0:9} ${@:-5} ${@:5:-1} ${@: -9:2}", "echo ${@:1:-1}",
	"a[-1]=x", "a[99999999999]=x; echo ${#a[@]}", "a=([99999999999]=x y); echo ${!a[@]}", "declare -n n=n; echo $n; n=1", "declare -n a=b b=a; a=1; echo $a", "declare -A m; m[x]=1; m[1+1]=2; m[$(echo)]=3; m+=(a b)", "declare -A m=([a]=1 2)", "m=(['a']=1 2)", "readonly r=1; r=2; unset r", "declare =x", "declare ''", "export ''", "local x", "typeset -A", "unset -v ''", "unset 'a['", "unset 'a[]'", "a=(1 2); unset 'a[1' 'a[-9]' 'a[x]'", "read ''", "read -a ''", "read -p", "read -a a < /data/a.txt; echo ${a[0]}", "mapfile -d", "mapfile -d '' x < /data/a.txt", "mapfile", "mapfile <&-", "read x <&-", "select x in a b; do :; done <&-",
	"echo ${x@Q} ${x@E} ${x@P} ${x@A} ${x@a} ${x@U} ${x@Z}", "echo ${!x} ${!x*} ${!x@} ${!1} ${!@} ${!#} ${!}", "x=y; echo ${!x}", "x=''; echo ${!x}", "x='a b'; echo ${!x}", "echo ${x^^[} ${x,,[a} ${x/[/b} ${x##[[:} ${x%%\\}", "echo ${10} ${99999999999999999999}", "echo ${#} ${#@} ${#*} ${#10}", "echo ${-} ${?} ${$} ${_}", "set -o", "set +o", "set -o nothing", "set -", "set --", "set -e -", "set -x; echo a | cat", "set -n; echo", "shopt -s nothing; shopt -o", "pushd; popd; dirs; pushd +1; popd -n; pushd -n; popd; pushd -n /; popd; popd", "pushd / ; pushd -n; popd -n; popd -n; popd", "dirs +9",
	"break 5; continue -1; while true; do break -5; done", "for i in 1 2; do continue -1; break; done", "for ((;;)); do break 99; done", "return 5; exit -1", "exit 99999999999999999999", "wait g1 g0 g-1 g99 x", "true & wait g1", "kill; kill -l; kill 0 -1 1 99", "trap -l; trap -p; trap x; trap '' EXIT; trap - EXIT ERR; trap -- -- EXIT", "hash; times; help; help x; help help", "type; type -t; type -p x; command; command -v; command -x; builtin; builtin x", "exec; exec -a; exec < /none", "umask; ulimit; jobs; fg; bg; fc; newgrp; suspend; logout; disown; caller; bind; enable; complete; compgen; compopt; history", ".; source; . ''; . /; source /data", "eval; eval ''; eval '('; eval \"'\"", "cd ''; cd -; cd a b; cd ~nobody; cd //; cd ..", "pwd -P; pwd -x", "echo <<< $(echo)", "cat <<< a <<< b", "cat <<A <<B\na\nA\nb\nB", "cat <<-E | cat\n\ta\n\tE", "cat <<'E' & wait\n$a\nE", "exec 3>&1; echo >&3; echo 2>&-; echo >&-", "echo > ''; echo < ''", ">|/tmp/x; <>/tmp/x; &>/tmp/x; &>>/tmp/x", "{fd}>/tmp/x", "coproc cat", "function f { :; }; f", "time; time -p true; ! ; ! true", "if; fi", "case in esac", ";;", "&", "|", "()", "{}", "((", "[[ ]]", "[[ -f ]]", "[[ a -xx b ]]", "[[ a =~ [ ]]", "[ ]; [ a b ]; [ a b c ]; [ a = ]; [ -x ]; [ = ]; [ ! ]; [ ( ]; [ -a ]; [ a -a ]; [ -t 1 ]; [ -t x ]; [ -N /tmp ]; [ a -nt b ]; [ a -ef a ]; [ -o x ]; test; [",
	":(){ :|:& };:; sleep", "while :; do echo; done | exit", "x=a; while [ ${#x} -lt 9999999999 ]; do x=$x$x; done", "x=a; for ((;;)); do x=$x$x; done", "x=a; for ((;;)); do x+=$x; done", "x=a; for ((;;)); do export x=$x$x; done",
	"x=a; f() { x=$x$x; f; }; f", "set -- a; while :; do set -- $@ $@; done", "a=(1); for ((;;)); do a+=(${a[@]}); done", "f() { f $1$1; }; f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x=$(while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done)", "i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); eval \"echo $i-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | true\"; done > /dev/null",
	"x=$(printf '%1000000d' 1); y=${x// /$x}", "x=$(printf '%1000000d' 1); y=${x// /$x$x$x}; echo ${#y}", "x=$(printf '%1000000d' 1); for w in ${x// /$x}; do :; done", "x=$(printf '%1000000d' 1); echo " + strings.Repeat("$x", 100000), "x=$(printf '%1000000d' 1); echo {1..16000}$x", "x=$(printf '%1000000d' 1); cat <<E > /dev/null\n" + strings.Repeat("$x", 100000) + "\nE\n",
}

// TestNothingKills runs them within this program: that it lives is the test.
func TestNothingKills(t *testing.T) {
	for _, script := range killers {
		p := newProcess(t, "sh", "-c", script)
		var errs bytes.Buffer
		p.Stderr = &errs
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // some have no end
		status := p.Machine.Table.Run(ctx, shell.Main, p)
		cancel()
		t.Logf("%.60q: %d, %.150q", script, status, errs.String())
	}
}

// What crashes ends alone, says so in one line, and the shell goes on.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		script, out, errs string
		status            int
	}{
		{"declare -A m=(1 2) | cat; echo on", "on\n", "sh: panic: interface conversion: syntax.ArithmExpr is nil, not *syntax.Word\n", 0},
		{"set -o pipefail; declare -A m=(1 2) | cat", "", "sh: panic: interface conversion: syntax.ArithmExpr is nil, not *syntax.Word\n", process.Crashed},
		{"declare -A m=(1 2) & wait; echo on", "on\n", "sh: panic: interface conversion: syntax.ArithmExpr is nil, not *syntax.Word\n", 0},
		{"declare -A m=(1 2); echo on", "", "sh: panic: interface conversion: syntax.ArithmExpr is nil, not *syntax.Word\n", process.Crashed},
		{"f() { f; }; f; echo on", "", "sh: nested too deep\n", 139},
		{"f() { f; }; f | cat; echo on", "on\n", "sh: nested too deep\n", 0},
		{"x=a; while :; do x=$x$x; done; echo on", "", "sh: out of memory\n", 137},
		{"shift -1 | cat; echo on", "on\n", "sh: shift: Illegal number: -1\n", 0},
		{"[ -O /data ] && echo yes", "yes\n", "", 0},
		{"test -v '' || echo no", "no\n", "", 0},
		{"set -x; echo a | cat; x=$x$x", "a\n", "", 0},
		{"x=1; x=$x$x; echo $x $?; x=$(false)$x || echo $?", "11 0\n1\n", "", 0},
		{"for i in 1 2 3; do echo $i | { read x; echo $x; }; [ $i = 2 ] && break; done", "1\n2\n", "", 0},
		{"set -- a b; f() { echo $1 $# | cat; }; f c; echo $1 | cat", "c 1\na\n", "", 0},
		{"{ x=2; exit 7; } & wait; echo $x | cat\ncat <<E | cat\n$1-\nE", "\n-\n", "", 0},
		{"echo a | cat & wait; (echo b; echo c) | cat", "a\nb\nc\n", "", 0},
		{"x=aXbX; y=12; false; echo $? ${x//X/$y}; set -e; false && :; echo ${x//X/$y} $?", "1 a12b12\na12b12 1\n", "", 0},
		{"set -- aXb; echo ${1//X/$1}; echo {1..3}$1 | cat; if echo $1 {a,b} > /dev/null; then echo $1; fi", "aaXbb\n1aXb 2aXb 3aXb\naXb\n", "", 0},
		{"x=$(printf '%100000d' 1); echo ${x// /$x}; echo on", "", "sh: out of memory\n", 137},
		{"x=$(printf '%100000d' 1); y=${x// /ab}; echo ${#y}", "199999\n", "", 0},
		{"x=$(printf '%100000d' 1); for w in ${x// /$x}; do echo $w; done", "", "sh: out of memory\n", 137},
		{"mapfile -t a < /data/a.txt; echo ${#a[@]}${a[0]}; mapfile; echo ${#MAPFILE[@]}; echo \"a'b\" | { readarray x; printf %s \"${x[0]}\"; }", "1one\n0\na'b\n", "", 0},
		{"x=$(printf '%1000000d' 1); { echo \"$x\"; echo \"$x\"; } | mapfile; echo on", "on\n", "sh: mapfile: out of memory\n", 0},
		{"x=$(printf '%1000000d' 1); i=0; while :; do i=$((i+1)); eval \"v$i=a\\$x\"; done", "", "sh: out of memory\n", 137},
		{"x=$(printf '%10000d' 1); for i in 1 2 3; do printf \"%s\" \"$x\" | cat > /tmp/x; read \"v$i\" < /tmp/x; done; echo on", "on\n", "", 0},
		{"x=$(printf '%1000000d' 1); env \"$x\" \"$x\" \"$x\"; echo $?", "126\n", "sh: env: Argument list too long\n", 0},
		{"x=1; cat <<E | cat\n$x$x$x$x$x$x$x$x$x\nE", "111111111\n", "", 0},
	} {
		out, errs, status := run(t, "", "sh", "-c", c.script)
		if strings.Contains(c.script, "set -x") {
			lines := strings.SplitAfter(strings.TrimSuffix(errs, "\n"), "\n")
			slices.Sort(lines) // both sides of a pipe run at once
			if traced := strings.Join(lines, ""); traced != "+ cat\n+ echo a\n+ x=''" {
				t.Errorf("traced: %q", traced)
			}
			errs = ""
		}
		if out != c.out || errs != c.errs || status != c.status {
			t.Errorf("%s:\n got %q, %q, %d\nwant %q, %q, %d", c.script, out, errs, status, c.out, c.errs, c.status)
		}
	}
}
