package desk

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Environment is a person's environment as os.Environ has it: KEY=value, of
// which the last of a key counts.
type Environment []string

// Get is the value of a key; "" when it is not set.
func (e Environment) Get(key string) string {
	for _, entry := range slices.Backward(e) {
		if name, value, ok := strings.Cut(entry, "="); ok && name == key {
			return value
		}
	}
	return ""
}

// home is the person's folder, by the rules of os.UserHomeDir.
func (e Environment) home() string {
	if runtime.GOOS == "windows" {
		return e.Get("USERPROFILE")
	}
	return e.Get("HOME")
}

// Kubeconfigs are the files that kubectl merges when no --kubeconfig is given:
// KUBECONFIG's, or else ~/.kube/config
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
func (e Environment) Kubeconfigs() []string {
	files := []string{}
	if list := e.Get("KUBECONFIG"); list != "" {
		for _, file := range filepath.SplitList(list) {
			if file != "" && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
		return files
	}
	if home := e.home(); home != "" {
		files = append(files, filepath.Join(home, ".kube", "config"))
	}
	return files
}

// ASCII says whether the locale names a character set other than UTF-8
// (https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html).
func (e Environment) ASCII() bool {
	if runtime.GOOS == "windows" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToUpper(e.Get(name)); value != "" {
			return !strings.Contains(value, "UTF-8") && !strings.Contains(value, "UTF8")
		}
	}
	return false
}

// StateDir is where svctour keeps a person's state: SVCTOUR_HOME, or "svctour"
// under XDG_STATE_HOME, or the platform's usual place for it. It need not exist
// yet.
func (e Environment) StateDir() (string, error) {
	if home := e.Get("SVCTOUR_HOME"); home != "" {
		return filepath.Abs(home)
	}
	if state := e.Get("XDG_STATE_HOME"); filepath.IsAbs(state) { // the specification ignores relative ones
		return filepath.Join(state, "svctour"), nil
	}
	if runtime.GOOS == "windows" {
		if local := e.Get("LOCALAPPDATA"); local != "" {
			return filepath.Join(local, "svctour"), nil
		}
	}
	home := e.home()
	if home == "" {
		return "", errors.New("find a folder for svctour's state (set SVCTOUR_HOME): the home folder is not known")
	}
	return filepath.Join(home, ".local", "state", "svctour"), nil
}

// LabDir is where a person's lab keeps its files.
func (e Environment) LabDir() (string, error) {
	dir, err := e.StateDir()
	if err != nil {
		return "", fmt.Errorf("find the lab: %w", err)
	}
	return filepath.Join(dir, "lab"), nil
}
