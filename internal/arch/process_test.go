package arch

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// processWide are, by package, what belongs to the process and not to one of
// the desks in it. "*" at the end stands for any ending.
var processWide = map[string][]string{
	"os":            {"Stdin", "Stdout", "Stderr", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Exit", "UserHomeDir", "Chdir"},
	"os/signal":     {"*"},
	"log":           {"Print*", "Fatal*", "Panic*", "Set*", "Default"},
	"log/slog":      {"Debug*", "Info*", "Warn*", "Error*", "Default", "SetDefault"},
	"syscall":       {"Kill", "Exit"},
	"runtime/debug": {"Set*"},
	"k8s.io/klog/v2": {
		"Info*", "Warning*", "Error*", "Fatal*", "Exit*", "V", "Set*", "Clear*", "Init*", "Flush*", "Background", "TODO", "LogToStderr",
	},
}

// ownProcess is who may use what of it, by file or folder: the program's start,
// and the lab's process, which runs nothing else; and these for a reason.
var ownProcess = map[string][]string{
	"main.go":   {"os", "os/signal"},
	"lab/child": {"os", "os/signal", "log", "log/slog", "syscall", "runtime/debug", "k8s.io/klog/v2"},
	// The command line is a process of one person.
	"cli/root.go":    {"os.Environ"},
	"cli/lab.go":     {"os.Stdin", "os.Stdout"},                                                   // with which the lab's process talks to its parent
	"cli/kubectl.go": {"os/signal.Reset"},                                                         // kubectl ends on signals by itself
	"cli/quiet.go":   {"os.Stderr", "k8s.io/klog/v2.SetSlogLogger", "k8s.io/klog/v2.ClearLogger"}, // the app has the terminal for itself
	"cli/doctor.go":  {"runtime/debug.SetGCPercent"},                                              // a big cluster is read once
	// A child that was given the terminal has its signals.
	"cluster/kubectl/terminal_unix.go": {"os/signal.Ignore", "os/signal.Reset"},
	// The process group is the child's own.
	"cluster/kubectl/process_linux.go": {"syscall.Kill"},
	"cluster/kubectl/process_unix.go":  {"syscall.Kill"},
}

// wide says whether a name of a package belongs to the process.
func wide(pkg, name string) bool {
	return slices.ContainsFunc(processWide[pkg], func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

// mayTouch says whether a file may use it.
func mayTouch(file, pkg, name string) bool {
	for place, what := range ownProcess {
		if within(file, place) && (slices.Contains(what, pkg) || slices.Contains(what, pkg+"."+name)) {
			return true
		}
	}
	return false
}

// touched lists what a file uses of the process, as package.Name.
func touched(s source) [][2]string {
	names := map[string]string{}
	for _, spec := range s.file.Imports {
		pkg, err := strconv.Unquote(spec.Path.Value)
		if err != nil || processWide[pkg] == nil {
			continue
		}
		name := path.Base(pkg)
		if name == "v2" {
			name = path.Base(path.Dir(pkg))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = pkg
	}
	var out [][2]string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && wide(names[x.Name], selector.Sel.Name) {
				out = append(out, [2]string{names[x.Name], selector.Sel.Name})
			}
		}
		return true
	})
	return out
}

// TestTheProcessBelongsToNobody: many desks live in one process, so that what is
// the process's is nothing that one of them may use or change.
func TestTheProcessBelongsToNobody(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if within(s.dir, "test") || within(s.dir, "internal") {
			continue
		}
		for _, what := range touched(s) {
			if !mayTouch(s.path, what[0], what[1]) {
				t.Errorf("%s uses %s.%s, which is the process's", s.path, what[0], what[1])
			}
			for place := range ownProcess {
				used[place] = used[place] || within(s.path, place)
			}
		}
	}
	for place := range ownProcess {
		if !used[place] {
			t.Errorf("%s is an exception and needs none", place)
		}
	}
	if mayTouch("desk/tour.go", "os", "Stdout") || !wide("os/signal", "Notify") || wide("os", "Open") {
		t.Error("the rule does not bite")
	}
}
